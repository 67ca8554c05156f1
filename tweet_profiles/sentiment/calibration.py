"""From logits to scores that mean what they say: temperatures, class biases and the thresholds of neutral.

What belongs here: pure functions between logits, probabilities and labels, and fitting their few parameters on
validation data. What does not: the network, or any test set.

Sentiment is the expected valence P(positive) + P(neutral) / 2, so that among tweets scored 0.8 the mean valence (1
positive, 0.5 neutral, 0 negative) is near 0.8. A label is the sentiment cut at two thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tweet_profiles.contracts import LABELS
from tweet_profiles.sentiment.errors import TrainingDataError

Floats = NDArray[np.floating]

THRESHOLD_WINDOW = 0.03
"""Thresholds are chosen by the mean over this much to either side: a plateau is worth more than a lucky peak."""
MIN_ROWS_PER_LABEL = 20


@dataclass(frozen=True)
class Calibration:
    """Parameters fitted on validation data. The defaults leave the logits as they are."""

    temperature: float = 1.0
    neutral_bias: float = 0.0
    """Added to neutral's logit after division by the temperature."""
    subjectivity_temperature: float = 1.0
    subjectivity_bias: float = 0.0
    negative_below: float = 1 / 3
    positive_above: float = 2 / 3
    """A sentiment below the first is negative, above the second positive, else neutral."""


def class_probabilities(logits: Floats, calibration: Calibration) -> NDArray[np.float64]:
    """P(negative), P(neutral), P(positive): float64 (rows, 3), from logits (rows, 3 or more)."""
    shifted = np.asarray(logits, np.float64)[:, :3] / calibration.temperature
    shifted += [0.0, calibration.neutral_bias, 0.0]
    shifted -= shifted.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    return powers / powers.sum(axis=1, keepdims=True)


def sentiment_of(logits: Floats, calibration: Calibration) -> NDArray[np.float32]:
    """Expected valence in 0..1, float32 (rows,), from logits (rows, 4)."""
    share = class_probabilities(logits, calibration)
    return np.clip(share[:, 2] + share[:, 1] / 2, 0.0, 1.0).astype(np.float32)


def subjectivity_of(logits: Floats, calibration: Calibration) -> NDArray[np.float32]:
    """P(subjective) in 0..1, float32 (rows,), from logits (rows, 4)."""
    shifted = np.asarray(logits, np.float64)[:, 3] / calibration.subjectivity_temperature
    return (1 / (1 + np.exp(-np.clip(shifted + calibration.subjectivity_bias, -500, 500)))).astype(np.float32)


def labels_of(sentiment: Floats, calibration: Calibration) -> NDArray[np.object_]:
    """The label of each sentiment, as objects of `str` (rows,)."""
    code = np.where(sentiment < calibration.negative_below, 0, np.where(sentiment > calibration.positive_above, 2, 1))
    return np.array(LABELS, dtype=object)[code]


def fit(
    three_logits: Floats, three_labels: Sequence[str], subjectivity_logits: Floats, subjective: Sequence[bool]
) -> Calibration:
    """Fit all parameters on validation rows.

    Temperatures and biases minimise the negative log-likelihood (Guo et al. 2017, "On Calibration of Modern Neural
    Networks", with a bias as in their vector scaling); thresholds maximise macro-averaged recall. Between negative and
    positive no bias is fitted: the network learned that border from as many negative as positive tweets, while the
    share of negative ones among the three-way rows differs from set to set, and would lean every score that way.

    Args:
        three_logits: (rows, 4) of texts with three-way labels.
        three_labels: their labels.
        subjectivity_logits: (rows, 4) of texts labelled objective or subjective.
        subjective: True where subjective.

    Raises:
        TrainingDataError: if a label has too few rows for its parameters to mean anything.
    """
    truth = np.array([LABELS.index(label) for label in three_labels], dtype=np.int64)
    target = np.asarray(subjective, dtype=bool)
    _require_rows(truth, target)
    temperature, neutral_bias = _fit_classes(three_logits, truth)
    subjectivity_temperature, subjectivity_bias = _fit_subjectivity(subjectivity_logits, target)
    fitted = Calibration(
        temperature=temperature,
        neutral_bias=neutral_bias,
        subjectivity_temperature=subjectivity_temperature,
        subjectivity_bias=subjectivity_bias,
    )
    low, high = choose_thresholds(sentiment_of(three_logits, fitted), truth)
    return Calibration(**{**fitted.__dict__, "negative_below": low, "positive_above": high})


def _require_rows(truth: NDArray[np.int64], subjective: NDArray[np.bool_]) -> None:
    counts = {label: int((truth == code).sum()) for code, label in enumerate(LABELS)}
    counts |= {"subjective": int(subjective.sum()), "objective": int((~subjective).sum())}
    few = {name: count for name, count in counts.items() if count < MIN_ROWS_PER_LABEL}
    if few:
        raise TrainingDataError(
            f"too few validation rows to calibrate with: {few}; each label needs {MIN_ROWS_PER_LABEL}. "
            "Add sources of tasks three and subjectivity, or larger ones"
        )


def _fit_classes(logits: Floats, truth: NDArray[np.int64]) -> tuple[float, float]:
    from scipy.optimize import minimize

    def loss(parameters: Floats) -> float:
        trial = Calibration(
            temperature=float(np.exp(parameters[0])),
            neutral_bias=float(parameters[1]),
        )
        right = class_probabilities(logits, trial)[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    best = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-5, "fatol": 1e-8})
    return float(np.exp(best.x[0])), float(best.x[1])


def _fit_subjectivity(logits: Floats, subjective: NDArray[np.bool_]) -> tuple[float, float]:
    from scipy.optimize import minimize

    def loss(parameters: Floats) -> float:
        trial = Calibration(
            subjectivity_temperature=float(np.exp(parameters[0])), subjectivity_bias=float(parameters[1])
        )
        share = np.clip(subjectivity_of(logits, trial).astype(np.float64), 1e-7, 1 - 1e-7)
        return float(-np.where(subjective, np.log(share), np.log1p(-share)).mean())

    best = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-5, "fatol": 1e-8})
    return float(np.exp(best.x[0])), float(best.x[1])


def choose_thresholds(sentiment: Floats, truth: NDArray[np.int64]) -> tuple[float, float]:
    """The two thresholds with the best macro-averaged recall, averaged over `THRESHOLD_WINDOW` about each.

    Args:
        sentiment: (rows,) in 0..1.
        truth: (rows,) 0 negative, 1 neutral, 2 positive; each at least once.

    Returns:
        The threshold below which a tweet is negative, and the one above which it is positive.
    """
    grid = np.round(np.arange(0.0, 1.0001, 0.01), 2)
    # Recall of negative depends on the low threshold alone, of positive on the high one; neutral's is a difference.
    negative = np.array([(sentiment[truth == 0] < cut).mean() for cut in grid])
    positive = np.array([(sentiment[truth == 2] > cut).mean() for cut in grid])
    neutral_below = np.array([(sentiment[truth == 1] < cut).mean() for cut in grid])
    neutral_up_to = np.array([(sentiment[truth == 1] <= cut).mean() for cut in grid])
    # The recalls are sums of a part of each threshold, so that each can be chosen, and smoothed, by itself.
    width = round(THRESHOLD_WINDOW / 0.01)
    low = int(np.argmax(_smooth(negative - neutral_below, width)))
    high = int(np.argmax(_smooth(positive + neutral_up_to, width)))
    return float(grid[min(low, high)]), float(grid[max(low, high)])


def _smooth(values: Floats, width: int) -> Floats:
    padded = np.pad(values, width, mode="edge")
    return np.convolve(padded, np.ones(2 * width + 1) / (2 * width + 1), mode="valid")

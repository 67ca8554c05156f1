"""Measures of a classifier, as pure functions of truths and predictions.

What belongs here: formulae and their intervals. What does not: models, data sets or thresholds.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

Z95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: 95 % of it lies within this many deviations of the mean."""


@dataclass(frozen=True)
class Estimate:
    """A value in 0..1 with its 95 % interval and the number of rows it comes from."""

    value: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of like score: the mean score, the mean outcome, and how many."""

    said: float
    was: float
    rows: int


def share_right(right: ArrayLike) -> Estimate:
    """Accuracy with its Wilson score interval (Wilson 1927).

    Args:
        right: (rows,) true where the prediction was right; at least one row.

    Raises:
        ValueError: if there are no rows.
    """
    hits = np.asarray(right, dtype=bool)
    if hits.size == 0:
        raise ValueError("accuracy of no rows")
    n, p, z2 = hits.size, float(hits.mean()), Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z95 * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Estimate(p, max(0.0, float(middle - reach)), min(1.0, float(middle + reach)), n)


def recalls(truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """Recall of each label that occurs in `truth`."""
    true, guess = np.asarray(truth, dtype=object), np.asarray(predicted, dtype=object)
    return {label: float((guess[true == label] == label).mean()) for label in labels if (true == label).any()}


def macro_recall(truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> Estimate:
    """Mean of the labels' recalls, the measure of SemEval-2017 task 4 A (Rosenthal et al. 2017).

    The interval is the normal one of a mean of independent proportions: the labels' rows are disjoint.

    Raises:
        ValueError: if a label does not occur in `truth`.
    """
    true = np.asarray(truth, dtype=object)
    by_label = recalls(truth, predicted, labels)
    missing = set(labels) - set(by_label)
    if missing:
        raise ValueError(f"no rows of {sorted(missing)}")
    counts = {label: int((true == label).sum()) for label in labels}
    value = float(np.mean(list(by_label.values())))
    variance = sum(by_label[label] * (1 - by_label[label]) / counts[label] for label in labels) / len(labels) ** 2
    reach = Z95 * float(np.sqrt(variance))
    return Estimate(value, max(0.0, value - reach), min(1.0, value + reach), int(true.size))


def expected_calibration_error(scores: ArrayLike, outcomes: ArrayLike, bins: int = 15) -> float:
    """Mean gap between score and outcome over bins of like score, weighted by rows (Naeini et al. 2015).

    Args:
        scores: (rows,) in 0..1.
        outcomes: (rows,) in 0..1, what each score foretold: 0 or 1, or a valence of 0, 0.5 or 1.
        bins: how many bins of equal width.
    """
    table = reliability(scores, outcomes, bins)
    return sum(entry.rows * abs(entry.said - entry.was) for entry in table) / sum(entry.rows for entry in table)


def reliability(scores: ArrayLike, outcomes: ArrayLike, bins: int = 15) -> list[ReliabilityBin]:
    """What scores foretold and what came true, over bins of equal width; empty bins are left out.

    Args:
        scores: (rows,) in 0..1.
        outcomes: as for `expected_calibration_error`.
        bins: how many.

    Raises:
        ValueError: if there are no rows.
    """
    said, was = np.asarray(scores, np.float64), np.asarray(outcomes, np.float64)
    if said.size == 0:
        raise ValueError("calibration error of no rows")
    bin_of = np.minimum((said * bins).astype(int), bins - 1)
    rows = np.bincount(bin_of, minlength=bins)
    said_sums, was_sums = (np.bincount(bin_of, weights=values, minlength=bins) for values in (said, was))
    return [
        ReliabilityBin(float(said_sums[place] / count), float(was_sums[place] / count), int(count))
        for place, count in enumerate(rows)
        if count
    ]


def confusion(truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """By true label, how many rows were given each label."""
    pairs = Counter(zip(truth, predicted, strict=True))
    return {true: {said: pairs[true, said] for said in labels} for true in labels}

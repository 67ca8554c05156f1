import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweet_profiles.sentiment.calibration import (
    Calibration,
    choose_thresholds,
    class_probabilities,
    fit,
    labels_of,
    sentiment_of,
)
from tweet_profiles.sentiment.errors import TrainingDataError
from tweet_profiles.sentiment.metrics import expected_calibration_error, macro_recall, share_right

LABELS = ["negative", "neutral", "positive"]


def drawn(rows: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, list[str], np.ndarray, list[bool]]:
    """Logits that are `temperature` times too sure of themselves, with labels drawn from the true shares."""
    random = np.random.default_rng(seed)
    true = random.normal(size=(rows, 4)) * 1.5
    shares = np.exp(true[:, :3]) / np.exp(true[:, :3]).sum(axis=1, keepdims=True)
    labels = [LABELS[random.choice(3, p=share)] for share in shares]
    subjective = random.random(rows) < 1 / (1 + np.exp(-true[:, 3]))
    return true * temperature, labels, true * temperature, subjective.tolist()


def test_an_overconfident_network_is_cooled_down() -> None:
    calibration = fit(*drawn(6000, 3.0))
    assert calibration.temperature == pytest.approx(3.0, rel=0.1)
    assert calibration.subjectivity_temperature == pytest.approx(3.0, rel=0.1)
    assert calibration.neutral_bias == pytest.approx(0.0, abs=0.1)


def test_calibrated_scores_mean_what_they_say_on_other_rows() -> None:
    calibration = fit(*drawn(6000, 3.0))
    logits, labels, _, _ = drawn(6000, 3.0, seed=1)
    valence = [LABELS.index(label) / 2 for label in labels]
    before = expected_calibration_error(sentiment_of(logits, Calibration()), valence)
    after = expected_calibration_error(sentiment_of(logits, calibration), valence)
    assert after < 0.02 < before


def test_too_few_rows_of_a_label_are_refused() -> None:
    logits, labels, other, subjective = drawn(200, 1.0)
    with pytest.raises(TrainingDataError, match="'neutral': 0"):
        fit(logits, ["positive" if label == "neutral" else label for label in labels], other, subjective)


def test_thresholds_maximise_macro_recall_on_separable_scores() -> None:
    truth = np.repeat([0, 1, 2], 200)
    sentiment = np.repeat([0.1, 0.5, 0.9], 200)
    low, high = choose_thresholds(sentiment, truth)
    assert 0.1 < low <= 0.5 <= high < 0.9


@given(st.lists(st.lists(st.floats(-30, 30), min_size=4, max_size=4), min_size=1, max_size=30))
def test_probabilities_add_up_and_a_higher_score_never_has_a_lower_label(logits: list[list[float]]) -> None:
    calibration = Calibration(temperature=1.7, neutral_bias=0.3, negative_below=0.4, positive_above=0.6)
    values = np.array(logits)
    assert np.allclose(class_probabilities(values, calibration).sum(axis=1), 1)
    sentiment = np.sort(sentiment_of(values, calibration))
    ranks = [LABELS.index(str(label)) for label in labels_of(sentiment, calibration)]
    assert ranks == sorted(ranks)


def test_figures_agree_with_hand_worked_ones() -> None:
    # Wilson's interval of 8 of 10: 0.490 to 0.943 (Newcombe 1998 gives the formula; worked by hand).
    estimate = share_right([True] * 8 + [False] * 2)
    assert (round(estimate.low, 3), round(estimate.high, 3)) == (0.490, 0.943)
    truth = ["negative", "negative", "neutral", "positive"]
    assert macro_recall(truth, ["negative", "positive", "neutral", "positive"], LABELS).value == pytest.approx(5 / 6)
    assert expected_calibration_error([0.9, 0.9], [1, 0]) == pytest.approx(0.4)

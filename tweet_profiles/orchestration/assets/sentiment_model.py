"""sentiment_model: the fine-tuned model that scores tweets; verified as it stands, or trained anew."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from pydantic import Field

from tweet_profiles import plots
from tweet_profiles.errors import TweetProfilesError
from tweet_profiles.home import Home
from tweet_profiles.orchestration.assets.metadata import OWNERS, inline_plot, table
from tweet_profiles.orchestration.resources import HomeResource, ModelResource
from tweet_profiles.sentiment import build
from tweet_profiles.sentiment.evaluation import EvaluationReport, deciding_values, read_report
from tweet_profiles.sentiment.package import REPORT, read_package

NAME = "sentiment_model"
FITNESS_CHECK = "fit_to_serve"


class SentimentModelConfig(dg.Config):
    """What to train on. Without `data` nothing is trained: the model in place is verified."""

    data: str | None = Field(default=None, description="folder that the paths of the sources are relative to")
    sources: str | None = Field(default=None, description="TOML list of sources; default: the shipped model's")
    preset: str = Field(
        default="minilm", pattern=f"^({'|'.join(build.PRESETS)})$", description=f"recipe: {' or '.join(build.PRESETS)}"
    )
    seed: int = Field(default=7, ge=0, le=2**32 - 1, description="of shuffling, dropout and heads")
    epochs: int | None = Field(default=None, ge=1, le=1000, description="passes over the data, instead of the recipe's")
    learning_rate: float | None = Field(default=None, gt=0, le=1, description="instead of the recipe's")
    start: str | None = Field(
        default=None, description="starting weights: encoder folder, wheel, TF-Hub handle or SavedModel folder"
    )
    preprocessor: str | None = Field(default=None, description="TF-Hub handle or folder of the SavedModel's own")


@dg.asset(
    name=NAME,
    group_name="sentiment",
    owners=OWNERS,
    kinds={"onnx", "tensorflow"},
    code_version="2",
    pool="model",
    check_specs=[
        dg.AssetCheckSpec(
            FITNESS_CHECK,
            asset=NAME,
            blocking=True,
            description=(
                "A newly trained model is not worse than the current one on the held-out rows; the model in place "
                "tells plain praise from a plain complaint."
            ),
        )
    ],
    description=(
        "The two-headed BERT that scores sentiment and subjectivity. Verified as it stands; with `data` in the run's "
        "configuration it is fine-tuned anew, going on from its last checkpoint, and takes over if it is not worse."
    ),
)
def sentiment_model(
    context: dg.AssetExecutionContext, config: SentimentModelConfig, home: HomeResource, model: ModelResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Train if asked to, then load what is in place, which verifies its checksums, and show what it is."""
    folder = home.settings().model_dir
    told: list[str] = ["nothing was trained: the model in place was verified"]
    if config.data is not None:
        candidate = _train(context, config, home.open(), Path(config.data))
        decision = build.judge(candidate, folder)
        told = list(decision.reasons)
        if not decision.accepted:
            yield _check(passed=False, told=told, changes=decision.changes)
            raise dg.Failure(
                f"the new model is worse and stays in {candidate.folder}; the current one stays in use: "
                f"{'; '.join(told)}",
                allow_retries=False,
            )
        build.promote(candidate, folder)
        model.forget()
    scorer = model.scorer()
    praise, complaint = build.probe(scorer)
    sound = complaint < 0.5 < praise
    yield dg.MaterializeResult(
        metadata={
            "model_version": scorer.version,
            "trained": config.data is not None,
            "probe_positive": praise,
            "probe_negative": complaint,
            **_described(read_package(folder).folder),
        },
        data_version=dg.DataVersion(scorer.version),
        check_results=[_check(passed=sound, told=told, changes={})],
    )


def _train(context: dg.AssetExecutionContext, config: SentimentModelConfig, home: Home, data: Path) -> build.Candidate:
    def tell(step: int, steps: int, figures: dict[str, float]) -> None:
        context.log.info("step %s of %s: %s", step, steps, {name: round(value, 4) for name, value in figures.items()})

    try:
        return build.train_candidate(
            Path(config.sources) if config.sources else build.training_config_file(),
            data,
            build.work_folder(home.cache, config.preset, config.seed),
            build.preset(config.preset, config.seed, epochs=config.epochs, learning_rate=config.learning_rate),
            build.start_encoder(config.start, config.preprocessor, home.cache),
            tell,
        )
    except TweetProfilesError as error:
        raise dg.Failure(f"{error}. The current model stays in use.", allow_retries=False) from error


def _check(*, passed: bool, told: list[str], changes: dict[str, float]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=FITNESS_CHECK,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"why": "; ".join(told), "changes": dg.MetadataValue.json(changes)},
    )


def _described(folder: Path) -> dict[str, dg.MetadataValue]:
    """Curves and held-out figures of a model folder, as far as it holds them."""
    curves = read_package(folder).training.get("curves", [])
    shown: dict[str, dg.MetadataValue] = {}
    if curves:
        shown["curves"] = inline_plot(plots.png_bytes(plots.training_curves(curves)), "Loss and accuracy")
        shown["curve_points"] = dg.MetadataValue.json(curves)
    if (folder / REPORT).is_file():
        report = read_report(folder / REPORT)
        shown |= {name: dg.MetadataValue.float(value) for name, value in deciding_values(report).items()}
        shown["held_out"] = table(_report_rows(report))
    return shown


def _report_rows(report: EvaluationReport) -> list[dict[str, object]]:
    return [
        {
            "rows": name,
            "n": entry.rows,
            "polar accuracy": entry.polar_accuracy and entry.polar_accuracy.value,
            "macro recall": entry.macro_recall and entry.macro_recall.value,
            "subjectivity": entry.subjectivity_accuracy and entry.subjectivity_accuracy.value,
            "calibration error": entry.calibration_error,
        }
        for name, entry in {**report.deciding, **report.sources}.items()
    ]

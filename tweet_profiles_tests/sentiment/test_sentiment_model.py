"""The asset sentiment_model: trained from the UI's configuration, judged, put in place or refused."""

import hashlib
import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tweet_profiles.orchestration.assets.sentiment_model import sentiment_model
from tweet_profiles.orchestration.resources import HomeResource, ModelResource
from tweet_profiles.sentiment.package import read_package
from tweet_profiles.sentiment.scoring import load_scorer
from tweet_profiles.settings import project_root
from tweet_profiles_tests.conftest import KEY
from tweet_profiles_tests.sentiment.saved_models import save_encoder, save_preprocessor

pytestmark = pytest.mark.integration

VOCABULARY = project_root() / "models" / "sentiment" / "vocab.txt"
WORDS = {
    "positive": ["love", "great", "happy"],
    "negative": ["terrible", "awful", "sad"],
    "neutral": ["opens", "monday", "station"],
    "subjective": ["beautiful", "moving", "dull"],
    "objective": ["tells", "travels", "meets"],
}


def source(name: str, task: str, label: str) -> str:
    return f'[[source]]\nname="{name}"\npath="{name}.txt"\nformat="lines"\ntask="{task}"\nlabel="{label}"\n'


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain made-up texts of all three tasks, and the starting weights as TF-Hub's SavedModels."""
    folder = tmp_path_factory.mktemp("data")
    config = ""
    for task, labels in (
        ("polarity", ("positive", "negative")),
        ("three", ("positive", "neutral", "negative")),
        ("subjectivity", ("subjective", "objective")),
    ):
        for label in labels:
            name = f"{task}-{label}"
            lines = [
                f"this is {WORDS[label][n % 3]} {task} {n} {WORDS[label][n // 3 % 3]}!"
                for n in range(600 if task == "subjectivity" else 300)
            ]
            if task == "polarity":
                lines += [f"I {WORDS[label][0]} this! {n}" for n in range(30)]
            (folder / f"{name}.txt").write_text("\n".join(lines))
            config += source(name, task, label)
    (folder / "data.toml").write_text(config)
    save_encoder(folder / "encoder", VOCABULARY)
    save_preprocessor(folder / "preprocessor", VOCABULARY)
    return folder


@pytest.fixture
def model_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TWEET_PROFILES_MODEL_DIR", str(tmp_path / "model"))
    monkeypatch.setenv("TWEET_PROFILES_PSEUDONYM_KEY", KEY)
    return tmp_path / "model"


def materialize(tmp_path: Path, config: dict[str, Any]) -> dg.ExecuteInProcessResult:
    home = HomeResource(root=str(tmp_path / "home"))
    return dg.materialize(
        [sentiment_model],
        resources={"home": home, "model": ModelResource(home=home)},
        run_config={"ops": {"sentiment_model": {"config": config}}},
        raise_on_error=False,
    )


def training(data: Path, **more: Any) -> dict[str, Any]:
    return {
        "data": str(data),
        "sources": str(data / "data.toml"),
        "start": str(data / "encoder"),
        "preprocessor": str(data / "preprocessor"),
        "preset": "reference",
        "epochs": 6,
        "learning_rate": 5e-3,
        **more,
    }


def check_of(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def digest(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_a_model_is_trained_judged_and_put_in_place_and_a_worse_one_is_not(
    tmp_path: Path, data: Path, model_folder: Path
) -> None:
    first = materialize(tmp_path, training(data))
    assert first.success and check_of(first).passed
    (event,) = first.asset_materializations_for_node("sentiment_model")
    assert {"curves", "curve_points", "held_out", "polar_accuracy", "macro_recall"} <= set(event.metadata)
    points = event.metadata["curve_points"].value
    assert isinstance(points, list) and points[-1]["accuracy"] > 0.9
    praise, complaint = load_scorer(model_folder).score(["I love this!", "This is terrible."])["sentiment"]
    assert complaint < 0.5 < praise
    assert "preset `reference`".casefold() in (model_folder / "MODEL_CARD.md").read_text().casefold()

    report = model_folder / "evaluation.json"
    better = json.loads(report.read_text())
    better["deciding"]["three"]["macro_recall"]["value"] = 2.0
    report.write_text(json.dumps(better))
    before = digest(model_folder)
    second = materialize(tmp_path, training(data, seed=8))
    assert not second.success and not check_of(second).passed
    assert "macro_recall fell" in str(check_of(second).metadata["why"].value)
    assert digest(model_folder) == before

    better["deciding"]["three"]["macro_recall"]["value"] = 0.0
    report.write_text(json.dumps(better))
    third = materialize(tmp_path, training(data, seed=8))
    assert third.success and check_of(third).passed
    assert read_package(model_folder).training["config"]["seed"] == 8


def test_without_data_the_shipped_model_is_verified_and_its_curves_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEET_PROFILES_PSEUDONYM_KEY", KEY)
    result = materialize(tmp_path, {})
    assert result.success and check_of(result).passed
    (event,) = result.asset_materializations_for_node("sentiment_model")
    assert event.metadata["trained"].value is False
    assert str(event.metadata["curves"].value).startswith("![Loss and accuracy](data:image/png;base64,")


def test_training_data_that_cannot_be_read_stop_the_run_and_leave_the_model(
    tmp_path: Path, data: Path, model_folder: Path
) -> None:
    result = materialize(tmp_path, training(data, sources=str(tmp_path / "none.toml")))
    assert not result.success and not model_folder.exists()
    failure = result.failure_data_for_node("sentiment_model")
    assert failure is not None and "none.toml" in str(failure.user_failure_data)

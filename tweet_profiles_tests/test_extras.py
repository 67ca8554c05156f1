"""An installation without the extras: everything that runs does, and what needs an extra says so in one sentence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tweet_profiles.extras import PACKAGES, MissingExtraError
from tweet_profiles.home import Home
from tweet_profiles.notebooks import run_notebook
from tweet_profiles.sentiment import scoring
from tweet_profiles.sentiment.build import start_encoder
from tweet_profiles.sentiment.scoring import load_scorer

BARE = f"""
import sys
for name in {[name for packages in PACKAGES.values() for name in packages]}:
    sys.modules[name] = None  # importing it fails, as where it is not installed
from tweet_profiles.commands.main import main
main()
"""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process as if no extra were installed."""
    for name in [name for packages in PACKAGES.values() for name in packages]:
        monkeypatch.setitem(sys.modules, name, None)


def run_bare(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", BARE, *arguments], text=True, capture_output=True, timeout=120, check=False
    )


@pytest.mark.integration
def test_texts_are_scored_without_any_extra() -> None:
    done = run_bare("score", "I love it")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] == "positive"


@pytest.mark.integration
def test_training_without_its_packages_is_one_sentence_that_says_what_to_install(tmp_path: Path) -> None:
    done = run_bare("train", "--data", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("tweet-profiles: training needs packages that are not installed (tensorflow, ")
    assert "pip install 'tweet-profiles[train]'" in done.stderr


def test_nothing_is_fetched_for_a_training_that_cannot_run(bare: None, tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match="training needs"):
        start_encoder(None, None, tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_notebook_without_jupyter_is_one_sentence_that_says_what_to_install(bare: None, home: Home) -> None:
    with pytest.raises(MissingExtraError, match=r"nbclient.*pip install 'tweet-profiles\[notebooks\]'"):
        run_notebook("03_reading_segments", home)


def test_serving_by_tensorflow_without_it_says_what_to_install(bare: None) -> None:
    with pytest.raises(MissingExtraError, match="serving by TensorFlow"):
        load_scorer(backend="tensorflow")


def test_a_machine_with_a_gpu_but_without_tensorflow_serves_by_onnx_runtime(
    bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring.Path, "glob", lambda folder, pattern: iter([folder / "nvidia0"]))
    assert load_scorer().version.endswith(("int8", "float32"))

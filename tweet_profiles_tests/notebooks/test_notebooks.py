"""The notebooks run from top to bottom on the demo's data, as an analyst runs them, and are kept without outputs."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tweet_profiles.settings import project_root
from tweet_profiles_tests.conftest import executable

pytestmark = pytest.mark.integration

NOTEBOOKS = sorted((project_root() / "notebooks").glob("*.ipynb"))
PLOTS = {"01_model_training.ipynb": 3, "02_choosing_k.ipynb": 1, "03_reading_segments.ipynb": 2}
LIMIT_S = 240


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which the demo has run over a small sample."""
    home = tmp_path_factory.mktemp("demo") / "home"
    environment = {**os.environ, "TWEET_PROFILES_HOME": str(home)}
    subprocess.run([executable(), "demo", "--tweets", "1500"], check=True, env=environment, capture_output=True)
    yield home.with_name("home_demo")
    subprocess.run([executable(), "--demo", "db", "stop"], check=True, env=environment, capture_output=True)


@pytest.fixture(scope="module")
def executed(demo_home: Path) -> dict[str, Any]:
    """Every notebook after it was run, by file name."""
    done = {}
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(notebook, timeout=LIMIT_S, resources={"metadata": {"path": str(demo_home)}})
        client.execute(env={**os.environ, "TWEET_PROFILES_HOME": str(demo_home)})
        done[path.name] = notebook
    return done


def outputs(notebook: Any) -> Iterator[Any]:
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def text_of(notebook: Any) -> str:
    parts = []
    for output in outputs(notebook):
        parts.append(output.get("text", ""))
        parts += [str(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join(parts)


def test_there_are_three_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS] == list(PLOTS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells and all(not cell.outputs and cell.execution_count is None for cell in cells)


@pytest.mark.parametrize(
    ("name", "plots"), [(path.name, least) for path, least in zip(NOTEBOOKS, (3, 1, 2), strict=True)]
)
def test_a_notebook_shows_its_plots_and_no_warnings(executed: dict[str, Any], name: str, plots: int) -> None:
    pictures = [output for output in outputs(executed[name]) if "image/png" in output.get("data", {})]
    assert len(pictures) >= plots
    assert [output.text for output in outputs(executed[name]) if output.get("name") == "stderr"] == []


def test_the_notebooks_tell_what_they_are_for(executed: dict[str, Any]) -> None:
    assert "are taken for their opposite" in text_of(executed["01_model_training.ipynb"])
    assert "authors, k =" in text_of(executed["02_choosing_k.ipynb"])
    assert "Who they are:" in text_of(executed["03_reading_segments.ipynb"])

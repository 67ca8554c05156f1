"""Running a notebook of `notebooks/` on a home, and keeping what it shows.

What belongs here: execution and rendering. What does not: which notebook is shown where (`assets`), and their tests.
"""

import base64
import os
from dataclasses import dataclass
from pathlib import Path

from tweet_profiles.errors import TweetProfilesError
from tweet_profiles.extras import require
from tweet_profiles.home import Home, write_atomically
from tweet_profiles.settings import project_root

CELL_LIMIT_S = 300


class NotebookError(TweetProfilesError):
    """A notebook is missing, or did not run to its end."""


@dataclass(frozen=True)
class Rendered:
    """An executed notebook: as a page in the home's exports, and as Markdown with its pictures inside, without code."""

    page: Path
    markdown: str


def run_notebook(name: str, home: Home) -> Rendered:
    """Run `notebooks/<name>.ipynb` on a home from top to bottom; the last page stays as it was if that fails.

    Raises:
        NotebookError: naming the notebook and the error that ended it.
        MissingExtraError: if Jupyter is not installed.
    """
    require("notebooks", f"running the notebook {name}")
    # Imported here: Jupyter takes a second, and only this needs it.
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbconvert import HTMLExporter, MarkdownExporter
    from traitlets.config import Config

    source = project_root() / "notebooks" / f"{name}.ipynb"
    if not source.is_file():
        raise NotebookError(f"{source} is not there: run from a checkout of the project")
    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_LIMIT_S, resources={"metadata": {"path": str(home.root)}})
    try:
        client.execute(env={**os.environ, "TWEET_PROFILES_HOME": str(home.root)})
    except CellExecutionError as error:
        raise NotebookError(f"{source.name} stopped with {error.ename}: {error.evalue}") from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise NotebookError(
            f"{source.name} did not end ({type(error).__name__}); a cell may take {CELL_LIMIT_S} s"
        ) from None
    page, _ = HTMLExporter().from_notebook_node(notebook)
    # The Dagster UI shows no HTML inside Markdown: tables go in as text.
    told = Config({"NbConvertBase": {"display_data_priority": ["image/png", "text/markdown", "text/plain"]}})
    text, resources = MarkdownExporter(exclude_input=True, config=told).from_notebook_node(notebook)
    for picture, content in resources["outputs"].items():
        text = text.replace(f"({picture})", f"(data:image/png;base64,{base64.b64encode(content).decode()})")
    kept = write_atomically(home.exports / f"{name}.html", lambda file: file.write(page.encode()))
    return Rendered(kept, text)

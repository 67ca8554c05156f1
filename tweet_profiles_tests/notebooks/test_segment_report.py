"""The notebook that is an asset: run on the current segments, kept as a page, and honest when it cannot be."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tweet_profiles.home import Home
from tweet_profiles.notebooks import NotebookError, run_notebook
from tweet_profiles.orchestration.assets.segment_report import NOTEBOOK, segment_report
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
from tweet_profiles.release.make import make_release
from tweet_profiles.release.store import ReleaseStore
from tweet_profiles_tests.segments.made import KINDS, made_profiles, night, save


def materialized(home: Home) -> "tuple[dg.ExecuteInProcessResult, MongoResource]":
    resource = HomeResource(root=str(home.root))
    mongo = MongoResource(home=resource)
    return dg.materialize([segment_report], resources={"home": resource, "mongo": mongo}, raise_on_error=False), mongo


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    [event] = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data.user_failure_data or event.step_failure_data.error)


def test_the_notebook_is_run_and_kept_as_a_page(home: Home, own_database: str) -> None:
    profiles = made_profiles(300, 61)
    with MongoResource(home=HomeResource(root=str(home.root))).database() as database:
        save(database, profiles)
        version, result = night(database, profiles, k=len(KINDS), k_min=len(KINDS), k_max=len(KINDS))
        release, _ = make_release(database, version, model_version="m1", k=5)
        ReleaseStore(database).switch(release)
    done, _ = materialized(home)
    assert done.success
    told: dict[str, Any] = {
        name: value.value for name, value in done.asset_materializations_for_node("segment_report")[0].metadata.items()
    }
    page = (home.exports / f"{NOTEBOOK}.html").read_text()
    assert told["clustering"] == version and told["page"] == str(home.exports / f"{NOTEBOOK}.html")
    assert all(segment.name in page for segment in result.segments)
    assert page.count("data:image/png;base64,") >= 2
    assert not any(key in page for key in profiles["author_key"])
    assert all(segment.name in told["report"] for segment in result.segments)
    assert told["report"].count("data:image/png;base64,") >= 2 and "import numpy" not in told["report"]
    assert "<style" not in told["report"] and "<table" not in told["report"]


def test_without_a_release_it_is_said_what_to_do_first(home: Home, own_database: str) -> None:
    done, _ = materialized(home)
    assert not done.success and "materialize released_profiles first" in failure_of(done)
    assert list(home.exports.iterdir()) == []


def test_a_notebook_that_stops_is_named_with_its_error_and_the_last_report_stays(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_database: str
) -> None:
    (home.exports / f"{NOTEBOOK}.html").write_text("the last one")
    with pytest.raises(NotebookError, match=rf"{NOTEBOOK}.ipynb stopped with AssertionError: there is no release"):
        run_notebook(NOTEBOOK, home)
    assert (home.exports / f"{NOTEBOOK}.html").read_text() == "the last one"
    with pytest.raises(NotebookError, match=r"nothing.ipynb is not there"):
        run_notebook("nothing", home)

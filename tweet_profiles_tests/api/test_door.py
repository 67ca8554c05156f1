"""The release is the only door: what is shown is stored with it, coarse, and nothing to its left is read."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from tweet_profiles.release.placing import ACCOUNT_FACTS, place_accounts
from tweet_profiles.release.shown import complete_view, read_snapshot
from tweet_profiles.release.store import VIEWS
from tweet_profiles_tests.api.seed import switch, write_release
from tweet_profiles_tests.api.served import Api, served

LEFT_OF_THE_RELEASE = ("clusterings", "segments", "profiles", "scores", "topics")


@pytest.fixture(scope="module")
def api(mongodb_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A served API over one night's release, in a database that holds nothing else."""
    with served(tmp_path_factory.mktemp("door"), mongodb_server, f"test_{uuid4().hex[:12]}") as running:
        switch(running.database, write_release(running.database, 0))
        for name in LEFT_OF_THE_RELEASE:
            running.database.drop_collection(name)
        yield running


def test_the_api_and_the_page_answer_from_releases_alone(api: Api) -> None:
    paths = ["overview", "segments", "segments/0", "segments/0/members", "segments/0/brief", "segments/0/history",
             "clusterings", "clusterings/current", "profiles", "timelines", "/", "/segments/0"]  # fmt: skip
    assert {path: api.get(path, "operator").status for path in paths} == dict.fromkeys(paths, 200)
    placed = api.post("assign", {"accounts": [{"followers": 100.0}, {}]})
    assert placed.status == 200 and len(placed.json()["assignments"]) == 2


def test_what_places_accounts_is_no_finer_than_what_is_shown(api: Api) -> None:
    snapshot = read_snapshot(api.database)
    assert snapshot is not None
    placing = snapshot.placing
    assert placing["segments"] == [segment["segment"] for segment in snapshot.segments]
    assert all(value == round(value, 1) for row in placing["centroids"] for value in row)
    for column in placing["scaler"]:
        for name in ("fill", "low", "high", "mean", "scale", "missing"):
            assert column[name] == float(f"{column[name]:.2g}"), name
    shown = {bar["feature"]: bar["value"] for bar in snapshot.segments[0]["fingerprint"]}
    centre = dict(zip((column["name"] for column in placing["scaler"]), placing["centroids"][0], strict=True))
    assert all(value is None or centre[name] == value for name, value in shown.items())


def test_a_thousand_crafted_questions_place_by_the_released_figures_alone(api: Api) -> None:
    snapshot = read_snapshot(api.database)
    assert snapshot is not None
    random = np.random.default_rng(3)
    names = list(ACCOUNT_FACTS)
    accounts = [
        {name: float(random.choice([0.0, 1e-9, 0.5, 1.0, 10.0 ** random.uniform(0, 9)])) for name in names[:6]}
        for _ in range(1000)
    ]
    for account in accounts:
        for name in account:
            if name.endswith(("_share", "_mean", "_std")):
                account[name] = min(account[name], 1.0)
    answered = api.post("assign", {"accounts": accounts}).json()["assignments"]
    # Whoever has the release can compute every answer: a thousand answers tell no more than it does.
    expected = place_accounts(snapshot.placing, accounts)
    assert [(one["segment"], one["confidence"]) for one in answered] == [(p.segment, p.confidence) for p in expected]


def test_a_release_of_an_earlier_version_gets_what_it_shows_when_the_page_is_served(
    mongodb_server: str, tmp_path: Path
) -> None:
    with served(tmp_path, mongodb_server, f"test_{uuid4().hex[:12]}") as running:
        database = running.database
        switch(database, write_release(database, 0))
        before = read_snapshot(database)
        database.drop_collection(VIEWS)
        assert read_snapshot(database) is None
        complete_view(database)
        complete_view(database)
        assert read_snapshot(database) == before and before is not None

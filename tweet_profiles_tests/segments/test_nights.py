"""From night to night: segments keep who they are, readers see whole versions, and odd data end in a clear answer."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymongo
import pytest
from pymongo.database import Database

from tweet_profiles.segments.features import FeatureMatrix, build_features
from tweet_profiles.segments.pipeline import ClusterConfig, TooFewAuthorsError, cluster
from tweet_profiles.segments.store import SegmentStore
from tweet_profiles_tests.segments.made import KINDS, clustered, made_profiles, night, save

Store = Database[dict[str, Any]]


def test_the_same_authors_give_the_same_segments_and_names_again(database: Store) -> None:
    profiles = made_profiles(800, 1)
    save(database, profiles)
    _, first = night(database, profiles)
    _, second = night(database, profiles)
    assert first.choice.k == second.choice.k == len(KINDS)
    assert (first.segment_of == second.segment_of).all()
    assert [(s.segment, s.name, s.authors) for s in first.segments] == [
        (s.segment, s.name, s.authors) for s in second.segments
    ]
    assert second.moved_authors == 0.0 and not second.matching.births and not second.matching.deaths


def test_with_two_percent_new_authors_segments_keep_their_identity_and_authors_their_segment(database: Store) -> None:
    before = made_profiles(1000, 2)
    after = pd.concat([before, made_profiles(20, 3, first=10**6)], ignore_index=True)
    save(database, after)
    _, first = night(database, before)
    version, second = night(database, after)
    assert {s.segment for s in first.segments} == {s.segment for s in second.segments}
    assert type(second.moved_authors) is float and second.moved_authors <= 0.05  # numpy's own cannot be metadata
    assert {s.segment: s.name for s in first.segments} == {s.segment: s.name for s in second.segments}
    assert len(dict(SegmentStore(database).assignments(version))) == len(after)


_KILLED = """
import sys
import pymongo
from tweet_profiles.segments.store import SegmentStore
from tweet_profiles_tests.segments.made import clustered, made_profiles
client = pymongo.MongoClient(sys.argv[1], tz_aware=True)
store = SegmentStore(client[sys.argv[2]])
profiles = made_profiles(600, 5)
result = clustered(profiles, store, k=4, k_min=4, k_max=4)
if sys.argv[3] == "before the switch":
    store.write_version(result, profiles["author_key"])
    print("written", flush=True)
else:
    whole = store.assign
    def half(version, keys, *columns):
        whole(version, keys[:300], *(column[:300] for column in columns))
        print("half", flush=True)
        sys.stdin.read()
    store.assign = half
    store.write_version(result, profiles["author_key"])
sys.stdin.read()
"""


@pytest.mark.parametrize("moment", ["in the middle of the assignments", "before the switch"])
def test_a_kill_before_the_switch_leaves_readers_on_the_old_version_complete(
    database: Store, mongodb_server: str, moment: str
) -> None:
    profiles = made_profiles(600, 4)
    save(database, profiles)
    version, result = night(database, profiles, k=4, k_min=4, k_max=4)
    run = subprocess.Popen(
        [sys.executable, "-c", _KILLED, mongodb_server, database.name, moment],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert run.stdout is not None and run.stdout.readline().strip() in ("written", "half")
    os.kill(run.pid, signal.SIGKILL)
    run.wait(30)
    store = SegmentStore(database)
    current = store.current()
    assert current is not None and current.version == version
    assert [s["name"] for s in current.segments] == [
        s.name for s in sorted(result.segments, key=lambda s: (-s.authors, s.segment))
    ]
    assigned = dict(store.assignments(version))
    assert [assigned[key] for key in profiles["author_key"]] == result.segment_of.tolist()
    # The next night goes on as if nothing had been.
    following, _ = night(database, profiles, k=4, k_min=4, k_max=4)
    assert store.current_version() == following != version


def test_old_versions_go_with_all_that_belongs_to_them(database: Store) -> None:
    profiles = made_profiles(200, 6)
    save(database, profiles)
    store = SegmentStore(database, keep=2)
    versions = []
    for _ in range(4):
        result = clustered(profiles, store, k=3, k_min=3, k_max=3)
        versions.append(store.write_version(result, profiles["author_key"]))
        store.switch(versions[-1])
        time.sleep(0.01)
    assert {entry["_id"] for entry in database.clusterings.find()} == set(versions[-2:])
    assert set(database.segments.distinct("version")) == set(versions[-2:])
    profile = database.profiles.find_one({})
    assert profile is not None and set(profile["assignments"]) == set(versions[-2:])


def test_an_unfinished_version_cannot_be_switched_to(database: Store) -> None:
    database.clusterings.insert_one({"_id": "half", "complete": False})
    with pytest.raises(ValueError, match="not complete"):
        SegmentStore(database).switch("half")


def test_no_authors_at_all_are_told_how_to_get_some() -> None:
    with pytest.raises(TooFewAuthorsError, match="no profiles yet: import tweets"):
        clustered(made_profiles(4, 7).head(0))


@pytest.mark.parametrize("authors", [1, 4])
def test_too_few_authors_for_one_segment_are_said_so(authors: int) -> None:
    with pytest.raises(TooFewAuthorsError, match=r"fewer authors than the 5 .* collect more tweets"):
        clustered(made_profiles(4, 7).head(authors), k=3)


@pytest.mark.parametrize("k", [6, 9])
def test_a_pinned_k_with_too_few_authors_is_said_so(k: int) -> None:
    with pytest.raises(TooFewAuthorsError, match=f"6 authors .* grouped into {k}: .*, or pin a smaller k"):
        clustered(made_profiles(6, 7), k=k)


def test_authors_who_are_all_alike_are_said_so() -> None:
    one = made_profiles(1, 8)
    alike = pd.concat([one] * 50, ignore_index=True).assign(author_key=[f"{n:032x}" for n in range(50)])
    with pytest.raises(TooFewAuthorsError, match="50 authors with"):
        clustered(alike.astype({"author_key": "string"}))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_finite_is_named(bad: float) -> None:
    profiles = made_profiles(100, 9)
    matrix = build_features(profiles)
    broken = matrix.frame.copy()
    broken.loc[5, "followers"] = bad
    damaged: FeatureMatrix = replace(matrix, frame=broken)
    with pytest.raises(ValueError, match="feature followers holds values that are not finite"):
        cluster(damaged.frame, profiles, matrix.scaler, ClusterConfig())


def test_missing_and_infinite_values_of_profiles_never_reach_the_features() -> None:
    profiles = made_profiles(100, 10)
    profiles.loc[3, "followers"] = np.inf
    profiles.loc[4, "posts"] = np.nan
    matrix = build_features(profiles)
    assert np.isfinite(matrix.frame.drop(columns="author_key").to_numpy(dtype=float)).all()
    assert any("posts" in warning and "median" in warning for warning in matrix.warnings)


def test_a_run_that_fails_overwrites_nothing(database: Store) -> None:
    profiles = made_profiles(200, 11)
    save(database, profiles)
    version, _ = night(database, profiles, k=4, k_min=4, k_max=4)
    before = list(database.clusterings.find().sort("_id", pymongo.ASCENDING))
    with pytest.raises(TooFewAuthorsError):
        night(database, profiles.head(2))
    assert SegmentStore(database).current_version() == version
    assert list(database.clusterings.find().sort("_id", pymongo.ASCENDING)) == before

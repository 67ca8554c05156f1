"""Releases over nights: a new one only where at least k authors changed, so that none of them stands out."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

from tweet_profiles.database.unreleased import note_change, note_held, unreleased_since
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.release.make import make_release, read_grouped, standing_release
from tweet_profiles.release.nights import LONGEST, changed, in_words
from tweet_profiles.release.store import BASIS, Release, ReleaseStore
from tweet_profiles_tests.segments.made import made_profiles, night, save

Store = Database[dict[str, Any]]
K = 5
PROFILES = made_profiles(300, 3)


@given(st.integers(0, 30), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_no_more_authors_are_counted_than_came_left_or_changed(
    same: int, came: int, left: int, other: int, are_alike: bool
) -> None:
    rows = np.zeros(60, np.uint64) if are_alike else np.arange(60, dtype=np.uint64)
    before = np.concatenate([rows[:same], rows[30 : 30 + left], np.arange(100, 100 + other, dtype=np.uint64)])
    now = np.concatenate([rows[:same], rows[40 : 40 + came], np.arange(200, 200 + other, dtype=np.uint64)])
    found = changed(np.sort(before), np.sort(now))
    assert found <= came + left + other
    assert found == other + (abs(came - left) if are_alike else max(came, left))


def first_release(database: Store) -> Release:
    save(database, PROFILES)
    clustering, _ = night(database, PROFILES, k_max=4)
    version, _ = make_release(database, clustering, model_version="m1", k=K)
    return ReleaseStore(database).switch(version)


def standing(database: Store, profiles: pd.DataFrame, **options: Any) -> Release | None:
    """What readers stay on after a night with these profiles, which may be put into other segments than before."""
    clustering, _ = night(database, profiles, k_max=3)
    grouped = read_grouped(database, clustering)
    return standing_release(database, grouped, **{"k": K, "longest": LONGEST, **options})


def without(database: Store, authors: int) -> pd.DataFrame:
    ProfileStore(database).forget(PROFILES["author_key"][:authors])
    return PROFILES[authors:].reset_index(drop=True)


@pytest.mark.parametrize(("gone", "is_made"), [(0, False), (1, False), (K - 1, False), (K, True)])
def test_a_release_is_made_once_k_authors_are_gone_and_not_for_one_who_was_forgotten(
    database: Store, gone: int, is_made: bool
) -> None:
    first = first_release(database)
    assert standing(database, without(database, gone)) == (None if is_made else first)


def test_authors_who_change_count_and_other_segments_do_not(database: Store) -> None:
    first = first_release(database)
    keys = PROFILES["author_key"].tolist()
    for number, author in enumerate(keys[:K]):
        assert standing(database, PROFILES) == first
        database.profiles.update_one({"_id": author}, {"$set": {"tweets_seen": 900 + number}})
    assert standing(database, PROFILES) is None


def test_a_release_that_is_old_enough_or_of_another_k_gives_way_to_any_change(database: Store) -> None:
    first = first_release(database)
    rest = without(database, 1)
    assert standing(database, rest, now=first.created + LONGEST - timedelta(seconds=1)) == first
    assert standing(database, rest, now=first.created + LONGEST) is None
    assert standing(database, rest, longest=timedelta(0)) is None
    assert standing(database, rest, k=K + 1) is None


def test_a_release_of_an_earlier_version_gives_way(database: Store) -> None:
    first_release(database)
    database[BASIS].delete_many({})
    assert standing(database, PROFILES) is None


def test_why_readers_stay_is_told_without_a_count_below_k(database: Store) -> None:
    told = in_words(first_release(database), LONGEST)
    assert "fewer than 5 authors changed" in told and "at the latest from" in told


def test_what_a_night_held_back_is_not_behind(database: Store) -> None:
    release = first_release(database)
    early, later = release.created - timedelta(days=5), release.created
    note_change(database, early)
    note_held(database, later)
    assert unreleased_since(database) == later.replace(microsecond=later.microsecond // 1000 * 1000)

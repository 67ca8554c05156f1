"""Weeks of the timelines over many nights: decided once, when they are over, and the same in every later release."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pymongo.database import Database

from tweet_profiles.profiles.buckets import FIELDS, pack
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.release.make import make_release
from tweet_profiles.release.periods import LATE, PERIODS, close_weeks, published_cells
from tweet_profiles.release.store import ReleaseStore
from tweet_profiles_tests.release.made import MONDAY, K, tweets
from tweet_profiles_tests.segments.made import made_profiles, night, save

Store = Database[dict[str, Any]]
OVER = MONDAY.to_pydatetime() + timedelta(days=7) + LATE


def some(authors: int, segment: int = 1, mood: float = 0.2, week: int = 0) -> list[tuple[int, int, int, bool, float]]:
    return [(100 * segment + author, segment, 7 * week, True, mood) for author in range(authors)]


@pytest.mark.parametrize(("now", "weeks"), [(OVER - timedelta(seconds=1), 0), (OVER, 1)])
def test_a_week_is_published_when_it_is_over_and_late_tweets_had_their_time(
    database: Store, now: datetime, weeks: int
) -> None:
    close_weeks(database, tweets(some(8)), K, now, LATE)
    assert len(published_cells(database, K)) == 2 * weeks and database[PERIODS].count_documents({}) == weeks


def test_a_published_week_stays_whatever_comes_late_is_scored_or_grouped_anew_or_forgotten(database: Store) -> None:
    close_weeks(database, tweets(some(8) + some(9, 2)), K, OVER, LATE)
    before = published_cells(database, K)
    assert {row["segment"]: row["authors"] for row in before} == {None: 17, 1: 8, 2: 9}
    for later in (some(8), some(30), some(8, 3, 0.9) + some(9, 2), some(8) + some(7, 1, 0.2, week=1)):
        close_weeks(database, tweets(later), K, OVER + timedelta(days=6), LATE)
        assert published_cells(database, K) == before


def test_a_week_of_too_few_authors_is_decided_too_and_does_not_appear_with_the_one_who_makes_them_enough(
    database: Store,
) -> None:
    close_weeks(database, tweets(some(K - 1)), K, OVER, LATE)
    close_weeks(database, tweets(some(K)), K, OVER, LATE)
    assert published_cells(database, K) == []


def test_all_weeks_of_past_years_are_published_at_the_first_release(database: Store) -> None:
    years = [tweet for week in range(150) for tweet in some(6, week=week)]
    now = MONDAY.to_pydatetime() + timedelta(weeks=150, days=1)
    close_weeks(database, tweets(years), K, now, LATE)
    days = {row["day"] for row in published_cells(database, K)}
    # The last of the weeks is over, but late tweets have not had their time.
    assert len(days) == 149 and max(days) == MONDAY.to_pydatetime() + timedelta(weeks=148)


def test_weeks_that_were_decided_with_fewer_authors_than_are_asked_now_are_not_shown(database: Store) -> None:
    close_weeks(database, tweets(some(8)), K, OVER, LATE)
    assert published_cells(database, K + 1) == [] and published_cells(database, K) != []


def with_tweets(database: Store, profiles: pd.DataFrame, days: int, mood: float) -> None:
    """Give each author a tweet on each of some days from Monday on."""
    rows: dict[str, Any] = dict.fromkeys(FIELDS)
    first = int(MONDAY.timestamp()) // 3600
    database.scores.delete_many({})
    for number, author in enumerate(profiles["author_key"]):
        made = [
            [*({**rows, "tweet_key": f"{number * 100 + day:032x}", "order": "1", "created_hour": first + 24 * day,
                "sentiment": mood, "label": "positive", "topics": []}).values()]
            for day in range(days)
        ]  # fmt: skip
        database.scores.insert_one({"_id": author, "writes": 1, "tweets": pack(made)})


def test_later_releases_show_the_same_past_and_a_new_week_beside_it(database: Store) -> None:
    profiles = made_profiles(300, 3)
    save(database, profiles)
    store = ReleaseStore(database)

    def release(now: datetime) -> list[dict[str, Any]]:
        clustering, _ = night(database, profiles, k_max=4)
        version, _ = make_release(database, clustering, model_version="m1", k=K, now=now)
        store.switch(version)
        hidden = {"_id": 0, "release": 0}
        return list(database.timelines.find({"release": version}, hidden).sort("_id", 1))

    with_tweets(database, profiles, 10, 0.9)
    first = release(OVER)
    assert {row["day"] for row in first} == {MONDAY.to_pydatetime() + timedelta(days=day) for day in range(7)}
    assert [row["authors"] for row in first if row["segment"] is None] == [300] * 7
    with_tweets(database, profiles, 10, 0.1)
    ProfileStore(database).forget(profiles["author_key"][:40])
    profiles = profiles[40:].reset_index(drop=True)
    second = release(OVER + timedelta(days=7))
    assert [row for row in second if row["day"] < OVER - timedelta(days=2)] == first
    new = [row for row in second if row not in first]
    assert {(row["authors"], row["sentiment_mean"]) for row in new if row["segment"] is None} == {(260, 0.1)}


def test_the_times_of_cells_are_days_in_utc(database: Store) -> None:
    close_weeks(database, tweets(some(8)), K, OVER, LATE)
    (row, _) = published_cells(database, K)
    assert row["day"] == datetime(2026, 3, 2, tzinfo=UTC) and not np.isnan(row["sentiment_mean"])

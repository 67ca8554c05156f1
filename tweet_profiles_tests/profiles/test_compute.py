"""What the numbers of a profile mean: own words and passed-on ones, and what nobody told."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from pymongo.database import Database

from tweet_profiles.contracts import SCORED_TWEETS, USER_PROFILES
from tweet_profiles.profiles.buckets import rows_of, score_frame
from tweet_profiles.profiles.compute import profiles_of
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.tables import read_table, write_table
from tweet_profiles_tests.profiles.made import scored_rows
from tweet_profiles_tests.profiles.scratch import START, frame, key, row

WITHOUT = {"sentiment": None, "subjectivity": None, "label": None}


def profile(*rows: Any) -> Any:
    """The profile of the one author of these tweets."""
    return profiles_of(score_frame({key("a", 1): rows_of(frame(list(rows)), "b1")})).iloc[0]


def test_what_somebody_passed_on_is_not_their_opinion() -> None:
    own = row(0, 1, sentiment=0.1, is_retweet=False, has_link=True, likes=2)
    passed = [
        row(n, 1, sentiment=0.9, is_retweet=True, has_link=False, likes=900, retweets_collected=True)
        for n in range(1, 10)
    ]
    found = profile(own | {"retweets_collected": True}, *passed)
    assert (found["tweets_seen"], found["tweets_own"], found["tweets_passed_on"], found["tweets_scored"]) == (
        10,
        1,
        9,
        1,
    )
    assert found["sentiment_mean"] == 0.1 and found["negative_share"] == 1 and found["positive_share"] == 0
    assert found["passed_on_positive_share"] == 1 and found["passed_on_negative_share"] == 0
    assert found["retweet_share"] == 0.9
    assert found["link_share"] == 1 and found["likes_per_tweet"] == 2


def test_of_somebody_who_only_passes_on_no_mood_is_known() -> None:
    found = profile(row(1, 1, is_retweet=True, sentiment=0.9), row(2, 1, is_retweet=True, sentiment=0.1))
    moods = [
        "sentiment_mean",
        "sentiment_std",
        "sentiment_trend",
        "positive_share",
        "subjectivity_mean",
        "subjectivity_std",
    ]
    assert found[moods].isna().all()
    assert found["passed_on_positive_share"] == 0.5 and found["retweet_share"] == 1


@pytest.mark.parametrize(("collected", "share"), [(True, 0.0), (False, None), (None, None)])
def test_where_retweets_are_not_collected_nobody_knows_their_share(collected: bool | None, share: float | None) -> None:
    found = profile(row(1, 1, is_retweet=False, retweets_collected=collected))["retweet_share"]
    assert pd.isna(found) if share is None else found == share


def test_a_tweet_that_nobody_called_a_retweet_is_own() -> None:
    assert profile(row(1, 1))["tweets_own"] == 1


def test_what_has_no_score_is_counted_by_why_and_changes_no_mood() -> None:
    found = profile(
        row(1, 1, sentiment=0.8, lang="en"),
        row(2, 1, lang="es", not_scored="language") | WITHOUT,
        row(3, 1, not_scored="language") | WITHOUT,
        row(4, 1, not_scored="no text", lang="en") | WITHOUT,
        row(5, 1, not_scored="language", lang="tr", is_retweet=True) | WITHOUT,
    )
    assert found["not_scored"] == {"es": 1, "no text": 1, "unknown language": 1}
    assert (found["tweets_own"], found["tweets_scored"], found["sentiment_mean"]) == (4, 1, 0.8)
    assert found["languages"] == {"en": 2, "es": 1, "tr": 1}
    assert pd.isna(found["passed_on_positive_share"])


def test_a_day_without_an_hour_is_no_midnight() -> None:
    day = START.floor("D")
    found = profile(
        row(1, 1, has_hour=False) | {"created_hour": day},
        row(2, 1) | {"created_hour": day + pd.Timedelta(hours=9)},
    )
    assert found["hours"][9] == 1 and sum(found["hours"]) == 1
    assert found["first_seen"] == found["last_seen"] == day


def test_the_trend_is_of_own_words_and_ends_with_the_last_of_them() -> None:
    def at(tweet: int, days: int, sentiment: float, **more: Any) -> Any:
        return row(tweet, 1, sentiment=sentiment, **more) | {"created_hour": START + pd.Timedelta(days=days)}

    found = profile(at(1, 0, 0.2), at(2, 40, 0.8), at(3, 41, 0.0, is_retweet=True), at(4, 100, 0.0, is_retweet=True))
    assert found["sentiment_trend"] == pytest.approx(0.6)


def test_a_later_version_of_a_tweet_tells_nothing_later_of_its_author() -> None:
    edited = row(1, 1, observed=10, version=2, followers=5)
    newer = row(2, 1, observed=90, followers=500)
    assert profile(edited, newer)["followers"] == 500


@settings(max_examples=60, deadline=None)
@given(rows=scored_rows())
def test_whatever_a_scored_tweet_may_be_its_authors_have_profiles(rows: list[Any]) -> None:
    stored: dict[str, list[Any]] = {}
    with TemporaryDirectory() as folder:
        path = write_table(Path(folder) / "t.parquet", frame(rows))
        table = SCORED_TWEETS.validate(read_table(path, SCORED_TWEETS, "scored_tweets"))
    for author, kept in zip(table["author_key"], rows_of(table, "b1"), strict=True):
        stored.setdefault(author, []).append(kept)
    made = profiles_of(score_frame(stored))
    profiles = made[list(USER_PROFILES.columns)]
    USER_PROFILES.validate(profiles)
    assert profiles["tweets_seen"].sum() == len(rows)
    assert (profiles["tweets_own"] + profiles["tweets_passed_on"] == profiles["tweets_seen"]).all()
    unscored = profiles["not_scored"].map(lambda counts: sum(counts.values()))
    assert (profiles["tweets_scored"] + unscored == profiles["tweets_own"]).all()
    assert (profiles["sentiment_mean"].isna() == (profiles["tweets_scored"] == 0)).all()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=scored_rows())
def test_whatever_a_scored_tweet_may_be_the_database_takes_it_and_gives_it_back(
    database: Database[dict[str, Any]], rows: list[Any]
) -> None:
    store = ProfileStore(database)
    for name in ("scores", "profiles", "topics", "state"):
        database.drop_collection(name)
    store.prepare()
    table = frame(rows)
    done = store.fold(table, "20260101T000000000000Z-import")
    assert done.tweets_new == len(rows)
    profiles = USER_PROFILES.validate(store.frame())
    assert profiles["author_key"].tolist() == sorted(set(table["author_key"]))
    kept = [one for _, bucket in store.buckets() for one in bucket.rows]
    assert sorted(map(str, kept)) == sorted(map(str, rows_of(table, "20260101T000000000000Z-import")))

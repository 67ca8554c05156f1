"""All scores of an author as one document: what merging promises, and the way there from one document a tweet."""

import random
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.profiles import buckets
from tweet_profiles.profiles.buckets import CREATED, FIELDS, TWEET, merge, pack, rows_of, score_frame, unpack
from tweet_profiles.profiles.schema import SCHEMA_VERSION
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles_tests.profiles.scratch import frame, key, row


def observation(tweet: int, hour: int, sentiment: float) -> list[Any]:
    """A row of which only what merging looks at is told."""
    told = {"tweet_key": key("1", tweet), "order": f"{hour:010d}/b/00000000", "created_hour": tweet % 5}
    return [told.get(name, sentiment if name == "sentiment" else None) for name in FIELDS]


# One observation of a tweet has one time and one score here: of two at the same time, the last one given counts.
OBSERVATIONS = st.dictionaries(st.tuples(st.integers(0, 12), st.integers(0, 3)), st.integers(0, 9), max_size=20).map(
    lambda found: [observation(tweet, hour, score / 10) for (tweet, hour), score in found.items()]
)


@given(OBSERVATIONS, st.randoms(use_true_random=False), st.integers(0, 20))
def test_rows_end_alike_however_observations_arrive_and_however_often(rows: Any, draw: Any, cut: int) -> None:
    at_once, _ = merge([], rows)
    shuffled = draw.sample(rows, len(rows))
    in_two, _ = merge(merge([], shuffled[:cut])[0], shuffled[cut:])
    again, outcomes = merge(in_two, draw.sample(rows, len(rows)))
    assert at_once == in_two == again
    assert set(outcomes) <= {"known"}


@given(OBSERVATIONS, st.randoms(use_true_random=False), st.integers(1, 6))
def test_of_too_many_tweets_the_newest_stay_however_they_arrive(rows: Any, draw: Any, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "MOST_TWEETS", most)
        kept: list[Any] = []
        for one in draw.sample(rows, len(rows)):
            kept, _ = merge(kept, [one])
    everything, _ = merge([], rows)
    assert kept == everything[-most:]
    assert [one[CREATED] for one in kept] == sorted(one[CREATED] for one in kept)


def test_packed_scores_are_read_back_as_they_were() -> None:
    table = frame(
        [row(1, 1, likes=3, lang="en", verified=True, account_created_month=pd.Timestamp("2015-03-01", tz="UTC")),
         row(2, 1, sentiment=0.1234, topics=[key("f", 1)], topic_names=["oats"], is_retweet=True)]
    )  # fmt: skip
    rows = rows_of(table, "b1")
    assert unpack({"tweets": pack(rows)}) == rows
    scores = score_frame({key("a", 1): rows})
    assert set(scores["author_key"]) == {key("a", 1)}
    for name in set(FIELDS) - {"order", "topics"}:
        assert (
            scores[name].astype(object).where(scores[name].notna(), None).tolist()
            == (
                table[name].astype("float64").round(4)
                if name in ("sentiment", "subjectivity")
                else table[name].astype(object).where(table[name].notna(), None)
            ).tolist()
        )
    assert scores["topics"].tolist() == [[], [key("f", 1)]]


def old_score(tweet: int, author: int, writes: int, likes: int) -> dict[str, Any]:
    """A score as schema version 1 kept it."""
    return {
        "_id": key("1", tweet), "author": key("a", author), "order": f"2026010100/b1/{tweet:08d}", "writes": writes,
        "created_hour": datetime(2026, 1, tweet, tzinfo=UTC), "sentiment": 0.5, "subjectivity": 0.25,
        "label": "neutral", "likes": likes, "topics": [],
    }  # fmt: skip


def test_a_database_of_one_document_a_tweet_becomes_one_of_buckets_and_is_migrated_once(
    database: Database[dict[str, Any]],
) -> None:
    database.scores.create_index("author")
    database.scores.insert_many([old_score(1, 1, 2, 3), old_score(2, 1, 1, 5), old_score(3, 2, 1, 7)])
    # A migration that was killed had made one bucket already.
    half = merge([], [buckets.row_of_version_1(old_score(3, 2, 1, 7))])[0]
    database.scores.insert_one({"_id": key("a", 2), "writes": 1, "tweets": pack(half)})
    database.state.insert_one({"_id": "schema", "version": 1})
    store = ProfileStore(database)
    store.prepare()
    stored = dict(store.buckets())
    assert {author: bucket.writes for author, bucket in stored.items()} == {key("a", 1): 3, key("a", 2): 1}
    assert [one[TWEET] for one in stored[key("a", 1)].rows] == [key("1", 1), key("1", 2)]
    assert store.status()["schema_version"] == SCHEMA_VERSION
    store.recompute(sorted(stored))
    assert store.frame()["likes_per_tweet"].tolist() == [4, 7]
    store.prepare()
    assert dict(store.buckets()) == stored


def test_a_tweet_is_forgotten_and_its_author_with_the_last_one(database: Database[dict[str, Any]]) -> None:
    store = ProfileStore(database)
    store.prepare()
    store.fold(frame([row(1, 1, likes=1), row(2, 1, likes=5), row(3, 2), row(4, 3)]), "b1")
    assert store.forget_tweets({key("1", 1), key("1", 3)}) == (1, 1)
    assert store.frame()["author_key"].tolist() == [key("a", 1), key("a", 3)]
    assert store.frame()["likes_per_tweet"].tolist()[0] == 5
    # What comes later still counts.
    store.fold(frame([row(5, 1, likes=15)]), "b2")
    assert store.frame()["likes_per_tweet"].tolist()[0] == 10


def test_a_replay_writes_nothing(database: Database[dict[str, Any]]) -> None:
    store = ProfileStore(database)
    store.prepare()
    draw = random.Random(5)
    batch = frame([row(number, number % 7, sentiment=round(draw.random(), 4)) for number in range(40)])
    store.fold(batch, "b1")
    before = [list(database[name].find().sort("_id", 1)) for name in ("scores", "profiles")]
    again = store.fold(batch, "b1")
    assert (again.tweets_known, again.created, again.updated, again.unchanged) == (40, 0, 0, 7)
    assert [list(database[name].find().sort("_id", 1)) for name in ("scores", "profiles")] == before
    assert set(batch.columns) == set(SCORED_TWEETS.columns)

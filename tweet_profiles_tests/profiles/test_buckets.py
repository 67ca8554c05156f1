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
    assert store.frame()["likes_per_tweet"].tolist() == [4, 7]
    store.prepare()
    assert dict(store.buckets()) == stored


OLD_FIELDS = FIELDS[: FIELDS.index("has_hour")]


def as_version_2(database: Database[dict[str, Any]]) -> None:
    """Make of a folded database one that schema version 2 could have left."""
    for bucket in list(database.scores.find()):
        rows = [one[: len(OLD_FIELDS)] for one in unpack(bucket)]
        database.scores.replace_one({"_id": bucket["_id"]}, {**bucket, "tweets": pack(rows)})
    added = ["tweets_own", "tweets_passed_on", "tweets_scored", "not_scored", "retweet_share"]
    database.command("collMod", "profiles", validator={})
    database.profiles.update_many({}, {"$unset": dict.fromkeys(added, ""), "$set": {"schema_version": 2}})
    database.state.update_one({"_id": "schema"}, {"$set": {"version": 2}})


def test_stored_scores_get_the_fields_that_came_since_and_every_profile_is_computed_anew(
    database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ProfileStore(database)
    store.prepare()
    store.fold(frame([row(n, n % 9, likes=n, is_retweet=n % 4 == 0, lang="en") for n in range(60)]), "b1")
    database.profiles.update_many({}, {"$set": {"assignments.v1": {"segment": 4}}})
    wanted, buckets_before = store.frame(), dict(store.buckets())
    as_version_2(database)
    # Killed when some buckets are filled up, and again when all are and some profiles are computed.
    for dies_at in (4, 11):
        seen: list[str] = []

        def dying(one: Any, seen: list[str] = seen, dies_at: int = dies_at) -> Any:
            seen.append(one[TWEET])
            if len(seen) > dies_at * 6:
                raise KeyboardInterrupt
            return buckets.row_of_version_2(one)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("tweet_profiles.profiles.schema.row_of_version_2", dying)
            patch.setattr(ProfileStore, "recompute", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            store.prepare()
        assert store.status()["schema_version"] == 2
    store.prepare()
    assert store.status()["schema_version"] == SCHEMA_VERSION
    pd.testing.assert_frame_equal(store.frame(), wanted)
    assert {author: bucket.rows for author, bucket in store.buckets()} == {
        author: bucket.rows for author, bucket in buckets_before.items()
    }
    assert database.profiles.count_documents({"assignments.v1.segment": 4}) == 9
    stored = list(database.profiles.find().sort("_id", 1))
    store.prepare()
    assert list(database.profiles.find().sort("_id", 1)) == stored


def test_a_stored_language_that_says_none_is_forgotten_on_the_way() -> None:
    old = [*rows_of(frame([row(1, 1, lang="en")]), "b1")[0][: len(OLD_FIELDS)]]
    for told, kept in (("qme", None), ("und", None), ("in", "id"), ("en", "en")):
        old[FIELDS.index("lang")] = told
        new = buckets.row_of_version_2(old)
        assert len(new) == len(FIELDS) and new[FIELDS.index("lang")] == kept
        assert new[FIELDS.index("has_hour")] is True
        assert buckets.row_of_version_2(new) == new


def test_the_later_version_of_an_edited_tweet_wins_whatever_the_time_and_the_batch(
    database: Database[dict[str, Any]],
) -> None:
    store = ProfileStore(database)
    store.prepare()
    versions = [(1, 0.1, 90), (2, 0.5, 10), (10, 0.9, 50), (9, 0.3, 95)]
    for number in (2, 0, 3, 1):
        version, sentiment, observed = versions[number]
        store.fold(frame([row(1, 1, sentiment=sentiment, observed=observed) | {"version": version}]), f"b{number}")
    found = store.frame().iloc[0]
    assert (found["tweets_seen"], found["sentiment_mean"]) == (1, 0.9)


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

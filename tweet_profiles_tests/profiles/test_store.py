"""The profile store on a real server: exactly once, whatever happens in whatever order."""

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pymongo.database import Database

from tweet_profiles.contracts import SCORED_TWEETS, USER_PROFILES
from tweet_profiles.errors import DatabaseError
from tweet_profiles.profiles.schema import SCHEMA_VERSION
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.tables import read_table, write_table
from tweet_profiles_tests.profiles.kills import load_and_kill
from tweet_profiles_tests.profiles.scratch import HOUR, START, assert_profiles, expected, frame, key, row
from tweet_profiles_tests.servers import local_database

Store = Database[dict[str, Any]]


def test_a_profile_is_created_if_new_and_updated_if_known(database: Store) -> None:
    store = ProfileStore(database)
    store.prepare()
    first = store.fold(frame([row(1, 1, sentiment=0.9), row(2, 2)]), "b1")
    second = store.fold(frame([row(3, 1, sentiment=0.1)]), "b2")
    assert (first.created, first.updated) == (2, 0) and (second.created, second.updated) == (0, 1)
    profiles = USER_PROFILES.validate(store.frame()).set_index("author_key")
    assert profiles.loc[key("a", 1), "tweets_seen"] == 2
    assert profiles.loc[key("a", 1), "sentiment_mean"] == 0.5


def test_an_older_account_never_overwrites_a_newer_one(database: Store) -> None:
    store = ProfileStore(database)
    store.prepare()
    store.fold(frame([row(1, 1, observed=50, followers=500, verified=True)]), "b1")
    store.fold(frame([row(2, 1, observed=10, followers=5, verified=False)]), "b2")
    profile = store.frame().iloc[0]
    assert profile["followers"] == 500 and profile["verified"]


def test_later_metrics_of_a_tweet_replace_earlier_ones_and_not_the_other_way(database: Store) -> None:
    store = ProfileStore(database)
    store.prepare()
    store.fold(frame([row(1, 1, observed=10, likes=1)]), "b1")
    assert store.fold(frame([row(1, 1, observed=20, likes=9)]), "b2").tweets_replaced == 1
    assert store.fold(frame([row(1, 1, observed=15, likes=4)]), "b3").tweets_known == 1
    assert store.frame().iloc[0]["likes_per_tweet"] == 9


def test_scoring_a_batch_with_a_new_model_replaces_its_scores(database: Store) -> None:
    store = ProfileStore(database)
    store.prepare()
    store.fold(frame([row(1, 1, sentiment=0.2)]), "b1")
    store.fold(frame([row(1, 1, sentiment=0.8)]), "b1")
    assert store.frame().iloc[0]["sentiment_mean"] == 0.8


def test_what_is_missing_stays_missing_and_what_went_missing_goes(database: Store) -> None:
    store = ProfileStore(database)
    store.prepare()
    store.fold(frame([row(1, 1, observed=1, likes=3)]), "b1")
    store.fold(frame([row(1, 1, observed=2)]), "b2")
    profile = store.frame().iloc[0]
    assert np.isnan(profile["likes_per_tweet"]) and np.isnan(profile["followers"])
    assert profile["verified"] is pd.NA


def test_folding_keeps_the_segment_of_an_author(database: Store) -> None:
    store = ProfileStore(database)
    store.prepare()
    store.fold(frame([row(1, 1)]), "b1")
    database.profiles.update_one({}, {"$set": {"assignments.v1": {"segment": 4}}})
    store.fold(frame([row(2, 1)]), "b2")
    assert database.profiles.find_one()["assignments"]["v1"]["segment"] == 4  # type: ignore[index]


def test_the_validators_refuse_a_text_and_a_number_out_of_range(database: Store) -> None:
    store = ProfileStore(database)
    store.prepare()
    store.fold(frame([row(1, 1)]), "b1")
    bucket = database.scores.find_one()
    profile = database.profiles.find_one()
    assert bucket is not None and profile is not None
    for collection, document in (
        ("scores", {**bucket, "_id": key("a", 2), "text": "hello"}),
        ("scores", {**bucket, "_id": key("a", 2), "tweets": bucket["tweets"].replace('"neutral"', '"hello you"')}),
        ("profiles", {**profile, "_id": key("a", 2), "sentiment_mean": 1.5}),
        ("profiles", {**profile, "_id": "not a pseudonym"}),
    ):
        with pytest.raises(Exception, match=r"(?i)valid"):
            database[collection].insert_one(document)


def test_preparing_twice_changes_nothing_and_a_newer_schema_is_refused(database: Store) -> None:
    store = ProfileStore(database)
    store.prepare()
    store.prepare()
    assert store.status()["schema_version"] == SCHEMA_VERSION
    database.state.update_one({"_id": "schema"}, {"$set": {"version": SCHEMA_VERSION + 1}})
    with pytest.raises(DatabaseError, match="upgrade tweet_profiles"):
        store.prepare()


def test_forgotten_authors_leave_nothing(database: Store) -> None:
    store = ProfileStore(database)
    store.prepare()
    store.fold(frame([row(1, 1), row(2, 2), row(3, 1)]), "b1")
    assert store.forget([key("a", 1)]) == 1
    assert database.scores.count_documents({"_id": key("a", 1)}) == 0
    assert store.frame()["author_key"].tolist() == [key("a", 2)]


class Folding(RuleBasedStateMachine):
    """Any sequence of batches, replays, overlaps, later metrics, new scores, crashes and runs at the same time."""

    # A Database answers to any attribute, which hypothesis looks for on everything it finds: hidden in a function.
    open_database: Callable[[], Store]

    @initialize()
    def empty(self) -> None:
        for name in ("scores", "profiles", "topics", "state"):
            self.open_database().drop_collection(name)
        self.store = ProfileStore(self.open_database())
        self.store.prepare()
        self.batches: dict[str, list[Any]] = {}
        self.stored: dict[int, tuple[tuple[int, str, int], Any]] = {}
        self.unfinished: str | None = None

    def remember(self, name: str) -> None:
        for entry in self.batches[name]:
            tweet = entry["tweet_key"]
            order = (int((entry["observed_hour"] - START) / HOUR), name, entry["position"])
            if tweet not in self.stored or order >= self.stored[tweet][0]:
                self.stored[tweet] = (order, entry)

    def fold(self, name: str) -> None:
        self.store.fold(frame(self.batches[name]), name)
        self.remember(name)

    @rule(
        tweets=st.lists(st.integers(0, 25), min_size=1, max_size=12, unique=True),
        observed=st.integers(0, 5),
        draw=st.randoms(use_true_random=False),
    )
    def a_batch(self, tweets: list[int], observed: int, draw: random.Random) -> None:
        name = f"b{len(self.batches):04d}"
        self.batches[name] = [
            row(
                tweet,
                tweet % 6,
                observed=observed,
                position=position,
                sentiment=round(draw.random(), 4),
                likes=draw.choice([None, 0, 3, 8]),
                followers=draw.choice([None, 10, 100]),
            )
            for position, tweet in enumerate(tweets)
        ]
        self.fold(name)

    @rule(draw=st.randoms(use_true_random=False))
    def a_replay(self, draw: random.Random) -> None:
        if self.batches:
            self.fold(draw.choice(sorted(self.batches)))

    @rule(draw=st.randoms(use_true_random=False))
    def a_new_model(self, draw: random.Random) -> None:
        if self.batches:
            name = draw.choice(sorted(self.batches))
            for entry in self.batches[name]:
                anew = row(0, 0, sentiment=round(draw.random(), 4))
                entry.update({field: anew[field] for field in ("sentiment", "subjectivity", "label")})
            self.fold(name)

    @rule(draw=st.randoms(use_true_random=False))
    def a_crash_between_scores_and_profiles(self, draw: random.Random) -> None:
        if self.batches:
            name = draw.choice(sorted(self.batches))
            crashing = ProfileStore(self.open_database())
            crashing._write_profiles = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
            with pytest.raises(KeyboardInterrupt):
                crashing.fold(frame(self.batches[name]), name)
            self.fold(name)

    @rule(draw=st.randoms(use_true_random=False))
    def two_runs_at_once(self, draw: random.Random) -> None:
        if len(self.batches) > 1:
            names = draw.sample(sorted(self.batches), 2)
            runs = [
                threading.Thread(target=ProfileStore(self.open_database()).fold, args=(frame(self.batches[name]), name))
                for name in names
            ]
            for run in runs:
                run.start()
            for run in runs:
                run.join()
            for name in names:
                self.remember(name)

    @invariant()
    def profiles_are_those_computed_from_scratch(self) -> None:
        if hasattr(self, "store"):
            assert_profiles(self.store, expected(self.stored))


def test_whatever_happens_profiles_are_those_computed_from_scratch(database: Store) -> None:
    machine = type("Machine", (Folding,), {"open_database": staticmethod(lambda: database)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.integration
def test_killing_the_run_or_the_database_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    ledger = load_and_kill(tmp_path, tweets=3_000, authors=400, batches=12, kills=8, longest_s=0.5, seed=11)
    assert ledger.unfinished >= 4, "kills that came too late show nothing"
    assert ledger.is_clean, ledger


@pytest.mark.integration
def test_a_database_that_stays_away_is_named_after_the_patience(tmp_path: Path) -> None:
    import pymongo

    with local_database(tmp_path / "home") as server:
        client: pymongo.MongoClient[Any] = pymongo.MongoClient(
            server.ensure(), tz_aware=True, serverSelectionTimeoutMS=300
        )
        store = ProfileStore(client["gone"], patience_s=1)
        store.prepare()
        server.stop()
        with pytest.raises(DatabaseError, match="was lost for more than 1 s"):
            store.fold(frame([row(1, 1)]), "b1")
        server.ensure()
        # The same port is taken again, so that the same client goes on.
        assert store.fold(frame([row(1, 1)]), "b1").created == 1
        client.close()


def test_written_tables_are_read_back_with_their_types(tmp_path: Path) -> None:
    table = frame([row(1, 1, likes=3), row(2, 2)])
    path = write_table(tmp_path / "t.parquet", table)
    pd.testing.assert_frame_equal(
        read_table(path, SCORED_TWEETS, "scored_tweets").drop(columns=["topics", "topic_names"]),
        table.drop(columns=["topics", "topic_names"]),
    )

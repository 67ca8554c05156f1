"""The profile store on a real server: exactly once, whatever happens in whatever order."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
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
from tweet_profiles_tests.servers import local_database

Store = Database[dict[str, Any]]
HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2026-01-01", tz="UTC")


def key(kind: str, number: int) -> str:
    return f"{kind}{number:031x}"


def row(tweet: int, author: int, *, observed: int = 100, sentiment: float = 0.5, position: int = 0, **more: Any) -> Any:
    """One scored tweet; what is not given is missing."""
    return {
        "tweet_key": key("1", tweet),
        "author_key": key("a", author),
        "created_hour": START + tweet % 50 * 30 * HOUR,
        "observed_hour": START + observed * HOUR,
        "position": position,
        "sentiment": sentiment,
        "subjectivity": round(1 - sentiment, 4),
        "label": "positive" if sentiment > 0.6 else "negative" if sentiment < 0.4 else "neutral",
        "topics": [],
        "topic_names": [],
        **more,
    }


def frame(rows: list[Any]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    for name in SCORED_TWEETS.columns:
        if name not in table:
            table[name] = None
    types = {name: column.dtype.type for name, column in SCORED_TWEETS.columns.items()}
    return SCORED_TWEETS.validate(table[list(SCORED_TWEETS.columns)].astype(types))


def expected(observations: dict[int, tuple[tuple[int, str, int], Any]]) -> dict[str, dict[str, float]]:
    """Profiles from scratch, in plain Python, of the latest observation of each tweet."""
    by_author: dict[str, list[tuple[tuple[int, str, int], Any]]] = {}
    for order, entry in observations.values():
        by_author.setdefault(entry["author_key"], []).append((order, entry))
    result = {}
    for author, entries in by_author.items():
        sentiments = [entry["sentiment"] for _, entry in entries]
        likes = [entry["likes"] for _, entry in entries if entry.get("likes") is not None]
        newest_last = sorted(entries, key=lambda pair: (pair[0], pair[1]["tweet_key"]))
        followers = [entry["followers"] for _, entry in newest_last if entry.get("followers") is not None]
        result[author] = {
            "tweets_seen": len(entries),
            "sentiment_mean": float(np.mean(sentiments)),
            "sentiment_std": float(np.std(sentiments)),
            "positive_share": float(np.mean([value > 0.6 for value in sentiments])),
            "likes_per_tweet": float(np.mean(likes)) if likes else float("nan"),
            "followers": float(followers[-1]) if followers else float("nan"),
        }
    return result


def assert_profiles(store: ProfileStore, wanted: dict[str, dict[str, float]]) -> None:
    got = store.frame().set_index("author_key")
    assert set(got.index) == set(wanted)
    for author, numbers in wanted.items():
        for name, value in numbers.items():
            assert got.loc[author, name] == pytest.approx(value, abs=2e-6, nan_ok=True), (author, name)


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


_FOLDER = """
import sys
from pathlib import Path
import pymongo
from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.tables import read_table
client = pymongo.MongoClient(sys.argv[1], tz_aware=True, serverSelectionTimeoutMS=3000)
store = ProfileStore(client["killed"], patience_s=2)
store.prepare()
for path in sorted(Path(sys.argv[2]).glob("*.parquet")):
    store.fold(read_table(path, SCORED_TWEETS, "scored_tweets"), path.stem)
"""


def test_killing_the_run_or_the_database_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    draw = random.Random(11)
    stored: dict[Any, tuple[tuple[int, str, int], Any]] = {}
    for number in range(12):
        rows = [
            row(draw.randrange(2500), 0, observed=number, position=position, sentiment=round(draw.random(), 4))
            for position in range(300)
        ]
        unique = {entry["tweet_key"]: entry for entry in rows}
        for entry in unique.values():
            entry["author_key"] = key("a", int(entry["tweet_key"], 16) % 400)
            stored[entry["tweet_key"]] = ((number, f"b{number:03d}", entry["position"]), entry)
        write_table(tmp_path / "scored" / f"b{number:03d}.parquet", frame(list(unique.values())))
    with local_database(tmp_path / "home") as server:
        for kill in range(8):
            run = subprocess.Popen(
                [sys.executable, "-c", _FOLDER, server.ensure(), str(tmp_path / "scored")], stderr=subprocess.DEVNULL
            )
            time.sleep(1.5 + draw.random() * 2)
            state = server.status()
            assert state is not None
            victim = state.pid if kill % 2 else run.pid
            os.kill(victim, signal.SIGKILL)
            run.wait(60)
        subprocess.run([sys.executable, "-c", _FOLDER, server.ensure(), str(tmp_path / "scored")], check=True)
        import pymongo

        with pymongo.MongoClient(server.ensure(), tz_aware=True) as client:  # type: ignore[var-annotated]
            store = ProfileStore(client["killed"])
            assert sum(len(bucket.rows) for _, bucket in store.buckets()) == len(stored)
            assert_profiles(store, expected(stored))


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

"""Pages from memory: the rows that MongoDB would give, and what is read while a release is not in memory yet."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from operator import itemgetter
from typing import Any
from uuid import uuid4

import pymongo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from tweet_profiles.api import table as module
from tweet_profiles.api.reader import SORTS, Reader, filter_of
from tweet_profiles.api.table import Tables, load
from tweet_profiles.release import store as release
from tweet_profiles.release.shown import NOT_KNOWN, complete_view
from tweet_profiles_tests.api.seed import switch, write_release

Store = Database[dict[str, Any]]
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "segment": st.integers(0, 4),
        "sentiment": st.sampled_from(["negative", "neutral", "positive"]),
        "language": st.sampled_from(["en", "de", "xx"]),
        "active": st.sampled_from(["night", "evening"]),
        "sentiment_min": st.sampled_from([0.0, 0.3, 0.55]),
        "sentiment_max": st.sampled_from([0.5, 0.85]),
        "tweets_min": st.sampled_from([1, 10]),
        "tweets_max": st.sampled_from([5, 30]),
    },
)


@pytest.fixture(scope="module")
def filled(mongodb_server: str) -> Iterator[tuple[Store, str]]:
    with pymongo.MongoClient(mongodb_server, tz_aware=True) as client:  # type: ignore[var-annotated]
        database = client[f"test_{uuid4().hex[:12]}"]
        version = write_release(database, 1, 400)
        switch(database, version)
        yield database, version
        client.drop_database(database.name)


def test_every_page_of_any_filter_and_order_is_the_one_of_mongodb(
    filled: tuple[Store, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "PART", 150)
    monkeypatch.setattr(module, "PART", 70)
    database, version = filled
    memory, stored = load(database, version), Reader(database)
    assert len(memory) == 400

    @settings(max_examples=60, deadline=None)
    @given(FILTERS, st.sampled_from([None, *SORTS]), st.booleans(), st.sampled_from([7, 60, 500]))
    def check(asked: dict[str, Any], sort: str | None, descending: bool, limit: int) -> None:
        chosen, after = filter_of(asked), None
        all_of_it = [{**row, "release": version} for part in memory.parts(chosen) for row in part]
        found = [row for part in stored.rows(version, chosen) for row in part]
        assert all_of_it == sorted(found, key=itemgetter("_id"))
        while True:
            rows = memory.page(chosen, sort, descending, after, limit)
            wanted = stored.page(version, chosen, sort, descending, after, limit)
            for row in wanted:
                assert row.pop("release") == version
            assert rows == wanted
            if not rows:
                break
            after = [None if sort is None else rows[-1][sort], rows[-1]["_id"]]

    check()


def test_until_a_new_release_is_in_memory_the_one_before_is_read(
    filled: tuple[Store, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, version = filled
    tables, gate = Tables(), threading.Event()
    assert tables.readable(database, version) == version
    table = tables.get(database, version)
    assert table is not None
    newer = write_release(database, 2, 200)

    def late(*arguments: Any) -> Any:
        gate.wait(30)
        return load(*arguments)

    monkeypatch.setattr(module, "load", late)
    assert tables.readable(database, newer) == version
    assert tables.readable(database, newer) == version
    gate.set()
    _until_held(tables, database, newer)
    assert tables.readable(database, newer) == newer
    assert tables.get(database, version) is table, "cursors of the release before go on"


def test_a_release_that_cannot_be_held_is_read_from_mongodb_and_tried_again(filled: tuple[Store, str]) -> None:
    database, version = filled
    tables = Tables()
    broken = "r99990101T000000000000broken"
    database.releases.insert_one({"_id": broken, "authors": 5, "complete": True})
    assert tables.readable(database, broken) == broken
    assert tables.get(database, broken) is None
    rows = [{**row, "_id": f"{broken}/{n:09d}", "release": broken}
            for n, row in enumerate(database.released_profiles.find({"release": version}).limit(5))]  # fmt: skip
    database.released_profiles.insert_many(rows)
    assert tables.readable(database, broken) == broken
    _until_held(tables, database, broken)
    found = tables.get(database, broken)
    assert found is not None and len(found) == 5


def _until_held(tables: Tables, database: Store, version: str) -> None:
    for _ in range(300):
        if tables.get(database, version) is not None:
            return
        threading.Event().wait(0.05)
    raise AssertionError("the release is not in memory")


def test_a_release_is_counted_as_its_rows_are_with_or_without_stored_counts(
    filled: tuple[Store, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, version = filled
    rows = list(database.released_profiles.find({"release": version}))
    wanted = Counter(row["segment"] for row in rows), Counter(row["sentiment_label"] or NOT_KNOWN for row in rows)
    for number, unset in enumerate(({}, {"counts": 1})):
        if unset:
            database.releases.update_one({"_id": version}, {"$unset": unset})
            database.state.update_one({"_id": "release"}, {"$set": {"version": version}}, upsert=True)
            complete_view(database)
        monkeypatch.setattr(Reader, "_snapshots", OrderedDict())
        snapshot = Reader(database).snapshot(version)
        assert (snapshot.counts, snapshot.labels) == wanted, number

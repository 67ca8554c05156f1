"""The profiles in MongoDB: one document an author, recomputed from the scores of all its tweets.

What belongs here: writing and reading documents so that replays, overlaps, kills and runs at the same time all end in
the same ones. What does not: the numbers in a profile (`compute`), and the shape of the collections (`schema`).

How it is exactly once. The scores of an author are one document (`buckets`). Folding merges a batch into the buckets of
its authors, each in one atomic replace that fails if another run was first, and is then done again from what that run
wrote. Merging a thing twice changes nothing, so whoever is killed is simply run again. Then the profiles of all authors
of the batch are computed from their buckets. A bucket counts its writes, and a profile carries the count that it was
computed from as its clock: it is never written over one that was computed later.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import pandas as pd
import structlog
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.database import Database
from pymongo.errors import AutoReconnect, BulkWriteError, ConnectionFailure, PyMongoError

from tweet_profiles.contracts import USER_PROFILES
from tweet_profiles.database.unreleased import note_change
from tweet_profiles.errors import DatabaseError
from tweet_profiles.profiles.buckets import TWEET, Outcome, Row, merge, pack, rows_of, score_frame, unpack
from tweet_profiles.profiles.compute import profiles_of
from tweet_profiles.profiles.schema import SCHEMA_VERSION, Document, prepare

log = structlog.get_logger(__name__)

CHUNK = 2_000
"""Documents a request: far below the 100,000 operations and 48 MB that MongoDB allows."""
LOOKUP = 25
"""Values looked up a request. The local server compares each document with every value asked for: in one probe looking
up 2,000 at once took four times as long a value as looking up 25; MongoDB's own takes either."""
BUFFER = 50_000
"""Tweets folded at a time: many batches touch an author once then, and their rows fit into memory."""
COLLECTIONS = (
    "profiles",
    "scores",
    "topics",
    "clusterings",
    "segments",
    "releases",
    "released_profiles",
    "released_segments",
    "timelines",
    "published_periods",
    "release_basis",
)
_DUPLICATE_KEY = 11000
_NULLABLE = tuple(name for name, column in USER_PROFILES.columns.items() if column.nullable)

T = TypeVar("T")


@dataclass(frozen=True)
class Bucket:
    """An author's scores, and how often they were written."""

    writes: int
    rows: list[Row]


@dataclass
class FoldResult:
    """What folding a batch did, in tweets and in authors; `authors` are the pseudonyms of all it touched."""

    tweets_new: int = 0
    tweets_replaced: int = 0
    tweets_known: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    authors: list[str] = field(default_factory=list)


class ProfileStore:
    """Reads and writes profiles.

    Args:
        database: where.
        patience_s: how long a lost connection (a fail-over, a restarted server) is waited for, seconds.
    """

    def __init__(self, database: Database[Document], patience_s: float = 60.0):
        self.database, self.patience_s = database, patience_s

    def prepare(self) -> None:
        """Make collections, validators and indexes. Raises DatabaseError as `schema.prepare` does."""
        self._patiently(lambda: prepare(self.database, self.recompute))

    def fold(self, scored: pd.DataFrame, batch: str) -> FoldResult:
        """Take a batch into the profiles; doing so again, at any time, changes nothing.

        Args:
            scored: SCORED_TWEETS.
            batch: its key. Of observations in the same hour, that of the batch that sorts later is newer.

        Raises:
            DatabaseError: if the connection is lost for longer than the patience, or MongoDB refuses a document.
        """
        return self.fold_all([(batch, scored)])

    def fold_all(
        self, batches: Iterable[tuple[str, pd.DataFrame]], written: Callable[[str, FoldResult], None] | None = None
    ) -> FoldResult:
        """Take several batches into the profiles, computing each author's once at the end; see `fold`.

        Args:
            batches: key and SCORED_TWEETS of each, taken one at a time.
            written: told a batch's key and what its scores changed; its profiles are not written yet.
        """
        total = FoldResult()
        authors: set[str] = set()
        for buffered in _buffers(batches):
            authors.update(self._fold(buffered, total, written))
        total.authors = sorted(authors)
        if total.tweets_new or total.tweets_replaced or total.created or total.updated:
            self._patiently(lambda: note_change(self.database, datetime.now(UTC)))
        return total

    def recompute(self, authors: Sequence[str], result: FoldResult | None = None) -> FoldResult:
        """Compute the profiles of `authors` from their buckets and write those that are not up to date."""
        result = result or FoldResult()
        for start in range(0, len(authors), CHUNK):
            self._write_profiles(self._read_buckets(authors[start : start + CHUNK]), result)
        return result

    def count(self) -> int:
        """How many profiles there are."""
        return self._patiently(lambda: self.database.profiles.count_documents({}))

    def frame(self, authors: Sequence[str] | None = None) -> pd.DataFrame:
        """All profiles, or those of `authors`, as USER_PROFILES sorted by author_key."""
        parts = list(self.frames(50_000, authors))
        return pd.concat(parts, ignore_index=True) if parts else _profile_frame([], {})

    def frames(self, size: int, authors: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """The profiles as USER_PROFILES frames of at most `size` rows, sorted by author_key."""
        names = self.topic_names()
        waiting: list[Document] = []
        for document in self._find_profiles(authors):
            waiting.append(document)
            if len(waiting) == size:
                yield _profile_frame(waiting, names)
                waiting = []
        if waiting:
            yield _profile_frame(waiting, names)

    def topic_names(self) -> dict[str, str]:
        """The hashtags that enough authors share, by pseudonym."""
        return {document["_id"]: document["name"] for document in self.database.topics.find()}

    def forget(self, authors: Iterable[str]) -> int:
        """Remove authors' scores and profiles; returns how many profiles went."""
        keys = list(authors)
        removed = 0
        for start in range(0, len(keys), LOOKUP):
            chunk = keys[start : start + LOOKUP]
            self._patiently(lambda chunk=chunk: self.database.scores.delete_many({"_id": {"$in": chunk}}))  # type: ignore[misc]
            removed += self._patiently(
                lambda chunk=chunk: self.database.profiles.delete_many({"_id": {"$in": chunk}})  # type: ignore[misc]
            ).deleted_count
        return removed

    def forget_tweets(self, tweets: AbstractSet[str], authors: Iterable[str] | None = None) -> tuple[int, int]:
        """Remove single tweets; returns how many profiles went with their last tweet, and how many were computed anew.

        Args:
            tweets: pseudonyms.
            authors: pseudonyms of all who may have written them; None looks through every bucket.
        """
        found = self.buckets() if authors is None else self._read_buckets(sorted(authors)).items()
        touched = [author for author, bucket in found if any(row[TWEET] in tweets for row in bucket.rows)]
        emptied: list[str] = []
        for start in range(0, len(touched), CHUNK):
            pending = touched[start : start + CHUNK]
            while pending:
                left = {
                    author: Bucket(bucket.writes, [row for row in bucket.rows if row[TWEET] not in tweets])
                    for author, bucket in self._read_buckets(pending).items()
                }
                emptied += [author for author, bucket in left.items() if not bucket.rows]
                operations = [_bucket_replacement(author, bucket) for author, bucket in left.items() if bucket.rows]
                pending = [] if self._bulk("scores", operations) == len(operations) else pending
        removed = self.forget(emptied)
        remaining = sorted(set(touched) - set(emptied))
        self.recompute(remaining)
        return removed, len(remaining)

    def buckets(self) -> Iterator[tuple[str, Bucket]]:
        """Every author with its bucket."""
        for document in self.database.scores.find({}).batch_size(CHUNK):
            yield document["_id"], Bucket(document["writes"], unpack(document))

    def status(self) -> dict[str, Any]:
        """Counts, indexes and schema version, for people."""
        state = self.database.state.find_one({"_id": "schema"})
        return {
            "database": self.database.name,
            "schema_version": None if state is None else state["version"],
            "counts": {name: self.database[name].count_documents({}) for name in COLLECTIONS},
            "indexes": {name: sorted(self.database[name].index_information()) for name in COLLECTIONS},
        }

    def _find_profiles(self, authors: Sequence[str] | None) -> Iterator[Document]:
        shown = {"assignments": 0, "clock": 0}
        if authors is None:
            yield from self.database.profiles.find({}, shown).sort("_id", 1).batch_size(CHUNK)
            return
        for start in range(0, len(authors), LOOKUP):
            chunk = list(authors[start : start + LOOKUP])
            yield from self.database.profiles.find({"_id": {"$in": chunk}}, shown).sort("_id", 1)

    def _fold(
        self,
        batches: list[tuple[str, pd.DataFrame]],
        total: FoldResult,
        written: Callable[[str, FoldResult], None] | None,
    ) -> Iterable[str]:
        """Fold batches at once; returns their authors."""
        arriving: dict[str, list[Row]] = {}
        origins: dict[str, list[int]] = {}
        for number, (batch, scored) in enumerate(batches):
            for author, row in zip(scored["author_key"], rows_of(scored, batch), strict=True):
                arriving.setdefault(author, []).append(row)
                origins.setdefault(author, []).append(number)
        counts: list[Counter[Outcome]] = [Counter() for _ in batches]
        buckets: dict[str, Bucket] = {}
        authors = list(arriving)
        for start in range(0, len(authors), CHUNK):
            chunk = {author: arriving[author] for author in authors[start : start + CHUNK]}
            for author, (bucket, outcomes) in self._write_buckets(chunk).items():
                buckets[author] = bucket
                for number, outcome in zip(origins[author], outcomes, strict=True):
                    counts[number][outcome] += 1
        for (batch, scored), count in zip(batches, counts, strict=True):
            self._name_topics(scored)
            result = FoldResult(count["new"], count["replaced"], count["known"])
            total.tweets_new += result.tweets_new
            total.tweets_replaced += result.tweets_replaced
            total.tweets_known += result.tweets_known
            if written is not None:
                written(batch, result)
        for start in range(0, len(authors), CHUNK):
            self._write_profiles({author: buckets[author] for author in authors[start : start + CHUNK]}, total)
        return authors

    def _write_buckets(self, arriving: dict[str, list[Row]]) -> dict[str, tuple[Bucket, list[Outcome]]]:
        """Merge rows into the buckets of their authors, and tell what became of each row."""
        done: dict[str, tuple[Bucket, list[Outcome]]] = {}
        for author, rows in arriving.items():
            merged, outcomes = merge([], rows)
            done[author] = (Bucket(1, merged), outcomes)
        # Inserting is far cheaper than looking first; who is known is looked at then.
        authors = list(arriving)
        new = [{"_id": author, "writes": 1, "tweets": pack(done[author][0].rows)} for author in authors]
        pending = [authors[place] for place in self._insert("scores", new)]
        for author in pending:
            del done[author]
        while pending:
            operations = []
            replaced = []
            present = self._read_buckets(pending)
            for author in pending:
                stored = present.get(author, Bucket(0, []))
                merged, outcomes = merge(stored.rows, arriving[author])
                # Told once: who must try again finds some of its own rows there.
                outcomes = done[author][1] if author in done else outcomes
                if merged == stored.rows:
                    done[author] = (stored, outcomes)
                    continue
                replaced.append(author)
                operations.append(_bucket_replacement(author, Bucket(stored.writes, merged)))
                done[author] = (Bucket(stored.writes + 1, merged), outcomes)
            # Nearly always all of them are written; else another run was at the same authors: look again.
            pending = [] if self._bulk("scores", operations) == len(operations) else replaced
        return done

    def _read_buckets(self, authors: Sequence[str]) -> dict[str, Bucket]:
        found = self._find("scores", "_id", authors)
        return {document["_id"]: Bucket(document["writes"], unpack(document)) for document in found}

    def _insert(self, collection: str, documents: list[Document]) -> list[int]:
        """Insert documents; returns the places of those whose key was there already."""
        written = self._bulk_result(collection, [InsertOne(document) for document in documents])
        return sorted(int(fault["index"]) for fault in written.get("writeErrors", []))

    def _find(
        self, collection: str, field_name: str, values: Sequence[str], shown: Document | None = None
    ) -> list[Document]:
        """All documents with one of the values, in requests of few values each."""
        found: list[Document] = []
        for start in range(0, len(values), LOOKUP):
            chunk = list(values[start : start + LOOKUP])
            found += self._patiently(
                lambda chunk=chunk: list(self.database[collection].find({field_name: {"$in": chunk}}, shown))  # type: ignore[misc]
            )
        return found

    def _write_profiles(self, buckets: dict[str, Bucket], result: FoldResult) -> None:
        """Compute the profiles of these authors and write those that are not up to date."""
        if not buckets:
            return
        profiles = {
            row["author_key"]: row
            for row in _records(profiles_of(score_frame({a: b.rows for a, b in buckets.items()})))
        }
        for author, profile in profiles.items():
            del profile["author_key"]
            profile |= {"_id": author, "clock": buckets[author].writes, "schema_version": SCHEMA_VERSION}
        # A bucket that was written once is nearly always of a new author, whom to insert is far cheaper than to upsert.
        new = [_told(profiles[author]) for author, bucket in buckets.items() if bucket.writes == 1]
        there = {new[place]["_id"] for place in self._insert("profiles", new)}
        result.created += len(new) - len(there)
        known = [author for author, bucket in buckets.items() if bucket.writes > 1 or author in there]
        current = {
            (profile["_id"], profile["clock"], profile["schema_version"])
            for profile in self._find("profiles", "_id", known, {"clock": 1, "schema_version": 1})
        }
        stale = [author for author in known if (author, buckets[author].writes, SCHEMA_VERSION) not in current]
        written = self._bulk_result("profiles", [_profile_update(profiles[author]) for author in stale])
        upserted, updated = len(written.get("upserted", [])), written.get("nModified", 0)
        result.created += upserted
        result.updated += updated
        result.unchanged += len(known) - upserted - updated

    def _name_topics(self, scored: pd.DataFrame) -> None:
        named = {
            key: name
            for keys, names in zip(scored["topics"], scored["topic_names"], strict=True)
            for key, name in zip(keys, names, strict=True)
            if name
        }
        self._bulk(
            "topics",
            [UpdateOne({"_id": key}, {"$setOnInsert": {"name": name}}, upsert=True) for key, name in named.items()],
        )

    def _bulk(self, collection: str, operations: list[Any]) -> int:
        """Write unordered; returns how many documents were written or found as they should be."""
        result = self._bulk_result(collection, operations)
        return int(result.get("nInserted", 0) + result.get("nMatched", 0) + len(result.get("upserted", [])))

    def _bulk_result(self, collection: str, operations: list[Any]) -> Document:
        if not operations:
            return {}

        def write() -> Document:
            try:
                return dict(self.database[collection].bulk_write(operations, ordered=False).bulk_api_result)
            except BulkWriteError as error:
                # A duplicate key says that another run was first; its caller decides what that means.
                details: Document = dict(error.details or {})
                others = [fault for fault in details["writeErrors"] if fault["code"] != _DUPLICATE_KEY]
                if others:
                    raise DatabaseError(
                        f"MongoDB refused {len(others)} documents of {collection} (code {others[0]['code']}): "
                        "nothing of theirs was written; see its validator with `tweet-profiles db status`"
                    ) from None
                return details

        return self._patiently(write)

    def _patiently(self, operation: Callable[[], T]) -> T:
        """Do it, again and again while the connection is lost and the patience lasts; all operations bear that."""
        deadline = time.monotonic() + self.patience_s
        pause = 0.2
        while True:
            try:
                return operation()
            except (AutoReconnect, ConnectionFailure) as error:
                if time.monotonic() + pause > deadline:
                    raise DatabaseError(
                        f"the connection to MongoDB was lost for more than {self.patience_s:.0f} s "
                        f"({type(error).__name__}): what was folded stays; run the batch again when it is back"
                    ) from None
                log.warning("connection to MongoDB lost, waiting for it", error=type(error).__name__)
                time.sleep(pause)
                pause = min(2 * pause, 5.0)
            except PyMongoError as error:
                raise DatabaseError(f"MongoDB refused an operation ({type(error).__name__})") from None


def _buffers(batches: Iterable[tuple[str, pd.DataFrame]]) -> Iterator[list[tuple[str, pd.DataFrame]]]:
    """Batches in groups of at least BUFFER tweets, but for the last."""
    waiting: list[tuple[str, pd.DataFrame]] = []
    for batch, scored in batches:
        waiting.append((batch, scored))
        if sum(len(frame) for _, frame in waiting) >= BUFFER:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _bucket_replacement(author: str, bucket: Bucket) -> ReplaceOne[Document]:
    """Write a bucket if it is still the one that was read, with `writes` as read; one that was never there is made."""
    document = {"_id": author, "writes": bucket.writes + 1, "tweets": pack(bucket.rows)}
    return ReplaceOne({"_id": author, "writes": bucket.writes}, document, upsert=bucket.writes == 0)


def _records(profiles: pd.DataFrame) -> Iterator[Document]:
    columns = {name: [_whole(value) for value in profiles[name].astype(object)] for name in profiles.columns}
    for row in range(len(profiles)):
        yield {name: values[row] for name, values in columns.items()}


def _whole(value: Any) -> Any:
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):  # noqa: PLR0124
        return None
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


def _told(profile: Document) -> Document:
    return {name: value for name, value in profile.items() if value is not None}


def _profile_update(profile: Document) -> UpdateOne:
    key, clock = profile["_id"], profile["clock"]
    told = _told(profile)
    del told["_id"]
    change: Document = {"$set": told}
    untold = [name for name in _NULLABLE if name not in told]
    if untold:
        change["$unset"] = dict.fromkeys(untold, "")
    # If a profile with a later clock is there, nothing matches and the upsert meets its key: it stays.
    return UpdateOne({"_id": key, "clock": {"$lte": clock}}, change, upsert=True)


def _profile_frame(documents: list[Document], topic_names: dict[str, str]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, column in USER_PROFILES.columns.items():
        key = "_id" if name == "author_key" else name
        values: list[Any] = [document.get(key) for document in documents]
        if name == "topics":
            values = [
                {topic_names[key]: count for key, count in topics.items() if key in topic_names} for topics in values
            ]
        columns[name] = pd.Series(values, dtype=object if str(column.dtype) == "object" else column.dtype.type)
    return pd.DataFrame(columns)

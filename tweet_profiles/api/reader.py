"""What the API reads: the released collections, always of one release.

What belongs here: queries and the coarsening of aggregates. What does not: HTTP.

Why no sequence of requests narrows to fewer than k authors:
- A row of `released_profiles` is one of a group of at least k rows that are the same in every column that can be
  asked for. Whatever filter is used selects whole groups; so does the difference, the union or the intersection of
  any filters. Every count is therefore 0 or at least k.
- Sizes of segments are counted from released rows, never from all authors: the difference of the two would be the
  withheld authors. A number of withheld authors below k is itself withheld.
- Aggregates that come from all authors of a segment (mood, means) are shown in steps no finer than what one author can
  move them by (1 / n for a mean of values between 0 and 1): from last night's figure and tonight's, nobody's own
  value can be computed. Sizes of earlier nights are shown with two significant digits.
- Timelines hold only days or weeks of at least k authors (`profiles.timelines`), and are shown as released.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, ClassVar, TypeVar

import pymongo
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import ConnectionFailure

from tweet_profiles.api.table import COLUMNS, tables
from tweet_profiles.database.connection import connect
from tweet_profiles.errors import DatabaseError
from tweet_profiles.home import Home
from tweet_profiles.release.store import PART, count_rows, row_parts
from tweet_profiles.segments.describe import Trait, brief, campaign
from tweet_profiles.segments.features import FEATURES
from tweet_profiles.settings import Settings, load_settings

Document = dict[str, Any]
T = TypeVar("T")

SORTS = ("sentiment_mean", "subjectivity_mean", "tweets_seen", "segment_confidence", "last_seen_month")
"""Columns that are never missing, so that a page can begin after a value."""
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
HISTORY = 30
CONNECT_S = 3.0
REST_S = 1.0
"""After a failed connection, requests are refused for so long without another try."""


class NoReleaseError(Exception):
    """Nothing was released yet."""


class ReleaseGoneError(Exception):
    """The release that a cursor belongs to was replaced twice since."""


@dataclass(frozen=True)
class Snapshot:
    """One release with everything small about it: what a response is made of."""

    version: str
    release: Document
    clustering: Document
    segments: list[Document]
    counts: dict[int, int]
    labels: dict[str, int]
    history: list[Document]

    @property
    def k(self) -> int:
        """Fewest authors of a group."""
        return int(self.release["k_anonymity"])

    def segment(self, number: int) -> Document | None:
        """A shown segment."""
        return next((segment for segment in self.segments if segment["segment"] == number), None)


class Connection:
    """The database of this process, opened at first use and again after it was away."""

    def __init__(self) -> None:
        self._client: pymongo.MongoClient[Document] | None = None
        self._lock = threading.Lock()
        self._rest_until = 0.0
        self.settings: Settings | None = None

    def database(self) -> Database[Document]:
        """The database.

        Raises:
            DatabaseError: if it cannot be reached.
        """
        with self._lock:
            if self._client is None:
                if time.monotonic() < self._rest_until:
                    raise DatabaseError("the database is away")
                settings = load_settings()
                try:
                    self._client = connect(
                        settings.model_copy(update={"mongodb_timeout_s": CONNECT_S}), Home.open(settings.home)
                    )
                except DatabaseError:
                    self._rest_until = time.monotonic() + REST_S
                    raise
                self.settings = settings
            return self._client[(self.settings or load_settings()).mongodb_database]

    def lost(self) -> None:
        """Forget the client after a failure: the next use connects anew, and starts a local server that died."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None
                self._rest_until = time.monotonic() + REST_S


connection = Connection()


class Kept:
    """The last answers that depend on nothing but a release, bounded in bytes; shared by the threads of a process."""

    def __init__(self, most_bytes: int):
        self._most, self._size = most_bytes, 0
        self._entries: OrderedDict[tuple[str, ...], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, ...]) -> bytes | None:
        """A kept answer."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key]

    def put(self, key: tuple[str, ...], value: bytes) -> None:
        """Keep an answer, and let the ones that were not asked for longest go."""
        with self._lock:
            self._size += len(value) - len(self._entries.pop(key, b""))
            self._entries[key] = value
            while self._size > self._most:
                self._size -= len(self._entries.popitem(last=False)[1])


class Reader:
    """Reads releases of a database."""

    _snapshots: ClassVar[OrderedDict[tuple[str, str], Snapshot]] = OrderedDict()
    _making = threading.Lock()

    def __init__(self, database: Database[Document]):
        self.database = database

    def version(self) -> str:
        """The release to read: the current one as soon as its rows are in memory, until then the one before.

        Raises:
            NoReleaseError: before the first.
        """
        return tables.readable(self.database, self._current())

    def _current(self) -> str:
        pointer = self.database.state.find_one({"_id": "release"})
        if pointer is None:
            raise NoReleaseError
        return str(pointer["version"])

    def is_whole(self, version: str) -> bool:
        """Whether a release is surely all there: it is the current one, or the one before."""
        current = self._current()
        if version == current:
            return True
        before = self.database.releases.find_one(
            {"_id": {"$lt": current}, "complete": True}, {"_id": 1}, sort=[("_id", DESCENDING)]
        )
        return before is not None and before["_id"] == version

    def consistent(self, read: Callable[[Snapshot], T]) -> T:
        """`read` of the current release, again if that was dropped meanwhile: never parts of two releases.

        Raises:
            NoReleaseError: before the first release.
            DatabaseError: if releases change faster than one can be read.
        """
        for _ in range(5):
            try:
                snapshot = self.snapshot(self.version())
            except ReleaseGoneError:
                continue
            answer = read(snapshot)
            if self.is_whole(snapshot.version):
                return answer
        raise DatabaseError("releases change faster than they can be read")

    def snapshot(self, version: str) -> Snapshot:
        """Everything small of a release; kept in memory, as a release never changes.

        Raises:
            ReleaseGoneError: if it is no longer there.
        """
        key = (self.database.name, version)
        kept = self._snapshots.get(key)
        if kept is not None:
            return kept
        with self._making:
            if key not in self._snapshots:
                self._snapshots[key] = self._read_snapshot(version)
                while len(self._snapshots) > 4:
                    self._snapshots.popitem(last=False)
            return self._snapshots[key]

    def _read_snapshot(self, version: str) -> Snapshot:
        release = self.database.releases.find_one({"_id": version, "complete": True})
        clustering = None if release is None else self.database.clusterings.find_one({"_id": release["clustering"]})
        if release is None or clustering is None:
            raise ReleaseGoneError
        counts, labels = self._counts(release)
        documents = self.database.segments.find({"version": release["clustering"]})
        history = list(
            self.database.clusterings.find(
                {"complete": True, "created": {"$lte": clustering["created"]}},
                {"created": 1, "k": 1, "shares": 1, "names": 1, "authors": 1},
            )
            .sort("created", DESCENDING)
            .limit(HISTORY)
        )
        shown = [
            public_segment(document, counts, clustering, history) for document in documents
            if counts.get(int(document["segment"]), 0) >= release["k_anonymity"]
        ]  # fmt: skip
        shown.sort(key=lambda segment: (-segment["authors"], segment["segment"]))
        if not self.is_whole(version):
            raise ReleaseGoneError
        return Snapshot(version, release, clustering, shown, counts, labels, history)

    def _counts(self, release: Document) -> tuple[dict[int, int], dict[str, int]]:
        """Released rows a segment and a mood."""
        found = release.get("counts")
        if found is None:
            # Written before releases were counted as they are made.
            rows = chain.from_iterable(row_parts(self.database, release["_id"], release["authors"]))
            found = count_rows((row["segment"], row["sentiment_label"]) for row in rows)
        counts: dict[int, int] = {}
        labels: dict[str, int] = {}
        for segment, label, authors in found:
            counts[segment] = counts.get(segment, 0) + authors
            labels[label] = labels.get(label, 0) + authors
        return counts, labels

    def page(
        self, version: str, chosen: Document, sort: str | None, descending: bool, after: list[Any] | None, limit: int
    ) -> list[Document]:
        """At most `limit` rows, with their `_id`, in the order of a column (ties by `_id`) or of `_id`.

        `after` is the value and the `_id` of the last row seen. MongoDB is asked only until the release is in memory
        (`table`).
        """
        table = tables.get(self.database, version)
        if table is not None:
            return table.page(chosen, sort, descending, after, limit)
        rows = self.database.released_profiles
        query = {**chosen, "release": version}
        way = DESCENDING if descending else ASCENDING
        if sort is None:
            if after is not None:
                query["_id"] = {"$gt": after[1]}
            return list(rows.find(query).sort("_id", ASCENDING).limit(limit))
        order = [(sort, way), ("_id", ASCENDING)]
        if after is None:
            return list(rows.find(query).sort(order).limit(limit))
        value, last = after
        parts = [query, {sort: value, "_id": {"$gt": last}}]
        found = list(rows.find({"$and": parts}).sort("_id", ASCENDING).limit(limit))
        if len(found) < limit:
            parts = [query, {sort: {"$lt" if descending else "$gt": value}}]
            found += rows.find({"$and": parts}).sort(order).limit(limit - len(found))
        return found

    def rows(self, version: str, chosen: Document) -> Iterator[list[Document]]:
        """All chosen rows in parts, streamed.

        Raises:
            ReleaseGoneError: at the end, if the release was dropped while it was read.
        """
        table = tables.get(self.database, version)
        if table is not None:
            yield from table.parts(chosen)
            return
        part: list[Document] = []
        for row in self.database.released_profiles.find({**chosen, "release": version}).batch_size(PART):
            part.append(row)
            if len(part) == PART:
                yield part
                part = []
        if not self.is_whole(version):
            raise ReleaseGoneError
        yield part

    def timeline(self, version: str, segment: int | None, since: datetime | None, until: datetime | None) -> list[Any]:
        """Rows of a timeline, the oldest first."""
        query: Document = {"release": version, "segment": segment}
        if since or until:
            query["day"] = {
                **({"$gte": since} if since else {}),
                **({"$lte": until} if until else {}),
            }
        found = self.database.timelines.find(query, {"_id": 0, "release": 0}).sort("day", ASCENDING)
        return [{"period": "day", **row, "day": row["day"].date().isoformat()} for row in found]

    def clustering(self, snapshot: Snapshot, version: str) -> Document | None:
        """A stored clustering that is in the release's history."""
        if version == "current" or version == snapshot.clustering["_id"]:
            return snapshot.clustering
        if version not in {entry["_id"] for entry in snapshot.history}:
            return None
        return self.database.clusterings.find_one({"_id": version})


def reader() -> Reader:
    """A reader of the process' database. Raises DatabaseError."""
    return Reader(connection.database())


def lost_connection(error: BaseException) -> bool:
    """Whether an error means that the database is away; then the connection is opened anew at the next request."""
    if isinstance(error, ConnectionFailure):
        connection.lost()
        return True
    return isinstance(error, DatabaseError) or getattr(error, "timeout", False) is True


def filter_of(asked: Document) -> Document:
    """The MongoDB filter of validated parameters: plain values under names that are written here, nothing else."""
    chosen: Document = {}
    for name, column in (
        ("segment", "segment"),
        ("sentiment", "sentiment_label"),
        ("language", "main_language"),
        ("active", "active_part"),
    ):
        if asked.get(name) is not None:
            chosen[column] = {"$eq": asked[name]}
    for low, high, column in (
        ("sentiment_min", "sentiment_max", "sentiment_mean"),
        ("tweets_min", "tweets_max", "tweets_seen"),
    ):
        bounds = {"$gte": asked.get(low), "$lte": asked.get(high)}
        bounds = {operator: bound for operator, bound in bounds.items() if bound is not None}
        if bounds:
            chosen[column] = bounds
    return chosen


def row_of(document: Document) -> Document:
    """A released row as it is shown."""
    return {name: document.get(name) for name in COLUMNS}


def step_for(authors: int) -> float:
    """The finest step in which a mean of values in 0..1 over so many authors is shown: at least 1 / authors."""
    return next(step for step in STEPS if step >= 1 / max(1, authors))


def coarse(value: float, step: float) -> float:
    """A value to the nearest step."""
    return round(round(value / step) * step, 2)


def significant(value: float, digits: int = 2) -> float:
    """A value to so many significant digits."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def public_segment(
    document: Document, counts: dict[int, int], clustering: Document, history: list[Document]
) -> Document:
    """A segment as it is shown: its size from released rows, its means coarse (see the module's docstring)."""
    number = int(document["segment"])
    authors, total = counts[number], sum(counts.values())
    step = step_for(authors)
    means = {
        name: coarse(document[name], step)
        for name in ("positive_share", "neutral_share", "negative_share", "sentiment_mean", "subjectivity_mean",
                     "share_of_tweets")
    }  # fmt: skip
    traits = [
        {**trait, "effect": round(trait["effect"], 1), "mean": significant(trait["mean"]),
         "rest": significant(trait["rest"])}
        for trait in document["traits"]
    ]  # fmt: skip
    shown = {
        "segment": number,
        "name": document["name"],
        "authors": authors,
        "share": coarse(authors / total, 0.01),
        "trend": _trend(number, history),
        **means,
        "part_of_day": document["part_of_day"],
        "best_hours": document["best_hours"],
        "languages": {name: coarse(share, step) for name, share in document["languages"].items()},
        "clients": {name: coarse(share, step) for name, share in document["clients"].items()},
        "topics": list(document["topics"]),
        "traits": traits,
        "fingerprint": _fingerprint(number, clustering),
        "confidence": coarse(document["confidence"], step),
        "is_outlier_group": bool(document["is_outlier_group"]),
    }
    typical = {name: significant(value) for name, value in document["typical"].items()}
    told = {**shown, "typical": typical, "traits": [Trait(**trait) for trait in traits]}
    return {**shown, "brief": brief(told), "campaign": campaign(told)}


def _trend(number: int, history: list[Document]) -> float | None:
    """By how much its share of the authors grew since the clustering before; None if it is new."""
    if len(history) < 2 or str(number) not in history[1]["shares"] or str(number) not in history[0]["shares"]:
        return None
    return coarse(history[0]["shares"][str(number)] - history[1]["shares"][str(number)], 0.01)


def _fingerprint(number: int, clustering: Document) -> list[Document]:
    """The segment's centre, in standard deviations from the average author."""
    row = clustering["centroids"][clustering["segments"].index(number)]
    return [
        {"feature": name, "label": FEATURES[name].label, "value": round(value, 1)}
        for name, value in zip(clustering["features"], row, strict=True)
        if FEATURES[name].natural
    ]


def segment_history(number: int, history: list[Document]) -> list[Document]:
    """The nights of a segment, the oldest first."""
    return [
        {
            "version": entry["_id"],
            "created": entry["created"].isoformat(),
            "name": entry["names"].get(str(number)),
            "share": coarse(entry["shares"][str(number)], step_for(int(entry["authors"]))),
            "authors": int(significant(entry["shares"][str(number)] * entry["authors"])),
        }
        for entry in reversed(history)
        if str(number) in entry["shares"]
    ]

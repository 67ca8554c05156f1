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

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import pymongo
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import ConnectionFailure

from tweet_profiles.api.table import COLUMNS, tables
from tweet_profiles.database.connection import connect
from tweet_profiles.errors import DatabaseError
from tweet_profiles.home import Home
from tweet_profiles.release.shown import Snapshot, read_snapshot
from tweet_profiles.release.store import PART
from tweet_profiles.settings import Settings, load_settings

Document = dict[str, Any]
T = TypeVar("T")

SORTS = ("sentiment_mean", "subjectivity_mean", "tweets_seen", "segment_confidence", "last_seen_month")
"""Columns that a page can be in the order of. Rows that lack the value come last, whichever way the order goes."""
CONNECT_S = 3.0
REST_S = 1.0
"""After a failed connection, requests are refused for so long without another try."""


class NoReleaseError(Exception):
    """Nothing was released yet."""


class ReleaseGoneError(Exception):
    """The release that a cursor belongs to was replaced twice since."""


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
                found = read_snapshot(self.database, version)
                if found is None or not self.is_whole(version):
                    raise ReleaseGoneError
                self._snapshots[key] = found
                while len(self._snapshots) > 4:
                    self._snapshots.popitem(last=False)
            return self._snapshots[key]

    def page(
        self, version: str, chosen: Document, sort: str | None, descending: bool, after: list[Any] | None, limit: int
    ) -> list[Document]:
        """At most `limit` rows, with their `_id`, in the order of a column (ties by `_id`) or of `_id`.

        Rows without a value come last, whichever way the order goes. `after` is the value and the `_id` of the last row
        seen. MongoDB is asked only until the release is in memory (`table`).
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
        # In the order of the page: the rest of the value that the last page ended in, further values, no value.
        told: list[Document] = [query, {sort: {"$ne": None}}]
        untold: list[Document] = [query, {sort: None}]
        if after is None:
            wanted = [told, untold]
        elif after[0] is None:
            wanted = [[*untold, {"_id": {"$gt": after[1]}}]]
        else:
            value, last = after
            same = [query, {sort: value, "_id": {"$gt": last}}]
            further = [query, {sort: {"$lt" if descending else "$gt": value}}]
            wanted = [same, further, untold]
        found: list[Document] = []
        for parts in wanted:
            if len(found) < limit:
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

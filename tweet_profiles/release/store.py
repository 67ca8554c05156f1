"""Releases in MongoDB: what the API, exports, notebooks and plots read of authors, written as one version at a time.

What belongs here: documents and the order in which they are written. What does not: what is in them (`make`, and what
that calls).

Collections:
    releases           one document a release: {_id: version, created, clustering, model_version, k_anonymity,
                       l_diversity, authors, withheld or null, groups, smallest_group, counts, complete}; counts are
                       [segment, mood or null, rows] of each that occur together
    released_profiles  {_id: "version/number", release, ... RELEASED_PROFILES ...}; numbers in random order
    released_segments  {_id: version, segments, clusterings, placing}: everything small that a release shows (`shown`)
    timelines          {_id, release, segment or null for everybody, day, period, tweets, authors, ...}
    release_basis      {_id: "version/number", release, rows}: `nights.own_rows` of the release's authors, which the
                       next night compares itself with; no pseudonyms, and not for readers
    state              {_id: "release", version}: the pointer. It moves last: a reader who follows it finds a release
                       complete, and whoever is killed before leaves readers on the old one.

The release before the current one stays until the next, so that whoever has begun to read it can end.
"""

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import structlog
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from tweet_profiles.contracts import RELEASED_PROFILES
from tweet_profiles.database.unreleased import note_release
from tweet_profiles.errors import DatabaseError
from tweet_profiles.release.anonymise import DIVERSITY, Anonymised, typed
from tweet_profiles.release.counts import told

log = structlog.get_logger(__name__)

Document = dict[str, Any]

POINTER = "release"
VIEWS = "released_segments"
BASIS = "release_basis"
CHUNK = 2_000
PART = 5_000
BASIS_CHUNK = 100_000
COUNTED = ("segment", "sentiment_label")
"""The columns that `count_rows` counts."""
_INDEXES = {
    "released_profiles": [
        [("release", ASCENDING), ("_id", ASCENDING)],
        [("release", ASCENDING), ("segment", ASCENDING), ("_id", ASCENDING)],
        [("release", ASCENDING), ("sentiment_label", ASCENDING), ("_id", ASCENDING)],
        [("release", ASCENDING), ("main_language", ASCENDING), ("_id", ASCENDING)],
    ],
    "timelines": [[("release", ASCENDING), ("segment", ASCENDING), ("day", ASCENDING)]],
    "releases": [[("created", DESCENDING)]],
}


@dataclass(frozen=True)
class Release:
    """A finished release: `authors` rows in `groups` groups, the smallest of `smallest_group` authors.

    `withheld` is how many authors are in no row; None for some, but fewer than k.
    """

    version: str
    created: datetime
    clustering: str
    model_version: str
    k_anonymity: int
    l_diversity: int
    authors: int
    withheld: int | None
    groups: int
    smallest_group: int

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Release":
        """From its document in `releases`."""
        values = {name: document[name] for name in cls.__dataclass_fields__ if name != "version"}
        return cls(version=str(document["_id"]), **values)


class ReleaseStore:
    """Reads and writes releases.

    Args:
        database: where.
    """

    def __init__(self, database: Database[Document]):
        self.database = database

    def prepare(self) -> None:
        """Make the indexes. May be called any number of times."""
        for name, indexes in _INDEXES.items():
            for keys in indexes:
                self.database[name].create_index(keys)

    def current(self) -> Release | None:
        """The release that readers use, None before the first. Resolve it once a request."""
        pointer = self.database.state.find_one({"_id": POINTER})
        document = None if pointer is None else self.database.releases.find_one({"_id": pointer["version"]})
        return None if document is None else Release.from_document(document)

    def rows(self, release: Release) -> Iterator[Document]:
        """Released rows in the order of their ids, streamed."""
        for part in row_parts(self.database, release.version, release.authors):
            yield from part

    def frames(self, release: Release, size: int = 50_000) -> Iterator[pd.DataFrame]:
        """The rows as RELEASED_PROFILES frames of at most `size` rows."""
        waiting: list[Document] = []
        for row in self.rows(release):
            waiting.append(row)
            if len(waiting) == size:
                yield _frame(waiting)
                waiting = []
        if waiting:
            yield _frame(waiting)

    def timeline(self, release: Release, segment: int | None) -> list[Document]:
        """The timeline of a segment, or of everybody, by day."""
        query = {"release": release.version, "segment": segment}
        return list(self.database.timelines.find(query, {"_id": 0, "release": 0}).sort("day", ASCENDING))

    def basis(self, release: Release) -> np.ndarray:
        """What a release was made of, see `nights.own_rows`; empty where an earlier version of this package made it."""
        parts = self.database[BASIS].find({"release": release.version}).sort("_id", ASCENDING)
        return np.frombuffer(b"".join(bytes(part["rows"]) for part in parts), "<u8")

    def write_version(
        self,
        anonymised: Anonymised,
        timeline_rows: list[Document],
        counts: list[list[Any]],
        view: Document,
        basis: np.ndarray,
        *,
        clustering: str,
        model_version: str,
        k: int,
        diversity: int = DIVERSITY,
    ) -> str:
        """Store a release beside the current one; readers do not see it until `switch`.

        Args:
            anonymised: the rows.
            timeline_rows: of `timelines`.
            counts: of the rows, see `count_rows`.
            view: everything small that it shows, see `shown.view_of`.
            basis: what it was made of, see `nights.own_rows`.
            clustering: what it was made of.
            model_version: of the model that scored the tweets.
            k: authors a group, at least.
            diversity: different moods a group, at least.

        Returns:
            Its version.
        """
        self.prepare()
        moment = datetime.now(UTC)
        version = f"r{moment:%Y%m%dT%H%M%S%f}{secrets.token_hex(3)}"
        document: Document = {
            "_id": version,
            "created": moment,
            "clustering": clustering,
            "model_version": model_version,
            "k_anonymity": k,
            "l_diversity": diversity,
            "authors": len(anonymised.frame),
            "withheld": told(anonymised.withheld, k),
            "groups": anonymised.groups,
            "smallest_group": anonymised.smallest_group,
            "counts": counts,
            "complete": False,
        }
        self.database.releases.insert_one(document)
        names = list(anonymised.frame.columns)
        columns = [plain(anonymised.frame[name]) for name in names]
        for start in range(0, len(anonymised.frame), CHUNK):
            self.database.released_profiles.insert_many(
                [
                    {"_id": row_id(version, start + number), "release": version, **dict(zip(names, row, strict=True))}
                    for number, row in enumerate(
                        zip(*(column[start : start + CHUNK] for column in columns), strict=True)
                    )
                ],
                ordered=False,
            )
        self.database[VIEWS].insert_one({"_id": version, **view})
        for start in range(0, len(basis), BASIS_CHUNK):
            rows = basis[start : start + BASIS_CHUNK].astype("<u8").tobytes()
            self.database[BASIS].insert_one({"_id": row_id(version, start), "release": version, "rows": rows})
        for start in range(0, len(timeline_rows), CHUNK):
            self.database.timelines.insert_many(
                [
                    {"_id": f"{version}/{start + number:09d}", "release": version, **row}
                    for number, row in enumerate(timeline_rows[start : start + CHUNK])
                ],
                ordered=False,
            )
        self.database.releases.update_one({"_id": version}, {"$set": {"complete": True}})
        return version

    def switch(self, version: str) -> Release:
        """Make a complete release the one that readers use, then drop those before the last.

        Raises:
            DatabaseError: if it is not complete, or was dropped because a later one was switched to meanwhile.
        """
        document = self.database.releases.find_one({"_id": version, "complete": True})
        if document is None:
            raise DatabaseError(
                f"release {version} is not complete or was overtaken by a later one; readers stay on the one they "
                "have: materialize released_profiles again"
            )
        before = self.current()
        self.database.state.update_one({"_id": POINTER}, {"$set": {"version": version}}, upsert=True)
        clustering = self.database.clusterings.find_one({"_id": document["clustering"]}, {"created": 1})
        if clustering is not None:
            note_release(self.database, clustering["created"])
        self._drop_before(version, None if before is None else before.version)
        return Release.from_document(document)

    def _drop_before(self, current: str, previous: str | None) -> None:
        """Drop what is older than the current release, but the previous one; what is newer is being written."""
        # Versions sort by time. Rows go first: a killed drop leaves the documents by which it is found again.
        dropped_by = {
            "released_profiles": "release",
            "timelines": "release",
            BASIS: "release",
            VIEWS: "_id",
            "releases": "_id",
        }
        for name, field in dropped_by.items():
            dropped = self.database[name].delete_many({field: {"$lt": current, "$ne": previous}})
            if name == "releases" and dropped.deleted_count:
                log.info("dropped old releases", releases=dropped.deleted_count)


def row_parts(database: Database[Document], version: str, authors: int) -> Iterator[list[Document]]:
    """The rows of a release in the order of their ids.

    Each part is asked for by itself, as a range of ids: memory stays flat on both sides, no cursor has to outlive a
    failover, and the local server, which finds all rows of a query before it gives the first, need not find them all.
    """
    for start in range(0, authors, PART):
        ids = {"$gte": row_id(version, start), "$lt": row_id(version, start + PART)}
        found = database.released_profiles.find({"release": version, "_id": ids})
        yield list(found.sort("_id", ASCENDING).batch_size(PART + 1))


def count_rows(rows: Iterable[tuple[int, str | None]]) -> list[list[Any]]:
    """How many rows there are of each segment and mood, None if that is not known: [segment, mood, rows]."""
    counts = sorted(Counter(rows).items(), key=lambda entry: (entry[0][0], entry[0][1] or ""))
    return [[int(segment), mood, number] for (segment, mood), number in counts]


def row_id(version: str, number: int) -> str:
    """The `_id` of a released row; the numbers of a release go from 0 to its authors - 1."""
    return f"{version}/{number:09d}"


def plain(column: pd.Series) -> list[Any]:
    """A column's values as MongoDB takes them, None where missing."""
    return [None if pd.isna(value) else value for value in column.astype(object).tolist()]


def _frame(rows: list[Document]) -> pd.DataFrame:
    return typed(pd.DataFrame(rows, columns=list(RELEASED_PROFILES.columns)))

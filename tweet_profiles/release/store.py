"""Releases in MongoDB: what the API, exports, notebooks and plots read of authors, written as one version at a time.

What belongs here: documents and the order in which they are written. What does not: how rows are made anonymous
(`anonymise`, `timelines`).

Collections:
    releases           one document a release: {_id: version, created, clustering, model_version, k_anonymity,
                       l_diversity, authors, withheld or null, groups, smallest_group, counts, complete}; counts are
                       [segment, mood or null, rows] of each that occur together
    released_profiles  {_id: "version/number", release, ... RELEASED_PROFILES ...}; numbers in random order
    timelines          {_id, release, segment or null for everybody, day, period, tweets, authors, ...}
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

import pandas as pd
import structlog
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from tweet_profiles.contracts import RELEASED_PROFILES
from tweet_profiles.database.unreleased import note_release
from tweet_profiles.errors import DatabaseError
from tweet_profiles.profiles.buckets import FIELDS
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.release.anonymise import DIVERSITY, Anonymised, anonymise, facts_of, typed
from tweet_profiles.release.counts import told
from tweet_profiles.release.timelines import timelines

log = structlog.get_logger(__name__)

Document = dict[str, Any]

POINTER = "release"
CHUNK = 2_000
PART = 5_000
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

    def write_version(
        self,
        anonymised: Anonymised,
        timeline_rows: list[Document],
        *,
        clustering: str,
        model_version: str,
        k: int,
        diversity: int = DIVERSITY,
    ) -> str:
        """Store a release beside the current one; readers do not see it until `switch`. Returns its version."""
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
            "counts": count_rows(zip(*(_plain(anonymised.frame[name]) for name in COUNTED), strict=True)),
            "complete": False,
        }
        self.database.releases.insert_one(document)
        names = list(anonymised.frame.columns)
        columns = [_plain(anonymised.frame[name]) for name in names]
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
        for name, field in (("released_profiles", "release"), ("timelines", "release"), ("releases", "_id")):
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


def make_release(
    database: Database[Document], clustering: str, *, model_version: str, k: int
) -> tuple[str, Anonymised]:
    """Anonymise all grouped authors of a clustering and store the release, without switching to it.

    Args:
        database: with profiles and the assignments of `clustering`.
        clustering: the version that readers use.
        model_version: of the model that scored the tweets.
        k: authors a group, at least.

    Returns:
        The release's version, and what is in it; authors who were not grouped yet count as withheld.
    """
    profiles = ProfileStore(database).frame()
    segment, confidence = _assignments(database, clustering, profiles["author_key"])
    grouped = segment >= 0
    chosen = profiles[grouped].reset_index(drop=True)
    result = anonymise(facts_of(chosen, segment[grouped], confidence[grouped]), k=k)
    result = Anonymised(
        result.frame, result.withheld + int((~grouped).sum()), result.groups, result.smallest_group, result.row_of
    )
    shown = result.row_of >= 0
    of_author = pd.Series(segment[grouped][shown], index=chosen["author_key"][shown].astype(object))
    rows = timelines(_tweets(database, of_author), k)
    version = ReleaseStore(database).write_version(
        result, rows, clustering=clustering, model_version=model_version, k=k, diversity=min(DIVERSITY, k)
    )
    return version, result


def _assignments(database: Database[Document], clustering: str, authors: pd.Series) -> tuple[Any, Any]:
    """Segment (-1 if none) and confidence of each author."""
    field = f"assignments.{clustering}"
    found = {
        profile["_id"]: profile["assignments"][clustering]
        for profile in database.profiles.find({field: {"$exists": True}}, {field: 1})
    }
    rows = [found.get(author, {"segment": -1, "confidence": 0.0}) for author in authors]
    frame = pd.DataFrame(rows, columns=["segment", "confidence"])
    return frame["segment"].to_numpy("int64"), frame["confidence"].to_numpy("float64")


def _tweets(database: Database[Document], segment_of: pd.Series) -> pd.DataFrame:
    """The tweets of released authors, as `timelines` takes them."""
    places = {author: place for place, author in enumerate(segment_of.index)}
    chosen = [FIELDS.index(name) for name in ("created_hour", "sentiment", "label", "is_retweet")]
    rows = [
        (places[author], *(row[place] for place in chosen))
        for author, bucket in ProfileStore(database).buckets()
        if author in places
        for row in bucket.rows
    ]
    frame = pd.DataFrame(rows, columns=["author", "day", "sentiment", "label", "is_retweet"])
    frame["day"] = pd.to_datetime(frame["day"] * 3600, unit="s", utc=True).dt.floor("D")
    frame["sentiment"] = frame["sentiment"].astype("float64")
    frame["label"] = frame["label"].astype("category")
    # As in a profile: what is not known to be a retweet is its author's own.
    own = frame.pop("is_retweet").map(lambda flag: flag is not True).astype(bool)
    return frame.assign(own=own, segment=segment_of.to_numpy()[frame["author"].to_numpy("int64")])


def _plain(column: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else value for value in column.astype(object).tolist()]


def _frame(rows: list[Document]) -> pd.DataFrame:
    return typed(pd.DataFrame(rows, columns=list(RELEASED_PROFILES.columns)))

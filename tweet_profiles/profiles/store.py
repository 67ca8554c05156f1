"""The profiles in MongoDB: one document an author, recomputed from the scores of all its tweets.

What belongs here: writing and reading documents so that replays, overlaps, kills and runs at the same time all end in
the same ones. What does not: the numbers in a profile (`compute`), and the shape of the collections (`schema`).

How it is exactly once. A batch first writes its tweets' scores under their pseudonyms: a tweet that is there is
replaced only by a later observation. Then the profiles of all authors of the batch are computed from all their scores.
Whoever is killed in between is run again and computes them then. Two runs at a time cannot leave a stale profile: each
score counts its writes, their sum is the author's clock, and a profile is only written over one whose clock is not
ahead. Of two runs that touch an author, the one that reads last has seen both runs' scores, and so the higher clock.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd
import structlog
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.database import Database
from pymongo.errors import AutoReconnect, BulkWriteError, ConnectionFailure, PyMongoError

from tweet_profiles.contracts import ACCOUNT_COUNTS, ENGAGEMENT, TWEET_FLAGS, USER_PROFILES, UTC
from tweet_profiles.errors import DatabaseError
from tweet_profiles.profiles.compute import profiles_of
from tweet_profiles.profiles.schema import SCHEMA_VERSION, Document, prepare

log = structlog.get_logger(__name__)

CHUNK = 2_000
"""Documents a request: far below the 100,000 operations and 48 MB that MongoDB allows."""
LOOKUP = 25
"""Values looked up a request. The local server compares each document with every value asked for: in one probe looking
up 2,000 at once took four times as long a value as looking up 25; MongoDB's own takes either."""
SCORE_DIGITS = 4
_DUPLICATE_KEY = 11000
_SCORE_FIELDS = (
    "created_hour",
    "sentiment",
    "subjectivity",
    "label",
    "lang",
    "client_kind",
    "topics",
    "account_created_month",
    *TWEET_FLAGS,
    *ENGAGEMENT,
    *ACCOUNT_COUNTS,
    "verified",
    "verified_kind",
    "protected",
)
_NULLABLE = tuple(name for name, column in USER_PROFILES.columns.items() if column.nullable)

T = TypeVar("T")


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
        self._patiently(lambda: prepare(self.database))

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
        for batch, scored in batches:
            result = FoldResult()
            documents = score_documents(scored, batch)
            for start in range(0, len(documents), CHUNK):
                self._write_scores(documents[start : start + CHUNK], result)
            self._name_topics(scored)
            authors.update(scored["author_key"])
            total.tweets_new += result.tweets_new
            total.tweets_replaced += result.tweets_replaced
            total.tweets_known += result.tweets_known
            if written is not None:
                written(batch, result)
        total.authors = sorted(authors)
        return self.recompute(total.authors, total)

    def recompute(self, authors: Sequence[str], result: FoldResult | None = None) -> FoldResult:
        """Compute the profiles of `authors` from their scores and write those that differ."""
        result = result or FoldResult()
        for start in range(0, len(authors), CHUNK):
            self._recompute_chunk(authors[start : start + CHUNK], result)
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
            self._patiently(lambda chunk=chunk: self.database.scores.delete_many({"author": {"$in": chunk}}))  # type: ignore[misc]
            removed += self._patiently(
                lambda chunk=chunk: self.database.profiles.delete_many({"_id": {"$in": chunk}})  # type: ignore[misc]
            ).deleted_count
        return removed

    def status(self) -> dict[str, Any]:
        """Counts, indexes and schema version, for people."""
        state = self.database.state.find_one({"_id": "schema"})
        collections = ("profiles", "scores", "topics", "clusterings", "segments")
        return {
            "database": self.database.name,
            "schema_version": None if state is None else state["version"],
            "counts": {name: self.database[name].count_documents({}) for name in collections},
            "indexes": {name: sorted(self.database[name].index_information()) for name in ("profiles", "scores")},
        }

    def _find_profiles(self, authors: Sequence[str] | None) -> Iterator[Document]:
        shown = {"assignments": 0, "clock": 0}
        if authors is None:
            yield from self.database.profiles.find({}, shown).sort("_id", 1).batch_size(CHUNK)
            return
        for start in range(0, len(authors), LOOKUP):
            chunk = list(authors[start : start + LOOKUP])
            yield from self.database.profiles.find({"_id": {"$in": chunk}}, shown).sort("_id", 1)

    def _write_scores(self, documents: list[Document], result: FoldResult) -> None:
        """Bring the scores up to these observations. Most tweets are new: what meets its own key is looked at then."""
        refused = self._insert("scores", [{**document, "writes": 1} for document in documents])
        result.tweets_new += len(documents) - len(refused)
        pending = [documents[index] for index in refused]
        counted = False
        while pending:
            present = {
                document["_id"]: document for document in self._find("scores", "_id", [d["_id"] for d in pending])
            }
            later = [document for document in pending if _supersedes(document, present.get(document["_id"]))]
            if not counted:
                result.tweets_replaced += len(later)
                result.tweets_known += len(pending) - len(later)
                counted = True
            operations = [
                ReplaceOne(
                    {"_id": document["_id"], "writes": present[document["_id"]]["writes"]},
                    {**document, "writes": present[document["_id"]]["writes"] + 1},
                )
                for document in later
            ]
            done = self._bulk("scores", operations)
            # Nearly always all of them are written; else another run was at the same tweets: look again.
            pending = [] if done == len(operations) else later

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

    def _recompute_chunk(self, authors: Sequence[str], result: FoldResult) -> None:
        found = self._find("scores", "author", authors)
        if not found:
            return
        scores = _score_frame(found)
        clocks = scores.groupby("author_key")["writes"].sum()
        profiles = [
            {"_id": row.pop("author_key"), "clock": int(clock), "schema_version": SCHEMA_VERSION, **row}
            for row, clock in zip(_records(profiles_of(scores)), clocks, strict=True)
        ]
        known = {
            document["_id"] for document in self._find("profiles", "_id", [p["_id"] for p in profiles], {"_id": 1})
        }
        new = [profile for profile in profiles if profile["_id"] not in known]
        # Inserting is far cheaper than an upsert; who was made meanwhile by another run is updated like the others.
        overtaken = {new[place]["_id"] for place in self._insert("profiles", [_told(profile) for profile in new])}
        operations = [_profile_update(profile) for profile in profiles if profile["_id"] in known | overtaken]
        written = self._bulk_result("profiles", operations)
        upserted, updated = len(written.get("upserted", [])), written.get("nModified", 0)
        result.created += len(new) - len(overtaken) + upserted
        result.updated += updated
        result.unchanged += len(operations) - upserted - updated

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


def score_documents(scored: pd.DataFrame, batch: str) -> list[Document]:
    """The documents of a batch's scores. `order` sorts observations of a tweet or account from old to new."""
    hours = scored["observed_hour"].dt.strftime("%Y%m%d%H")
    order = [f"{hour}/{batch}/{position:08d}" for hour, position in zip(hours, scored["position"], strict=True)]
    values = {
        name: [_plain(value) for value in scored[name].astype(object)] for name in _SCORE_FIELDS if name in scored
    }
    documents = []
    for row, (tweet, author) in enumerate(zip(scored["tweet_key"], scored["author_key"], strict=True)):
        document: Document = {"_id": tweet, "author": author, "order": order[row]}
        document |= {name: column[row] for name, column in values.items() if column[row] is not None}
        documents.append(document)
    return documents


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    if isinstance(value, float):
        return None if value != value else round(value, SCORE_DIGITS)  # noqa: PLR0124
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


def _supersedes(document: Document, present: Document | None) -> bool:
    """Whether an observation is to replace the stored one: it is later, or the same one scored anew."""
    if present is None or document["order"] < present["order"]:
        return False
    stored = {name: value for name, value in present.items() if name != "writes"}
    return bool(stored != document)


def _score_frame(documents: list[Document]) -> pd.DataFrame:
    frame = pd.DataFrame(documents).rename(columns={"_id": "tweet_key", "author": "author_key"})
    types: dict[str, Any] = dict.fromkeys((*ENGAGEMENT, *ACCOUNT_COUNTS), "Int64")
    types |= dict.fromkeys((*TWEET_FLAGS, "verified", "protected"), "boolean")
    types |= dict.fromkeys(("lang", "client_kind", "verified_kind", "label"), "string")
    types |= dict.fromkeys(("created_hour", "account_created_month"), UTC)
    for name in types.keys() - set(frame.columns):
        frame[name] = None
    return frame.astype(types)


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

"""The landing zone: immutable batch files of tweets, one dynamic partition each.

What belongs here: how a batch is written, named, read and removed, and which tweets have landed before. What
does not: where tweets come from and what is computed from them.

A batch appears whole or not at all (temporary file, fsync, rename). Which tweets have landed is kept in a
small SQLite index beside the folder. Batches are written under the index's write lock, file first, index
second; a kill between the two leaves a batch that the index does not know, and whoever writes next reads it
in. So no tweet is lost and none lands twice. The index keeps keyed hashes of tweet ids, not the ids: it
outlives the batches, whose personal data is purged.
"""

import gzip
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import orjson
import structlog

from tweet_profiles.errors import HomeError, InputError
from tweet_profiles.home import SECRET_FILE_MODE, Home, fsync_folder, write_atomically
from tweet_profiles.landing.tweets import Tweet
from tweet_profiles.privacy.suppression import SuppressionList

log = structlog.get_logger(__name__)

SUFFIX = ".jsonl.gz"
STAMP = "%Y%m%dT%H%M%S%fZ"
ORIGINS = ("import", "search", "stream", "sample")

_LOCK_WAIT_S = 120.0
_TO_HOUR = len("2006-03-21T20")
_LOOKUP = 100
"""Tweets that are looked up in the index together, at least, unless the batch fills before."""
_INDEX_CACHE_KIB = 64 << 10
_LOG_PAGES = 16_000
"""Pages of 4 KiB that SQLite's log may reach: every batch changes pages all over the index, and a page that has been
changed many times is then written to it once."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (hash BLOB PRIMARY KEY, observed_hour INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
_REMEMBER = (
    "INSERT INTO seen VALUES (?, ?) ON CONFLICT (hash) DO UPDATE "
    "SET observed_hour = max(observed_hour, excluded.observed_hour)"
)


class LandingZone:
    """The batch files of one home. Any number of processes may write and read at the same time."""

    def __init__(self, home: Home, batch_size: int = 1000, batch_age_s: float = 60.0) -> None:
        self.home = home
        self.batch_size = batch_size
        self.batch_age_s = batch_age_s

    @property
    def index_file(self) -> Path:
        """The SQLite index of what has landed."""
        return self.home.private / "landed.sqlite"

    def path(self, key: str) -> Path:
        """The file of one batch."""
        return self.home.landing / f"{key}{SUFFIX}"

    def keys(self) -> list[str]:
        """The keys of all landed batches, in the order of arrival."""
        names = (entry.name for entry in os.scandir(self.home.landing))
        return sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX) and not name.startswith("."))

    def read(self, key: str) -> list[Tweet]:
        """The tweets of one batch, in the order of arrival.

        Raises:
            InputError: if there is no such batch or its file is damaged.
        """
        return read_batch(self.path(key))

    @contextmanager
    def writer(self, origin: str, clock: Callable[[], float] = time.monotonic) -> Iterator["BatchWriter"]:
        """Land tweets; the open batch is written when the block is left, however it is left.

        Args:
            origin: where the tweets come from, one of `ORIGINS`; part of the batch's key.
            clock: seconds, for the age of the open batch.

        Raises:
            HomeError: if the index or the folder cannot be used.
        """
        if origin not in ORIGINS:
            raise ValueError(f"origin must be one of {ORIGINS}")
        with closing(self._connect()) as index:
            try:
                with _locked(index):
                    self._reconcile(index)
            except sqlite3.Error as error:
                raise self._index_error(error) from error
            writer = BatchWriter(self, index, origin, clock)
            try:
                yield writer
            finally:
                writer.flush()

    def remove(self, keys: Iterable[str]) -> int:
        """Delete batches; that their tweets have landed stays known. Returns how many files were there."""
        removed = 0
        with closing(self._connect()) as index, _locked(index):
            for key in keys:
                if self.path(key).exists():
                    self.path(key).unlink()
                    removed += 1
                index.execute("DELETE FROM batches WHERE key = ?", (key,))
            fsync_folder(self.home.landing)
        return removed

    def rewrite(self, keep: Callable[[Tweet], bool], keys: Iterable[str] | None = None) -> dict[str, int]:
        """Drop the tweets that `keep` refuses from all batches, or from those of `keys`.

        This is the one exception to "immutable": somebody asked to be forgotten. Returns how many tweets were
        dropped from each batch that held any. A batch left with none stays as an empty one.
        """
        dropped: dict[str, int] = {}
        with closing(self._connect()) as index, _locked(index):
            for key in self.keys() if keys is None else keys:
                tweets = self.read(key)
                kept = [tweet for tweet in tweets if keep(tweet)]
                if len(kept) < len(tweets):
                    _write_batch(self.path(key), kept)
                    dropped[key] = len(tweets) - len(kept)
        return dropped

    def _connect(self) -> sqlite3.Connection:
        try:
            self.index_file.touch(mode=SECRET_FILE_MODE)
            index = sqlite3.connect(self.index_file, timeout=_LOCK_WAIT_S, isolation_level=None)
            index.execute("PRAGMA journal_mode = WAL")
            index.execute("PRAGMA synchronous = FULL")
            index.execute(f"PRAGMA cache_size = -{_INDEX_CACHE_KIB}")
            index.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            index.executescript(_SCHEMA)
            index.execute("INSERT OR IGNORE INTO facts VALUES ('hash key', ?)", (secrets.token_bytes(32),))
        except OSError as error:
            raise HomeError(f"{self.index_file} cannot be written ({error.strerror}): mend its permissions") from error
        except sqlite3.Error as error:
            raise self._index_error(error) from error
        return index

    def _index_error(self, error: sqlite3.Error) -> HomeError:
        if "locked" in str(error) or "busy" in str(error):
            return HomeError(
                f"{self.index_file} has been in use by another process for {_LOCK_WAIT_S:.0f} s: wait until that has "
                "ended, or end it, and start this again; the file itself is well"
            )
        return HomeError(
            f"{self.index_file} cannot be used ({error}): free the disk, or if the file is damaged move it away; "
            "it is made again from the batches that are still landed"
        )

    def _reconcile(self, index: sqlite3.Connection) -> None:
        """Bring index and folder together after a kill, under the lock, when no batch is being written."""
        for leftover in self.home.landing.glob(".*.tmp"):
            leftover.unlink()
        landed, secret = set(self.keys()), _secret(index)
        indexed = {key for (key,) in index.execute("SELECT key FROM batches")}
        for key in sorted(landed - indexed):
            self._remember(index, key, ((_hash(secret, tweet["id"]), _rank(tweet)) for tweet in self.read(key)))
            log.info("took a batch into the index that an ended process had landed", batch=key)
        index.executemany("DELETE FROM batches WHERE key = ?", [(key,) for key in indexed - landed])
        if landed:
            self._note_stamp(index, max(_last_stamp(index), max(landed).partition("-")[0]))

    def _remember(self, index: sqlite3.Connection, key: str, tweets: Iterable[tuple[bytes, int]]) -> None:
        """Note a batch, and its tweets by hash and rank."""
        index.executemany(_REMEMBER, sorted(tweets))  # neighbours in the index one after the other
        index.execute("INSERT OR IGNORE INTO batches VALUES (?)", (key,))

    def _next_key(self, index: sqlite3.Connection, origin: str) -> str:
        """The time of landing, moved on if need be, so that keys sort by arrival even if the clock is set back."""
        last = _last_stamp(index)
        stamp = datetime.now(UTC).strftime(STAMP)
        if stamp <= last:
            following = datetime.strptime(last, STAMP) + timedelta(microseconds=1)
            stamp = following.strftime(STAMP)
        self._note_stamp(index, stamp)
        return f"{stamp}-{origin}"

    def _note_stamp(self, index: sqlite3.Connection, stamp: str) -> None:
        index.execute("INSERT OR REPLACE INTO facts VALUES ('last stamp', ?)", (stamp,))


@dataclass
class Tally:
    """What became of added tweets. Each is in exactly one of the three once the batch it was in has landed."""

    landed: int = 0
    duplicates: int = 0
    suppressed: int = 0


class _Entry:
    """A tweet that waits, with what the index says it by; made once, for it is looked up more than once."""

    __slots__ = ("hash", "rank", "tally", "tweet")

    def __init__(self, tweet: Tweet, tally: Tally, rank: int) -> None:
        self.tweet, self.tally, self.rank = tweet, tally, rank
        self.hash = b""


class BatchWriter:
    """Gathers tweets into a batch and lands it by count or age. Made by `LandingZone.writer`.

    Whether tweets have landed before is looked up for many at once: the index is the slowest part of landing.
    A tweet counts when it is known what became of it: latest when the batch lands.

    Attributes: `batches` counts files; `landed`, `duplicates`, `suppressed` count the tweets of all tallies.
    """

    def __init__(self, zone: LandingZone, index: sqlite3.Connection, origin: str, clock: Callable[[], float]) -> None:
        self._zone = zone
        self._index = index
        self._origin = origin
        self._clock = clock
        self._secret = _secret(index)
        self._suppression = SuppressionList(zone.home)
        self._fresh: dict[str, _Entry] = {}
        self._unchecked: dict[str, _Entry] = {}
        self._checked_against: int | None = None  # the index's version, if all of `_fresh` was checked against one
        self._opened_at = 0.0
        self._total = Tally()
        self.batches = 0

    @property
    def landed(self) -> int:
        """Tweets that were written."""
        return self._total.landed

    @property
    def duplicates(self) -> int:
        """Tweets that had landed, or waited, with an observation that is not an hour older."""
        return self._total.duplicates

    @property
    def suppressed(self) -> int:
        """Tweets of authors who asked to be forgotten."""
        return self._total.suppressed

    @property
    def waiting(self) -> int:
        """Tweets in the open batch, not yet on disk; some may turn out to be duplicates."""
        return len(self._fresh) + len(self._unchecked)

    def add(self, tweet: Tweet, tally: Tally | None = None) -> None:
        """Take a tweet in. `tally` learns what becomes of it; without one only the writer's own counts do."""
        entry = _Entry(tweet, tally or self._total, _rank(tweet))
        tweet_id = tweet["id"]
        part = self._fresh if tweet_id in self._fresh else self._unchecked
        present = part.get(tweet_id)
        if present is None:
            if not self.waiting:
                self._opened_at = self._clock()
            part[tweet_id] = entry
        elif entry.rank > present.rank:
            entry.hash = present.hash
            part[tweet_id] = entry
            self._count("duplicates", present.tally)
        else:
            self._count("duplicates", entry.tally)
        self.flush_if_due()

    def flush_if_due(self) -> bool:
        """Land the open batch if it is full or old enough; to be called now and then when no tweet comes.

        Returns whether anything has landed.
        """
        size, unchecked = self._zone.batch_size, len(self._unchecked)
        if unchecked + len(self._fresh) >= size and unchecked >= min(size, _LOOKUP):
            self._check()
            if len(self._fresh) >= size:
                return self._land(size)
        if self.waiting and self._clock() - self._opened_at >= self._zone.batch_age_s:
            return self.flush()
        return False

    def flush(self) -> bool:
        """Land the open batch now. Returns whether there was anything to land.

        Raises:
            HomeError: if it cannot be written; the tweets then stay in the open batch.
        """
        self._check()
        landed = False
        while self._fresh:
            landed |= self._land(self._zone.batch_size)
        return landed

    def _check(self) -> None:
        """Tell the tweets that have landed before from those that have not."""
        if not self._unchecked:
            return
        try:
            version = self._version()
            for entry in self._unchecked.values():
                entry.hash = _hash(self._secret, entry.tweet["id"])
            known = self._known(self._unchecked.values())
        except sqlite3.Error as error:
            raise self._zone._index_error(error) from error
        self._checked_against = version if not self._fresh or version == self._checked_against else None
        for tweet_id, entry in self._unchecked.items():
            if entry.hash in known:
                self._count("duplicates", entry.tally)
            else:
                self._fresh[tweet_id] = entry
        self._unchecked = {}

    def _land(self, size: int) -> bool:
        """Write the first `size` tweets that wait as one batch, but for those that another process has landed."""
        batch = list(islice(self._fresh.values(), size))
        try:
            with _locked(self._index):
                authors = ((entry.tweet["author_id"], entry.tweet.get("original_author_id")) for entry in batch)
                permitted = self._suppression.permits(authors)
                known = set() if self._version() == self._checked_against else self._known(batch)
                fresh = [entry for entry, may in zip(batch, permitted, strict=True) if may and entry.hash not in known]
                if fresh:
                    key = self._zone._next_key(self._index, self._origin)
                    _write_batch(self._zone.path(key), [entry.tweet for entry in fresh])
                    self._zone._remember(self._index, key, ((entry.hash, entry.rank) for entry in fresh))
        except sqlite3.Error as error:
            raise self._zone._index_error(error) from error
        for entry, may in zip(batch, permitted, strict=True):
            self._count("suppressed" if not may else "duplicates" if entry.hash in known else "landed", entry.tally)
            del self._fresh[entry.tweet["id"]]
        self._opened_at = self._clock()
        self.batches += bool(fresh)
        return bool(fresh)

    def _version(self) -> int:
        """Changes whenever another process has changed the index."""
        version: int = self._index.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _known(self, entries: Iterable[_Entry]) -> set[bytes]:
        """The hashes of those that have landed with a rank that is not lower."""
        ranks = {entry.hash: entry.rank for entry in entries}
        known: set[bytes] = set()
        for hashes in _groups(ranks):
            marks = ",".join("?" * len(hashes))
            found = self._index.execute(
                f"SELECT hash, observed_hour FROM seen WHERE hash IN ({marks})",  # noqa: S608 - marks only
                hashes,
            )
            known.update(hashed for hashed, rank in found if ranks[hashed] <= rank)
        return known

    def _count(self, kind: str, tally: Tally) -> None:
        setattr(tally, kind, getattr(tally, kind) + 1)
        if tally is not self._total:
            setattr(self._total, kind, getattr(self._total, kind) + 1)


def read_batch(path: Path) -> list[Tweet]:
    """The tweets of one batch file. Raises InputError if it is missing or damaged."""
    try:
        with gzip.open(path, "rb") as file:
            return [orjson.loads(line) for line in file]
    except FileNotFoundError as error:
        raise InputError(
            f"there is no landed batch {path.name}: it was purged; delete its partition, or import its tweets again"
        ) from error
    except (OSError, EOFError, orjson.JSONDecodeError) as error:
        raise InputError(
            f"the landed batch {path} is damaged ({type(error).__name__}): remove it and import its tweets again"
        ) from error


def _write_batch(path: Path, tweets: Iterable[Tweet]) -> None:
    def write(file: BinaryIO) -> None:
        os.fchmod(file.fileno(), SECRET_FILE_MODE)
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=3, mtime=0) as packed:
            packed.write(b"".join(orjson.dumps(tweet, option=orjson.OPT_APPEND_NEWLINE) for tweet in tweets))

    write_atomically(path, write)


@contextmanager
def _locked(index: sqlite3.Connection) -> Iterator[None]:
    """Hold the one write lock of the index; what was written to it counts only if the block succeeds."""
    index.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        index.execute("ROLLBACK")
        raise
    index.execute("COMMIT")


def _secret(index: sqlite3.Connection) -> bytes:
    value: bytes = index.execute("SELECT value FROM facts WHERE name = 'hash key'").fetchone()[0]
    return value


def _last_stamp(index: sqlite3.Connection) -> str:
    stored = index.execute("SELECT value FROM facts WHERE name = 'last stamp'").fetchone()
    return stored[0] if stored else ""


def _hash(secret: bytes, tweet_id: str) -> bytes:
    return blake2b(tweet_id.encode(), key=secret, digest_size=16).digest()


def _rank(tweet: Tweet) -> int:
    """Which of two observations of a tweet counts: the higher. First the version of an edited tweet, then the hour.

    Hours since the epoch: stored times are that coarse, so a second look within the hour tells nothing new: a page
    that shifted while it was read is no later observation. This is the index's `observed_hour`; of a tweet that was
    never edited it is the hour alone.
    """
    version: int = tweet.get("version", 1)
    return ((version - 1) << 32) + _hour(tweet["observed_at"][:_TO_HOUR])


@lru_cache(maxsize=4096)
def _hour(beginning: str) -> int:
    """Hours since the epoch of a stored time, which is in UTC, by its beginning up to the hour."""
    return int(datetime.fromisoformat(beginning).replace(tzinfo=UTC).timestamp() // 3600)


def _groups(hashes: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
    """In groups that fit into one statement of SQLite."""
    remaining = iter(hashes)
    while group := tuple(islice(remaining, 500)):
        yield group

"""A release's rows in memory, so that a page of any filter and order is answered in milliseconds.

What belongs here: loading the rows of a release once a process, filtering, ordering and paging them. What does not:
where else they are read (`reader`), and what a filter may be.

All rows of a group are the same in every column, so a row is its place in the order of ids and the number of its group:
4 bytes a row, 4 more for each order that was asked for, and a group's values once. A release never changes, so a table
is made once, in a thread of its own. Until then readers go on with the release before, whose table is there; before the
first table they ask MongoDB.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pymongo
import structlog
from pymongo.database import Database

from tweet_profiles.contracts import RELEASED_PROFILES
from tweet_profiles.release.store import PART, row_id, row_parts

log = structlog.get_logger(__name__)

Document = dict[str, Any]

COLUMNS = tuple(RELEASED_PROFILES.columns)
SELECTIONS = 24
"""Filters whose rows are kept, at 4 bytes a row that they select."""
WAIT_S = 0.5
"""A request waits for a table that is being made no longer than this."""
LATEST_S = 600.0
"""After so long a new release is read though its table is not there."""
MISSING = np.iinfo(np.int32).max
"""The rank of a value that is missing."""
_NUMBER = re.compile(r"/([0-9]{1,10})$")


class ReleaseTable:
    """The rows of one release, in the order of their ids.

    Args:
        version: of the release.
        group_of: int (rows,): which of `groups` each row is of, in the order of ids: a row's place is its number.
        groups: the values of COLUMNS of each group.
    """

    def __init__(self, version: str, group_of: np.ndarray, groups: Sequence[tuple[Any, ...]]):
        self.version, self._groups = version, groups
        self._group_of = group_of.astype(np.int32)
        # From an empty release, of which nobody could be shown, columns come out empty.
        values = [[row[place] for row in groups] for place in range(len(COLUMNS))]
        self._columns = {name: np.array(column, object) for name, column in zip(COLUMNS, values, strict=True)}
        self._ranks: dict[str, np.ndarray] = {}
        self._amounts: dict[str, np.ndarray] = {}
        self._selections: OrderedDict[tuple[Any, ...], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._group_of)

    def page(
        self, chosen: Document, sort: str | None, descending: bool, after: Sequence[Any] | None, limit: int
    ) -> list[Document]:
        """See `Reader.page`: the same rows in the same order."""
        places = self._selected(chosen, sort, descending)
        start = 0 if after is None else self._start(places, sort, descending, after)
        return [self._document(place) for place in places[start : start + limit].tolist()]

    def parts(self, chosen: Document) -> Iterator[list[Document]]:
        """All chosen rows in the order of their ids, in at least one part."""
        places = self._selected(chosen, None, descending=False)
        for start in range(0, max(1, len(places)), PART):
            yield [self._document(place) for place in places[start : start + PART].tolist()]

    def _document(self, place: int) -> Document:
        values = self._groups[self._group_of[place]]
        return {"_id": row_id(self.version, place), **dict(zip(COLUMNS, values, strict=True))}

    def _selected(self, chosen: Document, sort: str | None, descending: bool) -> np.ndarray:
        """Places of the chosen rows in order."""
        key = (repr(sorted(chosen.items())), sort, descending)
        with self._lock:
            if key in self._selections:
                self._selections.move_to_end(key)
                return self._selections[key]
        places = np.flatnonzero(self._mask(chosen)[self._group_of]).astype(np.int32)
        if sort is not None:
            # Stable, so that rows of the same value stay in the order of their ids.
            places = places[np.argsort(self._rank(sort, descending)[self._group_of[places]], kind="stable")]
        with self._lock:
            self._selections[key] = places
            while len(self._selections) > SELECTIONS:
                self._selections.popitem(last=False)
        return places

    def _start(self, places: np.ndarray, sort: str | None, descending: bool, after: Sequence[Any]) -> int:
        """How many of the ordered places are not after the row of a value and an id."""
        value, last = after
        found = _NUMBER.search(str(last))
        place = int(found[1]) if found else 0
        if sort is None:
            return int(np.searchsorted(places, place, side="right"))
        ranks = self._rank(sort, descending)
        rank = ranks[self._group_of[places]]
        known = np.flatnonzero(self._columns[sort] == value)
        own = int(ranks[known[0]]) if len(known) else 0
        begin, end = (int(np.searchsorted(rank, own, side=side)) for side in ("left", "right"))
        return begin + int(np.searchsorted(places[begin:end], place, side="right"))

    def _rank(self, column: str, descending: bool) -> np.ndarray:
        """The order of a column's values, by group; equal values have equal ranks, what is missing the last."""
        with self._lock:
            if column not in self._ranks:
                values = self._columns[column]
                told = np.array([value is not None for value in values], bool)
                ranks = np.full(len(values), MISSING, np.int32)
                ranks[told] = np.unique(values[told], return_inverse=True)[1]
                self._ranks[column] = ranks
            ranks = self._ranks[column]
        return np.where(ranks == MISSING, MISSING, -ranks) if descending else ranks

    def _amount(self, column: str) -> np.ndarray:
        """A column's numbers, by group."""
        with self._lock:
            if column not in self._amounts:
                self._amounts[column] = self._columns[column].astype(np.float64)
            return self._amounts[column]

    def _mask(self, chosen: Document) -> np.ndarray:
        """Which groups a filter of `reader.filter_of` selects."""
        mask = np.ones(len(self._groups), bool)
        for column, wanted in chosen.items():
            for operator, bound in wanted.items():
                if operator == "$eq":
                    mask &= self._columns[column] == bound
                elif operator == "$gte":
                    mask &= self._amount(column) >= bound
                elif operator == "$lte":
                    mask &= self._amount(column) <= bound
                else:
                    raise ValueError(f"a filter of {operator} is not known here")
        return mask


def load(database: Database[Document], version: str) -> ReleaseTable:
    """Read the rows of a release into a table.

    Raises:
        PyMongoError: if the connection is lost.
        ValueError: if rows are missing.
    """
    seen: dict[tuple[Any, ...], int] = {}
    intern: dict[Any, Any] = {}
    group_of: list[np.ndarray] = []
    release = database.releases.find_one({"_id": version}, {"authors": 1})
    if release is None:
        raise ValueError(f"release {version} is not there")
    for rows in row_parts(database, version, release["authors"]):
        places = []
        for row in rows:
            # A value stands in memory once, however many groups have it.
            values = tuple(intern.setdefault((value, type(value)), value) for value in map(row.get, COLUMNS))
            places.append(seen.setdefault(values, len(seen)))
        group_of.append(np.array(places, np.int32))
    if sum(map(len, group_of)) != release["authors"]:
        raise ValueError(f"release {version} is not all there")
    return ReleaseTable(version, np.concatenate([np.empty(0, np.int32), *group_of]), list(seen))


class Tables:
    """The tables of a process: of the release that is read and of the one before."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], ReleaseTable] = {}
        self._making: dict[tuple[str, str], threading.Event] = {}
        self._first_seen: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def get(self, database: Database[Document], version: str) -> ReleaseTable | None:
        """The table of a release, if it is there."""
        with self._lock:
            return self._tables.get((database.name, version))

    def readable(self, database: Database[Document], version: str) -> str:
        """The release to read while `version` is current: the one before until its table is made, for a while."""
        key = (database.name, version)
        with self._lock:
            if key in self._tables:
                return version
            made = self._making.get(key)
            if made is None:
                made = self._making[key] = threading.Event()
                threading.Thread(target=self._make, args=(database, version, made), name="table", daemon=True).start()
            waited = time.monotonic() - self._first_seen.setdefault(key, time.monotonic())
        if waited < WAIT_S:
            made.wait(WAIT_S)
        with self._lock:
            older = max((own for name, own in self._tables if name == database.name and own < version), default=None)
            return version if key in self._tables or older is None or waited > LATEST_S else older

    def _make(self, database: Database[Document], version: str, made: threading.Event) -> None:
        key = (database.name, version)
        begun = time.monotonic()
        try:
            table = load(database, version)
            with self._lock:
                self._tables[key] = table
                self._first_seen.pop(key, None)
                for older in sorted(own for own in self._tables if own[0] == database.name)[:-2]:
                    del self._tables[older]
            log.info("holds a release in memory", rows=len(table), seconds=round(time.monotonic() - begun, 1))
        except (pymongo.errors.PyMongoError, ValueError) as error:
            # Readers ask MongoDB; the next request tries again.
            log.warning("a release could not be held in memory", error=type(error).__name__)
        finally:
            with self._lock:
                self._making.pop(key, None)
            made.set()


tables = Tables()

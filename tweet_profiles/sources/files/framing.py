"""What the framing of every kind of file gives: records, broken ones, and those that are none.

What belongs here: the plain values that pass from the framing modules to the import. What does not: how they are
found (`tables`, `documents`, `workbooks`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tweet_profiles.sources.formats.records import Record, Shape


@dataclass(frozen=True)
class Broken:
    """A record that could not be parsed, alone and whole, with where it stands."""

    number: int
    unit: str
    reason: str
    raw: str | bytes


@dataclass(frozen=True)
class Skipped:
    """Something in the file that is no record: a header that comes again, a row of empty cells."""

    reason: str


Item = Record | Broken | Skipped


@dataclass(frozen=True)
class Framed:
    """One file, cut into records.

    Attributes:
        shape: whether a record is a JSON value or a row of a table.
        items: the records in the order of the file; read once.
        header: the column names of a table; None if it has none, its columns are then named "1", "2", and so on.
        facts: what was found out on the way, for people: "separated by semicolons", "UTF-16".
    """

    shape: Shape
    items: Iterator[Item]
    header: Sequence[str] | None = None
    facts: tuple[str, ...] = ()

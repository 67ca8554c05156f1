"""What a record of a file means: which export it belongs to, and the tweets in it.

What belongs here: finding out what a file's records are, once a file, and the conversion of each. What does not:
opening files, their encodings and framing (`sources.files`), and what has landed (`landing.zone`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tweet_profiles.errors import InputError, SettingError
from tweet_profiles.landing.tweets import BadRecord, Converted
from tweet_profiles.sources.formats.form import each
from tweet_profiles.sources.formats.records import FIELDS, ReadOptions, Record, Shape
from tweet_profiles.sources.formats.tables import COLUMNS, from_row
from tweet_profiles.sources.formats.v1 import from_v1
from tweet_profiles.sources.formats.v2 import from_flattened, from_page

__all__ = ["FIELDS", "ReadOptions", "Reading", "Record", "convert", "recognise"]

REQUIRED = ("id", "text", "created_at")


@dataclass(frozen=True)
class Reading:
    """How one file is read. Made by `recognise`.

    Attributes:
        name: what the file is, as told to people: "a plain CSV".
        columns: our field to where it is read from.
        unused: columns of the file that are not used.
        missing: our fields that the file lacks.
        notes: sentences worth telling.
    """

    name: str
    columns: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    table: bool = False

    def convert(self, record: Record) -> Converted:
        """The tweets of one record, and the reason of each that could not be used."""
        try:
            if not self.table:
                return convert(record.value)
            cells = {name: record.value.get(column) for name, column in self.columns.items()}
            return Converted(tweets=[from_row({**self.constants, **cells})])
        except BadRecord as error:
            return Converted(errors=[error])


def recognise(
    sample: Sequence[Record],  # noqa: ARG001
    shape: Shape,
    options: ReadOptions,
    header: Sequence[str] | None,
    source: str,
) -> Reading:
    """Find out how the records of a file are to be read.

    Args:
        sample: the first records of the file, up to 1,000.
        shape: "json" or "table".
        options: what the user said.
        header: the column names of a table; None if it has none.
        source: the file as named in messages.

    Raises:
        InputError: if the records cannot be read as tweets; says what they are and what to do.
        SettingError: if an option names a field that does not exist.
    """
    unknown = (set(options.columns) | set(options.constants)) - set(FIELDS)
    if unknown:
        raise SettingError(f"{', '.join(sorted(unknown))}: no such field; the fields are {', '.join(FIELDS)}")
    if shape == "json":
        return Reading("JSON of X")
    columns = list(header or [])
    given = {column.strip().lower(): column for column in columns}
    mapping: dict[str, str] = {}
    for name, candidates in COLUMNS.items():
        wanted = options.columns.get(name)
        if wanted is not None and wanted not in columns:
            raise InputError(f"{source}: no column {wanted} for {name}; its columns are {', '.join(columns)}")
        column = wanted or next((given[candidate] for candidate in candidates if candidate in given), None)
        if column is not None and column not in mapping.values():
            mapping[name] = column
    present = {*mapping, *options.constants}
    missing = [name for name in REQUIRED if name not in present]
    if not {"author_id", "author_handle"} & present:
        missing.append("author_id")
    if missing:
        raise InputError(
            f"{source}: no column for {', '.join(missing)}; its columns are {', '.join(columns)}. "
            f"Name it with --column {missing[0]}=COLUMN"
        )
    unused = tuple(column for column in columns if column not in mapping.values())
    lacking = tuple(name for name in FIELDS if name not in present)
    return Reading("a plain CSV", mapping, unused, lacking, (), options.constants, table=True)


def convert(record: Any, *, observed_at: datetime | None = None) -> Converted:
    """Turn one JSON value of any known format into tweets.

    Args:
        record: a v2 page or stream message (`data`, `includes`), a flattened v2 tweet as twarc2 writes it, a
            v1.1 tweet, or a v1.1 search page (`statuses`).
        observed_at: when it was read from X; without it `__twarc.retrieved_at`, else the tweet's own time.

    Raises:
        BadRecord: if it is none of these.
    """
    if not isinstance(record, dict):
        raise BadRecord("is not a JSON object")
    if "statuses" in record:
        return each(record["statuses"], lambda tweet: from_v1(tweet, observed_at=observed_at))
    if "id_str" in record or "user" in record:
        return each([record], lambda tweet: from_v1(tweet, observed_at=observed_at))
    if "author_id" in record or ("id" in record and "text" in record):
        return each([record], lambda tweet: from_flattened(tweet, observed_at=observed_at))
    if "data" in record or "meta" in record:
        return from_page(record, observed_at=observed_at)
    if "delete" in record:
        raise BadRecord("is a deletion notice, not a tweet: give it to `tweet-profiles forget --notices`")
    if "errors" in record or "title" in record:
        raise BadRecord("is an error answer of the API, not a tweet")
    raise BadRecord("is neither a page of tweets nor a tweet: it has none of data, statuses, id_str, author_id")

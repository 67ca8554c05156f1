"""What passes between reading files and reading records: the record as it stood, and what the user said of it.

What belongs here: plain values without behaviour. What does not: opening files (`sources.files`) and what a record
means (the other modules of this room).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tweet_profiles.landing.tweets import AUTHOR_COUNTS, FLAGS, TWEET_COUNTS

Shape = Literal["json", "table"]

FIELDS = (
    "id",
    "author_id",
    "author_handle",
    "text",
    "created_at",
    "observed_at",
    "lang",
    "source",
    "hashtags",
    *TWEET_COUNTS,
    *FLAGS,
    "original_author_id",
    *AUTHOR_COUNTS,
    "account_created_at",
    "verified",
    "verified_type",
    "protected",
)
"""The names of our fields, as --column and --value take them."""


class Record(NamedTuple):
    """One record of a file: a line of JSON, an item of an array, a row of a table.

    Attributes:
        number: 1-based number of the line, record or row, by which a person finds it again in the file.
        unit: what `number` counts: "line", "record" or "row".
        value: the parsed JSON value; of a table a dict of column name to cell (text, or typed for Parquet and Excel).
        raw: the record as it stood, for the quarantine; "" if only `value` is known.
    """

    number: int
    unit: str
    value: Any
    raw: str


@dataclass(frozen=True)
class ReadOptions:
    """What the user said of how to read a file.

    Attributes:
        columns: our field to a column's name, its number (from 1), or a dotted path ("user.screen_name").
        constants: our field to the one value that all records have.
        date_format: a strptime format, or the order of day, month and year: "dmy", "mdy" or "ymd".
        time_zone: IANA name of the zone of times that tell none; UTC if not given.
        make_ids: make ids from the kind of source, the author, the time and the text.
        retweets: whether the file was collected with retweets; None if the user did not say.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    time_zone: str | None = None
    make_ids: bool = False
    retweets: bool | None = None

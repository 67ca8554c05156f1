"""All scores of an author's tweets as one document, a bucket: packing, merging and unpacking.

What belongs here: pure functions. What does not: MongoDB (`store`), and the numbers in a profile (`compute`).

A bucket is {_id: pseudonym of the author, writes, tweets}; `tweets` is JSON text, a list of rows with the values of
FIELDS in that order, sorted by hour and pseudonym. One document an author, because most authors tweet once or twice and
what a database asks for is paid by the document and by the field; as one text, because nobody queries inside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import orjson
import pandas as pd

from tweet_profiles.contracts import ACCOUNT_COUNTS, ENGAGEMENT, TWEET_FLAGS, UTC, language_tag

Row = list[Any]
Outcome = Literal["new", "replaced", "known"]

MOST_TWEETS = 20_000
"""An author's newest tweets so many are kept: nobody wrote more about a brand who is no machine, and the document stays
far below MongoDB's 16 MB."""
SCORE_DIGITS = 4
FIELDS = (
    "tweet_key",
    "order",
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
    "has_hour",
    "retweets_collected",
    "not_scored",
)
"""`order` is a text by which observations of a tweet sort from old to new; times are whole hours since 1970. New fields
come last: what was stored without them is filled up by a migration (`schema`)."""
TWEET, ORDER, CREATED, LANG = (FIELDS.index(name) for name in ("tweet_key", "order", "created_hour", "lang"))
_TIMES = ("created_hour", "account_created_month")
_SECONDS = 3_600
_TYPES: dict[str, Any] = {
    **dict.fromkeys((*ENGAGEMENT, *ACCOUNT_COUNTS), "Int64"),
    **dict.fromkeys((*TWEET_FLAGS, "verified", "protected", "has_hour", "retweets_collected"), "boolean"),
    **dict.fromkeys(("tweet_key", "lang", "client_kind", "verified_kind", "label", "not_scored"), "string"),
    **dict.fromkeys(("sentiment", "subjectivity"), "float64"),
}


def rows_of(scored: pd.DataFrame, batch: str) -> list[Row]:
    """The rows of a batch's SCORED_TWEETS, in its order.

    Args:
        scored: SCORED_TWEETS.
        batch: its key. Of observations in the same hour, that of the batch that sorts later is newer.
    """
    hours = scored["observed_hour"].dt.strftime("%Y%m%d%H")
    order = [
        f"{_version(version)}{hour}/{batch}/{position:08d}"
        for version, hour, position in zip(scored["version"], hours, scored["position"], strict=True)
    ]
    columns = [order if name == "order" else _packed(name, scored[name]) for name in FIELDS]
    return [list(row) for row in zip(*columns, strict=True)]


def _version(number: int) -> str:
    """What stands before the time in the order of a later version of an edited tweet: it sorts after all digits."""
    return "" if number == 1 else f"v{number:019d}/"


def observed(order: pd.Series) -> pd.Series:
    """Orders without the version: by these the observations of an account sort from old to new."""
    return order.str.replace(r"^v[0-9]+/", "", regex=True)


def _packed(name: str, column: pd.Series) -> list[Any]:
    if name in ("sentiment", "subjectivity"):
        rounded = column.astype("float64").round(SCORE_DIGITS)
        return rounded.astype(object).where(rounded.notna(), None).tolist()
    if name == "not_scored":
        # A bucket has no place for a blank: no text can be in it.
        return [None if pd.isna(reason) else reason.replace(" ", "_") for reason in column]
    if name == "topics":
        return [list(topics) for topics in column]
    if name in _TIMES:
        return [None if pd.isna(time) else _hours_of(time) for time in column]
    return [None if pd.isna(value) else value for value in column.astype(object)]


def merge(stored: Sequence[Row], arriving: Iterable[Row]) -> tuple[list[Row], list[Outcome]]:
    """An author's rows after further ones, and what became of each of those.

    Of a tweet the later version counts, of that the later observation, and of the same observation the last scores. The
    result does not depend on the order in which observations arrive, and merging anything a second time changes
    nothing.

    Returns:
        At most MOST_TWEETS rows, sorted; and for each arriving row whether its tweet is new to the stored ones, its
        stored row was replaced, or nothing changed.
    """
    rows: dict[str, Row] = {row[TWEET]: row for row in stored}
    outcomes: list[Outcome] = []
    for row in arriving:
        present = rows.get(row[TWEET])
        if present is None:
            outcomes.append("new")
        elif row[ORDER] < present[ORDER] or row == present:
            outcomes.append("known")
            continue
        else:
            outcomes.append("replaced")
        rows[row[TWEET]] = row
    return sorted(rows.values(), key=lambda row: (row[CREATED], row[TWEET]))[-MOST_TWEETS:], outcomes


def row_of_version_1(document: Mapping[str, Any]) -> Row:
    """The row of a score that schema version 1 kept as a document of its own."""
    values = {"has_hour": True, **document, "tweet_key": document["_id"], "topics": document.get("topics", [])}
    return [_hours_of(values.get(name)) if name in _TIMES else values.get(name) for name in FIELDS]


def row_of_version_2(row: Row) -> Row:
    """A row that schema version 2 kept, which knew neither days without an hour nor tweets without a score."""
    if len(row) == len(FIELDS):
        return row
    filled = [*row, True, None, None]
    filled[LANG] = language_tag(row[LANG])
    return filled


def _hours_of(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp()) // _SECONDS


def pack(rows: Sequence[Row]) -> str:
    """The `tweets` of a bucket."""
    return orjson.dumps(rows).decode()


def unpack(bucket: Mapping[str, Any]) -> list[Row]:
    """The rows of a bucket."""
    rows: list[Row] = orjson.loads(bucket["tweets"])
    return rows


def score_frame(rows_of_author: Mapping[str, Sequence[Row]]) -> pd.DataFrame:
    """Rows by author as `compute.profiles_of` takes them."""
    columns = zip(*(row for rows in rows_of_author.values() for row in rows), strict=True)
    frame = pd.DataFrame(
        {name: _series(name, values) for name, values in zip(FIELDS, columns, strict=True)}, columns=list(FIELDS)
    )
    authors = [author for author, rows in rows_of_author.items() for _ in rows]
    return frame.assign(author_key=pd.Series(authors, dtype="string"))


def _series(name: str, values: Sequence[Any]) -> pd.Series:
    if name in _TIMES:
        seconds = pd.Series(values, dtype="Int64").astype("float64") * _SECONDS
        return pd.to_datetime(seconds, unit="s", utc=True).astype(UTC)
    if name == "not_scored":
        values = [None if reason is None else reason.replace("_", " ") for reason in values]
    return pd.Series(values, dtype=_TYPES.get(name, object))

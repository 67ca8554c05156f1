"""A landed batch as the table `raw_tweets`.

What belongs here: types, and one row a tweet. What does not: files, and anything computed from a tweet.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import pandera.errors
import pandera.pandas as pa

from tweet_profiles.contracts import (
    FIRST_TWEET,
    RAW_TWEETS,
    UTC,
    VERIFIED_KINDS,
    is_hashtag,
    is_storable,
    language_tag,
)
from tweet_profiles.landing.tweets import FLAGS

_COUNT_COLUMNS = {
    "likes": "like_count",
    "retweets": "retweet_count",
    "replies": "reply_count",
    "quotes": "quote_count",
}
_ACCOUNT_COLUMNS = {
    "followers": "followers_count",
    "following": "following_count",
    "posts": "tweet_count",
    "listed": "listed_count",
}


_EACH_ROW = pa.DataFrameSchema(RAW_TWEETS.columns, strict=True)
"""The contract of a row: that a tweet is there twice is no fault before the latest is chosen."""


@dataclass(frozen=True)
class RawBatch:
    """A batch as a table, and what was left out of it: `read` = rows + duplicates + `left_out`."""

    frame: pd.DataFrame
    read: int
    left_out: list[tuple[int, str]]
    """The number of each record that cannot be used, from 1, and why, without any content of it."""

    @property
    def duplicates(self) -> int:
        """Observations that a later one of the same tweet replaced."""
        return self.read - len(self.frame) - len(self.left_out)

    @property
    def reasons(self) -> Counter[str]:
        """How many records were left out for each reason."""
        return Counter(reason for _, reason in self.left_out)


def raw_frame(records: Iterable[Mapping[str, Any]]) -> RawBatch:
    """Give a batch's tweets the columns and types of `RAW_TWEETS`.

    Of several observations of one tweet the highest version stays, and of those the latest, at the place of the first;
    of two at the same time the later in the batch. What a tweet tells as its language, a hashtag or a kind of
    verification and is none is taken as not told, and so is a birth of the account before X's own. Records that break
    the contract are left out, each alone.
    """
    rows: dict[int, dict[str, Any]] = {}
    left_out: dict[int, str] = {}
    read = 0
    for read, record in enumerate(records, start=1):
        try:
            rows[read] = _row(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            left_out[read] = f"is not in the form of a tweet ({type(error).__name__})"
    # Before the latest is chosen: a broken observation must not replace a sound one.
    left_out |= _broken(rows)
    latest: dict[str, dict[str, Any]] = {}
    for number, row in rows.items():
        present = latest.get(row["tweet_id"])
        if number not in left_out and (present is None or _age(row) >= _age(present)):
            latest[row["tweet_id"]] = row
    return RawBatch(_typed(latest.values()), read, sorted(left_out.items()))


def _age(row: Mapping[str, Any]) -> tuple[int, datetime]:
    return row["version"], row["observed_at"]


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    author = record.get("author") or {}
    metrics, account = record.get("public_metrics") or {}, author.get("public_metrics") or {}
    born = author.get("created_at")
    account_created_at = None if born is None else _time(born)
    return {
        "tweet_id": str(record["id"]),
        "author_id": str(record["author_id"]),
        "text": _text(record.get("text")),
        "created_at": _time(record["created_at"]),
        "observed_at": _time(record["observed_at"]),
        "source": _text(record.get("source")),
        "hashtags": [tag for tag in (str(tag).lower() for tag in record["hashtags"]) if is_hashtag(tag)],
        "account_created_at": None
        if account_created_at is None or account_created_at < FIRST_TWEET
        else account_created_at,
        "lang": language_tag(record.get("lang")),
        **{name: _flag(record.get(name)) for name in FLAGS},
        **{column: _count(metrics.get(name)) for column, name in _COUNT_COLUMNS.items()},
        **{column: _count(account.get(name)) for column, name in _ACCOUNT_COLUMNS.items()},
        "verified": _flag(author.get("verified")),
        "verified_kind": kind if (kind := author.get("verified_type")) in VERIFIED_KINDS else None,
        "protected": _flag(author.get("protected")),
        "has_hour": _flag(record.get("has_hour")) is not False,
        "version": 1 if (version := _count(record.get("version"))) is None else version,
        "retweets_collected": _flag(record.get("retweets_collected")),
    }


def _time(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time tells its zone")
    return moment


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and is_storable(value)):
        return value
    raise ValueError("a text is a string without NUL and halves of characters, or absent")


def _flag(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise TypeError("a flag is true, false or absent")


def _count(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value < 2**63):
        return value
    raise TypeError("a count is a whole number or absent")


def _typed(rows: Collection[Mapping[str, Any]]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, column in RAW_TWEETS.columns.items():
        values = [row[name] for row in rows]
        if str(column.dtype) == str(UTC):
            columns[name] = pd.to_datetime(pd.Series(values, dtype=object), utc=True).astype(UTC)
        elif name == "hashtags":
            columns[name] = pd.Series(values, dtype=object)
        else:
            columns[name] = pd.Series(values, dtype=str(column.dtype))
    return pd.DataFrame(columns)


def _broken(rows: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """Which rows break the contract, and the first way in which they do."""
    frame = _typed(rows.values()).set_index(pd.Index(list(rows), dtype="int64"))
    try:
        _EACH_ROW.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return {}
    if cases["index"].isna().any():
        raise RuntimeError("raw_tweets breaks its contract as a whole")
    first = cases.drop_duplicates("index")
    return {int(row.index): f"{row.column}: {row.check}" for row in first.itertuples(index=False)}

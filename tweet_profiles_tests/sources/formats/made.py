"""Records of made-up files for the tests of formats."""

from collections.abc import Mapping, Sequence
from typing import Any

from tweet_profiles.landing.tweets import Converted, Tweet
from tweet_profiles.sources.formats import Reading, ReadOptions, Record, recognise

FIRST_ID = 1_650_000_000_000_000_000


def tweet_id(number: int) -> str:
    """An id as X gives them."""
    return str(FIRST_ID + number * 4_194_304_123)


def plain_rows(count: int = 3, **cells: Any) -> list[dict[str, Any]]:
    """Rows of a plain table; `cells` are the same in all, or a list of one for each."""
    rows = []
    for number in range(count):
        row = {
            "id": tweet_id(number),
            "author_id": str(700 + number),
            "text": f"a cup of norvella, number {number}",
            "created_at": f"2023-06-0{number % 9 + 1}T08:15:00Z",
        }
        rows.append(row | {name: cell[number] if isinstance(cell, list) else cell for name, cell in cells.items()})
    return rows


def read_table(rows: Sequence[Mapping[str, Any]], **options: Any) -> Reading:
    """How a table of these rows is read."""
    records = [Record(number, "row", dict(row), "") for number, row in enumerate(rows, start=2)]
    return recognise(records, "table", ReadOptions(**options), list(rows[0]), "made.csv")


def read_headless(rows: Sequence[Sequence[str]], **options: Any) -> Reading:
    """How a table without column names is read."""
    records = [Record(number, "row", numbered(row), "") for number, row in enumerate(rows, start=1)]
    return recognise(records, "table", ReadOptions(**options), None, "made.csv")


def numbered(row: Sequence[str]) -> dict[str, str]:
    """A row of a table without column names, as the framing gives it."""
    return {str(number): cell for number, cell in enumerate(row, start=1)}


def read_json(values: Sequence[Any], **options: Any) -> Reading:
    """How JSON records of these values are read."""
    records = [Record(number, "line", value, "") for number, value in enumerate(values, start=1)]
    return recognise(records, "json", ReadOptions(**options), None, "made.jsonl")


def converted(reading: Reading, values: Sequence[Any]) -> Converted:
    """All that these records hold."""
    whole = Converted()
    for number, value in enumerate(values, start=1):
        one = reading.convert(Record(number, "line", value, ""))
        whole.tweets += one.tweets
        whole.errors += one.errors
        whole.skipped += one.skipped
    return whole


def table_tweets(rows: Sequence[Mapping[str, Any]], **options: Any) -> list[Tweet]:
    """The tweets of a table, all of whose rows can be read."""
    result = converted(read_table(rows, **options), rows)
    assert result.errors == []
    return result.tweets


def json_tweets(values: Sequence[Any], **options: Any) -> list[Tweet]:
    """The tweets of JSON records, all of which can be read."""
    result = converted(read_json(values, **options), values)
    assert result.errors == []
    return result.tweets

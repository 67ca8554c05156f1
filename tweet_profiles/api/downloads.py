"""Released rows as a stream of bytes: CSV, JSON lines, Parquet. Memory stays flat however many rows there are.

What belongs here: how parts of rows become bytes. What does not: which rows.
"""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pyarrow as arrow
from pyarrow import parquet

from tweet_profiles.api.table import COLUMNS
from tweet_profiles.release.files import arrow_type, safe_cell

Parts = Iterator[list[dict[str, Any]]]


def as_csv(parts: Parts) -> Iterator[bytes]:
    """RFC 4180 with a byte order mark, by which spreadsheets know UTF-8; no cell is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    text.write("\ufeff")
    writer.writerow(COLUMNS)
    for part in parts:
        writer.writerows([safe_cell(row.get(name)) for name in COLUMNS] for row in part)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def as_json_lines(parts: Parts) -> Iterator[bytes]:
    """One JSON object a line."""
    for part in parts:
        yield b"".join(orjson.dumps({name: row.get(name) for name in COLUMNS}) + b"\n" for row in part)


def as_parquet(parts: Parts) -> Iterator[bytes]:
    """Parquet, zstd, a row group for each ten parts."""
    sink = _Sink()
    schema = arrow.schema([(name, arrow_type(name)) for name in COLUMNS])
    with parquet.ParquetWriter(arrow.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for group in _together(parts, 10):
            rows = [{name: row.get(name) for name in COLUMNS} for row in group]
            writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
            yield sink.take()
    yield sink.take()


FORMS: dict[str, tuple[str, Callable[[Parts], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "jsonl": ("application/x-ndjson", as_json_lines),
    "parquet": ("application/vnd.apache.parquet", as_parquet),
}


class _Sink(io.RawIOBase):
    """A file that gives away what was written to it."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += memoryview(data)
        return memoryview(data).nbytes

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def _together(parts: Parts, size: int) -> Parts:
    waiting: list[dict[str, Any]] = []
    for number, part in enumerate(parts, 1):
        waiting += part
        if number % size == 0:
            yield waiting
            waiting = []
    yield waiting

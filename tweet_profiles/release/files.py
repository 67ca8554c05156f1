"""The release as files: CSV for spreadsheets, Parquet for everything else.

What belongs here: how rows become files. What does not: what is in a release (`anonymise`).

Rows are streamed; a file appears whole under its name or not at all. A cell that a spreadsheet would take for a formula
(OWASP, "CSV Injection": it begins with = + - @, a tab or a line break) gets an apostrophe in front.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pandera.pandas as pa
import pyarrow as arrow
from pyarrow import parquet
from pymongo.database import Database

from tweet_profiles.contracts import RELEASED_PROFILES
from tweet_profiles.errors import DatabaseError
from tweet_profiles.home import write_atomically
from tweet_profiles.release.shown import complete_view
from tweet_profiles.release.store import VIEWS, Release, ReleaseStore

CSV_NAME, PARQUET_NAME = "released_profiles.csv", "released_profiles.parquet"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width forms count too
_ROWS = 20_000
_NAMED_AFTER = "segment"
_COLUMNS = [
    told for name in RELEASED_PROFILES.columns for told in ((name, "segment_name") if name == _NAMED_AFTER else (name,))
]
"""The contract's columns, and the segment's name behind its number."""


@dataclass(frozen=True)
class Exported:
    """The files of an export, and how many rows each holds."""

    release: Release
    files: list[Path]
    rows: int


def export(database: Database[dict[str, Any]], folder: Path, formats: tuple[str, ...] = ("csv", "parquet")) -> Exported:
    """Write the current release with the segments' names to `folder`.

    Raises:
        DatabaseError: if there is no release yet, or it was dropped while it was read.
        HomeError: if the folder cannot be written.
    """
    store = ReleaseStore(database)
    release = store.current()
    if release is None:
        raise DatabaseError("there is no release yet: `tweet-profiles run` makes one after grouping the authors")
    complete_view(database)
    # Not of the clustering, which may be gone by now: readers can stay on a release for many nights.
    view = database[VIEWS].find_one({"_id": release.version}, {"segments.segment": 1, "segments.name": 1})
    names = {int(segment["segment"]): str(segment["name"]) for segment in (view or {"segments": []})["segments"]}
    writers = {"csv": (CSV_NAME, write_csv), "parquet": (PARQUET_NAME, write_parquet)}
    files = []
    for form in formats:
        name, write = writers[form]
        frames = _named(store, release, names)
        files.append(write_atomically(folder / name, partial(write, frames)))
    return Exported(release, files, release.authors)


def write_csv(frames: Iterator[pd.DataFrame], file: BinaryIO) -> None:
    """Write frames as one CSV (RFC 4180, UTF-8 with a byte order mark, by which spreadsheets know it)."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for frame in frames:
        columns = [[safe_cell(value) for value in frame[name].astype(object)] for name in _COLUMNS]
        writer.writerows(zip(*columns, strict=True))
    text.flush()
    text.detach()


def write_parquet(frames: Iterator[pd.DataFrame], file: BinaryIO) -> None:
    """Write frames as one Parquet file, a row group each; its types are the contract's, whatever is missing."""
    schema = arrow.schema([(name, arrow.string() if name == "segment_name" else arrow_type(name)) for name in _COLUMNS])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for frame in frames:
            writer.write_table(arrow.Table.from_pandas(frame, schema=schema, preserve_index=False))


def arrow_type(name: str) -> arrow.DataType:
    """The Arrow type of a released column, by its contract."""
    column: pa.Column = RELEASED_PROFILES.columns[name]
    kind = str(column.dtype)
    if kind == "boolean":
        return arrow.bool_()
    if kind.lower().startswith("int"):
        return arrow.int64()
    return arrow.string() if kind.startswith("str") else arrow.float64()


def safe_cell(value: Any) -> Any:
    """A value as a spreadsheet may read it: no text begins a formula, nothing stands for what is missing."""
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def _named(store: ReleaseStore, release: Release, names: dict[int, str]) -> Iterator[pd.DataFrame]:
    """The rows with the segments' names; raises DatabaseError if some are gone at the end."""
    seen = 0
    for frame in store.frames(release, _ROWS):
        seen += len(frame)
        yield frame.assign(segment_name=frame["segment"].map(names).astype("string"))
    if seen != release.authors:
        raise DatabaseError(
            f"release {release.version} was dropped while it was read ({seen} of {release.authors} rows): export again"
        )

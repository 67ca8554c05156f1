"""Excel and LibreOffice workbooks and Parquet into rows.

What belongs here: what the libraries that read them need to be told. What does not: what the columns mean
(`sources.formats`). Cells keep their types: numbers, dates, lists.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from tweet_profiles.errors import InputError
from tweet_profiles.sources.files.framing import Framed, Item, Skipped
from tweet_profiles.sources.files.tables import column_names, looks_like_data
from tweet_profiles.sources.formats.records import Record

PARQUET_MAGIC = b"PAR1"
WORKBOOK_MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_ROWS = 1000


def frame_parquet(file: BinaryIO, name: str) -> Framed:
    """The rows of a Parquet file, read by row groups.

    Raises:
        InputError: if it is damaged.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{name} is a damaged Parquet file: fetch it or write it again") from error
    return Framed("table", _parquet_rows(table, name), list(table.schema_arrow.names), ("Parquet",))


def _parquet_rows(table: object, name: str) -> Iterator[Item]:
    import pyarrow

    number = 0
    try:
        for batch in table.iter_batches(batch_size=_ROWS):  # type: ignore[attr-defined]
            for row in batch.to_pylist():
                number += 1
                yield Record(number, "row", row, "")
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{name} is damaged after row {number}: fetch it or write it again") from error


def sheets_of(file: BinaryIO) -> list[str]:
    """The names of the sheets that have rows; none of a workbook that cannot be read."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_filelike(file)
        return [name for name in workbook.sheet_names if workbook.get_sheet_by_name(name).height]
    except CalamineError:
        return []


def frame_workbook(file: BinaryIO, name: str, *, sheet: str | None = None, has_header: bool | None = None) -> Framed:
    """The rows of a sheet; without one, of the first that has any.

    Raises:
        InputError: if the workbook cannot be read or has no rows.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_filelike(file)
        for sheet_name in workbook.sheet_names if sheet is None else [sheet]:
            rows = workbook.get_sheet_by_name(sheet_name).to_python(skip_empty_area=False)
            if any(any(_is_filled(cell) for cell in row) for row in rows):
                break
        else:
            raise InputError(f"{name} is a workbook without rows")
    except CalamineError as error:
        raise InputError(
            f"{name} is a workbook that cannot be read ({error}): if it has a password, remove it; else save it as CSV"
        ) from error
    first = next(at for at, row in enumerate(rows) if any(_is_filled(cell) for cell in row))
    if has_header is None:
        has_header = not any(_is_filled(cell) and looks_like_data(cell) for cell in rows[first])
    header = column_names([str(cell) for cell in rows[first]]) if has_header else None
    columns = header or [str(number) for number in range(1, len(rows[first]) + 1)]
    facts = [f"sheet {workbook.sheet_names.index(sheet_name) + 1} of {len(workbook.sheet_names)} of a workbook"]
    if not has_header:
        facts.append("without a header")
    return Framed("table", _workbook_rows(rows, first + has_header, columns), header, tuple(facts))


def _workbook_rows(rows: Sequence[Sequence[object]], start: int, columns: list[str]) -> Iterator[Item]:
    for number, row in enumerate(rows[start:], start=start + 1):
        if any(_is_filled(cell) for cell in row):
            yield Record(number, "row", dict(zip(columns, row, strict=False)), "")
        else:
            yield Skipped("a row of empty cells")


def _is_filled(cell: object) -> bool:
    return cell is not None and cell != ""

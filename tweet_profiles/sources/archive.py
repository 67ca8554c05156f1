"""Archive files into the landing zone: X API v2 pages and flattened lines, v1.1 JSON, CSV, plain or gzip.

What belongs here: finding out what a file is, streaming through it, quarantining what cannot be used. What does
not: the meaning of a record (`landing.tweets`) and batches (`landing.zone`).
"""

import csv
import gzip
import io
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, cast

import orjson
import structlog
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tweet_profiles.errors import InputError, SettingError
from tweet_profiles.home import Home
from tweet_profiles.landing.tweets import BadRecord, Tweet
from tweet_profiles.landing.zone import BatchWriter, LandingZone
from tweet_profiles.sources.formats import convert
from tweet_profiles.sources.formats.tables import COLUMNS, from_row

log = structlog.get_logger(__name__)

GZIP_MAGIC = b"\x1f\x8b"
PROBE_BYTES = 1 << 20
MAX_DOCUMENT_BYTES = 256 << 20
"""A JSON document that spans lines must fit in memory; JSON lines may be of any size."""
MAX_QUARANTINED_CHARACTERS = 100_000

Outcome = tuple[int, Tweet | BadRecord, str]
"""Line number, tweet or fault, and the line as it stood."""

CSV_REQUIRED = ("id", "text", "created_at")


@dataclass
class ImportReport:
    """What an import did, in tweets. `read` = `landed` + `duplicates`; quarantined records are none of them."""

    files: int = 0
    read: int = 0
    landed: int = 0
    duplicates: int = 0
    quarantined: int = 0
    batches: int = 0
    quarantine_files: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class CsvOptions:
    """How to read CSV files.

    `columns` maps our field names to the file's column names where the defaults do not fit; `constants` gives
    fields that the file lacks one value for all rows.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        """Refuse unknown field names and encodings."""
        unknown = (set(self.columns) | set(self.constants)) - set(COLUMNS)
        if unknown:
            raise SettingError(f"{', '.join(sorted(unknown))}: no such field; the fields are {', '.join(COLUMNS)}")
        try:
            "".encode(self.encoding)
        except LookupError:
            raise SettingError(f"encoding {self.encoding}: not known; utf-8, latin-1 and utf-16 are") from None


def import_paths(
    paths: Sequence[Path],
    zone: LandingZone,
    home: Home,
    *,
    options: CsvOptions | None = None,
    show_progress: bool | None = None,
) -> ImportReport:
    """Stream files into the landing zone.

    All files are looked at first: a missing, empty or unreadable one, or a CSV without the columns needed, stops
    the import before anything has landed. After that a record that cannot be used goes to the home's quarantine
    with its file, line and reason, and the rest goes on. Importing a file again lands nothing twice, so that a
    killed import is simply started again.

    Raises:
        InputError: naming the file and what to do.
        SettingError: if the CSV options cannot be used.
    """
    options = options or CsvOptions()
    files = [_ArchiveFile(path, options) for path in _expand(paths)]
    report = ImportReport()
    shown = sys.stderr.isatty() if show_progress is None else show_progress
    with _progress_bar(shown) as bar, zone.writer("import") as writer:
        for file in files:
            task = bar.add_task(file.path.name, total=file.path.stat().st_size)
            _import_file(file, writer, home, report, lambda done, task=task: bar.update(task, completed=done))  # type: ignore[misc]
            report.files += 1
    report.landed, report.duplicates, report.batches = writer.landed, writer.duplicates, writer.batches
    log.info(
        "imported",
        files=report.files,
        landed=report.landed,
        duplicates=report.duplicates,
        quarantined=report.quarantined,
    )
    return report


@contextmanager
def _progress_bar(shown: bool) -> Iterator[Progress]:
    from rich.console import Console

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        yield bar


def _expand(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and _is_archive_name(p.name))
            if not inside:
                raise InputError(f"{path} holds no .json, .jsonl, .ndjson or .csv file (plain or .gz)")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"{path} is not there: give files, or folders that hold them")
    return files


def _is_archive_name(name: str) -> bool:
    return name.removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson", ".csv"))


class _ArchiveFile:
    """One file, looked at: its form is known, and its beginning can be read."""

    def __init__(self, path: Path, options: CsvOptions):
        self.path, self.options = path, options
        try:
            with self.open() as (stream, _):
                head = _head(stream)
        except (OSError, EOFError) as error:
            raise InputError(f"{path} cannot be read: {error}") from error
        if not head.strip():
            raise InputError(f"{path} is empty: there is nothing to import")
        name = path.name.removesuffix(".gz")
        self.is_csv = name.endswith(".csv") or not (
            name.endswith((".json", ".jsonl", ".ndjson")) or head.lstrip()[:1] in b"[{"
        )
        self._check_encoding(head)
        self.header = self._read_header() if self.is_csv else {}

    @contextmanager
    def open(self) -> Iterator[tuple[BinaryIO, IO[bytes]]]:
        """The file's content, unpacked, and the file on disk, whose position tells how far reading has come."""
        with self.path.open("rb") as disk:
            packed = disk.read(2) == GZIP_MAGIC
            disk.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=disk)) if packed else disk, disk

    def _check_encoding(self, head: bytes) -> None:
        encoding = self.options.encoding if self.is_csv else "utf-8"
        try:
            text = head[: head.rfind(b"\n") + 1 or None].decode(encoding)
        except UnicodeDecodeError as error:
            line = head[: error.start].count(b"\n") + 1
            remedy = (
                "name its encoding (--encoding latin-1, --encoding utf-16)" if self.is_csv else "convert it to UTF-8"
            )
            raise InputError(
                f"{self.path}, line {line}: not {encoding} (byte {head[error.start]:#04x}): {remedy}"
            ) from None
        if "\x00" in text[:1000] and self.is_csv:
            raise InputError(f"{self.path}, line 1: holds NUL characters: name its encoding (--encoding utf-16)")

    def _read_header(self) -> dict[str, str]:
        """Field name by column name, from the first line and the options."""
        with self.open() as (stream, _):
            reader = csv.reader(io.TextIOWrapper(stream, self._text_encoding(), newline=""))
            columns = next(reader)
        given = {column.strip().lower(): column for column in columns}
        mapping: dict[str, str] = {}
        for name, candidates in COLUMNS.items():
            wanted = self.options.columns.get(name)
            if wanted is not None and wanted not in columns:
                raise InputError(f"{self.path}: no column {wanted} for {name}; its columns are {', '.join(columns)}")
            found = wanted or next((given[candidate] for candidate in candidates if candidate in given), None)
            if found is not None and found not in mapping:
                mapping[found] = name
        missing = [name for name in CSV_REQUIRED if name not in {*mapping.values(), *self.options.constants}]
        if not {"author_id", "author_handle"} & {*mapping.values(), *self.options.constants}:
            missing.append("author_id")
        if missing:
            raise InputError(
                f"{self.path}: no column for {', '.join(missing)}; its columns are {', '.join(columns)}. "
                f"Name it with --column {missing[0]}=COLUMN"
            )
        return mapping

    def _text_encoding(self) -> str:
        return "utf-8-sig" if self.options.encoding.lower().replace("_", "-") == "utf-8" else self.options.encoding

    def outcomes(self, stream: BinaryIO) -> Iterator[Outcome]:
        """Every record of the file, or why it is none."""
        return self._csv_outcomes(stream) if self.is_csv else self._json_outcomes(stream)

    def _csv_outcomes(self, stream: BinaryIO) -> Iterator[Outcome]:
        csv.field_size_limit(MAX_QUARANTINED_CHARACTERS * 10)
        text = io.TextIOWrapper(stream, self._text_encoding(), errors="surrogateescape", newline="")
        reader = csv.reader(text)
        columns = next(reader)
        while True:
            first = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield first, BadRecord(f"no CSV: {error}"), ""
                continue
            if row:
                yield first, self._csv_record(columns, row), _as_line(row)

    def _csv_record(self, columns: list[str], row: list[str]) -> Tweet | BadRecord:
        if len(row) != len(columns):
            return BadRecord(f"{len(row)} fields where the header has {len(columns)}")
        try:
            if any("\udc80" <= character <= "\udcff" for value in row for character in value):
                raise BadRecord(f"not {self.options.encoding}")
            fields = {
                self.header[column]: value for column, value in zip(columns, row, strict=True) if column in self.header
            }
            return from_row({**self.options.constants, **fields})
        except BadRecord as error:
            return error

    def _json_outcomes(self, stream: BinaryIO) -> Iterator[Outcome]:
        lines = enumerate(stream, start=1)
        head = list(itertools.islice(lines, 2))
        if not any(_is_json(line) for _, line in head):
            yield from _tweets_of(self._document(b"".join(line for _, line in head), stream), 1, "")
            return
        for number, line in itertools.chain(head, lines):
            if not line.strip():
                continue
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield number, BadRecord(f"no JSON: {error.msg} at column {error.colno}"), _shown(line)
            else:
                yield from _tweets_of(value, number, line)

    def _document(self, first: bytes, stream: BinaryIO) -> object | None:
        """The whole file as one JSON document, if it is one that spans lines."""
        rest = stream.read(MAX_DOCUMENT_BYTES)
        try:
            return orjson.loads(first + rest)
        except orjson.JSONDecodeError as error:
            line = (first + rest)[: error.pos].count(b"\n") + 1
            raise InputError(
                f"{self.path}, line {line}: neither JSON lines nor one JSON document of at most "
                f"{MAX_DOCUMENT_BYTES >> 20} MB ({error.msg})"
            ) from None


def _head(stream: BinaryIO) -> bytes:
    """The beginning of a file; of a gzip file that breaks off, what is before the cut."""
    head = b""
    while len(head) < PROBE_BYTES:
        try:
            piece = stream.read(1 << 13)
        except EOFError:
            if head:
                return head
            raise
        if not piece:
            return head
        head += piece
    return head


def _tweets_of(value: object, number: int, line: bytes | str) -> Iterator[Outcome]:
    """The tweets of one JSON value (a page, a tweet, or a list of such) and the faults among them."""
    for record in value if isinstance(value, list) else [value]:
        try:
            converted = convert(record)
        except BadRecord as fault:
            yield number, fault, _shown(line)
            continue
        for tweet in converted.tweets:
            yield number, tweet, ""
        for bad in converted.errors:
            yield number, bad, _shown(line)


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _as_line(row: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(row)
    return line.getvalue()


def _shown(line: bytes | str) -> str:
    return line if isinstance(line, str) else line.decode("utf-8", "replace").rstrip("\n")


def _import_file(
    file: _ArchiveFile, writer: BatchWriter, home: Home, report: ImportReport, advance: Callable[[int], None]
) -> None:
    good = 0
    with file.open() as (stream, disk), _Quarantine(home, file.path) as quarantine:
        outcomes = file.outcomes(stream)
        while True:
            try:
                number, outcome, line = next(outcomes)
            except StopIteration:
                break
            except (OSError, EOFError) as error:
                # A truncated gzip file: what was before the cut is good.
                quarantine.add(0, f"the file breaks off: {error}", "")
                break
            if isinstance(outcome, BadRecord):
                quarantine.add(number, str(outcome), line)
            else:
                good += 1
                writer.add(outcome)
                if good % 1000 == 0:
                    advance(disk.tell())
        advance(file.path.stat().st_size)
    report.read += good
    report.quarantined += quarantine.count
    if quarantine.count:
        report.quarantine_files.append(quarantine.path)
    if good == 0 and quarantine.count:
        raise InputError(
            f"{file.path}: none of its {quarantine.count} records is a tweet; the first, line {quarantine.first_line}: "
            f"{quarantine.first_reason}. All are in {quarantine.path}"
        )


class _Quarantine:
    """The records of one file that cannot be used, with line and reason; the file is made with the first of them."""

    def __init__(self, home: Home, source: Path):
        self.path = home.quarantine / f"{source.name}.jsonl"
        self.source, self.count, self.first_line, self.first_reason = source, 0, 0, ""
        self._file: BinaryIO | None = None

    def __enter__(self) -> "_Quarantine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, line: int, reason: str, content: str) -> None:
        """Put a record aside."""
        if self._file is None:
            self._file = self.path.open("wb")
            self.path.chmod(0o600)
            self.first_line, self.first_reason = line, reason
        self.count += 1
        entry = {
            "file": str(self.source),
            "line": line,
            "reason": reason,
            "content": content[:MAX_QUARANTINED_CHARACTERS].encode("utf-8", "replace").decode(),
        }
        self._file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))

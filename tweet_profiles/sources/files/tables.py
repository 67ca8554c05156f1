"""Tables as text (CSV and its kin) into rows.

What belongs here: separators, quoting, headers, and where a row ends. What does not: what the columns mean
(`sources.formats`).

Rows are read by the csv module, strictly. Where that fails, or a row has too many or too few fields, the fault is kept
to the record in which it stands: quotes escaped by backslashes and quotes that were not doubled are read as what they
are; a quoted field that is never closed ends before the next line that is a sound row by itself (see `_Shape`), and
reading goes on there. So every physical line of a file is in a row or in one broken record.
"""

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import BinaryIO

from tweet_profiles.errors import InputError
from tweet_profiles.sources.files.encodings import why_not_utf8
from tweet_profiles.sources.files.framing import Broken, Framed, Item, Skipped
from tweet_profiles.sources.formats.records import Record

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
MAX_LINE = 8 << 20
"""Characters of one physical line; longer ones are broken records."""
MAX_ROW_LINES = 1000
MAX_ROW_CHARACTERS = 1 << 20
"""A quoted field that goes on for longer was never closed."""

_SAMPLE_LINES = 1000
_TITLE_ROWS = 30
_HEADER_LINES = 50
_LINE_BREAK = re.compile(r"\s*[\r\n]+\s*")
_RIGID = re.compile(r"(?=.*\d)[\d\s:./+\-TZtz,]{6,}")
_DATA = re.compile(r"[+-]?\d+([.,]\d+)?|(?=.*\d)[\d\s:./+\-TZtz]{6,}|https?://.*|.{120,}", re.DOTALL)
_ESCAPED_QUOTE = re.compile(r'(?<!\\)((?:\\\\)*)\\"')
_EXCEL_HINT = re.compile(r"sep=(.)\r?\n?")
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


class _UnclosedError(Exception):
    """The record under way cannot go on: its quoted field is too long, or the next line is a row by itself."""

    def __init__(self, reason: str, *, whole: bool, mend: bool = True) -> None:
        """`whole`: all lines so far are the broken record, not the first alone; `mend`: another reading may do."""
        super().__init__(reason)
        self.whole, self.mend = whole, mend


def parse_delimiter(given: str) -> str:
    """The one character of --delimiter, which may be named: tab, comma, semicolon, pipe.

    Raises:
        InputError: if it is none.
    """
    character = _NAMES.get(given.lower(), given)
    if len(character) != 1 or character in '"\r\n':
        raise InputError(f"--delimiter {given}: give one character, or tab, comma, semicolon or pipe")
    return character


def frame_table(
    stream: BinaryIO,
    head: bytes,
    name: str,
    *,
    delimiter: str | None = None,
    has_header: bool | None = None,
    broken_off: Callable[[], str | None] = lambda: None,
) -> Framed:
    """Cut a table into rows.

    Args:
        stream: the whole file in UTF-8.
        head: its beginning, in UTF-8 as well.
        name: the file as named in messages.
        delimiter: the separator; without it the one that fits the first lines best.
        has_header: whether the first row holds the column names; None: told by its cells.
        broken_off: why the stream ended before its end, once it has been read.

    Raises:
        InputError: if the file has no row.
    """
    lines, hint = _first_lines(head)
    separator = delimiter or hint or sniff(lines)
    spaced = _has_spaces(lines, separator)
    rows = _first_rows(lines, separator, spaced=spaced)
    if not rows:
        raise InputError(f"{name} has no row that can be read as a table")
    if _has_apostrophes(lines):
        raise InputError(f'{name} quotes its fields with \' where " is usual: write it again with "')
    before = _before_header(rows) if has_header is None else 0
    first, rest = rows[before], rows[before + 1 :]
    if has_header is None:
        has_header = not any(looks_like_data(cell) for cell in first)
    width, header = len(first), None
    if has_header:
        header, width = _fitted(first, rest)
    else:
        width = Counter(map(len, rows)).most_common(1)[0][0]
    shape = _Shape(rest if has_header else rows, width)
    reader = _Reader(stream, separator, shape, first if has_header else None, broken_off, spaced=spaced)
    facts = [f"separated by {SEPARATORS.get(separator, repr(separator))}"]
    if not has_header:
        facts.append("without a header")
    columns = header or [str(number) for number in range(1, width + 1)]
    items = reader.items(columns, skip=(1 if hint else 0) + before)
    return Framed("table", items, header, tuple(facts))


def _first_rows(lines: Sequence[str], separator: str, *, spaced: bool) -> list[list[str]]:
    """The rows of the first lines, each line alone; only a header at the beginning may go over lines."""

    def alone(several: Iterable[str]) -> list[list[str]]:
        return [row for row in (_alone(line, separator, spaced=spaced) for line in several) if row]

    taken: list[str] = []
    noted = (taken.append(line) or line for line in lines[:_HEADER_LINES])  # type: ignore[func-returns-value]
    try:
        first = next(csv.reader(noted, delimiter=separator, strict=True, skipinitialspace=spaced), None)
    except csv.Error:
        first = None
    below = alone(lines[len(taken) :])
    if first is not None and len(taken) > 1 and any(len(row) == len(first) for row in below):
        return [first, *below]
    return alone(lines)


def _before_header(rows: Sequence[Sequence[str]]) -> int:
    """How many rows of a title stand before the header: those that are much narrower than the table."""
    width = Counter(map(len, rows)).most_common(1)[0][0]
    if width < 3:
        return 0
    return next((at for at, row in enumerate(rows[:_TITLE_ROWS]) if len(row) >= width - 1), 0)


def _fitted(first: Sequence[str], rest: Sequence[Sequence[str]]) -> tuple[list[str], int]:
    """The column names, and how many columns rows have: R leaves out the name of the first, others end rows with a
    separator.
    """
    widths = Counter(map(len, rest))
    if widths.get(len(first), 0) or not widths.get(len(first) + 1, 0):
        return column_names(first), len(first)
    longer = [row for row in rest if len(row) == len(first) + 1]
    names = [*first, ""] if not any(row[-1].strip() for row in longer) else ["", *first]
    return column_names(names), len(names)


def column_names(cells: Sequence[str]) -> list[str]:
    """The names of a header, each once: a nameless column is called by its number, a second one of a name "name.2"."""
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        plain = _LINE_BREAK.sub(" ", cell.strip().lstrip("\ufeff").strip('"')) or f"column {number}"
        name, again = plain, 2
        while name in names:
            name, again = f"{plain}.{again}", again + 1
        names.append(name)
    return names


def sniff(lines: Sequence[str]) -> str:
    """The separator by which the first lines fall into the same number of columns, as many as possible."""

    def fit(separator: str) -> tuple[float, int]:
        counts = Counter(map(len, _rows_of(lines, separator)))
        (width, lines_so), *_ = counts.most_common(1) or [(0, 0)]
        if width < 2:
            return 0.0, 0
        return round(lines_so / sum(counts.values()), 1), width

    best = max(SEPARATORS, key=fit)
    return best if fit(best)[1] else ","


def _rows_of(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The rows of lines as the csv module reads them; where a quote stands wrongly, those that are rows alone."""
    reader = csv.reader(lines, delimiter=separator, strict=True)
    rows: list[list[str]] = []
    try:
        rows.extend(reader)
    except csv.Error:
        if reader.line_num < len(lines):
            rows = [row for row in (_alone(line, separator) for line in lines) if row]
    return [row for row in rows if row]


def _first_lines(head: bytes) -> tuple[list[str], str | None]:
    """The first whole lines of a file, and the separator that Excel's `sep=` line tells."""
    text = head.decode("utf-8", "surrogateescape")
    lines = io.StringIO(text, newline="").readlines()
    if len(lines) > 1 and len(head) >= 1 << 19:
        lines.pop()
    hint = _EXCEL_HINT.fullmatch(lines[0]) if lines else None
    if hint:
        lines.pop(0)
    return [line for line in lines[:_SAMPLE_LINES] if line.strip()], hint[1] if hint else None


def _has_apostrophes(lines: Sequence[str]) -> bool:
    """Whether fields are quoted by apostrophes: lines below the header begin and end with them."""
    below = [line.strip() for line in lines[1:]]
    quoted = sum(len(line) > 1 and line[0] == line[-1] == "'" for line in below)
    return quoted > 0.9 * len(below) > 0


def _has_spaces(lines: Sequence[str], separator: str) -> bool:
    """Whether fields are quoted behind a space: `1, "a, b", 2`."""
    candidates = [line for line in lines if f'{separator} "' in line]
    quoted = re.compile(rf'{re.escape(separator)} "[^"]*"(?:{re.escape(separator)}|\r?\n?$)')
    return bool(candidates) and sum(quoted.search(line) is not None for line in candidates) > 0.9 * len(candidates)


def _alone(line: str, separator: str, *, spaced: bool = False) -> list[str] | None:
    """The fields of a line that is a row by itself; None if it is none."""
    try:
        return next(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=spaced), None)
    except csv.Error:
        return _leniently(line, separator)


def _leniently(line: str, separator: str) -> list[str] | None:
    """The fields of a line whose quotes were not doubled: a field's quote ends where a separator or the line does."""
    fields: list[str] = []
    position, end = 0, len(line.rstrip("\r\n"))
    while True:
        if position < end and line[position] == '"':
            close = position
            while True:
                close = line.find('"', close + 1, end)
                if close < 0:
                    return None
                if close + 1 == end or line[close + 1] == separator:
                    break
            fields.append(line[position + 1 : close].replace('""', '"'))
            position = close + 1
        else:
            stop = line.find(separator, position, end)
            stop = end if stop < 0 else stop
            fields.append(line[position:stop])
            position = stop
        if position >= end:
            return fields
        position += 1


class _Shape:
    """What a sound row of a file looks like: how many fields, and which of them hold numbers and times alone.

    By it a line is known that stands in a quoted field but is a row by itself: there the quote was never closed. A
    text that goes over lines has no such line.
    """

    def __init__(self, rows: Sequence[Sequence[str]], width: int) -> None:
        sound = [row for row in rows if len(row) == width]
        self.width = width
        self.rigid = [
            column
            for column in range(width)
            if width > 2
            and sum(_RIGID.fullmatch(row[column]) is not None for row in sound) > 0.9 * len(sound)
            and sound
        ]

    def fits(self, row: Sequence[str] | None) -> bool:
        """Whether a row has this shape."""
        return row is not None and len(row) == self.width and all(_RIGID.fullmatch(row[at]) for at in self.rigid)


class _Reader:
    """The rows of one stream. `_record` holds the physical lines of the record under way."""

    def __init__(
        self,
        stream: BinaryIO,
        separator: str,
        shape: _Shape,
        header: Sequence[str] | None,
        broken_off: Callable[[], str | None],
        *,
        spaced: bool,
    ) -> None:
        text = io.TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline="")
        self._source: Iterator[str] = iter(partial(text.readline, MAX_LINE), "")
        self._separator, self._shape, self._header, self._broken_off = separator, shape, header, broken_off
        self._spaced = spaced
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self._limit = MAX_ROW_LINES
        self._number = 0
        self._lines_added = 0  # lines of `_record` that are part of one in the file
        self._cut_seen = False

    def items(self, columns: Sequence[str], skip: int) -> Iterator[Item]:
        """Every row as a record, and what is broken or none."""
        csv.field_size_limit(MAX_LINE + MAX_ROW_CHARACTERS)
        for _ in range(skip):
            next(self._source, None)
            self._number += 1
        header_comes = self._header is not None
        for row in self._rows():
            if isinstance(row, Broken):
                yield row
                continue
            if row == self._header:
                if not header_comes:
                    yield Skipped("the header again")
                header_comes = False
            else:
                item = self._item(columns, row)
                if item is not None:
                    yield item
            self._done()
        if (reason := self._broken_off()) is not None and not self._cut_seen:
            yield Broken(self._number + 1, "line", f"the file breaks off here: {reason}", "")

    def _item(self, columns: Sequence[str], row: list[str]) -> Item | None:
        raw = self._record[0] if len(self._record) == 1 else "".join(self._record)
        if raw[-1:] not in "\r\n" and self._broken_off() is not None:
            return self._broken("", raw)
        if not raw.isascii():
            content = raw.encode("utf-8", "surrogateescape")
            if (reason := why_not_utf8(content)) is not None:
                return Broken(self._number + 1, "line", reason, content.rstrip(b"\r\n"))
        if not any(row):
            return Skipped("a row of empty cells") if row else None
        return Record(self._number + 1, "line", dict(zip(columns, row, strict=True)), raw.rstrip("\r\n"))

    def _rows(self) -> Iterator[list[str] | Broken]:
        """Rows of the right width, whose lines are in `_record` until `_done`; an empty one is a row of no cells."""
        width = self._shape.width
        reader = self._new_reader()
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield from self._recovered(f"no table row: {error}", whole=False)
                reader = self._new_reader()
                continue
            except _UnclosedError as error:
                yield from self._recovered(str(error), whole=error.whole, mend=error.mend)
                reader = self._new_reader()
                continue
            if len(row) == width or not any(row) or row == self._header:
                yield row
            else:
                reason = f"{len(row)} fields where there should be {width}"
                yield from self._recovered(reason, whole=bool(self._shape.rigid))
                reader = self._new_reader()

    def _new_reader(self, repair: Callable[[str], str] | None = None) -> Iterator[list[str]]:
        return self._strict(self._lines(repair), repair)

    def _strict(self, lines: Iterable[str], repair: Callable[[str], str] | None) -> Iterator[list[str]]:
        lines = lines if repair is None else map(repair, lines)
        return csv.reader(lines, delimiter=self._separator, strict=True, skipinitialspace=self._spaced)

    def _lines(self, repair: Callable[[str], str] | None) -> Iterator[str]:
        """Physical lines for the csv module; each is noted in `_record`."""
        record, again, source = self._record, self._again, self._source
        size = sound = 0
        while True:
            line = again.popleft() if again else next(source, "")
            if not line:
                return
            if record:
                size += len(line)
                if len(record) >= sound and self._is_row(line):
                    again.appendleft(line)
                    sound = self._lines_if_sound(repair)
                    if not sound:
                        raise _UnclosedError("a quote that is never closed", whole=True)
                    again.popleft()
                if len(record) >= self._limit or size > MAX_ROW_CHARACTERS:
                    again.appendleft(line)
                    raise _UnclosedError("a quote that is not closed for very long", whole=False)
            else:
                size = sound = 0
                if line[0] == "\ufeff":
                    line = line[1:]
                if len(line) >= MAX_LINE and not line.endswith("\n"):
                    record.append(line)
                    self._skip_rest(line)
                    raise _UnclosedError(f"a line of more than {MAX_LINE} characters", whole=True, mend=False)
            record.append(line)
            yield line

    def _lines_if_sound(self, repair: Callable[[str], str] | None) -> int:
        """How many lines the record under way has, if its quoted field is closed after all; else 0.

        A text may hold lines that look like rows, and they are its author's words. Where the line with the closing
        quote is a row by itself too, that quote belongs to that row.
        """
        ahead: list[str] = []

        def lines() -> Iterator[str]:
            yield from self._record
            size = 0
            while len(self._record) + len(ahead) < self._limit and size <= MAX_ROW_CHARACTERS:
                line = self._again.popleft() if self._again else next(self._source, "")
                if not line:
                    return
                ahead.append(line)
                size += len(line)
                yield line

        try:
            row = next(self._strict(lines(), repair), None)
        except csv.Error:
            row = None
        self._again.extendleft(reversed(ahead))
        return len(self._record) + len(ahead) if self._shape.fits(row) and not self._is_row(ahead[-1]) else 0

    def _skip_rest(self, line: str) -> None:
        while line and not line.endswith("\n"):
            line = next(self._source, "")

    def _is_row(self, line: str) -> bool:
        if not self._shape.rigid or line.count(self._separator) < self._shape.width - 1:
            return False
        return self._shape.fits(_alone(line, self._separator, spaced=self._spaced))

    def _recovered(self, reason: str, *, whole: bool, mend: bool = True) -> Iterator[list[str] | Broken]:
        """The record under way, read in another way or put aside; what was read beyond it is read again."""
        lines = list(self._record)
        row = self._mended(lines) if mend else None
        if row is not None:
            yield row
            return
        kept = lines if whole else lines[:1]
        if not whole and len(lines) > 1:
            self._limit = max(self._limit // 2, 20)
        self._put_back(lines[len(kept) :])
        self._record[:] = kept
        yield self._broken(reason, "".join(kept))
        self._done()

    def _mended(self, lines: list[str]) -> list[str] | None:
        """The row that the lines begin with, if they do once quotes are read as they may be meant; else None."""
        if '\\"' in lines[0]:
            self._put_back(lines)
            try:
                escaped = next(self._new_reader(_doubled), [])
            except (csv.Error, _UnclosedError):
                escaped = []
            if len(escaped) == self._shape.width:
                return escaped
            self._put_back(self._record)
            self._record[:] = [self._again.popleft() for _ in lines]
        if self._header is not None and (glued := self._glued(lines[0])) is not None:
            row = _alone(glued[0], self._separator, spaced=self._spaced)
            if self._shape.fits(row):
                self._put_back([glued[1], *lines[1:]])
                self._record[:] = glued[:1]
                self._lines_added = 1
                return row
        row = _leniently(lines[0], self._separator)
        if not self._shape.fits(row) and self._separator in "\t|":
            # Files with these separators often do not quote at all.
            row = lines[0].rstrip("\r\n").split(self._separator)
        if self._shape.fits(row):
            self._put_back(lines[1:])
            self._record[:] = lines[:1]
            return row
        return None

    def _glued(self, line: str) -> list[str] | None:
        """A row and the header of the next file, which were put together without a line end between them; else None."""
        header = self._separator.join(self._header or ())
        bare = line.rstrip("\r\n").removesuffix(header)
        return [bare + "\n", header + "\n"] if bare and len(bare) < len(line.rstrip("\r\n")) else None

    def _put_back(self, lines: Sequence[str]) -> None:
        self._again.extendleft(reversed(lines))
        self._record.clear()

    def _broken(self, reason: str, raw: str) -> Broken:
        if raw[-1:] not in "\r\n" and (cut := self._broken_off()) is not None:
            self._cut_seen = True
            reason = f"the file breaks off here: {cut}"
        content = raw.encode("utf-8", "surrogateescape").rstrip(b"\r\n")
        return Broken(self._number + 1, "line", reason, content)

    def _done(self) -> None:
        self._number += len(self._record) - self._lines_added
        self._lines_added = 0
        self._record.clear()


def _doubled(line: str) -> str:
    """The line with quotes that backslashes escape as the csv module has them: doubled."""
    return _ESCAPED_QUOTE.sub(r'\1""', line)


def looks_like_data(cell: object) -> bool:
    """Whether a cell can be no column's name: a number, a time, an address, a long text."""
    return _DATA.fullmatch(cell.strip()) is not None if isinstance(cell, str) else True

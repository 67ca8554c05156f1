"""JSON in every framing that files have it in, into records.

What belongs here: JSON lines, and documents that span lines: arrays, objects one after the other, X's own archive with
its assignment before the array. What does not: what a record means (`sources.formats`).

Documents are cut into their objects by their brackets, in memory of the size of one object, whatever the size of the
document. An object that cannot be parsed is broken alone: the next one is found by the way in which the objects of
this document begin.
"""

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence, Set
from functools import partial
from typing import Any, BinaryIO

import orjson

from tweet_profiles.sources.files.framing import Broken, Framed, Item
from tweet_profiles.sources.formats.records import Record

MAX_RECORD = 256 << 20
"""Bytes of one JSON value: it is parsed in memory."""

_MARK = b"\xef\xbb\xbf"
_ASSIGNMENT = rb"(?:(?:var|let|const)\s+)?[A-Za-z_$][\w$.]{0,200}\s*=\s*(?=[\[{])"
_BEGINNING = re.compile(rb"\s*(?:" + _ASSIGNMENT + rb")?\s*[\[{\x1e]")
_NOISE = re.compile(rb"(?:[\s,;\[\]\x1e]|\xef\xbb\xbf|" + _ASSIGNMENT + rb")*+")
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SCALAR = re.compile(rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s,\[\]{}"]++)', re.DOTALL)
_TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:' + _STRING + rb'[^"{}\[\]]*+)*+(?:([{\[])|([}\]]))', re.DOTALL)
_FIRST_KEY = re.compile(rb"\{\s*(" + _STRING + rb")", re.DOTALL)
_NO_NUMBER = re.compile(rb"[:\[,]\s*(NaN|-?Infinity)\s*[,\]}]")
_PIECE = 1 << 20
_MOST_TRIED = 20
"""Beginnings that are tried behind a broken object before reading goes on at the next one, sound or not."""
_SPAN = 64 << 10
"""Bytes in which an object that begins there has to end, unless longer ones were seen."""
_SUSPECT = 4 << 20
"""An object longer than this is searched for the beginning of the next one: its end may be missing."""


def is_json(head: bytes) -> bool:
    """Whether content that begins so is JSON, perhaps behind an assignment."""
    return _BEGINNING.match(head.removeprefix(_MARK)) is not None


def frame_json(stream: BinaryIO, head: bytes, broken_off: Callable[[], str | None] = lambda: None) -> Framed:
    """Cut JSON into records.

    Args:
        stream: the whole file in UTF-8.
        head: its beginning, in UTF-8 as well.
        broken_off: why the stream ended before its end, once it has been read.
    """
    if _is_lines(head):
        return Framed("json", _lines(stream, broken_off), facts=("JSON lines",))
    return Framed("json", _Document(stream, broken_off).items(), facts=("a JSON document",))


def _is_lines(head: bytes) -> bool:
    """Whether the file is objects a line each. A first line that is broken does not make it a document."""
    lines = [line for line in head.removeprefix(_MARK).split(b"\n", 50)[:50] if line.strip()]
    if not lines or lines[0].lstrip()[:1] != b"{":
        return False
    if _parsed(lines[0]) is not None:
        return True
    if lines[0].rstrip()[-1:] in b"{[,":
        return False
    return any(line[:1] == b"{" and _parsed(line) is not None for line in lines[1:])


def _parsed(content: bytes) -> Any | None:
    try:
        return parse(content)
    except orjson.JSONDecodeError:
        return None


def _lines(stream: BinaryIO, broken_off: Callable[[], str | None]) -> Iterator[Item]:
    number, cut_seen, reason = 0, False, None
    keys: Set[str] = frozenset()
    for line in iter(partial(stream.readline, MAX_RECORD), b""):
        number += 1
        if line[:3] == _MARK:
            line = line[3:]  # noqa: PLW2901
        if line[-1:] != b"\n":
            reason = broken_off()
            if reason is None and len(line) == MAX_RECORD:
                yield Broken(number, "line", f"a line of more than {MAX_RECORD} bytes", line)
                while line and line[-1:] != b"\n":
                    line = stream.readline(MAX_RECORD)  # noqa: PLW2901
                continue
        if reason is not None:
            cut_seen = True
            yield Broken(number, "line", f"the file breaks off here: {reason}", line)
            continue
        for item in _of_line(line, number, keys):
            if isinstance(item, Record) and isinstance(item.value, dict):
                keys = item.value.keys()
            yield item
    reason = broken_off()
    if reason is not None and not cut_seen:
        yield Broken(number + 1, "line", f"the file breaks off here: {reason}", b"")


def _of_line(line: bytes, number: int, keys: Set[str]) -> Sequence[Item]:
    """The records of a line: one, or several in a list or one after the other."""
    try:
        value = parse(line)
    except orjson.JSONDecodeError as error:
        content = line.strip()
        broken = [Broken(number, "line", why_no_json(error, content), content)] if content else []
        return (_glued(content, number, keys) if content else []) or broken
    if isinstance(value, list):
        return [Record(number, "line", one, "") for one in value]
    return (Record(number, "line", value, line.decode().rstrip("\r\n")),)


def _glued(content: bytes, number: int, keys: Set[str]) -> list[Item]:
    """The objects of a line that holds several: of files put together without a line end, or behind a torn one.

    Args:
        content: the line.
        number: which line it is.
        keys: those of another object of this file; empty if none is known.

    Returns what the line holds; nothing if no object of it is one of this file.
    """
    items: list[Item] = []
    sound = False
    for item in _Document(io.BytesIO(content), lambda: None, keys).items():
        if isinstance(item, Record):
            sound = sound or (isinstance(item.value, dict) and 2 * len(keys & item.value.keys()) >= len(keys))
            items.append(Record(number, "line", item.value, item.raw))
        elif isinstance(item, Broken):
            items.append(Broken(number, "line", item.reason, item.raw))
    return items if sound else []


def parse(content: bytes) -> Any:
    """The value of JSON; NaN and infinities, which programs write where they mean that there is nothing, are null.

    Raises:
        orjson.JSONDecodeError: if it is no JSON.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        if not _NO_NUMBER.search(content):
            raise
        try:
            return orjson.loads(orjson.dumps(json.loads(content, parse_constant=lambda _: None)))
        except (ValueError, TypeError, RecursionError):
            pass
        raise


def why_no_json(error: orjson.JSONDecodeError, content: bytes) -> str:
    """Why content is no JSON, without any of it."""
    if re.match(rb"\{\s*'", content):
        return "no JSON: it is a Python dict; write it with json.dumps"
    return f"no JSON: {error.msg} at line {error.lineno} column {error.colno} of the record"


class _Document:
    """The objects of a document, one after the other. `_buffer` holds what is read and not yet given."""

    def __init__(self, stream: BinaryIO, broken_off: Callable[[], str | None], keys: Set[str] = frozenset()) -> None:
        self._stream, self._broken_off = stream, broken_off
        self._buffer, self._position, self._ended = b"", 0, False
        self._number, self._ended_broken = 0, False
        self._start: re.Pattern[bytes] | None = None
        self._keys = keys
        self._longest = 0

    def items(self) -> Iterator[Item]:
        """Every object, scalars that stand where objects should, and what is broken."""
        while self._find_next():
            self._number += 1
            if self._buffer[self._position : self._position + 1] != b"{":
                yield self._scalar()
                continue
            yield self._object()
            if len(self._buffer) - self._position > MAX_RECORD:
                break
        if (reason := self._broken_off()) is not None and not self._ended_broken:
            yield Broken(self._number + 1, "record", f"the file breaks off here: {reason}", b"")

    def _fill(self) -> bool:
        """Read as much again as there is; False at the end of the file."""
        if self._ended:
            return False
        rest = self._buffer[self._position :]
        piece = self._stream.read(max(_PIECE, len(rest)))
        if not piece:
            self._ended = True
            return False
        self._buffer, self._position = rest + piece, 0
        return True

    def _find_next(self) -> bool:
        """Go to where the next value begins; False at the end of the file."""
        before = self._position
        while True:
            match = _NOISE.match(self._buffer, self._position)
            assert match is not None
            # An assignment or a run of blanks may go on in what is not read yet.
            if len(self._buffer) - match.end() > 300 or not self._fill():
                break
            before = self._position
        self._position = match.end()
        if self._start is None and self._buffer[self._position : self._position + 1] == b"{":
            self._note_start(self._buffer[before : self._position])
        return self._position < len(self._buffer)

    def _note_start(self, before: bytes) -> None:
        """How the objects of this document begin: on a line of their own with its blanks, or with their first key."""
        line = before.rpartition(b"\n")
        key = _FIRST_KEY.match(self._buffer, self._position)
        begins = rb"\{\s*" + re.escape(key[1]) + rb"\s*:" if key else rb"\{"
        own_line = rb"(?<=\n" + re.escape(line[2]) + rb")\{" if line[1] or not before.strip() else rb"(?!)"
        self._start = re.compile(own_line if line[1] else own_line + rb"|" + begins)

    def _scalar(self) -> Item:
        while True:
            match = _SCALAR.match(self._buffer, self._position)
            if (match is not None and match.end() < len(self._buffer)) or not self._fill():
                break
        start = self._position
        self._position = match.end() if match is not None else start + 1
        content = self._buffer[start : self._position]
        try:
            return Record(self._number, "record", orjson.loads(content), content.decode())
        except orjson.JSONDecodeError as error:
            return self._noise(start, why_no_json(error, content))

    def _noise(self, start: int, reason: str) -> Broken:
        """What stands between the objects and is no JSON, up to the next object."""
        end, self._position = self._position - start, start
        while (following := self._next_sound(self._position + 1, len(self._buffer))) is None:
            if len(self._buffer) - self._position > _SUSPECT or not self._fill():
                following = self._position + end
                break
        return self._broken(following, reason)

    def _object(self) -> Item:
        """The object that begins at the position, or that it is broken; goes to its end."""
        searched, reason = _SUSPECT, "no JSON: its end is missing"
        lost = False  # its brackets are closed, but there it does not end
        while True:
            end = None if lost else self._end_of(self._position)
            if end is not None:
                content = self._buffer[self._position : end]
                try:
                    value = parse(content)
                except orjson.JSONDecodeError as error:
                    reason = why_no_json(error, content)
                    following = self._next_sound(self._position + 1, end)
                    if following is not None or self._is_between(end):
                        return self._broken(following or end, reason)
                    lost, searched = True, 0
                else:
                    self._keys = frozenset(value)
                    self._longest = max(self._longest, len(content))
                    self._position = end
                    return Record(self._number, "record", value, content.decode())
            size = len(self._buffer) - self._position
            if size > searched:
                searched = size * 2
                following = self._next_sound(self._position + 1, len(self._buffer))
                if following is not None:
                    return self._broken(following, reason)
            if size > MAX_RECORD:
                return self._broken(
                    len(self._buffer), f"a JSON value of more than {MAX_RECORD} bytes; reading ends here"
                )
            if not self._fill():
                following = self._next_sound(self._position + 1, len(self._buffer))
                if following is None and (cut := self._broken_off()) is not None:
                    self._ended_broken = True
                    reason = f"the file breaks off here: {cut}"
                return self._broken(following or len(self._buffer), reason)

    def _is_between(self, end: int) -> bool:
        """Whether another object, or nothing, follows at `end`."""
        match = _NOISE.match(self._buffer, end)
        assert match is not None
        return self._buffer[match.end() : match.end() + 1] in (b"", b"{")

    def _broken(self, end: int, reason: str) -> Broken:
        content = self._buffer[self._position : end].rstrip(b", \t\r\n")
        self._position = end
        return Broken(self._number, "record", reason, content)

    def _end_of(self, start: int, limit: int | None = None) -> int | None:
        """Where the brackets that open at `start` are closed; None if that is not in the buffer, or behind `limit`."""
        depth, position = 0, start
        for match in _TO_BRACKET.finditer(self._buffer, start, len(self._buffer) if limit is None else limit):
            if match.start() != position:
                return None
            position = match.end()
            if match.lastindex == 1:
                depth += 1
            else:
                depth -= 1
                if depth == 0:
                    return position
        return None

    def _next_sound(self, start: int, end: int) -> int | None:
        """Where, before `end`, the first object begins that is one of this document."""
        if self._start is None:
            return None
        span = max(_SPAN, 4 * self._longest)
        for tried, match in enumerate(self._start.finditer(self._buffer, start, end)):
            if tried == _MOST_TRIED:
                return match.start()
            close = self._end_of(match.start(), match.start() + span)
            if close is None:
                continue
            value = _parsed(self._buffer[match.start() : close])
            if isinstance(value, dict) and 2 * len(self._keys & value.keys()) >= len(self._keys):
                return match.start()
        return None

"""Whatever encoding a text file has, as UTF-8.

What belongs here: byte-order marks, guessing from the first bytes, and which encoding to advise for bytes that are no
UTF-8. What does not: refusing a record; bytes that cannot be read stay such that they are no UTF-8 either, so that
the framing finds them in the record in which they stand.
"""

import codecs
import io
import re
from dataclasses import dataclass
from typing import BinaryIO, cast

from tweet_profiles.errors import SettingError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HIGH = re.compile(rb"[\x80-\xff]")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NOT_IN_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")
_UNREADABLE = "tweet_profiles.unreadable"


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_UNREADABLE, _escape)


@dataclass(frozen=True)
class Encoding:
    """An encoding, and the length of the byte-order mark that told it."""

    name: str
    mark: int = 0


def check_encoding(name: str) -> str:
    """The codec's own name of an encoding.

    Raises:
        SettingError: if there is no such encoding of text.
    """
    try:
        "".encode(name)
    except LookupError:
        raise SettingError(f"--encoding {name}: not known; utf-8, cp1252, latin-1 and utf-16 are") from None
    return codecs.lookup(name).name.removesuffix("-sig")


def detect(head: bytes, given: str | None) -> Encoding:
    """The encoding of a file that begins so: what its byte-order mark says, else what was given, else UTF-8 or 16."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name, len(mark))
    if given is not None:
        return Encoding(check_encoding(given))
    even, odd = head[:4096:2].count(0), head[1:4096:2].count(0)
    most = min(len(head), 4096) // 2 * 0.6
    if odd > most and even < odd / 10:
        return Encoding("utf-16-le")
    if even > most and odd < even / 10:
        return Encoding("utf-16-be")
    return Encoding("utf-8")


def as_utf8(stream: BinaryIO, encoding: Encoding) -> BinaryIO:
    """The stream in UTF-8, without its byte-order mark."""
    stream.read(encoding.mark)
    if encoding.name == "utf-8":
        return stream
    return cast(BinaryIO, io.BufferedReader(_Transcoded(stream, encoding.name), 1 << 18))


class _Transcoded(io.RawIOBase):
    """A stream in another encoding as UTF-8; what it cannot read becomes bytes that are no UTF-8."""

    def __init__(self, stream: BinaryIO, name: str):
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(name)(_UNREADABLE)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            piece = self._stream.read(1 << 17)
            text = self._decoder.decode(piece, final=not piece)
            if not piece and not text:
                return 0
            self._rest = memoryview(text.encode("utf-8", "surrogatepass"))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def advised(content: bytes) -> str:
    """The encoding to try for bytes that are no UTF-8: that of Windows where its own letters stand, else Latin-1."""
    high = {match[0] for match in _HIGH.findall(content)}
    return "cp1252" if any(byte < 0xA0 for byte in high) and not high & _NOT_IN_CP1252 else "latin-1"


def why_not_utf8(content: bytes) -> str | None:
    """The first byte that is no UTF-8, and what to do; None if all is."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        byte = content[error.start]
        return (
            f"not UTF-8 (byte {byte:#04x}): if it is readable as such, name its encoding: --encoding {advised(content)}"
        )
    return None


def other_encoding(head: bytes) -> str | None:
    """The encoding to advise for a whole file, if its beginning shows that it is not in UTF-8; else None.

    Single broken lines among sound ones show nothing: they are quarantined alone.
    """
    lines = head[: head.rfind(b"\n") + 1 or None].splitlines()
    sound = broken = 0
    for line in lines:
        if not line.isascii() and not _CONTROL.search(line):
            readable = why_not_utf8(line) is None
            sound, broken = sound + readable, broken + (not readable)
    if broken > sound and broken * 20 > len(lines):
        return advised(b"".join(line for line in lines if not line.isascii()))
    return None

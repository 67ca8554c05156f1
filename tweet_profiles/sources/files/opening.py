"""From a path to the bytes of the files in it: folders, archives, compression, pipes.

What belongs here: what is told by the first bytes, whatever the name's suffix. What does not: what the bytes say
(`encodings`), and where one record ends and the next begins (the framing modules).

Everything is read once and forwards, so that a pipe is as good as a file; only archives and workbooks whose directory
stands at their end are spooled when they come through a pipe. A compressed file that breaks off ends there, and its
`Content` says so: what came before is good.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

import zstandard

from tweet_profiles.errors import InputError
from tweet_profiles.sources.files.workbooks import WORKBOOK_MAGIC, sheets_of

HEAD_BYTES = 1 << 20
"""How much of a file is looked at before it is read."""
STDIN = Path("-")
MAX_LAYERS = 4
"""Compressed files in archives in compressed files: deeper than this is an accident or an attack."""

_BREAKS = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, zipfile.BadZipFile, tarfile.TarError)

_KNOWN_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document: export the data as CSV or JSON"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"RIFF", "a picture, sound or video"),
    (b"SQLite format 3\x00", "an SQLite database: export its table as CSV"),
    (b"ARROW1", "an Arrow file: write it as Parquet"),
    (b"Obj\x01", "an Avro file: write it as Parquet or JSON lines"),
    (b"\x89HDF", "an HDF5 file: write its table with pandas to_csv or to_parquet"),
    (b"RDX", "an R data file: write its table with write.csv"),
    (b"RDA", "an R data file: write its table with write.csv"),
    (b"X\n\x00\x00\x00", "an R object: write its table with write.csv"),
    (b"\x80\x04\x95", "a Python pickle: write its table with to_csv or to_parquet"),
    (b"\x80\x03", "a Python pickle: write its table with to_csv or to_parquet"),
    (b"\x80\x05\x95", "a Python pickle: write its table with to_csv or to_parquet"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself: `git lfs pull` fetches it"),
)


class Content(io.RawIOBase):
    """The unpacked bytes of one file, read once and forwards.

    Attributes:
        name: the file as told to people: a path, "archive.zip: member", "standard input".
        packing: how it was packed, outermost first: ("zip", "gzip").
        sheet: which sheet of a workbook it stands for; None: the only one with rows.
        broken: why it ended before its end, once it has; None if it is whole.
    """

    def __init__(
        self,
        inner: BinaryIO,
        name: str,
        packing: tuple[str, ...] = (),
        below: "Content | None" = None,
        sheet: str | None = None,
    ):
        super().__init__()
        self._inner, self._below, self.sheet = inner, below, sheet
        self._ahead = memoryview(b"")
        self.name, self.packing = name, packing
        self._broken: str | None = None

    @property
    def broken(self) -> str | None:
        """Why the file ended before its end."""
        return self._broken or (self._below.broken if self._below is not None else None)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer; a stream that breaks off ends."""
        if self._ahead:
            size = min(len(buffer), len(self._ahead))
            buffer[:size] = self._ahead[:size]
            self._ahead = self._ahead[size:]
            return size
        piece = self._read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def head(self, size: int = HEAD_BYTES) -> bytes:
        """The first bytes, which stay to be read; to be asked before anything is read."""
        pieces = [bytes(self._ahead)]
        missing = size - len(self._ahead)
        while missing > 0 and (piece := self._read(min(missing, 1 << 16))):
            pieces.append(piece)
            missing -= len(piece)
        whole = b"".join(pieces)
        self._ahead = memoryview(whole)
        return whole[:size]

    def spooled(self, folder: Path) -> BinaryIO:
        """The whole content as a file that can be read anywhere: the file itself if it is one, else a nameless copy."""
        if not self.packing and isinstance(self._inner, io.BufferedReader) and self._inner.seekable():
            self._inner.seek(0)
            return self._inner
        spool = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by its reader
        shutil.copyfileobj(cast(BinaryIO, io.BufferedReader(self)), spool, 1 << 20)
        spool.seek(0)
        return cast(BinaryIO, spool)

    def _read(self, size: int) -> bytes:
        if self._broken is not None:
            return b""
        try:
            return self._inner.read(size)
        except _BREAKS as error:
            self._broken = str(error) or type(error).__name__
            return b""


@dataclass(frozen=True)
class Refused:
    """A file that is none with tweets, and what it is."""

    name: str
    reason: str


class _Zstd(io.RawIOBase):
    """Zstandard frames one after the other; unlike the library's reader it tells when the last one breaks off."""

    def __init__(self, packed: IO[bytes]):
        super().__init__()
        self._packed = packed
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 31)
        self._frame = self._decompressor.decompressobj()
        self._begun = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:  # noqa: ARG002 - a piece of any size is right
        while True:
            piece = self._packed.read(1 << 16)
            if not piece:
                if self._begun:
                    raise EOFError("the compressed data breaks off")
                return b""
            unpacked = self._unpack(piece)
            if unpacked:
                return unpacked

    def _unpack(self, piece: bytes) -> bytes:
        unpacked = []
        while piece:
            self._begun = True
            unpacked.append(self._frame.decompress(piece))
            if not self._frame.eof:
                break
            piece = self._frame.unused_data
            self._frame, self._begun = self._decompressor.decompressobj(), False
        return b"".join(unpacked)


class _Pieces(io.RawIOBase):
    """A reader of pieces of any size as one that gives no more than was asked for."""

    def __init__(self, inner: _Zstd):
        super().__init__()
        self._inner, self._rest = inner, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = self._inner.read()
        piece, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return piece


class _ZipMember(io.RawIOBase):
    """One member of a zip archive, unpacked as it comes; its end is told by the compressed data itself."""

    def __init__(self, file: BinaryIO):
        super().__init__()
        self._file, self._unpacker, self._rest = file, zlib.decompressobj(-zlib.MAX_WBITS), b""

    def read(self, size: int = -1) -> bytes:
        while not self._rest and not self._unpacker.eof:
            piece = self._file.read(1 << 16)
            if not piece:
                raise EOFError("the archive breaks off")
            self._rest = self._unpacker.decompress(piece)
            if self._unpacker.eof:
                self._file.seek(-len(self._unpacker.unused_data), os.SEEK_CUR)
        piece, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return piece

    def read_rest(self) -> None:
        """Go to the member's end, or to the archive's."""
        with suppress(*_BREAKS):
            while self.read(1 << 20):
                pass


def _members_in_turn(file: BinaryIO) -> Iterator[tuple[str, _ZipMember]]:
    """The deflated members of a zip archive in their order, by the header before each; ends where none follows."""
    while True:
        head = file.read(4)
        if head == b"PK\x07\x08":  # sizes that were not known before the member
            file.seek(12, os.SEEK_CUR)
            continue
        fields = file.read(26)
        if head != b"PK\x03\x04" or len(fields) < 26:
            return
        flags, method, name_length, extra_length = (
            int.from_bytes(fields[at : at + 2], "little") for at in (2, 4, 22, 24)
        )
        name = file.read(name_length).decode("utf-8" if flags & 0x800 else "cp437", "replace")
        file.seek(extra_length, os.SEEK_CUR)
        if method != zipfile.ZIP_DEFLATED or flags & 1:
            return
        yield name, _ZipMember(file)


_UNPACKERS: dict[str, Callable[[IO[bytes]], object]] = {
    "gzip": lambda packed: gzip.GzipFile(fileobj=packed),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zstd": lambda packed: _Pieces(_Zstd(packed)),
}

_PACKINGS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("gzip", re.compile(rb"\x1f\x8b")),
    ("bzip2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")),
    ("xz", re.compile(rb"\xfd7zXZ\x00")),
    ("zstd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")),
    ("zip", re.compile(rb"PK\x03\x04|PK\x05\x06")),
    ("tar", re.compile(rb"[^\x00].{256}ustar", re.DOTALL)),
)


def packing_of(head: bytes) -> str | None:
    """How content that begins so is packed: a compression, "zip", "tar", or None."""
    return next((name for name, magic in _PACKINGS if magic.match(head)), None)


def known_other(head: bytes) -> str | None:
    """What content that begins so is, if it is nothing with tweets; with what to do."""
    for magic, what in _KNOWN_OTHERS:
        if head.startswith(magic):
            return what
    if head[4:8] == b"ftyp":
        return "a video"
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page, not the data: the download may need a login"
    if head.lstrip()[:5].lower() == b"<?xml":
        return "XML: export the data as CSV or JSON"
    return None


def expand(paths: Iterable[Path]) -> list[Path]:
    """The files that the paths name: themselves, and every file that is not hidden in a folder and below.

    Raises:
        InputError: if one is not there, or a folder holds no file.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                one
                for one in path.rglob("*")
                if one.is_file() and not any(part.startswith(".") for part in one.relative_to(path).parts)
            )
            if not inside:
                raise InputError(f"{path} holds no file")
            files += inside
        elif path == STDIN or path.exists():
            files.append(path)
        else:
            raise InputError(f"{path} is not there: give files, folders that hold them, or - for standard input")
    return files


class Opened:
    """One path, opened: its contents, one after the other, and how far reading has come.

    Use as a context manager; a `Content` is to be read before the next one is asked for.
    """

    def __init__(self, path: Path, spool: Path) -> None:
        self.path, self._spool = path, spool
        self.name = "standard input" if path == STDIN else str(path)
        self._stack = ExitStack()
        self._disk: BinaryIO | None = None
        self.size: int | None = None
        self.identity = ""

    def __enter__(self) -> "Opened":
        """Open the file. Raises InputError if it cannot be read."""
        try:
            self._disk = self._stack.enter_context(self._open())
            state = os.fstat(self._disk.fileno())
        except OSError as error:
            raise InputError(f"{self.name} cannot be read: {error.strerror}") from error
        if self._disk.seekable():
            self.size = state.st_size
            self.identity = f"{state.st_size} {state.st_mtime_ns}"
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> BinaryIO:
        if self.path == STDIN:
            return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
        return self.path.open("rb")

    def position(self) -> int:
        """How many bytes of the file on disk have been read; 0 of a pipe."""
        return self._disk.tell() if self._disk is not None and self.size is not None else 0

    def contents(self) -> Iterator[Content | Refused]:
        """The contents of the path, unpacked; of an archive one a member."""
        assert self._disk is not None
        yield from self._unpacked(Content(self._disk, self.name), 0)

    def _unpacked(self, content: Content, layers: int) -> Iterator[Content | Refused]:
        head = content.head()
        kind = packing_of(head)
        if kind is None and head.startswith(WORKBOOK_MAGIC):
            yield from self._sheets(content.spooled(self._spool), content)
        elif kind is None:
            yield content
        elif layers >= MAX_LAYERS:
            yield Refused(content.name, f"is packed more than {MAX_LAYERS} times: unpack it first")
        elif kind == "zip":
            yield from self._zip_members(content, layers)
        elif kind == "tar":
            yield from self._tar_members(content, layers)
        else:
            unpacker = _UNPACKERS[kind](io.BufferedReader(content, 1 << 18))
            yield from self._unpacked(
                Content(cast(BinaryIO, unpacker), content.name, (*content.packing, kind), content), layers + 1
            )

    def _sheets(self, file: BinaryIO, content: Content) -> Iterator[Content]:
        """A workbook once for each of its sheets that has rows, as people keep a month or a brand in each."""
        file.seek(0)
        sheets = sheets_of(file)
        for sheet in sheets if len(sheets) > 1 else [None]:
            file.seek(0)
            name = content.name if sheet is None else f"{content.name}: {sheet}"
            yield Content(file, name, content.packing, sheet=sheet)

    def _zip_members(self, content: Content, layers: int) -> Iterator[Content | Refused]:
        file = content.spooled(self._spool)
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError):
            file.seek(0)
            yield from self._cut_zip_members(file, content, layers)
            return
        names = set(archive.namelist())
        if names & {"xl/workbook.xml", "xl/workbook.bin", "content.xml"}:
            yield from self._sheets(file, content)
            return
        for member in sorted(archive.infolist(), key=lambda one: one.filename):
            if member.is_dir() or _is_hidden(member.filename):
                continue
            name = f"{content.name}: {member.filename}"
            try:
                unpacked = archive.open(member)
            except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
                yield Refused(name, f"cannot be unpacked ({error}): unpack the archive first")
                continue
            with unpacked:
                yield from self._unpacked(
                    Content(cast(BinaryIO, unpacked), name, (*content.packing, "zip")), layers + 1
                )

    def _cut_zip_members(self, file: BinaryIO, content: Content, layers: int) -> Iterator[Content | Refused]:
        """The members of an archive whose directory, at its end, is missing: as far as they can be read in turn."""
        for name, member in _members_in_turn(file):
            if not _is_hidden(name) and not name.endswith("/"):
                packing = (*content.packing, "zip")
                yield from self._unpacked(
                    Content(cast(BinaryIO, member), f"{content.name}: {name}", packing), layers + 1
                )
            member.read_rest()
        yield Refused(
            content.name, "is a zip archive that breaks off: what came before the break was read; fetch it again"
        )

    def _tar_members(self, content: Content, layers: int) -> Iterator[Content | Refused]:
        try:
            with tarfile.open(fileobj=io.BufferedReader(content, 1 << 18), mode="r|") as archive:
                for member in archive:
                    unpacked = None if _is_hidden(member.name) else archive.extractfile(member)
                    if unpacked is None:
                        continue
                    name = f"{content.name}: {member.name}"
                    yield from self._unpacked(
                        Content(cast(BinaryIO, unpacked), name, (*content.packing, "tar"), content), layers + 1
                    )
        except tarfile.TarError as error:
            yield Refused(content.name, f"is a tar archive that breaks off ({error}): its last files are missing")
            return
        if content.broken:
            yield Refused(content.name, f"breaks off ({content.broken}): its last files are missing")


def _is_hidden(name: str) -> bool:
    parts = Path(name).parts
    return any(part.startswith(".") for part in parts) or "__MACOSX" in parts

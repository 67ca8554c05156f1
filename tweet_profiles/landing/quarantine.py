"""The quarantine: records that could not be used, each alone and whole, with where it stood and why.

What belongs here: the one writer of quarantine files, for archive files and the X API alike. What does not: deciding
that a record is bad, and removing old ones (`removal.retention`) or those of a forgotten author (`removal.forget`).

A file of the quarantine is JSON lines: `file`, `unit` and `number` (a person finds "line 17" again), `reason`,
`content`. What is longer than `MAX_BYTES` is cut and says so by `content_bytes`, its length; bytes that are no UTF-8
stand as escapes in `content` and exactly in `content_base64`. Only the home's owner may read it.
"""

import os
from base64 import b64encode
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import orjson
import structlog

from tweet_profiles.home import SECRET_FILE_MODE, Home

log = structlog.get_logger(__name__)

MAX_BYTES = 1 << 20


class Quarantine:
    """The file of one source, made with its first record.

    Importing a file again writes its quarantine anew, so that nothing stands there twice and what is read well now
    stands there no more; a file that has changed since, or another of the same name, gets one of its own.

    Attributes: `count` records, and the `path` of the file.
    """

    def __init__(self, home: Home, source: str, identity: str) -> None:
        """Prepare the file of one source.

        Args:
            home: whose quarantine.
            source: what the records' `file` says: a path, or a name.
            identity: tells this source from others of its name, and its content from what it was before.
        """
        digest = blake2b(f"{source}\0{identity}".encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
        name = Path(source).name.encode("utf-8", "replace").decode()[:100]
        self.path = home.quarantine / f"{name}-{digest}.jsonl"
        self.source = source.encode("utf-8", "replace").decode()
        self.count = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "Quarantine":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        elif kind is None:
            self.path.unlink(missing_ok=True)

    def add(self, number: int, unit: str, reason: str, content: str | bytes) -> None:
        """Put a record aside."""
        if self._file is None:
            self._file = _open(self.path, os.O_TRUNC)
        self.count += 1
        self._file.write(_entry(self.source, number, unit, reason, content))


def append(home: Home, name: str, source: str, reason: str, content: bytes) -> None:
    """Put a record aside that came from no file, in the quarantine file of this name; durable when this returns."""
    path = home.quarantine / f"{name}.jsonl"
    with _open(path, os.O_APPEND) as file:
        file.write(_entry(source, 0, "record", reason, content))
        file.flush()
        os.fsync(file.fileno())
    log.warning("put a record aside", source=source, reason=reason, file=str(path))


def _open(path: Path, flag: int) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flag, SECRET_FILE_MODE), "wb")


def _entry(source: str, number: int, unit: str, reason: str, content: str | bytes) -> bytes:
    whole = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
    entry: dict[str, Any] = {"file": source, "unit": unit, "number": number, "reason": reason}
    shown = whole[:MAX_BYTES]
    try:
        entry["content"] = shown.decode()
    except UnicodeDecodeError:
        entry["content"] = shown.decode("utf-8", "backslashreplace")
        entry["content_base64"] = b64encode(shown).decode()
    if len(whole) > MAX_BYTES:
        entry["content_bytes"] = len(whole)
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)

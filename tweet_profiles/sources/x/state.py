"""State on disk that must outlive a process: read with care, and what the disk does to us in plain words.

What belongs here: reading one JSON object into a dataclass, and errors of the file system. What does not: what any of
the files mean. They are written by `home.write_atomically`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from tweet_profiles.errors import HomeError

_State = TypeVar("_State")


def read_state(path: Path, kind: type[_State], remedy: str) -> _State | None:
    """What a file holds; None if there is none.

    Args:
        path: the file.
        kind: the dataclass that it holds.
        remedy: what the file is for, and what to do if it is damaged.

    Raises:
        HomeError: naming the file, if it cannot be read or does not hold a `kind`.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HomeError(f"{path} cannot be read ({error.strerror}): mend its permissions") from error
    try:
        return TypeAdapter(kind).validate_json(content, strict=True)
    except ValidationError:
        what = "is damaged" if content.strip(b"\0 \n") else "is empty"
        raise HomeError(f"{path} {what}: {remedy}") from None


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Say in plain words what the file system refuses; `folder` is named where the error names no file."""
    try:
        yield
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else folder
        raise HomeError(
            f"{where} cannot be used ({error.strerror or type(error).__name__}): free the disk, mend the permissions, "
            "or let this user open more files"
        ) from error

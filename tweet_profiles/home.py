"""The home folder: where each kind of file lives, who may read it, and how files are written.

What belongs here: paths, permissions, atomic writes and the pseudonym secret. What does not: the format of
any file. Everything that may hold personal data lives under `private/`, which only its owner may enter.
"""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tweet_profiles.errors import HomeError
from tweet_profiles.settings import Settings

PRIVATE_DIR_MODE = 0o700
SECRET_FILE_MODE = 0o600


@dataclass(frozen=True)
class Home:
    """Paths below one home folder. `Home.open` makes the folders; the object itself is a value."""

    root: Path

    @property
    def private(self) -> Path:
        """What may hold personal data: landing zone, raw tweets, quarantine. Mode 0700, purged."""
        return self.root / "private"

    @property
    def landing(self) -> Path:
        """Immutable batch files, one dynamic partition each."""
        return self.private / "landing"

    @property
    def quarantine(self) -> Path:
        """Records that could not be used, each with its reason."""
        return self.private / "quarantine"

    @property
    def raw(self) -> Path:
        """`raw_tweets`, one Parquet file a partition."""
        return self.private / "raw_tweets"

    @property
    def scored(self) -> Path:
        """`scored_tweets`, one Parquet file a partition: no text, no id."""
        return self.root / "scored_tweets"

    @property
    def features(self) -> Path:
        """`scaled_features` and the scaler."""
        return self.root / "features"

    @property
    def plots(self) -> Path:
        """Figures as PNG files."""
        return self.root / "plots"

    @property
    def exports(self) -> Path:
        """Released profiles as CSV and Parquet."""
        return self.root / "exports"

    @property
    def cache(self) -> Path:
        """What can be made again: compiled model graphs, scores by text."""
        return self.root / "cache"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME."""
        return self.root / "dagster"

    @property
    def mongodb(self) -> Path:
        """Data and state of the local database server."""
        return self.root / "mongodb"

    @property
    def secret_key_file(self) -> Path:
        """The pseudonyms' secret, mode 0600."""
        return self.root / "pseudonym.key"

    @property
    def rotation_file(self) -> Path:
        """Is there while the key is being rotated."""
        return self.root / "key_rotation.json"

    @property
    def forgotten_file(self) -> Path:
        """The pseudonyms of authors who asked to be forgotten."""
        return self.root / "forgotten_authors.txt"

    @classmethod
    def open(cls, root: Path) -> "Home":
        """Make the folders that are missing, with their modes.

        Raises:
            HomeError: if the folder cannot be made or written.
        """
        home = cls(root)
        try:
            for folder in (home.root, home.private, home.landing, home.quarantine, home.raw):
                folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIR_MODE)
            home.private.chmod(PRIVATE_DIR_MODE)
            for folder in (home.scored, home.features, home.plots, home.exports, home.cache, home.dagster):
                folder.mkdir(exist_ok=True, mode=PRIVATE_DIR_MODE)
            with tempfile.TemporaryFile(dir=home.root):
                pass
        except OSError as error:
            raise HomeError(
                f"the home folder {root} cannot be written ({error.strerror}): make it writable, "
                "or name another one in TWEET_PROFILES_HOME"
            ) from error
        return home

    def refuse_during_rotation(self) -> None:
        """Raise HomeError while stored pseudonyms may be of two keys."""
        if self.rotation_file.exists():
            raise HomeError(
                f"the key of the pseudonyms is being rotated ({self.rotation_file}): if that was interrupted, "
                "finish it with `tweet-profiles db rotate-key`"
            )

    def pseudonym_key(self, settings: Settings) -> bytes:
        """The secret of the HMAC pseudonyms: the setting's, else the home's own, made once; a line a rotation.

        Raises:
            HomeError: if the key file can be read by others or is damaged; a new key would give every
                author a second profile, so none is made in its place. Also while it is being rotated.
        """
        self.refuse_during_rotation()
        if settings.pseudonym_key is not None:
            return settings.pseudonym_key.get_secret_value().encode()
        path = self.secret_key_file
        if not path.exists():
            _create_once(path, secrets.token_hex(32).encode())
        if path.stat().st_mode & 0o077:
            raise HomeError(f"{path} can be read by others: chmod 600 it, or rotate the key if it may be known")
        key = path.read_bytes().strip()
        if len(key) < 32:
            raise HomeError(
                f"{path} holds no key of 32 characters or more: restore it from a backup "
                "(a new key would give every known author a second profile)"
            )
        return key


def _create_once(path: Path, content: bytes) -> None:
    """Create `path` with `content`, complete or not at all; whoever comes second leaves the first one's."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(SECRET_FILE_MODE)
        with _ignore_exists():
            os.link(temporary, path)
        fsync_folder(path.parent)
    finally:
        temporary.unlink()


@contextmanager
def _ignore_exists() -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        return


def fsync_folder(folder: Path) -> None:
    """Make the folder's entries durable: a rename is only safe once its folder is on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Let `write` fill a temporary file beside `path`, make it durable, then rename it to `path`.

    A reader sees the old file or the whole new one; a kill leaves at most a `.tmp` file beside it.

    Raises:
        HomeError: if the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIR_MODE)
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise HomeError(
            f"{path} cannot be written ({error.strerror}): free the disk or mend the permissions"
        ) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path

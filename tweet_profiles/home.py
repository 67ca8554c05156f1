"""The home folder: where each kind of file lives, who may read it, and how files are written.

What belongs here: paths, permissions, atomic writes, the pseudonym secret, and who uses the home. What does not: the
format of any other file. Everything that may hold personal data lives under `private/`, which only its owner may enter.
"""

import errno
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import psutil

from tweet_profiles.errors import HomeError
from tweet_profiles.settings import Settings

PRIVATE_DIR_MODE = 0o700
SECRET_FILE_MODE = 0o600
LAYOUT = 1
"""Of the folders and files of a home. A home of a higher one was made by a newer version."""
_OURS = ("private/landing", "mongodb/server.json", "dagster/dagster.yaml")
"""By these a home is recognised that was made before homes named their layout."""
_SAME_PROCESS_S = 2.0


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
    def key_check_file(self) -> Path:
        """By what a key is recognised as the one that the pseudonyms here were made with; the key cannot be had from
        it.
        """
        return self.root / "pseudonym.check"

    @property
    def layout_file(self) -> Path:
        """By what a home is recognised, with the version of its folders and files."""
        return self.root / "home.json"

    @property
    def users(self) -> Path:
        """One file a process that uses this home for long."""
        return self.root / "users"

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
            HomeError: if the folder cannot be made or written, holds something else, or was made by a newer version.
        """
        home = cls(root)
        try:
            home._refuse_others()
            for folder in (home.root, home.private, home.landing, home.quarantine, home.raw):
                folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIR_MODE)
            home.private.chmod(PRIVATE_DIR_MODE)
            for folder in (home.scored, home.features, home.plots, home.exports, home.cache, home.dagster):
                folder.mkdir(exist_ok=True, mode=PRIVATE_DIR_MODE)
            with tempfile.TemporaryFile(dir=home.root):
                pass
            if not home.layout_file.exists():
                layout = json.dumps({"layout": LAYOUT}).encode()
                write_atomically(home.layout_file, lambda file: file.write(layout))
        except OSError as error:
            if error.errno in _FULL:
                raise cannot_write(root, error) from error
            raise HomeError(
                f"the home folder {root} cannot be written ({error.strerror}): make it writable, "
                "or name another one in TWEET_PROFILES_HOME"
            ) from error
        return home

    @property
    def is_home(self) -> bool:
        """Whether the folder is a home of this product."""
        return self.layout_file.is_file() or any((self.root / name).exists() for name in _OURS)

    @property
    def has_data(self) -> bool:
        """Whether anything was landed, computed or exported here."""
        folders = (self.landing, self.quarantine, self.raw, self.scored, self.features, self.exports)
        return self.mongodb.is_dir() or any(folder.is_dir() and any(folder.iterdir()) for folder in folders)

    def _refuse_others(self) -> None:
        if not self.root.is_dir():
            return
        if not self.is_home and any(path.name != ".env" for path in self.root.iterdir()):
            raise HomeError(
                f"{self.root} holds something else and no home of tweet_profiles: name an empty or a new folder in "
                "TWEET_PROFILES_HOME"
            )
        marker = self.layout_file
        if not marker.exists():
            return
        try:
            layout = int(json.loads(marker.read_bytes())["layout"])
        except (ValueError, KeyError, TypeError):
            raise HomeError(f'{marker} is damaged: it should read {{"layout": {LAYOUT}}}') from None
        if layout > LAYOUT:
            raise HomeError(
                f"{self.root} was made by a newer version of tweet_profiles (layout {layout}, known here is {LAYOUT}): "
                "upgrade, or name another folder in TWEET_PROFILES_HOME"
            )

    @contextmanager
    def in_use(self, by: str) -> Iterator[None]:
        """Note that this process uses the home, for `used_by`; also for what the process becomes by exec.

        Args:
            by: the command, to name it to others.
        """
        note = self.users / f"{os.getpid()}.json"
        content = json.dumps({"by": by, "created": psutil.Process().create_time()}).encode()
        write_atomically(note, lambda file: file.write(content))
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    def used_by(self) -> dict[int, str]:
        """Living processes that use this home, by process id: what they are. This process is not among them."""
        found: dict[int, str] = {}
        for note in sorted(self.users.glob("*.json")) if self.users.is_dir() else []:
            try:
                noted, process = json.loads(note.read_bytes()), psutil.Process(int(note.stem))
                if abs(process.create_time() - noted["created"]) < _SAME_PROCESS_S:
                    found[process.pid] = str(noted["by"])
            except (ValueError, KeyError, OSError, psutil.NoSuchProcess):
                continue
        for process in psutil.process_iter(["environ"]):
            if (process.info["environ"] or {}).get("DAGSTER_HOME") == str(self.dagster):
                found.setdefault(process.pid, "Dagster")
        found.pop(os.getpid(), None)
        return found

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
            HomeError: if the key file can be read by others or is damaged, or the key is not the one that this home was
                made with; another key would give every author a second profile, so none is made in its place. Also
                while it is being rotated.
        """
        self.refuse_during_rotation()
        if settings.pseudonym_key is not None:
            key = settings.pseudonym_key.get_secret_value().encode()
            self._refuse_another_key(key, "TWEET_PROFILES_PSEUDONYM_KEY")
            return key
        path = self.secret_key_file
        if not path.exists():
            if self.key_check_file.exists():
                raise HomeError(
                    f"{path} is gone, and this home was made with a key: restore it from a backup, or give the key in "
                    "TWEET_PROFILES_PSEUDONYM_KEY (a new key would give every known author a second profile)"
                )
            _create_once(path, secrets.token_hex(32).encode())
        if path.stat().st_mode & 0o077:
            raise HomeError(f"{path} can be read by others: chmod 600 it, or rotate the key if it may be known")
        key = path.read_bytes().strip()
        if len(key) < 32:
            raise HomeError(
                f"{path} holds no key of 32 characters or more: restore it from a backup "
                "(a new key would give every known author a second profile)"
            )
        self._refuse_another_key(key, str(path))
        return key

    def note_key(self, key: bytes) -> None:
        """Take this key, of one line or more, as the one that the pseudonyms of this home are made with."""
        content = _check_value(key, secrets.token_hex(16).encode())
        write_atomically(self.key_check_file, lambda file: file.write(content))

    def _refuse_another_key(self, key: bytes, named: str) -> None:
        """Raise HomeError if the home was made with another key. A home that knows of none takes this one."""
        if not self.key_check_file.exists():
            if self.secret_key_file.exists() and self.secret_key_file.read_bytes().strip() != key.strip():
                raise self._another_key(named)
            _create_once(self.key_check_file, _check_value(key, secrets.token_hex(16).encode()))
        known = self.key_check_file.read_bytes()
        if not hmac.compare_digest(known, _check_value(key, known.partition(b":")[0])):
            raise self._another_key(named)

    def _another_key(self, named: str) -> HomeError:
        return HomeError(
            f"{named} is another key than the one that {self.root} was made with, and would give every known author a "
            "second profile: give the former key, name another home in TWEET_PROFILES_HOME, or empty this one with "
            "`tweet-profiles reset`"
        )


def _check_value(key: bytes, salt: bytes) -> bytes:
    """The salt, and HMAC-SHA256 of a constant and the salt under the key."""
    return salt + b":" + hmac.digest(key.strip(), b"tweet_profiles key check:" + salt, sha256).hex().encode()


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


_FULL = (errno.ENOSPC, errno.EDQUOT)


def cannot_write(path: Path, error: OSError) -> HomeError:
    """The error to raise where a file cannot be written: what is in the way and what to do."""
    if error.errno in _FULL:
        return HomeError(
            f"{path} cannot be written, the disk is full: free some of it, then give the same command again; what is "
            "stored stays whole"
        )
    return HomeError(f"{path} cannot be written ({error.strerror}): mend the permissions")


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
        raise cannot_write(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path

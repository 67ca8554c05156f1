"""The suppression list: authors who asked to be forgotten, so that they do not come back.

What belongs here: the list and the question whether an author is on it. What does not: removing what is
already stored (`removal.forget`). The list holds pseudonyms, never ids: it must outlive what it forgot.
"""

import os
from collections.abc import Iterable
from typing import BinaryIO

from tweet_profiles.home import SECRET_FILE_MODE, Home, write_atomically
from tweet_profiles.privacy.pseudonyms import author_key
from tweet_profiles.settings import load_settings


class SuppressionList:
    """The list of one home; it notices when another process adds to it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file = home.forgotten_file
        self._version: tuple[int, int] | None = None
        self._keys: frozenset[str] = frozenset()
        self._secret = b""

    def keys(self) -> frozenset[str]:
        """The pseudonyms of the authors on the list."""
        try:
            state = self._file.stat()
        except FileNotFoundError:
            return frozenset()
        version = (state.st_mtime_ns, state.st_ino)
        if version != self._version:
            self._keys = frozenset(self._file.read_text().split())
            self._secret = self._home.pseudonym_key(load_settings())
            self._version = version
        return self._keys

    def covers(self, *author_ids: str | None) -> bool:
        """Whether any of these authors is on the list; None is nobody."""
        return not self.permits([author_ids])[0]

    def permits(self, author_ids: Iterable[tuple[str | None, ...]]) -> list[bool]:
        """For each of many tweets by its authors (its own and the original's) whether none of them is on the list.

        The list is looked at once.
        """
        keys = self.keys()
        return [not keys or keys.isdisjoint(self._pseudonyms(authors)) for authors in author_ids]

    def _pseudonyms(self, author_ids: tuple[str | None, ...]) -> list[str]:
        return [author_key(self._secret, author_id) for author_id in author_ids if author_id is not None]

    def add(self, pseudonyms: frozenset[str]) -> None:
        """Put authors on the list, for good. Raises HomeError if it cannot be written."""
        keys = sorted(self.keys() | pseudonyms)

        def write(file: BinaryIO) -> None:
            os.fchmod(file.fileno(), SECRET_FILE_MODE)
            file.write("".join(f"{key}\n" for key in keys).encode())

        write_atomically(self._file, write)

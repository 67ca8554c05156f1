"""Rotating the key of the pseudonyms, so that whoever learns the old one finds nobody any more.

What belongs here: giving everything that is stored its new pseudonyms, so that no kill leaves a mixture. What does not:
how a pseudonym is made (`pseudonyms`).

A rotation hashes each pseudonym once more, under the new key. That needs no id, so authors keep their profiles and
segments, and who was forgotten stays forgotten; afterwards both keys together make a pseudonym.

It is noted first that a rotation is under way, and from then on nothing reads the key or the database (`Home`,
`resources`). Copies are made beside what is there; only when all are complete are they put in its place, one after
another. Who is killed before that begins the copies anew; who is killed after it goes on. Either way the command is
given again.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as arrow
from pyarrow import parquet
from pymongo.database import Database

from tweet_profiles.errors import SettingError, TweetProfilesError
from tweet_profiles.home import SECRET_FILE_MODE, Home, write_atomically
from tweet_profiles.privacy.pseudonyms import rotated
from tweet_profiles.profiles.buckets import CREATED, FIELDS, TWEET, pack, unpack
from tweet_profiles.profiles.schema import Document, ensure_validators
from tweet_profiles.settings import Settings

COPYING, SWITCHING = "copying", "switching"
_TOPICS = FIELDS.index("topics")
_CHUNK = 2_000
_KINDS = {"author_key": "author", "tweet_key": "tweet", "topics": "topic"}


class RunningError(TweetProfilesError):
    """Something is running that writes pseudonyms."""


@dataclass(frozen=True)
class Rotated:
    """How many authors, hashtags and tables have new pseudonyms."""

    authors: int
    topics: int
    tables: int


def rotate_key(home: Home, settings: Settings, database: Database[Document], is_busy: Callable[[], bool]) -> Rotated:
    """Put a new key on top of the home's, or go on with a rotation that was killed.

    Args:
        home: with the key file.
        settings: must not hold a key of their own.
        database: with the profiles.
        is_busy: whether a run is in progress.

    Raises:
        SettingError: if the key comes from a setting, which cannot be changed from here.
        RunningError: if a run is in progress; nothing was begun.
    """
    if settings.pseudonym_key is not None:
        raise SettingError(
            "TWEET_PROFILES_PSEUDONYM_KEY holds the key, so it cannot be changed from here: write it into "
            f"{home.secret_key_file} (chmod 600), unset the setting, and rotate then"
        )
    if not home.rotation_file.exists():
        home.pseudonym_key(settings)
        _note(home, COPYING, secrets.token_hex(32))
        if is_busy():
            home.rotation_file.unlink()
            raise RunningError("a run is in progress: wait for it, stop `tweet-profiles dev`, and rotate then")
    noted = orjson.loads(home.rotation_file.read_bytes())
    key = noted["key"].encode()
    if noted["stage"] == COPYING:
        _copy_collections(database, key)
        _copy_tables(home, key)
        _copy_list(home, key)
        _note(home, SWITCHING, noted["key"])
    _switch_collections(database)
    _switch_folders(home)
    _append_key(home, key)
    _switch_list(home)
    home.rotation_file.unlink()
    return Rotated(
        authors=database.scores.count_documents({}),
        topics=database.topics.count_documents({}),
        tables=sum(1 for folder in _folders(home) for _ in folder.glob("*.parquet")),
    )


def _note(home: Home, stage: str, key: str) -> None:
    _write_secret(home.rotation_file, orjson.dumps({"stage": stage, "key": key}))


def _write_secret(path: Path, content: bytes) -> None:
    def write(file: BinaryIO) -> None:
        os.fchmod(file.fileno(), SECRET_FILE_MODE)
        file.write(content)

    write_atomically(path, write)


# Collections


def _score(document: Document, key: bytes) -> Document:
    rows = unpack(document)
    for row in rows:
        row[TWEET] = rotated(key, "tweet", row[TWEET])
        row[_TOPICS] = [rotated(key, "topic", topic) for topic in row[_TOPICS]]
    # Sorted as `buckets.merge` leaves them, by hour and pseudonym.
    rows.sort(key=lambda row: (row[CREATED], row[TWEET]))
    return {**document, "_id": rotated(key, "author", document["_id"]), "tweets": pack(rows)}


def _profile(document: Document, key: bytes) -> Document:
    topics = {rotated(key, "topic", topic): count for topic, count in document["topics"].items()}
    return {**document, "_id": rotated(key, "author", document["_id"]), "topics": dict(sorted(topics.items()))}


def _topic(document: Document, key: bytes) -> Document:
    return {**document, "_id": rotated(key, "topic", document["_id"])}


_COLLECTIONS: dict[str, Callable[[Document, bytes], Document]] = {
    "scores": _score,
    "profiles": _profile,
    "topics": _topic,
}


def _beside(name: str) -> str:
    return f"{name}_rotated"


def _copy_collections(database: Database[Document], key: bytes) -> None:
    for name, change in _COLLECTIONS.items():
        copy = database[_beside(name)]
        copy.drop()
        documents: Iterator[Document] = (change(document, key) for document in database[name].find().batch_size(_CHUNK))
        while chunk := list(islice(documents, _CHUNK)):
            copy.insert_many(chunk, ordered=False)


def _switch_collections(database: Database[Document]) -> None:
    present = set(database.list_collection_names())
    for name in _COLLECTIONS:
        if _beside(name) in present:
            database[_beside(name)].rename(name, dropTarget=True)
    # A copy was made without; setting them again does no harm.
    ensure_validators(database)


# Files


def _folders(home: Home) -> tuple[Path, Path]:
    return home.scored, home.features


def _copy_tables(home: Home, key: bytes) -> None:
    for folder in _folders(home):
        copy = folder.with_name(_beside(folder.name))
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        for path in copy.glob("*.parquet"):
            table = parquet.ParquetFile(path).read()
            for name, kind in _KINDS.items():
                if name in table.column_names:
                    table = _with_new(table, name, kind, key)
            write_atomically(path, lambda file, table=table: parquet.write_table(table, file, compression="zstd"))  # type: ignore[misc]


def _with_new(table: arrow.Table, name: str, kind: str, key: bytes) -> arrow.Table:
    def new(value: Any) -> Any:
        if isinstance(value, list):
            return [rotated(key, kind, one) for one in value]
        return None if value is None else rotated(key, kind, value)

    place = table.column_names.index(name)
    values = arrow.array([new(value) for value in table[name].to_pylist()], table.schema.field(place).type)
    return table.set_column(place, table.schema.field(place), values)


def _switch_folders(home: Home) -> None:
    for folder in _folders(home):
        copy, old = folder.with_name(_beside(folder.name)), folder.with_name(f"{folder.name}_old")
        if copy.exists():
            if folder.exists():
                shutil.rmtree(old, ignore_errors=True)
                folder.rename(old)
            copy.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _append_key(home: Home, key: bytes) -> None:
    keys = home.secret_key_file.read_bytes().split()
    if keys[-1] != key:
        keys = [*keys, key]
        _write_secret(home.secret_key_file, b"\n".join(keys) + b"\n")
    home.note_key(b"\n".join(keys))


def _copy_list(home: Home, key: bytes) -> None:
    if home.forgotten_file.exists():
        keys = sorted(rotated(key, "author", author) for author in home.forgotten_file.read_text().split())
        _write_secret(
            home.forgotten_file.with_name(_beside(home.forgotten_file.name)),
            "".join(f"{one}\n" for one in keys).encode(),
        )


def _switch_list(home: Home) -> None:
    copy = home.forgotten_file.with_name(_beside(home.forgotten_file.name))
    if copy.exists():
        copy.replace(home.forgotten_file)

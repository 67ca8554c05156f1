"""Records of other tools: tables and JSON whose columns or keys are mapped to our fields.

What belongs here: looking cells up by path, which column is which field, and one record to one tweet. What does not:
the names that known exports use (`known`), what a cell means (`values`, `times`), and what a whole file is (the room's
own module).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from tweet_profiles.contracts import VERIFIED_KINDS
from tweet_profiles.landing.tweets import AUTHOR_COUNTS, FLAGS, TWEET_COUNTS, BadRecord, Tweet, author_id_of
from tweet_profiles.sources.formats.form import (
    author_of,
    edit_history,
    put_author,
    put_counts,
    put_edits,
    put_language,
    put_links,
    put_source,
    start,
)
from tweet_profiles.sources.formats.known import ADDRESS, AUTHOR_CELL, SEVERAL, USUAL, Paths
from tweet_profiles.sources.formats.times import TimeReader, format_time, without_hour
from tweet_profiles.sources.formats.values import (
    account_of,
    client_of,
    count_of,
    flag_of,
    handle_of,
    hashtags,
    hashtags_in,
    identifier,
    is_cut,
    is_missing,
    is_present,
    listed,
    literal,
    made_id,
    status_id,
    text_of,
    token_of,
)

_NUMBER_LIKE = re.compile(r"\d+(?:[eE]\d+)?")
_RTWEET_ID = re.compile(r"x\d{1,19}")
MAX_DEPTH = 4
"""Keys that lie deeper than this in JSON are not looked at when columns are found by their usual names."""


def usual_name(path: str) -> str:
    """A path in small letters with underscores: `likeCount`, `Like Count` and `like-count` are `like_count`."""
    parts = (re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", part) for part in path.strip().split("."))
    return ".".join(re.sub(r"[^\w]+", "_", part).strip("_").lower() for part in parts)


def paths_of(value: Mapping[str, Any], depth: int = MAX_DEPTH) -> list[str]:
    """The dotted paths of a record, its own keys before those of what is nested in them."""
    inner = [
        f"{key}.{path}"
        for key, part in value.items()
        if isinstance(part, dict) and depth > 1
        for path in paths_of(part, depth - 1)
    ]
    return [*(str(key) for key in value), *inner]


def look_up(record: Mapping[str, Any], path: str) -> Any:
    """The cell at a path; None if there is none.

    A name with dots is a column's own name first, then a way through nested objects, and numbers count items of lists.
    """
    if path in record:
        return record[path]
    if " + " in path:
        return _joined([look_up(record, part) for part in path.split(" + ")])
    value: Any = record
    for name in path.split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _joined(cells: Sequence[Any]) -> str | None:
    """The cells of a date, a time and a zone as one; None if one is missing."""
    if any(is_missing(cell) for cell in cells):
        return None
    midnight = isinstance(cells[0], datetime) and (cells[0].hour, cells[0].minute, cells[0].second) == (0, 0, 0)
    first = cells[0].date() if midnight else cells[0]
    return " ".join(str(cell).strip() for cell in (first, *cells[1:]))


def find_paths(present: Sequence[str], declared: Paths) -> dict[str, tuple[str, ...]]:
    """Those of the declared paths that a file has, spelt as it spells them."""
    spelt = {path.lower(): path for path in reversed(present)}
    found: dict[str, tuple[str, ...]] = {}
    for name, paths in declared.items():
        there = []
        for path in paths:
            parts = [spelt.get(part.lower()) for part in path.split(" + ")]
            if all(part is not None for part in parts):
                there.append(" + ".join(part for part in parts if part is not None))
        if there:
            found[name] = tuple(there)
    return found


def usual_paths(present: Sequence[str], values: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Our fields to the columns that have their usual names.

    One column a field, the first in which the sample has a value: a record that lacks its id must not get another
    column's. Texts and what is looked up for its being there may stand in several.
    """
    # A name that is usual as it stands goes before one that only resembles it: MongoDB's _id is no id of a tweet.
    exact_first = sorted(present, key=lambda path: usual_name(path) != path.strip().lower())
    spelt = {usual_name(path): path for path in reversed(exact_first)}
    found: dict[str, tuple[str, ...]] = {}
    used: set[str] = set()
    for name, candidates in USUAL.items():
        there = [spelt[name] for name in candidates if name in spelt and spelt[name] not in used]
        if there and name not in SEVERAL:
            there = [path for path in there if any(not is_missing(look_up(value, path)) for value in values)] or there
            there = there[:1]
        if there:
            found[name] = tuple(there)
            used.update(there)
    return found


@dataclass(frozen=True)
class Mapped:
    """How the records of one file become tweets.

    Attributes:
        kind: the kind of export, part of ids that are made.
        paths: our fields, and `known.REFERENCES`, to where they are kept, in the order in which they are tried.
        constants: fields that have one value in all records, where a record tells none.
        times: how the times of tweets are read.
        other_times: how its other times are read.
        by_handle: authors are known by handle, as no record of the sample tells an id.
        by_token: what stands for an author's id is a hash.
        make_ids: ids are made from kind, author, time and text.
        table: whether it is a table, in which NA is no text.
        escaped_newlines: whether line ends within texts are written as backslash and n.
        hours_unknown: whether a time of midnight that tells no zone means that only the day is known.
    """

    kind: str
    paths: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, str] = field(default_factory=dict)
    times: TimeReader = field(default_factory=TimeReader)
    other_times: TimeReader = field(default_factory=TimeReader)
    by_handle: bool = False
    by_token: bool = False
    make_ids: bool = False
    table: bool = False
    escaped_newlines: bool = False
    hours_unknown: bool = False

    @cached_property
    def _told(self) -> frozenset[str]:
        """The fields that a record of this file may tell, so that the others need not be looked for in each."""
        return frozenset(self.paths) | frozenset(self.constants)

    @cached_property
    def _flags(self) -> tuple[str, ...]:
        return tuple(name for name in FLAGS if name in self._told)

    @cached_property
    def _tweet_counts(self) -> tuple[str, ...]:
        return tuple(name for name in TWEET_COUNTS if name in self._told)

    @cached_property
    def _author_counts(self) -> tuple[str, ...]:
        return tuple(name for name in AUTHOR_COUNTS if name in self._told)

    @cached_property
    def _references(self) -> tuple[tuple[str, str], ...]:
        """Flags, and the columns that name another tweet."""
        pairs = (("is_retweet", "retweet_of"), ("is_reply", "reply_to"), ("is_quote", "quote_of"))
        return tuple(pair for pair in pairs if pair[1] in self.paths)

    @cached_property
    def _attached(self) -> tuple[tuple[str, str], ...]:
        """Flags, and the columns that list what they tell of."""
        pairs = (("has_link", "links"), ("has_media", "media"))
        return tuple(pair for pair in pairs if pair[1] in self.paths)

    def cell(self, record: Mapping[str, Any], name: str) -> Any:
        """A field's cell: the first path that holds a value, else the constant, else None."""
        for path in self.paths.get(name, ()):
            value = record[path] if path in record else look_up(record, path)
            if not is_missing(value):
                return value
        return self.constants.get(name)

    def cells(self, record: Mapping[str, Any], name: str) -> Iterable[Any]:
        """A field's cells that hold a value, in the order of the paths."""
        values = (look_up(record, path) for path in self.paths.get(name, ()))
        return (value for value in values if not is_missing(value))

    def text(self, record: Mapping[str, Any]) -> str | None:
        """The text; of several the first that is not cut. None where there is none."""
        if "withheld" in self._told and is_present(self.cell(record, "withheld")):
            return None
        texts = []
        for path in self.paths.get("text", ()):
            text = text_of(look_up(record, path), table=self.table)
            if text is not None:
                texts.append(text.replace("\\n", "\n") if self.escaped_newlines else text)
        if len(texts) == 1:
            return texts[0]
        whole = next((text for text in texts if not is_cut(text)), None)
        return whole or next(iter(texts), None) or text_of(self.constants.get("text"), table=self.table)

    def author(self, record: Mapping[str, Any]) -> str:
        """The author's id, told or made from the handle.

        Raises:
            BadRecord: if the record tells neither, or something else in its place.
        """
        told = self.cell(record, "author_id")
        account = None
        if told is None or self.by_handle:
            account = account_of(self.cell(record, AUTHOR_CELL)) or account_of(self.cell(record, "author_handle"))
        if self.by_token:
            token = token_of(told)
            if token is None:
                raise BadRecord("its author's id is missing, or no hash as the others are")
            return author_id_of(token)
        if not self.by_handle:
            if told is None and account is not None:
                return author_of(account)
            try:
                return identifier(self._bare_id(told), "its author's id")
            except BadRecord:
                # Another author's id is no better known for this one's being spoilt; the handle still tells who it is.
                cells = [] if told is None else [*self.cells(record, "author_handle"), told]
                handle = next((found for cell in cells if (found := handle_of(cell))), None)
                if handle is None or _NUMBER_LIKE.fullmatch(handle):
                    raise
                return author_id_of(handle)
        handles = [*self.cells(record, "author_handle"), *self.cells(record, AUTHOR_CELL)]
        if account is not None:
            handles = [account.get(name) for name in ("screen_name", "username", "userName", "screenName")]
        elif not handles:
            handles = [*self.cells(record, ADDRESS), self.constants.get("author_handle")]
        handle = next((found for cell in handles if (found := handle_of(cell))), None)
        if handle is not None:
            return author_id_of(handle)
        if any(not is_missing(cell) for cell in handles):
            raise BadRecord("its author is no handle: a handle has at most 15 letters, digits and underscores")
        raise BadRecord("its author is missing")

    def author_number(self, record: Mapping[str, Any]) -> str:
        """The author's id from its own column. Raises BadRecord if there is none."""
        return identifier(self._id(record, "author_id"), "its author's id")

    def _id(self, record: Mapping[str, Any], name: str) -> Any:
        return self._bare_id(self.cell(record, name))

    def _bare_id(self, cell: Any) -> Any:
        """An id's cell; rtweet writes x before ids, so that no program takes them for numbers."""
        return cell[1:] if self.kind == "rtweet" and isinstance(cell, str) and _RTWEET_ID.fullmatch(cell) else cell

    def tweet_id(self, record: Mapping[str, Any]) -> str:
        """The tweet's id, from its own column or its page's address. Raises BadRecord if there is none."""
        told = self._id(record, "id")
        if told is None:
            told = next((found for cell in self.cells(record, ADDRESS) if (found := status_id(cell))), None)
        return identifier(status_id(told) or told, "its id")

    def tweet(self, record: Any) -> Tweet:
        """One record as a tweet.

        Raises:
            BadRecord: with what is wrong with it.
        """
        if not isinstance(record, dict):
            raise BadRecord("is not a JSON object")
        created = self.times.read(self.cell(record, "created_at"), "the time of creation")
        if self.hours_unknown and not created.told_zone:
            created = without_hour(created, self.times.zone)
        author_id = self.author(record)
        text = self.text(record)
        tweet_id = (
            made_id(self.kind, author_id, format_time(created.at), text) if self.make_ids else self.tweet_id(record)
        )
        result = start(
            tweet_id,
            author_id,
            text,
            created,
            self._other_time(record, "observed_at"),
        )
        self._put_facts(result, record)
        self._put_account(result, record)
        if not self.make_ids:
            put_edits(result, edit_history(record) or self._history(record))
        return result

    def fill(self, tweet: Tweet) -> None:
        """Set what the constants say where a tweet does not tell it: language, client, flags."""
        if "lang" not in tweet:
            put_language(tweet, self.constants.get("lang"))
        if "source" not in tweet:
            put_source(tweet, client_of(self.constants.get("source")))
        for name in FLAGS:
            flag = flag_of(self.constants.get(name), name)
            if flag is not None and name not in tweet:
                tweet[name] = flag  # type: ignore[literal-required]

    def _put_facts(self, result: Tweet, record: Mapping[str, Any]) -> None:
        text = result.get("text") or ""
        tags = self.cell(record, "hashtags")
        result["hashtags"] = hashtags(hashtags_in(text) if tags is None else listed(tags))
        put_language(result, self.cell(record, "lang"))
        put_source(result, client_of(self.cell(record, "source")))
        put_links(result, urls=None, quoted=None, media=None)
        for name in self._flags:
            flag = self._flag(record, name)
            if flag is not None:
                result[name] = flag  # type: ignore[literal-required]
        for name, reference in self._references:
            self._put_reference(result, record, name, reference)
        for name, reference in self._attached:
            if any(is_present(cell) for cell in self.cells(record, reference)):
                result[name] = True  # type: ignore[literal-required]
        if text.startswith("RT @") or not isinstance(result.get("is_retweet"), bool):
            result["is_retweet"] = text.startswith("RT @")
        if result["is_retweet"]:
            original = self._id(record, "original_author_id")
            with suppress(BadRecord):
                result["original_author_id"] = identifier(original, "the original's author")
        else:
            counts = {name: self._count(record, name) for name in self._tweet_counts}
            put_counts(result, "public_metrics", counts, self._tweet_counts)

    def _put_reference(self, result: Tweet, record: Mapping[str, Any], name: str, reference: str) -> None:
        """A column that names another tweet tells of every record whether it is a retweet, a reply, a quote."""
        if name in result and name != "is_retweet":
            return
        there = [is_present(cell) for cell in self.cells(record, reference)]
        if any(there):
            result[name] = True  # type: ignore[literal-required]
        elif None not in there and name not in result:
            result[name] = False  # type: ignore[literal-required]

    def _put_account(self, result: Tweet, record: Mapping[str, Any]) -> None:
        told = self._told
        user: dict[str, Any] = {name: self._flag(record, name) for name in ("verified", "protected") if name in told}
        if "account_created_at" in told:
            user["created_at"] = self._other_time(record, "account_created_at")
        if "verified_type" in told:
            user["verified_type"] = self.cell(record, "verified_type")
        if "verified" in told:
            kind = str(self.cell(record, "verified")).strip().lower()
            if kind in VERIFIED_KINDS and kind != "none":
                user["verified"], user["verified_type"] = True, kind
        if "blue" in told and is_present(self.cell(record, "blue")) and is_missing(user.get("verified_type")):
            user["verified"], user["verified_type"] = True, "blue"
        counts = {name: self._count(record, name) for name in self._author_counts}
        put_author(result, user, counts, self.other_times)

    def unreadable(self, record: Mapping[str, Any]) -> list[str]:
        """The fields of a record that hold something which tells nothing, so that they are unknown."""
        readers = (
            *((name, self._flag) for name in (*FLAGS, "verified", "protected")),
            *((name, self._count) for name in (*TWEET_COUNTS, *AUTHOR_COUNTS)),
            *((name, self._other_time) for name in ("observed_at", "account_created_at")),
        )
        return [name for name, read in readers if self.cell(record, name) is not None and read(record, name) is None]

    def _flag(self, record: Mapping[str, Any], name: str) -> bool | None:
        cell = self.cell(record, name)
        try:
            return None if cell is None else flag_of(cell, name)
        except BadRecord:
            return None

    def _count(self, record: Mapping[str, Any], name: str) -> int | None:
        cell = self.cell(record, name)
        try:
            return None if cell is None else count_of(cell, name)
        except BadRecord:
            return None

    def _other_time(self, record: Mapping[str, Any], name: str) -> datetime | None:
        cell = self.cell(record, name)
        try:
            return None if cell is None else self.other_times.read(cell, name).at
        except BadRecord:
            return None

    def _history(self, record: Mapping[str, Any]) -> list[Any]:
        if "edits" not in self._told:
            return []
        cell = self.cell(record, "edits")
        parsed = literal(cell) if isinstance(cell, str) else cell
        return parsed if isinstance(parsed, list) else []

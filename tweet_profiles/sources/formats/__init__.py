"""What the records of a file mean: which export they belong to, and the tweets in them.

What belongs here: finding out, once a file, how its records are to be read, and refusing with the way out what cannot
be read without guessing. What does not: opening files, their encodings and framing (`sources.files`), the meaning of
one record (`x`, `tables`) and what has landed (`landing.zone`).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import BadZipFile, ZipFile

import orjson

from tweet_profiles.errors import InputError, SettingError
from tweet_profiles.landing.tweets import AUTHOR_COUNTS, FLAGS, TWEET_COUNTS, BadRecord, Converted, Tweet, author_id_of
from tweet_profiles.sources.formats import x
from tweet_profiles.sources.formats.known import ADDRESS, AUTHOR_CELL, KNOWN, NOT_TWEETS, Export
from tweet_profiles.sources.formats.records import FIELDS, ReadOptions, Record, Shape
from tweet_profiles.sources.formats.tables import Mapped, find_paths, look_up, paths_of, usual_paths
from tweet_profiles.sources.formats.times import (
    ORDERS,
    TimeReader,
    is_excel_serial,
    numeric_order,
    zone_of,
)
from tweet_profiles.sources.formats.values import (
    account_of,
    count_of,
    flag_of,
    handle_of,
    identifier,
    is_missing,
    language_of,
    status_id,
    token_of,
)
from tweet_profiles.sources.formats.x import convert

__all__ = ["FIELDS", "ReadOptions", "Reading", "Record", "convert", "recognise"]

TIMES = ("created_at", "observed_at", "account_created_at")
READ_FROM_TEXT = frozenset({"hashtags", "is_retweet", "has_link"})
"""What the text tells where the file does not."""
SAMPLE = 1_000
"""Tweets by which a file is recognised."""
LOOKED_AT = 200
"""Records of a JSON sample whose keys are looked at."""
NAMED_COLUMNS = 40
"""Columns that a message names at most."""
LONGEST_NAME = 60
"""Characters of a column's name; what is longer is a text."""

SMALL_ID = 10**7
"""Tweets had ids below this until early 2007; later, such a number counts something else."""
SMALL_IDS_ENDED = datetime(2007, 7, 1, tzinfo=UTC)
FIRST_OF_ROWS = 1_000
"""Numbers that begin below this count rows."""
EXCEL_DIGITS = 15
"""Excel keeps so many digits of a number and writes zeros for the others."""


@dataclass(frozen=True)
class Reading:
    """How one file is read. Made by `recognise`.

    Attributes:
        name: what the file is, as told to people: "a Twint CSV".
        columns: our field to where it is read from.
        unused: columns of the file that are not used.
        missing: our fields that the file lacks.
        notes: sentences worth telling.
    """

    name: str
    columns: Mapping[str, str]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    _convert: Callable[[Any], Converted] = field(repr=False)

    def convert(self, record: Record) -> Converted:
        """The tweets of one record, and the reason of each that could not be used."""
        try:
            return self._convert(record.value)
        except BadRecord as error:
            return Converted(errors=[error])


def recognise(
    sample: Sequence[Record], shape: Shape, options: ReadOptions, header: Sequence[str] | None, source: str
) -> Reading:
    """Find out how the records of a file are to be read.

    Args:
        sample: the first records of the file, up to 1,000.
        shape: "json" or "table".
        options: what the user said.
        header: the column names of a table; None if it has none.
        source: the file as named in messages.

    Raises:
        InputError: if the records cannot be read as tweets; says what they are and what to do.
        SettingError: if an option cannot be used.
    """
    _check_options(options)
    values = [record.value for record in sample if isinstance(record.value, dict)]
    pages = [x.inner(value) for value in values] if shape == "json" else []
    if any(pages) and not any(value.keys() & {"author_id", "user", "author", "data"} for value in values):
        one = recognise(
            [Record(0, "record", tweet, "") for page in pages if page for tweet in page][:SAMPLE],
            shape,
            options,
            header,
            source,
        )
        return replace(one, name=f"pages of {one.name}", _convert=lambda page: _each(page, one))
    if shape == "json":
        kinds = Counter(kind for value in values if (kind := x.kind_of(value)) in x.NAMES)
        of_x = kinds.most_common(1)[0][0] if kinds else None
        if of_x is not None and not (options.columns and of_x in ("flattened", "v1")):
            return _reading_of_x(of_x, values, options, source)
        values = [value for value in values if x.kind_of(value) not in ("notice", "message", "error")] or values
    return _reading_of_tool(values, shape, options, header, source)


def _each(page: Any, one: Reading) -> Converted:
    """The tweets that a page wraps; a record that wraps none is read as one."""
    wrapped = x.inner(page)
    if wrapped is None:
        return one.convert(Record(0, "record", page, ""))
    converted = Converted()
    for position, tweet in enumerate(wrapped, start=1):
        part = one.convert(Record(position, "record", tweet, ""))
        converted.tweets += part.tweets
        converted.skipped += part.skipped
        converted.errors += [BadRecord(f"tweet {position} of the page: {error}") for error in part.errors]
    return converted


def _check_options(options: ReadOptions) -> None:
    unknown = (set(options.columns) | set(options.constants)) - set(FIELDS)
    if unknown:
        raise SettingError(f"{', '.join(sorted(unknown))}: no such field; the fields are {', '.join(FIELDS)}")
    for name, value in options.constants.items():
        _check_constant(name, value)
    if "id" in options.constants:
        raise SettingError("--value id: one id for all would leave one tweet; have ids made with --make-ids")
    pattern = options.date_format
    if pattern is not None and pattern not in ORDERS and "%" not in pattern:
        raise SettingError(f"--date-format {pattern}: give dmy, mdy, ymd or a pattern such as %d.%m.%Y %H:%M")


def _check_constant(name: str, value: str) -> None:
    """Refuse what a field cannot have, where records would leave it unknown."""
    try:
        if name == "lang" and language_of(value) is None:
            raise SettingError("--value lang: give the tag of a language, such as en")
        if name in (*FLAGS, "verified", "protected") and flag_of(value, name) is None:
            raise SettingError(f"--value {name}: give true or false")
        if name in (*TWEET_COUNTS, *AUTHOR_COUNTS) and count_of(value, name) is None:
            raise SettingError(f"--value {name}: give a whole number")
    except BadRecord as error:
        raise SettingError(f"--value {name}: {error}") from None


def _reading_of_x(kind: str, values: Sequence[Any], options: ReadOptions, source: str) -> Reading:
    if options.columns:
        raise SettingError(
            f"{source} holds {x.NAMES[kind]}, whose fields are known: leave --column away, or import it apart"
        )
    owner, notes = _owner(options, source) if kind == "archive" else (None, [])
    if kind != "archive":
        _refuse_author(options, f"{source} holds {x.NAMES[kind]}, which tell their authors")

    def read(value: Any) -> Converted:
        return _with_constants(convert(value, owner=owner), options.constants)

    tried = _tried(read, values)
    if kind == "page" and not tried.tweets:
        _refuse_bare_pages(values, source)
    if options.make_ids:
        notes.append("its ids are X's own: none are made")
    return Reading(
        name=x.NAMES[kind],
        columns={},
        unused=(),
        missing=_never_told(tried.tweets),
        notes=tuple(notes),
        _convert=read,
    )


def _refuse_bare_pages(values: Sequence[Any], source: str) -> None:
    """Pages for which X was asked without the fields that a profile cannot be without."""
    pages = [value["data"] for value in values if isinstance(value.get("data"), list)]
    tweets = [tweet for page in pages for tweet in page if isinstance(tweet, dict)]
    lacking = [name for name in ("author_id", "created_at") if tweets and not any(name in tweet for tweet in tweets)]
    if lacking:
        raise InputError(
            f"{source}: X was asked for these tweets without {' and '.join(lacking)}: ask again with "
            "tweet.fields=author_id,created_at"
        )


def _owner(options: ReadOptions, source: str) -> tuple[str, list[str]]:
    """Whose tweets an archive holds: as the user says, or as account.js beside it says."""
    handle = options.constants.get("author_handle")
    if "author_id" in options.constants:
        return _constant_id(options.constants["author_id"]), []
    if handle is not None:
        if handle_of(handle) is None:
            raise SettingError("--value author_handle: a handle has at most 15 letters, digits and underscores")
        return author_id_of(str(handle_of(handle))), []
    try:
        account = orjson.loads(_beside(source, "account.js").partition(b"=")[2])[0]["account"]
        return identifier(account["accountId"], "accountId"), ["its author is the account of account.js beside it"]
    except (OSError, ValueError, LookupError, TypeError):
        raise InputError(
            f"{source} is X's own archive of one account, whose tweets do not tell their author: keep account.js "
            "beside it, or say whose it is with --value author_id=NUMBER (accountId in account.js) or "
            "--value author_handle=NAME"
        ) from None


def _beside(source: str, name: str) -> bytes:
    """A file in the folder of another, which may be in a zip archive. Raises OSError if there is none."""
    archive, _, member = source.partition(".zip: ")
    if not member:
        return Path(source).with_name(name).read_bytes()
    try:
        with ZipFile(f"{archive}.zip") as opened:
            return opened.read(str(PurePosixPath(member).with_name(name)))
    except (BadZipFile, KeyError) as error:
        raise FileNotFoundError(name) from error


def _constant_id(value: str) -> str:
    try:
        return identifier(value, "--value author_id")
    except BadRecord as error:
        raise SettingError(str(error)) from None


def _refuse_author(options: ReadOptions, why: str) -> None:
    given = [name for name in ("author_id", "author_handle") if name in options.constants]
    if given:
        raise SettingError(f"--value {given[0]}: {why}; one author for all would be wrong")


def _with_constants(converted: Converted, constants: Mapping[str, str]) -> Converted:
    """Set what the user said of all tweets where a tweet of X does not tell it."""
    usable = constants and {name: value for name, value in constants.items() if not name.startswith("author_")}
    if usable:
        mapped = Mapped("", {}, usable)
        for tweet in converted.tweets:
            mapped.fill(tweet)
    return converted


def _reading_of_tool(
    values: Sequence[Mapping[str, Any]],
    shape: Shape,
    options: ReadOptions,
    header: Sequence[str] | None,
    source: str,
) -> Reading:
    present = _present(values, shape, header)
    export = _export_of(present, values, header is None and shape == "table")
    if export is None and header is not None:
        _refuse_data_as_header(header, values, source)
    if export is not None and export.refusal is not None:
        raise InputError(f"{source}: {export.refusal}")
    paths = _paths(export, present, values, options, source)
    mapped = Mapped(
        kind=export.kind if export else "plain",
        paths=paths,
        constants=options.constants,
        make_ids=options.make_ids,
        table=shape == "table",
        escaped_newlines=export is not None and export.escaped_newlines,
    )
    mapped = _without_others(mapped, values, options)
    _refuse_missing(mapped, values, present, source, options, shape, header)
    mapped, notes = _with_times(mapped, values, options, source)
    mapped, more = _with_authors(mapped, values, options, source)
    tried = _tried(lambda value: Converted(tweets=[mapped.tweet(value)]), values)
    mapped, ids = _with_ids(mapped, values, tried.tweets, shape, source)

    def read(value: Any) -> Converted:
        kind = x.kind_of(value) if shape == "json" else None
        if kind in ("notice", "message"):
            return convert(value)
        if kind == "error":
            raise BadRecord("is an error answer, not a tweet")
        return Converted(tweets=[mapped.tweet(value)])

    used = {part for several in mapped.paths.values() for path in several for part in path.split(" + ")}
    return Reading(
        name=_name(export, shape),
        columns={name: ", else ".join(several) for name, several in mapped.paths.items() if name in FIELDS},
        unused=tuple(column for column in _own_columns(present, shape, header) if not _is_used(column, used)),
        missing=tuple(name for name in FIELDS if not _is_told(name, mapped)),
        notes=(*notes, *more, *ids, *_unreadable(mapped, values)),
        _convert=read,
    )


def _without_others(mapped: Mapped, values: Sequence[Mapping[str, Any]], options: ReadOptions) -> Mapped:
    """Leave out columns of flags that count something: retweets 3, replies 12."""
    others = set()
    for name in set(FLAGS) & mapped.paths.keys() - options.columns.keys():
        cells = [cell for value in values if (cell := mapped.cell(value, name)) is not None]
        if sum(_is_number(cell) for cell in cells) > len(cells) / 5:
            others.add(name)
    return replace(mapped, paths={name: paths for name, paths in mapped.paths.items() if name not in others})


def _is_number(cell: Any) -> bool:
    return str(cell).strip().removesuffix(".0") not in ("0", "1") and str(cell).strip().removesuffix(".0").isdigit()


def _unreadable(mapped: Mapped, values: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence on each field whose cells often tell nothing."""
    unread = Counter(name for value in values for name in mapped.unreadable(value))
    of = f"of the first {len(values):,} records: unknown there"
    return [f"{name} cannot be read in {count:,} {of}" for name, count in unread.items()]


def _name(export: Export | None, shape: Shape) -> str:
    return (export.name if export else "a plain {shape}").format(shape="table" if shape == "table" else "JSON file")


def _present(values: Sequence[Mapping[str, Any]], shape: Shape, header: Sequence[str] | None) -> list[str]:
    """The paths that a file has: its columns, or the keys of the first records, and what is nested in them."""
    nested = dict.fromkeys(path for value in values[:LOOKED_AT] for path in paths_of(value) if path not in value)
    if header is not None:
        return list(dict.fromkeys([*header, *nested]))
    if shape == "table":
        return [str(key) for key in values[0]] if values else []
    return list(dict.fromkeys(path for value in values[:LOOKED_AT] for path in paths_of(value)))


def _own_columns(present: Sequence[str], shape: Shape, header: Sequence[str] | None) -> Sequence[str]:
    if header is not None:
        return header
    return [path for path in present if shape == "table" or "." not in path]


def _is_used(column: str, used: Iterable[str]) -> bool:
    return any(path == column or path.startswith(f"{column}.") for path in used)


def _is_told(name: str, mapped: Mapped) -> bool:
    reference = {"is_retweet": "retweet_of", "is_reply": "reply_to", "is_quote": "quote_of"}.get(name, name)
    if name == "id" and (mapped.make_ids or ADDRESS in mapped.paths):
        return True
    if name == "author_handle" or name in READ_FROM_TEXT:
        return True
    if name == "author_id":
        return not mapped.by_handle
    return any(key in mapped.paths or key in mapped.constants for key in (name, reference))


def _export_of(present: Sequence[str], values: Sequence[Mapping[str, Any]], headless: bool) -> Export | None:
    names = {path.lower() for path in present}
    for export in KNOWN:
        if any(mark <= names for mark in export.marks):
            return export
        if headless and export.looks and _looks_like(export, [list(value.values()) for value in values]):
            return export
    return None


def _looks_like(export: Export, rows: Sequence[Sequence[Any]]) -> bool:
    """Whether nearly all rows have the export's columns, as a few may be broken."""
    fitting = sum(
        len(row) in export.columns
        and all(
            pattern.fullmatch(str(row[number - 1 if number > 0 else number]).strip())
            for number, pattern in export.looks.items()
        )
        for row in rows
    )
    return bool(rows) and fitting >= 0.9 * len(rows)


def _refuse_data_as_header(header: Sequence[str], values: Sequence[Mapping[str, Any]], source: str) -> None:
    rows = [list(value.values()) for value in values[:50]]
    for export in KNOWN:
        if export.looks and _looks_like(export, [list(header)]) and _looks_like(export, rows):
            if export.refusal is not None:
                raise InputError(f"{source}: {export.refusal}")
            raise InputError(f"{source} is {export.name}, which has no row of column names: say --no-header")


def _paths(
    export: Export | None,
    present: Sequence[str],
    values: Sequence[Mapping[str, Any]],
    options: ReadOptions,
    source: str,
) -> dict[str, tuple[str, ...]]:
    """Our fields to where they are kept: as the user says, as the export has them, by their usual names."""
    known: dict[str, tuple[str, ...]] = {}
    if export is not None:
        numbered = {str(number): name for number, name in enumerate(present, start=1)} if export.looks else {}
        known = (
            {name: tuple(numbered[path] for path in several) for name, several in export.paths.items()}
            if numbered
            else find_paths(present, export.paths)
        )
    taken = {path for several in known.values() for path in several}
    usual = {} if export is not None and export.looks else usual_paths(present, values)
    for name, several in usual.items():
        left = tuple(path for path in several if path not in taken)
        if left and name not in known:
            known[name] = left
    said = {name: _column(column, name, present, values, source) for name, column in options.columns.items()}
    for name, path in said.items():
        known = {key: tuple(other for other in several if other != path) for key, several in known.items()}
        known[name] = (path,)
    if said.keys() & {"author_id", "author_handle"}:
        for name in {"author_id", "author_handle", AUTHOR_CELL} - said.keys():
            known.pop(name, None)
    known = {name: several for name, several in known.items() if several}
    return _with_time_of_day(known, present, values) if "created_at" not in said else known


def _with_time_of_day(
    paths: dict[str, tuple[str, ...]], present: Sequence[str], values: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[str, ...]]:
    """Join a column of days with one of times of the day, where there are both."""
    first = paths.get("created_at", ("",))[0]
    clock = next((name for name in present if name.strip().lower() in ("time", "hour", "tweet_time")), None)
    if clock is None or clock == first or " + " in first or not first:
        return paths
    reader = TimeReader(order="dmy")
    for value in values[:50]:
        cell = look_up(value, first)
        if is_missing(cell):
            continue
        try:
            if reader.read(cell, "").has_hour:
                return paths
        except BadRecord:
            continue
    return paths | {"created_at": (f"{first} + {clock}", *paths["created_at"])}


def _column(column: str, name: str, present: Sequence[str], values: Sequence[Mapping[str, Any]], source: str) -> str:
    """The path that the user means: a name, a number, or a dotted path that some record has."""
    if column in present:
        return column
    folded = [path for path in present if path.strip().lower() == column.strip().lower()]
    if len(folded) == 1:
        return folded[0]
    if column.isdigit() and 1 <= int(column) <= len(present):
        return present[int(column) - 1]
    if any(look_up(value, column) is not None for value in values):
        return column
    raise InputError(f"{source}: no column {column} for {name}; its columns are {_listed(present)}")


def _listed(present: Sequence[str]) -> str:
    names = [name for name in present if _is_name(name)]
    shown = ", ".join(names[:NAMED_COLUMNS])
    return f"{shown} and {len(present) - NAMED_COLUMNS} more" if len(names) > NAMED_COLUMNS else shown


def _refuse_missing(
    mapped: Mapped,
    values: Sequence[Mapping[str, Any]],
    present: Sequence[str],
    source: str,
    options: ReadOptions,
    shape: Shape,
    header: Sequence[str] | None,
) -> None:
    addresses = [cell for value in values for cell in mapped.cells(value, ADDRESS)]
    has = {*mapped.paths, *options.constants}
    missing = [name for name in ("text", "created_at") if name not in has]
    if not mapped.make_ids and "id" not in has and not any(status_id(cell) for cell in addresses):
        missing.insert(0, "id")
    if not has & {"author_id", "author_handle", AUTHOR_CELL} and not any(handle_of(cell) for cell in addresses):
        missing.append("author_id or author_handle")
    if not missing:
        return
    names = {path.lower() for path in (*present, *_within_lists(values))}
    what = next((sentence for marks, sentence in NOT_TWEETS if marks <= names), None)
    if what is not None:
        raise InputError(f"{source}: {what}")
    if _is_list_of_ids(values):
        raise InputError(f"{source}: it is a list of ids: get the tweets from X (`twarc2 hydrate`) and import those")
    if shape == "json" and any(x.kind_of(value) == "error" for value in values):
        raise InputError(f"{source}: it is an error answer of the API: nothing was collected")
    if shape == "json" and values and all(x.kind_of(value) in ("notice", "message") for value in values):
        raise InputError(f"{source}: it holds notices and no tweets: give it to `tweet-profiles forget --notices`")
    if header is not None and not all(_is_name(name) for name in present):
        raise InputError(
            f"{source}: its first row seems to be a record, no column names: say --no-header, and name columns by "
            "number, such as --column text=3"
        )
    noun = "column" if shape == "table" else "key"
    ways = f"Name it with --column {missing[0].split()[0]}={'NAME' if shape == 'json' or header else 'NUMBER'}"
    if missing[0] == "id":
        ways += ", or have ids made with --make-ids"
    if missing == ["author_id or author_handle"]:
        ways += ", or if all are one account's say --value author_handle=NAME"
    elif "created_at" in missing and missing[-1] != "created_at":
        ways += "; a set that tells neither authors nor times gives no profiles"
    raise InputError(f"{source}: no {noun} for {', '.join(missing)}; its {noun}s are {_listed(present)}. {ways}")


def _within_lists(values: Sequence[Mapping[str, Any]]) -> list[str]:
    """The paths of the first objects in the lists of a record: what a page of something else than tweets holds."""
    lists = [part for value in values[:LOOKED_AT] for part in value.values() if isinstance(part, list) and part]
    return [path for some in lists if isinstance(some[0], dict) for path in paths_of(some[0])]


def _is_name(name: str) -> bool:
    """Whether a cell can be the name of a column: short, without sentences and addresses."""
    return len(name) <= LONGEST_NAME and not re.search(r"https?://|[!?…@\n]|[.,] ", name)


def _is_list_of_ids(values: Sequence[Mapping[str, Any]]) -> bool:
    cells = [str(cell).strip() for value in values for cell in value.values()]
    return (
        bool(cells)
        and all(len(value) == 1 for value in values)
        and all(cell.isdigit() and 9 <= len(cell) <= 19 for cell in cells)
    )


def _with_times(
    mapped: Mapped, values: Sequence[Mapping[str, Any]], options: ReadOptions, source: str
) -> tuple[Mapped, list[str]]:
    """How the times of the file are read, as the user says or the sample proves.

    Raises:
        InputError: if days and months could be taken for each other and nothing settles it.
    """
    told = {name: [cell for value in values for cell in mapped.cells(value, name)] for name in TIMES}
    told["created_at"] += [options.constants["created_at"]] if "created_at" in options.constants else []
    notes = []
    order = options.date_format if options.date_format in ORDERS else None
    pattern = options.date_format if order is None else None
    if order is None:
        looked_at = [cell for name, cells in told.items() if pattern is None or name != "created_at" for cell in cells]
        proved, open_ones = numeric_order(looked_at)
        if len(proved) > 1:
            raise InputError(
                f"{source}: some dates have the day first and some the month: no option can settle it; mend the file"
            )
        if open_ones and not proved:
            raise InputError(
                f"{source}: its dates may be day-month-year or month-day-year: say --date-format dmy or mdy"
            )
        if proved:
            order = proved.pop()
            notes.append(f"dates are {'day-month-year' if order == 'dmy' else 'month-day-year'}, as some days prove")
    zone = zone_of(options.time_zone) if options.time_zone else UTC
    reader = TimeReader(order, None, zone, zone_named=options.time_zone is not None)
    mapped = replace(mapped, times=replace(reader, pattern=pattern), other_times=reader)
    moments = []
    for cell in told["created_at"]:
        try:
            moments.append(mapped.times.read(cell, ""))
        except BadRecord:
            continue
    if any(is_excel_serial(cell) for cell in told["created_at"]) and pattern is None:
        notes.append("times are Excel's numbers of days since 1900, read as such")
    zoneless = [moment for moment in moments if moment.has_hour and not moment.told_zone]
    if zoneless:
        if options.time_zone:
            notes.append(f"times that tell no zone are read as {options.time_zone}")
        else:
            notes.append("times tell no zone: they are read as UTC; --time-zone names another")
    midnight = datetime.min.time()
    days = {moment.at.date() for moment in zoneless}
    if (
        len(zoneless) >= 10
        and len(days) > 1
        and all(moment.at.astimezone(zone).time() == midnight for moment in zoneless)
    ):
        mapped = replace(mapped, hours_unknown=True)
        notes.append("all times are midnight: only the days are taken as known")
    elif any(not moment.has_hour for moment in moments):
        notes.append("some times tell only the day: the hour stays unknown")
    return mapped, notes


def _with_authors(
    mapped: Mapped, values: Sequence[Mapping[str, Any]], options: ReadOptions, source: str
) -> tuple[Mapped, list[str]]:
    """Whether authors are known by their ids or by their handles: one way for the whole file.

    Raises:
        SettingError: if one author is said for all of a file that tells authors.
    """
    constants = {name for name in ("author_id", "author_handle") if name in options.constants}
    if constants:
        if mapped.paths.keys() & {"author_id", "author_handle", AUTHOR_CELL}:
            _refuse_author(options, f"{source} tells its authors")
        if "author_id" in constants:
            _constant_id(options.constants["author_id"])
        return replace(mapped, by_handle="author_id" not in constants), [
            "all its tweets are taken for one account's, as --value says"
        ]
    by_id = any(_author_id(mapped, value) for value in values)
    told = [cell for value in values if (cell := mapped.cell(value, "author_id")) is not None]
    if told and not by_id and all(token_of(cell) for cell in told):
        return replace(mapped, by_token=True), ["authors' ids are hashes: they are joined with none of X's own ids"]
    if by_id or "author_id" in options.columns:
        return mapped, []
    handles = [handle for value in values if (handle := handle_of(mapped.cell(value, "author_handle")))]
    if len(handles) >= 5 and len(set(handles)) == len(handles) and all(handle.isdigit() for handle in handles):
        raise InputError(
            f"{source}: {mapped.paths['author_handle'][0]} counts the rows and names no author: name the column that "
            "does with --column author_handle=NAME"
        )
    mapped = replace(mapped, by_handle=True)
    _refuse_display_names(mapped, values, source)
    return mapped, ["authors are known by handle alone: they are not joined with those of files that tell ids"]


def _refuse_display_names(mapped: Mapped, values: Sequence[Mapping[str, Any]], source: str) -> None:
    """Display names that happen to have a handle's form would be taken for other people's handles."""
    column = next(iter(mapped.paths.get("author_handle", ())), None)
    cells = [cell for value in values if column and (cell := mapped.cell(value, "author_handle")) is not None]
    names = sum(handle_of(cell) is None and account_of(cell) is None for cell in cells)
    if names > len(cells) / 2:
        raise InputError(
            f"{source}: {column} holds names, not handles (at most 15 letters, digits and underscores), and two people "
            "may have one name: name the column of handles with --column author_handle=NAME, or of ids with "
            "--column author_id=NAME; without either there are no profiles"
        )


def _author_id(mapped: Mapped, value: Mapping[str, Any]) -> bool:
    try:
        mapped.author_number(value)
    except BadRecord:
        pass
    else:
        return True
    try:
        author = replace(mapped, by_handle=False).author(value)
    except BadRecord:
        return False
    account = account_of(mapped.cell(value, AUTHOR_CELL)) or {}
    return any(str(account.get(name)) == author for name in ("id", "id_str", "rest_id", "user_id", "userId"))


def _with_ids(
    mapped: Mapped, values: Sequence[Mapping[str, Any]], tweets: Sequence[Tweet], shape: Shape, source: str
) -> tuple[Mapped, list[str]]:
    """Make sure that ids are ids of tweets: row numbers of one file would replace those of another.

    Raises:
        InputError: if they are row numbers, or otherwise no ids; names the way out.
    """
    if mapped.make_ids:
        return mapped, ["ids are made from author, time and text"]
    column = mapped.paths.get("id", (ADDRESS,))[0]
    told = [str(cell).strip() for value in values if (cell := mapped.cell(value, "id")) is not None]
    if shape == "table" and _cut_by_excel(told):
        raise InputError(
            f"{source}: all ids in {column} end in zeros after {EXCEL_DIGITS} digits: Excel has cut the others off; "
            "export it again with ids as text, or have ids made with --make-ids"
        )
    _refuse_shared_ids(tweets, column, source)
    numbers = [int(tweet["id"]) for tweet in tweets]
    late = any(datetime.fromisoformat(tweet["created_at"]) >= SMALL_IDS_ENDED for tweet in tweets)
    if not numbers or max(numbers) >= SMALL_ID or not late:
        return mapped, []
    if min(numbers) < FIRST_OF_ROWS:
        raise InputError(
            f"{source}: the ids in {column} are row numbers, which every file has again: "
            "have ids made from author, time and text with --make-ids, or name another column with --column id=NAME"
        )
    return replace(mapped, make_ids=True), [
        f"the ids in {column} are none of X's (too small for these years): ids are made from author, time and text"
    ]


def _cut_by_excel(ids: Sequence[str]) -> bool:
    long = [text for text in ids if text.isdigit() and len(text) > EXCEL_DIGITS]
    return len(set(long)) >= 5 and len(long) == len(ids) and all(not text[EXCEL_DIGITS:].strip("0") for text in long)


def _refuse_shared_ids(tweets: Sequence[Tweet], column: str, source: str) -> None:
    """A column in which many different tweets share an id holds something else: the author, the conversation."""
    contents: dict[str, set[tuple[str, str | None, str]]] = defaultdict(set)
    for tweet in tweets:
        if "version" not in tweet:
            contents[tweet["id"]].add((tweet["created_at"], tweet.get("text"), tweet["author_id"]))
    shared = sum(len(several) for several in contents.values() if len(several) > 1)
    if shared >= 3 and shared > 0.2 * len(tweets):
        raise InputError(
            f"{source}: many different tweets have the same id in {column}, so it holds no ids of tweets: "
            "name another column with --column id=NAME, or have ids made with --make-ids"
        )


def _tried(read: Callable[[Any], Converted], values: Sequence[Any]) -> Converted:
    """The tweets of the sample, past what cannot be read."""
    tried = Converted()
    for value in values:
        try:
            tried.tweets += read(value).tweets
        except BadRecord:
            continue
    return tried


def _never_told(tweets: Sequence[Tweet]) -> tuple[str, ...]:
    told = {"author_handle", *READ_FROM_TEXT}
    for tweet in tweets:
        author = tweet["author"]
        told |= {*tweet, *tweet.get("public_metrics", {}), *author.get("public_metrics", {}), *author} - {"created_at"}
        told |= {"created_at"} | ({"account_created_at"} if "created_at" in author else set())
    return tuple(name for name in FIELDS if name not in told) if tweets else ()

"""Files into the landing zone, with books that balance.

What belongs here: one file after the other from its bytes to landed tweets, what became of each record, the
quarantine of the rest. What does not: framing (the modules beside this one), the meaning of a record
(`sources.formats`), batches (`landing.zone`), and what is printed (`commands.imports`).
"""

import gc
import io
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from tweet_profiles.errors import InputError
from tweet_profiles.home import Home
from tweet_profiles.landing.quarantine import Quarantine
from tweet_profiles.landing.tweets import BadRecord, Tweet
from tweet_profiles.landing.zone import BatchWriter, LandingZone, Tally
from tweet_profiles.sources.files.documents import frame_json, is_json
from tweet_profiles.sources.files.encodings import as_utf8, detect, other_encoding
from tweet_profiles.sources.files.framing import Broken, Framed, Item
from tweet_profiles.sources.files.opening import Content, Opened, Refused, expand, known_other
from tweet_profiles.sources.files.tables import frame_table
from tweet_profiles.sources.files.workbooks import PARQUET_MAGIC, WORKBOOK_MAGIC, frame_parquet, frame_workbook
from tweet_profiles.sources.formats import Reading, ReadOptions, Record, recognise

SAMPLE = 1000
"""Records by which a file is recognised, and tweets by which it is told whether retweets were collected."""
OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""New objects after which the collector of garbage runs while files are imported."""
FORGOTTEN = "author asked to be forgotten"

_TEXT = bytes([*range(8, 14), *range(32, 256), 27])
"""Bytes that texts consist of; others are rare in them."""

Advance = Callable[[str, int, int | None], None]
"""Told now and then how far reading has come: file, bytes read, bytes in all (None: not known)."""


@dataclass(frozen=True)
class FileOptions:
    """How files are read.

    Attributes:
        encoding: of text files without a byte-order mark; None: told by their first bytes, else UTF-8.
        delimiter: separator of CSV files; None: told by their first lines.
        has_header: False if tables have no header; None: told by the first row.
        read: what records mean, where it is not told by the file.
    """

    encoding: str | None = None
    delimiter: str | None = None
    has_header: bool | None = None
    read: ReadOptions = field(default_factory=ReadOptions)


@dataclass
class FileOutcome:
    """What became of one file.

    Everything is counted in tweets: a page of a hundred tweets counts a hundred, a record that could not be parsed
    counts one. `read` = `landed` + `duplicates` + `quarantined` + all of `skipped`.

    Attributes:
        file: as told to people.
        format: what it was recognised as.
        facts: packing, encoding, framing.
        notes: sentences worth telling.
        unused: names of its columns that are not used.
        read: tweets and other records read from it.
        quarantined: those that could not be used.
        skipped: reason to number of those that were left on purpose.
        refused: why nothing was read from it; None if it was read.
        first_error: where the first quarantined one stands, and why.
        quarantine: the file that holds them.
        retweets_collected: whether the file was collected with retweets; None if its tweets do not tell.
    """

    file: str
    format: str = ""
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    read: int = 0
    quarantined: int = 0
    refused: str | None = None
    first_error: str | None = None
    quarantine: Path | None = None
    retweets_collected: bool | None = None
    _skipped: Counter[str] = field(default_factory=Counter)
    _tally: Tally = field(default_factory=Tally)

    @property
    def landed(self) -> int:
        """Tweets that are new in the landing zone."""
        return self._tally.landed

    @property
    def duplicates(self) -> int:
        """Tweets that had landed before, or came twice."""
        return self._tally.duplicates

    @property
    def skipped(self) -> Counter[str]:
        """Reason to number."""
        return self._skipped + Counter({FORGOTTEN: self._tally.suppressed})

    @property
    def left(self) -> str | None:
        """What of the file was left, in one sentence; None if all of it was read."""
        if self.refused is not None:
            return self.refused
        if not self.quarantined:
            return None
        where = f"{self.file}: {self.quarantined:,} of {self.read:,} records could not be used"
        if self.quarantined == self.read:
            where = f"{self.file}: none of its {self.read:,} records is a tweet"
        return f"{where}; the first, {self.first_error}. They are in {self.quarantine}"


@dataclass
class ImportReport:
    """What an import did: the outcome of each file, and how many batches landed."""

    outcomes: list[FileOutcome] = field(default_factory=list)
    batches: int = 0

    @property
    def files(self) -> int:
        """Files looked at."""
        return len(self.outcomes)

    @property
    def read(self) -> int:
        """Tweets and other records read."""
        return sum(outcome.read for outcome in self.outcomes)

    @property
    def landed(self) -> int:
        """Tweets that are new in the landing zone."""
        return sum(outcome.landed for outcome in self.outcomes)

    @property
    def duplicates(self) -> int:
        """Tweets that had landed before, or came twice."""
        return sum(outcome.duplicates for outcome in self.outcomes)

    @property
    def quarantined(self) -> int:
        """Records that could not be used."""
        return sum(outcome.quarantined for outcome in self.outcomes)

    @property
    def skipped(self) -> Counter[str]:
        """Reason to number of those that were left on purpose."""
        return sum((outcome.skipped for outcome in self.outcomes), Counter())

    @property
    def quarantine_files(self) -> list[Path]:
        """Where the quarantined records are."""
        return [outcome.quarantine for outcome in self.outcomes if outcome.quarantine is not None]

    @property
    def left(self) -> list[str]:
        """What was left of each file that was not read whole."""
        return [outcome.left for outcome in self.outcomes if outcome.left is not None]

    def summary(self) -> str:
        """The totals in one line."""
        parts = [f"{self.landed:,} landed", f"{self.duplicates:,} known before", f"{self.quarantined:,} quarantined"]
        parts += [f"{count:,} skipped ({reason})" for reason, count in self.skipped.items()]
        files = "1 file" if self.files == 1 else f"{self.files:,} files"
        return f"{self.read:,} read from {files}: {', '.join(parts)}; {self.batches:,} batches"


def import_paths(
    paths: Sequence[Path],
    zone: LandingZone,
    *,
    options: FileOptions | None = None,
    advance: Advance | None = None,
) -> ImportReport:
    """Stream files into the landing zone; the report tells what became of each.

    A file that cannot be read does not stop the others, nor does a record: that goes to the home's quarantine, alone
    and whole. Importing a file again lands nothing twice, so that a killed import is simply started again.

    Args:
        paths: files, folders, or `opening.STDIN`.
        zone: where the tweets land.
        options: how files are read.
        advance: told now and then how far reading has come.

    Raises:
        InputError: if a path is not there.
        SettingError: if the options name a field that does not exist.
        HomeError: if nothing can be landed.
    """
    options = options or FileOptions()
    files = expand(paths)
    report = ImportReport()
    with _collecting_rarely(), zone.writer("import") as writer:
        for path in files:
            for outcome in _import_path(path, options, writer, zone.home, advance):
                report.outcomes.append(outcome)
    report.batches = writer.batches
    return report


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Look for cycles of garbage rarely: records are trees, which go without it, and a batch of them is looked through
    again and again.
    """
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _import_path(
    path: Path, options: FileOptions, writer: BatchWriter, home: Home, advance: Advance | None
) -> Iterator[FileOutcome]:
    try:
        with Opened(path, home.private) as opened:
            identity = opened.identity or str(time.time_ns())
            contents = 0
            for content in opened.contents():
                contents += 1
                if isinstance(content, Refused):
                    yield FileOutcome(content.name, refused=f"{content.name} {content.reason}")
                    continue
                outcome = FileOutcome(content.name)
                source = content.name if opened.size is None else str(path.resolve()) + content.name[len(opened.name) :]

                def progress(opened: Opened = opened) -> None:
                    if advance is not None:
                        advance(opened.name, opened.position(), opened.size)

                try:
                    with Quarantine(home, source, identity) as quarantine:
                        _import_content(content, options, writer, home, outcome, quarantine, progress)
                except InputError as error:
                    outcome.refused = str(error)
                yield outcome
            if not contents:
                yield FileOutcome(opened.name, refused=f"{opened.name} holds no file")
            if advance is not None and opened.size is not None:
                advance(opened.name, opened.size, opened.size)
    except InputError as error:
        yield FileOutcome(str(path), refused=str(error))


def _import_content(
    content: Content,
    options: FileOptions,
    writer: BatchWriter,
    home: Home,
    outcome: FileOutcome,
    quarantine: Quarantine,
    progress: Callable[[], None],
) -> None:
    framed, reading, items = recognise_content(content, options, home.private)
    outcome.format, outcome.unused = reading.name, reading.unused
    outcome.facts, outcome.notes = (*content.packing, *framed.facts), reading.notes
    tweets = _Books(outcome, quarantine, progress).tweets(items, reading)
    try:
        for tweet in _with_retweets_told(tweets, options.read.retweets, outcome):
            writer.add(tweet, outcome._tally)
    finally:
        outcome.quarantined = quarantine.count
        outcome.quarantine = quarantine.path if quarantine.count else None


def frame(content: Content, options: FileOptions, spool: Path) -> Framed:
    """Find out by its first bytes what a file is, and cut it into records.

    Args:
        content: the file, not read yet.
        options: how it is read.
        spool: a private folder for what must be read from its end.

    Raises:
        InputError: if it is nothing that can hold tweets; says what it is and what to do.
    """
    head = content.head()
    name = content.name
    if not head.strip():
        if content.broken:
            raise InputError(f"{name} cannot be unpacked ({content.broken}): fetch it again")
        raise InputError(f"{name} is empty: there is nothing to import")
    if head.startswith(PARQUET_MAGIC):
        return frame_parquet(content.spooled(spool), name)
    if head.startswith(WORKBOOK_MAGIC):
        return frame_workbook(content.spooled(spool), name, sheet=content.sheet, has_header=options.has_header)
    if (what := known_other(head)) is not None:
        raise InputError(f"{name} is {what}")
    encoding = detect(head, options.encoding)
    stream = as_utf8(cast(BinaryIO, io.BufferedReader(content, 1 << 18)), encoding)
    facts: tuple[str, ...] = ()
    if encoding.name == "utf-8":
        head = head[encoding.mark :]
    else:
        facts = (encoding.name.upper(),)
        head = head[encoding.mark :].decode(encoding.name, "replace").encode()
    if not head.strip():
        raise InputError(f"{name} is empty: there is nothing to import")
    if len(head[:4096].translate(None, _TEXT)) * 20 > len(head[:4096]):
        raise InputError(f"{name} is a binary file of a kind that is not known here: write it as CSV or JSON lines")
    if is_json(head):
        framed = frame_json(stream, head, lambda: content.broken)
    else:
        if encoding.name == "utf-8" and (advised := other_encoding(head)) is not None:
            raise InputError(f"{name} is not in UTF-8: name its encoding, by its bytes --encoding {advised}")
        framed = frame_table(
            stream,
            head,
            name,
            delimiter=options.delimiter,
            has_header=options.has_header,
            broken_off=lambda: content.broken,
        )
    return Framed(framed.shape, framed.items, framed.header, (*facts, *framed.facts))


def recognise_content(content: Content, options: FileOptions, spool: Path) -> tuple[Framed, Reading, Iterator[Item]]:
    """Cut a file into records and find out what they mean.

    Returns the framing, the reading, and all items of the file.

    Raises:
        InputError: if it is no file with tweets; says what it is and what to do.
    """
    framed = frame(content, options, spool)
    first: list[Item] = []
    sample: list[Record] = []
    for item in framed.items:
        first.append(item)
        if isinstance(item, Record):
            sample.append(item)
        if len(first) >= SAMPLE:
            break
    if not sample:
        broken = [item for item in first if isinstance(item, Broken)]
        if not broken:
            raise InputError(f"{content.name} holds no record, or a header alone: there is nothing to import")
        raise InputError(
            f"{content.name}: none of its first {len(broken):,} records can be read; the first, {broken[0].unit} "
            f"{broken[0].number}: {broken[0].reason}"
        )
    reading = recognise(sample, framed.shape, options.read, framed.header, content.name)
    return framed, reading, chain(first, framed.items)


class _Books:
    """Counts every record of a file once, and puts aside what cannot be used."""

    def __init__(self, outcome: FileOutcome, quarantine: Quarantine, progress: Callable[[], None]):
        self._outcome, self._quarantine, self._progress = outcome, quarantine, progress

    def tweets(self, items: Iterable[Item], reading: Reading) -> Iterator[Tweet]:
        """The tweets of the records."""
        outcome = self._outcome
        for count, item in enumerate(items, start=1):
            if count % SAMPLE == 0:
                self._progress()
            if isinstance(item, Record):
                converted = reading.convert(item)
                outcome.read += len(converted.tweets)
                yield from converted.tweets
                if converted.errors:
                    self._put_aside_errors(item, reading, converted.errors, len(converted.tweets))
                if converted.skipped:
                    outcome._skipped.update(converted.skipped)
                    outcome.read += converted.skipped.total()
            elif isinstance(item, Broken):
                self._put_aside(item.number, item.unit, item.reason, item.raw)
            else:
                outcome._skipped[item.reason] += 1
                outcome.read += 1

    def _put_aside_errors(self, record: Record, reading: Reading, errors: Sequence[BadRecord], good: int) -> None:
        """Each bad tweet of a record alone: of a page, the tweet without its neighbours."""
        parts = list(_page_tweets(record)) if good or len(errors) > 1 else []
        bad = []
        for part in parts:
            found = reading.convert(part).errors
            bad += [(part, error) for error in found]
        if len(bad) != len(errors):
            bad = [(record, error) for error in errors]
        for part, error in bad:
            self._put_aside(record.number, record.unit, str(error), _as_it_stood(part))

    def _put_aside(self, number: int, unit: str, reason: str, content: str | bytes) -> None:
        outcome = self._outcome
        outcome.read += 1
        if outcome.first_error is None:
            outcome.first_error = f"{unit} {number}: {reason}"
        self._quarantine.add(number, unit, reason, content)


def _page_tweets(page: Record) -> Iterator[Record]:
    """The tweets of a page, each as a page of its own."""
    if not isinstance(page.value, dict):
        return
    for name in ("data", "statuses", "tweets"):
        tweets = page.value.get(name)
        if isinstance(tweets, list):
            for tweet in tweets:
                yield Record(page.number, page.unit, {**page.value, name: [tweet]}, "")
            return


def _as_it_stood(record: Record) -> str | bytes:
    if record.raw:
        return record.raw
    value = record.value
    if isinstance(value, dict):
        for name in ("data", "statuses", "tweets"):
            if isinstance(value.get(name), list) and len(value[name]) == 1:
                value = value[name][0]
                break
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)


def _with_retweets_told(tweets: Iterator[Tweet], given: bool | None, outcome: FileOutcome) -> Iterator[Tweet]:
    """The tweets, each with whether its file was collected with retweets.

    Without a word from the user the first tweets tell: if one is a retweet, all of the file was. Else it was without,
    until the first retweet comes. Where no tweet tells what it is, nothing is known.
    """
    collected = given
    held: list[Tweet] = []
    if given is None:
        for tweet in tweets:
            held.append(tweet)
            if len(held) >= SAMPLE:
                break
        flags = {tweet.get("is_retweet") for tweet in held}
        collected = True if True in flags else False if False in flags else None
    for tweet in chain(held, tweets):
        if given is None and not collected and tweet.get("is_retweet") is not None:
            collected = bool(collected or tweet["is_retweet"])
        if collected is not None:
            tweet["retweets_collected"] = collected
        yield tweet
    outcome.retweets_collected = collected

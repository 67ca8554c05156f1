"""Recent and full-archive search into the landing zone, so that a kill at any page goes on at that page.

What belongs here: which pages to ask for, and where a search stands on disk. What does not: asking (`x_client`) and
what a page holds (`tweets`).

A search is a list of windows, walked page by page, newest first as X gives them. After every page its tweets and the
token of the next one are appended to a spool file as one line, made durable; that is the page's commit. Whenever a
batch is full the tweets are landed, the state is written, and the spool is emptied. After a kill the spool is read
back: at most the page that was under way is asked for again. The landing zone knows what has landed, so nothing
doubles.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import structlog
from filelock import FileLock, Timeout

from tweet_profiles.errors import SettingError, TweetProfilesError
from tweet_profiles.home import Home, write_atomically
from tweet_profiles.landing import quarantine
from tweet_profiles.landing.tweets import BadRecord, Tweet
from tweet_profiles.landing.zone import BatchWriter, LandingZone
from tweet_profiles.sources.formats.v2 import from_page
from tweet_profiles.sources.x.client import XCapError, XClient, XRequestError
from tweet_profiles.sources.x.config import ENV_PREFIX, TWEET_FIELDS, XSettings
from tweet_profiles.sources.x.pacing import Pacer, Usage

log = structlog.get_logger(__name__)

RECENT = timedelta(days=7)
"""How far back recent search reaches."""
SMALLEST_PAGE = 10
_MARGIN = timedelta(minutes=1)
_SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class BusyError(TweetProfilesError):
    """Another process of this home does the same already."""


@dataclass(frozen=True)
class Window:
    """What one walk through pages covers: a query, above an id or between two times (ISO 8601, whole seconds, UTC)."""

    query: str
    since_id: str | None = None
    start: str | None = None
    end: str | None = None

    def params(self) -> dict[str, str]:
        """The request parameters."""
        given = {"query": self.query, "since_id": self.since_id, "start_time": self.start, "end_time": self.end}
        return {name: value for name, value in given.items() if value is not None}


@dataclass
class Progress:
    """Where a search stands: the window it is in, the token of the next page, and what it has pulled so far."""

    windows: list[Window]
    window: int = 0
    token: str | None = None
    pages: int = 0
    posts: int = 0
    newest_id: int = 0

    @property
    def done(self) -> bool:
        """Whether all windows are walked through."""
        return self.window >= len(self.windows)


@dataclass
class SearchReport:
    """What a search did, in tweets. `stopped` tells why it ended early, if it did; it then goes on next time."""

    pages: int = 0
    posts: int = 0
    landed: int = 0
    duplicates: int = 0
    suppressed: int = 0
    quarantined: int = 0
    partial_errors: int = 0
    batches: int = 0
    resumed_at_page: int | None = None
    stopped: str | None = None
    unreachable_before: str | None = None
    newest_id: int = field(default=0, repr=False)

    @property
    def finished(self) -> bool:
        """Whether all of it was pulled."""
        return self.stopped is None


def moment_of(tweet_id: int) -> datetime:
    """When the tweet of this id was made, from the 41 bits of milliseconds in it."""
    return datetime.fromtimestamp(((tweet_id >> 22) + _SNOWFLAKE_EPOCH_MS) / 1000, UTC)


def first_id_at(moment: datetime) -> int:
    """The smallest id that a tweet of this time can have; 0 before X's ids held the time."""
    return max(int(moment.timestamp() * 1000) - _SNOWFLAKE_EPOCH_MS, 0) << 22


def credible_id(tweet_id: str) -> int:
    """The id as a number; 0 if it lies in the future, where it would hide everything that comes until then."""
    number = int(tweet_id)
    return number if number <= first_id_at(datetime.now(UTC) + timedelta(days=1)) else 0


def above(query: str, last_id: int, config: XSettings, now: datetime) -> Window:
    """The window of all that came after `last_id`, and a little before it for what came out of order.

    Recent search refuses an id from before its 7 days: then the window begins where search begins.
    """
    since = max(last_id - (int(config.gap_overlap_s * 1000) << 22), 1)
    if config.search == "recent" and moment_of(since) < now - RECENT + _MARGIN:
        return Window(query, start=_text(now - RECENT + _MARGIN))
    return Window(query, since_id=str(since))


def split(query: str, start: datetime, end: datetime, piece: timedelta) -> list[Window]:
    """Cut a range into windows of at most `piece`, oldest first."""
    windows = []
    while start < end:
        until = min(start + piece, end)
        windows.append(Window(query, start=_text(start), end=_text(until)))
        start = until
    return windows


def pull(zone: LandingZone, config: XSettings, client: XClient | None = None) -> SearchReport:
    """Pull what is new since the last pull; a pull that was interrupted goes on where it was.

    A changed query begins anew, as far back as search reaches.

    Raises:
        SettingError: if a setting is missing or X refuses the token, the plan or the query.
        XUnavailableError: if X gives no usable answer.
        BusyError: if another pull of this home is under way.
    """
    client = client or make_client(config, zone.home)
    query, now = config.search_query, datetime.now(UTC)
    since_file = _folder(zone.home) / "since.json"
    since = orjson.loads(since_file.read_bytes()) if since_file.exists() else {}
    known = int(since["newest_id"]) if since.get("query") == query else 0
    first = above(query, known, config, now) if known else Window(query)
    with _job(zone, "pull") as job:
        windows = job.progress.windows or [first]
        report = job.run(windows, client, config)
        if report.finished:
            newest = max(
                report.newest_id, int(since.get("newest_id", 0)) if since.get("query") == windows[0].query else 0
            )
            if newest:
                noted = orjson.dumps({"query": windows[0].query, "newest_id": str(newest)})
                write_atomically(since_file, lambda file: file.write(noted))
            job.discard()
    if known and first.start is not None:
        report.unreachable_before = first.start
        log.warning("the last pull is longer ago than recent search reaches: set SEARCH=all", since=first.start)
    return report


def backfill(
    zone: LandingZone, config: XSettings, start: datetime, end: datetime | None = None, client: XClient | None = None
) -> SearchReport:
    """Pull the tweets of a range of time; started again with the same range it goes on where it was.

    Args:
        start: beginning, aware.
        end: end, aware; without it now.

    Raises:
        SettingError: if the range cannot be searched; else as `pull`.
    """
    now = datetime.now(UTC)
    until = min(end or now, now - timedelta(seconds=config.search_lag_s + 1))
    if start >= until:
        raise SettingError(f"--from {_text(start)} is not before --to {_text(until)}: give a range in the past")
    if config.search == "recent" and start < now - RECENT:
        raise SettingError(
            f"recent search reaches back to {_text(now - RECENT)} only: set {ENV_PREFIX}SEARCH=all (the plan must have "
            "the full archive), or begin later"
        )
    query = config.search_query
    name = f"{_text(start)}_{_text(end) if end else 'now'}_{query}"
    client = client or make_client(config, zone.home)
    with _job(zone, f"backfill-{blake2b(name.encode(), digest_size=8).hexdigest()}") as job:
        windows = job.progress.windows or split(query, start, until, timedelta(days=config.window_days))
        report = job.run(windows, client, config)
        if report.finished:
            job.discard()
    return report


def fill_gap(zone: LandingZone, config: XSettings, windows: Sequence[Window], client: XClient) -> SearchReport:
    """Pull what a stream has missed. A gap whose windows have changed since begins anew; what it pulled is kept."""
    with _job(zone, "gap") as job:
        report = job.run(list(windows), client, config)
        if report.finished:
            job.discard()
    return report


def settle(zone: LandingZone) -> int:
    """Land the tweets that interrupted searches have spooled, so that no tweet is outside the landing zone.

    Returns how many searches are under way in other processes: theirs stay spooled until their next batch.
    """
    busy = 0
    for spool in _folder(zone.home).glob("*.spool"):
        try:
            with _job(zone, spool.stem) as job:
                job.settle()
        except BusyError:
            busy += 1
    return busy


def make_client(
    config: XSettings, home: Home, sleep: Callable[[float], None] = time.sleep, *, proven: bool = False
) -> XClient:
    """A client whose pace is shared by all processes of the home."""
    return XClient(config, Pacer(home.private / "x_pace", config.requests_per_second), sleep, proven=proven)


@contextmanager
def _job(zone: LandingZone, name: str) -> Iterator["_Job"]:
    path = _folder(zone.home) / name
    lock = FileLock(path.with_suffix(".lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(f"another process does this search already (it holds {lock.lock_file}): wait for it") from None
    try:
        yield _Job(zone, path)
    finally:
        lock.release()


class _Job:
    """One search of one home: its state, its spool, and the walk."""

    def __init__(self, zone: LandingZone, path: Path) -> None:
        self._zone, self._state, self._spool = zone, path.with_suffix(".json"), path.with_suffix(".spool")
        self.progress = Progress([])
        if self._state.exists():
            noted = orjson.loads(self._state.read_bytes())
            self.progress = Progress(**{**noted, "windows": [Window(**window) for window in noted["windows"]]})

    def run(self, windows: list[Window], client: XClient, config: XSettings) -> SearchReport:
        """Walk through `windows`, from where this search stands if it was walking through the same."""
        usage = Usage(self._zone.home, config.monthly_post_cap, config.cap_reset_day)
        report = SearchReport()
        with self._zone.writer("search") as writer:
            self._replay(writer)
            if self.progress.windows != windows:
                self.progress = Progress(windows)
            elif self.progress.pages:
                report.resumed_at_page = self.progress.pages + 1
                log.info("a search goes on where it was interrupted", page=report.resumed_at_page)
            self._checkpoint(writer)
            try:
                while not self.progress.done and report.stopped is None:
                    self._step(client, config, usage, writer, report)
            except XCapError as error:
                report.stopped = str(error)
            finally:
                self._checkpoint(writer)
        report.landed, report.duplicates, report.suppressed = writer.landed, writer.duplicates, writer.suppressed
        report.batches, report.newest_id = writer.batches, self.progress.newest_id
        if report.stopped is not None:
            log.warning("the search stopped at the cap", used=usage.used(), cap=usage.cap)
        return report

    def settle(self) -> None:
        """Land what is spooled."""
        with self._zone.writer("search") as writer:
            self._replay(writer)
            self._checkpoint(writer)

    def discard(self) -> None:
        """Forget where this search stood: it is done."""
        self._state.unlink(missing_ok=True)

    def _step(
        self, client: XClient, config: XSettings, usage: Usage, writer: BatchWriter, report: SearchReport
    ) -> None:
        progress = self.progress
        remaining = usage.remaining()
        if remaining is not None and remaining < SMALLEST_PAGE:
            report.stopped = (
                f"the cap of {usage.cap} posts a month ({ENV_PREFIX}MONTHLY_POST_CAP) is reached: {usage.used()} are "
                "pulled; the search goes on from here next month, or when the cap is raised"
            )
            return
        size = min(config.page_size, 100 if config.search == "recent" else 500)
        params = {**progress.windows[progress.window].params(), "max_results": str(min(size, remaining or size))}
        if progress.token is not None:
            params["next_token"] = progress.token
        try:
            page = client.search(params)
        except XRequestError as error:
            if progress.token is None or not error.parameters & {"next_token", "pagination_token"}:
                raise
            log.warning("X no longer takes the token of the next page: this window begins anew")
            progress.token = None
            return
        tweets, faults = page_tweets(page, self._zone.home)
        for tweet in tweets:
            writer.add(tweet)
        posts = len(page.get("data", []))
        self._advance(page["meta"].get("next_token"), tweets, posts)
        usage.add(posts)
        report.pages, report.posts, report.quarantined = (
            report.pages + 1,
            report.posts + posts,
            report.quarantined + faults,
        )
        report.partial_errors += len(page["errors"]) if isinstance(page.get("errors"), list) else 0
        if writer.waiting + size > self._zone.batch_size:
            self._checkpoint(writer)

    def _advance(self, token: object, tweets: list[Tweet], posts: int) -> None:
        """The page is in: note the next one, and commit both to the spool."""
        progress = self.progress
        again = token is not None and token == progress.token
        if again:
            log.warning("X gives the same token again: this window is taken as done")
        progress.token = token if isinstance(token, str) and not again else None
        progress.window += progress.token is None
        progress.pages += 1
        progress.posts += posts
        progress.newest_id = max([progress.newest_id, *(credible_id(tweet["id"]) for tweet in tweets)])
        line = orjson.dumps({**_standing(progress), "tweets": tweets}, option=orjson.OPT_APPEND_NEWLINE)
        descriptor = os.open(self._spool, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _replay(self, writer: BatchWriter) -> None:
        """Take in what was spooled before an interruption. A torn last line is the page that was under way."""
        if not self._spool.exists():
            return
        with self._spool.open("rb") as spool:
            for line in spool:
                if not line.endswith(b"\n"):
                    break
                noted = orjson.loads(line)
                for tweet in noted.pop("tweets"):
                    writer.add(tweet)
                if noted["pages"] > self.progress.pages:
                    for name, value in noted.items():
                        setattr(self.progress, name, value)

    def _checkpoint(self, writer: BatchWriter) -> None:
        """Land the open batch, then write the state, then empty the spool; a kill in between repeats, loses nothing."""
        writer.flush()
        state = orjson.dumps(asdict(self.progress))
        write_atomically(self._state, lambda file: file.write(state))
        self._spool.unlink(missing_ok=True)


def page_tweets(
    page: dict[str, Any], home: Home, origin: str = "search", *, retweets_collected: bool = False
) -> tuple[list[Tweet], int]:
    """The tweets of a page or stream message; what cannot be used goes to the quarantine, with its reason.

    Args:
        page: as X answers it.
        home: whose quarantine.
        origin: what the quarantine names.
        retweets_collected: whether this way of asking returns retweets at all. Keyword search returns none since
            2026-05-04, whatever is asked for, so that what fills a stream's gap lacks them too.

    Returns:
        The tweets, and how many were put aside.
    """
    observed = datetime.now(UTC)
    try:
        converted = from_page(page, observed_at=observed, requested=TWEET_FIELDS)
    except BadRecord as fault:
        put_aside(home, origin, str(fault), orjson.dumps(page))
        return [], 1
    if converted.errors:
        data = page["data"]
        for record in data if isinstance(data, list) else [data]:
            alone = from_page({**page, "data": [record]}, observed_at=observed, requested=TWEET_FIELDS)
            for bad in alone.errors:
                put_aside(home, origin, str(bad), orjson.dumps(record))
    for tweet in converted.tweets:
        tweet["retweets_collected"] = retweets_collected
    return converted.tweets, len(converted.errors)


def put_aside(home: Home, origin: str, reason: str, content: bytes) -> None:
    """Put a record aside in the quarantine file of the day."""
    quarantine.append(home, f"x-{origin}-{datetime.now(UTC):%Y%m%d}", origin, reason, content)


def _standing(progress: Progress) -> dict[str, Any]:
    return {name: getattr(progress, name) for name in ("window", "token", "pages", "posts", "newest_id")}


def _folder(home: Home) -> Path:
    folder = home.private / "x_search"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_TIME)

"""Recent and full-archive search into the landing zone, so that a kill at any page goes on at that page.

What belongs here: which windows to walk through, how far X still reaches, and where a search stands on disk. What does
not: asking (`client`), what a page says of the next one (`pages`) and what a page holds (`formats`).

A search is a list of windows, walked page by page, newest first as X gives them. After every page its tweets and where
the walk stands are appended to a spool file as one line, made durable; that is the page's commit. Whenever a batch is
full the tweets are landed, the state is written, and the spool is emptied. After a kill the spool is read back: at most
the page that was under way is asked for again. The landing zone knows what has landed, so nothing doubles.

Times are X's, by the Date of its answers: the clock of this machine may be wrong. What recent search no longer reaches
is a loss, which is noted once (`losses`), and the rest goes on. A page that cannot be read is stepped around: its
window is cut in two, again and again, until what cannot be read is a second, which is a loss too.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import orjson
import structlog
from filelock import FileLock, Timeout

from tweet_profiles.errors import SettingError, TweetProfilesError
from tweet_profiles.home import Home, write_atomically
from tweet_profiles.landing import quarantine
from tweet_profiles.landing.tweets import BadRecord, Tweet
from tweet_profiles.landing.zone import BatchWriter, LandingZone
from tweet_profiles.sources.formats.v2 import from_page
from tweet_profiles.sources.x import losses
from tweet_profiles.sources.x.answers import dumps, is_writable, objects
from tweet_profiles.sources.x.client import UnreadablePageError, XClient
from tweet_profiles.sources.x.config import ENV_PREFIX, TWEET_FIELDS, XSettings
from tweet_profiles.sources.x.errors import XCapError, XRequestError, XUnfinishedError
from tweet_profiles.sources.x.pacing import SMALLEST_PAGE, Backoff, Budget, Pacer, Usage
from tweet_profiles.sources.x.pages import Move, Position, after_refused_token, facts_of, next_move
from tweet_profiles.sources.x.state import disk_errors, read_state

log = structlog.get_logger(__name__)

RECENT = timedelta(days=7)
"""How far back recent search reaches."""
SMALLEST_WINDOW = 1000 << 22
"""Ids of one second: what cannot be read is narrowed down to that."""
MOST_SPLITS = 100
_MARGIN = timedelta(minutes=1)
_EDGE = timedelta(minutes=1)
_OPEN_TOLERANCE = timedelta(hours=1)
_REFUSED_REACH = timedelta(minutes=10)
"""If X refuses what should be within its reach, its reach is so much shorter."""
_SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
_TIME = "%Y-%m-%dT%H:%M:%SZ"
Old = Literal["ask", "finish", "drop"]


class BusyError(TweetProfilesError):
    """Another process of this home does the same already."""


class PendingError(SettingError):
    """A pull of another query was interrupted; somebody must say what becomes of it."""


@dataclass(frozen=True)
class Window:
    """What one walk through pages covers: a query, between ids or between two times (ISO 8601, whole seconds, UTC)."""

    query: str
    since_id: str | None = None
    start: str | None = None
    end: str | None = None
    until_id: str | None = None

    def params(self, below: int = 0) -> dict[str, str]:
        """The request parameters; `below` further limits the ids, if it is not 0. X takes one limit a side."""
        until_id = str(below) if below else self.until_id
        given = {"query": self.query, "since_id": self.since_id, "until_id": until_id}
        given |= {"start_time": self.start, "end_time": None if until_id else self.end}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def lowest(self) -> int:
        """No tweet of the window has an id up to this one; 0 if its beginning is open."""
        if self.since_id is not None:
            return int(self.since_id)
        return 0 if self.start is None else max(first_id_at(_moment(self.start)) - 1, 0)

    def highest(self, now: datetime) -> int:
        """No tweet of the window has this id or a higher one."""
        if self.until_id is not None:
            return int(self.until_id)
        return first_id_at(_moment(self.end) if self.end is not None else now + timedelta(seconds=1))


@dataclass
class Progress:
    """Where a search stands: the window it is in, where it is there, and what it has pulled so far.

    `plan` is what was asked for; `windows` is that but for what X reaches no more and what was cut in pieces.
    `started` is when its first page was asked for, by X's clock.
    """

    windows: list[Window]
    window: int = 0
    token: str | None = None
    oldest: int = 0
    below: int = 0
    stale: int = 0
    empty: int = 0
    pages: int = 0
    posts: int = 0
    newest_id: int = 0
    plan: list[Window] | None = None
    started: float = 0.0

    @property
    def done(self) -> bool:
        """Whether all windows are walked through."""
        return self.window >= len(self.windows)

    @property
    def position(self) -> Position:
        """Where the walk through the present window stands."""
        return Position(self.token, self.oldest, self.below, self.stale, self.empty)

    @position.setter
    def position(self, new: Position) -> None:
        self.token, self.oldest, self.below, self.stale, self.empty = (
            new.token, new.oldest, new.below, new.stale, new.empty
        )  # fmt: skip


@dataclass
class SearchReport:
    """What a search did, in tweets, and what it costs at most, in micro-dollars: posts, referenced posts and users are
    paid. `stopped` tells why it ended early, if it did; it then goes on next time.

    Every post that X delivered is in exactly one of `landed`, `duplicates`, `suppressed`, `quarantined`.
    """

    pages: int = 0
    posts: int = 0
    referenced: int = 0
    users: int = 0
    cost: int = field(default=0, repr=False)
    landed: int = 0
    duplicates: int = 0
    suppressed: int = 0
    quarantined: int = 0
    partial_errors: int = 0
    batches: int = 0
    resumed_at_page: int | None = None
    stopped: str | None = None
    cause: XCapError | None = field(default=None, repr=False)
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


def credible_id(tweet_id: str, now: datetime) -> int:
    """The id as a number; 0 if it lies in the future, where it would hide everything that comes until then."""
    number = int(tweet_id)
    return number if number <= first_id_at(now + timedelta(days=1)) else 0


def above(query: str, last_id: int, overlap_s: float) -> Window:
    """The window of all that came after `last_id`, and a little before it for what came out of order."""
    return Window(query, since_id=str(max(last_id - (int(overlap_s * 1000) << 22), 1)))


def within_reach(
    window: Window, position: Position, oldest: datetime, began: datetime
) -> tuple[Window | None, tuple[str, str] | None]:
    """What of a window recent search still reaches, which is back to `oldest`; it reached to `began` at the start.

    Returns the window (None if nothing of it is left), and the beginning and end of what is lost, if anything is. Of a
    window that begins where search begins, an hour is no loss.
    """
    open_ended = window.lowest == 0
    start = began if open_ended else moment_of(window.lowest)
    if start + (_OPEN_TOLERANCE if open_ended else _EDGE) >= oldest:
        return window, None
    top = position.below or position.oldest or (window.highest(oldest) if window.until_id or window.end else 0)
    if top and moment_of(top) <= oldest:
        return None, (_text(start), _text(moment_of(top)))
    # X counts whole seconds, and refuses a beginning that is a moment too early.
    begin = _text(oldest + timedelta(seconds=1))
    return replace(window, since_id=None, start=begin), (_text(start), begin)


def halves(window: Window, position: Position, now: datetime) -> tuple[Window, ...]:
    """Cut what is left of a window in two, the upper one first; none if it is too small for that."""
    high = position.below or position.oldest or window.highest(now)
    low = window.lowest or first_id_at(now - RECENT)
    if high - low <= SMALLEST_WINDOW:
        return ()
    middle = low + (high - low) // 2
    known = position.below or position.oldest
    upper = replace(window, since_id=str(middle), start=None, until_id=str(known) if known else window.until_id)
    return upper, replace(window, until_id=str(middle + 1), end=None)


def split(query: str, start: datetime, end: datetime, piece: timedelta) -> list[Window]:
    """Cut a range into windows of at most `piece`, oldest first."""
    windows = []
    while start < end:
        until = min(start + piece, end)
        windows.append(Window(query, start=_text(start), end=_text(until)))
        start = until
    return windows


@dataclass
class _Since:
    """What the last finished pull has seen: its query, its newest tweet, and until when (X's clock, ISO 8601)."""

    query: str
    newest_id: str
    until: str | None = None

    def last_id(self) -> int:
        """Everything up to this id is pulled, or was not there to be pulled: a quiet week is no loss."""
        return max(int(self.newest_id), first_id_at(_moment(self.until)) if self.until else 0)


def pull(zone: LandingZone, config: XSettings, client: XClient | None = None, old: Old = "ask") -> SearchReport:
    """Pull what is new since the last pull; a pull that was interrupted goes on where it was.

    A changed query begins anew, as far back as search reaches.

    Args:
        zone: where the tweets go.
        config: the settings.
        client: whom to ask.
        old: what becomes of an interrupted pull of another query: finish it and pay for it, or drop it.

    Raises:
        SettingError: if a setting is missing or X refuses the token, the plan or the query.
        PendingError: if a pull of another query was interrupted, and `old` does not say what becomes of it.
        XUnavailableError: if X gives no usable answer.
        XUnfinishedError: if X's pages lead nowhere.
        BusyError: if another pull of this home is under way.
    """
    client = client or make_client(config, zone.home)
    query = config.search_query
    file = _folder(zone.home) / "since.json"
    since = read_state(file, _Since, _SINCE_REMEDY)
    with _job(zone, "pull", client) as job:
        windows = job.progress.plan or job.progress.windows
        if windows and windows[0].query != query and old == "ask":
            raise PendingError(
                f"a pull of another query was interrupted after {job.progress.posts} posts ({windows[0].query!r}; now "
                f"it is {query!r}): `tweet-profiles search --old finish` pulls and pays the rest of it, "
                "`--old drop` leaves it"
            )
        if not windows or (windows[0].query != query and old == "drop"):
            windows = [_from_last(query, since, config)]
        report = job.run(windows, client, config)
        if report.finished:
            _note_pulled(file, since, windows[0].query, job.progress, config)
            job.discard()
    return report


def _from_last(query: str, since: _Since | None, config: XSettings) -> Window:
    if since is not None and since.query == query:
        return above(query, since.last_id(), config.gap_overlap_s + config.search_lag_s)
    return Window(query)


def _note_pulled(file: Path, since: _Since | None, query: str, progress: Progress, config: XSettings) -> None:
    before = int(since.newest_id) if since is not None and since.query == query else 0
    until = progress.started - config.search_lag_s if progress.started else None
    noted = _Since(
        query,
        str(max(progress.newest_id, before)),
        None if until is None else _text(datetime.fromtimestamp(until, UTC)),
    )
    content = orjson.dumps(asdict(noted))
    write_atomically(file, lambda opened: opened.write(content))


def backfill(
    zone: LandingZone, config: XSettings, start: datetime, end: datetime | None = None, client: XClient | None = None
) -> SearchReport:
    """Pull the tweets of a range of time; started again with the same range it goes on where it was.

    Args:
        zone: where the tweets go.
        config: the settings.
        start: beginning, aware.
        end: end, aware; without it now.
        client: whom to ask.

    Raises:
        SettingError: if the range cannot be searched; else as `pull`.
    """
    client = client or make_client(config, zone.home)
    query = config.search_query
    name = f"{_text(start)}_{_text(end) if end else 'now'}_{query}"
    with _job(zone, f"backfill-{blake2b(name.encode(), digest_size=8).hexdigest()}", client) as job:
        windows = job.progress.plan or job.progress.windows or _range(query, start, end, config, client.now())
        report = job.run(windows, client, config)
        if report.finished:
            job.discard()
    return report


def _range(query: str, start: datetime, end: datetime | None, config: XSettings, now: datetime) -> list[Window]:
    until = min(end or now, now - timedelta(seconds=config.search_lag_s + 1))
    if start >= until:
        raise SettingError(f"--from {_text(start)} is not before --to {_text(until)}: give a range in the past")
    if config.search == "recent" and start < now - RECENT:
        raise SettingError(
            f"recent search reaches back to {_text(now - RECENT)} only: set {ENV_PREFIX}SEARCH=all (the plan must have "
            "the full archive), or begin later"
        )
    return split(query, start, until, timedelta(days=config.window_days))


def fill_gap(zone: LandingZone, config: XSettings, windows: Sequence[Window], client: XClient) -> SearchReport:
    """Pull what a stream has missed. A gap whose windows have changed since begins anew; what it pulled is kept."""
    # Each gap has a state of its own, so that one that is filled in between costs another no page again.
    name = f"gap-{blake2b(repr(windows).encode(), digest_size=8).hexdigest()}"
    with _job(zone, name, client) as job:
        report = job.run(list(windows), client, config)
        if report.finished:
            job.discard()
            _forget_old_gaps(zone.home)
    return report


def _forget_old_gaps(home: Home) -> None:
    """Gaps that have grown since have another state now; what search reaches no more needs none."""
    for state in _folder(home).glob("gap-*.json"):
        spool = state.with_suffix(".spool")
        if time.time() - state.stat().st_mtime > RECENT.total_seconds() and not spool.exists():
            state.unlink()


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


def make_usage(config: XSettings, home: Home) -> Usage:
    """What this home has used of its month, with our own cap and budget."""
    return Usage(home, config.monthly_post_cap, config.cap_reset_day, config.monthly_budget_usd, config.prices)


def make_client(
    config: XSettings, home: Home, sleep: Callable[[float], None] = time.sleep, *, proven: bool = False
) -> XClient:
    """A client whose pace and requests a window are shared by all processes of the home."""
    pacer = Pacer(home.private / "x_pace", config.requests_per_second, sleep)
    return XClient(config, Budget(home, config.limits, config.wait_scale), pacer, sleep, proven=proven)


@contextmanager
def _job(zone: LandingZone, name: str, client: XClient | None = None) -> Iterator["_Job"]:
    path = _folder(zone.home) / name
    lock = FileLock(path.with_suffix(".lock"), timeout=0)
    with disk_errors(path.parent):
        try:
            lock.acquire()
        except Timeout:
            raise BusyError(
                f"another process does this search already (it holds {lock.lock_file}): wait for it"
            ) from None
        try:
            yield _Job(zone, path, client)
        finally:
            lock.release()


class _Job:
    """One search of one home: its state, its spool, and the walk."""

    def __init__(self, zone: LandingZone, path: Path, client: XClient | None) -> None:
        self._zone, self._name = zone, path.name.partition("-")[0]
        self._state, self._spool = path.with_suffix(".json"), path.with_suffix(".spool")
        self.progress = read_state(self._state, Progress, _STATE_REMEDY) or Progress([])
        self._client = client
        self._used_tokens: set[str] = set()
        self._splits = 0

    def run(self, windows: list[Window], client: XClient, config: XSettings) -> SearchReport:
        """Walk through `windows`, from where this search stands if it was walking through the same."""
        usage = make_usage(config, self._zone.home)
        report = SearchReport()
        backoff = Backoff(config.wait_scale)
        with self._zone.writer("search") as writer:
            self._replay(writer)
            if (self.progress.plan or self.progress.windows) != windows:
                self.progress = Progress(windows, plan=windows)
            elif self.progress.pages:
                report.resumed_at_page = self.progress.pages + 1
                log.info("a search goes on where it was interrupted", page=report.resumed_at_page)
            try:
                if config.search == "recent" and self._seems_out_of_reach():
                    self._clip(client.now() - RECENT + _MARGIN, report)
                self._checkpoint(writer)
                while not self.progress.done and report.stopped is None:
                    self._step(client, config, usage, writer, report, backoff)
            except XCapError as error:
                report.stopped, report.cause = str(error), error
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
        self,
        client: XClient,
        config: XSettings,
        usage: Usage,
        writer: BatchWriter,
        report: SearchReport,
        backoff: Backoff,
    ) -> None:
        progress = self.progress
        remaining = usage.remaining()
        if remaining is not None and remaining < SMALLEST_PAGE:
            raise XCapError(
                f"{usage.why_none_remain()}; the search goes on from here next month, or when the limit is raised"
            )
        size = min(config.page_size, 100 if config.search == "recent" else 500)
        window = progress.windows[progress.window]
        params = {**window.params(progress.below), "max_results": str(min(size, remaining or size))}
        if progress.token is not None:
            params["next_token"] = progress.token
            self._used_tokens.add(progress.token)
        asked = time.time()
        try:
            page = client.search(params)
        except XRequestError as error:
            self._after_refusal(error, client, config, report)
            self._checkpoint(writer)
            return
        except UnreadablePageError:
            self._step_around(client)
            self._checkpoint(writer)
            return
        progress.started = progress.started or asked + client.ahead_s
        now = datetime.fromtimestamp(time.time() + client.ahead_s, UTC)
        tweets, faults = page_tweets(page, self._zone.home, "search", now)
        posts = records_of(page)
        referenced, users = expanded(page)
        report.cost += usage.add(posts, referenced=referenced, users=users)
        report.users += users
        report.referenced += referenced
        report.pages, report.posts, report.quarantined = (
            report.pages + 1,
            report.posts + posts,
            report.quarantined + faults,
        )
        report.partial_errors += len(objects(page.get("errors")))
        for tweet in tweets:
            writer.add(tweet)
        move = next_move(facts_of(page), progress.position, window.lowest, self._used_tokens)
        self._advance(move, tweets, posts, now)
        if writer.waiting + size > self._zone.batch_size:
            self._checkpoint(writer)
        if move.kind == "again":
            client.pause(backoff)
        else:
            backoff.reset()
        if move.kind == "stuck":
            raise XUnfinishedError(_STUCK)

    def _after_refusal(self, error: XRequestError, client: XClient, config: XSettings, report: SearchReport) -> None:
        """X refuses the page: its token has expired, or it reaches back less far than the window."""
        progress = self.progress
        if progress.token is not None and error.parameters & {"next_token", "pagination_token"}:
            log.warning("X no longer takes the token of the next page: the search goes on below what it has")
            move = after_refused_token(progress.position)
            progress.position = move.position
            if move.kind == "stuck":
                raise XUnfinishedError(_STUCK) from None
            return
        reach = client.now() - RECENT + _REFUSED_REACH
        if (
            config.search != "recent"
            or not error.parameters & {"since_id", "start_time", "until_id"}
            or not self._clip(reach, report)
        ):
            raise error

    def _seems_out_of_reach(self) -> bool:
        """Whether X must be asked for the time: by this machine's clock, a window begins too early."""
        oldest, position = datetime.now(UTC) - RECENT + _MARGIN, self.progress.position
        rest = self.progress.windows[self.progress.window :]
        return any(within_reach(window, position, oldest, self._began())[1] for window in rest)

    def _began(self) -> datetime:
        """How far back search reached when this one was started; unknown of those that an older version has started."""
        return datetime.fromtimestamp(self.progress.started or time.time(), UTC) - RECENT

    def _clip(self, oldest: datetime, report: SearchReport) -> bool:
        """Leave out what recent search no longer reaches, and note it as lost. Returns whether there was any."""
        progress = self.progress
        kept, lost = progress.windows[: progress.window], []
        position = progress.position
        for window in progress.windows[progress.window :]:
            rest, gone = within_reach(window, position, oldest, self._began())
            lost += [gone] if gone is not None else []
            if rest is None and window is progress.windows[progress.window]:
                progress.position = Position()
            elif rest is not window and window is progress.windows[progress.window]:
                # The token belongs to the window as it was.
                progress.position = replace(position, token=None, below=position.oldest)
            kept += [rest] if rest is not None else []
            position = Position()
        progress.windows = kept
        for start, end in lost:
            what = {"pull": "the pull", "gap": "a gap of the stream"}.get(self._name, "a range of days")
            why = f"recent search reaches back 7 days only; {ENV_PREFIX}SEARCH=all reaches further, if the plan has it"
            losses.note(self._zone.home, losses.Loss(what, start, end, why))
            report.unreachable_before = max(report.unreachable_before or "", end)
        return bool(lost)

    def _step_around(self, client: XClient) -> None:
        """The page cannot be read: cut its window in two, so that only what cannot be read is left out."""
        progress, now = self.progress, datetime.fromtimestamp(time.time() + client.ahead_s, UTC)
        window = progress.windows[progress.window]
        self._splits += 1
        if self._splits > MOST_SPLITS:
            raise XUnfinishedError(_STUCK)
        pieces: tuple[Window, ...] = halves(window, progress.position, now)
        if not pieces:
            start, end = _text(moment_of(window.lowest)), _text(moment_of(window.highest(now)) + timedelta(seconds=1))
            losses.note(self._zone.home, losses.Loss("search", start, end, "X's page of them cannot be read"))
        log.warning("a page of X cannot be read: it is stepped around", pieces=len(pieces))
        progress.windows[progress.window : progress.window + 1] = pieces
        progress.position = Position()

    def _advance(self, move: Move, tweets: list[Tweet], posts: int, now: datetime) -> None:
        """The page is in: note the next one, and commit both to the spool."""
        progress = self.progress
        progress.position = Position() if move.kind == "done" else move.position
        if move.kind == "done":
            self._used_tokens.clear()
        progress.window += move.kind == "done"
        progress.pages += 1
        progress.posts += posts
        progress.newest_id = max([progress.newest_id, *(credible_id(tweet["id"], now) for tweet in tweets)])
        line = orjson.dumps({**_standing(progress), "tweets": tweets}, option=orjson.OPT_APPEND_NEWLINE)
        descriptor = os.open(self._spool, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _replay(self, writer: BatchWriter) -> None:
        """Take in what was spooled before an interruption.

        A torn last line is the page that was under way; from a damaged line on, pages are asked for again.
        """
        if not self._spool.exists():
            return
        with self._spool.open("rb") as spool:
            for line in spool:
                try:
                    noted = orjson.loads(line) if line.endswith(b"\n") else None
                    if noted is None:
                        break
                    for tweet in noted.pop("tweets"):
                        writer.add(tweet)
                except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                    log.warning("the spool of a search is damaged: its last pages are asked for again")
                    break
                if noted["pages"] > self.progress.pages:
                    for name in _STANDING & noted.keys():
                        setattr(self.progress, name, noted[name])

    def _checkpoint(self, writer: BatchWriter) -> None:
        """Land the open batch, then write the state, then empty the spool; a kill in between repeats, loses nothing."""
        writer.flush()
        state = orjson.dumps(asdict(self.progress))
        write_atomically(self._state, lambda file: file.write(state))
        self._spool.unlink(missing_ok=True)


def page_tweets(
    page: dict[str, Any], home: Home, origin: str, observed: datetime, *, retweets_collected: bool = False
) -> tuple[list[Tweet], int]:
    """The tweets of a page or stream message; what cannot be used goes to the quarantine, with its reason.

    A record that cannot be used spoils no other.

    Args:
        page: as X answers it.
        home: whose quarantine.
        origin: what the quarantine names.
        observed: when X answered it, by X's clock.
        retweets_collected: whether this way of asking returns retweets at all. Keyword search returns none since
            2026-05-04, whatever is asked for, so that what fills a stream's gap lacks them too.

    Returns:
        The tweets, and how many records were put aside.
    """
    data = page.get("data")
    records = data if isinstance(data, list) else [] if data is None else [data]
    tweets: list[Tweet] = []
    put = 0
    try:
        converted = from_page({**page, "data": records}, observed_at=observed, requested=TWEET_FIELDS, now=observed)
    except BadRecord as fault:
        put_aside(home, origin, str(fault), dumps(page))
        return [], max(len(records), 1)
    if not converted.errors and is_writable(converted.tweets):
        return _collected(converted.tweets, retweets=retweets_collected), 0
    for record in records:
        alone = from_page({**page, "data": [record]}, observed_at=observed, requested=TWEET_FIELDS, now=observed)
        sound = [tweet for tweet in alone.tweets if is_writable(tweet)]
        why = str(alone.errors[0]) if alone.errors else "holds half characters or numbers that are none"
        if not sound:
            put_aside(home, origin, why, dumps(record))
            put += 1
        tweets += sound
    return _collected(tweets, retweets=retweets_collected), put


def _collected(tweets: list[Tweet], *, retweets: bool) -> list[Tweet]:
    for tweet in tweets:
        tweet["retweets_collected"] = retweets
    return tweets


def expanded(page: dict[str, Any]) -> tuple[int, int]:
    """How many referenced posts and users come with a page's own: they are paid for too."""
    includes = page.get("includes")
    return (
        (len(objects(includes.get("tweets"))), len(objects(includes.get("users"))))
        if isinstance(includes, dict)
        else (0, 0)
    )


def records_of(page: dict[str, Any]) -> int:
    """How many posts a page or message holds, good or bad: each is paid for."""
    data = page.get("data")
    return len(data) if isinstance(data, list) else 0 if data is None else 1


def put_aside(home: Home, origin: str, reason: str, content: bytes) -> None:
    """Put a record aside in the quarantine file of the day."""
    quarantine.append(home, f"x-{origin}-{datetime.now(UTC):%Y%m%d}", origin, reason, content)


_STANDING = frozenset(
    {"window", "token", "oldest", "below", "stale", "empty", "pages", "posts", "newest_id", "started"}
)
_STUCK = (
    "X's pages lead nowhere: errors in place of tweets, or the same pages over and over; what was pulled is kept, and "
    "the next search goes on from there"
)
_STATE_REMEDY = (
    "it holds where an interrupted search stands: restore it, or move it away, and the search begins anew; what has "
    "landed does not double, but is paid again"
)
_SINCE_REMEDY = (
    "it holds how far the last pull came: restore it, or move it away, and the next pull takes all that search "
    "reaches; what has landed does not double, but is paid again"
)


def _standing(progress: Progress) -> dict[str, Any]:
    return {name: getattr(progress, name) for name in sorted(_STANDING)}


def _folder(home: Home) -> Path:
    folder = home.private / "x_search"
    with disk_errors(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_TIME)

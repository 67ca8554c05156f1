"""The filtered stream into the landing zone: a collector that runs for months and knows what it has missed.

What belongs here: turning lines into landed tweets, and deciding what was missed. What does not: the connection
(`connection`), gaps as such (`gaps`), the rules (`rules`), searching (`search`), and the file of its health (`health`).

One thread reads the stream and does nothing else, so that X never finds us slow; the collector's own thread turns
lines into tweets, lands them, and decides; filling a gap and looking after the rules are tasks beside. Whatever one of
them raises ends the collector, but for what X may mend by itself. What has been received is durable once its batch is
landed; until then, and whenever a connection ends or a line cannot be read, the collector remembers a gap: everything
above the newest id that is surely there. A connection that brings keep-alives while the rules stand proves that there
was nothing: quiet days are no gap. A gap is filled by the stream itself (`backfill_minutes`) where the plan has that,
else by search, as soon as search can know the last tweet of it. Gaps are kept on disk, so a kill loses none.
"""

import os
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from typing import Any, Generic, TypeVar

import orjson
import structlog
from filelock import FileLock, Timeout

from tweet_profiles.errors import HomeError, SettingError, TweetProfilesError
from tweet_profiles.home import write_atomically
from tweet_profiles.landing.zone import BatchWriter, LandingZone
from tweet_profiles.sources.x.answers import parse_object, with_tweet_names
from tweet_profiles.sources.x.config import XSettings
from tweet_profiles.sources.x.connection import Event, Reader
from tweet_profiles.sources.x.errors import StoppedError, XCapError, XUnavailableError, XUnfinishedError
from tweet_profiles.sources.x.gaps import Gap, State, merged
from tweet_profiles.sources.x.health import Health, read, write
from tweet_profiles.sources.x.pacing import Budget
from tweet_profiles.sources.x.refusals import cap_of
from tweet_profiles.sources.x.rules import Rules, sync_rules
from tweet_profiles.sources.x.search import (
    BusyError,
    SearchReport,
    credible_id,
    expanded,
    fill_gap,
    first_id_at,
    make_client,
    make_usage,
    moment_of,
    page_tweets,
    put_aside,
)
from tweet_profiles.sources.x.state import disk_errors, read_state

log = structlog.get_logger(__name__)

QUEUE_LINES = 20_000
"""Lines that may wait between the two threads; beyond it the stream is read no faster than it is landed."""
TICK_S = 0.1
REPORT_EVERY_S = 2.0
BACKFILL_SETTLE_S = 60.0
"""A connection that has lived so long has delivered the backfill that was asked for."""
GAP_RETRY_S = 60.0
"""How long a gap that could not be filled waits; doubled each time up to `GAP_RETRY_MOST_S`."""
GAP_RETRY_MOST_S = 3600.0
RULES_EVERY_S = 600.0
"""How often the rules are looked after while nothing gives a reason to."""
RULES_AGAIN_S = 15.0
"""How soon they may be looked after again."""
MOST_UNDECIDED = 10_000
"""Lines that may wait for the rules to be read."""
STREAM_LATENCY_S = 10.0
"""What X had at so many seconds before a keep-alive it has sent."""
END_S = 3.0
_MARGIN_S = 1.0
"""X's clock is told in whole seconds; what came within them around a reconnect is asked for too."""
_MENDS_ITSELF = (XUnavailableError, XUnfinishedError, XCapError, BusyError, SettingError)
"""What does not end the collector if a search or the rules run into it: the stream goes on, and it is tried again."""

_Result = TypeVar("_Result")


class _Task(Generic[_Result]):
    """Work in a thread of its own, whose result or error is taken up later."""

    def __init__(self, name: str, work: Callable[[], _Result]) -> None:
        self._result: list[_Result] = []
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], _Result]) -> None:
        try:
            self._result.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._error.append(error)

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def join(self, seconds: float) -> None:
        """Wait for its end, but not for longer."""
        self._thread.join(seconds)

    def result(self) -> _Result:
        """What it returned; raises what it raised."""
        if self._error:
            raise self._error[0]
        return self._result[0]


class Collector:
    """Collects the stream of one home until it is told to stop.

    Args:
        zone: where the tweets go.
        config: the settings.
        stop: set it, and the open batch is landed and `run` returns.

    Attributes: `health`, and `heartbeat`, the time (monotonic) at which the collector last came round.
    """

    def __init__(self, zone: LandingZone, config: XSettings, stop: threading.Event) -> None:
        self.zone, self.config, self.stop = zone, config, stop
        self.rules = config.stream_rules
        self.health = Health(pid=os.getpid(), started_at=time.time(), cap=config.monthly_post_cap)
        self.heartbeat = time.monotonic()
        self._ident = 0
        self._usage = make_usage(config, zone.home)
        self._left: int | None = None
        self._events: queue.Queue[Event] = queue.Queue(QUEUE_LINES)
        self._state_file = zone.home.private / "x_stream.json"
        self._state = read_state(self._state_file, State, _STATE_REMEDY) or State()
        self._newest = self._state.last_id
        self._token_digest = blake2b(config.token.encode(), digest_size=8).hexdigest()
        proven = self._state.token == self._token_digest
        self._client = make_client(config, zone.home, self._sleep, proven=proven)
        self._gap_client = make_client(config, zone.home, self._sleep, proven=True)
        budget = Budget(zone.home, config.limits, config.wait_scale)
        self._reader = Reader(config, budget, self._events, stop, self._backfill_minutes, proven=proven)
        self._present = Rules(frozenset(), frozenset())
        self._told_rules: dict[str, str] = {}
        self._sync: _Task[tuple[Rules, float]] | None = None
        self._next_sync = self._earliest_sync = 0.0
        self._undecided: list[bytes] = []
        self._filler: tuple[Gap, _Task[SearchReport]] | None = None
        self._retries: dict[Gap, tuple[float, int]] = {}
        self._held: tuple[Gap, float] | None = None
        self._alive_at = 0.0  # by X's clock
        self._x_clock = (0.0, 0.0)
        self._uncounted = 0
        self._expanded = [0, 0]
        self._faults: Counter[str] = Counter()
        self._rate: deque[tuple[float, int]] = deque()
        self._reported_at = 0.0

    def run(self) -> Health:
        """Collect until told to stop. Returns the final health.

        Raises:
            SettingError: if X refuses the token, the plan or a rule.
            XCapError: at the cap of the month, or where X says that nothing more may be pulled.
            XUnavailableError: if X cannot be asked for the rules at the start.
            BusyError: if another collector of this home runs.
            HomeError: if the home cannot be read or written, or a file of its state is damaged.
        """
        self._ident = threading.get_ident()
        lock = FileLock(self.zone.home.private / "x_stream.lock", timeout=0)
        with disk_errors(self.zone.home.private):
            try:
                lock.acquire()
            except Timeout:
                raise BusyError(f"a collector of this home runs already{self._other()}: stop it first") from None
            try:
                self._collect()
                self.health.reason = "told to stop"
            except StoppedError:
                self.health.reason = "told to stop"
            except BaseException as error:
                self.health.reason = str(error) if isinstance(error, TweetProfilesError) else type(error).__name__
                raise
            finally:
                self.health.state = "stopped"
                with suppress(HomeError):  # what ended it matters more
                    write(self.zone.home, self.health)
                lock.release()
        return self.health

    def _other(self) -> str:
        try:
            other = read(self.zone.home)
        except HomeError:
            return ""
        return f" (process {other.pid})" if other else ""

    def _collect(self) -> None:
        with self.zone.writer("stream") as writer:
            self._take_rules(*self._synced())
            self._reader.start()
            try:
                while not self.stop.is_set():
                    self.heartbeat = time.monotonic()
                    self._take(writer)
                    self._look_around(writer)
            finally:
                self.stop.set()
                self._reader.end()
                self._drain(writer)
                self._let_go_of_undecided()
                for task in (self._sync, self._filler[1] if self._filler else None):
                    if task is not None:
                        task.join(END_S)
                writer.flush()
                self._report(writer)

    # What comes in

    def _take(self, writer: BatchWriter) -> None:
        """Handle what waits, or wait a moment for something."""
        try:
            event = self._events.get(timeout=TICK_S)
            for _ in range(1000):
                self._handle(event, writer)
                event = self._events.get_nowait()
            self._handle(event, writer)
        except queue.Empty:
            return

    def _drain(self, writer: BatchWriter) -> None:
        """Land what was received before the stop; no new connection counts any more."""
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return
            if event.kind == "line":
                self._handle(event, writer)

    def _handle(self, event: Event, writer: BatchWriter) -> None:
        if event.kind == "line":
            self._handle_line(event.line, writer)
        elif event.kind == "connected":
            self._on_connected(event)
        elif event.kind == "ended":
            self._on_ended(event)
        elif event.kind == "no rules":
            self._sync_soon()
        elif event.kind == "gives up":
            assert event.error is not None
            raise event.error
        if event.kind in ("line", "alive"):
            self._alive_at = self._x_time(event.at)
        self.health.last_byte_at = time.time()

    def _handle_line(self, line: bytes, writer: BatchWriter) -> None:
        try:
            message = parse_object(line)
        except ValueError:
            put_aside(self.zone.home, "stream", "is no message of the stream: the gap is searched", line)
            self.health.quarantined += 1
            self._put_gap(Gap(self._sure(), self._server_now()))
            return
        if "data" not in message:
            cap = cap_of(message)
            if cap is not None:
                raise cap
            self.health.partial_errors += 1
            log.warning("a message of the stream without a tweet", keys=len(message))
            return
        self.health.received += 1
        self._uncounted += 1
        referenced, users = expanded(with_tweet_names(message))
        self._expanded[0] += referenced
        self._expanded[1] += users
        if self._left is not None and self._uncounted >= self._left:
            self._reported_at = 0.0  # the month's end of it: look at it at once
        self.health.partial_errors += "errors" in message
        ours = self._present.judge(message)
        if ours is None and len(self._undecided) < MOST_UNDECIDED:
            # Somebody has changed the rules: whether this one is ours is known when they are read.
            self._undecided.append(line)
            self._sync_soon()
        elif ours is None:
            self._let_go_of_undecided()
            self._undecided.append(line)
        elif ours:
            self._land(message, writer)
        else:
            self.health.foreign += 1
            self.health.foreign_in_a_row += 1

    def _land(self, message: dict[str, Any], writer: BatchWriter) -> None:
        self.health.foreign_in_a_row = 0
        now = datetime.fromtimestamp(self._server_now(), UTC)
        tweets, faults = page_tweets(
            with_tweet_names(message),
            self.zone.home,
            "stream",
            now,
            retweets_collected=self.config.stream_returns_retweets,
        )
        self.health.quarantined += faults
        for tweet in tweets:
            writer.add(tweet)
            self._newest = max(self._newest, credible_id(tweet["id"], now))
        self._note_sure(writer)

    def _note_sure(self, writer: BatchWriter) -> None:
        """Remember up to where everything is landed, if it is."""
        if not writer.waiting and not self._undecided:
            self._state.last_id = max(self._sure(), self._state.last_id)

    def _sure(self) -> int:
        """The id up to which nothing is missing: of the newest tweet, or of the last time at which X was silent though
        the rules stood."""
        quiet = min(self._alive_at - STREAM_LATENCY_S, self._state.rules_at)
        return max(self._newest, first_id_at(datetime.fromtimestamp(quiet, UTC))) if quiet > 0 else self._newest

    # The connection

    def _on_connected(self, event: Event) -> None:
        self.health.state, self.health.connected_at = "connected", time.time()
        self.health.connects += 1
        self._state.token = self._token_digest
        if not self._newest:
            # Nothing was ever received: from now on something may be missed.
            self._newest = self._state.last_id = first_id_at(datetime.fromtimestamp(event.time - _MARGIN_S, UTC))
        else:
            gap = Gap(self._sure(), event.time + _MARGIN_S)
            if event.backfilled:
                self._held = (gap, time.monotonic() + BACKFILL_SETTLE_S * self.config.wait_scale)
            self._put_gap(gap)
        self._x_clock = (event.time, event.at)
        if self.health.connects > 1:
            self._sync_soon()
        log.info("the stream is connected", reconnects=self.health.reconnects, gaps=len(self._state.gaps))

    def _on_ended(self, event: Event) -> None:
        self._held = None  # the backfill may not have come to its end: its gap is searched
        self.health.state, self.health.last_fault = "waiting", event.why
        self._faults[event.why] += 1
        self.health.faults = dict(self._faults)
        log.warning("the stream has ended", why=event.why, wait_s=round(event.time, 2))

    def _backfill_minutes(self) -> int:
        """How many minutes the stream is to send again; 0 if it cannot reach back to the last tweet."""
        if not self.config.backfill_minutes or not self._newest:
            return 0
        minutes = int(max(self._server_now() - moment_of(self._newest).timestamp(), 0) // 60) + 1
        return minutes if minutes <= self.config.backfill_minutes else 0

    # The rules

    def _synced(self) -> tuple[Rules, float]:
        """Make and read the rules. Returns them, and X's time before that."""
        before = time.time()
        rules = sync_rules(self._client, self.rules, self._told_rules)
        return rules, before + self._client.ahead_s

    def _take_rules(self, rules: Rules, moment: float) -> None:
        state, self._present = self._state, rules
        restored = set(rules.made) & set(state.rules)
        if restored and state.rules_at:
            log.warning("rules of ours were deleted by somebody: they are made again", rules=len(restored))
            self.health.rules_restored += len(restored)
            since = first_id_at(datetime.fromtimestamp(state.rules_at, UTC))
            self._put_gap(Gap(since, moment + _MARGIN_S))
        state.rules, state.rules_at = list(self.rules), moment
        self.health.rules_error = None
        self._next_sync = time.monotonic() + RULES_EVERY_S * self.config.wait_scale
        self._write_state()

    def _sync_soon(self) -> None:
        self._next_sync = 0.0

    def _tend_rules(self, writer: BatchWriter) -> None:
        """Take in what the last look at the rules has brought; look again if it is due."""
        now = time.monotonic()
        if self._sync is not None and self._sync.done:
            task, self._sync = self._sync, None
            try:
                self._take_rules(*task.result())
            except _MENDS_ITSELF as error:
                self.health.rules_error = str(error)
                self._next_sync = now + RULES_EVERY_S * self.config.wait_scale
                log.warning("the rules of the stream could not be read or made", why=str(error))
            else:
                self._decide(writer)
        if self._sync is None and now >= max(self._next_sync, self._earliest_sync):
            self._earliest_sync = now + RULES_AGAIN_S * self.config.wait_scale
            self._sync = _Task("rules", self._synced)

    def _decide(self, writer: BatchWriter) -> None:
        """The rules are read: land what waited for that."""
        lines, self._undecided = self._undecided, []
        for line in lines:
            message = parse_object(line)
            ours = self._present.judge(message)
            if ours:
                self._land(message, writer)
            elif ours is None:
                self._undecided.append(line)
            else:
                self.health.foreign += 1
                self.health.foreign_in_a_row += 1
        self._let_go_of_undecided()

    def _let_go_of_undecided(self) -> None:
        """What matched a rule that is gone before it was read may be ours: its time is searched, by our own query."""
        ids = []
        for line in self._undecided:
            data = parse_object(line)["data"]
            tweet_id = str(data.get("id")) if isinstance(data, dict) else ""
            ids += [int(tweet_id)] if tweet_id.isascii() and tweet_id.isdecimal() and len(tweet_id) < 20 else []
        self.health.undecided += len(self._undecided)
        self._undecided = []
        if ids:
            self._put_gap(Gap(max(min(ids) - 1, 1), self._server_now() + _MARGIN_S))

    # Gaps

    def _put_gap(self, gap: Gap) -> None:
        filling = [self._filler[0]] if self._filler is not None else []
        self._state.gaps = [*filling, *merged([*self._other_gaps(), gap])]
        self._write_state()

    def _other_gaps(self) -> list[Gap]:
        """The gaps but for the one that is being filled."""
        return [gap for gap in self._state.gaps if self._filler is None or gap != self._filler[0]]

    def _tend_gaps(self) -> None:
        """Take in a fill that has ended; start the next one if it is due."""
        if self._held is not None and time.monotonic() > self._held[1]:
            held = self._held[0]
            self._state.gaps = [gap for gap in self._state.gaps if gap.since_id < held.since_id or gap.end > held.end]
            self._held = None
            self._write_state()
        if self._filler is not None and self._filler[1].done:
            (gap, task), self._filler = self._filler, None
            self._take_fill(gap, task)
        if self._filler is not None or self._held is not None or not self.health.connects:
            return
        now, server_now = time.monotonic(), self._server_now()
        self._retries = {gap: retry for gap, retry in self._retries.items() if gap in self._state.gaps}
        for gap in self._state.gaps:
            due_in = min(gap.end + 1 - server_now, _MARGIN_S + 1) + self.config.search_lag_s
            if due_in <= 0 and self._retries.get(gap, (0.0, 0))[0] <= now:
                windows = gap.windows(self.rules, self.config)
                self._filler = (gap, _Task("gap", partial(fill_gap, self.zone, self.config, windows, self._gap_client)))
                return

    def _take_fill(self, gap: Gap, task: _Task[SearchReport]) -> None:
        """A fill has ended; what the disk refuses, and errors of ours, are raised."""
        try:
            result = task.result()
            self.health.gap_landed += result.landed
            why = result.stopped
        except _MENDS_ITSELF as error:
            why = str(error)
        if why is None:
            self._state.gaps = [other for other in self._state.gaps if other != gap]
            self._write_state()
            self.health.gap_fills += 1
            self.health.gap_error = None
            log.info("filled a gap", landed=result.landed, known=result.duplicates, pages=result.pages)
            return
        tries = self._retries.get(gap, (0.0, 0))[1] + 1
        wait = min(GAP_RETRY_S * 2 ** min(tries - 1, 10), GAP_RETRY_MOST_S) * self.config.wait_scale
        self._retries[gap] = (time.monotonic() + wait, tries)
        self.health.gap_error = why
        log.warning("a gap could not be filled yet", why=why, again_in_s=round(wait))

    # Now and then

    def _look_around(self, writer: BatchWriter) -> None:
        writer.flush_if_due()
        self._note_sure(writer)
        self._reader.watch()
        self._tend_rules(writer)
        self._tend_gaps()
        if time.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._report(writer)
            if self._left == 0:
                raise XCapError(
                    f"{self._usage.why_none_remain()}; what was collected is kept: start again next month, or "
                    "raise the limit"
                )

    def _report(self, writer: BatchWriter) -> None:
        self._reported_at = time.monotonic()
        self._usage.add(self._uncounted, referenced=self._expanded[0], users=self._expanded[1])
        self._uncounted, self._expanded = 0, [0, 0]
        self._left = self._usage.remaining()
        self._note_sure(writer)
        self._write_state()
        health = self.health
        if self._rate and health.received > self._rate[-1][1]:
            health.last_tweet_at = time.time()
        self._rate.append((self._reported_at, health.received))
        while self._reported_at - self._rate[0][0] > 60:
            self._rate.popleft()
        seconds = max(self._reported_at - self._rate[0][0], REPORT_EVERY_S)
        health.tweets_per_minute = round((health.received - self._rate[0][1]) * 60 / seconds, 1)
        health.landed, health.duplicates, health.suppressed = writer.landed, writer.duplicates, writer.suppressed
        health.batches, health.gaps_pending = writer.batches, len(self._state.gaps)
        used = self._usage.this_month()
        health.posts_this_month, health.cost_this_month_usd = used.posts, round(used.cost / 1e6, 3)
        health.clock_ahead_s = round(self._server_now() - time.time(), 1)
        write(self.zone.home, health)

    def _server_now(self) -> float:
        """X's clock now: what it said at the last connect, and what has passed since."""
        return self._x_time(time.monotonic())

    def _x_time(self, moment: float) -> float:
        """X's clock at a moment of this process's."""
        said, at = self._x_clock
        return said + moment - at if said else time.time() + self._client.ahead_s

    def _sleep(self, seconds: float) -> None:
        if threading.get_ident() == self._ident:
            # The collector's own thread waits for X, at the start: that is no hanging.
            self.heartbeat = time.monotonic() + seconds
        if self.stop.wait(seconds):
            raise StoppedError

    def _write_state(self) -> None:
        content = orjson.dumps(asdict(self._state))
        write_atomically(self._state_file, lambda file: file.write(content))


_STATE_REMEDY = (
    "it holds up to where the stream is landed and which gaps are open: restore it; or move it away, and what was "
    "missed is found by `tweet-profiles search` only, for the last 7 days"
)

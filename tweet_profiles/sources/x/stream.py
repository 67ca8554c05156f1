"""The filtered stream into the landing zone: a collector that runs for months and knows what it has missed.

What belongs here: the connection, reconnecting as X documents it, and filling the gaps. What does not: the tweets
themselves (`tweets`), searching (`search`), and the file of its health (`health`).

One thread reads the stream and does nothing else, so that X never finds us slow; the collector's own thread turns
lines into tweets, lands them, and decides. What has been received is durable once its batch is landed; until then, and
whenever a connection ends or a line cannot be read, the collector remembers a gap: everything above the newest id
that is surely there. A gap is filled by the stream itself (`backfill_minutes`) where the plan has that, else by
recent search, as soon as search can know the last tweet of it. Gaps are kept on disk, so a kill loses none.
"""

import os
import queue
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

import orjson
import requests
import structlog
import tweepy
import urllib3
from filelock import FileLock, Timeout

from tweet_profiles.errors import TweetProfilesError
from tweet_profiles.home import write_atomically
from tweet_profiles.landing.zone import BatchWriter, LandingZone
from tweet_profiles.sources.x.client import (
    ACCESS_RETRIES,
    CAP_NOTICE,
    XCapError,
    XClient,
    is_cap,
    mount,
    problem_of,
    refusal,
    with_tweet_names,
)
from tweet_profiles.sources.x.config import ENV_PREFIX, XSettings
from tweet_profiles.sources.x.health import Health, read, write
from tweet_profiles.sources.x.pacing import Backoff, Fault, Usage, read_limit, server_time
from tweet_profiles.sources.x.search import (
    RECENT,
    BusyError,
    SearchReport,
    Window,
    above,
    credible_id,
    fill_gap,
    first_id_at,
    make_client,
    moment_of,
    page_tweets,
    put_aside,
)

log = structlog.get_logger(__name__)

TAG = "tweet-profiles"
"""The tag of our rules. Rules with another tag belong to somebody else and are left alone."""
CHUNK_BYTES = 16_384
QUEUE_LINES = 20_000
"""Lines that may wait between the two threads; beyond it the stream is read no faster than it is landed."""
TICK_S = 0.1
REPORT_EVERY_S = 2.0
BACKFILL_SETTLE_S = 60.0
"""A connection that has lived so long has delivered the backfill that was asked for."""
SETTLED_S = 10.0
"""A connection that ends sooner counts as one more fault in a row, so that X is not asked again and again at once."""
GAP_RETRY_S = 60.0
_MARGIN_S = 1.0
"""X's clock is told in whole seconds; what came within them around a reconnect is asked for too."""


class StoppedError(Exception):
    """The collector was told to stop while it waited; never leaves this module."""


@dataclass
class Gap:
    """What may be missing: tweets above `since_id` up to `end` (seconds since the epoch, X's clock)."""

    since_id: int
    end: float

    def reach(self, config: XSettings, now: datetime) -> Literal["all", "part", "none"]:
        """How much of it search can still find: recent search knows its 7 days only."""
        oldest = now - RECENT
        if config.search == "all" or moment_of(self.since_id) > oldest:
            return "all"
        return "part" if self.end > (oldest + timedelta(minutes=2)).timestamp() else "none"

    def windows(self, rules: Iterable[str], config: XSettings, now: datetime) -> list[Window]:
        """The searches that fill it, one a rule."""
        end = datetime.fromtimestamp(int(self.end) + 1, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return [replace(above(rule, self.since_id, config, now), end=end) for rule in rules]


def merged(gaps: Iterable[Gap]) -> list[Gap]:
    """The same gaps with those that touch made one, oldest first."""
    result: list[Gap] = []
    for gap in sorted(gaps, key=lambda gap: gap.since_id):
        if result and moment_of(gap.since_id).timestamp() <= result[-1].end:
            result[-1] = Gap(result[-1].since_id, max(result[-1].end, gap.end))
        else:
            result.append(Gap(gap.since_id, gap.end))
    return result


@dataclass
class State:
    """What must outlive the process.

    `last_id` is the newest id that is surely landed (0: none yet), `token` a digest of the token that has worked.
    """

    last_id: int = 0
    gaps: list[Gap] = field(default_factory=list)
    token: str = ""


@dataclass(frozen=True)
class _Event:
    """What the reading thread tells: a line, a keep-alive, a connection made or ended, or that it gives up."""

    kind: str
    line: bytes = b""
    time: float = 0.0
    backfilled: bool = False
    why: str = ""
    error: BaseException | None = None


class _Connection(tweepy.StreamingClient):
    """One connection. tweepy would reconnect by itself; every handler ends it, so that the collector decides."""

    def __init__(self, config: XSettings, events: "queue.Queue[_Event]", minutes: int) -> None:
        super().__init__(config.token, chunk_size=CHUNK_BYTES)
        mount(self.session, config, config.stall_s)
        self.session.hooks["response"].append(self._look_at)
        self._events, self._minutes = events, minutes
        self.response: requests.Response | None = None
        self.connected = self.delivered = False
        self.why = ""
        self.crash: Exception | None = None

    def _look_at(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self.response = response
        if response.status_code != 200:
            response.content  # noqa: B018 - read it now: X says there what is wrong, and tweepy closes it

    def on_connect(self) -> None:
        """The request was accepted. X also answers 200 with an HTML page when it is over capacity."""
        assert self.response is not None
        if self.connected:
            self._end("closed by X")
        elif "html" in self.response.headers.get("content-type", ""):
            self._end("an HTML page instead of the stream")
        else:
            self.connected = True
            now = server_time(self.response.headers, time.time())
            self._events.put(_Event("connected", time=now, backfilled=self._minutes > 0))

    def on_data(self, raw_data: bytes) -> None:
        """A line: hand it on, unless X says that it hangs up."""
        kind = None if raw_data.startswith(b'{"data"') else _disconnect_type(raw_data)
        if kind is not None:
            self._end(f"disconnected by X: {kind}")
            return
        self.delivered = True
        self._events.put(_Event("line", raw_data))

    def on_keep_alive(self) -> None:
        """X is there but has nothing."""
        self.delivered = True
        self._events.put(_Event("alive"))

    def on_request_error(self, status_code: int) -> None:
        """X refused the connection."""
        self._end(f"HTTP {status_code}")

    def on_connection_error(self) -> None:
        """The network failed, or nothing came for too long."""
        self._end("nothing came for too long, or the connection broke" if self.connected else "no connection")

    def on_closed(self, _: requests.Response) -> None:
        """X ended the stream."""
        self._end("closed by X")

    def on_exception(self, exception: Exception) -> None:
        """Anything else that ended the connection."""
        self.crash = exception
        self._end(type(exception).__name__)

    def on_disconnect(self) -> None:
        """The connection has ended; the collector says why."""

    def _end(self, why: str) -> None:
        self.why = self.why or why
        self.running = False


_Filled = SearchReport | TweetProfilesError | StoppedError


class Collector:
    """Collects the stream of one home until it is told to stop.

    Args:
        zone: where the tweets go.
        config: the settings.
        stop: set it, and the open batch is landed and `run` returns.
    """

    def __init__(self, zone: LandingZone, config: XSettings, stop: threading.Event) -> None:
        self.zone, self.config, self.stop = zone, config, stop
        self.rules = config.stream_rules
        self.health = Health(pid=os.getpid(), started_at=time.time(), cap=config.monthly_post_cap)
        self._usage = Usage(zone.home, config.monthly_post_cap, config.cap_reset_day)
        self._events: queue.Queue[_Event] = queue.Queue(QUEUE_LINES)
        self._fills: queue.SimpleQueue[tuple[Gap, SearchReport | TweetProfilesError | StoppedError]] = (
            queue.SimpleQueue()
        )
        self._rule_ids: frozenset[str] = frozenset()
        self._state_file = zone.home.private / "x_stream.json"
        self._state = self._read_state()
        self._newest = self._state.last_id
        self._token_digest = blake2b(config.token.encode(), digest_size=8).hexdigest()
        self._is_proven = self._state.token == self._token_digest
        self._client = XClient(config, sleep=self._sleep, proven=self._is_proven)
        self._gap_client = make_client(config, zone.home, self._sleep, proven=True)
        self._filler: threading.Thread | None = None
        self._next_fill = 0.0
        self._held: tuple[Gap, float] | None = None
        self._clock_offset = 0.0
        self._connection: _Connection | None = None
        self._uncounted = 0
        self._faults: Counter[str] = Counter()
        self._rate: deque[tuple[float, int]] = deque()
        self._reported_at = 0.0

    def run(self) -> Health:
        """Collect until told to stop. Returns the final health.

        Raises:
            SettingError: if X refuses the token, the plan or a rule.
            XCapError: at the cap of the month.
            BusyError: if another collector of this home runs.
            HomeError: if a batch cannot be written.
        """
        lock = FileLock(self.zone.home.private / "x_stream.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            other = read(self.zone.home)
            which = f" (process {other.pid})" if other else ""
            raise BusyError(f"a collector of this home runs already{which}: stop it first") from None
        try:
            self._collect()
            self.health.reason = "told to stop"
        except StoppedError:
            self.health.reason = "told to stop"
        except TweetProfilesError as error:
            self.health.reason = str(error)
            raise
        finally:
            self.health.state = "stopped"
            write(self.zone.home, self.health)
            lock.release()
        return self.health

    def _collect(self) -> None:
        with self.zone.writer("stream") as writer:
            self._rule_ids = sync_rules(self._client, self.rules)
            receiver = threading.Thread(target=self._receive, name="stream", daemon=True)
            receiver.start()
            try:
                while not self.stop.is_set():
                    self._take(writer)
                    self._look_around(writer)
            finally:
                self.stop.set()
                if self._connection is not None:
                    self._connection.disconnect()
                self._drain(writer)
                if self._filler is not None:
                    self._filler.join(timeout=30)
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

    def _handle(self, event: _Event, writer: BatchWriter) -> None:
        if event.kind == "line":
            self._handle_line(event.line, writer)
        elif event.kind == "connected":
            self._on_connected(event.time, backfilled=event.backfilled)
        elif event.kind == "ended":
            self._on_ended(event)
        elif event.kind == "gives up":
            assert event.error is not None
            raise event.error
        self.health.last_byte_at = time.time()

    def _handle_line(self, line: bytes, writer: BatchWriter) -> None:
        try:
            message = orjson.loads(line)
            if not isinstance(message, dict):
                raise TypeError("a message of the stream is a JSON object")
        except (orjson.JSONDecodeError, TypeError):
            put_aside(self.zone.home, "stream", "is no message of the stream: the gap is searched", line)
            self.health.quarantined += 1
            self._add_gap(self._server_now())
            return
        if "data" not in message:
            if is_cap(message):
                raise XCapError(CAP_NOTICE)
            self.health.partial_errors += 1
            log.warning("a message of the stream without a tweet", keys=sorted(message)[:10])
            return
        self.health.received += 1
        self._uncounted += 1
        self.health.partial_errors += "errors" in message
        matching = message.get("matching_rules")
        if matching and self._rule_ids.isdisjoint(rule.get("id") for rule in matching):
            self.health.foreign += 1
            return
        tweets, faults = page_tweets(
            with_tweet_names(message),
            self.zone.home,
            "stream",
            retweets_collected=self.config.stream_returns_retweets,
        )
        self.health.quarantined += faults
        for tweet in tweets:
            writer.add(tweet)
            self._newest = max(self._newest, credible_id(tweet["id"]))
        if not writer.waiting:
            self._state.last_id = self._newest

    # The connection

    def _on_connected(self, server_seconds: float, *, backfilled: bool) -> None:
        self._clock_offset = server_seconds - time.time()
        self.health.state, self.health.connected_at = "connected", time.time()
        self.health.connects += 1
        self._state.token = self._token_digest
        if not self._newest:
            # Nothing was ever received: from now on something may be missed.
            self._newest = self._state.last_id = first_id_at(datetime.fromtimestamp(server_seconds - _MARGIN_S, UTC))
        else:
            gap = Gap(self._newest, server_seconds + _MARGIN_S)
            if backfilled:
                self._held = (gap, time.monotonic() + BACKFILL_SETTLE_S * self.config.wait_scale)
            self._add_gap(gap.end)
        log.info("the stream is connected", reconnects=self.health.reconnects, gaps=len(self._state.gaps))

    def _on_ended(self, event: _Event) -> None:
        self._held = None  # the backfill may not have come to its end: its gap is searched
        self.health.state, self.health.last_fault = "waiting", event.why
        self._faults[event.why] += 1
        self.health.faults = dict(self._faults)
        log.warning("the stream has ended", why=event.why, wait_s=round(event.time, 2))

    def _receive(self) -> None:
        """The reading thread: connect, read, and after each end wait as X documents it."""
        backoff, refusals, proven = Backoff(self.config.wait_scale), 0, self._is_proven
        while not self.stop.is_set():
            minutes = self._backfill_minutes()
            connection = self._connection = _Connection(self.config, self._events, minutes)
            params = {name.replace(".", "_"): value for name, value in self.config.field_params(stream=True).items()}
            began = time.monotonic()
            connection.filter(**params, **({"backfill_minutes": minutes} if minutes else {}))
            if connection.delivered:
                refusals, proven = 0, True
                if time.monotonic() - began >= SETTLED_S * self.config.wait_scale:
                    backoff.reset()
            if connection.crash is not None and not isinstance(connection.crash, _NETWORK_FAULTS):
                self._events.put(_Event("gives up", error=connection.crash))
                return
            fault, seconds, error = self._why(connection)
            if error is not None:
                refusals += 1
                if isinstance(error, XCapError) or not proven or refusals > ACCESS_RETRIES:
                    self._events.put(_Event("gives up", error=error))
                    return
            wait = backoff.wait(fault) if seconds is None else seconds
            self._events.put(_Event("ended", time=wait, why=connection.why))
            self.stop.wait(wait)

    def _why(self, connection: _Connection) -> tuple[Fault, float | None, TweetProfilesError | None]:
        """Which back-off the end of a connection asks for, for how long if X says so, and what to tell the user."""
        response = connection.response
        if connection.connected or response is None:
            return "network", None, None
        if response.status_code == 429:
            problem = problem_of(response)
            if is_cap(problem):
                return "limit", None, XCapError(CAP_NOTICE)
            if problem.get("connection_issue"):
                connection.why = "too many connections: another collector uses the same token"
                return "limit", None, None
            limit = read_limit(response.headers, time.time())
            return limit.fault, limit.seconds, None
        if 400 <= response.status_code < 500:
            return "http", None, refusal(response, self.config)
        return "http", None, None

    def _backfill_minutes(self) -> int:
        """How many minutes the stream is to send again; 0 if it cannot reach back to the last tweet."""
        if not self.config.backfill_minutes or not self._newest:
            return 0
        minutes = int(max(time.time() - moment_of(self._newest).timestamp(), 0) // 60) + 1
        return minutes if minutes <= self.config.backfill_minutes else 0

    # Gaps

    def _add_gap(self, end: float) -> None:
        """Everything above the newest id that is surely there may be missing, up to `end`."""
        filling = self._state.gaps[:1] if self._filler is not None else []
        others = self._state.gaps[len(filling) :]
        self._state.gaps = [*filling, *merged([*others, Gap(self._newest, end)])]
        self._write_state()

    def _tend_gaps(self) -> None:
        """Take in a fill that has ended; start the next one if it is due."""
        if self._held is not None and time.monotonic() > self._held[1]:
            held = self._held[0]
            self._state.gaps = [gap for gap in self._state.gaps if gap.since_id < held.since_id or gap.end > held.end]
            self._held = None
            self._write_state()
        if self._filler is not None and not self._filler.is_alive():
            self._filler = None
            self._take_fill(*self._fills.get())
        if self._filler is not None or self._held is not None or not self._state.gaps or not self.health.connects:
            return
        gap = self._state.gaps[0]
        due_in = min(gap.end + 1 - self._server_now(), _MARGIN_S + 1) + self.config.search_lag_s
        if due_in > 0 or time.monotonic() < self._next_fill:
            return
        now = datetime.now(UTC)
        reach = gap.reach(self.config, now)
        if reach != "all":
            self.health.gaps_out_of_reach += 1
            log.error("a gap is older than recent search reaches: tweets are lost to it", reach=reach)
        if reach == "none":
            self._state.gaps.remove(gap)
            self._write_state()
            return
        windows = gap.windows(self.rules, self.config, now)
        self._filler = threading.Thread(target=self._fill, args=(gap, windows), name="gap", daemon=True)
        self._filler.start()

    def _fill(self, gap: Gap, windows: list[Window]) -> None:
        try:
            self._fills.put((gap, fill_gap(self.zone, self.config, windows, self._gap_client)))
        except (TweetProfilesError, StoppedError) as error:
            self._fills.put((gap, error))

    def _take_fill(self, gap: Gap, result: _Filled) -> None:
        if isinstance(result, SearchReport):
            self.health.gap_landed += result.landed
        if isinstance(result, SearchReport) and result.finished:
            self._state.gaps.remove(gap)
            self._write_state()
            self.health.gap_fills += 1
            self.health.gap_error = None
            log.info("filled a gap", landed=result.landed, known=result.duplicates, pages=result.pages)
            return
        self.health.gap_error = result.stopped if isinstance(result, SearchReport) else str(result)
        self._next_fill = time.monotonic() + GAP_RETRY_S * self.config.wait_scale
        log.warning("a gap could not be filled yet", why=self.health.gap_error)

    # Now and then

    def _look_around(self, writer: BatchWriter) -> None:
        if writer.flush_if_due() or not writer.waiting:
            self._state.last_id = self._newest
        self._tend_gaps()
        if time.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._report(writer)
            if self._usage.remaining() == 0:
                raise XCapError(
                    f"the cap of {self._usage.cap} posts a month ({ENV_PREFIX}MONTHLY_POST_CAP) is reached: what was "
                    "collected is kept; start again next month, or raise the cap"
                )

    def _report(self, writer: BatchWriter) -> None:
        self._reported_at = time.monotonic()
        self._usage.add(self._uncounted)
        self._uncounted = 0
        if not writer.waiting:
            self._state.last_id = self._newest
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
        health.posts_this_month = self._usage.used()
        write(self.zone.home, health)

    def _server_now(self) -> float:
        return time.time() + self._clock_offset

    def _sleep(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise StoppedError

    def _read_state(self) -> State:
        if not self._state_file.exists():
            return State()
        noted = orjson.loads(self._state_file.read_bytes())
        return State(**{**noted, "gaps": [Gap(**gap) for gap in noted["gaps"]]})

    def _write_state(self) -> None:
        content = orjson.dumps(asdict(self._state))
        write_atomically(self._state_file, lambda file: file.write(content))


_NETWORK_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, ssl.SSLError, OSError)


def sync_rules(client: XClient, wanted: tuple[str, ...]) -> frozenset[str]:
    """Make the rules of the stream those that are configured. Returns the ids of ours.

    New rules are added before old ones go, so that nothing is missed in between. Rules without our tag belong to
    somebody else: they stay, and what only they match is not landed.

    Raises:
        XRequestError: if X refuses a rule, with its reasons.
    """
    present = client.rules()
    missing = [value for value in wanted if value not in {rule["value"] for rule in present}]
    if missing:
        client.change_rules({"add": [{"value": value, "tag": TAG} for value in missing]})
    obsolete = [rule["id"] for rule in present if rule.get("tag") == TAG and rule["value"] not in wanted]
    if obsolete:
        client.change_rules({"delete": {"ids": obsolete}})
    rules = client.rules() if missing or obsolete else present
    foreign = sum(rule["value"] not in wanted for rule in rules)
    if foreign:
        log.warning("other rules of the same project cost posts too; what only they match is left out", rules=foreign)
    return frozenset(str(rule["id"]) for rule in rules if rule["value"] in wanted)


def _disconnect_type(line: bytes) -> str | None:
    """The kind of a disconnect message; None for any other line."""
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(message, dict):
        return None
    errors = message.get("errors")
    documents: list[Mapping[str, Any]] = [message, *(errors if isinstance(errors, list) else [])]
    for document in documents:
        if isinstance(document, dict):
            kind = document.get("disconnect_type") or document.get("connection_issue")
            if kind is not None:
                return str(kind)[:60]
    return None

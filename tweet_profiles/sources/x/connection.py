"""The connection to the filtered stream: a thread that connects, reads, and after each end waits as X documents it.

What belongs here: one connection, its end and why, and the waits between. What does not: what the lines mean, and
what may have been missed (`collector`).
"""

import queue
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import requests
import structlog
import tweepy
import urllib3
from requests.exceptions import ProxyError, SSLError

from tweet_profiles.errors import TweetProfilesError
from tweet_profiles.sources.x.client import ACCESS_RETRIES
from tweet_profiles.sources.x.config import XSettings
from tweet_profiles.sources.x.errors import StoppedError, XCapError, XPortalError
from tweet_profiles.sources.x.pacing import Backoff, Budget, Fault, read_limit, server_time
from tweet_profiles.sources.x.refusals import cap_of, is_backfill_refused, refusal
from tweet_profiles.sources.x.transport import Refused, mount

log = structlog.get_logger(__name__)

CHUNK_BYTES = 16_384
SETTLED_S = 10.0
"""A connection that ends sooner counts as one more fault in a row, so that X is not asked again and again at once."""
NO_RULES_TRIES = 5
"""How often X may say that there are no rules, while they are made again, before it is believed."""
TOO_MANY = "too many connections: another collector uses the same token, or X has not noticed yet that ours has ended"


@dataclass(frozen=True)
class Event:
    """What the reading thread tells: a line, a keep-alive, a connection made or ended, no rules, or that it gives up.

    `at` is when (monotonic); `time` X's clock when a connection is made, the wait when it has ended.
    """

    kind: str
    line: bytes = b""
    at: float = 0.0
    time: float = 0.0
    backfilled: bool = False
    why: str = ""
    error: BaseException | None = None


@dataclass(frozen=True)
class _End:
    """Which back-off the end of a connection asks for, for how long if X says so; `error` after `tries` more of it."""

    fault: Fault
    seconds: float | None = None
    error: TweetProfilesError | None = None
    tries: int = 0


class _Connection(tweepy.StreamingClient):
    """One connection. tweepy would reconnect by itself; every handler ends it, so that the reader decides."""

    def __init__(self, config: XSettings, put: Callable[[Event], None], minutes: int) -> None:
        super().__init__(config.token, chunk_size=CHUNK_BYTES)
        self.adapter = mount(self.session, config, config.stall_s)
        self.session.hooks["response"].append(self._look_at)
        self._put, self.minutes = put, minutes
        self._response: requests.Response | None = None
        self.connected = self.delivered = False
        self.why = ""
        self.fault: Fault = "network"
        self.crash: BaseException | None = None
        self.began = self.heard = time.monotonic()

    def _look_at(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._response = response

    def on_connect(self) -> None:
        """The request was accepted. X also answers 200 with an HTML page when it is over capacity."""
        assert self._response is not None
        if self.connected:
            self._end("closed by X")
        elif "html" in self._response.headers.get("content-type", ""):
            self.fault = "http"
            self._end("a web page instead of the stream: a login page of this network, or X is over capacity")
        else:
            self.connected, self.heard = True, time.monotonic()
            now = server_time(self._response.headers, time.time())
            self._put(Event("connected", at=time.monotonic(), time=now, backfilled=self.minutes > 0))

    def on_data(self, raw_data: bytes) -> None:
        """A line: hand it on, unless X says that it hangs up."""
        self.heard = time.monotonic()
        kind = None if raw_data.startswith(b'{"data"') else _disconnect_type(raw_data)
        if kind is not None:
            self._end(f"disconnected by X: {kind}")
            return
        self.delivered = True
        self._put(Event("line", raw_data, at=time.monotonic()))

    def on_keep_alive(self) -> None:
        """X is there but has nothing."""
        self.heard = time.monotonic()
        self.delivered = True
        self._put(Event("alive", at=time.monotonic()))

    def on_request_error(self, status_code: int) -> None:
        """X answered with another success than 200."""
        self.fault = "http"
        self._end(f"HTTP {status_code}")

    def on_connection_error(self) -> None:
        """The network failed, or nothing came for too long."""
        error = sys.exception()
        if isinstance(error, SSLError | ssl.SSLError):
            self._end("the certificate of X cannot be trusted: check this machine's clock, certificates and proxies")
        elif isinstance(error, ProxyError):
            self._end("the proxy refuses: check HTTPS_PROXY and NO_PROXY")
        else:
            self._end("nothing came for too long, or the connection broke" if self.connected else "no connection")

    def on_closed(self, _: requests.Response) -> None:
        """X ended the stream."""
        self._end("closed by X")

    def on_exception(self, exception: Exception) -> None:
        """Anything else that ended the connection."""
        self.crash = exception
        self._end(f"HTTP {exception.status}" if isinstance(exception, Refused) else type(exception).__name__)

    def on_disconnect(self) -> None:
        """The connection has ended; the collector says why."""

    def _end(self, why: str) -> None:
        self.why = self.why or why
        self.running = False


class Reader:
    """The reading thread. Whatever ends it is told as an event, so that the collector does not live on without it.

    Args:
        config: the settings.
        budget: the connects a window.
        events: where lines and the like go; the reader waits while it is full.
        stop: set it, and the reader ends.
        proven: whether the token has worked before.
        backfill_minutes: asked before each connect: how many minutes X is to send again.
    """

    def __init__(
        self,
        config: XSettings,
        budget: Budget,
        events: "queue.Queue[Event]",
        stop: threading.Event,
        backfill_minutes: Callable[[], int],
        *,
        proven: bool,
    ) -> None:
        self._config, self._budget, self._events, self._stop = config, budget, events, stop
        self._proven, self._backfill_minutes = proven, backfill_minutes
        self._may_backfill = True
        self._connection: _Connection | None = None
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def end(self) -> None:
        """Close the connection, whatever it is doing, and wait a moment for the thread."""
        connection = self._connection
        if connection is not None:
            connection.disconnect()
            connection.adapter.abort()
        self._thread.join(timeout=2)

    def watch(self) -> None:
        """End a connection that is alive byte by byte but brings no line; to be called now and then."""
        connection, now = self._connection, time.monotonic()
        if connection is None or self._events.full():
            return
        limit = 2 * self._config.stall_s if connection.connected else self._config.answer_s
        if now - (connection.heard if connection.connected else connection.began) > limit:
            connection.why = connection.why or "X sends bytes, but no whole line"
            connection.adapter.abort()

    def _run(self) -> None:
        try:
            self._read()
        except StoppedError:
            return
        except BaseException as error:  # noqa: BLE001 - raised again by the collector
            self._put(Event("gives up", error=error))

    def _read(self) -> None:
        backoff, refusals = Backoff(self._config.wait_scale), 0
        while not self._stop.is_set():
            self._budget.take("connect", self._sleep)
            minutes = self._backfill_minutes() if self._may_backfill else 0
            connection = self._connection = _Connection(self._config, self._put, minutes)
            params = {name.replace(".", "_"): value for name, value in self._config.field_params(stream=True).items()}
            began = time.monotonic()
            connection.filter(**params, **({"backfill_minutes": minutes} if minutes else {}))
            self._connection = None
            if connection.delivered:
                refusals, self._proven = 0, True
                if time.monotonic() - began >= SETTLED_S * self._config.wait_scale:
                    backoff.reset()
            end = self._end_of(connection)
            if end.error is not None:
                refusals += 1
                if refusals > end.tries:
                    raise end.error
            wait = backoff.wait(end.fault, end.seconds)
            self._put(Event("ended", at=time.monotonic(), time=wait, why=connection.why))
            self._sleep(wait)

    def _end_of(self, connection: _Connection) -> _End:
        """What the end of a connection means."""
        refused = connection.crash
        if refused is None or isinstance(refused, _NETWORK_FAULTS):
            return _End(connection.fault)
        if not isinstance(refused, Refused):
            raise refused
        if refused.status == 429 and cap_of(refused.problem) is None:
            return self._too_many(refused, connection)
        if connection.minutes and is_backfill_refused(refused):
            self._may_backfill = False
            connection.why = "the plan has no backfill: the stream goes on without, and gaps are searched"
            return _End("network")
        error = refusal(refused, self._config)
        if refused.status in (408, 425) or refused.status >= 500 or isinstance(error, XPortalError):
            return _End("http")
        tries = ACCESS_RETRIES if self._proven and not isinstance(error, XCapError) else 0
        if refused.status == 409:
            self._put(Event("no rules", at=time.monotonic()))
            tries = NO_RULES_TRIES
        return _End("http", error=error, tries=tries)

    def _too_many(self, refused: Refused, connection: _Connection) -> _End:
        if refused.problem.get("connection_issue"):
            connection.why = TOO_MANY
            return _End("limit")
        limit = read_limit(refused.headers, time.time())
        return _End(limit.fault, limit.seconds)

    def _put(self, event: Event) -> None:
        while True:
            try:
                return self._events.put(event, timeout=1)
            except queue.Full:
                if self._stop.is_set():
                    raise StoppedError from None

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise StoppedError


_NETWORK_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, ssl.SSLError, ConnectionError)


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

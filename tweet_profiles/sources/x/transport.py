"""How requests reach X by way of tweepy, and how none of them can hang.

What belongs here: the address, sockets, redirects, limits of time. What does not: what an answer means.

tweepy has X's address built in; an adapter mounted on its session sends the requests to the configured one. tweepy
also interprets refusals, and fails on headers and bodies that X should not send; whatever is no success is therefore
raised as `Refused` before tweepy sees it.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit
from weakref import WeakSet

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from tweet_profiles.sources.x.answers import parse_object
from tweet_profiles.sources.x.config import XSettings

TWEEPY_HOST = "https://api.twitter.com"
MOST_OF_A_REFUSAL = 1 << 16
_POLL_S = 0.1
_Result = TypeVar("_Result")


class Refused(Exception):  # noqa: N818 - it is an answer, and whoever asked decides whether it is an error
    """Something else than a success was answered; holds as much of it as came."""

    def __init__(self, response: requests.Response, body: bytes) -> None:
        super().__init__(str(response.status_code))
        self.status, self.reason, self.headers = response.status_code, response.reason or "", response.headers
        self.route = urlsplit(response.url).path
        self.is_html = "html" in response.headers.get("content-type", "")
        self.location = response.headers.get("location")
        try:
            self.problem = parse_object(body)
        except ValueError:
            self.problem = {}

    @property
    def host(self) -> str:
        """The host of a redirect's address; nothing else of it, for it may hold a secret."""
        return urlsplit(urljoin("//", self.location or "")).netloc.rpartition("@")[2] or "another path"


class Adapter(HTTPAdapter):
    """Sends every request to the base URL, with timeouts, whatever host the library has built in."""

    def __init__(self, base_url: str, connect_timeout_s: float, read_timeout_s: float) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        super().__init__()
        self._base = urlsplit(base_url)
        self._timeout = (connect_timeout_s, read_timeout_s)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools, so that the sockets are known that `abort` has to end."""
        super().init_poolmanager(*args, **kwargs)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """As `init_poolmanager`, by way of a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        self._watch(manager)
        return manager

    def _watch(self, manager: Any) -> None:
        manager.pool_classes_by_scheme = {
            "http": _watched(HTTPConnectionPool, self._sockets),
            "https": _watched(HTTPSConnectionPool, self._sockets),
        }

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send `request` to the base URL; proxies are those of that address."""
        parts = urlsplit(request.url or "")
        url = urlunsplit(
            (self._base.scheme, self._base.netloc, self._base.path + str(parts.path), str(parts.query), "")
        )
        request.url = url
        kwargs["timeout"] = self._timeout
        kwargs["proxies"] = get_environ_proxies(url)
        return super().send(request, *args, **kwargs)

    def abort(self) -> None:
        """End whatever is under way, from another thread: its reads see the end of the connection at once."""
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                # Not SSLSocket's own, which would pull the encryption away under the reading thread.
                socket.socket.shutdown(each, socket.SHUT_RDWR)


def _watched(pool: type[HTTPConnectionPool], sockets: "WeakSet[socket.socket]") -> type[HTTPConnectionPool]:
    base: Any = pool.ConnectionCls

    class Connection(base):
        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    class Pool(pool):  # type: ignore[misc,valid-type]
        ConnectionCls = Connection

    return Pool


def mount(session: requests.Session, config: XSettings, read_timeout_s: float) -> Adapter:
    """Point a tweepy session at the configured address; refusals raise `Refused`. Returns its adapter."""
    adapter = Adapter(config.base_url, config.timeout_s, read_timeout_s)
    session.mount(TWEEPY_HOST, adapter)
    session.hooks["response"].append(_refuse)
    # At debug level tweepy logs whole requests, the Authorization header among them.
    logger = logging.getLogger("tweepy")
    if logger.getEffectiveLevel() <= logging.DEBUG:
        logger.setLevel(logging.INFO)
    return adapter


def _refuse(response: requests.Response, *_: Any, **__: Any) -> None:
    if 200 <= response.status_code < 300:
        return
    body = b""
    # A body shorter than its Content-Length still tells what came.
    with contextlib.suppress(requests.RequestException, urllib3.exceptions.HTTPError, OSError):
        for chunk in response.iter_content(8192):
            body += chunk
            if len(body) > MOST_OF_A_REFUSAL:
                break
    response.close()
    raise Refused(response, body)


def within(
    seconds: float, work: Callable[[], _Result], abort: Callable[[], None], look_up: Callable[[], None]
) -> _Result:
    """Do `work` in a thread of its own and wait for it, but not for longer than `seconds`.

    Args:
        seconds: the limit, however slowly bytes drip in.
        work: what is waited for.
        abort: ends `work` from here, if it can be ended.
        look_up: called several times a second; what it raises ends the wait.

    Raises:
        requests.Timeout: if the limit is over; else what `work` or `look_up` raised.
    """
    result: list[_Result] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failure.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="request", daemon=True).start()
    end = time.monotonic() + seconds
    try:
        while not done.wait(_POLL_S):
            look_up()
            if time.monotonic() > end:
                raise requests.Timeout(f"no whole answer in {seconds:.0f} s")
    except BaseException:
        abort()
        raise
    if failure:
        raise failure[0]
    return result[0]

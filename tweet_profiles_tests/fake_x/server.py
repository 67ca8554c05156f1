"""The fake X API server.

`with FakeX() as x:` serves on `x.url`. `x.publish(n)` makes tweets now, which go to the connected streams and can be
searched after `search_lag_s`; `x.add(ids)` puts older ones into the archive. `x.inject(where, fault)` queues a fault:
each is used up by the next request (`search`, `connect`, `rules`) or moment of the stream (`stream`) that can have it.
`x.ledger` lists the requests in order, `x.violations` what the OpenAPI document does not allow in them.
"""

import bisect
import contextlib
import json
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from tweet_profiles_tests.fake_x.spec import violations
from tweet_profiles_tests.fake_x.tweets import iso, now_ms, snowflake, time_of, tweet_of

REQUEST_FAULTS = (
    "429 reset", "429 bare", "429 skewed", "429 second", "429 past", "429 text", "429 short", "503", "401", "401 short",
    "403", "511", "html", "half json", "truncated", "reset", "stall", "drip", "list",
)  # fmt: skip
PAGE_FAULTS = (
    "duplicates", "out of order", "partial errors", "half characters", "a bad byte", "a byte order mark",
    "errors alone", "errors and a count", "the same token", "a number as token", "a list as token", "no meta",
    "one record no object",
)  # fmt: skip
"""What may be wrong with a page that is answered with 200."""
SEARCH_FAULTS = (*REQUEST_FAULTS, *PAGE_FAULTS)
CONNECT_FAULTS = (
    "429 reset", "429 bare", "429 skewed", "429 past", "429 text", "429 short", "429 connections", "503", "401",
    "401 short", "403", "409", "html", "511", "reset", "drip",
)  # fmt: skip
STREAM_FAULTS = (
    "truncated", "half line", "stall", "reset", "disconnect", "full buffer", "html", "duplicates", "out of order",
    "partial errors", "closed", "half characters", "a bad byte", "a byte order mark", "rules as texts", "drip",
)  # fmt: skip
WEEK_S = 7 * 86400
_HTML = b"<!DOCTYPE html><html><head><title>Over capacity</title></head><body>Try again</body></html>"
_PROBLEMS: dict[str, dict[str, Any]] = {
    "401": {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"},
    "403": {
        "client_id": "16340226",
        "required_enrollment": "Standard Basic",
        "registration_url": "https://developer.twitter.com/en/account",
        "title": "Client Forbidden",
        "detail": "This request must be made using an approved developer account that is enrolled in the endpoint.",
        "reason": "client-not-enrolled",
        "type": "https://api.twitter.com/2/problems/client-forbidden",
    },
    "503": {"title": "Service Unavailable", "detail": "Service Unavailable", "type": "about:blank", "status": 503},
    "429 connections": {
        "title": "ConnectionException",
        "detail": "This stream is currently at the maximum allowed connection limit.",
        "connection_issue": "TooManyConnections",
        "type": "https://api.twitter.com/2/problems/streaming-connection",
    },
    "402": {
        "title": "Payment Required",
        "detail": "Your enrolled account [123] does not have any credits to fulfill this request.",
        "type": "https://api.x.com/2/problems/credits-depleted",
    },
    "402 spending": {
        "title": "Spend Limit Reached",
        "detail": "The spending limit of this billing cycle is reached.",
        "type": "https://api.x.com/2/problems/spend-cap-reached",
    },
    "409": {
        "title": "ConnectionException",
        "detail": "No rules are defined for this stream.",
        "connection_issue": "RuleConfigurationIssue",
        "type": "https://api.x.com/2/problems/streaming-connection",
    },
    "backfill": {
        "errors": [{"parameters": {"backfill_minutes": ["2"]}, "message": "backfill_minutes is not for this plan"}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.x.com/2/problems/invalid-request",
    },
    "cap": {
        "title": "UsageCapExceeded",
        "detail": "Usage cap exceeded: Monthly product cap",
        "period": "Monthly",
        "scope": "Product",
        "type": "https://api.twitter.com/2/problems/usage-capped",
    },
}
_DISCONNECTS = {
    "disconnect": "UpstreamOperationalDisconnect",
    "full buffer": "UpstreamFullBufferDisconnect",
}


class _Connection:
    """One connected stream: the lines that wait to be sent to it."""

    def __init__(self) -> None:
        self.lines: deque[bytes] = deque()
        self.ready = threading.Condition()
        self.open = True

    def put(self, lines: Iterable[bytes]) -> None:
        with self.ready:
            self.lines.extend(lines)
            self.ready.notify()

    def take(self, timeout: float, most: int = 100) -> list[bytes]:
        with self.ready:
            if not self.lines:
                self.ready.wait(timeout)
            return [self.lines.popleft() for _ in range(min(most, len(self.lines)))]


class FakeX:
    """The server; see the module."""

    def __init__(
        self,
        *,
        token: str = "a-good-token",
        search_lag_s: float = 0.0,
        keep_alive_s: float = 0.1,
        per_second: float | None = None,
        window_requests: int | None = None,
        window_s: float = 2.0,
        max_connections: int = 1,
        clock_skew_s: float = 0.0,
        port: int = 0,
    ) -> None:
        self.token, self.search_lag_s, self.keep_alive_s = token, search_lag_s, keep_alive_s
        self.per_second, self.window_requests, self.window_s = per_second, window_requests, window_s
        self.max_connections, self.clock_skew_s = max_connections, clock_skew_s
        self.ledger: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self.ids: list[int] = []
        self.rules: dict[str, dict[str, str]] = {}
        self.faults: dict[str, deque[str]] = {name: deque() for name in ("search", "connect", "stream", "rules")}
        self.injected: Counter[str] = Counter()
        self.usage = {"project_usage": "1200", "project_cap": "15000", "cap_reset_day": 5}
        self.refuse_tokens = False
        self.refuse_every_token = False
        self.cycle: list[str] = []
        self.cycle_at: dict[str, str] = {}
        self.unreadable: set[int] = set()
        self.hostile: dict[str, str] = {}
        self.spelling: Callable[[str], str] = str
        self.max_rules: int | None = None
        self.has_backfill = True
        self.count: Any = None
        self.late_s = 0.0
        self.forbidden_paths: set[str] = set()
        self.streamed = 0
        self._connections: list[_Connection] = []
        self._lock = threading.RLock()
        self._last_search = 0.0
        self._window: tuple[float, int] = (0.0, 0)
        self._sequence = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._server.daemon_threads = True
        self._server.fake = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FakeX":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.open = False
        self._server.shutdown()
        self._server.server_close()

    # What tests do

    def bill(self) -> int:
        """How many posts the answered searches held: each is paid for."""
        return sum(len(entry.get("ids", [])) for entry in self.searches() if entry["status"] == 200)

    def resources(self) -> tuple[int, int]:
        """How many posts and users the answered searches held, expanded ones among them: what X charges at most."""
        told = [entry.get("resources", (0, 0)) for entry in self.searches() if entry["status"] == 200]
        return sum(posts for posts, _ in told), sum(users for _, users in told)

    def publish(self, count: int = 1) -> list[int]:
        """Make tweets now: they go to the connected streams and, after the lag, into search."""
        with self._lock:
            ms = now_ms() + self.clock_skew_s * 1000
            first = snowflake(ms)
            if self.ids and first <= self.ids[-1]:
                first = self.ids[-1] + 1
            made = list(range(first, first + count))
            self.ids.extend(made)
            if self._connections and self.rules:
                lines = [self.line(tweet_id) for tweet_id in made]
                for connection in self._connections:
                    if self.late_s:
                        threading.Timer(self.late_s, connection.put, [lines]).start()
                    else:
                        connection.put(lines)
        return made

    def add(self, ids: Iterable[int]) -> None:
        """Put tweets into the archive that no stream has sent."""
        with self._lock:
            self.ids = sorted({*self.ids, *ids})

    def inject(self, where: str, *faults: str) -> None:
        self.faults[where].extend(faults)

    def searches(self) -> list[dict[str, Any]]:
        """The searches that were answered with a page."""
        return [entry for entry in self.ledger if "/search/recent" in entry["path"] or "/search/all" in entry["path"]]

    def line(self, tweet_id: int, rules: list[dict[str, str]] | None = None) -> bytes:
        """The stream message of a tweet, without the end of line."""
        tweet, user, original = tweet_of(tweet_id)
        includes: dict[str, Any] = {"users": [user]}
        if original is not None:
            includes["tweets"] = [original]
        matching = [{"id": rule["id"], "tag": rule.get("tag", "")} for rule in self.rules.values()]
        return orjson.dumps(
            {"data": tweet, "includes": includes, "matching_rules": matching if rules is None else rules}
        )

    def send_raw(self, line: bytes) -> None:
        """Send any line to the connected streams."""
        for connection in list(self._connections):
            connection.put([line])

    @property
    def connected(self) -> int:
        return len(self._connections)

    # What the handler asks

    def take_fault(self, where: str, among: tuple[str, ...] | None = None) -> str | None:
        with self._lock:
            queue = self.faults[where]
            if queue and (among is None or queue[0] in among):
                fault = queue.popleft()
                self.injected[f"{where}: {fault}"] += 1
                return fault
        return None

    def page(self, params: dict[str, str], *, post_names: bool) -> dict[str, Any]:
        low = int(params.get("since_id", 0))
        high = int(params.get("until_id", 1 << 63))
        if "start_time" in params:
            low = max(low, snowflake(_seconds(params["start_time"]) * 1000) - 1)
        if "end_time" in params:
            high = min(high, snowflake(_seconds(params["end_time"]) * 1000))
        visible = snowflake((time.time() + self.clock_skew_s - self.search_lag_s) * 1000)
        token = params.get("next_token") or params.get("pagination_token")
        token = self.cycle_at.get(token, token) if token else None
        upper = min(high, visible, int(token.removeprefix("t")) if token else 1 << 63)
        with self._lock:
            end = bisect.bisect_left(self.ids, upper)
            begin = bisect.bisect_right(self.ids, low)
            start = max(begin, end - int(params.get("max_results", 10)))
            found = self.ids[start:end][::-1]
            more = start > begin
        return self.page_of(found, f"t{found[-1]}" if more and found else None, post_names=post_names)

    @staticmethod
    def page_of(found: list[int], token: str | None, *, post_names: bool) -> dict[str, Any]:
        data, users, originals = [], {}, {}
        for tweet_id in found:
            tweet, user, original = tweet_of(tweet_id, post_names=post_names)
            data.append(tweet)
            users[user["id"]] = user
            if original is not None:
                originals[original["id"]] = original
        meta: dict[str, Any] = {"result_count": len(data)}
        if token is not None:
            meta["next_token"] = token
        if not data:
            return {"meta": meta}
        meta |= {"newest_id": data[0]["id"], "oldest_id": data[-1]["id"]}
        includes: dict[str, Any] = {"users": list(users.values())}
        if originals:
            includes["posts" if post_names else "tweets"] = list(originals.values())
        return {"data": data, "includes": includes, "meta": meta}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are written apart

    @property
    def x(self) -> FakeX:
        return self.server.fake  # type: ignore[attr-defined,no-any-return]

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) + self.x.clock_skew_s)

    def do_GET(self) -> None:
        self._answer("GET", None)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer("POST", json.loads(content))

    def _answer(self, method: str, body: Any) -> None:
        parts = urlsplit(self.path)
        params = dict(parse_qsl(parts.query, keep_blank_values=True))
        self._entry = {
            "method": method,
            "path": parts.path,
            "params": params,
            "body": body,
            "status": 0,
            "at": time.time(),
        }
        self._entry["at"] = time.time()
        self.x.ledger.append(self._entry)
        if self.headers.get("Authorization") != f"Bearer {self.x.token}":
            return self._problem(401, _PROBLEMS["401"])
        if parts.path in self.x.forbidden_paths:
            return self._problem(403, _PROBLEMS["403"])
        faults = violations(method, parts.path, params, body)
        if faults:
            self.x.violations += faults
            return self._invalid({fault.partition(":")[0]: fault for fault in faults})
        name = parts.path.rpartition("/")[2]
        if parts.path.endswith("/stream"):
            return self._stream(params)
        if name in ("recent", "all") and "counts" not in parts.path:
            return self._search(params)
        if name == "rules":
            fault = self.x.take_fault("rules")
            return self._request_fault(fault) if fault else self._rules(method, params, body)
        if name == "tweets":
            return self._json(200, {"data": self.x.usage})
        count = len(self.x.ids) if self.x.count is None else self.x.count
        return self._json(200, {"data": [], "meta": {"total_tweet_count": count}})

    # Answers

    def _send(self, status: int, content: bytes, kind: str = "application/json; charset=utf-8", **headers: str) -> None:
        self._entry["status"] = status
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for header, value in headers.items():
            self.send_header(header.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def _json(self, status: int, value: Any, **headers: str) -> None:
        self._send(status, orjson.dumps(value), **headers)

    def _problem(self, status: int, problem: dict[str, Any], **headers: str) -> None:
        self._send(status, orjson.dumps(problem), "application/problem+json", **headers)

    def _invalid(self, parameters: dict[str, str]) -> None:
        self._problem(
            400,
            {
                "errors": [{"parameters": {name: []}, "message": text} for name, text in parameters.items()],
                "title": "Invalid Request",
                "detail": "One or more parameters to your request was invalid.",
                "type": "https://api.twitter.com/2/problems/invalid-request",
            },
        )

    def _limits(self, remaining: int, reset: float) -> dict[str, str]:
        return {
            "x_rate_limit_limit": str(self.x.window_requests or 450),
            "x_rate_limit_remaining": str(remaining),
            "x_rate_limit_reset": str(int(reset + self.x.clock_skew_s)),
        }

    def _request_fault(self, fault: str, content: bytes = b'{"data": [{"id": "1", "te') -> None:
        now = time.time()
        if fault.startswith("429"):
            headers = {
                "429 reset": self._limits(0, now + 1),
                "429 skewed": self._limits(0, now + 36_000),
                "429 second": self._limits(100, now + 800),
                "429 past": self._limits(0, now - 1),
                "429 text": {"x_rate_limit_remaining": "none", "x_rate_limit_reset": "soon"},
                "429 hostile": self.x.hostile,
            }.get(fault, {})
            if fault == "429 short":
                return self._short(429, b"Rate limit exc")
            if fault == "429 connections":
                return self._problem(429, _PROBLEMS[fault])
            if fault == "429 cap":
                return self._problem(429, _PROBLEMS["cap"])
            return self._send(429, b"Rate limit exceeded\n", "text/plain;charset=utf-8", **headers)
        if fault == "401 short":
            return self._short(401, orjson.dumps(_PROBLEMS["401"]))
        if fault in _PROBLEMS:
            return self._problem(int(fault[:3]), _PROBLEMS[fault])
        if fault == "511":
            return self._send(511, _HTML, "text/html")
        if fault == "redirect":
            return self._send(302, b"", "text/plain", Location="https://login.example.org/?next=x")
        if fault == "list":
            return self._send(500, b"[]")
        if fault == "html":
            return self._send(200, _HTML, "text/html")
        if fault == "half json":
            return self._send(200, content[: len(content) // 2])
        if fault == "truncated":
            self._entry["status"] = 200
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content) + 1000))
            self.end_headers()
            self.wfile.write(content)
        elif fault == "stall":
            self._wait_for_client_to_leave()
        elif fault == "drip":
            self._drip()
        elif fault == "reset":
            self._reset()
        else:
            raise ValueError(f"no such fault: {fault}")
        self.close_connection = True
        return None

    def _short(self, status: int, content: bytes) -> None:
        """A refusal whose body ends before its Content-Length."""
        self._entry["status"] = status
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content) + 100))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def _drip(self) -> None:
        """Headers, one byte now and then, until the client has had enough."""
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for _ in range(600):
                self.wfile.write(b"a")
                time.sleep(0.1)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _wait_for_client_to_leave(self) -> None:
        self.connection.settimeout(60)
        with contextlib.suppress(OSError):
            self.connection.recv(1)

    # Search

    def _search(self, params: dict[str, str]) -> None:
        x, now = self.x, time.time()
        with x._lock:
            too_fast = x.per_second is not None and now - x._last_search < 0.97 / x.per_second
            x._last_search = now
            began, used = x._window if now - x._window[0] < x.window_s else (now, 0)
            x._window = (began, used + 1)
        reset = began + x.window_s
        if x.window_requests is not None and used >= x.window_requests:
            return self._send(429, b"Rate limit exceeded\n", "text/plain;charset=utf-8", **self._limits(0, reset))
        if too_fast:
            return self._send(429, b"Rate limit exceeded\n", "text/plain;charset=utf-8", **self._limits(100, reset))
        refused = self._refused(params, now + x.clock_skew_s)
        if refused:
            return self._invalid(refused)
        page = x.page(params, post_names="post.fields" in params)
        self._entry["ids"] = [tweet["id"] for tweet in page.get("data", [])]
        includes = page.get("includes", {})
        referenced = [*includes.get("posts", []), *includes.get("tweets", [])]
        self._entry["resources"] = len(self._entry["ids"]) + len(referenced), len(includes.get("users", []))
        fault = x.take_fault("search")
        if fault is not None and fault not in PAGE_FAULTS:
            return self._request_fault(fault, orjson.dumps(page))
        limits = self._limits((x.window_requests or 450) - used - 1, reset)
        content = _spoiled(page, fault, params)
        if fault in ("errors alone", "errors and a count"):
            self._entry["ids"] = []
        if x.cycle and "next_token" in page.get("meta", {}):
            following = self._in_cycle(params)
            x.cycle_at.setdefault(following, page["meta"]["next_token"])
            content = orjson.dumps({**page, "meta": {**page["meta"], "next_token": following}})
        if not x.unreadable.isdisjoint(map(int, self._entry["ids"])):
            content = content.replace(b'{"id":', b'{id":')
        return self._send(200, content, **limits)

    def _in_cycle(self, params: dict[str, str]) -> str:
        """The next of tokens that lead round in a circle."""
        cycle = self.x.cycle
        return cycle[(cycle.index(params["next_token"]) + 1) % len(cycle) if params.get("next_token") in cycle else 0]

    def _refused(self, params: dict[str, str], now: float) -> dict[str, str]:
        oldest = now - WEEK_S if self.path.startswith("/2/tweets/search/recent") else 0.0
        if "INVALID" in params["query"]:
            return {"query": "There were errors processing your request: no viable alternative at input 'INVALID'"}
        if "since_id" in params and time_of(int(params["since_id"])) < oldest:
            return {"since_id": "'since_id' must be a tweet id created after the beginning of the window"}
        if "until_id" in params and time_of(int(params["until_id"])) < oldest:
            return {"until_id": "'until_id' must be a tweet id created after the beginning of the window"}
        if "start_time" in params and _seconds(params["start_time"]) < oldest:
            return {"start_time": "'start_time' must be on or after the beginning of the window"}
        if "end_time" in params and _seconds(params["end_time"]) > now - min(self.x.search_lag_s, 10):
            return {"end_time": "'end_time' must be a minimum of 10 seconds prior to the request time"}
        if (self.x.refuse_tokens or self.x.refuse_every_token) and "next_token" in params:
            self.x.refuse_tokens = False
            return {"next_token": "The next_token is not valid"}
        return {}

    # Rules

    def _rules(self, method: str, params: dict[str, str], body: Any) -> None:
        x = self.x
        meta: dict[str, Any] = {"sent": iso(time.time())}
        if method == "GET":
            return self._json(200, {"data": list(x.rules.values()), "meta": meta} if x.rules else {"meta": meta})
        if "delete" in body:
            deleted = [x.rules.pop(rule_id, None) for rule_id in body["delete"]["ids"]]
            return self._json(200, {"meta": {**meta, "summary": {"deleted": len(deleted), "not_deleted": 0}}})
        created, errors = [], []
        for rule in body["add"]:
            if x.max_rules is not None and len(x.rules) + len(created) >= x.max_rules:
                kind = "https://api.twitter.com/2/problems/rule-cap"
                errors.append({"value": rule["value"], "title": "RulesCapExceeded", "type": kind})
                continue
            if "INVALID" in rule["value"] or rule["value"].count("(") != rule["value"].count(")"):
                errors.append(
                    {
                        "value": rule["value"],
                        "details": ["no viable alternative at input (at position 1)"],
                        "title": "UnprocessableEntity",
                        "type": "https://api.twitter.com/2/problems/invalid-rules",
                    }
                )
                continue
            stored = {**rule, "value": x.spelling(rule["value"])}
            same = [known for known in x.rules.values() if known["value"] == stored["value"]]
            if same:
                kind = "https://api.twitter.com/2/problems/duplicate-rules"
                errors.append({"value": rule["value"], "id": same[0]["id"], "title": "DuplicateRule", "type": kind})
                continue
            x._sequence += 1
            known = {"id": str(1_700_000_000_000_000_000 + x._sequence), **stored}
            created.append(known)
            if params.get("dry_run") != "true":
                x.rules[known["id"]] = known
        summary = {"created": len(created), "not_created": len(errors), "valid": len(created), "invalid": len(errors)}
        answer: dict[str, Any] = {"meta": {**meta, "summary": summary}}
        if created:
            answer["data"] = created
        if errors:
            answer["errors"] = errors
        return self._json(201 if created else 200, answer)

    # Stream

    def _stream(self, params: dict[str, str]) -> None:
        x = self.x
        fault = x.take_fault("connect")
        if fault is not None:
            return self._request_fault(fault)
        if not x.rules:
            return self._problem(409, _PROBLEMS["409"])
        if "backfill_minutes" in params and not x.has_backfill:
            return self._problem(400, _PROBLEMS["backfill"])
        connection = _Connection()
        with x._lock:
            if len(x._connections) >= x.max_connections:
                return self._problem(429, _PROBLEMS["429 connections"])
            if "backfill_minutes" in params:
                since = snowflake((time.time() - 60 * int(params["backfill_minutes"])) * 1000)
                connection.put([x.line(tweet_id) for tweet_id in x.ids[bisect.bisect_right(x.ids, since) :]])
            x._connections.append(connection)
        self._entry["status"] = 200
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while connection.open and self._step(connection):
                pass
        except OSError:
            pass  # the client has left: what it was sent last it may never have read
        finally:
            with x._lock:
                x._connections.remove(connection)
            self.close_connection = True
        return None

    def _step(self, connection: _Connection) -> bool:
        lines = connection.take(self.x.keep_alive_s)
        if not lines:
            self._chunk(b"\r\n")
            return True
        fault = self.x.take_fault("stream")
        if fault is None:
            self._lines(lines)
            return True
        return self._stream_fault(fault, lines)

    def _stream_fault(self, fault: str, lines: list[bytes]) -> bool:
        """Do the fault with the lines at hand; False if it ends the connection."""
        if fault in _BAD_TEXTS or fault == "rules as texts":
            self._lines([*lines[:-1], _bad_line(lines[-1], fault)])
        elif fault == "drip":
            self.wfile.write(b"ffff\r\n")
            for byte in lines[0][:-1]:
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)
            return False
        elif fault == "duplicates":
            self._lines([*lines, *lines])
        elif fault == "out of order":
            self._lines(lines[::-1])
        elif fault == "partial errors":
            problem = {"title": "Not Found Error", "detail": "Could not find tweet", "type": "about:blank"}
            self._lines([orjson.dumps({**orjson.loads(lines[0]), "errors": [problem]}), *lines[1:]])
        elif fault == "half line":
            self._lines([*lines[:-1], lines[-1][: len(lines[-1]) // 2]])
        elif fault == "html":
            self._lines([*lines[:-1], _HTML])
            return False
        elif fault in _DISCONNECTS:
            problem = {
                "title": "operational-disconnect",
                "disconnect_type": _DISCONNECTS[fault],
                "detail": "This stream has been disconnected for operational reasons.",
                "type": "https://api.x.com/2/problems/operational-disconnect",
            }
            self._lines([*lines[:1], orjson.dumps({"errors": [problem]})])
            self.wfile.write(b"0\r\n\r\n")
            return False
        elif fault == "closed":
            self.wfile.write(b"0\r\n\r\n")
            return False
        elif fault == "truncated":
            content = b"\r\n".join(lines)
            self.wfile.write(b"%x\r\n" % (len(content) + 500) + content[: len(content) * 2 // 3])
            return False
        elif fault == "reset":
            self._lines(lines[: len(lines) // 2])
            self._reset()
            return False
        elif fault == "stall":
            self._lines(lines[: len(lines) // 2])
            self._wait_for_client_to_leave()
            return False
        else:
            raise ValueError(f"no such fault: {fault}")
        return True

    def _lines(self, lines: list[bytes]) -> None:
        if lines:
            self.x.streamed += len(lines)
            self._chunk(b"\r\n".join(lines) + b"\r\n")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))


_BAD_TEXTS = {
    "half characters": b"\\ud83d",
    "a bad byte": b"\xff",
    "a byte order mark": b"",
}
_GLOBAL_ERROR = {"title": "Internal Error", "detail": "Something is wrong.", "type": "about:blank", "status": 500}


def _bad_line(line: bytes, fault: str) -> bytes:
    """A line of the stream, or a page, with a text that is none, or with a byte order mark before it."""
    if fault == "rules as texts":
        return orjson.dumps({**orjson.loads(line), "matching_rules": ["a rule"]})
    if fault == "a byte order mark":
        return b"\xef\xbb\xbf" + line
    at = line.index(b'"lang":"en') + len(b'"lang":"en')
    return line[:at] + _BAD_TEXTS[fault] + line[at:]


def _spoiled(page: dict[str, Any], fault: str | None, params: dict[str, str]) -> bytes:
    """A page with what is wrong with it; pages without tweets stay as they are."""
    if fault is None or "data" not in page:
        return orjson.dumps(page)
    if fault in _BAD_TEXTS:
        return _bad_line(orjson.dumps(page), fault)
    tweet = {"resource_id": "456", "resource_type": "tweet", "title": "Not Found Error", "detail": "Could not find it."}
    meta = page["meta"]
    odd = {
        "duplicates": {"data": [*page["data"], *page["data"][:5]]},
        "out of order": {"data": page["data"][::-1]},
        "partial errors": {"errors": [{**tweet, "type": "https://api.x.com/2/problems/resource-not-found"}]},
        "errors alone": {"errors": [_GLOBAL_ERROR]},
        "errors and a count": {"errors": [_GLOBAL_ERROR], "meta": {"result_count": 0}},
        "the same token": {"meta": {**meta, "next_token": params.get("next_token", meta.get("next_token"))}},
        "a number as token": {"meta": {**meta, "next_token": 17}},
        "a list as token": {"meta": {**meta, "next_token": ["t1"]}},
        "no meta": {"meta": None},
        "one record no object": {"data": [*page["data"], "no tweet"]},
    }[fault]
    kept = {} if fault in ("errors alone", "errors and a count") else page
    return orjson.dumps({name: value for name, value in {**kept, **odd}.items() if value is not None})


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()

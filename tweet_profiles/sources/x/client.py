"""Asking the X API, through tweepy: one request, its retries, and X's clock.

What belongs here: requests, waits, and the one shape in which answers are handed on. What does not: how bytes travel
(`transport`), what a refusal means (`refusals`), which pages to ask for (`search`), and what is in them.

tweepy's own wait for the rate limit is not used: it knows the window only, and believes any time of reset.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
import structlog
import tweepy
from requests.exceptions import ProxyError, SSLError

from tweet_profiles.errors import SettingError, TweetProfilesError
from tweet_profiles.sources.x.answers import objects, parse_object, with_tweet_names
from tweet_profiles.sources.x.config import ENV_PREFIX, XSettings
from tweet_profiles.sources.x.errors import (
    XAccessError,
    XAnswerError,
    XClockError,
    XDayLimitError,
    XPortalError,
    XTlsError,
    XUnavailableError,
)
from tweet_profiles.sources.x.pacing import Backoff, Budget, Fault, Pacer, read_limit, server_time
from tweet_profiles.sources.x.refusals import cap_of, portal, proxy_fault, refusal, rule_refusal
from tweet_profiles.sources.x.transport import Refused, mount, within

log = structlog.get_logger(__name__)

ACCESS_RETRIES = 3
"""How often a token that has worked may be refused before the refusal is believed."""
UNREADABLE_TRIES = 3
"""How often a page that came whole and is no JSON is asked for before it is given up."""
TLS_TRIES = 2
MOST_RULE_PAGES = 20
_RULES = "/2/tweets/search/stream/rules"


class UnreadablePageError(XUnavailableError):
    """A page comes whole, again and again, and cannot be read; what is around it may be."""


@dataclass(frozen=True)
class _Fault:
    """Why there is no answer yet.

    `seconds` is what X asks to wait; `error` what is raised after `tries` more of such faults in a row, or (without
    `tries`) when patience ends.
    """

    kind: Fault
    what: str
    seconds: float | None = None
    error: TweetProfilesError | None = None
    tries: int | None = None


class XClient:
    """Asks X, waits where X wants it, and turns refusals into errors that name the setting.

    Args:
        config: the settings; the token must be set.
        budget: the requests a window, shared by all processes of the home.
        pacer: the pace of searches.
        sleep: how to wait, seconds; a collector gives one that raises when it is told to stop.
        proven: whether the token has worked before, so that one refusal is no verdict.
        clock: seconds that only grow, by which patience is measured.
    """

    def __init__(
        self,
        config: XSettings,
        budget: Budget,
        pacer: Pacer | None = None,
        sleep: Callable[[float], None] = time.sleep,
        *,
        proven: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self._budget, self._pacer, self._sleep, self._clock = budget, pacer, sleep, clock
        self._client = tweepy.Client(config.token, return_type=requests.Response, wait_on_rate_limit=False)
        self._adapter = mount(self._client.session, config, config.timeout_s)
        self._proven = proven
        self._ahead: float | None = None

    def search(self, params: Mapping[str, str]) -> dict[str, Any]:
        """One page, in the older naming (`referenced_tweets`, `includes.tweets`) whichever X uses.

        Raises:
            UnreadablePageError: if it came whole several times and cannot be read.
        """
        route = f"/2/tweets/search/{self.config.search}"
        given = {**params, **self.config.field_params(stream=False)}
        return with_tweet_names(self._call("GET", route, self.config.search, given, page=True))

    def rules(self) -> list[dict[str, Any]]:
        """The rules that the stream has now: id, value, perhaps tag; what is none of that is left out."""
        rules: list[dict[str, Any]] = []
        token = None
        for _ in range(MOST_RULE_PAGES):
            body = self._call("GET", _RULES, "rules", {"pagination_token": token} if token else {})
            listed = objects(body.get("data"))
            sound = [rule for rule in listed if isinstance(rule.get("id"), str) and isinstance(rule.get("value"), str)]
            if len(sound) < len(listed):
                log.warning("X lists rules without an id or a value: they are passed over", rules=len(listed))
            rules += sound
            meta = body.get("meta")
            token = meta.get("next_token") if isinstance(meta, dict) else None
            if not isinstance(token, str) or not token:
                break
        return rules

    def change_rules(self, change: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, str]:
        """Add or delete rules (`{"add": [...]}` or `{"delete": {"ids": [...]}}`), or only have them checked.

        Returns the ids of the rules that are there now, by the value as it was given, as far as X tells them.

        Raises:
            XRequestError: if X refuses a rule, with its reasons.
        """
        params = {"dry_run": "true"} if dry_run else {}
        body = self._call("POST", _RULES, "rule_changes", params, json=dict(change))
        errors = objects(body.get("errors"))
        duplicates = [error for error in errors if "duplicate" in str(error.get("type")).lower()]
        refused = [error for error in errors if error not in duplicates]
        if refused:
            error = rule_refusal(refused)
            raise type(error)(str(error).replace(self.config.token, "***"))
        wanted = [rule["value"] for rule in change.get("add", [])]
        known = {str(error.get("value")): str(error.get("id")) for error in duplicates if error.get("id")}
        made = [rule for rule in objects(body.get("data")) if isinstance(rule.get("id"), str)]
        # X keeps the order of what it was given; a rule may come back in another spelling.
        new = [value for value in wanted if value not in {str(error.get("value")) for error in duplicates}]
        return known | ({value: rule["id"] for value, rule in zip(new, made, strict=False)} if wanted else {})

    def usage(self) -> dict[str, Any]:
        """X's own count of the project's posts: project_usage, project_cap, cap_reset_day, where X tells them."""
        fields = {"usage.fields": "cap_reset_day,project_cap,project_usage"}
        data = self._call("GET", "/2/usage/tweets", "usage", fields).get("data")
        return data if isinstance(data, dict) else {}

    def count(self, query: str) -> int:
        """How many tweets of the last 7 days match; costs the price of a request, no post.

        Raises:
            XAnswerError: if X tells no number.
        """
        given = {"query": query, "granularity": "day"}
        meta = self._call("GET", "/2/tweets/counts/recent", "counts", given).get("meta")
        total = meta.get("total_tweet_count") if isinstance(meta, dict) else None
        if not isinstance(total, int) or isinstance(total, bool) or total < 0:
            raise XAnswerError(
                "X's answer to a count of tweets holds no number: that is X's fault, and mostly passes; try again later"
            )
        return total

    def now(self) -> datetime:
        """The time by X's clock, which is asked for if no answer has told it yet; this machine's may be wrong."""
        if self._ahead is None:
            self.rules()
        return datetime.fromtimestamp(time.time() + self.ahead_s, UTC)

    def pause(self, backoff: Backoff) -> None:
        """Wait as after an HTTP error: X has answered, but with nothing that helps."""
        self._sleep(backoff.wait("http"))

    @property
    def ahead_s(self) -> float:
        """How far X's clock is ahead of this machine's, by the last answer; 0 if there was none yet."""
        return self._ahead or 0.0

    def _call(
        self,
        method: str,
        route: str,
        budget: str,
        params: Mapping[str, str] | None = None,
        *,
        json: dict[str, Any] | None = None,
        page: bool = False,
    ) -> dict[str, Any]:
        backoff = Backoff(self.config.wait_scale)
        troubled_since: float | None = None
        refusals = 0
        while True:
            self._budget.take(budget, self._sleep)
            if page and self._pacer is not None:
                self._pacer.wait()
            answer = self._ask(method, route, params, json)
            if not isinstance(answer, _Fault):
                self._proven = True
                return answer
            if answer.error is not None and answer.tries is not None:
                refusals += 1
                if refusals > answer.tries and (page or not isinstance(answer.error, UnreadablePageError)):
                    raise answer.error
            else:
                refusals = 0
            if answer.kind in ("network", "http"):
                now = self._clock()
                troubled_since = now if troubled_since is None else troubled_since
                if now - troubled_since >= self.config.patience_s * self.config.wait_scale:
                    raise self._given_up(answer, now - troubled_since) from None
            else:
                troubled_since = None
            self._wait(answer, backoff, route)

    def _wait(self, fault: _Fault, backoff: Backoff, route: str) -> None:
        seconds = backoff.wait(fault.kind, fault.seconds)
        if fault.kind == "day" and seconds > self.config.patience_s:
            raise XDayLimitError(
                f"X's limit of requests in 24 hours is reached: try again in {seconds / 3600:.1f} hours; "
                "what was pulled is kept, and the next pull goes on from there"
            )
        log.info(
            "waiting before X is asked again", why=fault.what, limit=fault.kind, seconds=round(seconds, 2), r=route
        )
        self._sleep(seconds)

    def _given_up(self, fault: _Fault, seconds: float) -> TweetProfilesError:
        return fault.error or XUnavailableError(
            f"X at {self.config.base_url} gives no usable answer ({fault.what}), for {seconds:.0f} s now: check the "
            f"network and {ENV_PREFIX}BASE_URL, or try later; what was pulled is kept and is not pulled again"
        )

    def _ask(
        self, method: str, route: str, params: Mapping[str, str] | None, json: dict[str, Any] | None
    ) -> dict[str, Any] | _Fault:
        """One request: X's JSON object, or why there is none."""

        def send() -> requests.Response:
            response: requests.Response = self._client.request(method, route, params=dict(params or {}), json=json)
            return response

        try:
            response = within(self.config.answer_s, send, self._adapter.abort, lambda: self._sleep(0))
        except Refused as refused:
            self._look_at_clock(refused.headers)
            return self._verdict(refused)
        except requests.RequestException as error:
            return self._network_fault(error)
        except OSError as error:
            if "certificate" in str(error):
                raise SettingError(
                    f"REQUESTS_CA_BUNDLE cannot be used ({error}): name a file of certificates"
                ) from None
            raise
        self._look_at_clock(response.headers)
        try:
            return parse_object(response.content)
        except ValueError:
            if "html" in response.headers.get("content-type", ""):
                return _Fault("http", "a web page", error=XPortalError(portal(self.config, "200")))
            unreadable = UnreadablePageError("a page of X came whole several times and could not be read")
            return _Fault("http", "an answer that is no JSON", error=unreadable, tries=UNREADABLE_TRIES - 1)

    def _network_fault(self, error: requests.RequestException) -> _Fault:
        what = type(error).__name__
        if isinstance(error, SSLError):
            return _Fault("network", what, error=self._tls_fault(error), tries=TLS_TRIES)
        if isinstance(error, ProxyError):
            return _Fault("network", what, error=proxy_fault(error), tries=0 if "407" in str(error) else None)
        return _Fault("network", what)

    def _verdict(self, refused: Refused) -> _Fault:
        status, what = refused.status, f"{refused.status} {refused.reason}"
        if status == 429 and cap_of(refused.problem) is None:
            limit = read_limit(refused.headers, time.time())
            return _Fault(limit.fault, what, limit.seconds)
        if status in (408, 425) or (status >= 500 and status != 511):
            return _Fault("http", what)
        error = refusal(refused, self.config)
        if isinstance(error, XPortalError):
            return _Fault("http", what, error=error)
        proven = isinstance(error, XAccessError) and self._proven
        return _Fault("http", what, error=error, tries=ACCESS_RETRIES if proven else 0)

    def _tls_fault(self, error: SSLError) -> XTlsError:
        words = str(error)
        if "not yet valid" in words or "has expired" in words:
            return XClockError(
                f"the certificate of {self.config.base_url} is not valid at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, "
                "which this machine believes it is: set its clock; if that is right, the certificate is out of date"
            )
        return XTlsError(
            f"the certificate of {self.config.base_url} cannot be trusted: a proxy that reads along, or certificates "
            "of this machine that are out of date; name the right ones in REQUESTS_CA_BUNDLE"
        )

    def _look_at_clock(self, headers: Mapping[str, str]) -> None:
        now = time.time()
        self._ahead = server_time(headers, now) - now

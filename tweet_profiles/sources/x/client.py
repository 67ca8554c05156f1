"""Asking the X API, through tweepy: one request, its retries, and what X's refusals mean for the user.

What belongs here: requests, limits, errors, and the one shape in which pages are handed on. What does not: which
pages to ask for (`search`, `stream`), and what is in them (`tweets`).

tweepy has X's address built in; an adapter mounted on its session sends the requests to the configured one. Its
own wait for the rate limit is not used: it knows the window only, and believes any time of reset.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
import requests
import structlog
import tweepy
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from tweet_profiles.errors import SettingError, TweetProfilesError
from tweet_profiles.sources.x.config import ENV_PREFIX, XSettings
from tweet_profiles.sources.x.pacing import Backoff, Fault, Pacer, read_limit, server_time

log = structlog.get_logger(__name__)

TWEEPY_HOST = "https://api.twitter.com"
ACCESS_RETRIES = 3
"""How often a token that has worked may be refused before the refusal is believed."""
_SHOWN = 300


class XAccessError(SettingError):
    """X refuses the token, or the plan does not have what is asked for; the message names the setting."""


class XRequestError(SettingError):
    """X refuses the request, mostly the query or a rule; the message names the setting and what X says."""

    def __init__(self, message: str, parameters: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.parameters = parameters


class XCapError(TweetProfilesError):
    """The posts of this month are used up; what was pulled is kept, and the next month goes on from there."""

    exit_code = 3


class XUnavailableError(TweetProfilesError):
    """X cannot be reached, or has given no usable answer for longer than the patience."""

    exit_code = 4


@dataclass(frozen=True)
class Answer:
    """An answer of X: its JSON object, and X's clock in seconds since the epoch."""

    body: dict[str, Any]
    server_time: float


class BaseUrlAdapter(HTTPAdapter):
    """Sends every request to the base URL, with timeouts, whatever host the library has built in."""

    def __init__(self, base_url: str, connect_timeout_s: float, read_timeout_s: float) -> None:
        super().__init__()
        self._base = urlsplit(base_url)
        self._timeout = (connect_timeout_s, read_timeout_s)

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


def mount(session: requests.Session, config: XSettings, read_timeout_s: float) -> None:
    """Point a tweepy session at the configured address."""
    session.mount(TWEEPY_HOST, BaseUrlAdapter(config.base_url, config.timeout_s, read_timeout_s))
    # At debug level tweepy logs whole requests, the Authorization header among them.
    logger = logging.getLogger("tweepy")
    if logger.getEffectiveLevel() <= logging.DEBUG:
        logger.setLevel(logging.INFO)


class XClient:
    """Asks X, waits where X wants it, and turns refusals into errors that name the setting.

    Args:
        config: the settings; the token must be set.
        pacer: the pace of searches.
        sleep: how to wait, seconds; a collector gives one that ends when it is told to stop.
        proven: whether the token has worked before, so that one refusal is no verdict.
    """

    def __init__(
        self,
        config: XSettings,
        pacer: Pacer | None = None,
        sleep: Callable[[float], None] = time.sleep,
        *,
        proven: bool = False,
    ) -> None:
        self.config = config
        self._pacer, self._sleep = pacer, sleep
        self._client = tweepy.Client(config.token, return_type=requests.Response, wait_on_rate_limit=False)
        mount(self._client.session, config, config.timeout_s)
        self._proven = proven

    def search(self, params: Mapping[str, str]) -> dict[str, Any]:
        """One page, in the older naming (`referenced_tweets`, `includes.tweets`) whichever X uses."""
        route = f"/2/tweets/search/{self.config.search}"
        answer = self._call("GET", route, {**params, **self.config.field_params(stream=False)}, page=True)
        return with_tweet_names(answer.body)

    def rules(self) -> list[dict[str, Any]]:
        """The rules that the stream has now: id, value, perhaps tag."""
        return _listed(self._call("GET", "/2/tweets/search/stream/rules").body.get("data"))

    def change_rules(self, change: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Add or delete rules (`{"add": [...]}` or `{"delete": {"ids": [...]}}`), or only have them checked.

        Raises:
            XRequestError: if X refuses a rule, with its reasons.
        """
        params = {"dry_run": "true"} if dry_run else {}
        body = self._call("POST", "/2/tweets/search/stream/rules", params, json=dict(change)).body
        errors = _listed(body.get("errors"))
        refused = [error for error in errors if "duplicate" not in str(error.get("type")).lower()]
        if refused:
            raise XRequestError(self._clean(f"X refuses a rule of the stream: {_reasons(refused)}. {_RULE_REMEDY}"))
        return body

    def usage(self) -> dict[str, Any]:
        """X's own count of the project's posts: project_usage, project_cap, cap_reset_day, where X tells them."""
        fields = {"usage.fields": "cap_reset_day,project_cap,project_usage"}
        data = self._call("GET", "/2/usage/tweets", fields).body.get("data")
        return data if isinstance(data, dict) else {}

    def count(self, query: str) -> int:
        """How many tweets of the last 7 days match; costs no post."""
        meta = self._call("GET", "/2/tweets/counts/recent", {"query": query, "granularity": "day"}).body.get("meta")
        return int(meta["total_tweet_count"]) if isinstance(meta, dict) and "total_tweet_count" in meta else 0

    def _call(
        self,
        method: str,
        route: str,
        params: Mapping[str, str] | None = None,
        *,
        json: dict[str, Any] | None = None,
        page: bool = False,
    ) -> Answer:
        backoff = Backoff(self.config.wait_scale)
        waited, refusals = 0.0, 0
        while True:
            if page and self._pacer is not None:
                self._pacer.wait()
            fault: Fault
            seconds = None
            try:
                response = self._client.request(method, route, params=dict(params or {}), json=json)
                answer = Answer(
                    _page(response) if page else _object(response), server_time(response.headers, time.time())
                )
            except tweepy.TooManyRequests as error:
                self._check_cap(error.response)
                limit = read_limit(error.response.headers, time.time())
                fault, seconds, what = limit.fault, limit.seconds, "429 Too Many Requests"
            except (tweepy.Unauthorized, tweepy.Forbidden) as error:
                self._check_cap(error.response)
                refusals += 1
                if not self._proven or refusals > ACCESS_RETRIES:
                    raise refusal(error.response, self.config) from None
                fault, what = "http", f"{error.response.status_code} for a token that has worked"
            except tweepy.HTTPException as error:
                if error.response.status_code < 500:
                    raise refusal(error.response, self.config) from None
                fault, what = "http", f"{error.response.status_code} {error.response.reason}"
            except (ValueError, TypeError, AttributeError) as error:
                # Half a JSON document, a HTML page, a header that is no number: tweepy or we could not read it.
                fault, what = "http", f"an answer that cannot be read ({type(error).__name__})"
            except requests.RequestException as error:
                fault, what = "network", type(error).__name__
            else:
                self._proven = True
                return answer
            if fault in ("network", "http") and waited >= self.config.patience_s * self.config.wait_scale:
                raise XUnavailableError(
                    f"X at {self.config.base_url} gives no usable answer ({what}), for {waited:.0f} s now: check the "
                    f"network and {ENV_PREFIX}BASE_URL, or try later; what was pulled is kept and is not pulled again"
                ) from None
            seconds = backoff.wait(fault) if seconds is None else seconds
            seconds = max(seconds, 0.05 * self.config.wait_scale)
            log.info("waiting before X is asked again", why=what, limit=fault, seconds=round(seconds, 2), route=route)
            waited += seconds if fault in ("network", "http") else 0.0
            self._sleep(seconds)

    def _check_cap(self, response: requests.Response) -> None:
        if is_cap(problem_of(response)):
            raise XCapError(CAP_NOTICE)

    def _clean(self, text: str) -> str:
        return text.replace(self.config.token, "***")


CAP_NOTICE = (
    "X says that the posts of this month are used up: wait for the next month or raise the plan; everything pulled "
    "so far is kept, and the next pull goes on from there"
)
_RULE_REMEDY = f"Mend {ENV_PREFIX}RULES, or {ENV_PREFIX}QUERY, {ENV_PREFIX}HANDLES, {ENV_PREFIX}KEYWORDS"


def refusal(response: requests.Response, config: XSettings) -> TweetProfilesError:
    """What a 4xx answer means for the user: which setting to look at, and what X says."""
    problem = problem_of(response)
    if is_cap(problem):
        return XCapError(CAP_NOTICE)
    status = response.status_code
    said = _said(problem, response).replace(config.token, "***")
    if status == 401:
        return XAccessError(
            f"X refuses the token ({said}): check {ENV_PREFIX}BEARER_TOKEN (or X_BEARER_TOKEN); it must be the "
            "app-only bearer token of a project, complete and not regenerated since"
        )
    if status == 403:
        needed = problem.get("required_enrollment")
        wanted = f" (X wants {needed})" if isinstance(needed, str) else ""
        return XAccessError(
            f"the project of {ENV_PREFIX}BEARER_TOKEN may not use {urlsplit(response.url).path}{wanted} ({said}): take "
            f"the token of a project with that access, or raise the plan{_cheaper(response.url)}"
        )
    if status == 404:
        return XRequestError(f"{config.base_url} does not have this API ({said}): check {ENV_PREFIX}BASE_URL")
    parameters = _parameters(problem)
    if any(name.endswith(".fields") or name == "expansions" for name in parameters):
        other = "tweet" if config.names == "post" else "post"
        return XRequestError(f"X does not know these fields ({said}): set {ENV_PREFIX}NAMES={other}", parameters)
    return XRequestError(
        f"X refuses the request ({said}): mend {ENV_PREFIX}QUERY, or {ENV_PREFIX}HANDLES and {ENV_PREFIX}KEYWORDS",
        parameters,
    )


def with_tweet_names(page: dict[str, Any]) -> dict[str, Any]:
    """A page or stream message in the older naming, which the rest of the program and archives use."""
    includes = page.get("includes")
    if isinstance(includes, dict) and "posts" in includes:
        page["includes"] = {**includes, "tweets": [_renamed(post) for post in _listed(includes["posts"])]}
    data = page.get("data")
    if isinstance(data, list):
        page["data"] = [_renamed(post) for post in data]
    elif data is not None:
        page["data"] = _renamed(data)
    return page


def _renamed(post: Any) -> Any:
    if isinstance(post, dict):
        for new, old in (("referenced_posts", "referenced_tweets"), ("note_post", "note_tweet")):
            if new in post:
                post[old] = post.pop(new)
    return post


def _cheaper(url: str) -> str:
    return f", or set {ENV_PREFIX}SEARCH=recent" if "/search/all" in url else ""


def _object(response: requests.Response) -> dict[str, Any]:
    body = orjson.loads(response.content)
    if not isinstance(body, dict):
        raise TypeError("an answer of X is a JSON object")
    return body


def _page(response: requests.Response) -> dict[str, Any]:
    body = _object(response)
    if not isinstance(body.get("meta"), dict) or not isinstance(body.get("data", []), list):
        raise TypeError("a page of X has a list of tweets and a meta object")
    return body


def problem_of(response: requests.Response) -> dict[str, Any]:
    """The problem document of a refusal; empty if X sent something else."""
    try:
        return _object(response)
    except (orjson.JSONDecodeError, TypeError):
        return {}


def is_cap(problem: Mapping[str, Any]) -> bool:
    """Whether X says that the month's posts are used up."""
    documents = [problem, *_listed(problem.get("errors"))]
    return any(
        "usage-capped" in str(document.get("type")) or document.get("title") == "UsageCapExceeded"
        for document in documents
    )


def _said(problem: Mapping[str, Any], response: requests.Response) -> str:
    """X's own words, short; an HTML page is not shown."""
    reasons = _reasons(_listed(problem.get("errors")))
    detail = problem.get("detail") or problem.get("title")
    words = reasons or (detail if isinstance(detail, str) else "") or (response.reason or "")
    return f"X says {response.status_code}: {words}"[:_SHOWN]


def _reasons(errors: list[dict[str, Any]]) -> str:
    said = []
    for error in errors:
        details = error.get("details")
        details = details if isinstance(details, list) else []
        words = [error.get(name) for name in ("message", "detail", "title")]
        said += [str(text) for text in details] or [str(text) for text in words if text][:1]
    return "; ".join(said)[:_SHOWN]


def _parameters(problem: Mapping[str, Any]) -> frozenset[str]:
    given = [error.get("parameters") for error in _listed(problem.get("errors"))]
    return frozenset(name for names in given if isinstance(names, dict) for name in names)


def _listed(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

"""What X means when it refuses, and what the user can do about it.

What belongs here: pure decisions on an answer that is no success. What does not: waiting and asking again (`client`).
"""

from collections.abc import Mapping
from typing import Any

from tweet_profiles.errors import TweetProfilesError
from tweet_profiles.sources.x.answers import documents, objects, reasons
from tweet_profiles.sources.x.config import ENV_PREFIX, XSettings
from tweet_profiles.sources.x.errors import (
    XAccessError,
    XCapError,
    XCreditsError,
    XOperatorError,
    XPlanError,
    XPortalError,
    XProxyError,
    XRedirectError,
    XRequestError,
    XRuleCapError,
    XRulesGoneError,
    XSpendingLimitError,
    XUsageCapError,
)
from tweet_profiles.sources.x.transport import Refused

_KEPT = "everything pulled so far is kept, and the next pull goes on from there"
_SHOWN = 300
RULE_REMEDY = f"Mend {ENV_PREFIX}RULES, or {ENV_PREFIX}QUERY, {ENV_PREFIX}HANDLES, {ENV_PREFIX}KEYWORDS"
_STREAM_ONLY = ("sample:", "bounding_box:", "point_radius:", "bio:", "bio_name:", "bio_location:", "followers_count:")
"""Operators that rules of the stream have; on most plans search refuses them."""


def cap_of(problem: Mapping[str, Any], status: int = 0) -> XCapError | None:
    """The error if X says that what may be pulled is used up: credits, a spending limit, or the cap of posts."""
    for document in documents(problem):
        words = " ".join(str(document.get(name)).lower() for name in ("title", "detail", "type", "reason"))
        if "spend" in words and ("limit" in words or "cap" in words):
            return XSpendingLimitError(
                "X says that the spending limit of this billing cycle is reached: raise it in the developer console "
                f"or wait for the next cycle; {_KEPT}"
            )
        if "usage-capped" in words or "usagecapexceeded" in words:
            return XUsageCapError(
                "X says that the posts of this month are used up: wait for the next month or raise the plan; " + _KEPT
            )
        if "credits" in words or "payment required" in words:
            return _no_credits()
    return _no_credits() if status == 402 else None


def _no_credits() -> XCapError:
    return XCreditsError(
        "X says that the credits of the project are used up (402 Payment Required): buy credits in the developer "
        f"console; {_KEPT}"
    )


def is_rule_cap(errors: list[dict[str, Any]]) -> bool:
    """Whether X refuses a rule because there are as many as the plan allows."""
    words = " ".join(f"{error.get('type')} {error.get('title')}" for error in errors).lower().replace("-", "")
    return "rulecap" in words or "rulescap" in words


def rule_refusal(errors: list[dict[str, Any]]) -> XRequestError:
    """The error for rules that X does not take."""
    if is_rule_cap(errors):
        return XRuleCapError(
            "X says that the project has as many rules as its plan allows: delete rules of other programs that use the "
            f"same project, or set fewer in {ENV_PREFIX}RULES ({reasons(errors)})"
        )
    return XRequestError(f"X refuses a rule of the stream: {reasons(errors)}. {RULE_REMEDY}")


def is_backfill_refused(refused: Refused) -> bool:
    """Whether a connection is refused for the backfill that was asked for: the plan lacks it."""
    words = f"{refused.problem.get('detail')} {reasons(objects(refused.problem.get('errors')))}".lower()
    return refused.status in (400, 403) and ("backfill" in words or "backfill_minutes" in _parameters(refused.problem))


def refusal(refused: Refused, config: XSettings) -> TweetProfilesError:
    """What an answer that is no success means: which setting to look at, and what X says."""
    problem, status = refused.problem, refused.status
    said = _said(refused).replace(config.token, "***")
    error = cap_of(problem, status) or _between(refused, config, said)
    if error is not None:
        return error
    if status == 401:
        return XAccessError(
            f"X refuses the token ({said}): check {ENV_PREFIX}BEARER_TOKEN (or X_BEARER_TOKEN); it must be the "
            "app-only bearer token of a project, complete and not regenerated since"
        )
    if status == 403:
        needed = problem.get("required_enrollment")
        wanted = f" (X wants {needed})" if isinstance(needed, str) else ""
        cheaper = f", or set {ENV_PREFIX}SEARCH=recent" if "/search/all" in refused.route else ""
        return XPlanError(
            f"the project of {ENV_PREFIX}BEARER_TOKEN may not use {refused.route}{wanted} ({said}): take "
            f"the token of a project with that access, or raise the plan{cheaper}"
        )
    if status == 404:
        return XRequestError(f"{config.base_url} does not have this API ({said}): check {ENV_PREFIX}BASE_URL")
    if status == 409:
        return XRulesGoneError(
            f"X says that the stream has no rules ({said}): another program of the same project deletes them; they "
            "are made again when the collector is started again"
        )
    return _bad_request(refused, config, said)


def _between(refused: Refused, config: XSettings, said: str) -> TweetProfilesError | None:
    """The error if it is not X that answers, but something between."""
    if 300 <= refused.status < 400:
        return XRedirectError(
            f"{config.base_url} sends us on to {refused.host} ({refused.status}), where the token must not go: check "
            f"{ENV_PREFIX}BASE_URL; or this network wants a login first"
        )
    if refused.status == 407:
        return XProxyError(_proxy(said))
    if refused.status == 511 or (refused.is_html and not refused.problem):
        return XPortalError(portal(config, str(refused.status)))
    return None


def _bad_request(refused: Refused, config: XSettings, said: str) -> XRequestError:
    parameters = _parameters(refused.problem)
    if any(name.endswith(".fields") or name == "expansions" for name in parameters):
        other = "tweet" if config.names == "post" else "post"
        return XRequestError(f"X does not know these fields ({said}): set {ENV_PREFIX}NAMES={other}", parameters)
    used = [operator for operator in _STREAM_ONLY if operator in (config.query or "")]
    if used and "/stream" not in refused.route and parameters <= {"query"}:
        return XOperatorError(
            f"search does not know {', '.join(used)} ({said}): keep such operators for {ENV_PREFIX}RULES and take "
            f"them out of {ENV_PREFIX}QUERY",
            parameters,
        )
    return XRequestError(
        f"X refuses the request ({said}): mend {ENV_PREFIX}QUERY, or {ENV_PREFIX}HANDLES and {ENV_PREFIX}KEYWORDS",
        parameters,
    )


def portal(config: XSettings, what: str) -> str:
    """What to say when a web page comes where data should."""
    return (
        f"{config.base_url} answers with a web page instead of data ({what}): a login page or a filter of this network "
        f"stands between, or X is over capacity; open the address in a browser here, check {ENV_PREFIX}BASE_URL"
    )


def _proxy(what: str) -> str:
    return (
        f"the proxy of this machine refuses ({what}): check HTTPS_PROXY and NO_PROXY, and whether the proxy "
        "wants a password or forbids X"
    )


def proxy_fault(error: Exception) -> XProxyError:
    """The error for a proxy that cannot be used."""
    return XProxyError(_proxy(type(error).__name__))


def _said(refused: Refused) -> str:
    """X's own words, short; an HTML page is not shown."""
    problem = refused.problem
    words = reasons(objects(problem.get("errors")))
    detail = problem.get("detail") or problem.get("title")
    return f"X says {refused.status}: {words or (detail if isinstance(detail, str) else '') or refused.reason}"[:_SHOWN]


def _parameters(problem: Mapping[str, Any]) -> frozenset[str]:
    given = [error.get("parameters") for error in objects(problem.get("errors"))]
    return frozenset(name for names in given if isinstance(names, dict) for name in names)

# ruff: noqa: ARG001 - the frameworks fix the signatures
"""Errors as Problem Details (RFC 9457): one shape for everything that goes wrong.

What belongs here: which status and words an error gets. What does not: raising it. No text of an exception that was
not written for the reader goes out.
"""

import traceback
from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.views import set_rollback

from tweet_profiles.api.reader import NoReleaseError, ReleaseGoneError, lost_connection

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_S = 5
TITLES = {
    400: "Bad request",
    401: "No valid key",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    410: "Gone",
    413: "Body too large",
    414: "Address too long",
    415: "Unsupported media type",
    429: "Too many requests",
    431: "Header too large",
    500: "Internal error",
    503: "Database away",
}
NO_RELEASE = "nothing is released yet: `tweet-profiles run` makes profiles, groups and a release"


def problem(status: int, detail: str, **more: Any) -> HttpResponse:
    """A problem as a response."""
    body = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail, **more}
    response = JsonResponse(body, status=status, content_type=MEDIA_TYPE)
    response["Cache-Control"] = "no-store"
    if status == 503:
        response["Retry-After"] = str(RETRY_S)
    return response


def of_error(error: BaseException) -> HttpResponse | None:
    """The response of an error that is no fault of ours; None for a programming error."""
    if isinstance(error, NoReleaseError):
        return problem(404, NO_RELEASE)
    if isinstance(error, ReleaseGoneError):
        return problem(410, "the release that the cursor belongs to was replaced: begin again without a cursor")
    if isinstance(error, RequestDataTooBig):
        return problem(413, "the body is too large")
    if lost_connection(error):
        return problem(503, f"the database cannot be reached: try again in {RETRY_S} s")
    return None


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's exception handler."""
    if not isinstance(error, exceptions.APIException):
        return of_error(error)
    set_rollback()
    more: dict[str, Any] = {}
    detail = error.detail
    if isinstance(error, exceptions.ValidationError):
        more["errors"] = detail if isinstance(detail, dict) else {"body": detail}
        text = "some values cannot be used; `errors` says which and why"
    else:
        text = str(detail)
    response = problem(error.status_code, text, **more)
    if getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = error.auth_header
    if getattr(error, "wait", None):
        response["Retry-After"] = str(max(1, int(error.wait)))
    if isinstance(error, exceptions.MethodNotAllowed):
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def log_fault(error: BaseException) -> None:
    """Log a programming error: its type and where, not its text, which may quote what somebody sent."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("a request failed", error=type(error).__name__, frames=frames[-12:])


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler400: a host that is not ours, a body that cannot be read."""
    if isinstance(exception, RequestDataTooBig):
        return problem(413, "the body is too large")
    return problem(400, "the request cannot be read")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page's form was sent without its token."""
    return problem(403, "the form has expired or came from another site: load the page again")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler404."""
    return problem(404, "there is nothing at this address; /api/v1/docs lists what there is")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    return problem(500, "an error of ours; it was logged")

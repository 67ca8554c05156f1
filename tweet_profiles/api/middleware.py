# ruff: noqa: ARG002 - the frameworks fix the signatures
"""Around every request: security headers, body size, time limit, access log, metrics, the last word on errors.

What belongs here: what holds for every path. What does not: answers.
"""

import time
from collections.abc import Callable
from typing import Any

import pymongo
import structlog
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from tweet_profiles.api import problems

log = structlog.get_logger("tweet_profiles.api.access")

MOST_BODY_BYTES = 2_000_000
REQUEST_S = 15
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DOCS_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""Swagger UI writes styles into its page; scripts stay our own."""

REQUESTS = Counter("tweet_profiles_api_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram("tweet_profiles_api_request_seconds", "Time to the first byte", ["route"])
METHODS = ("GET", "HEAD", "POST", "OPTIONS")

Answer = Callable[[HttpRequest], HttpResponse]


class Around:
    """The middleware of the API."""

    def __init__(self, answer: Answer):
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer within the time limit, then log and count."""
        started = time.perf_counter()
        if _body_bytes(request) > MOST_BODY_BYTES:
            response = problems.problem(413, f"a body may have {MOST_BODY_BYTES:,} bytes")
        else:
            with pymongo.timeout(REQUEST_S):
                response = self.answer(request)
        if request.path.startswith("/api/v1/docs"):
            response["Content-Security-Policy"] = DOCS_POLICY
        else:
            response.setdefault("Content-Security-Policy", POLICY)
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        response.setdefault("Cache-Control", "no-store")
        self._note(request, response, time.perf_counter() - started)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """What no view caught."""
        answer = problems.of_error(error)
        if answer is None:
            problems.log_fault(error)
            answer = problems.problem(500, "an error of ours; it was logged")
        return answer

    @staticmethod
    def _note(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        # The route, not the path; no address, no query: neither may come to hold personal data.
        match: Any = getattr(request, "resolver_match", None)
        route = match.route if match is not None else "unmatched"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(route).observe(seconds)
        key = getattr(request, "api_key", None)
        log.info(
            "request",
            method=method,
            route=route,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            key=None if key is None else key.id,
        )


def _body_bytes(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isascii() and length.isdigit() else 0

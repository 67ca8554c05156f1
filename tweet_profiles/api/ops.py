# ruff: noqa: ARG001 - the frameworks fix the signatures
"""What machines ask: health, readiness, metrics.

What belongs here: answers for supervisors and Prometheus. What does not: answers for people.
"""

import os

from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework.exceptions import APIException

from tweet_profiles.api import problems
from tweet_profiles.api.access import find_key
from tweet_profiles.api.reader import connection


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers too; 503 if not."""
    connection.database().command("ping")
    return JsonResponse({"status": "ready"})


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics of all workers, with an operator's key as a bearer token."""
    try:
        key = find_key(request)
    except APIException as error:
        return problems.problem(error.status_code, str(error.detail))
    if key is None or not key.may("operator"):
        return problems.problem(401 if key is None else 403, "this needs a key of the role operator")
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

# ruff: noqa: ARG001 - the frameworks fix the signatures
"""The page at /: segments as cards, mood over time, the elbow, two segments side by side, briefs.

What belongs here: what each page shows and the geometry of its drawings. What does not: queries (`reader`), looks
(`templates`, `static`).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from rest_framework.exceptions import APIException

from tweet_profiles.api import problems
from tweet_profiles.api.access import COOKIE, check_key, counters, find_key
from tweet_profiles.api.keys import SESSION_LENGTH, Key, KeyStore
from tweet_profiles.api.reader import NoReleaseError, Reader, connection, reader
from tweet_profiles.database.unreleased import is_behind, unreleased_since
from tweet_profiles.release.shown import Snapshot

MOOD = (("positive", "Positive"), ("neutral", "Neutral"), ("negative", "Negative"))
WIDTH, ROW, LABEL = 320, 22, 150
FULL = 2.0
"""Standard deviations that fill a fingerprint's half."""

View = Callable[..., HttpResponse]


def page(view: View) -> View:
    """A page for whoever is logged in; others are sent to the login."""

    @wraps(view)
    def guarded(request: HttpRequest, **path: Any) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return problems.problem(405, "this page is only read")
        try:
            key = find_key(request)
        except APIException as error:
            return problems.problem(error.status_code, str(error.detail))
        if key is None:
            return HttpResponseRedirect(f"/login?{urlencode({'next': request.path})}")
        request.api_key = key
        if counters.count(f"key {key.id}") > settings.API_RATE_PER_MINUTE:
            response = problems.problem(429, "too many requests with this key: wait a minute")
            response["Retry-After"] = "60"
            return response
        try:
            return view(request, key, **path)
        except NoReleaseError:
            return render(request, "tweet_profiles/empty.html", _common(key))

    return guarded


def login(request: HttpRequest) -> HttpResponse:
    """Log in with a key."""
    target = request.POST.get("next") or request.GET.get("next") or "/"
    if not url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        target = "/"
    fault = ""
    status = 200
    if request.method == "POST":
        try:
            key = check_key(request, request.POST.get("key", "").strip())
        except APIException as error:
            fault, status = f"{str(error.detail)[:1].upper()}{str(error.detail)[1:]}.", error.status_code
        else:
            response = HttpResponseRedirect(target)
            response.set_cookie(
                COOKIE,
                KeyStore(connection.database()).open_session(key),
                max_age=int(SESSION_LENGTH.total_seconds()),
                httponly=True,
                secure=settings.API_HTTPS,
                samesite="Lax",
            )
            return response
    return render(request, "tweet_profiles/login.html", {"next": target, "fault": fault}, status=status)


def logout(request: HttpRequest) -> HttpResponse:
    """End the session; by POST, so that no link can do it."""
    if request.method != "POST":
        return problems.problem(405, "log out with the button of the page")
    cookie = request.COOKIES.get(COOKIE, "")
    KeyStore(connection.database()).close_session(cookie)
    response = HttpResponseRedirect("/login")
    response.delete_cookie(COOKIE)
    return response


@page
def home(request: HttpRequest, key: Key) -> HttpResponse:
    """All segments."""

    def read(source: Reader, snapshot: Snapshot) -> dict[str, Any]:
        periods = source.timeline(snapshot.version, None, None, None)
        sweep = [
            {"k": int(row["k"]), "inertia": row["inertia"], "silhouette": row.get("silhouette")}
            for row in snapshot.clustering["elbow"]
        ]
        return {
            "segments": [_card(segment) for segment in snapshot.segments],
            "authors": sum(snapshot.counts.values()),
            "moods": [
                (label, f"{shown} tweets", share) for (label, shown), share in zip(MOOD, _moods(snapshot), strict=True)
            ],
            "periods": periods,
            "sweep": sweep,
            "k": snapshot.clustering["k"],
            "is_behind": is_behind(unreleased_since(connection.database()), datetime.now(UTC)),
            "chart_mood": {
                "days": [row["day"] for row in periods],
                "series": [{"label": "everybody", "values": [row["sentiment_mean"] for row in periods]}],
            },
            "chart_elbow": {
                "k": [row["k"] for row in sweep],
                "inertia": [row["inertia"] for row in sweep],
                "silhouette": [row["silhouette"] for row in sweep],
                "chosen": snapshot.clustering["k"],
            },
        }

    return _answer(request, key, "home", read)


@page
def segment(request: HttpRequest, key: Key, segment: int) -> HttpResponse:
    """One segment with its brief."""

    def read(source: Reader, snapshot: Snapshot) -> dict[str, Any] | None:
        found = snapshot.segment(segment)
        if found is None:
            return None
        periods = source.timeline(snapshot.version, segment, None, None)
        return {
            "segment": _card(found),
            "nights": list(reversed(found["nights"])),
            "periods": periods,
            "chart_mood": {
                "days": [row["day"] for row in periods],
                "series": [{"label": found["name"], "values": [row["sentiment_mean"] for row in periods]}],
            },
        }

    return _answer(request, key, "segment", read)


@page
def brief(request: HttpRequest, key: Key, segment: int, form: str) -> HttpResponse:
    """The brief as a file: text, or JSON for a tool."""
    source = reader()
    found = source.consistent(lambda snapshot: snapshot.segment(segment))
    if found is None:
        return problems.not_found(request)
    if form == "json":
        response: HttpResponse = JsonResponse(found["campaign"], json_dumps_params={"indent": 2, "ensure_ascii": False})
    else:
        response = HttpResponse(found["brief"] + "\n", content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="brief-segment-{segment}.{form}"'
    return response


@page
def compare(request: HttpRequest, key: Key) -> HttpResponse:
    """Two segments side by side."""
    asked = [request.GET.get(name, "") for name in ("a", "b")]

    def read(source: Reader, snapshot: Snapshot) -> dict[str, Any] | None:
        numbers = [segment["segment"] for segment in snapshot.segments]
        if not numbers:
            return {"segments": [], "pair": []}
        chosen = [int(text) if text.isascii() and text.isdigit() and len(text) < 8 else None for text in asked]
        known = [None if number not in numbers else number for number in chosen]
        first: int = numbers[0] if known[0] is None else known[0]
        others = [number for number in numbers if number != first]
        second: int = (others or numbers)[0] if known[1] is None else known[1]
        pair = [_card(snapshot.segment(number) or {}) for number in (first, second)]
        lines = [source.timeline(snapshot.version, number, None, None) for number in (first, second)]
        days = sorted({row["day"] for line in lines for row in line})
        means = [{row["day"]: row["sentiment_mean"] for row in line} for line in lines]
        return {
            "segments": snapshot.segments,
            "pair": pair,
            "chosen": [first, second],
            "features": [
                {"label": one["label"], "first": one["value"], "second": two["value"]}
                for one, two in zip(pair[0]["fingerprint"], pair[1]["fingerprint"], strict=True)
            ],
            "chart_mood": {
                "days": days,
                "series": [
                    {"label": part["name"], "values": [mean.get(day) for day in days]}
                    for part, mean in zip(pair, means, strict=True)
                ],
            },
        }

    return _answer(request, key, "compare", read)


def _answer(
    request: HttpRequest, key: Key, name: str, read: Callable[[Reader, Snapshot], dict[str, Any] | None]
) -> HttpResponse:
    source = reader()

    def whole(snapshot: Snapshot) -> dict[str, Any] | None:
        context = read(source, snapshot)
        return None if context is None else {"release": snapshot.release, "k": snapshot.clustering["k"], **context}

    context = source.consistent(whole)
    if context is None:
        return problems.not_found(request)
    response = render(request, f"tweet_profiles/{name}.html", {**_common(key), **context})
    response["Cache-Control"] = "private, no-cache"
    return response


def _common(key: Key) -> dict[str, Any]:
    return {
        "key": key,
        "may_download": key.may("analyst"),
        "dagster": f"{settings.DAGSTER_URL}/assets/customer_clusters",
    }


def _card(segment: dict[str, Any]) -> dict[str, Any]:
    points = None if segment["trend"] is None else round(segment["trend"] * 100)
    return {
        **segment,
        "points": points,
        "points_size": abs(points or 0),
        "bars": _mood_bars(segment),
        "spark": _spark(segment["nights"]),
        "drawing": _fingerprint(segment["fingerprint"]),
        "hours": ", ".join(f"{hour:02d}:00" for hour in segment["best_hours"]),
        "paragraphs": segment["brief"].split("\n"),
    }


def _moods(snapshot: Snapshot) -> list[float | None]:
    """The mood of everybody's own words: that of the segments, each weighing as much as it wrote; None if not known."""
    known = [segment for segment in snapshot.segments if segment["positive_share"] is not None]
    weights = [segment["tweets_scored"] or segment["authors"] for segment in known]
    total = sum(weights)
    return [
        None
        if not total
        else sum(segment[f"{label}_share"] * weight for segment, weight in zip(known, weights, strict=True)) / total
        for label, _ in MOOD
    ]


def _mood_bars(segment: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a bar of moods; none where the mood is not known."""
    if any(segment[f"{label}_share"] is None for label, _ in MOOD):
        return []
    total = sum(segment[f"{label}_share"] for label, _ in MOOD) or 1.0
    bars, left = [], 0.0
    for label, shown in MOOD:
        share = segment[f"{label}_share"]
        width = WIDTH * share / total
        bars.append({"mood": label, "shown": shown, "share": share, "x": round(left, 1), "width": round(width, 1)})
        left += width
    return bars


def _fingerprint(rows: list[dict[str, Any]]) -> dict[str, Any]:
    half = (WIDTH - LABEL) / 2
    middle = LABEL + half
    bars = []
    for number, row in enumerate(rows):
        value = row["value"] or 0.0
        length = round(min(abs(value) / FULL, 1.0) * (half - 4), 1)
        bars.append(
            {
                **row,
                "x": middle if value >= 0 else round(middle - length, 1),
                "y": number * ROW,
                "text_y": number * ROW + 15,
                "length": length,
                "more": value >= 0,
            }
        )
    return {"bars": bars, "height": len(rows) * ROW, "middle": middle, "label": LABEL - 8}


def _spark(nights: list[dict[str, Any]]) -> str:
    """The points of a line of the segment's share over the nights, in a box of 100 by 24."""
    if len(nights) < 2:
        return ""
    top = max(night["share"] for night in nights) or 1.0
    step = 100 / (len(nights) - 1)
    return " ".join(f"{number * step:.1f},{22 - 20 * night['share'] / top:.1f}" for number, night in enumerate(nights))

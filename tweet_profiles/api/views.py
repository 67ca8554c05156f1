# ruff: noqa: ARG002 - the frameworks fix the signatures
"""The views of /api/v1/: each reads one release and answers with plain values.

What belongs here: which question gets which answer, and its description. What does not: queries (`reader`), shapes
(`serializers`), access (`access`).
"""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from itertools import chain
from typing import Any

import orjson
import pymongo
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions
from rest_framework.views import APIView

from tweet_profiles.api import cursors, problems
from tweet_profiles.api import serializers as shapes
from tweet_profiles.api.downloads import FORMS
from tweet_profiles.api.keys import KeyStore
from tweet_profiles.api.reader import (
    Kept,
    NoReleaseError,
    Reader,
    ReleaseGoneError,
    connection,
    filter_of,
    reader,
    row_of,
)
from tweet_profiles.release.counts import told
from tweet_profiles.release.placing import place_accounts
from tweet_profiles.release.shown import Snapshot
from tweet_profiles.sentiment.lines import score_entries
from tweet_profiles.sentiment.scoring import TextScorer, load_scorer, score_tweets
from tweet_profiles.settings import load_settings

KEPT = Kept(32 * 1024 * 1024)
DOWNLOAD_S = 1800


def answers(shape: Any, *statuses: int, body: bool = False) -> dict[Any, Any]:
    """The responses of an operation, for the document."""
    always = (400, 401, 403, 404, 405, 414, 429, 431, 500, 503, *((413, 415) if body else (304,)))
    responses: dict[Any, Any] = {200: shape}
    for status in sorted({*always, *statuses}):
        if status == 304:
            responses[304] = OpenApiResponse(description="Not changed since the ETag that was sent")
        else:
            problem = OpenApiResponse(shapes.Problem, description=problems.TITLES[status])
            responses[(status, problems.MEDIA_TYPE)] = problem
    return responses


def asked_of(shape: type[shapes.Question], request: Any) -> dict[str, Any]:
    """The validated query.

    Raises:
        ValidationError: naming what cannot be used.
    """
    pairs = {name: request.query_params.getlist(name) for name in request.query_params}
    if any(len(values) > 1 for values in pairs.values()):
        raise exceptions.ValidationError({"query": ["a parameter is given twice"]})
    question = shape(data={name: values[0] for name, values in pairs.items()})
    question.is_valid(raise_exception=True)
    return dict(question.validated_data)


def found(segment: dict[str, Any] | None) -> dict[str, Any]:
    """A segment, or 404."""
    if segment is None:
        raise exceptions.NotFound("there is no such segment in the current release")
    return segment


class ReleaseView(APIView):
    """A question that one release answers; the answer is kept while the release is current."""

    role = "marketing"
    question: type[shapes.Question] = shapes.Nothing

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """The answer of a release."""
        raise NotImplementedError

    def respond(self, request: Any, **path: Any) -> HttpResponse:
        """The answer, with its ETag; 304 if the reader has it."""
        asked = asked_of(self.question, request)
        source = reader()
        place = f"{type(self).__name__} {sorted(path.items())} {sorted(asked.items(), key=str)}"

        def read(snapshot: Snapshot) -> HttpResponse:
            etag = f'"{snapshot.version}"'
            if etag in request.META.get("HTTP_IF_NONE_MATCH", ""):
                return _headers(HttpResponse(status=304), etag)
            key = (source.database.name, snapshot.version, place)
            body = KEPT.get(key)
            if body is None:
                data = self.answer(source, snapshot, asked, **path)
                body = orjson.dumps(data)
                if data.get("release") == snapshot.version:
                    KEPT.put(key, body)
            return _headers(HttpResponse(body, content_type="application/json"), etag)

        return source.consistent(read)


def _headers(response: HttpResponse, etag: str) -> HttpResponse:
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["Vary"] = "Authorization, Cookie"
    return response


class OverviewView(ReleaseView):
    """Counts, mood over time, freshness and versions."""

    @extend_schema(operation_id="overview", responses=answers(shapes.Overview))
    def get(self, request: Any) -> HttpResponse:
        """Counts, mood over time, freshness and versions."""
        return self.respond(request)

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """See `ReleaseView`."""
        release = snapshot.release
        withheld = release["withheld"]
        return {
            "release": snapshot.version,
            "created": release["created"].isoformat(),
            "clustering": release["clustering"],
            "clustered": snapshot.clustering["created"],
            "model_version": release["model_version"],
            "k_anonymity": snapshot.k,
            "authors": sum(snapshot.counts.values()),
            "withheld": None if withheld is None else told(int(withheld), snapshot.k),
            "segments": len(snapshot.segments),
            "moods": snapshot.labels,
            "sentiment_over_time": source.timeline(snapshot.version, None, None, None),
        }


class SegmentsView(ReleaseView):
    """The segments."""

    @extend_schema(operation_id="segments", responses=answers(shapes.Segments))
    def get(self, request: Any) -> HttpResponse:
        """All segments, the largest first."""
        return self.respond(request)

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """See `ReleaseView`."""
        return {**_versions(snapshot), "segments": [_without_brief(segment) for segment in snapshot.segments]}


class SegmentView(ReleaseView):
    """One segment."""

    @extend_schema(operation_id="segment", responses=answers(shapes.OneSegment))
    def get(self, request: Any, segment: int) -> HttpResponse:
        """One segment."""
        return self.respond(request, segment=segment)

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """See `ReleaseView`."""
        return {**_versions(snapshot), "segment": _without_brief(found(snapshot.segment(path["segment"])))}


class BriefView(ReleaseView):
    """The brief of a segment."""

    @extend_schema(operation_id="segment_brief", responses=answers(shapes.Brief))
    def get(self, request: Any, segment: int) -> HttpResponse:
        """The campaign brief of a segment."""
        return self.respond(request, segment=segment)

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """See `ReleaseView`."""
        segment = found(snapshot.segment(path["segment"]))
        return {
            "release": snapshot.version,
            "segment": segment["segment"],
            "name": segment["name"],
            "brief": segment["brief"],
            "campaign": segment["campaign"],
        }


class HistoryView(ReleaseView):
    """A segment over the nights."""

    @extend_schema(operation_id="segment_history", responses=answers(shapes.History))
    def get(self, request: Any, segment: int) -> HttpResponse:
        """A segment over the nights, the oldest first."""
        return self.respond(request, segment=segment)

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """See `ReleaseView`."""
        segment = found(snapshot.segment(path["segment"]))
        return {"release": snapshot.version, "segment": path["segment"], "nights": segment["nights"]}


class RowsView(ReleaseView):
    """A page of released rows."""

    role = "analyst"
    question = shapes.ProfilesQuery

    @extend_schema(operation_id="profiles", parameters=[shapes.ProfilesQuery], responses=answers(shapes.Profiles, 410))
    def get(self, request: Any) -> HttpResponse:
        """Released rows by segment, mood, language and activity, in an order, page by page."""
        return self.respond(request)

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """See `ReleaseView`; a cursor goes on with the release that it began with, while that is there."""
        place = f"{type(self).__name__} {path}"
        question = cursors.question(asked, place)
        version, after = snapshot.version, None
        if asked.get("cursor"):
            version, after = cursors.read(asked["cursor"], question)
        chosen = filter_of({**asked, **path})
        sort = asked.get("sort")
        column = None if sort is None else sort.removeprefix("-")
        limit = asked["limit"]
        rows = source.page(version, chosen, column, (sort or "").startswith("-"), after, limit + 1)
        if version != snapshot.version and not source.is_whole(version):
            raise ReleaseGoneError
        more = None
        if len(rows) > limit:
            last = rows[limit - 1]
            more = cursors.make(version, question, [None if column is None else last[column], last["_id"]])
        return {"release": version, "rows": [row_of(row) for row in rows[:limit]], "next": more}


class MembersView(RowsView):
    """The released rows of a segment."""

    question = shapes.MembersQuery

    @extend_schema(
        operation_id="segment_members", parameters=[shapes.MembersQuery], responses=answers(shapes.Profiles, 410)
    )
    def get(self, request: Any, segment: int) -> HttpResponse:
        """The released rows of a segment, page by page."""
        return self.respond(request, segment=segment)

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """See `RowsView`."""
        found(snapshot.segment(path["segment"]))
        return super().answer(source, snapshot, asked, **path)


class ClusteringsView(ReleaseView):
    """The stored clusterings."""

    @extend_schema(operation_id="clusterings", responses=answers(shapes.Clusterings))
    def get(self, request: Any) -> HttpResponse:
        """The stored clusterings, the newest first."""
        return self.respond(request)

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """See `ReleaseView`."""
        entries = [
            {name: entry[name] for name in ("version", "created", "k", "authors")} for entry in snapshot.clusterings
        ]
        return {"release": snapshot.version, "clusterings": entries}


class ClusteringView(ReleaseView):
    """One clustering."""

    @extend_schema(
        operation_id="clustering",
        parameters=[OpenApiParameter("version", str, "path", pattern="^[0-9A-Za-z]{1,40}$")],
        responses=answers(shapes.Clustering),
    )
    def get(self, request: Any, version: str) -> HttpResponse:
        """Elbow and quality of a clustering."""
        return self.respond(request, version=version)

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """See `ReleaseView`."""
        wanted = snapshot.clustering["version"] if path["version"] == "current" else path["version"]
        entry = next((entry for entry in snapshot.clusterings if entry["version"] == wanted), None)
        if entry is None:
            raise exceptions.NotFound("there is no such clustering; /api/v1/clusterings lists them")
        return {"release": snapshot.version, **{name: value for name, value in entry.items() if name != "authors"}}


class TimelinesView(ReleaseView):
    """Mood over time."""

    question = shapes.TimelineQuery

    @extend_schema(operation_id="timelines", parameters=[shapes.TimelineQuery], responses=answers(shapes.Timeline))
    def get(self, request: Any) -> HttpResponse:
        """Mood over time, of a segment or of everybody."""
        return self.respond(request)

    def answer(self, source: Reader, snapshot: Snapshot, asked: dict[str, Any], **path: Any) -> dict[str, Any]:
        """See `ReleaseView`."""
        segment = asked.get("segment")
        if segment is not None:
            found(snapshot.segment(segment))
        since, until = (
            None if asked.get(name) is None else datetime.combine(asked[name], clock(), UTC)
            for name in ("since", "until")
        )
        periods = source.timeline(snapshot.version, segment, since, until)
        return {"release": snapshot.version, "segment": segment, "periods": periods}


class DownloadView(APIView):
    """Released rows as a file."""

    role = "analyst"

    @extend_schema(
        operation_id="download",
        parameters=[shapes.RowsQuery, OpenApiParameter("form", str, "path", enum=list(FORMS))],
        responses={
            **{(200, kind.partition(";")[0]): OpenApiTypes.BINARY for kind, _ in FORMS.values()},
            **{status: shape for status, shape in answers(None).items() if status not in (200, 304)},
        },
    )
    def get(self, request: Any, form: str) -> StreamingHttpResponse:
        """Released rows as CSV, JSON lines or Parquet, streamed. Every download is noted."""
        if form not in FORMS:
            raise exceptions.NotFound(f"a download is one of {', '.join(FORMS)}")
        asked = asked_of(shapes.RowsQuery, request)
        source = reader()
        version = source.version()
        KeyStore(source.database).audit(request.auth, "profiles", version, form, asked)
        kind, write = FORMS[form]
        stream = _within(write(source.rows(version, filter_of(asked))))
        first = next(stream)  # a database that is away says so before the status goes out
        response = StreamingHttpResponse(chain([first], stream), content_type=kind)
        response["Content-Disposition"] = f'attachment; filename="profiles-{version}.{form}"'
        response["X-Release"] = version
        return response


def _within(stream: Iterator[bytes]) -> Iterator[bytes]:
    """The stream, each step of it free of the request's own short limit."""
    until = time.monotonic() + DOWNLOAD_S
    while True:
        with pymongo.timeout(None):
            part = next(stream, None)
        if part is None:
            return
        if time.monotonic() > until:
            raise TimeoutError
        yield part


class AssignView(APIView):
    """Accounts to segments."""

    role = "operator"

    @extend_schema(operation_id="assign", request=shapes.AssignQuestion, responses=answers(shapes.Assigned, body=True))
    def post(self, request: Any) -> HttpResponse:
        """The segments that accounts would fall into. Nothing is stored."""
        asked_of(shapes.Nothing, request)
        question = shapes.AssignQuestion(data=request.data)
        question.is_valid(raise_exception=True)
        accounts = question.validated_data["accounts"]

        def read(snapshot: Snapshot) -> dict[str, Any]:
            places = place_accounts(snapshot.placing, accounts)
            if not places:
                raise exceptions.NotFound("the current release shows no segment: all of its authors are withheld")
            return {
                **_versions(snapshot),
                "assignments": [
                    {
                        "segment": place.segment,
                        "name": found(snapshot.segment(place.segment))["name"],
                        "confidence": place.confidence,
                    }
                    for place in places
                ],
            }

        return HttpResponse(orjson.dumps(reader().consistent(read)), content_type="application/json")


class ScoreView(APIView):
    """Texts to scores."""

    role = "operator"
    _scorer: TextScorer | None = None
    _loading = threading.Lock()

    @extend_schema(operation_id="score", request=shapes.ScoreQuestion, responses=answers(shapes.Scored, body=True))
    def post(self, request: Any) -> HttpResponse:
        """Sentiment and subjectivity of texts. Nothing is stored."""
        asked_of(shapes.Nothing, request)
        question = shapes.ScoreQuestion(data=request.data)
        question.is_valid(raise_exception=True)
        scorer = self._load()
        texts = question.validated_data["texts"]
        rows = score_entries(score_tweets(scorer, texts, [None] * len(texts)))
        return HttpResponse(
            orjson.dumps({"model_version": scorer.version, "scores": rows}), content_type="application/json"
        )

    @classmethod
    def _load(cls) -> TextScorer:
        with cls._loading:
            if cls._scorer is None:
                cls._scorer = load_scorer(load_settings().model_dir)
            return cls._scorer


class HealthView(APIView):
    """What an operator looks at."""

    role = "operator"

    @extend_schema(operation_id="health", responses=answers(shapes.Health))
    def get(self, request: Any) -> HttpResponse:
        """Database, release and downloads."""
        asked_of(shapes.Nothing, request)
        database = connection.database()
        started = time.perf_counter()
        database.command("ping")
        taken = time.perf_counter() - started
        try:
            version = Reader(database).version()
            created = Reader(database).snapshot(version).release["created"]
            age = round((datetime.now(UTC) - created).total_seconds() / 3600, 2)
        except NoReleaseError:
            version, age = None, None
        today = datetime.now(UTC) - timedelta(days=1)
        body = {
            "role": request.auth.role,
            "database_ms": round(taken * 1000, 2),
            "release": version,
            "release_age_hours": age,
            "downloads_today": database.api_audit.count_documents({"at": {"$gte": today}}),
        }
        return HttpResponse(orjson.dumps(body), content_type="application/json")


def _versions(snapshot: Snapshot) -> dict[str, Any]:
    return {"release": snapshot.version, "clustering": snapshot.release["clustering"]}


def _without_brief(segment: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in segment.items() if name not in ("brief", "campaign", "gaps", "typical")}

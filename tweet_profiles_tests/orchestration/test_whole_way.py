"""What the contract of raw tweets allows never breaks a later stage: from a batch to the API's answers.

`WHOLE_WAY_EXAMPLES=2000 python -m pytest tweet_profiles_tests/orchestration/test_whole_way.py --timeout 0` looks longer
than the few examples of every run of the tests.
"""

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as arrow
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tweet_profiles.contracts import RELEASED_PROFILES
from tweet_profiles.orchestration.assets.customer_clusters import figures, segment_rows
from tweet_profiles.release.anonymise import distances, facts_of, smallest_class
from tweet_profiles.release.files import export
from tweet_profiles.release.store import ReleaseStore
from tweet_profiles.segments.features import matrix_of
from tweet_profiles.segments.kmeans import distinct_rows
from tweet_profiles.segments.pipeline import TooFewAuthorsError
from tweet_profiles_tests.orchestration.whole_way import K, Night, Store, folded, raw_batches, released, words_of

EXAMPLES = int(os.environ.get("WHOLE_WAY_EXAMPLES", "0"))
_NOT_SAID = re.compile(r"\b(nan|none|null|inf|infinity|<na>|nat)\b", re.IGNORECASE)


class Reading:
    """The served application in this process, asked with the key of an operator."""

    def __init__(self, database: Store):
        # Django is configured once a process, from the settings that are there at the first use.
        os.environ["DJANGO_SETTINGS_MODULE"] = "tweet_profiles.api.conf"
        import django
        from django.test import Client

        from tweet_profiles.api.keys import KeyStore
        from tweet_profiles.api.reader import connection

        django.setup()
        connection.database()
        _, text = KeyStore(database).make("operator", "operator", None)
        self._client = Client(
            headers={"authorization": f"Bearer {text}", "host": "127.0.0.1"}, raise_request_exception=True
        )
        self._session = Client(headers={"host": "127.0.0.1"})
        answer = self._session.post("/login", {"key": text})
        assert answer.status_code == 302, answer.content

    def get(self, path: str, shape: type | None = None, status: int = 200) -> Any:
        """An answer as JSON, which keeps its described shape."""
        return self._checked(self._client.get(f"/api/v1/{path}"), path, shape, status)

    def post(self, path: str, body: Any, shape: type, status: int = 200) -> Any:
        """The same of a question with a body."""
        return self._checked(self._client.post(f"/api/v1/{path}", body, "application/json"), path, shape, status)

    def file(self, path: str) -> bytes:
        """A download."""
        answer = self._client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, (path, answer.status_code)
        return b"".join(answer.streaming_content)

    def page(self, path: str) -> str:
        """A page."""
        answer = self._session.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.content[:300])
        return str(answer.content.decode())

    @staticmethod
    def _checked(answer: Any, path: str, shape: Any, status: int) -> Any:
        assert answer.status_code == status, (path, answer.status_code, answer.content[:300])
        body = json.loads(answer.content)
        if shape is not None and status == 200:
            checked = shape(data=body)
            assert checked.is_valid(), (path, checked.errors)
            assert set(body) == set(checked.fields), path
        return body


@pytest.fixture
def store(own_database: str, mongodb_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    import pymongo

    monkeypatch.setenv("TWEET_PROFILES_API_RATE_PER_MINUTE", "1000000")
    with pymongo.MongoClient(mongodb_server, tz_aware=True) as client:  # type: ignore[var-annotated]
        yield client[own_database]


def test_what_the_contract_of_raw_tweets_allows_comes_to_the_page_or_to_one_clear_sentence(
    store: Store, tmp_path: Path
) -> None:
    shown = 0

    @settings(
        max_examples=EXAMPLES or 14,
        deadline=None,
        derandomize=not EXAMPLES,
        suppress_health_check=list(HealthCheck),
        # Shrinking takes minutes: worth them only for who looks for a fault.
        phases=tuple(Phase) if EXAMPLES else (Phase.explicit, Phase.generate),
        print_blob=True,
    )
    @given(raw_batches(), st.booleans())
    def goes_the_whole_way(raw: pd.DataFrame, drawn: bool) -> None:
        nonlocal shown
        store.client.drop_database(store.name)
        profiles = folded(store, raw, tmp_path)
        try:
            night = released(store, profiles, tmp_path)
        except TooFewAuthorsError as error:
            _is_right_to_stop(error, profiles)
            return
        shown += 1
        _is_anonymous(store, night)
        _is_exported_whole(store, night, tmp_path)
        _is_described_in_words(store, night)
        _is_answered(store, night)
        if drawn and (EXAMPLES or shown < 3):
            pictures = figures(night.result, matrix_of(night.features)[0], night.nights, K, 7)
            assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())

    goes_the_whole_way()
    assert shown > 2, "most batches can be grouped"


def _is_right_to_stop(error: TooFewAuthorsError, profiles: pd.DataFrame) -> None:
    from tweet_profiles.segments.features import build_features

    matrix, _ = matrix_of(build_features(profiles).frame)
    assert len(profiles) < K or matrix.size == 0 or distinct_rows(matrix, 3) <= 2, str(error)
    assert "collect more tweets" in str(error)


def _is_anonymous(store: Store, night: Night) -> None:
    frame, made = night.made.frame, night.made
    assert len(frame) + made.withheld == len(night.profiles)
    assert frame.empty or smallest_class(frame) >= K
    segment, confidence = night.result.segment_of, night.result.clustering.confidence
    assert np.isfinite(distances(facts_of(night.profiles, segment, confidence))).all()
    assert (frame["sentiment_mean"].isna() == frame["sentiment_label"].isna()).all()
    if not (night.profiles["tweets_scored"] > 0).any():
        assert frame["sentiment_mean"].isna().all() and frame["subjectivity_mean"].isna().all()
    if not any(sum(hours) for hours in night.profiles["hours"]):
        assert frame["active_part"].isna().all()
    assert night.release.withheld is None or not 0 < night.release.withheld < K
    for row in store.timelines.find():
        assert row["authors"] >= K and row["tweets"] >= row["authors"]
        told = [row[name] for name in ("sentiment_mean", "positive_share", "neutral_share", "negative_share")]
        assert all(value is None or 0 <= value <= 1 for value in told) and len({value is None for value in told}) == 1


def _is_exported_whole(store: Store, night: Night, folder: Path) -> None:
    done = export(store, folder / "exports")
    frame = pd.concat(list(ReleaseStore(store).frames(night.release)) or [night.made.frame])
    assert len(frame) == done.rows
    rows = list(csv.DictReader(io.StringIO(done.files[0].read_text(encoding="utf-8-sig"))))
    table = parquet.read_table(done.files[1])
    assert len(rows) == table.num_rows == done.rows
    assert all((value == "") == bool(pd.isna(frame[name].iloc[place]))
               for place, row in enumerate(rows) for name, value in row.items() if name in frame)  # fmt: skip
    types = {"Int64": arrow.int64(), "int64": arrow.int64(), "float64": arrow.float64(), "boolean": arrow.bool_()}
    for name, column in RELEASED_PROFILES.columns.items():
        assert table.schema.field(name).type == types.get(str(column.dtype), arrow.string()), name


def _is_described_in_words(store: Store, night: Night) -> None:
    assert all(segment.authors >= K for segment in night.result.segments)
    assert all(row["name"] for row in segment_rows(night.result))
    for segment in night.result.segments:
        document = segment.document()
        assert not any(isinstance(value, float) and not math.isfinite(value) for value in document.values())
        assert not _NOT_SAID.search(
            segment.brief.replace("#null", "").replace("none among", "").replace("none that", "")
        )
        assert segment.name in segment.brief
    sources = {source for documents in store.segments.find() for source in words_of(documents["clients"])}
    assert sources <= {"mobile", "web", "professional", "automated", "other"}


def _is_answered(store: Store, night: Night) -> None:
    asking = Reading(store)
    from tweet_profiles.api import serializers as shapes

    overview = asking.get("overview", shapes.Overview)
    assert overview["authors"] == len(night.made.frame)
    segments = asking.get("segments", shapes.Segments)["segments"]
    assert sum(segment["authors"] for segment in segments) == overview["authors"]
    for segment in segments:
        path = f"segments/{segment['segment']}"
        asking.get(path, shapes.OneSegment)
        brief = asking.get(f"{path}/brief", shapes.Brief)
        assert not _NOT_SAID.search(
            brief["brief"].replace("#null", "").replace("none among", "").replace("none that", "")
        )
        asking.get(f"{path}/members?limit=3", shapes.Profiles)
        asking.get(f"{path}/history", shapes.History)
        asking.get(f"timelines?segment={segment['segment']}", shapes.Timeline)
        for page in ("", "/brief.txt", "/brief.json"):
            assert "nan" not in re.findall(r"\w+", asking.page(f"/{path}{page}").lower())
    for hidden in {segment.segment for segment in night.result.segments} - {part["segment"] for part in segments}:
        asking.get(f"segments/{hidden}", status=404)
    asking.get("timelines", shapes.Timeline)
    (entry, *_) = asking.get("clusterings", shapes.Clusterings)["clusterings"]
    asking.get(f"clusterings/{entry['version']}", shapes.Clustering)
    _pages_agree(asking, overview["authors"], shapes)
    asking.get("health", shapes.Health)
    question = {"accounts": [{}, {"followers": 12, "sentiment_mean": 0.1}]}
    assigned = asking.post("assign", question, shapes.Assigned, 200 if segments else 404)
    assert {one["segment"] for one in assigned.get("assignments", [])} <= {part["segment"] for part in segments}
    for form in ("csv", "jsonl", "parquet"):
        asking.file(f"downloads/{form}")
    home = asking.page("/")
    assert home.count('class="card"') == len(segments)
    asking.page("/compare")


def _pages_agree(asking: Reading, authors: int, shapes: Any) -> None:
    """Every order holds each row once, page by page, those without the value at the end."""
    from tweet_profiles.api.reader import SORTS

    for sort in (*SORTS, *(f"-{name}" for name in SORTS)):
        rows: list[dict[str, Any]] = []
        more: str | None = f"profiles?sort={sort}&limit=20"
        while more is not None:
            answer = asking.get(more, shapes.Profiles)
            rows += answer["rows"]
            more = answer["next"] and f"profiles?sort={sort}&limit=20&cursor={answer['next']}"
        values = [row[sort.removeprefix("-")] for row in rows]
        known = [value for value in values if value is not None]
        assert len(rows) == authors and values[len(known) :] == [None] * (authors - len(known))
        assert known == sorted(known, reverse=sort.startswith("-"))

"""What the API answers: shapes, versions, pages, downloads."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from tweet_profiles.api.reader import SORTS
from tweet_profiles.api.table import COLUMNS
from tweet_profiles.release.shown import nights_of, step_for
from tweet_profiles_tests.api.seed import NAMES, K
from tweet_profiles_tests.api.served import Api
from tweet_profiles_tests.conftest import Command


def _all_rows(api: Api, query: str) -> list[dict]:
    rows, cursor = [], ""
    while True:
        answer = api.get(f"profiles?{query}&limit=97{cursor}").json()
        rows += answer["rows"]
        if answer["next"] is None:
            return rows
        cursor = f"&cursor={answer['next']}"


def test_every_answer_of_a_release_names_it_and_its_etag(api: Api) -> None:
    paths = ["overview", "segments", "segments/0", "segments/0/members", "segments/0/brief", "segments/0/history",
             "clusterings", "clusterings/current", "profiles", "timelines"]  # fmt: skip
    releases = set()
    for path in paths:
        answer = api.get(path)
        assert answer.status == 200, path
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["ETag"] == f'"{answer.json()["release"]}"'
        assert api.get(path, If_None_Match=answer.headers["ETag"]).status == 304
        releases.add(answer.json()["release"])
    assert len(releases) == 1


def test_segments_come_with_released_sizes_from_the_largest(api: Api) -> None:
    segments = api.get("segments", "marketing").json()["segments"]
    sizes = [segment["authors"] for segment in segments]
    assert {segment["name"] for segment in segments} == set(NAMES)
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == api.get("overview").json()["authors"] == 1000


def test_withheld_authors_below_k_are_not_counted_out(api: Api) -> None:
    assert api.get("overview").json()["withheld"] is None  # three were withheld, k is five


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
def test_pages_in_any_order_hold_every_row_once(api: Api, sort: str) -> None:
    rows = _all_rows(api, f"sort={sort}")
    values = [row[sort.removeprefix("-")] for row in rows]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=sort.startswith("-"))
    assert values == known + [None] * (len(values) - len(known)), "what is not known comes last, whichever way"
    assert (len(known) < len(values)) == (sort.lstrip("-") in ("sentiment_mean", "subjectivity_mean"))
    groups = [row["group"] for row in rows]
    assert len(rows) == 1000
    assert all(groups.count(group) == K for group in set(groups))


def test_filters_choose_what_they_say(api: Api) -> None:
    everything = _all_rows(api, "")
    asked = "segment=1&sentiment_min=0.3&sentiment_max=0.9&language=de&tweets_min=5"
    expected = [
        row for row in everything
        if row["segment"] == 1 and 0.3 <= (row["sentiment_mean"] or 0) <= 0.9 and row["main_language"] == "de"
        and row["tweets_seen"] >= 5
    ]  # fmt: skip
    assert sorted(map(str, _all_rows(api, asked))) == sorted(map(str, expected))
    assert len(expected) > 0


def test_members_of_a_segment_are_its_rows(api: Api) -> None:
    rows = api.get("segments/2/members?limit=200").json()["rows"]
    assert rows and {row["segment"] for row in rows} == {2}


def test_rows_show_the_released_columns_and_no_id(api: Api) -> None:
    assert tuple(api.get("profiles?limit=1").json()["rows"][0]) == COLUMNS


def test_three_forms_of_download_hold_the_same_rows(api: Api) -> None:
    lines = [json.loads(line) for line in api.get("downloads/jsonl?segment=1").body.splitlines()]
    table = parquet.read_table(io.BytesIO(api.get("downloads/parquet?segment=1").body)).to_pylist()
    text = api.get("downloads/csv?segment=1").body.decode("utf-8-sig")
    cells = list(csv.DictReader(io.StringIO(text)))
    assert lines == table
    assert len(cells) == len(lines) > 0
    assert [float(cell["tweets_seen"]) for cell in cells] == [line["tweets_seen"] for line in lines]


def test_a_download_is_noted_with_its_filters(api: Api) -> None:
    api.get("downloads/csv?language=es", "analyst")
    note = api.database.api_audit.find_one({"filters.language": "es"}, sort=[("at", -1)])
    assert note is not None and note["form"] == "csv" and note["role"] == "analyst"


def test_a_download_without_rows_is_a_file_without_rows(api: Api) -> None:
    assert api.get("downloads/jsonl?segment=999").body == b""
    assert api.get("downloads/csv?segment=999").body.decode("utf-8-sig").strip() == ",".join(COLUMNS)
    assert parquet.read_table(io.BytesIO(api.get("downloads/parquet?segment=999").body)).num_rows == 0


def test_an_account_at_a_centre_is_assigned_to_it(api: Api) -> None:
    document = api.database.clusterings.find_one(sort=[("created", -1)])
    assert document is not None
    accounts = [{}, {"followers": 100000, "sentiment_mean": 0.9}, {"hours": [1] * 24}]
    answer = api.post("assign", {"accounts": accounts}).json()
    assert [found["segment"] in document["segments"] for found in answer["assignments"]] == [True] * 3
    assert answer["clustering"] == document["_id"]


def test_texts_get_the_scores_of_the_shipped_model_in_their_order(api: Api) -> None:
    scores = api.post("score", {"texts": ["I love it", "", "It broke again, terrible"]}).json()["scores"]
    assert [score["label"] for score in scores] == ["positive", None, "negative"]
    assert [score["not_scored"] for score in scores] == [None, "no text", None]
    assert (scores[1]["sentiment"], scores[1]["language"]) == (None, None)


def test_means_are_shown_in_steps_that_no_single_author_moves_further(api: Api) -> None:
    for segment in api.get("segments").json()["segments"]:
        step = step_for(segment["authors"])
        assert step >= 1 / segment["authors"]
        for name in ("positive_share", "sentiment_mean", "subjectivity_mean"):
            value = segment[name] or 0
            assert abs(value / step - round(value / step)) < 1e-6


def test_what_is_not_known_of_a_segment_is_null_and_said_in_its_brief(api: Api) -> None:
    segment = api.get("segments/2").json()["segment"]
    assert segment["positive_share"] is segment["sentiment_mean"] is segment["part_of_day"] is None
    assert segment["best_hours"] == [] and segment["not_scored"] == {"tr": 3000}
    bars = {bar["feature"]: bar["value"] for bar in segment["fingerprint"]}
    assert bars["sentiment_mean"] is None and bars["followers"] is not None
    answer = api.get("segments/2/brief").json()
    assert answer["campaign"]["mood"] is None and answer["campaign"]["part_of_day"] is None
    assert "Mood: not known" in answer["brief"] and "best hours not known" in answer["brief"]
    assert "Not scored: tr 3,000." in answer["brief"]


def test_what_is_passed_on_is_told_apart_from_own_words(api: Api) -> None:
    segment = api.get("segments/0").json()["segment"]
    assert segment["passed_on"] == {"positive": 0.7, "neutral": 0.2, "negative": 0.1}
    assert (segment["tweets"], segment["tweets_own"], segment["tweets_passed_on"]) == (4000, 3000, 1000)
    told = api.get("segments/0/brief").json()["brief"]
    assert "Reposts: 1,000 of their 4,000 tweets; what they pass on is 70% positive, 20% neutral, 10% negative." in told


def test_authors_without_a_known_mood_are_counted_as_such(api: Api) -> None:
    moods = api.get("overview").json()["moods"]
    assert moods["not_known"] == 145 and sum(moods.values()) == 1000


def test_days_on_which_too_few_could_be_scored_have_no_mood(api: Api) -> None:
    periods = api.get("timelines").json()["periods"]
    unknown = [row for row in periods if row["sentiment_mean"] is None]
    assert len(unknown) == 3 and all(row["tweets"] == 40 and row["positive_share"] is None for row in unknown)


def test_nights_in_which_a_segment_was_too_small_are_not_shown(api: Api) -> None:
    oldest = api.database.clusterings.find_one(sort=[("created", 1)])
    assert oldest is not None
    nights = [
        {**oldest, "_id": f"v{number}", "shares": {"1": share}, "authors": 100}
        for number, share in enumerate((0.04, 0.05, 0.5))
    ]
    shown = nights_of(1, nights, K)
    assert [night["version"] for night in shown] == ["v2", "v1"]
    assert all(night["authors"] >= K for night in shown)


def test_the_timeline_can_be_cut_by_days(api: Api) -> None:
    whole = api.get("timelines?segment=1").json()["periods"]
    days = [row["day"] for row in whole]
    cut = api.get(f"timelines?segment=1&since={days[10]}&until={days[20]}").json()["periods"]
    assert cut == whole[10:21]


def test_the_log_holds_routes_and_no_key_and_no_question(api: Api) -> None:
    api.get("profiles?language=zz")
    api.get("/nosuch/personal-name")
    text = api.log.read_text()
    assert '"route": "api/v1/profiles"' in text
    assert "zz" not in text and "personal-name" not in text
    assert not any(key in text for key in api.keys.values())


def test_metrics_count_requests_for_an_operator_only(api: Api) -> None:
    assert api.get("/metrics", None).status == 401
    assert api.get("/metrics", "analyst").status == 403
    assert b"tweet_profiles_api_requests_total" in api.get("/metrics").body


@pytest.mark.integration
def test_the_deployment_check_of_django_is_clean_in_production(tmp_path: Path) -> None:
    environment = {**os.environ, "TWEET_PROFILES_API_HTTPS": "true", "TWEET_PROFILES_API_HOSTS": "audience.example"}
    done = subprocess.run(
        [sys.executable, "-m", "tweet_profiles.api.manage", "check", "--deploy", "--fail-level", "WARNING"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_serving_beyond_this_machine_wants_tls(command: Command) -> None:
    done = command("serve", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "TWEET_PROFILES_API_HTTPS" in done.stderr


def test_a_key_is_made_listed_and_revoked_by_command(command: Command, own_database: str) -> None:
    made = command("api-key", "make", "ann", "--role", "analyst")
    assert made.stdout.startswith("tp_") and len(made.stdout.splitlines()) == 1
    assert command("api-key", "make", "ann").returncode == 1
    listed = command("api-key", "list").stdout
    assert "ann" in listed and made.stdout.strip() not in listed
    assert "revoked" in command("api-key", "revoke", "ann").stdout
    assert command("api-key", "revoke", "ann").returncode == 1

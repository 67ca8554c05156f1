"""What somebody who means harm sends, and what they get: 4xx, as a problem, with nothing leaked."""

import itertools
import json
import socket
import urllib.parse
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tweet_profiles.api.keys import KeyStore
from tweet_profiles.contracts import LABELS, PARTS_OF_DAY
from tweet_profiles.release.files import safe_cell
from tweet_profiles_tests.api.seed import K, switch, write_release
from tweet_profiles_tests.api.served import Answer, Api, served

INJECTIONS = (
    '{"$gt":""}', '{"$ne":null}', "$where", "';sleep(9);'", "1;return true", ".*", "^.*$", "(a+)+$", "a.b.c",
    "__proto__", "../../etc/passwd", "\x00", "NaN", "Infinity", "-1", "1e400", "9" * 400, "true", "[]",
    "=cmd|'/c calc'!A0", "é" * 300,
)  # fmt: skip
PARAMETERS = {
    "profiles": ("segment", "sentiment", "sentiment_min", "sentiment_max", "language", "active", "tweets_min",
                 "tweets_max", "sort", "limit", "cursor"),
    "segments/0/members": ("sort", "limit", "cursor"),
    "timelines": ("segment", "since", "until"),
    "downloads/csv": ("segment", "sentiment", "sentiment_min", "language", "active", "tweets_min"),
}  # fmt: skip
MATRIX = {
    "marketing": ("overview", "segments", "segments/0", "segments/0/brief", "segments/0/history", "clusterings",
                  "clusterings/current", "timelines", "schema", "docs"),
    "analyst": ("profiles", "segments/0/members", "downloads/csv", "downloads/jsonl", "downloads/parquet"),
    "operator": ("health",),
}  # fmt: skip
RANK = ("marketing", "analyst", "operator")


def _refused(answer: Answer, *statuses: int) -> None:
    assert answer.status in (statuses or range(400, 500)), answer.body[:300]
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status and {"type", "title", "detail"} <= set(problem)
    text = answer.body.decode()
    for leak in ("Traceback", "pymongo", "django", "/site-packages/", "secantus", "mongodb://"):
        assert leak not in text


@pytest.mark.parametrize("path", PARAMETERS)
def test_no_parameter_takes_an_operator_a_pattern_or_a_huge_value(api: Api, path: str) -> None:
    for name, value in itertools.product(PARAMETERS[path], INJECTIONS):
        _refused(api.get(f"{path}?{name}={urllib.parse.quote(value)}"), 400)


@pytest.mark.parametrize("path", PARAMETERS)
def test_no_name_of_a_parameter_reaches_the_database(api: Api, path: str) -> None:
    for name in ("segment[$gt]", "segment.$ne", "$where", "main_language", "release", "_id", "a.b", "limit[]"):
        _refused(api.get(f"{path}?{urllib.parse.quote(name)}=1"), 400)
    first = PARAMETERS[path][0]
    _refused(api.get(f"{path}?{first}=1&{first}=2"), 400)


@pytest.mark.parametrize("path", ["clusterings/$where", "clusterings/..%2f..", "segments/-1", "segments/1e3",
                                  "segments/99999999999999999999999", "downloads/exe", "segments/0%00",
                                  "clusterings/" + "a" * 3000])  # fmt: skip
def test_no_path_leads_elsewhere(api: Api, path: str) -> None:
    _refused(api.get(path), 400, 404)


def test_a_page_has_at_most_two_hundred_rows(api: Api) -> None:
    _refused(api.get("profiles?limit=201"), 400)
    _refused(api.get("profiles?limit=1000000000"), 400)


def test_a_forged_or_borrowed_cursor_is_refused(api: Api) -> None:
    real = api.get("profiles?sort=tweets_seen&limit=5").json()["next"]
    _refused(api.get(f"profiles?sort=tweets_seen&cursor={real[:-2]}xx"), 400)
    _refused(api.get(f"profiles?sort=-tweets_seen&cursor={real}"), 400)
    _refused(api.get(f"profiles?segment=1&sort=tweets_seen&cursor={real}"), 400)
    _refused(api.get(f"segments/1/members?sort=tweets_seen&cursor={real}"), 400)
    payload = real.split(":")[0]
    _refused(api.get(f"profiles?cursor={payload}:1abcde:{'A' * 43}"), 400)


def test_nothing_but_health_answers_without_a_key(api: Api) -> None:
    for path in itertools.chain(*MATRIX.values()):
        answer = api.get(path, None)
        _refused(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for path in ("assign", "score"):
        _refused(api.post(path, {}, None), 401)
    assert api.get("/healthz", None).status == api.get("/readyz", None).status == 200


@pytest.mark.parametrize("role", RANK)
def test_a_role_reads_what_is_its_own_and_no_more(api: Api, role: str) -> None:
    for needed, paths in MATRIX.items():
        for path in paths:
            answer = api.get(path, role)
            if RANK.index(role) >= RANK.index(needed):
                assert answer.status == 200, path
            else:
                _refused(answer, 403)
    for path, body in (("assign", {"accounts": [{}]}), ("score", {"texts": ["a"]})):
        assert api.post(path, body, role).status == (200 if role == "operator" else 403)


def test_no_header_or_method_raises_a_role(api: Api) -> None:
    for headers in ({"X_Role": "operator"}, {"X_Http_Method_Override": "POST"}, {"X_Forwarded_User": "root"}):
        _refused(api.get("profiles", "marketing", **headers), 403)
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"):
        _refused(api.send(method, "segments", "operator", None), 405)


def test_ended_and_unknown_keys_are_refused(api: Api) -> None:
    store = KeyStore(api.database)
    _, text = store.make("soon gone", "operator", None)
    headers = {"Authorization": f"Bearer {text}"}
    assert api.get("segments", None, **headers).status == 200
    store.revoke("soon gone")
    _refused(api.get("segments", None, **headers), 401)
    key, text = store.make("old", "operator", 1)
    api.database.api_keys.update_one({"_id": key.id}, {"$set": {"expires": datetime.now(UTC) - timedelta(seconds=1)}})
    _refused(api.get("segments", None, Authorization=f"Bearer {text}"), 401)
    for guess in ("Bearer", "Bearer x", "Basic YTpi", "Bearer " + "x" * 3000, 'Bearer {"$ne":1}'):
        _refused(api.get("segments", None, Authorization=guess), 401)


def test_keys_and_sessions_are_nowhere_stored_as_text(api: Api) -> None:
    stored = str(list(api.database.api_keys.find())) + str(list(api.database.api_sessions.find()))
    assert not any(key in stored for key in api.keys.values())


def test_guessing_and_hurrying_end_in_429(mongodb_server: str, tmp_path: Path) -> None:
    with served(tmp_path, mongodb_server, "test_throttle", TWEET_PROFILES_API_RATE_PER_MINUTE="8") as api:
        seen = [api.get("/api/v1/schema", "marketing") for _ in range(20)]
        assert 429 in {answer.status for answer in seen}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in seen if answer.status == 429)
        assert api.get("schema", "analyst").status == 200
        guesses = [api.get("segments", None, Authorization=f"Bearer guess{n}").status for n in range(70)]
        assert set(guesses) == {401, 429}


@st.composite
def _filters(draw: st.DrawFn) -> dict[str, object]:
    """Any combination of filters that the API takes."""
    choices: dict[str, st.SearchStrategy[object]] = {
        "segment": st.integers(0, 3), "sentiment": st.sampled_from(LABELS),
        "language": st.sampled_from(("en", "de", "es")), "active": st.sampled_from(PARTS_OF_DAY),
    }  # fmt: skip
    asked = draw(st.fixed_dictionaries({}, optional=choices))
    for name, ends in (("sentiment", st.floats(0, 1).map(lambda end: round(end, 4))), ("tweets", st.integers(1, 40))):
        if draw(st.booleans()):
            low, high = sorted((draw(ends), draw(ends)))  # type: ignore[type-var]
            asked |= {f"{name}_min": low, f"{name}_max": high}
    return asked


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=_filters(), more=_filters())
def test_no_filters_and_no_difference_of_filters_isolate_fewer_than_k_authors(
    api: Api, one: dict[str, object], more: dict[str, object]
) -> None:
    # Rows are compared by all they show, and counted: who they are of is what an attacker would look for.
    def rows(asked: dict[str, object]) -> Counter[bytes]:
        answer = api.get(f"downloads/jsonl?{urllib.parse.urlencode(asked)}")
        assert answer.status == 200, answer.body
        return Counter(answer.body.splitlines())

    wide, narrow, other = rows(one), rows({**more, **one}), rows(more)
    assert narrow <= wide
    for left in (wide, narrow, other, wide - narrow, wide - other, other - wide, wide & other):
        assert all(authors >= K for authors in left.values())
    listed = api.get(f"profiles?{urllib.parse.urlencode({**one, 'limit': 200})}").json()
    page = Counter(json.dumps(row, sort_keys=True) for row in listed["rows"])
    known = Counter(json.dumps(json.loads(row), sort_keys=True) for row in wide.elements())
    assert page <= known
    assert listed["next"] is not None or page == known


def test_sizes_and_timelines_count_nobody_who_is_not_among_the_released_rows(api: Api) -> None:
    for segment in api.get("segments", "marketing").json()["segments"]:
        number = segment["segment"]
        rows = api.get(f"downloads/jsonl?segment={number}").body.splitlines()
        assert segment["authors"] == len(rows) >= K
        periods = api.get(f"timelines?segment={number}", "marketing").json()["periods"]
        assert periods and all(period["authors"] >= K for period in periods)


def test_a_cell_of_a_csv_is_never_a_formula(mongodb_server: str, tmp_path: Path) -> None:
    with served(tmp_path, mongodb_server, "test_formula") as api:
        version = write_release(api.database, 1, 100)
        api.database.released_profiles.update_many({"main_language": "es"}, {"$set": {"main_language": "=1+1"}})
        switch(api.database, version)
        text = api.get("downloads/csv").body.decode("utf-8-sig")
        assert ",'=1+1," in text and ",=1+1" not in text
    assert [safe_cell(cell) for cell in ("=1", "+1", "-1", "@a", "\t1")] == ["'=1", "'+1", "'-1", "'@a", "'\t1"]


def test_a_host_that_is_not_ours_is_refused(api: Api) -> None:
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1\\@evil.example", "127.0.0.1, evil.example"):
        _refused(api.get("segments", Host=host), 400)
    _refused(api.get("segments", None, Host="evil.example", X_Forwarded_Host="127.0.0.1"), 400, 401)


BODIES = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"texts":' * 5_000 + b"1" + b"}" * 5_000,
    "digits": b'{"texts":[' + b"9" * 9_000 + b"]}",
    "nan": b'{"accounts":[{"followers":NaN}]}',
    "infinite": b'{"accounts":[{"followers":1e999}]}',
    "text for number": b'{"accounts":[{"followers":"12"}]}',
    "operator": b'{"accounts":[{"followers":{"$gt":0}}]}',
    "unknown": b'{"accounts":[{"$where":"1"}]}',
    "surrogate": b'{"texts":["\\ud800"]}',
    "not utf-8": b'{"texts":["\xff\xfe"]}',
    "not json": b"texts=1",
    "null": b"null",
    "list": b"[]",
    "too many": json.dumps({"texts": ["a"] * 101}).encode(),
    "too long": json.dumps({"texts": ["a" * 4001]}).encode(),
    "hours": b'{"accounts":[{"hours":[1,2]}]}',
    "empty": b"",
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_meant_is_refused(api: Api, name: str) -> None:
    for path in ("assign", "score"):
        _refused(api.post(path, BODIES[name]), 400)


def test_a_body_too_large_or_of_another_kind_is_refused(api: Api) -> None:
    _refused(api.post("score", b" " * 2_000_001), 413)
    _refused(api.send("POST", "score", "operator", b"a=1", Content_Type="application/x-www-form-urlencoded"), 415)
    _refused(api.send("POST", "score", "operator", b"<a/>", Content_Type="application/xml"), 415)


def test_a_session_changes_nothing_without_the_pages_token(api: Api) -> None:
    store = KeyStore(api.database)
    key = next(key for key in store.list() if key.name == "operator")
    cookie = f"tweet_profiles_session={store.open_session(key)}"
    assert api.get("segments", None, Cookie=cookie).status == 200
    _refused(api.post("score", {"texts": ["a"]}, None, Cookie=cookie), 403)
    _refused(api.send("POST", "/login", None, b"key=x", Content_Type="application/x-www-form-urlencoded"), 403)


def test_every_answer_carries_the_security_headers(api: Api) -> None:
    for path in ("/login", "/healthz", "/api/v1/segments", "/api/v1/nosuch"):
        headers = api.get(path, "operator").headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"


def test_the_login_sends_nobody_to_another_site(api: Api) -> None:
    for target in ("//evil.example", "https://evil.example", "javascript:alert(1)", "/\\evil.example"):
        page = api.get(f"/login?next={urllib.parse.quote(target)}", None).body.decode()
        assert 'name="next" value="/"' in page


def test_bytes_that_are_no_request_do_no_harm(api: Api) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    for sent in (b"\x16\x03\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"):  # fmt: skip
        with socket.create_connection((host, int(port)), timeout=5) as one:
            try:
                one.sendall(sent)
                one.shutdown(socket.SHUT_WR)
                told = one.recv(200)
            except ConnectionError:
                told = b""
            assert not told.startswith(b"HTTP/1.1 5")
    assert api.get("segments").status == 200

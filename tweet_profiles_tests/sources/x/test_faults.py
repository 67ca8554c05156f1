"""What X, a network or a disk may do to a search: told by its name, with its own remedy, and nothing lost unsaid."""

import threading
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tweet_profiles.errors import HomeError, TweetProfilesError
from tweet_profiles.home import Home
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.sources.x import losses
from tweet_profiles.sources.x.answers import parse
from tweet_profiles.sources.x.client import XClient
from tweet_profiles.sources.x.errors import StoppedError, XDayLimitError, XUnfinishedError
from tweet_profiles.sources.x.pacing import LIMITS, WINDOW_S, Budget, Usage
from tweet_profiles.sources.x.pages import MOST_STALE, PageFacts, Position, next_move
from tweet_profiles.sources.x.search import PendingError, backfill, first_id_at, make_client, moment_of, pull
from tweet_profiles_tests.fake_x import FakeX
from tweet_profiles_tests.fake_x.server import PAGE_FAULTS
from tweet_profiles_tests.sources.x.peer import ids_between, landed, run, x_config, x_environment

pytestmark = pytest.mark.integration


@pytest.fixture
def x():
    with FakeX() as server:
        yield server


@pytest.fixture
def zone(home):
    return LandingZone(home, batch_size=1000)


def age_state(zone, days):
    """Make an interrupted pull as old as it would be if it were taken up so many days later."""
    path = zone.home.private / "x_search" / "pull.json"
    state = orjson.loads(path.read_bytes())
    shift = int(days * 86_400_000) << 22
    for window in [*state["windows"], *state["plan"]]:
        if window["since_id"]:
            window["since_id"] = str(int(window["since_id"]) - shift)
    state["oldest"] = state["oldest"] and state["oldest"] - shift
    state["started"] -= days * 86_400
    path.write_bytes(orjson.dumps(state))
    return state


# Stuck for good


def test_an_interrupted_pull_taken_up_after_ten_days_tells_what_is_lost_and_goes_on(x, zone, ledger):
    x.add(ids_between(5, 600))
    pull(zone, x_config(x))
    more = x.publish(60)
    pull(zone, x_config(x, page_size=10, monthly_post_cap=30))
    state = age_state(zone, 10)
    gone = [int(state["windows"][0]["since_id"]) + number for number in (1, 2)]
    report = pull(zone, x_config(x, page_size=10))
    assert report.finished, "the rest goes on"
    (loss,) = losses.open_losses(zone.home)
    assert datetime.fromisoformat(loss.start) <= moment_of(state["oldest"]) and "7 days only" in loss.why
    assert not losses.open_losses(Home(zone.home.root / "other"))
    assert pull(zone, x_config(x)).finished
    assert losses.open_losses(zone.home) == [loss], "told once, and kept"
    ledger.balance("a pull taken up after 10 days", zone.home, [*more, *gone])
    assert losses.acknowledge(zone.home) == 1 and losses.open_losses(zone.home) == []


def test_a_window_of_which_a_part_is_out_of_reach_keeps_the_other_part(x, zone):
    ids = ids_between(40, 6.5 * 86_400)
    x.add(ids)
    path = zone.home.private / "x_search" / "since.json"
    path.parent.mkdir()
    since = first_id_at(datetime.now(UTC) - timedelta(days=9))
    path.write_bytes(orjson.dumps({"query": x_config(x).search_query, "newest_id": str(since)}))
    report = pull(zone, x_config(x, page_size=10))
    assert set(landed(zone.home)) == set(ids) and report.unreachable_before is not None
    assert len(losses.open_losses(zone.home)) == 1


@pytest.mark.parametrize("days", [3, -3])
def test_a_clock_of_this_machine_that_is_days_off_loses_nothing_and_gets_nothing_refused(zone, days, ledger):
    """X's clock is `days` ahead of ours, and its tweets with it."""
    skew = days * 86_400
    with FakeX(clock_skew_s=skew) as x:
        old = ids_between(20, 5 * 86_400 - skew, 60 - skew)
        x.add(old)
        assert pull(zone, x_config(x)).landed == len(old)
        new = x.publish(10)
        assert pull(zone, x_config(x)).finished
        ledger.balance(f"a clock {days} days off", zone.home, [*old, *new])
        assert losses.open_losses(zone.home) == []


def test_a_quiet_week_is_no_loss(x, zone):
    old = first_id_at(datetime.now(UTC) - timedelta(days=9))
    path = zone.home.private / "x_search" / "since.json"
    path.parent.mkdir()
    until = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    known = {"query": x_config(x).search_query, "newest_id": str(old), "until": until}
    path.write_bytes(orjson.dumps(known))
    report = pull(zone, x_config(x))
    assert report.unreachable_before is None and losses.open_losses(zone.home) == []


def test_a_query_that_was_changed_after_an_interrupted_pull_is_asked_for(x, zone):
    x.add(ids_between(40, 600))
    pull(zone, x_config(x, page_size=10, monthly_post_cap=20))
    paid = x.bill()
    with pytest.raises(PendingError, match=r"--old finish.*--old drop"):
        pull(zone, x_config(x, handles="other"))
    assert x.bill() == paid
    assert pull(zone, x_config(x, handles="other"), old="finish").finished
    assert x.searches()[-1]["params"]["query"] == "@brand -from:brand"
    pull(zone, x_config(x, page_size=10, handles="other"))
    assert x.searches()[-1]["params"]["query"] == "@other -from:other"


# Pages


def test_a_token_that_is_refused_for_ever_costs_no_post_twice(x, zone):
    ids = ids_between(100, 600)
    x.add(ids)
    x.refuse_every_token = True
    report = pull(zone, x_config(x, page_size=10))
    assert report.finished and set(landed(zone.home)) == set(ids)
    assert x.bill() == 100


@pytest.mark.parametrize("length", [1, 2, 3])
def test_tokens_that_lead_in_a_circle_end_nothing_and_page_for_no_ever(x, zone, length, ledger):
    ids = ids_between(100, 600)
    x.add(ids)
    x.cycle = [f"c{number}" for number in range(length)]
    report = pull(zone, x_config(x, page_size=10))
    assert report.finished
    ledger.balance(f"a circle of {length} tokens", zone.home, ids)
    assert x.bill() <= 100 + 10 * length


def test_errors_without_end_leave_the_pull_unfinished_and_the_next_takes_it_up(x, zone):
    ids = ids_between(60, 600)
    x.add(ids)
    x.inject("search", "duplicates", *["errors and a count"] * 20)
    with pytest.raises(XUnfinishedError, match="lead nowhere"):
        pull(zone, x_config(x, page_size=10))
    assert 0 < len(landed(zone.home)) < 60
    x.faults["search"].clear()
    assert pull(zone, x_config(x, page_size=10)).finished
    assert set(landed(zone.home)) == set(ids)


def test_a_page_that_cannot_be_read_is_stepped_around_and_the_second_of_it_is_said_to_be_lost(x, zone, ledger):
    ids = ids_between(200, 7000)
    x.add(ids)
    x.unreadable = {ids[77]}
    report = pull(zone, x_config(x, page_size=20))
    assert report.finished
    assert set(landed(zone.home)) == set(ids) - {ids[77]}
    ledger.balance("a page that cannot be read", zone.home, ids)
    (loss,) = losses.open_losses(zone.home)
    assert "cannot be read" in loss.why


def test_a_killed_search_that_has_cut_its_window_goes_on_in_the_pieces(x, zone):
    ids = ids_between(100, 7000)
    x.add(ids)
    x.unreadable = {ids[50]}
    while not pull(zone, x_config(x, page_size=10, monthly_post_cap=Usage(zone.home, None).used() + 20)).finished:
        pass
    assert set(landed(zone.home)) == set(ids) - {ids[50]}


PAGES = st.builds(
    PageFacts,
    ids=st.lists(st.integers(1, 60), max_size=4).map(tuple),
    token=st.sampled_from([None, "a", "b", "c"]) | st.text(min_size=1, max_size=3),
    odd_token=st.booleans(),
    trouble=st.booleans(),
)


@given(st.data())
@settings(max_examples=300)
def test_no_sequence_of_pages_pages_for_ever(data):
    position, used, oldest, steps = Position(), set(), 61, 0
    budget = 60 * (MOST_STALE + 2) + 300
    while True:
        page = data.draw(PAGES) if steps < 60 else PageFacts((), f"t{steps}", odd_token=False, trouble=False)
        move = next_move(page, position, 0, used)
        if move.kind in ("done", "stuck"):
            break
        assert move.position.oldest == 0 or move.position.oldest <= oldest
        oldest = move.position.oldest or oldest
        used |= {move.position.token} if move.position.token else set()
        position, steps = move.position, steps + 1
        assert steps < budget


@given(faults=st.lists(st.sampled_from([*PAGE_FAULTS, "503", "truncated", "half json"]), max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_in_place_of_pages_the_ledger_balances(tmp_path_factory, faults):
    with FakeX() as x:
        zone = LandingZone(Home.open(tmp_path_factory.mktemp("home")))
        ids = ids_between(45, 600)
        x.add(ids)
        x.inject("search", *faults)
        try:
            report = pull(zone, x_config(x, page_size=10))
        except XUnfinishedError:
            x.faults["search"].clear()
            report = pull(zone, x_config(x, page_size=10))
        assert report.finished and set(landed(zone.home)) == set(ids)
        assert report.posts == report.landed + report.duplicates + report.suppressed + report.quarantined
        assert set(landed(zone.home).values()) == {1}
        assert len(x.searches()) <= 5 + 4 * (len(faults) + 2) + 10 * 4
        assert x.violations == []


def test_half_characters_bad_bytes_and_marks_spoil_only_their_own_text():
    assert parse(b'\xef\xbb\xbf{"a": "b"}') == {"a": "b"}
    assert parse(b'{"a": "x\xff", "b": "good"}')["b"] == "good"
    assert parse(b'{"a": "\\ud83d", "b": 1}')["b"] == 1
    with pytest.raises(ValueError, match="nested too deeply"):
        parse(b"[" * 100_000)


# Refusals


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("402", 10, ["credits", "developer console", "kept"]),
        ("402 spending", 11, ["spending limit", "next cycle"]),
        ("429 cap", 12, ["posts of this month are used up"]),
        ("redirect", 21, ["login.example.org", "TWEET_PROFILES_X_BASE_URL"]),
        ("html", 20, ["web page instead of data", "login page"]),
        ("511", 20, ["web page instead of data"]),
        ("503", 4, ["no usable answer", "503"]),
    ],
)
def test_each_refusal_has_its_own_remedy_and_exit_code(x, home, fault, code, words):
    x.add(ids_between(20, 600))
    x.inject("search", *[fault] * 50)
    ended = run("search", env=x_environment(x, PATIENCE_S="50"))
    said = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode == code, said
    assert all(word in said for word in words), said
    assert "Traceback" not in said and "next=x" not in said


def test_our_own_cap_has_its_own_exit_code(x, home):
    x.add(ids_between(40, 600))
    ended = run("search", env=x_environment(x, MONTHLY_POST_CAP="15"))
    assert ended.returncode == 3 and "TWEET_PROFILES_X_MONTHLY_POST_CAP" in ended.stdout


def test_an_operator_that_only_the_stream_knows_is_named(x, home):
    ended = run("search", env=x_environment(x, QUERY="brand sample:10 INVALID"))
    assert ended.returncode == 16 and "sample:" in ended.stderr and "TWEET_PROFILES_X_RULES" in ended.stderr


@pytest.mark.parametrize(
    ("settings_", "code", "words"),
    [
        ({"HTTP_PROXY": "http://127.0.0.1:9"}, 19, ["HTTPS_PROXY"]),
        ({"BASE_URL": "https"}, 18, ["certificate", "REQUESTS_CA_BUNDLE"]),
    ],
)
def test_a_proxy_and_a_false_certificate_are_told_as_such(x, home, settings_, code, words, tls_port):
    env = x_environment(x, PATIENCE_S="50")
    if "HTTP_PROXY" in settings_:
        env |= {
            "HTTP_PROXY": settings_["HTTP_PROXY"],
            "http_proxy": settings_["HTTP_PROXY"],
            "NO_PROXY": "",
            "no_proxy": "",
        }
    else:
        env["TWEET_PROFILES_X_BASE_URL"] = f"https://127.0.0.1:{tls_port}"
    ended = run("search", env=env)
    assert ended.returncode == code, ended.stderr
    assert all(word in ended.stderr for word in words), ended.stderr


@pytest.fixture
def tls_port(tmp_path):
    """A server with a certificate of its own making."""
    import socket
    import ssl
    import subprocess

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(plain, server_side=True).close()
            except OSError:
                plain.close()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def test_a_count_that_is_no_number_is_x_s_fault(x, home, own_database):
    x.count = "many"
    ended = run("check", env=x_environment(x))
    assert "holds no number" in ended.stdout and "X's fault" in ended.stdout and "Traceback" not in ended.stderr


# Files


@pytest.mark.parametrize("name", ["x_search/pull.json", "x_search/since.json", "x_usage.json", "x_losses.json"])
@pytest.mark.parametrize("content", [b"", b'{"windows": [', b"[]", b"\0" * 40])
def test_a_damaged_file_is_one_sentence_with_its_name_and_nothing_is_forgotten(x, zone, name, content):
    x.add(ids_between(30, 600))
    pull(zone, x_config(x, page_size=10, monthly_post_cap=20))
    path = zone.home.private / name
    path.write_bytes(content)
    with pytest.raises(HomeError, match=f"{path.name} is (damaged|empty): ") as raised:
        (losses.open_losses(zone.home), pull(zone, x_config(x, monthly_post_cap=100)))
    assert "\n" not in str(raised.value) and path.read_bytes() == content


def test_a_damaged_page_of_the_spool_is_asked_for_again(x, zone):
    ids = ids_between(40, 600)
    x.add(ids)
    pull(zone, x_config(x, page_size=10, monthly_post_cap=20))
    (zone.home.private / "x_search" / "pull.spool").write_bytes(b'{"pages": 3, "tweets": [{"id": \n')
    assert pull(zone, x_config(x, page_size=10)).finished
    assert set(landed(zone.home)) == set(ids)


# Limits


HOSTILE = st.fixed_dictionaries(
    {},
    optional={
        "x_rate_limit_remaining": st.sampled_from(["0", "-1", "5", "none", "", "1e9", "nan"]),
        "x_rate_limit_reset": st.sampled_from(
            ["past", "soon", "-5", "0", "1e308", "text", "inf", "99999999999999", ""]
        ),
        "x_app_limit_24hour_remaining": st.sampled_from(["0", "7", "text"]),
        "x_app_limit_24hour_reset": st.sampled_from(["past", "soon", "0", "text", "99999999999"]),
    },
)


@given(headers=HOSTILE, route=st.sampled_from(["search", "rules"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_headers_make_more_requests_than_the_windows_allow(tmp_path_factory, headers, route):
    """Five windows of 429, by a clock that only our own waits move."""
    told = {"past": str(int(time.time()) - 1), "soon": str(int(time.time()) + 1)}
    clock = [0.0]
    times: list[float] = []

    def sleep(seconds):
        clock[0] += seconds
        if clock[0] > 5 * WINDOW_S:
            raise StoppedError

    with FakeX() as x:
        x.hostile = {name: told.get(value, value) for name, value in headers.items()}
        x.inject(route, *["429 hostile"] * 5000)
        config = x_config(x, wait_scale=1.0, patience_s=1e9)
        budget = Budget(Home.open(tmp_path_factory.mktemp("home")), LIMITS, clock=lambda: clock[0])
        client = XClient(config, budget, sleep=sleep, clock=lambda: clock[0])
        ask = client.rules if route == "rules" else lambda: client.search({"query": "q", "max_results": "10"})
        with pytest.raises((StoppedError, XDayLimitError)):
            while True:
                before = len(x.ledger)
                ask()
                times += [clock[0]] * (len(x.ledger) - before)
        requests = len(x.ledger)
    assert requests <= 5 * 20, "refused again and again, X is asked a few times a window"


@given(
    limit=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 400, allow_nan=False), min_size=1, max_size=60),
)
@settings(max_examples=100, deadline=None)
def test_in_no_window_are_there_more_requests_than_its_limit(tmp_path_factory, limit, pauses):
    clock, sent = [1000.0], []
    home = Home.open(tmp_path_factory.mktemp("home"))

    def sleep(seconds):
        clock[0] += seconds

    for number, pause in enumerate(pauses):
        clock[0] += pause
        # Every process of the home has a budget of its own, and all share the file.
        budget = Budget(home, {"recent": limit}, clock=lambda: clock[0])
        budget.take("recent", sleep)
        sent.append(clock[0])
        within = [moment for moment in sent if clock[0] - WINDOW_S < moment]
        assert len(within) <= limit, number


def test_a_drip_ends_after_the_limit_of_the_whole_answer(x, home):
    x.add(ids_between(5, 60))
    x.inject("search", *["drip"] * 9)
    began = time.monotonic()
    config = x_config(x, answer_s=0.5, patience_s=100)
    with pytest.raises(TweetProfilesError, match="no usable answer"):
        pull(LandingZone(home), config)
    assert time.monotonic() - began < 10


def test_a_range_whose_beginning_x_refuses_is_told_in_xs_own_clock(zone):
    with FakeX(clock_skew_s=0) as x:
        x.add(ids_between(10, 600))
        start = datetime.now(UTC) - timedelta(days=2)
        assert backfill(zone, x_config(x), start, client=make_client(x_config(x), zone.home)).landed == 10

"""Search, against a server over real HTTP: every page once, whatever happens, and a clear word when X refuses."""

import itertools
import signal
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tweet_profiles.errors import SettingError
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.sources.x.errors import XAccessError, XRequestError, XUnavailableError
from tweet_profiles.sources.x.pacing import Usage
from tweet_profiles.sources.x.pages import Move, Position
from tweet_profiles.sources.x.search import (
    BusyError,
    Window,
    _job,
    backfill,
    first_id_at,
    moment_of,
    pull,
    settle,
    split,
)
from tweet_profiles_tests.fake_x import FakeX, snowflake
from tweet_profiles_tests.fake_x.server import SEARCH_FAULTS
from tweet_profiles_tests.sources.x.peer import landed, run, start, x_config, x_environment

pytestmark = pytest.mark.integration


@pytest.fixture
def x():
    with FakeX() as server:
        yield server


@pytest.fixture
def zone(home):
    return LandingZone(home, batch_size=1000)


def ids_before_now(count, *, age_s=60.0, step_ms=7):
    first = time.time() * 1000 - age_s * 1000 - count * step_ms
    return [snowflake(first + number * step_ms) for number in range(count)]


def tokens(x):
    return [entry["params"].get("next_token") for entry in x.searches() if entry["status"] == 200]


def test_a_first_pull_takes_all_and_the_next_only_what_is_new(x, zone):
    old = ids_before_now(250, step_ms=100)
    x.add(old)
    began = datetime.now(UTC)
    assert pull(zone, x_config(x)).landed == 250
    new = x.publish(3)
    report = pull(zone, x_config(x))
    assert (report.landed, report.pages) == (3, 1)
    assert moment_of(int(x.searches()[-1]["params"]["since_id"])) <= began
    assert set(landed(zone.home).values()) == {1} and set(landed(zone.home)) == {*old, *new}
    assert x.violations == []


def test_the_tweets_come_out_with_their_authors_and_originals(x, zone):
    x.add([snowflake(time.time() * 1000 - 60_000) // 10 * 10])
    pull(zone, x_config(x))
    (tweet,) = zone.read(zone.keys()[0])
    assert tweet["is_retweet"] and tweet["original_author_id"] == "77"
    assert tweet["retweets_collected"] is False, "keyword search returns retweets no more"
    assert tweet["text"].startswith("the original says more")
    assert tweet["author"]["public_metrics"].keys() == {
        "followers_count", "following_count", "tweet_count", "listed_count"
    }  # fmt: skip
    assert b"handle" not in orjson.dumps(tweet)


def test_the_older_names_of_fields_can_be_asked_for(x, zone):
    with pytest.raises(XRequestError, match="TWEET_PROFILES_X_NAMES=post"):
        pull(zone, x_config(x, names="tweet"))
    assert "tweet.fields" in x.searches()[0]["params"]


def test_a_search_of_500_pages_killed_at_page_137_goes_on_there(x, zone):
    ids = ids_before_now(5000, step_ms=3)
    x.add(ids)
    env = x_environment(x, PAGE_SIZE="10")
    process = start("search", env=env)
    while len(x.searches()) < 137:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    before = len(x.searches())
    finished = run("search", env=env)
    assert finished.returncode == 0, finished.stderr
    asked = tokens(x)
    in_flight = asked[before - 1]
    again = [token for token in set(asked) if asked.count(token) > 1]
    assert again in ([], [in_flight])
    assert len(set(asked)) == 500 and len(asked) in (500, 501)
    assert before < 200
    assert set(landed(zone.home)) == set(ids) and set(landed(zone.home).values()) == {1}


@pytest.mark.parametrize("fault", SEARCH_FAULTS)
def test_no_fault_of_a_page_costs_or_doubles_a_tweet(x, zone, fault, ledger):
    ids = ids_before_now(95)
    x.add(ids)
    x.inject("search", "duplicates", fault, fault)
    report = pull(zone, x_config(x, page_size=10))
    assert x.injected[f"search: {fault}"] >= 2
    assert report.finished and report.landed == 95
    ledger.balance(f"search: {fault}", zone.home, ids)
    assert report.posts == report.landed + report.duplicates + report.suppressed + report.quarantined
    assert report.partial_errors == (2 if "errors" in fault else 0)


def test_the_window_of_requests_is_waited_for(zone):
    with FakeX(window_requests=4, window_s=1.0) as x:
        x.add(ids_before_now(95))
        report = pull(zone, x_config(x, page_size=10))
        assert report.landed == 95
        assert [entry["status"] for entry in x.searches()].count(429) >= 1


def test_the_limit_a_second_is_kept_without_being_hit(zone):
    with FakeX(per_second=20) as x:
        x.add(ids_before_now(65))
        assert pull(zone, x_config(x, page_size=10, requests_per_second=10)).landed == 65
        assert {entry["status"] for entry in x.searches()} == {200}


def test_the_limit_a_second_is_survived_when_it_is_hit(zone):
    with FakeX(per_second=20) as x:
        x.add(ids_before_now(45))
        assert pull(zone, x_config(x, page_size=10)).landed == 45
        assert 429 in {entry["status"] for entry in x.searches()}


def test_at_the_cap_the_search_stops_with_a_notice_and_goes_on_when_there_is_room(x, zone):
    ids = ids_before_now(100)
    x.add(ids)
    report = pull(zone, x_config(x, page_size=20, monthly_post_cap=50))
    assert report.posts == 50 and "MONTHLY_POST_CAP" in report.stopped
    assert Usage(zone.home, 50).used() == 50
    assert len(landed(zone.home)) == 50
    assert pull(zone, x_config(x, page_size=20, monthly_post_cap=50)).posts == 0
    more = pull(zone, x_config(x, page_size=20, monthly_post_cap=1000))
    assert more.finished and more.posts == 50 and more.resumed_at_page == 4
    assert set(landed(zone.home)) == set(ids)


def test_when_x_says_the_cap_is_reached_the_search_stops_and_keeps_its_place(x, zone):
    x.add(ids_before_now(40))
    x.faults["search"].extend(["duplicates", "429 cap"])
    report = pull(zone, x_config(x, page_size=10))
    assert "used up" in report.stopped and report.pages == 1
    assert pull(zone, x_config(x, page_size=10)).resumed_at_page == 2
    assert len(landed(zone.home)) == 40


def test_a_token_that_has_expired_begins_the_window_anew_and_doubles_nothing(x, zone):
    ids = ids_before_now(60)
    x.add(ids)
    pull(zone, x_config(x, page_size=10, monthly_post_cap=30))
    x.refuse_tokens = True
    assert pull(zone, x_config(x, page_size=10)).finished
    assert set(landed(zone.home)) == set(ids) and set(landed(zone.home).values()) == {1}


def test_a_range_is_searched_in_pieces_oldest_first(x, zone):
    now = datetime.now(UTC)
    ids = [snowflake((now - timedelta(days=day)).timestamp() * 1000) for day in range(1, 60)]
    x.add(ids)
    config = x_config(x, search="all", page_size=500, window_days=10)
    report = backfill(zone, config, now - timedelta(days=45), now - timedelta(days=5))
    assert report.landed == 40
    starts = [entry["params"]["start_time"] for entry in x.searches()]
    assert len(starts) == 4 and starts == sorted(starts)
    assert {entry["path"] for entry in x.searches()} == {"/2/tweets/search/all"}
    assert x.violations == []


def test_recent_search_refuses_a_range_before_its_reach_and_names_the_setting(x, zone):
    with pytest.raises(SettingError, match="TWEET_PROFILES_X_SEARCH=all"):
        backfill(zone, x_config(x), datetime.now(UTC) - timedelta(days=30))
    assert x.searches() == []


def test_a_pull_after_more_than_seven_days_tells_what_is_out_of_reach(x, zone):
    folder = zone.home.private / "x_search"
    folder.mkdir()
    config = x_config(x)
    old = first_id_at(datetime.now(UTC) - timedelta(days=9))
    (folder / "since.json").write_bytes(orjson.dumps({"query": config.search_query, "newest_id": str(old)}))
    new = x.publish(2)
    report = pull(zone, config)
    assert report.landed == 2 and report.unreachable_before is not None
    assert set(landed(zone.home)) == set(new)


def test_a_changed_query_begins_anew(x, zone):
    x.add(ids_before_now(5))
    pull(zone, x_config(x))
    pull(zone, x_config(x, handles="other"))
    assert "since_id" not in x.searches()[-1]["params"]


def test_a_record_that_cannot_be_used_is_put_aside_and_the_rest_goes_on(x, zone, monkeypatch):
    ids = ids_before_now(10)
    x.add(ids)
    page = FakeX.page_of(ids, None, post_names=True)
    del page["data"][0]["created_at"]
    monkeypatch.setattr(x, "page", lambda params, post_names: page)
    report = pull(zone, x_config(x))
    assert (report.landed, report.quarantined) == (9, 1)
    (file,) = zone.home.quarantine.iterdir()
    entry = orjson.loads(file.read_bytes())
    assert entry["reason"] == "the time of creation is missing" and str(ids[0]) in entry["content"]


def test_only_one_pull_of_a_home_runs_at_a_time(x, zone):
    with _job(zone, "pull"), pytest.raises(BusyError, match="another process"):
        pull(zone, x_config(x))


def test_what_a_killed_search_had_spooled_can_be_landed_without_asking_x(x, zone):
    x.add(ids_before_now(30))
    with _job(zone, "pull") as job:
        job.progress.windows = [Window("@brand -from:brand")]
        job._advance(Move("on", Position("t1")), zone_tweets(x, 10), 10, datetime.now(UTC))
    assert settle(zone) == 0
    assert len(landed(zone.home)) == 10
    assert x.ledger == []


def zone_tweets(x, count):
    from tweet_profiles.sources.formats.v2 import from_page
    from tweet_profiles.sources.x.answers import with_tweet_names

    return from_page(with_tweet_names(FakeX.page_of(x.ids[:count], None, post_names=True))).tweets


def test_a_torn_line_of_the_spool_is_asked_for_again(x, zone):
    ids = ids_before_now(30)
    x.add(ids)
    config = x_config(x, page_size=10, monthly_post_cap=20)
    pull(zone, config)
    (zone.home.private / "x_search" / "pull.spool").write_bytes(b'{"window":0,"token":"t9","pages":3,"twe')
    assert pull(zone, x_config(x, page_size=10)).resumed_at_page == 3
    assert set(landed(zone.home)) == set(ids)


def test_when_x_stays_away_the_search_gives_up_and_says_what_to_do(zone):
    with FakeX() as x:
        url = x.url
    with pytest.raises(XUnavailableError, match="TWEET_PROFILES_X_BASE_URL"):
        pull(zone, x_config(x, base_url=url, patience_s=1))


def test_a_token_that_has_worked_is_not_given_up_for_one_refusal(x, zone):
    x.add(ids_before_now(40))
    x.inject("search", "duplicates", "401", "403")
    assert pull(zone, x_config(x, page_size=10)).landed == 40


@pytest.mark.parametrize(
    ("settings", "status", "words"),
    [
        ({"BEARER_TOKEN": "a-wrong-token"}, 2, ["TWEET_PROFILES_X_BEARER_TOKEN", "X says 401: Unauthorized"]),
        ({"BEARER_TOKEN": ""}, 2, ["TWEET_PROFILES_X_BEARER_TOKEN is not set"]),
        ({"SEARCH": "all"}, 13, ["X says 403", "TWEET_PROFILES_X_SEARCH=recent", "Standard Basic"]),
        ({"QUERY": "INVALID"}, 2, ["X says 400", "no viable alternative", "TWEET_PROFILES_X_QUERY"]),
        ({"HANDLES": ""}, 2, ["nothing says which tweets to pull", "TWEET_PROFILES_X_HANDLES"]),
    ],
)
def test_a_refusal_names_the_setting_and_what_x_said_without_a_trace(x, home, settings, status, words):
    x.forbidden_paths.add("/2/tweets/search/all")
    ended = run("search", env=x_environment(x, **settings))
    assert ended.returncode == status
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("tweet-profiles: ")]
    assert all(word in line for word in words), line
    assert "Traceback" not in ended.stderr
    assert "a-wrong-token" not in ended.stderr + ended.stdout


def test_a_refused_token_is_an_access_error(x, zone):
    with pytest.raises(XAccessError):
        pull(zone, x_config(x, bearer_token="wrong"))


def test_ids_and_times_belong_together():
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert moment_of(first_id_at(moment)) == moment
    assert first_id_at(datetime(2006, 1, 1, tzinfo=UTC)) == 0


def test_windows_join_without_gap_or_overlap():
    start_, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 20, 12, tzinfo=UTC)
    windows = split("q", start_, end, timedelta(days=7))
    assert (windows[0].start, windows[-1].end) == ("2026-01-01T00:00:00Z", "2026-01-20T12:00:00Z")
    assert all(one.end == two.start for one, two in itertools.pairwise(windows))

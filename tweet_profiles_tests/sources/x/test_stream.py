"""The stream collector, against a server over real HTTP: no fault and no kill costs or doubles a tweet."""

import itertools
import random
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.sources.x.collector import Collector
from tweet_profiles.sources.x.errors import XAccessError, XCapError, XRequestError
from tweet_profiles.sources.x.gaps import Gap, merged
from tweet_profiles.sources.x.health import Health, read, troubles
from tweet_profiles.sources.x.losses import open_losses
from tweet_profiles.sources.x.rules import TAG, sync_rules
from tweet_profiles.sources.x.search import BusyError, first_id_at, make_client, moment_of
from tweet_profiles_tests.fake_x import FakeX
from tweet_profiles_tests.fake_x.server import CONNECT_FAULTS, SEARCH_FAULTS, STREAM_FAULTS
from tweet_profiles_tests.sources.x.peer import collecting, has_all, landed, run, start, x_config, x_environment
from tweet_profiles_tests.waiting import until

pytestmark = pytest.mark.integration

LAG_S = 0.3


@pytest.fixture
def x():
    with FakeX(search_lag_s=LAG_S) as server:
        yield server


@pytest.fixture
def zone(home):
    return LandingZone(home, batch_size=50, batch_age_s=0.3)


def test_what_the_stream_sends_lands_once_and_the_rule_is_made(x, zone):
    with collecting(zone, x_config(x)):
        until(lambda: x.connected, "connection")
        ids = x.publish(120)
        until(has_all(zone, ids), "landing")
    assert set(landed(zone.home).values()) == {1}
    assert [(rule["value"], rule["tag"]) for rule in x.rules.values()] == [("@brand -from:brand", TAG)]
    assert x.violations == []
    health = read(zone.home)
    assert (health.state, health.received, health.landed, health.connects) == ("stopped", 120, 120, 1)
    assert {tweet["retweets_collected"] for key in zone.keys() for tweet in zone.read(key)} == {True}


def test_a_batch_lands_when_it_is_old_though_no_tweet_follows(x, zone):
    with collecting(zone, x_config(x)):
        until(lambda: x.connected, "connection")
        ids = x.publish(3)
        until(has_all(zone, ids), "landing by age")


def test_the_rules_follow_the_configuration_and_others_rules_stay(x, zone):
    client = make_client(x_config(x), zone.home)
    client.change_rules({"add": [{"value": "somebody else's"}, {"value": "old", "tag": TAG}]})
    ours = sync_rules(client, ("new", "newer")).ours
    assert {rule["value"] for rule in x.rules.values()} == {"somebody else's", "new", "newer"}
    assert {x.rules[rule]["value"] for rule in ours} == {"new", "newer"}
    before = len(x.ledger)
    assert sync_rules(client, ("new", "newer")).ours == ours
    assert [entry["method"] for entry in x.ledger[before:]] == ["GET"]


def test_what_only_others_rules_match_is_left_out(x, zone):
    x.rules["7"] = {"id": "7", "value": "another brand", "tag": "theirs"}
    with collecting(zone, x_config(x)) as collector:
        until(lambda: x.connected, "connection")
        (tweet,) = x.publish(1)
        x.send_raw(x.line(tweet + 1, [{"id": "7", "tag": "theirs"}]))
        until(lambda: collector.health.foreign == 1, "the foreign tweet")
    assert set(landed(zone.home)) == {tweet}


def test_no_fault_of_the_stream_costs_or_doubles_a_tweet(x, zone, ledger):
    ids = []
    with collecting(zone, x_config(x)) as collector:
        for fault in STREAM_FAULTS:
            x.inject("stream", fault)
            end = time.monotonic() + 20
            while not x.injected[f"stream: {fault}"]:
                assert time.monotonic() < end, f"no connection for {fault}"
                ids += x.publish(15)
                time.sleep(0.03)
            ids += x.publish(15)
        until(has_all(zone, ids), "landing")
        until(lambda: not collector._state.gaps, "gaps")
    ledger.balance("stream: each of " + ", ".join(STREAM_FAULTS), zone.home, ids)
    assert x.violations == []


@pytest.mark.parametrize("faults", [CONNECT_FAULTS[first::4] for first in range(4)], ids=", ".join)
def test_no_refused_reconnect_costs_a_tweet(x, zone, ledger, faults):
    with collecting(zone, x_config(x)):
        until(lambda: x.connected, "connection")
        ids = x.publish(10)
        x.inject("connect", *faults)
        x.inject("stream", "disconnect")
        ids += x.publish(5)
        until(lambda: not x.connected, "disconnect")
        ids += x.publish(7)
        until(has_all(zone, ids), "landing")
    assert [x.injected[f"connect: {fault}"] for fault in faults] == [1] * len(faults)
    ledger.balance("connect: " + ", ".join(faults), zone.home, ids)


def test_a_tweet_that_search_does_not_know_yet_at_the_reconnect_is_not_missed(zone):
    with FakeX(search_lag_s=2.0) as x, collecting(zone, x_config(x)):
        until(lambda: x.connected, "connection")
        ids = x.publish(1)
        x.inject("connect", "503")
        x.inject("stream", "disconnect")
        ids += x.publish(1)
        until(lambda: not x.connected, "disconnect")
        ids += x.publish(3)
        until(has_all(zone, ids), "landing")


def test_a_gap_is_filled_by_the_stream_where_the_plan_has_it(x, zone):
    with collecting(zone, x_config(x, backfill_minutes=2)) as collector:
        until(lambda: x.connected, "connection")
        ids = x.publish(10)
        x.inject("connect", "503")
        x.inject("stream", "disconnect")
        ids += x.publish(10)
        until(lambda: not x.connected, "disconnect")
        ids += x.publish(10)
        until(has_all(zone, ids), "landing")
        until(lambda: not collector._state.gaps, "the gap's end")
    assert [entry for entry in x.ledger if "backfill_minutes" in entry["params"]]
    assert x.searches() == []


def test_sigterm_lands_the_open_batch(x, home):
    process = start("stream", env={**x_environment(x), "TWEET_PROFILES_BATCH_AGE_S": "3600"})
    until(lambda: x.connected, "connection")
    ids = x.publish(30)
    until(lambda: x.streamed == 30, "delivery")
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "30 landed in 1 batches" in " ".join(out.split())
    assert set(landed(home)) == set(ids)


def test_what_a_killed_collector_had_not_landed_is_found_by_the_next(x, home):
    env = {**x_environment(x), "TWEET_PROFILES_BATCH_SIZE": "40"}
    process = start("stream", env=env)
    until(lambda: x.connected, "connection")
    ids = x.publish(100)
    until(lambda: len(landed(home)) == 80, "two batches")
    process.kill()
    process.communicate()
    until(lambda: not x.connected, "the server notices")
    ids += x.publish(25)
    process = start("stream", env=env)
    zone = LandingZone(home)
    until(lambda: x.connected, "connection")
    until(lambda: (read(home) or Health(0, 0)).gap_fills == 1, "gap")
    process.terminate()
    process.communicate(timeout=60)
    assert has_all(zone, ids)() and set(landed(home).values()) == {1}


def test_a_soak_with_every_fault_and_three_kills_loses_and_doubles_nothing(x, home, tmp_path):
    chance = random.Random(7)
    faults = [("stream", fault) for fault in STREAM_FAULTS] + [("connect", fault) for fault in CONNECT_FAULTS]
    faults += [("search", fault) for fault in SEARCH_FAULTS if fault not in ("401", "403")]
    chance.shuffle(faults)
    env = {**x_environment(x), "TWEET_PROFILES_BATCH_SIZE": "200", "TWEET_PROFILES_BATCH_AGE_S": "1"}
    log = tmp_path / "collector.log"
    process, ids, kills = start("stream", env=env, stderr=log), [], 0
    until(lambda: x.connected, "connection")
    for step in range(150):
        if step % 4 == 0 and faults:
            where, fault = faults.pop()
            x.inject(where, fault)
            if where != "stream":
                x.inject("stream", "disconnect")  # so that there is a reconnect, and a gap to search
        if step in (40, 80, 120):
            process.kill()
            process.communicate()
            kills += 1
            process = start("stream", env=env, stderr=log)
        ids += x.publish(20)
        time.sleep(0.1)
        assert process.poll() is None, log.read_text()[-3000:]
    try:
        until(has_all(LandingZone(home), ids), "every tweet", seconds=90)
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert kills == 3 and process.returncode == 0
    assert set(landed(home)) == set(ids) and set(landed(home).values()) == {1}
    assert x.violations == []
    assert "a-good-token" not in log.read_text()


def test_an_id_from_the_future_does_not_hide_a_gap(x, zone):
    with collecting(zone, x_config(x)):
        until(lambda: x.connected, "connection")
        x.send_raw(x.line(9_000_000_000_000_000_000))
        x.inject("connect", "503")
        x.inject("stream", "disconnect")
        ids = x.publish(3)
        until(lambda: not x.connected, "disconnect")
        ids += x.publish(4)
        until(has_all(zone, ids), "landing")


def test_a_gap_that_search_no_longer_reaches_is_told_and_not_tried_for_ever(x, zone):
    now = datetime.now(UTC)
    old = Gap(first_id_at(now - timedelta(days=9)), (now - timedelta(days=8)).timestamp())
    collector = Collector(zone, x_config(x), threading.Event())
    collector._state.gaps = [old]
    collector._write_state()
    with collecting(zone, x_config(x)) as collector:
        until(lambda: not collector._state.gaps, "removal")
    assert x.searches() == []
    (lost,) = open_losses(zone.home)
    assert "reaches back 7 days only" in str(lost)
    assert any("--acknowledge" in trouble for trouble in troubles(collector.health, 0, running=True, lost=[lost]))


def test_a_collector_that_waits_for_x_still_stops_at_once(x, home):
    x.inject("rules", *["503"] * 100)
    process = start("stream", env=x_environment(x, WAIT_SCALE="1"))
    until(lambda: x.injected["rules: 503"], "first request")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert x.injected["rules: 503"] == 1


def test_only_one_collector_of_a_home_runs(x, zone):
    with collecting(zone, x_config(x)):
        until(lambda: read(zone.home) is not None, "health")
        with pytest.raises(BusyError, match="runs already"):
            Collector(zone, x_config(x), threading.Event()).run()


def test_at_the_cap_the_collector_stops_and_keeps_what_it_has(x, zone):
    with (
        pytest.raises(XCapError, match="MONTHLY_POST_CAP"),
        collecting(zone, x_config(x, monthly_post_cap=20)) as running,
    ):
        until(lambda: x.connected, "connection")
        ids = x.publish(25)
        until(lambda: running.health.state == "stopped", "stop")
    assert set(landed(zone.home)) == set(ids)


def test_a_broken_record_is_put_aside_with_its_reason(x, zone):
    with collecting(zone, x_config(x)) as collector:
        until(lambda: x.connected, "connection")
        x.send_raw(b'{"data": {"id": "12", "text": "nobody wrote this"}}')
        until(lambda: collector.health.quarantined == 1, "quarantine")
    (file,) = zone.home.quarantine.iterdir()
    assert "nobody wrote this" in orjson.loads(file.read_bytes())["content"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"BEARER_TOKEN": "a-wrong-token"}, ["TWEET_PROFILES_X_BEARER_TOKEN", "X says 401"]),
        ({"BEARER_TOKEN": ""}, ["TWEET_PROFILES_X_BEARER_TOKEN is not set"]),
        ({"RULES": "INVALID"}, ["X refuses a rule", "no viable alternative", "TWEET_PROFILES_X_RULES"]),
        ({}, ["may not use /2/tweets/search/stream ", "X says 403", "Standard Basic"]),
    ],
)
def test_a_refusal_names_the_setting_and_what_x_said_without_a_trace(x, home, settings, words):
    x.forbidden_paths.add("/2/tweets/search/stream")
    ended = run("stream", env=x_environment(x, **settings))
    assert ended.returncode == (13 if settings == {} else 2)  # the plan has a code of its own
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("tweet-profiles: ")]
    assert all(word in line for word in words), line
    assert "Traceback" not in ended.stderr and "a-wrong-token" not in ended.stderr + ended.stdout


def test_refusals_are_errors_of_the_setting(x, zone):
    with pytest.raises(XAccessError):
        Collector(zone, x_config(x, bearer_token="wrong"), threading.Event()).run()
    with pytest.raises(XRequestError):
        Collector(zone, x_config(x, rules="INVALID"), threading.Event()).run()


def test_the_status_tells_a_running_from_a_dead_collector(x, home):
    assert run("status", env=x_environment(x)).returncode == 1
    process = start("stream", env=x_environment(x))
    until(lambda: (read(home) or Health(0, 0)).state == "connected", "connection")
    well = run("status", env=x_environment(x))
    # The home itself is empty, which is told too.
    assert "tweets per minute" in well.stdout and "- the collector" not in well.stdout
    process.kill()
    process.communicate()
    dead = run("status", env=x_environment(x))
    assert dead.returncode == 1 and "has ended" in dead.stdout


def test_a_hanging_collector_is_noticed():
    health = Health(pid=1, started_at=0, state="connected", updated_at=100)
    assert troubles(health, 110, running=True) == []
    assert "hangs" in troubles(health, 200, running=True)[0]


GAPS = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 50)).map(
        lambda pair: Gap(first_id_at(datetime.fromtimestamp(1.7e9 + pair[0], UTC)), 1.7e9 + pair[0] + pair[1])
    )
)


@given(GAPS)
def test_merged_gaps_cover_the_same_and_do_not_touch(gaps):
    result = merged(gaps)
    for gap in gaps:
        assert any(one.since_id <= gap.since_id and gap.end <= one.end for one in result)
    for one, two in itertools.pairwise(result):
        assert one.end < moment_of(two.since_id).timestamp()
    covered = sum(gap.end - moment_of(gap.since_id).timestamp() for gap in gaps)
    assert sum(gap.end - moment_of(gap.since_id).timestamp() for gap in result) <= covered + 1e-6

"""What others, the disk and time may do to a collector: it drops no tweet in silence, and never lives on half dead."""

import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.sources.x import collector as collector_module
from tweet_profiles.sources.x import deadman
from tweet_profiles.sources.x.deadman import Deadman
from tweet_profiles.sources.x.errors import XRuleCapError
from tweet_profiles.sources.x.health import FOREIGN_ALARM, Health, read, troubles
from tweet_profiles.sources.x.losses import open_losses
from tweet_profiles.sources.x.rules import TAG, same_rule, sync_rules
from tweet_profiles.sources.x.search import first_id_at, make_client, moment_of
from tweet_profiles_tests.fake_x import FakeX
from tweet_profiles_tests.sources.x.peer import collecting, has_all, run, start, x_config, x_environment
from tweet_profiles_tests.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture
def x():
    with FakeX(search_lag_s=0.3) as server:
        yield server


@pytest.fixture
def zone(home):
    return LandingZone(home, batch_size=50, batch_age_s=0.3)


# Rules


def test_our_rule_made_again_by_somebody_under_another_id_and_without_a_tag_is_still_ours(x, zone, ledger):
    with collecting(zone, x_config(x)):
        until(lambda: x.connected, "connection")
        ids = x.publish(60)
        (rule,) = x.rules.values()
        x.rules.clear()
        x.rules["99"] = {"id": "99", "value": rule["value"]}
        ids += x.publish(120)
        until(has_all(zone, ids), "landing")
    ledger.balance("rules: made again by somebody", zone.home, ids)


def test_our_rule_that_somebody_deleted_is_made_again_and_what_was_missed_is_searched(x, zone, ledger):
    with collecting(zone, x_config(x)) as collector:
        until(lambda: x.connected, "connection")
        ids = x.publish(20)
        x.rules.clear()
        ids += x.publish(30)
        until(lambda: x.rules, "the rule")
        ids += x.publish(20)
        until(has_all(zone, ids), "landing")
        assert collector.health.rules_restored == 1
    ledger.balance("rules: deleted by somebody", zone.home, ids)


@pytest.mark.parametrize("spelling", [str.upper, lambda value: f"( {value} )", lambda value: f'{value} "x"'])
def test_a_rule_that_x_stores_in_another_spelling_is_known_by_its_tag(x, zone, spelling):
    x.spelling = spelling
    with collecting(zone, x_config(x)):
        until(lambda: x.connected, "connection")
        ids = x.publish(40)
        until(has_all(zone, ids), "landing")
    assert len(x.rules) == 1
    with collecting(zone, x_config(x)):
        until(lambda: x.connected, "connection")
        ids = x.publish(40)
        until(has_all(zone, ids), "landing after a restart")
    assert len(x.rules) == 1


def test_at_the_cap_of_rules_our_old_one_makes_room_and_others_do_not(x, zone):
    x.max_rules = 1
    client = make_client(x_config(x), zone.home)
    client.change_rules({"add": [{"value": "old", "tag": TAG}]})
    sync_rules(client, ("new",))
    assert [rule["value"] for rule in x.rules.values()] == ["new"]
    x.rules = {"5": {"id": "5", "value": "theirs", "tag": ""}}
    with pytest.raises(XRuleCapError, match="delete rules of other programs"):
        sync_rules(client, ("new",))
    assert XRuleCapError.exit_code == 14 and set(x.rules) == {"5"}


def test_an_old_rule_comes_back_if_the_new_one_is_refused(x, zone):
    x.max_rules = 1
    client = make_client(x_config(x), zone.home)
    client.change_rules({"add": [{"value": "old", "tag": TAG}]})
    with pytest.raises(Exception, match="refuses a rule"):
        sync_rules(client, ("INVALID",))
    assert [rule["value"] for rule in x.rules.values()] == ["old"]


def test_rules_without_a_value_are_passed_over(x, zone):
    x.rules = {"5": {"id": "5"}, "6": {"value": "no id"}}
    assert make_client(x_config(x), zone.home).rules() == []


def test_the_same_rule_is_known_in_any_spelling():
    assert same_rule("(@Brand  OR x)") == same_rule("@brand or x") == same_rule("( @brand OR x )")
    assert same_rule("(a) (b)") != same_rule("a b")


def test_tweets_that_only_others_rules_match_are_an_alarm():
    health = Health(1, 0, state="connected", updated_at=100, foreign_in_a_row=FOREIGN_ALARM)
    assert "rules that are not ours" in troubles(health, 101, running=True)[0]


def test_a_stream_without_keep_alives_is_none_whatever_it_says_of_itself():
    health = Health(1, 0, state="connected", updated_at=1000, last_byte_at=100)
    assert "no keep-alive either" in troubles(health, 1001, running=True)[0]


# Time


def test_tweets_that_the_stream_has_late_at_a_disconnect_are_found(x, zone, ledger):
    with collecting(zone, x_config(x, gap_overlap_s=30)):
        until(lambda: x.connected, "connection")
        x.late_s = 4.0
        ids = x.publish(10)
        time.sleep(1.5)
        x.late_s = 0.0
        x.inject("stream", "closed")
        ids += x.publish(10)
        until(has_all(zone, ids), "landing", seconds=20)
    ledger.balance("stream: tweets that come late", zone.home, ids)


def test_quiet_days_on_a_stream_that_lives_are_no_gap(x, zone, monkeypatch):
    monkeypatch.setattr(collector_module, "STREAM_LATENCY_S", 0.1)
    old = first_id_at(datetime.now(UTC) - timedelta(days=9))
    (zone.home.private / "x_stream.json").write_bytes(orjson.dumps({"last_id": old, "gaps": []}))
    with collecting(zone, x_config(x)) as collector:
        until(lambda: x.connected, "connection")
        until(lambda: moment_of(collector._state.last_id) > datetime.now(UTC) - timedelta(minutes=1), "quiet")
        until(lambda: open_losses(zone.home), "the nine days")
    with collecting(zone, x_config(x)) as collector:
        until(lambda: collector.health.connects, "connection")
        until(lambda: not collector._state.gaps, "the gap")
    assert len(open_losses(zone.home)) == 1, "only the first start had missed something"


# Ends


def ended_with(process, code, *words):
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    line = next(line for line in err.splitlines() if line.startswith("tweet-profiles: "))
    assert all(word in line for word in words), line
    assert "Traceback" not in err, err
    return out


def test_a_disk_that_refuses_a_gap_ends_the_collector_so_that_it_is_started_again(x, home):
    process = start("stream", env=x_environment(x))
    until(lambda: x.connected, "connection")
    (home.private / "x_search").write_text("a file where a folder should be")
    x.inject("stream", "closed")
    x.publish(3)
    ended_with(process, 1, "x_search", "cannot be used")


@pytest.mark.parametrize("name", ["x_stream.json", "x_usage.json"])
def test_a_damaged_file_of_the_collector_is_named(x, home, name):
    (home.private / name).write_bytes(b'{"last_id": ')
    ended_with(start("stream", env=x_environment(x)), 1, name, "is damaged")


def test_a_file_that_is_damaged_while_the_collector_runs_ends_it_with_its_name(x, home):
    process = start("stream", env=x_environment(x))
    until(lambda: (read(home) or Health(0, 0)).state == "connected", "health")
    (home.private / "x_usage.json").write_bytes(b"")
    ended_with(process, 1, "x_usage.json is empty")


@pytest.mark.parametrize(("fault", "code"), [("402", 10), ("402 spending", 11), ("429 cap", 12)])
def test_when_nothing_more_may_be_pulled_the_stream_ends_with_the_reason_s_code(x, home, fault, code):
    x.inject("connect", *[fault] * 9)
    ended_with(start("stream", env=x_environment(x)), code, "kept")


@pytest.mark.parametrize("where", ["rules", "connect", "search"])
def test_sigterm_ends_the_collector_within_ten_seconds_whatever_drips(x, home, where):
    process = start("stream", env=x_environment(x, TIMEOUT_S="60", ANSWER_S="600", STALL_S="60"))
    if where == "search":
        until(lambda: x.connected, "connection")
        x.inject("search", "drip")
        x.inject("stream", "closed")
        x.publish(3)
        until(lambda: x.injected["search: drip"], "the search")
    else:
        x.inject(where, "drip")
        until(lambda: x.injected[f"{where}: drip"], "the drip")
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert time.monotonic() - began < 10


def test_a_reset_that_lies_in_the_past_makes_no_tight_loop(x, zone):
    x.inject("connect", *["429 past"] * 100)
    with collecting(zone, x_config(x, wait_scale=1)):
        time.sleep(6)
    assert sum(entry["path"].endswith("/stream") for entry in x.ledger) <= 4


def test_the_connects_of_a_window_are_never_more_than_x_documents(x, zone):
    with collecting(zone, x_config(x, limits="connect=5", wait_scale=0.004)):
        for _ in range(30):
            x.inject("stream", "closed")
            x.publish(1)
            time.sleep(0.1)
    times = [entry["at"] for entry in x.ledger if entry["path"].endswith("/stream")]
    assert len(times) > 3
    assert all(sum(moment - 3.5 < other <= moment for other in times) <= 5 for moment in times)


def test_a_plan_without_backfill_goes_on_without(x, zone, ledger):
    x.has_backfill = False
    with collecting(zone, x_config(x, backfill_minutes=2)):
        until(lambda: x.connected, "connection")
        ids = x.publish(10)
        x.inject("stream", "disconnect")
        ids += x.publish(10)
        until(has_all(zone, ids), "landing")
        until(lambda: x.connected, "connection")
        ids += x.publish(5)
        until(has_all(zone, ids), "landing")
    ledger.balance("connect: backfill refused", zone.home, ids)


def test_a_collector_that_waits_for_x_at_its_start_does_not_hang(x, zone):
    x.inject("rules", *["503"] * 100)
    with collecting(zone, x_config(x, wait_scale=1)) as collector:
        time.sleep(2)
        assert collector.heartbeat > time.monotonic()


def test_what_hangs_is_ended_by_the_deadman(monkeypatch, capsys):
    monkeypatch.setattr(deadman, "STOP_S", 0.2)
    monkeypatch.setattr(deadman, "HANG_S", 0.2)
    codes = []
    stop = threading.Event()
    stop.set()
    Deadman(stop, time.monotonic, codes.append)
    Deadman(threading.Event(), lambda: 0.0, codes.append)
    Deadman(threading.Event(), time.monotonic, codes.append).leave()
    until(lambda: len(codes) == 2, "both ends", seconds=5)
    time.sleep(0.5)
    assert codes == [1, 1]
    assert {"did not end" in line or "has hung" in line for line in capsys.readouterr().err.splitlines()} == {True}


def test_losses_are_told_by_status_until_they_are_acknowledged(x, home, own_database):
    from tweet_profiles.sources.x.losses import Loss, note

    note(home, Loss("the pull", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "gone"))
    told = " ".join(run("status", env=x_environment(x)).stdout.split())
    assert "the pull: tweets from 2026-01-01T00:00:00Z" in told and "--acknowledge" in told
    run("status", "--acknowledge", env=x_environment(x))
    assert "the pull: tweets" not in run("status", env=x_environment(x)).stdout

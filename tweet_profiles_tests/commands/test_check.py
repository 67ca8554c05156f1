"""`tweet-profiles check` as a newcomer meets it: each line says what is missing and what to do."""

import pytest

from tweet_profiles_tests.fake_x import FakeX
from tweet_profiles_tests.sources.x.peer import run, x_environment

pytestmark = pytest.mark.integration


@pytest.fixture
def x():
    with FakeX() as server:
        yield server


def checked(x, **settings):
    database = {name: settings.pop(name) for name in list(settings) if name.startswith("MONGODB")}
    return run("check", env={**x_environment(x, **settings), **database})


def line_of(ended, what):
    (line,) = [line for line in ended.stdout.splitlines() if f" {what}: " in line]
    return line


def test_with_nothing_set_each_line_names_the_setting_and_x_is_not_asked(x, own_database):
    ended = checked(x, BEARER_TOKEN="", HANDLES="")
    assert ended.returncode == 2
    assert "TWEET_PROFILES_X_BEARER_TOKEN is not set" in line_of(ended, "token")
    assert "TWEET_PROFILES_X_HANDLES" in line_of(ended, "query")
    assert line_of(ended, "rules") == "FAIL rules: as query"
    assert line_of(ended, "MongoDB").startswith("ok") and line_of(ended, "model").startswith("ok")
    assert "not ready: token, query, rules" in ended.stderr
    assert x.ledger == []


def test_when_all_is_well_it_tells_what_would_be_pulled_and_what_it_costs(x, own_database):
    x.publish(40)
    ended = checked(x, MONTHLY_POST_CAP="1000")
    assert ended.returncode == 0, ended.stdout
    assert "40 tweets of the last 7 days match" in line_of(ended, "search")
    assert "1 of 1 will be added" in line_of(ended, "stream")
    assert "1200 of 15000 posts this month" in line_of(ended, "cap") and "1000 of 1000 left" in line_of(ended, "cap")
    assert x.violations == [] and x.rules == {} and x.searches() == []  # nothing was changed, nothing was spent


def test_a_wrong_token_is_told_once_by_its_setting_and_never_shown(x, own_database):
    ended = checked(x, BEARER_TOKEN="a-wrong-token")
    assert ended.returncode == 2
    assert "X says 401" in line_of(ended, "search")
    assert line_of(ended, "stream") == "FAIL stream: as search"
    assert "a-wrong-token" not in ended.stdout + ended.stderr


def test_a_clock_that_is_off_is_told_by_how_much(own_database):
    with FakeX(clock_skew_s=7200) as x:
        ended = checked(x)
    assert ended.returncode == 2
    assert "X's clock is 7200 s ahead" in line_of(ended, "clock") or "X's clock is 7199 s" in line_of(ended, "clock")


def test_a_rule_that_x_refuses_is_told_in_xs_words(x, own_database):
    ended = checked(x, RULES="INVALID")
    assert ended.returncode == 2
    assert "no viable alternative" in line_of(ended, "stream") and "_X_RULES" in line_of(ended, "stream")
    assert line_of(ended, "search").startswith("ok")


def test_a_mongodb_that_is_away_is_named_without_its_password(x, monkeypatch):
    monkeypatch.setenv("TWEET_PROFILES_MONGODB_TIMEOUT_S", "1")
    ended = checked(x, MONGODB_URI="mongodb://user:hunter2@127.0.0.1:9/")
    assert ended.returncode == 2
    assert "MONGODB_URI" in line_of(ended, "MongoDB") and "127.0.0.1:9" in line_of(ended, "MongoDB")
    assert line_of(ended, "search").startswith("ok")
    assert "hunter2" not in ended.stdout + ended.stderr


def test_a_setting_that_cannot_be_used_is_one_plain_line(x):
    ended = checked(x, HANDLES="no good")
    assert ended.returncode == 2
    assert "TWEET_PROFILES_X_HANDLES: a handle has 1 to 15 letters" in ended.stderr
    assert "Traceback" not in ended.stderr

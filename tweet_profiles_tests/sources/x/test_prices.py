"""Money: what X charges by the day, what a pull costs at most, and that nothing passes the budget."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.sources.x.config import load_x_settings
from tweet_profiles.sources.x.pacing import Usage
from tweet_profiles.sources.x.prices import TABLE, cost, dollars, prices_on
from tweet_profiles.sources.x.search import pull
from tweet_profiles_tests.fake_x import FakeX
from tweet_profiles_tests.sources.x.peer import ids_between, run, x_config, x_environment


def test_the_prices_are_those_of_their_day_and_one_s_own_stand_above_them():
    first, prices = TABLE[0]
    assert prices_on(first, {}) == prices == prices_on(date(2020, 1, 1), {})
    assert (prices.post, prices.user, prices.count) == (5_000, 10_000, 5_000)
    assert prices_on(first, {"post": 0.001}).post == 1_000 and prices_on(first, {"post": 0.001}).user == 10_000
    assert cost(prices, posts=100, users=80, counts=1) == 1_305_000
    assert (dollars(1_305_000), dollars(1), dollars(0)) == ("$1.305", "$0.001", "$0.000")


def test_prices_are_set_by_name_and_a_wrong_one_is_told(monkeypatch):
    monkeypatch.setenv("TWEET_PROFILES_X_PRICES", "post=0.001, user=0")
    assert load_x_settings().prices == {"post": 0.001, "user": 0.0}
    monkeypatch.setenv("TWEET_PROFILES_X_PRICES", "tweet=0.001")
    with pytest.raises(Exception, match="TWEET_PROFILES_X_PRICES: should read NAME=DOLLARS"):
        load_x_settings()


@pytest.mark.integration
def test_a_pull_tells_what_it_cost_by_what_x_delivered(home):
    with FakeX() as x:
        x.add(ids_between(25, 600))
        ended = run("search", env=x_environment(x, PAGE_SIZE="10"))
        assert ended.returncode == 0, ended.stderr
        used = Usage(home, None).this_month()
        billed = x.resources()
    assert (used.posts + used.referenced, used.users) == billed
    assert used.cost == 5_000 * billed[0] + 10_000 * billed[1]
    assert f"It costs up to {dollars(used.cost)} ({billed[0]} posts, {billed[1]} users)" in ended.stdout
    assert f"this month so far up to {dollars(used.cost)}" in ended.stdout


@pytest.mark.integration
@pytest.mark.parametrize("budget", [0.0, 0.5, 1.0, 2.5])
def test_nothing_passes_the_budget_and_what_is_pulled_is_kept(home, budget):
    with FakeX() as x:
        x.add(ids_between(200, 600))
        zone = LandingZone(home)
        report = pull(zone, x_config(x, page_size=20, monthly_budget_usd=budget))
        assert "MONTHLY_BUDGET_USD" in report.stopped
        posts, users = x.resources()
        assert posts * 0.005 + users * 0.010 <= budget
        assert pull(zone, x_config(x, page_size=20, monthly_budget_usd=100)).finished


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(*[st.integers(0, 50)] * 4), max_size=10))
def test_a_month_adds_up(tmp_path_factory, parts):
    from tweet_profiles.home import Home

    usage = Usage(Home.open(tmp_path_factory.mktemp("home")), None)
    told = sum(usage.add(a, referenced=b, users=c, counts=d) for a, b, c, d in parts)
    used = usage.this_month()
    assert used.cost == told
    assert told == sum(5_000 * (a + b) + 10_000 * c + 5_000 * d for a, b, c, d in parts)
    assert (used.posts, used.referenced, used.users, used.counts) == tuple(sum(p[i] for p in parts) for i in range(4))

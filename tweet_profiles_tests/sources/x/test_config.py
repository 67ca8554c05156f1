"""The X settings: what a newcomer is told, what query follows, and that no message holds the token."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweet_profiles.errors import SettingError
from tweet_profiles.sources.x.config import EXPANSIONS, TWEET_FIELDS, USER_FIELDS, load_x_settings, missing
from tweet_profiles.sources.x.pacing import WINDOW_S, Backoff, month_of, read_limit, wait_after
from tweet_profiles_tests.fake_x.spec import ENDPOINTS


def test_all_that_is_missing_is_named_at_once():
    faults = missing(load_x_settings())
    assert len(faults) == 2
    assert "TWEET_PROFILES_X_BEARER_TOKEN is not set" in faults[0]
    assert "TWEET_PROFILES_X_HANDLES" in faults[1]


def test_the_token_is_taken_from_either_name_and_never_shown(monkeypatch):
    monkeypatch.setenv("X_BEARER_TOKEN", " top-secret ")
    config = load_x_settings()
    assert config.token == "top-secret"
    assert "top-secret" not in repr(config) + str(config) + config.model_dump_json()
    monkeypatch.setenv("TWEET_PROFILES_X_BEARER_TOKEN", "the-other")
    assert load_x_settings().token == "the-other"


@pytest.mark.parametrize("token", ["Bearer top-secret", "top\nsecret", "top-sécret"])
def test_a_token_that_is_none_is_refused_without_being_shown(monkeypatch, token):
    monkeypatch.setenv("X_BEARER_TOKEN", token)
    with pytest.raises(SettingError) as caught:
        load_x_settings()
    assert "X_BEARER_TOKEN" in str(caught.value)
    assert "secret" not in str(caught.value) and "sécret" not in str(caught.value)


def test_an_empty_token_counts_as_none(monkeypatch):
    monkeypatch.setenv("TWEET_PROFILES_X_BEARER_TOKEN", "")
    assert "is not set" in missing(load_x_settings())[0]


def test_the_query_asks_for_the_brand_and_leaves_out_what_the_brand_says():
    config = load_x_settings(
        handles="@brand, brand_help", keywords="air max,#justdoit", lang="en", include_retweets=False
    )
    assert config.search_query == (
        '(@brand OR @brand_help OR "air max" OR #justdoit) -from:brand -from:brand_help lang:en -is:retweet'
    )


def test_a_raw_query_stands_as_it_is_and_rules_may_differ_from_it(monkeypatch):
    monkeypatch.setenv("TWEET_PROFILES_X_QUERY", "(a OR b) lang:de")
    assert load_x_settings().stream_rules == ("(a OR b) lang:de",)
    monkeypatch.setenv("TWEET_PROFILES_X_RULES", "one, with a comma\n\ntwo")
    assert load_x_settings().stream_rules == ("one, with a comma", "two")
    monkeypatch.setenv("TWEET_PROFILES_X_RULES", '["one", "two"]')
    assert load_x_settings().stream_rules == ("one", "two")


def test_a_stream_returns_retweets_unless_one_of_its_rules_leaves_them_out():
    assert load_x_settings(handles="brand").stream_returns_retweets
    assert not load_x_settings(handles="brand", include_retweets=False).stream_returns_retweets
    assert not load_x_settings(rules='["one", "two -is:retweet"]').stream_returns_retweets


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("HANDLES", "not a handle"),
        ("KEYWORDS", 'a"b'),
        ("RULES", "[1"),
        ("BASE_URL", "http://example.org"),
        ("BASE_URL", "api.x.com"),
        ("BACKFILL_MINUTES", "6"),
        ("LANG", "english"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(monkeypatch, setting, value):
    monkeypatch.setenv(f"TWEET_PROFILES_X_{setting}", value)
    with pytest.raises(SettingError, match=f"TWEET_PROFILES_X_{setting}: "):
        load_x_settings()


def test_only_the_fields_that_profiles_need_are_asked_for_in_either_naming():
    stream = load_x_settings().field_params(stream=True)
    search = load_x_settings().field_params(stream=False)
    for path, params in (("search/stream", stream), ("search/recent", search), ("search/all", search)):
        for name, values in params.items():
            assert set(values.split(",")) <= ENDPOINTS[("GET", f"/2/tweets/{path}")][name]
    assert stream["tweet.fields"] == ",".join(sorted(TWEET_FIELDS))
    assert search["post.fields"] == "attachments,created_at,entities,lang,note_post,public_metrics,source"
    assert (stream["expansions"], search["expansions"]) == (",".join(sorted(EXPANSIONS)), "author_id,referenced_posts")
    assert not USER_FIELDS & {"description", "location", "name", "username", "url", "profile_image_url", "entities"}


@given(st.integers(1, 400))
def test_waits_grow_as_x_documents_and_stop_growing(nth):
    assert wait_after("network", nth) == min(0.25 * nth, 16)
    assert wait_after("http", nth) == min(5 * 2 ** (nth - 1), 320)
    assert wait_after("limit", nth) == min(60 * 2 ** (nth - 1), WINDOW_S)
    assert wait_after("second", nth) == min(2 ** (nth - 1), 60)


def test_a_good_answer_begins_the_waits_anew():
    backoff = Backoff()
    assert [backoff.wait("http"), backoff.wait("http"), backoff.wait("network")] == [5, 10, 0.25]
    backoff.reset()
    assert backoff.wait("http") == 5


def test_the_window_and_the_second_are_told_apart():
    assert read_limit({"x-rate-limit-remaining": "3", "x-rate-limit-reset": "1500"}, 1000).fault == "second"
    window = read_limit({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1500"}, 1000)
    assert (window.fault, window.seconds) == ("limit", 501)


def test_the_time_of_reset_is_read_by_the_servers_clock():
    headers = {"x-rate-limit-reset": "1500", "date": "Thu, 01 Jan 1970 00:23:20 GMT"}  # 1400 s
    assert read_limit(headers, now=99_999).seconds == 101


@pytest.mark.parametrize("reset", ["0", "999999", "soon", None])
def test_a_time_of_reset_that_cannot_be_is_not_believed(reset):
    headers = {} if reset is None else {"x-rate-limit-reset": reset}
    assert read_limit(headers, 10_000).seconds is None


@given(st.dates(min_value=date(2020, 1, 1)), st.integers(1, 28))
def test_a_month_begins_on_its_reset_day_and_no_later_than_the_day_itself(day, reset_day):
    month = month_of(day, reset_day)
    assert month.endswith(f"-{reset_day:02d}")
    assert month <= day.isoformat()

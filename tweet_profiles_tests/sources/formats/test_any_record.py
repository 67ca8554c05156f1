"""Whatever a record holds: it becomes tweets that the contract allows, or it is put aside with a reason."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweet_profiles.contracts import ID_PATTERN, VERIFIED_KINDS
from tweet_profiles.errors import InputError
from tweet_profiles.landing.tweets import AUTHOR_COUNTS, FLAGS, TWEET_COUNTS, BadRecord, Converted, Tweet
from tweet_profiles.sources.formats import Reading, ReadOptions, Record, convert, recognise
from tweet_profiles.sources.formats.known import KNOWN
from tweet_profiles_tests.sources.formats.exports import TWINT, V1_TIME, apify, archived, snscrape
from tweet_profiles_tests.sources.formats.made import plain_rows, read_json, read_table

USER = {"id_str": "701", "screen_name": "ann_7", "followers_count": 3, "verified": True, "created_at": V1_TIME}
V1 = {
    "id_str": "1650000004194304123",
    "created_at": V1_TIME,
    "full_text": "a cup",
    "user": USER,
    "entities": {"hashtags": [{"text": "tea"}], "urls": [], "media": []},
    "extended_tweet": {"full_text": "a cup of tea", "entities": {}},
    "retweeted_status": {"full_text": "tea", "user": USER, "entities": {}},
    "edit_history": {"edit_tweet_ids": ["1", "2"]},
    "source": "web",
    "favorite_count": 1,
}
V2 = {
    "id": "1650000004194304123",
    "author_id": "701",
    "text": "a cup",
    "created_at": "2023-06-01T08:15:00Z",
    "entities": {"hashtags": [{"tag": "tea"}], "urls": [{"expanded_url": "a"}]},
    "note_tweet": {"text": "a cup of tea", "entities": {}},
    "referenced_tweets": [{"type": "retweeted", "id": "5"}],
    "attachments": {"media_keys": ["1"]},
    "withheld": {"scope": "user"},
    "public_metrics": {"like_count": 1},
    "edit_history_tweet_ids": ["1", "2"],
    "author": {"id": "701", "verified_type": "blue", "public_metrics": {}},
    "__twarc": {"retrieved_at": "2023-06-02T00:00:00Z", "url": "https://a?tweet.fields=id"},
}
PAGE = {
    "data": [V2],
    "includes": {"users": [USER | {"id": "701"}], "tweets": [V2 | {"id": "5"}]},
    "errors": [],
    "meta": {},
}
KINDS: dict[str, Any] = {
    "v1": V1,
    "v2": V2,
    "page": PAGE,
    "statuses": {"statuses": [V1]},
    "snscrape": snscrape(),
    "apify": apify(),
    "twint": TWINT,
    "archive": archived(1),
    "plain": plain_rows(1)[0] | {"lang": "en", "user": "ann_7", "hashtags": "['a']", "likes": "3", "verified": "true"},
}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        [
            "NA",
            "",
            "12",
            "1.5E+18",
            "{",
            "[",
            "b'x'",
            "c(",
            "2023-06-01",
            "\ud800",
            "1e400",
            "{'id': 1}",
            "@a",
            "0" * 30,
        ]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "text", "tag", "$date", "$numberLong", "url", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a record."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for step, part in steps for place in places(part, (*way, step)))]


def changed(value: Any, way: tuple[Any, ...], new: Any) -> Any:
    """A copy of the record with another value at the end of the way."""
    if not way:
        return new
    step, *rest = way
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[step] = changed(value[step], tuple(rest), new)
    return copy


@st.composite
def mutilated(draw: st.DrawFn, kind: str) -> Any:
    """A record of a kind in which up to three values are others."""
    value = KINDS[kind]
    for _ in range(draw(st.integers(1, 3))):
        value = changed(value, draw(st.sampled_from(places(value))), draw(VALUES))
    return value


def assert_allowed(tweet: Tweet) -> None:
    assert re.fullmatch(ID_PATTERN, tweet["id"]) and re.fullmatch(ID_PATTERN, tweet["author_id"])
    text = tweet.get("text")
    assert text is None or (isinstance(text, str) and text.strip() and text.encode())
    moment = datetime.fromisoformat(tweet["created_at"])
    assert datetime(2006, 3, 21, tzinfo=UTC) <= moment <= datetime.now(UTC) + timedelta(minutes=5)
    assert datetime.fromisoformat(tweet["observed_at"]).tzinfo == UTC
    assert all(re.fullmatch(r"\w{1,100}", tag) and not tag.isdigit() for tag in tweet["hashtags"])
    assert all(isinstance(tweet.get(name, True), bool) for name in (*FLAGS, "has_hour"))
    assert re.fullmatch(r"[a-z]{2,3}", tweet.get("lang", "en"))
    assert tweet.get("source", "web").strip() and tweet.get("version", 1) >= 1
    author = tweet["author"]
    assert author.get("verified_type", "none") in VERIFIED_KINDS
    counts = {**tweet.get("public_metrics", {}), **author.get("public_metrics", {})}
    assert set(counts) <= {*TWEET_COUNTS, *AUTHOR_COUNTS}
    assert all(type(count) is int and 0 <= count < 2**63 for count in counts.values())


def assert_sound(result: Converted) -> None:
    for tweet in result.tweets:
        assert_allowed(tweet)
    assert all(isinstance(error, BadRecord) and str(error) for error in result.errors)


READINGS: dict[str, Reading] = {
    "plain": read_table([KINDS["plain"]]),
    "twint": read_table([TWINT]),
    "archive": read_json([KINDS["archive"]], constants={"author_id": "701"}),
    **{kind: read_json([KINDS[kind]]) for kind in ("v1", "v2", "page", "statuses", "snscrape", "apify")},
}


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(data=st.data())
def test_a_record_with_anything_in_it_gives_sound_tweets_or_a_reason(kind: str, data: st.DataObject) -> None:
    record = Record(1, "line", data.draw(mutilated(kind)), "")
    assert_sound(READINGS[kind].convert(record))


@given(VALUES)
def test_any_value_of_json_gives_sound_tweets_or_a_reason(value: Any) -> None:
    for reading in READINGS.values():
        assert_sound(reading.convert(Record(1, "line", value, "")))
    try:
        assert_sound(convert(value))
    except BadRecord as error:
        assert str(error)


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(data=st.data())
def test_a_file_of_anything_is_recognised_or_refused_in_a_sentence(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(mutilated(kind), min_size=1, max_size=4))
    records = [Record(number, "line", value, "") for number, value in enumerate(values)]
    shape = "table" if kind in ("plain", "twint") and all(isinstance(value, dict) for value in values) else "json"
    header = list(values[0]) if shape == "table" else None
    try:
        reading = recognise(records, shape, ReadOptions(), header, "made")  # type: ignore[arg-type]
    except InputError as error:
        assert str(error).startswith("made")
    else:
        for record in records:
            assert_sound(reading.convert(record))


def test_every_known_export_is_told_by_something() -> None:
    assert all(export.marks or export.looks for export in KNOWN)
    assert all(export.refusal or {"text", "created_at"} <= set(export.paths) for export in KNOWN)

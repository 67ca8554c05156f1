"""A landed batch as a table: what a tweet tells, what it does not, and what is no tweet."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweet_profiles.contracts import RAW_TWEETS, is_hashtag
from tweet_profiles.landing.frames import raw_frame
from tweet_profiles.tables import read_table, write_table


def tweet(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number), "author_id": "7", "text": "hello", "created_at": "2026-01-01T10:00:00Z",
        "observed_at": "2026-01-02T10:00:00Z", "hashtags": [], "author": {}, **more,
    }  # fmt: skip


def only(**more: Any) -> Any:
    return raw_frame([tweet(**more)]).frame.iloc[0]


def in_(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def test_what_a_tweet_does_not_tell_is_missing() -> None:
    record = tweet()
    del record["text"]
    row = raw_frame([record]).frame.iloc[0]
    assert row[["text", "lang", "is_retweet", "likes", "followers", "verified", "retweets_collected"]].isna().all()
    assert (row["has_hour"], row["version"]) == (True, 1)


def test_what_is_no_language_no_hashtag_and_no_kind_of_verification_is_taken_as_not_told() -> None:
    row = only(
        lang="write to anna",
        hashtags=["Oats", "2024", "a b", "#x", "", "καφές", "हिन्दी"],
        author={"verified_type": "gold"},
    )
    assert row[["lang", "verified_kind"]].isna().all()
    assert row["hashtags"] == ["oats", "καφές", "हिन्दी"]


def test_an_account_older_than_x_has_no_known_birth() -> None:
    assert pd.isna(only(author={"created_at": "1970-01-01T00:00:00Z"})["account_created_at"])
    assert only(author={"created_at": "2006-03-21T00:00:00Z"})["account_created_at"].year == 2006


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"created_at": "2006-03-20T23:59:59Z"}, "created_at: must not be before 2006-03-21"),
        ({"created_at": "1512-01-01T00:00:00Z"}, "created_at: must not be before 2006-03-21"),
        ({"created_at": "9999-12-31T00:00:00Z"}, "created_at: must not be in the future"),
        ({"created_at": in_(days=1)}, "created_at: must not be in the future"),
        ({"observed_at": in_(days=1)}, "observed_at: must not be in the future"),
        ({"id": "12a"}, "tweet_id: "),
        ({"version": 0}, "version: "),
        ({"public_metrics": {"like_count": -1}}, "likes: "),
        ({"public_metrics": {"like_count": 2**63}}, "is not in the form of a tweet (TypeError)"),
        ({"created_at": "2026-01-01T10:00:00"}, "is not in the form of a tweet (ValueError)"),
        ({"text": "half a \ud800 character"}, "is not in the form of a tweet (ValueError)"),
        ({"text": "nul \0"}, "is not in the form of a tweet (ValueError)"),
        ({"text": 7}, "is not in the form of a tweet (ValueError)"),
    ],
)  # fmt: skip
def test_a_record_that_breaks_the_contract_is_left_out_alone_with_its_number_and_the_reason(
    change: dict[str, Any], reason: str
) -> None:
    batch = raw_frame([tweet(1), tweet(2) | change, tweet(3)])
    assert batch.frame["tweet_id"].tolist() == ["1", "3"]
    [(number, told)] = batch.left_out
    assert number == 2 and told.startswith(reason)


@pytest.mark.parametrize(("minutes", "rows"), [(4, 1), (6, 0)])
def test_a_clock_may_be_five_minutes_ahead(minutes: int, rows: int) -> None:
    ahead = in_(minutes=minutes)
    assert len(raw_frame([tweet(created_at=ahead, observed_at=ahead)]).frame) == rows


def test_the_highest_version_of_an_edited_tweet_counts_whenever_it_was_read() -> None:
    late, early = "2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"
    batch = raw_frame(
        [
            tweet(text="second", version=2, observed_at=early),
            tweet(text="first", observed_at=late),
            tweet(text="second, later", version=2, observed_at=late),
            tweet(text="third", version=3, observed_at=early),
        ]
    )
    assert batch.frame["text"].tolist() == ["third"] and batch.frame["version"].tolist() == [3]
    assert (batch.read, batch.duplicates, batch.left_out) == (4, 3, [])


def test_a_broken_observation_replaces_no_sound_one() -> None:
    batch = raw_frame([tweet(text="sound"), tweet(text="from the future", observed_at=in_(days=2))])
    assert batch.frame["text"].tolist() == ["sound"]
    assert (batch.read, batch.duplicates, len(batch.left_out)) == (2, 0, 1)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("2026-01-01T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(tweet())), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional={name: st.just(value) | JUNK for name, value in {
    **tweet(), "lang": "en", "version": 2, "has_hour": False, "source": "web", "is_retweet": True,
    "public_metrics": {"like_count": 3}, "retweets_collected": False,
}.items()}), max_size=6))  # fmt: skip
def test_whatever_a_batch_holds_every_record_is_a_row_a_duplicate_or_left_out(records: list[Any]) -> None:
    batch = raw_frame(records)
    RAW_TWEETS.validate(batch.frame)
    assert batch.read == len(records) and batch.duplicates >= 0
    assert len({number for number, _ in batch.left_out}) == len(batch.left_out)


def test_a_table_written_by_another_version_is_named_with_what_to_do(tmp_path: Any) -> None:
    frame = raw_frame([tweet()]).frame
    path = write_table(tmp_path / "t.parquet", frame)
    RAW_TWEETS.validate(read_table(path, RAW_TWEETS, "raw_tweets"))
    write_table(path, frame.drop(columns="version"))
    with pytest.raises(Exception, match=r"version is not in it.*materialize raw_tweets again"):
        read_table(path, RAW_TWEETS, "raw_tweets")


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("oats", True), ("2024", False), ("año", True), ("", False), ("a b", False), ("covid19", True), ("_", False),
     ("a" * 281, False), ("o'neil", False), ("日本語", True), ("ラーメン・寿司", True)],
)  # fmt: skip
def test_a_hashtag_is_what_x_links(value: str, is_one: bool) -> None:
    assert is_hashtag(value) == is_one

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweet_profiles.sentiment.text import prepare


@pytest.mark.parametrize(
    ("tweet", "prepared"),
    [
        ("@anna_b I love it", "@user I love it"),
        ("see https://t.co/abc123 now", "see http now"),
        ("Tom &amp;amp; Jerry &lt;3", "Tom & Jerry love"),
        ("RT @brand: so good", "so good"),
        ("soooooo goooood!!!!!!", "soo good!!"),
        ("#BestDayEver #oat_milk", "Best Day Ever oat milk"),
        ("nice :) bad :-(", "nice happy bad sad"),
        ("\u200f\u0000  ", ""),
        ("mail me at a@b.c", "mail me at a@b.c"),
        ("10:30 http://x.y/:) ", "10:30 http"),
    ],
)
def test_a_tweet_is_put_into_words_the_encoder_knows(tweet: str, prepared: str) -> None:
    assert prepare(tweet) == prepared


def test_emoji_are_read_by_their_names() -> None:
    assert "heart eyes" in prepare("😍")
    assert prepare("👎🏽") != prepare("👍🏽")


@given(st.text(max_size=400))
def test_any_text_can_be_prepared_and_holds_nothing_unprintable(text: str) -> None:
    prepared = prepare(text)
    assert prepared == prepared.strip()
    assert not any(character < " " or "\ud800" <= character <= "\udfff" for character in prepared)


@given(st.lists(st.sampled_from(["good", "bad", "coffee", "today", "is", "the"]), max_size=10))
def test_plain_words_stay_as_they_are(words: list[str]) -> None:
    assert prepare(" ".join(words)).split() == words


def test_a_very_long_text_is_cut() -> None:
    assert len(prepare("word " * 10_000)) <= 1000

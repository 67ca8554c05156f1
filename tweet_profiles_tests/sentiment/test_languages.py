"""What is not scored: what the model cannot read, and what has nothing to read."""

from collections.abc import Sequence

import pandas as pd
import pytest

from tweet_profiles.contracts import is_language, language_tag
from tweet_profiles.sentiment.languages import LANGUAGES, language_of
from tweet_profiles.sentiment.scoring import score_tweets
from tweet_profiles.sentiment.text import says_something, words

ENGLISH = frozenset({"en"})


class EverythingIsFine:
    """A scorer that likes whatever it is given, and remembers it."""

    version = "fine"

    def __init__(self, *languages: str) -> None:
        self.languages = frozenset(languages)
        self.read: list[str] = []

    def score(self, texts: Sequence[str]) -> pd.DataFrame:
        self.read += texts
        return pd.DataFrame(
            {"sentiment": [0.9] * len(texts), "subjectivity": [0.5] * len(texts), "label": ["positive"] * len(texts)}
        )


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("this is the best oat milk I ever had", "en"),
        ("delayed again, thanks a lot", "en"),
        ("otra vez sin señal en mi casa, qué vergüenza", "es"),
        ("der Kundendienst meldet sich nie zurück", "de"),
        ("le service client ne répond jamais", "fr"),
        ("müşteri hizmetleri asla cevap vermiyor", "tr"),
        ("pesanan saya belum datang sampai sekarang", "id"),
        ("esses preços são um absurdo", "pt"),
        ("また値上げかよ、もう買わない", "ja"),
    ],
)
def test_the_language_of_a_short_tweet_is_told(text: str, language: str) -> None:
    assert language_of(words(text), ENGLISH) == (language, language == "en")


def test_what_may_be_english_is_read_and_what_nobody_can_tell_is_not_named() -> None:
    assert language_of("Iphone 15 pro max", ENGLISH) == (None, True)
    assert language_of("mdr", ENGLISH) == (None, False)


def test_every_language_that_can_be_told_is_one_that_a_tweet_may_have() -> None:
    assert [name for name in LANGUAGES.split() if not is_language(name)] == []


@pytest.mark.parametrize(
    ("tweet", "own"),
    [
        ("RT @anna: das ist gut &amp; schön https://t.co/x 😍 #brand", "das ist gut & schön"),
        ("#BestDayEver #oat_milk", "Best Day Ever oat milk"),
        ("@anna https://t.co/x 100% 😍", ""),
    ],
)
def test_a_language_is_told_of_a_tweets_own_words_alone(tweet: str, own: str) -> None:
    assert words(tweet) == own


@pytest.mark.parametrize(
    "text", ["", "  ", "@anna @berta", "https://t.co/x", "RT @anna:", "...", "\u200f\u0000", "@a www.b.c !"]
)
def test_links_handles_and_marks_alone_say_nothing(text: str) -> None:
    assert not says_something(text)


@pytest.mark.parametrize("text", ["😍", "@anna :)", "10/10", "すごい", "#oats", "no"])
def test_a_word_a_number_an_emoji_or_an_emoticon_says_something(text: str) -> None:
    assert says_something(text)


def test_only_what_the_model_reads_is_scored_and_of_the_rest_is_said_why_not() -> None:
    scorer = EverythingIsFine("en")
    texts = ["I love it", "j'adore ce café, c'est le meilleur", None, "@anna https://t.co/x", "😍", "love this", "mdr"]
    told = [None, None, "en", None, None, "es", None]
    scores = score_tweets(scorer, texts, told)
    assert scores["not_scored"].tolist() == [None, "language", "no text", "no text", None, "language", "language"]
    assert scores["lang"].tolist() == ["en", "fr", "en", None, None, "es", None]
    assert scores["sentiment"].isna().tolist() == [reason is not None for reason in scores["not_scored"]]
    assert (
        scores["label"].isna().tolist() == scores["subjectivity"].isna().tolist() == scores["sentiment"].isna().tolist()
    )
    assert scorer.read == ["I love it", "😍"]


def test_a_told_language_counts_before_any_guess_and_its_region_does_not() -> None:
    scores = score_tweets(EverythingIsFine("en"), ["j'adore ce café", "I love it"], ["en-GB", "fr"])
    assert scores["lang"].tolist() == ["en-GB", "fr"]
    assert scores["not_scored"].tolist() == [None, "language"]


def test_a_model_for_more_languages_reads_more() -> None:
    scores = score_tweets(EverythingIsFine("en", "de"), ["der Kundendienst meldet sich nie zurück"], [None])
    assert scores["not_scored"].tolist() == [None] and scores["lang"].tolist() == ["de"]


def test_a_batch_of_which_nothing_can_be_scored_has_all_columns() -> None:
    for texts in ([], [None]):
        scores = score_tweets(EverythingIsFine("en"), texts, [None] * len(texts))
        assert set(scores) == {"sentiment", "subjectivity", "label", "not_scored", "lang"}
        assert len(scores) == len(texts) and scores["sentiment"].isna().all()


@pytest.mark.parametrize(
    ("told", "tag"),
    [
        ("EN", "en"),
        ("en_us", "en-US"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("in", "id"),
        ("iw", "he"),
        (" pt ", "pt"),
        ("es-419", "es-419"),
    ],
)
def test_a_language_is_written_one_way(told: str, tag: str) -> None:
    assert language_tag(told) == tag


@pytest.mark.parametrize(
    "told",
    [
        "und",
        "qme",
        "zxx",
        "art",
        "NA",
        "nan",
        "None",
        "null",
        "N/A",
        "",
        "-",
        "english",
        "write to anna",
        "en;drop",
        7,
        None,
        float("nan"),
    ],
)
def test_what_says_no_language_is_none(told: object) -> None:
    assert language_tag(told) is None

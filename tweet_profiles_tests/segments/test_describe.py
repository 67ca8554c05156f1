"""What a segment is said to be: names that differ, briefs as text and data, nothing about too few authors."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tweet_profiles.segments.describe import SegmentDescription, Trait, brief, campaign, describe, name_segments
from tweet_profiles.segments.features import build_features, matrix_of
from tweet_profiles_tests.segments.made import KINDS, clustered, made_profiles


@pytest.fixture(scope="module")
def segments() -> list[SegmentDescription]:
    profiles = made_profiles(900, 21)
    # A language and a hashtag that four authors share, and ones that many do.
    for row in range(4):
        profiles.at[row, "languages"] = {"is": 50}
        profiles.at[row, "topics"] = {"secretclub": 50}
    for row in range(4, 400):
        profiles.at[row, "topics"] = {"brewday": 2}
    return clustered(profiles, k=len(KINDS), k_min=len(KINDS), k_max=len(KINDS)).segments


def test_every_segment_has_a_name_of_its_own_that_says_what_sets_it_apart(segments: list[SegmentDescription]) -> None:
    assert len({segment.name for segment in segments}) == len(segments)
    amplifiers = next(s for s in segments if s.typical["followers"] < 10_000 and "amplif" in s.name.lower())
    assert amplifiers.traits[0].effect > 0


def test_the_shares_add_up(segments: list[SegmentDescription]) -> None:
    assert sum(segment.share for segment in segments) == pytest.approx(1)
    assert sum(segment.authors for segment in segments) == 900


def test_a_language_or_hashtag_of_fewer_authors_than_the_threshold_is_told_nowhere(
    segments: list[SegmentDescription],
) -> None:
    everything = json.dumps([segment.document() for segment in segments])
    assert "secretclub" not in everything and '"is"' not in everything
    assert "brewday" in everything


def test_the_brief_is_the_same_as_text_and_as_data(segments: list[SegmentDescription]) -> None:
    for segment in segments:
        data, text = segment.campaign, segment.brief
        assert data["tone"] in text and segment.name in text and f"{segment.authors:,} authors" in text
        assert all(hour in range(24) for hour in data["best_hours_utc"]) and len(data["best_hours_utc"]) == 4
        assert data["targeting"]["languages"] == ["en"] and "languages en" in text
        assert data["targeting"]["devices"] == ["iOS", "Android"]
        size = data["targeting"]["follower_look_alikes"]
        assert size["followers_from"] < segment.typical["followers"] < size["followers_to"]
        json.dumps(data)


def test_the_quarter_of_the_day_is_that_of_most_tweets(segments: list[SegmentDescription]) -> None:
    parts = Counter(segment.part_of_day for segment in segments)
    assert parts == {"evening": 1, "morning": 1, "afternoon": 1, "night": 1}


def test_formats_follow_what_a_segment_does_more_than_others(segments: list[SegmentDescription]) -> None:
    links = [segment for segment in segments if "links to read further" in segment.campaign["formats"]]
    assert len(links) == 1 and links[0].typical["followers"] > 10_000


def facts_of(segment: SegmentDescription, **changes: Any) -> dict[str, Any]:
    return {**asdict(segment), "traits": segment.traits, **changes}


@pytest.mark.parametrize(
    ("positive", "neutral", "negative", "tone"),
    [
        (0.81, 0.16, 0.03, "They like the brand"),
        (0.03, 0.2, 0.77, "They are critical"),
        (0.03, 0.51, 0.46, "More of them criticise than praise"),  # mostly neutral, but hardly anybody likes it
        (0.36, 0.6, 0.04, "More of them praise than criticise"),
        (0.27, 0.35, 0.38, "They are divided"),
        (0.3, 0.5, 0.2, "without taking sides"),
    ],
)
def test_the_tone_follows_whom_there_is_clearly_more_of(
    segments: list[SegmentDescription], positive: float, neutral: float, negative: float, tone: str
) -> None:
    facts = facts_of(segments[0], positive_share=positive, neutral_share=neutral, negative_share=negative)
    assert tone in campaign(facts)["tone"] and tone in brief(facts)


def test_authors_who_are_neutral_beside_fans_are_not_called_critical() -> None:
    def named(effect: float, mean: float) -> str:
        (name,) = name_segments([[Trait("sentiment_mean", "sentiment", effect, mean, 0.9)]])
        return name

    assert named(-1.0, 0.2) == "Sceptics" and named(-1.0, 0.5) == "Reserved voices"
    assert named(1.0, 0.8) == "Fans" and named(1.0, 0.48) == "Milder voices"


def test_differences_are_told_in_the_units_that_people_think_in(segments: list[SegmentDescription]) -> None:
    traits = [
        Trait("account_age_days", "account age in days", 1.0, 3042, 1706),
        Trait("link_share", "share with links", 0.5, 0.99, 0.87),
        Trait("sentiment_mean", "sentiment", -0.4, 0.45, 0.59),
        Trait("likes_per_tweet", "likes a tweet", 0.3, 3.83, 1.44),
    ]
    told = brief(facts_of(segments[0], traits=traits))
    assert "account age 8.3 years against 4.7 elsewhere" in told
    assert "share with links 99% against 87% elsewhere" in told
    assert "sentiment 45 of 100 against 59 elsewhere" in told
    assert "likes a tweet 3.8 against 1.4 elsewhere" in told


def test_sizes_of_look_alikes_are_round(segments: list[SegmentDescription]) -> None:
    for followers, expected in (
        (7.0, (2, 21)),
        (631.0, (210, 1900)),
        (1_234_567.0, (410_000, 3_700_000)),
        (0.0, (0, 0)),
    ):
        size = campaign(facts_of(segments[0], typical={"followers": followers}))["targeting"]["follower_look_alikes"]
        assert (size["followers_from"], size["followers_to"]) == expected


def test_hashtags_that_a_segment_uses_more_than_others_come_before_what_everybody_uses() -> None:
    profiles = made_profiles(600, 22)
    everybody = [{"brand": 3} for _ in range(len(profiles))]
    profiles["topics"] = everybody
    positions = profiles.index[profiles["retweet_share"] > 0.7][:30]
    for row in positions:
        profiles.at[row, "topics"] = {"brand": 3, "giveaway": 1}
    amplifiers = next(
        s
        for s in clustered(profiles, k=len(KINDS), k_min=len(KINDS), k_max=len(KINDS)).segments
        if "giveaway" in s.topics
    )
    assert list(amplifiers.topics.items()) == [("giveaway", 30), ("brand", 3 * amplifiers.authors)]
    assert amplifiers.campaign["targeting"]["keywords"] == ["#giveaway", "#brand"]


def described(profiles: pd.DataFrame) -> SegmentDescription:
    """All of these authors as one segment beside as many others, who are known in everything."""
    others = made_profiles(len(profiles), 31, first=10**6)
    everybody = pd.concat([profiles, others], ignore_index=True)
    built = build_features(everybody)
    segment_of = np.repeat([0, 1], len(profiles))
    matrix, _ = matrix_of(built.frame)
    (first, _) = describe(
        everybody, matrix, built.scaler, segment_of, np.full(len(everybody), 0.5), [0, 1],
        k_anonymity=5, outlier_share=0.01,
    )  # fmt: skip
    return first


def some_profiles(authors: int = 20, **columns: Any) -> pd.DataFrame:
    frame = made_profiles(authors, 30)
    for name, value in columns.items():
        frame[name] = [value] * authors if isinstance(value, list | dict) else value
    return frame


UNSCORED = {
    "tweets_scored": 0,
    **dict.fromkeys(("positive_share", "neutral_share", "negative_share"), np.nan),
    **dict.fromkeys(("sentiment_mean", "sentiment_std", "subjectivity_mean", "subjectivity_std"), np.nan),
}


def test_a_segment_without_a_scored_tweet_has_no_mood_and_no_name_made_of_one() -> None:
    segment = described(some_profiles(**UNSCORED, not_scored={"tr": 2}))
    assert segment.positive_share is segment.sentiment_mean is segment.subjectivity_mean is None
    assert segment.campaign["mood"] is None and segment.not_scored == {"tr": 40}
    assert "Mood: not known, because too few of them wrote anything that the model can read." in segment.brief
    assert "Not scored: tr 40." in segment.brief and "%" not in segment.brief.splitlines()[2]
    assert not {"sentiment_mean", "subjectivity_mean"} & {trait.feature for trait in segment.traits}
    assert {"sentiment_mean", "subjectivity_mean"} <= set(segment.not_known)


def test_the_mood_is_of_own_words_weighed_by_how_many_were_scored() -> None:
    profiles = some_profiles(10, tweets_scored=1, positive_share=0.0, neutral_share=0.0, negative_share=1.0)
    profiles.loc[0, ["tweets_scored", "positive_share", "negative_share"]] = [11, 1.0, 0.0]
    segment = described(profiles)
    assert (segment.positive_share, segment.negative_share) == (pytest.approx(0.55), pytest.approx(0.45))


def test_what_they_pass_on_is_told_apart_from_their_own_words() -> None:
    segment = described(
        some_profiles(
            24, tweets_seen=10, tweets_own=1, tweets_passed_on=9, tweets_scored=1, retweet_share=0.9,
            positive_share=0.0, neutral_share=0.0, negative_share=1.0,
            passed_on_positive_share=0.7, passed_on_neutral_share=0.2, passed_on_negative_share=0.1,
        )
    )  # fmt: skip
    assert (segment.tweets, segment.tweets_own, segment.tweets_passed_on) == (240, 24, 216)
    assert segment.campaign["mood"] == {"positive": 0.0, "neutral": 0.0, "negative": 1.0}
    assert segment.campaign["passed_on"] == {"positive": 0.7, "neutral": 0.2, "negative": 0.1}
    assert "Mood: their own words are 0% positive, 0% neutral, 100% negative." in segment.brief
    assert "Reposts: 220 of their 240 tweets; what they pass on is 70% positive, 20% neutral" in segment.brief


def test_those_who_only_pass_on_have_no_mood_of_their_own() -> None:
    passed_on = dict.fromkeys((f"passed_on_{mood}_share" for mood in ("positive", "neutral", "negative")), 1 / 3)
    segment = described(
        some_profiles(tweets_seen=2, tweets_own=0, tweets_passed_on=2, retweet_share=1.0, **UNSCORED, **passed_on)
    )
    assert "Mood: not known, because all that they do is pass on the tweets of others." in segment.brief
    assert "Reposts: all of their tweets; what they pass on is 33% positive" in segment.brief


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.0, "Reposts: none among their tweets."), (np.nan, "Reposts: not known, because the tweets were collected")],
)
def test_no_reposts_is_not_the_same_as_not_knowing_of_any(share: float, told: str) -> None:
    segment = described(some_profiles(tweets_passed_on=0, retweet_share=share))
    assert told in segment.brief and segment.retweets_known == (share == 0.0)


@pytest.mark.parametrize("few", [1, 4])
def test_counts_that_would_tell_of_a_few_who_repost_are_not_told(few: int) -> None:
    profiles = some_profiles(tweets_seen=3, tweets_own=3, tweets_passed_on=0, tweets_scored=3, retweet_share=0.0)
    profiles.loc[: few - 1, ["tweets_own", "tweets_passed_on"]] = [1, 2]
    segment = described(profiles)
    assert segment.tweets == 60
    assert segment.tweets_own is segment.tweets_passed_on is segment.tweets_scored is segment.passed_on is None
    assert "Reposts: no figure" in segment.brief


def test_a_language_that_too_few_share_is_not_scored_together_with_others_and_never_left_as_a_difference() -> None:
    profiles = some_profiles(20, tweets_own=4, tweets_scored=2, tweets_seen=4, tweets_passed_on=0)
    reasons = [{"es": 2}] * 8 + [{"tr": 2}] * 6 + [{"is": 2}] * 2 + [{}] * 4
    profiles["not_scored"] = reasons
    # Two alone would come out as the rest, so those with the next language join them.
    assert described(profiles).not_scored == {"es": 16, "other": 16}
    profiles["not_scored"] = [{"es": 2}] * 8 + [{"no text": 2}] * 6 + [{}] * 6
    assert described(profiles).not_scored == {"es": 16, "no text": 12}
    assert "Not scored: es 16, 12 without text." in described(profiles).brief
    profiles["not_scored"] = [{"es": 2}] * 4 + [{}] * 16
    assert described(profiles).not_scored == {}


def test_days_without_hours_have_no_best_hours() -> None:
    segment = described(some_profiles(hours=[0] * 24))
    assert segment.best_hours == [] and segment.part_of_day is None
    assert "When: best hours not known, because the tweets tell days only." in segment.brief
    assert segment.campaign["best_hours_utc"] == []


def test_what_a_plain_table_lacks_is_not_known_and_nothing_stands_in() -> None:
    untold = ("retweet_share", "reply_share", "link_share", "media_share", "followers", "likes_per_tweet", "posts")
    segment = described(some_profiles(**dict.fromkeys(untold, np.nan), clients={}, languages={}, topics={}))
    assert "Formats: not known." in segment.brief
    assert (
        "languages not known; devices not known; hashtags none that enough authors share; look-alikes not known."
        in segment.brief
    )
    assert "followers" not in segment.typical and "followers" in segment.not_known
    assert not set(untold) & {trait.feature for trait in segment.traits}


def test_a_mean_of_fewer_authors_than_the_threshold_is_no_trait() -> None:
    profiles = some_profiles(6, followers=np.nan)
    profiles.loc[:3, "followers"] = 10.0**9
    segment = described(profiles)
    assert "followers" not in {trait.feature for trait in segment.traits} and "followers" not in segment.typical

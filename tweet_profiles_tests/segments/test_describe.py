"""What a segment is said to be: names that differ, briefs as text and data, nothing about too few authors."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest

from tweet_profiles.segments.describe import SegmentDescription, Trait, brief, campaign
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
        (0.03, 0.51, 0.46, "They are critical"),  # mostly neutral, but hardly anybody likes it
        (0.27, 0.35, 0.38, "They are divided"),
        (0.3, 0.5, 0.2, "without taking sides"),
    ],
)
def test_the_tone_follows_whom_there_is_clearly_more_of(
    segments: list[SegmentDescription], positive: float, neutral: float, negative: float, tone: str
) -> None:
    facts = facts_of(segments[0], positive_share=positive, neutral_share=neutral, negative_share=negative)
    assert tone in campaign(facts)["tone"] and tone in brief(facts)


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

"""What a segment is said to be: names that differ, briefs as text and data, nothing about too few authors."""

import json
from collections import Counter

import pytest

from tweet_profiles.segments.describe import SegmentDescription
from tweet_profiles_tests.segments.test_nights import KINDS, clustered, made_profiles


@pytest.fixture(scope="module")
def segments() -> list[SegmentDescription]:
    profiles = made_profiles(900, 21)
    # A language and a hashtag that four authors share, and ones that many do.
    for row in range(4):
        profiles.at[row, "languages"] = {"is": 50}
        profiles.at[row, "topics"] = {"secretclub": 50}
    for row in range(4, 400):
        profiles.at[row, "topics"] = {"brewday": 2}
    return clustered(profiles, k=len(KINDS)).segments


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

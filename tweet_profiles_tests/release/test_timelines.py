"""Mood by day: of own words that were scored, and nothing that too few authors made, not even as a difference."""

from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tweet_profiles.release.timelines import timelines
from tweet_profiles_tests.release.made import K, tweets


def of_all(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["segment"] is None]


def test_mood_is_of_own_words_and_what_is_passed_on_counts_as_a_tweet_alone() -> None:
    own = [(author, 1, 0, True, 0.2) for author in range(6)]
    passed_on = [(author, 1, 0, False, 1.0) for author in range(6)]
    (row,) = of_all(timelines(tweets(own + passed_on), K))
    assert (row["tweets"], row["authors"], row["sentiment_mean"], row["negative_share"]) == (12, 6, 0.2, 1.0)


def test_what_was_not_scored_is_counted_and_leaves_the_mood_unknown() -> None:
    (row,) = of_all(timelines(tweets([(author, 1, 0, True, None) for author in range(6)]), K))
    assert (row["tweets"], row["not_scored"], row["sentiment_mean"], row["positive_share"]) == (6, 6, None, None)


def test_a_mood_of_fewer_authors_than_k_is_not_told_though_the_day_is() -> None:
    few = [(author, 1, 0, True, 0.9 if author < 4 else None) for author in range(12)]
    (row,) = of_all(timelines(tweets(few), K))
    assert (row["authors"], row["sentiment_mean"], row["not_scored"]) == (12, None, 8)
    many = [(author, 1, 0, True, 0.9 if author < 10 else None) for author in range(12)]
    (row,) = of_all(timelines(tweets(many), K))
    assert (row["authors"], row["sentiment_mean"], row["not_scored"]) == (12, 0.9, None)


def test_the_mood_of_a_few_does_not_come_out_as_everybodys_less_the_shown_segments() -> None:
    shown = [(author, 1, 0, True, 0.9) for author in range(20)]
    few = [(100 + author, 2, 0, True, 0.1 if author < 2 else None) for author in range(20)]
    rows = timelines(tweets(shown + few), K)
    moods = {row["segment"]: row["sentiment_mean"] for row in rows}
    assert moods == {None: None, 1: 0.9, 2: None}
    assert {row["segment"]: row["authors"] for row in rows} == {None: 40, 1: 20, 2: 20}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 24), st.integers(0, 6), st.booleans(), st.sampled_from([None, 0.1, 0.9])
        ),
        min_size=1, max_size=160,
    )
)  # fmt: skip
def test_no_figure_is_of_too_few_authors_nor_leaves_too_few(made: list[tuple[int, int, bool, float | None]]) -> None:
    table = tweets([(author, author % 3, day, own, sentiment) for author, day, own, sentiment in made])
    rows = timelines(table, K)
    everything = {
        "sentiment_mean": table["own"] & table["sentiment"].notna(),
        "not_scored": table["own"] & table["sentiment"].isna(),
    }
    for name, counted in everything.items():
        part = table[counted]
        told = [row for row in rows if row[name]]
        covered = pd.Series(False, index=part.index)
        for row in told:
            inside = _inside(part, row)
            assert part[inside]["author"].nunique() >= K
            if row["segment"] is not None:
                covered |= inside
        for row in (row for row in told if row["segment"] is None):
            left = part[_inside(part, row) & ~covered]["author"].nunique()
            assert not 0 < left < K


def _inside(part: pd.DataFrame, row: dict[str, Any]) -> pd.Series:
    days = 1 if row["period"] == "day" else 7
    begun = pd.Timestamp(row["day"])
    inside = (part["day"] >= begun) & (part["day"] < begun + pd.Timedelta(days=days))
    return inside if row["segment"] is None else inside & (part["segment"] == row["segment"])

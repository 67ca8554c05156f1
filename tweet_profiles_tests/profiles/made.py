"""Scored tweets as hypothesis makes them: everything that the contract allows."""

from datetime import timedelta
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from tweet_profiles.contracts import (
    ACCOUNT_COUNTS,
    CLIENT_KINDS,
    ENGAGEMENT,
    FIRST_TWEET,
    LABELS,
    NO_TEXT,
    OTHER_LANGUAGE,
    TWEET_FLAGS,
    VERIFIED_KINDS,
    is_language,
    latest_time,
)
from tweet_profiles_tests.profiles.scratch import key

MOST = 2**63 - 1
LANGUAGES = st.sampled_from(["en", "pt-BR", "zh-Hant-TW", "es-419"]) | st.from_regex(
    r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?", fullmatch=True
).filter(is_language)
COUNTS = st.sampled_from([0, 1, MOST]) | st.integers(0, MOST)
UNITS = st.sampled_from([0.0, 1.0, 0.5, 1e-30, 0.99999997]) | st.floats(0, 1, width=32)


def _hours(hour: int) -> Any:
    return pd.Timestamp(FIRST_TWEET) + pd.Timedelta(hours=hour)


HOURS = int((latest_time() - timedelta(hours=1) - FIRST_TWEET) / timedelta(hours=1))
TIMES = (st.sampled_from([0, HOURS]) | st.integers(0, HOURS)).map(_hours)


@st.composite
def scored_row(draw: st.DrawFn, tweet: int, authors: int) -> dict[str, Any]:
    """One row of SCORED_TWEETS as a dictionary."""
    scored = draw(st.booleans())
    topics = draw(st.lists(st.integers(0, 3), max_size=2))
    return {
        "tweet_key": key("1", tweet),
        "author_key": key("a", draw(st.integers(0, authors - 1))),
        "created_hour": draw(TIMES),
        "observed_hour": draw(TIMES),
        "position": draw(st.integers(0, 5)),
        "sentiment": draw(UNITS) if scored else None,
        "subjectivity": draw(UNITS) if scored else None,
        "label": draw(st.sampled_from(LABELS)) if scored else None,
        "not_scored": None if scored else draw(st.sampled_from([NO_TEXT, OTHER_LANGUAGE])),
        "lang": draw(st.none() | LANGUAGES),
        "client_kind": draw(st.none() | st.sampled_from(CLIENT_KINDS)),
        "topics": [key("f", topic) for topic in topics],
        "topic_names": ["" if topic else "año" for topic in topics],
        "account_created_month": draw(st.none() | TIMES.map(lambda time: time.floor("D").replace(day=1))),
        "verified_kind": draw(st.none() | st.sampled_from(VERIFIED_KINDS)),
        "has_hour": draw(st.booleans()),
        "version": draw(st.sampled_from([1, 2, 10, MOST])),
        **{
            name: draw(st.none() | st.booleans())
            for name in (*TWEET_FLAGS, "verified", "protected", "retweets_collected")
        },
        **{name: draw(st.none() | COUNTS) for name in (*ENGAGEMENT, *ACCOUNT_COUNTS)},
    }


@st.composite
def scored_rows(draw: st.DrawFn, most: int = 6, authors: int = 3) -> list[dict[str, Any]]:
    """Rows of SCORED_TWEETS of a few authors."""
    return [draw(scored_row(tweet, authors)) for tweet in range(draw(st.integers(1, most)))]

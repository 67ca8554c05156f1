"""Scored tweets that tests make, and the profiles of them computed from scratch in plain Python."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.profiles.store import ProfileStore

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2026-01-01", tz="UTC")


def key(kind: str, number: int) -> str:
    """A pseudonym."""
    return f"{kind}{number:031x}"


def row(tweet: int, author: int, *, observed: int = 100, sentiment: float = 0.5, position: int = 0, **more: Any) -> Any:
    """One scored tweet; what is not given is missing."""
    return {
        "tweet_key": key("1", tweet),
        "author_key": key("a", author),
        "created_hour": START + tweet % 50 * 30 * HOUR,
        "observed_hour": START + observed * HOUR,
        "position": position,
        "sentiment": sentiment,
        "subjectivity": round(1 - sentiment, 4),
        "label": "positive" if sentiment > 0.6 else "negative" if sentiment < 0.4 else "neutral",
        "topics": [],
        "topic_names": [],
        "has_hour": True,
        "version": 1,
        **more,
    }


def frame(rows: list[Any]) -> pd.DataFrame:
    """SCORED_TWEETS of rows."""
    table = pd.DataFrame(rows, dtype=object)
    for name in SCORED_TWEETS.columns:
        if name not in table:
            table[name] = None
    types = {name: column.dtype.type for name, column in SCORED_TWEETS.columns.items()}
    return SCORED_TWEETS.validate(table[list(SCORED_TWEETS.columns)].astype(types))


def expected(observations: dict[Any, tuple[tuple[int, str, int], Any]]) -> dict[str, dict[str, float]]:
    """Profiles from scratch, in plain Python, of the latest observation of each tweet."""
    by_author: dict[str, list[tuple[tuple[int, str, int], Any]]] = {}
    for order, entry in observations.values():
        by_author.setdefault(entry["author_key"], []).append((order, entry))
    result = {}
    for author, entries in by_author.items():
        sentiments = [entry["sentiment"] for _, entry in entries]
        likes = [entry["likes"] for _, entry in entries if entry.get("likes") is not None]
        newest_last = sorted(entries, key=lambda pair: (pair[0], pair[1]["tweet_key"]))
        followers = [entry["followers"] for _, entry in newest_last if entry.get("followers") is not None]
        result[author] = {
            "tweets_seen": len(entries),
            "sentiment_mean": float(np.mean(sentiments)),
            "sentiment_std": float(np.std(sentiments)),
            "positive_share": float(np.mean([value > 0.6 for value in sentiments])),
            "likes_per_tweet": float(np.mean(likes)) if likes else float("nan"),
            "followers": float(followers[-1]) if followers else float("nan"),
        }
    return result


def differing(store: ProfileStore, wanted: dict[str, dict[str, float]]) -> list[Any]:
    """What is stored otherwise than wanted: authors, or author and number."""
    got = store.frame().set_index("author_key")
    found: list[Any] = sorted(set(got.index) ^ set(wanted))
    for name in next(iter(wanted.values()), {}):
        column = got[name].astype("float64").to_dict()
        found += [
            (author, name, column[author], numbers[name])
            for author, numbers in wanted.items()
            if author in column and column[author] != pytest.approx(numbers[name], abs=2e-6, nan_ok=True)
        ]
    return found


def assert_profiles(store: ProfileStore, wanted: dict[str, dict[str, float]]) -> None:
    """The stored profiles are those wanted."""
    assert differing(store, wanted) == []

"""A profile from the scores of an author's tweets: the one definition of every number in it.

What belongs here: a pure function from scores to profiles. What does not: MongoDB, and what may be released.

The result depends on the set of scores alone, not on their order: rows are sorted before anything is summed, so that
the last bits agree however the tweets arrived.
"""

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd

from tweet_profiles.contracts import ACCOUNT_COUNTS, ENGAGEMENT, LABELS, UTC

RECENT = pd.Timedelta(days=28)
"""How far "of late" reaches back from an author's last tweet, for the trend of sentiment."""
DIGITS = 6
"""Means are rounded to this many decimals: more would only tell the order of a sum."""

_SHARES = {
    "retweet_share": "is_retweet",
    "reply_share": "is_reply",
    "quote_share": "is_quote",
    "link_share": "has_link",
    "media_share": "has_media",
}
_LATEST = (*ACCOUNT_COUNTS, "verified", "verified_kind", "protected", "account_created_month")


def profiles_of(scores: pd.DataFrame) -> pd.DataFrame:
    """One profile an author.

    Args:
        scores: one row a tweet with the columns of SCORED_TWEETS but `position`, `observed_hour` and `topic_names`,
            and `order`, a text by which observations sort from the oldest to the newest.

    Returns:
        The columns of USER_PROFILES, sorted by author_key; `topics` by the hashtags' pseudonyms. Of account facts the
        latest that is told counts; engagement and shares are means over the tweets that tell them; the spread is the
        population's standard deviation.
    """
    scores = scores.sort_values(["author_key", "created_hour", "tweet_key"], kind="stable", ignore_index=True)
    codes, authors = pd.factorize(scores["author_key"])
    numbers = _numeric(scores)
    grouped = numbers.groupby(codes)
    means, spreads = grouped.mean(), grouped[["sentiment", "subjectivity"]].std(ddof=0)
    created = scores["created_hour"]
    last = created.groupby(codes).max()
    account = _latest_account(scores, len(authors))
    columns: dict[str, Any] = {
        "author_key": pd.Series(authors, dtype="string"),
        "first_seen": created.groupby(codes).min().dt.floor("D").astype(UTC),
        "last_seen": last.dt.floor("D").astype(UTC),
        "tweets_seen": grouped.size().astype("int64"),
        "sentiment_mean": means["sentiment"],
        "sentiment_std": spreads["sentiment"],
        "sentiment_trend": _trend(scores, codes, last),
        **{f"{label}_share": means[label] for label in LABELS},
        "subjectivity_mean": means["subjectivity"],
        "subjectivity_std": spreads["subjectivity"],
        **{f"{name}_per_tweet": means[name] for name in ENGAGEMENT},
        **{share: means[flag] for share, flag in _SHARES.items()},
        **{name: account[name].astype("float64") for name in ACCOUNT_COUNTS},
    }
    month = pd.to_datetime(account["account_created_month"], utc=True)
    columns["account_age_days"] = ((columns["last_seen"] - month).dt.days).clip(lower=0).astype("float64")
    columns |= {"verified": account["verified"].astype("boolean"), "protected": account["protected"].astype("boolean")}
    columns["verified_kind"] = account["verified_kind"].astype("string")
    columns |= {
        "languages": _counted(codes, scores["lang"], len(authors)),
        "hours": _hours(codes, created, len(authors)),
        "clients": _counted(codes, scores["client_kind"], len(authors)),
        "topics": _counted(*_exploded(codes, scores["topics"]), len(authors)),
    }
    frame = pd.DataFrame(columns)
    rounded = frame.select_dtypes("float64").columns
    frame[rounded] = frame[rounded].round(DIGITS)
    return frame


def _numeric(scores: pd.DataFrame) -> pd.DataFrame:
    columns = {name: scores[name].to_numpy("float64", na_value=np.nan) for name in ENGAGEMENT}
    columns |= {flag: scores[flag].to_numpy("float64", na_value=np.nan) for flag in _SHARES.values()}
    columns |= {name: scores[name].to_numpy("float64") for name in ("sentiment", "subjectivity")}
    columns |= {label: (scores["label"] == label).to_numpy("float64") for label in LABELS}
    return pd.DataFrame(columns)


def _trend(scores: pd.DataFrame, codes: np.ndarray, last: pd.Series) -> pd.Series:
    recent = (scores["created_hour"] > last.iloc[codes].to_numpy() - RECENT).to_numpy()
    sentiment = scores["sentiment"].astype("float64")
    late = sentiment.where(recent).groupby(codes).mean()
    return late - sentiment.where(~recent).groupby(codes).mean()


def _latest_account(scores: pd.DataFrame, authors: int) -> pd.DataFrame:
    by_age = scores.sort_values(["author_key", "order", "tweet_key"], kind="stable", ignore_index=True)
    codes, _ = pd.factorize(by_age["author_key"])
    # last() takes the last that is not missing, column by column.
    return by_age[list(_LATEST)].groupby(codes).last().reindex(range(authors))


def _hours(codes: np.ndarray, created: pd.Series, authors: int) -> list[list[int]]:
    counts = np.zeros((authors, 24), np.int64)
    np.add.at(counts, (codes, created.dt.hour.to_numpy()), 1)
    rows: list[list[int]] = counts.tolist()
    return rows


def _exploded(codes: np.ndarray, lists: pd.Series) -> tuple[np.ndarray, pd.Series]:
    lengths = np.fromiter((len(items) for items in lists), np.int64, len(lists))
    return np.repeat(codes, lengths), pd.Series([item for items in lists for item in items], dtype="string")


def _counted(codes: np.ndarray, values: pd.Series, authors: int) -> list[dict[str, int]]:
    counts: list[dict[str, int]] = [defaultdict(int) for _ in range(authors)]
    for code, value in zip(codes, values.astype(object), strict=True):
        if not pd.isna(value):
            counts[code][value] += 1
    return [dict(sorted(count.items())) for count in counts]

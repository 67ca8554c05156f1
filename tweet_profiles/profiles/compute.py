"""A profile from the scores of an author's tweets: the one definition of every number in it.

What belongs here: a pure function from scores to profiles. What does not: MongoDB, and what may be released.

The result depends on the set of scores alone, not on their order: rows are sorted before anything is summed, so that
the last bits agree however the tweets arrived.

Whose words they are. A retweet is what somebody passed on, not what they think: a tweet is an author's own unless it is
known to be a retweet. Own and passed on are counted apart, and

    mood, its spread and trend, subjectivity    are of own tweets that have a score; missing without any
    passed_on_..._share                         are the same of retweets that have a score
    engagement (..._per_tweet)                  is what own tweets were given: X tells a retweet the original's numbers
    reply_, quote_, link_, media_share          are of own tweets that tell
    retweet_share                               is of tweets that were collected in a way that returns retweets; what is
                                                a retweet was. Where no retweets are returned nobody knows their share
    hours                                       count tweets whose hour is known, not those that tell a day alone
    not_scored                                  counts own tweets without a score, by language or why
    languages, clients, topics, first, last     are of all tweets
"""

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd

from tweet_profiles.contracts import ACCOUNT_COUNTS, ENGAGEMENT, LABELS, OTHER_LANGUAGE, UNKNOWN_LANGUAGE, UTC
from tweet_profiles.profiles.buckets import observed

RECENT = pd.Timedelta(days=28)
"""How far "of late" reaches back from an author's last tweet, for the trend of sentiment."""
DIGITS = 6
"""Means are rounded to this many decimals: more would only tell the order of a sum."""

_SHARES = {
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
    passed_on = scores["is_retweet"].eq(True).fillna(False).to_numpy(bool)
    scored = scores["sentiment"].notna().to_numpy(bool)
    numbers = _numeric(scores, passed_on, scored)
    grouped = numbers.groupby(codes)
    means, spreads = grouped.mean(), grouped[["sentiment", "subjectivity"]].std(ddof=0)
    created = scores["created_hour"]
    days = created.groupby(codes)
    account = _latest_account(scores, len(authors))
    columns: dict[str, Any] = {
        "author_key": pd.Series(authors, dtype="string"),
        "first_seen": days.min().dt.floor("D").astype(UTC),
        "last_seen": days.max().dt.floor("D").astype(UTC),
        "tweets_seen": grouped.size().astype("int64"),
        "tweets_own": _count(codes, ~passed_on, len(authors)),
        "tweets_passed_on": _count(codes, passed_on, len(authors)),
        "tweets_scored": _count(codes, scored & ~passed_on, len(authors)),
        "sentiment_mean": means["sentiment"],
        "sentiment_std": spreads["sentiment"],
        "sentiment_trend": _trend(numbers["sentiment"], created, codes, len(authors)),
        **{f"{label}_share": means[label] for label in LABELS},
        "subjectivity_mean": means["subjectivity"],
        "subjectivity_std": spreads["subjectivity"],
        **{f"passed_on_{label}_share": means[f"passed_on_{label}"] for label in LABELS},
        **{f"{name}_per_tweet": means[name] for name in ENGAGEMENT},
        "retweet_share": means["is_retweet"],
        **{share: means[flag] for share, flag in _SHARES.items()},
        **{name: account[name].astype("float64") for name in ACCOUNT_COUNTS},
    }
    month = pd.to_datetime(account["account_created_month"], utc=True)
    columns["account_age_days"] = ((columns["last_seen"] - month).dt.days).clip(lower=0).astype("float64")
    columns |= {"verified": account["verified"].astype("boolean"), "protected": account["protected"].astype("boolean")}
    columns["verified_kind"] = account["verified_kind"].astype("string")
    columns |= {
        "languages": _counted(codes, scores["lang"], len(authors)),
        "hours": _hours(*_known_hours(codes, scores), len(authors)),
        "not_scored": _not_scored(codes, scores, ~passed_on & ~scored, len(authors)),
        "clients": _counted(codes, scores["client_kind"], len(authors)),
        "topics": _counted(*_exploded(codes, scores["topics"]), len(authors)),
    }
    frame = pd.DataFrame(columns)
    rounded = frame.select_dtypes("float64").columns
    frame[rounded] = frame[rounded].round(DIGITS)
    return frame


def _numeric(scores: pd.DataFrame, passed_on: np.ndarray, scored: np.ndarray) -> pd.DataFrame:
    """What means are taken of, NaN where a tweet does not count for it."""

    def among(name: str, rows: np.ndarray) -> np.ndarray:
        return np.where(rows, scores[name].to_numpy("float64", na_value=np.nan), np.nan)

    collected = scores["retweets_collected"].eq(True).fillna(False).to_numpy(bool) | passed_on
    columns = {name: among(name, ~passed_on) for name in (*ENGAGEMENT, *_SHARES.values(), "sentiment", "subjectivity")}
    columns["is_retweet"] = among("is_retweet", collected)
    for label in LABELS:
        has_label = scores["label"].eq(label).fillna(False).to_numpy("float64")
        columns[label] = np.where(scored & ~passed_on, has_label, np.nan)
        columns[f"passed_on_{label}"] = np.where(scored & passed_on, has_label, np.nan)
    return pd.DataFrame(columns)


def _count(codes: np.ndarray, rows: np.ndarray, authors: int) -> pd.Series:
    return pd.Series(np.bincount(codes[rows], minlength=authors).astype("int64"))


def _trend(sentiment: pd.Series, created: pd.Series, codes: np.ndarray, authors: int) -> pd.Series:
    """Own mood of late less that of before; "of late" ends with the last own tweet that has a score."""
    known = sentiment.notna()
    sentiment, created, codes = sentiment[known], created[known], codes[known.to_numpy()]
    last = created.groupby(codes).transform("max")
    recent = created > last - RECENT
    late = sentiment.where(recent).groupby(codes).mean()
    return (late - sentiment.where(~recent).groupby(codes).mean()).reindex(range(authors))


def _latest_account(scores: pd.DataFrame, authors: int) -> pd.DataFrame:
    # Of the account the latest look counts, whichever version of a tweet brought it.
    looks = scores.assign(order=observed(scores["order"]))
    by_age = looks.sort_values(["author_key", "order", "tweet_key"], kind="stable", ignore_index=True)
    codes, _ = pd.factorize(by_age["author_key"])
    # last() takes the last that is not missing, column by column.
    return by_age[list(_LATEST)].groupby(codes).last().reindex(range(authors))


def _known_hours(codes: np.ndarray, scores: pd.DataFrame) -> tuple[np.ndarray, pd.Series]:
    known = scores["has_hour"].to_numpy(bool)
    return codes[known], scores["created_hour"][known]


def _not_scored(codes: np.ndarray, scores: pd.DataFrame, rows: np.ndarray, authors: int) -> list[dict[str, int]]:
    return _counted(codes[rows], why_not_scored(scores[rows]), authors)


def why_not_scored(scores: pd.DataFrame) -> pd.Series:
    """Why tweets have no score: their language, that nobody can tell it, or that there is no text; missing with one."""
    reasons = scores["not_scored"]
    return reasons.mask(reasons.eq(OTHER_LANGUAGE).fillna(False), scores["lang"].fillna(UNKNOWN_LANGUAGE))


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

"""The contracts between the stages: one pandera schema for every table that crosses an asset boundary.

What belongs here: column names, types, ranges and what may be missing, used by the assets, by the blocking
asset checks and by the tests. What does not: how a table is computed or stored. Missing stays missing: a
nullable column never holds a stand-in zero.
"""

import numpy as np
import pandas as pd
import pandera.pandas as pa

LABELS = ("negative", "neutral", "positive")
CLIENT_KINDS = ("mobile", "web", "professional", "automated", "other")
VERIFIED_KINDS = ("none", "blue", "business", "government", "legacy")
PARTS_OF_DAY = ("night", "morning", "afternoon", "evening")
KEY_PATTERN = r"^[0-9a-f]{32}$"
ID_PATTERN = r"^[0-9]{1,20}$"

UTC = pd.DatetimeTZDtype("us", "UTC")


def _count(*, nullable: bool = True, title: str = "") -> pa.Column:
    return pa.Column("Int64", pa.Check.ge(0), nullable=nullable, title=title)


def _flag(*, nullable: bool, title: str = "") -> pa.Column:
    return pa.Column("boolean", nullable=nullable, title=title)


def _text(
    *, nullable: bool, pattern: str | None = None, among: tuple[str, ...] | None = None, title: str = ""
) -> pa.Column:
    checks = []
    if pattern is not None:
        checks.append(pa.Check.str_matches(pattern))
    if among is not None:
        checks.append(pa.Check.isin(among))
    return pa.Column("string", checks, nullable=nullable, title=title)


def _unit(*, nullable: bool = False, title: str = "") -> pa.Column:
    return pa.Column("float32", pa.Check.in_range(0.0, 1.0), nullable=nullable, title=title)


ENGAGEMENT = ("likes", "retweets", "replies", "quotes")
ACCOUNT_COUNTS = ("followers", "following", "posts", "listed")
TWEET_FLAGS = ("is_retweet", "is_reply", "is_quote", "has_link", "has_media")

_TWEET_COLUMNS = {
    "lang": _text(nullable=True, title="BCP 47 language that X detected"),
    "is_retweet": _flag(nullable=True),
    "is_reply": _flag(nullable=True),
    "is_quote": _flag(nullable=True),
    "has_link": _flag(nullable=True),
    "has_media": _flag(nullable=True),
    **{name: _count(title=f"{name} of the tweet when it was observed") for name in ENGAGEMENT},
    **{name: _count(title=f"{name} of the author's account when it was observed") for name in ACCOUNT_COUNTS},
    "verified": _flag(nullable=True),
    "verified_kind": _text(nullable=True, among=VERIFIED_KINDS),
    "protected": _flag(nullable=True),
}

RAW_TWEETS = pa.DataFrameSchema(
    {
        "tweet_id": _text(nullable=False, pattern=ID_PATTERN),
        "author_id": _text(nullable=False, pattern=ID_PATTERN),
        "text": _text(nullable=False),
        "created_at": pa.Column(UTC, nullable=False),
        "observed_at": pa.Column(UTC, nullable=False, title="when the metrics and the account were read from X"),
        "source": _text(nullable=True, title="name of the client, as X gives it"),
        "hashtags": pa.Column(object, nullable=False, title="list of hashtags without #, lower case"),
        "account_created_at": pa.Column(UTC, nullable=True),
        **_TWEET_COLUMNS,
    },
    strict=True,
    ordered=False,
    name="raw_tweets",
    unique=["tweet_id"],
)
"""One row a tweet of a batch, one batch a partition. Holds personal data: lives under `private/` only."""

SCORED_TWEETS = pa.DataFrameSchema(
    {
        "tweet_key": _text(nullable=False, pattern=KEY_PATTERN, title="HMAC-SHA256 pseudonym of the tweet id"),
        "author_key": _text(nullable=False, pattern=KEY_PATTERN, title="HMAC-SHA256 pseudonym of the author id"),
        "created_hour": pa.Column(UTC, nullable=False, title="when it was written, floored to the hour"),
        "observed_hour": pa.Column(UTC, nullable=False, title="when it was read from X, floored to the hour"),
        "position": pa.Column("int64", pa.Check.ge(0), title="order of observation within the batch"),
        "sentiment": _unit(title="0 negative to 1 positive"),
        "subjectivity": _unit(title="0 objective to 1 subjective"),
        "label": _text(nullable=False, among=LABELS),
        "client_kind": _text(nullable=True, among=CLIENT_KINDS),
        "topics": pa.Column(object, nullable=False, title="list of the hashtags' pseudonyms"),
        "topic_names": pa.Column(
            object, nullable=False, title="the hashtags in the same order; empty where too few authors share one"
        ),
        "account_created_month": pa.Column(UTC, nullable=True, title="floored to the month"),
        **_TWEET_COLUMNS,
    },
    strict=True,
    ordered=False,
    name="scored_tweets",
    unique=["tweet_key"],
)
"""One row a tweet, without text and without any id: what everything to the right is computed from.

Account counts are already generalised here (`profiles.privacy`).
"""

PROFILE_NUMBERS: dict[str, pa.Column] = {
    "tweets_seen": pa.Column("int64", pa.Check.ge(1)),
    "sentiment_mean": pa.Column("float64", pa.Check.in_range(0, 1)),
    "sentiment_std": pa.Column("float64", pa.Check.in_range(0, 1)),
    "sentiment_trend": pa.Column(
        "float64",
        pa.Check.in_range(-1, 1),
        nullable=True,
        title="mean of the last 28 days less the mean before",
    ),
    "positive_share": pa.Column("float64", pa.Check.in_range(0, 1)),
    "neutral_share": pa.Column("float64", pa.Check.in_range(0, 1)),
    "negative_share": pa.Column("float64", pa.Check.in_range(0, 1)),
    "subjectivity_mean": pa.Column("float64", pa.Check.in_range(0, 1)),
    "subjectivity_std": pa.Column("float64", pa.Check.in_range(0, 1)),
    **{
        f"{name}_per_tweet": pa.Column("float64", pa.Check.ge(0), nullable=True, title="mean over tweets that tell it")
        for name in ENGAGEMENT
    },
    "retweet_share": pa.Column("float64", pa.Check.in_range(0, 1), nullable=True),
    "reply_share": pa.Column("float64", pa.Check.in_range(0, 1), nullable=True),
    "quote_share": pa.Column("float64", pa.Check.in_range(0, 1), nullable=True),
    "link_share": pa.Column("float64", pa.Check.in_range(0, 1), nullable=True),
    "media_share": pa.Column("float64", pa.Check.in_range(0, 1), nullable=True),
    **{name: pa.Column("float64", pa.Check.ge(0), nullable=True, title="generalised") for name in ACCOUNT_COUNTS},
    "account_age_days": pa.Column(
        "float64", pa.Check.ge(0), nullable=True, title="from the month of creation to the last tweet seen"
    ),
}

USER_PROFILES = pa.DataFrameSchema(
    {
        "author_key": _text(nullable=False, pattern=KEY_PATTERN),
        "first_seen": pa.Column(UTC, nullable=False, title="day of the first tweet seen"),
        "last_seen": pa.Column(UTC, nullable=False, title="day of the last tweet seen"),
        **PROFILE_NUMBERS,
        "verified": _flag(nullable=True),
        "verified_kind": _text(nullable=True, among=VERIFIED_KINDS),
        "protected": _flag(nullable=True),
        "languages": pa.Column(object, nullable=False, title="{language: tweets}"),
        "hours": pa.Column(object, nullable=False, title="24 counts of tweets by hour of the day, UTC"),
        "clients": pa.Column(object, nullable=False, title="{kind of client: tweets}"),
        "topics": pa.Column(object, nullable=False, title="{hashtag that enough authors share: tweets}"),
    },
    strict=True,
    ordered=False,
    name="user_profiles",
    unique=["author_key"],
)
"""One row an author: the profile as the pipeline reads it out of MongoDB."""

SCALED_FEATURES = pa.DataFrameSchema(
    {
        "author_key": _text(nullable=False, pattern=KEY_PATTERN),
        r"^(?!author_key$).+": pa.Column(
            "float64",
            [pa.Check(lambda column: np.isfinite(column).all(), error="every value is finite")],
            regex=True,
            nullable=False,
        ),
    },
    name="scaled_features",
    unique=["author_key"],
)
"""One row an author, every other column a finite, standard-scaled feature."""


def _grid(low: float, high: float, *, nullable: bool = False, title: str = "") -> pa.Column:
    return pa.Column("float64", pa.Check.in_range(low, high), nullable=nullable, title=title)


def _typical(title: str, *, nullable: bool = True) -> pa.Column:
    return pa.Column("float64", pa.Check.ge(0), nullable=nullable, title=f"{title}, two significant digits")


RELEASED_PROFILES = pa.DataFrameSchema(
    {
        "group": pa.Column("int64", pa.Check.ge(0), title="anonymity group; its rows are the same in every column"),
        "segment": pa.Column("int64", pa.Check.ge(0)),
        "segment_confidence": _grid(0, 1, title="0 on the border of two segments to 1 at a centre, in steps of 0.1"),
        "main_language": _text(nullable=False, title="BCP 47 language of most of the group; und if not told"),
        "main_client": _text(nullable=True, among=CLIENT_KINDS),
        "verified_kind": _text(nullable=True, among=VERIFIED_KINDS),
        "protected": _flag(nullable=True),
        **{name: _typical(f"typical {name} of the group") for name in ACCOUNT_COUNTS},
        "account_age_years": _grid(0, 100, nullable=True, title="in steps of half a year"),
        "tweets_seen": _typical("typical number of tweets about the brand", nullable=False),
        **{
            name: _grid(0, 1, nullable=True, title="mean of the group, in steps of 0.05")
            for name in ("retweet_share", "reply_share", "link_share", "media_share")
        },
        "likes_per_tweet": _typical("typical likes a tweet"),
        "retweets_per_tweet": _typical("typical retweets a tweet"),
        "active_part": _text(nullable=False, among=PARTS_OF_DAY, title="when the group tweets most, UTC"),
        "last_seen_month": _text(nullable=False, pattern=r"^[0-9]{4}-[0-9]{2}$"),
        "sentiment_mean": _grid(0, 1, title="mean of the group, in steps of 0.05"),
        "sentiment_label": _text(nullable=False, among=LABELS),
        "subjectivity_mean": _grid(0, 1, title="mean of the group, in steps of 0.05"),
    },
    strict=True,
    ordered=True,
    name="released_profiles",
)
"""One row an author, as it may leave the system: no pseudonym, and nothing that fewer than k rows share."""

"""The contracts between the stages: one pandera schema for every table that crosses an asset boundary.

What belongs here: column names, types, ranges and what may be missing, used by the assets, by the blocking
asset checks and by the tests; and the small questions that they share with whoever reads a source (is this a
language, is this a hashtag). What does not: how a table is computed or stored. Missing stays missing: a nullable
column never holds a stand-in zero.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC as _UTC
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pandera.pandas as pa

LABELS = ("negative", "neutral", "positive")
CLIENT_KINDS = ("mobile", "web", "professional", "automated", "other")
VERIFIED_KINDS = ("none", "blue", "business", "government", "legacy")
PARTS_OF_DAY = ("night", "morning", "afternoon", "evening")
KEY_PATTERN = r"^[0-9a-f]{32}$"
ID_PATTERN = r"^[0-9]{1,20}$"

NO_TEXT, OTHER_LANGUAGE = "no text", "language"
NOT_SCORED = (OTHER_LANGUAGE, NO_TEXT)
"""Why a tweet has no score: it is in a language that the model was not trained for (or that nobody can tell), or
nothing of its text is there to be read."""
UNKNOWN_LANGUAGE = "unknown language"
"""What a profile counts tweets under that are not scored because nobody can tell their language."""

UTC = pd.DatetimeTZDtype("us", "UTC")

FIRST_TWEET = datetime(2006, 3, 21, tzinfo=_UTC)
"""No tweet and no account is older."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""So far ahead of ours the clock of whoever wrote a time may be."""

# ISO 639 has codes for "no language", "several" and "reserved for private use", which X gives to tweets without words;
# `na` and `nan` are languages too, and what tables write where nothing is known.
_LANGUAGE = re.compile(
    r"(?!(?:und|zxx|mul|mis|art|na|nan|q[a-t][a-z])(?:-|$))"
    r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?"
)
RENAMED_LANGUAGES = {"in": "id", "iw": "he", "ji": "yi"}
"""Codes that ISO 639 has retired and X still uses, and what they are now."""
# X reads on over these inside a hashtag, beside letters, marks, digits and the underscore.
_INSIDE_HASHTAGS = frozenset(
    "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
)
_MOST_HASHTAG = 280


def is_language(value: str) -> bool:
    """Whether this is a BCP 47 tag (language, script, region) that says a language: "en", "pt-BR", not "und"."""
    return _LANGUAGE.fullmatch(value) is not None


def language_tag(value: object) -> str | None:
    """What a source tells as language as a BCP 47 tag, letter case and retired codes put right; None if it is none."""
    if not isinstance(value, str):
        return None
    first, *others = value.strip().replace("_", "-").split("-")
    parts = [part.title() if len(part) == 4 else part.upper() for part in others]
    tag = "-".join([RENAMED_LANGUAGES.get(first.lower(), first.lower()), *parts])
    return tag if is_language(tag) else None


def is_hashtag(value: str) -> bool:
    """Whether X would link this, with a # before it: letters, marks, digits and underscores, not digits alone."""
    kinds = {unicodedata.category(character)[0] for character in value if character not in _INSIDE_HASHTAGS}
    return 0 < len(value) <= _MOST_HASHTAG and kinds <= {"L", "M", "N"} and "L" in kinds


def is_storable(text: str) -> bool:
    """Whether a text is free of what no table or database takes: NUL and halves of surrogate pairs."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def latest_time() -> datetime:
    """The latest moment that a time of a tweet may tell at present."""
    return datetime.now(_UTC) + CLOCK_TOLERANCE


def _each(holds: Callable[[str], bool], error: str) -> pa.Check:
    """A check of every value, made once a distinct one; missing values pass."""
    return pa.Check(lambda column: column.isin([value for value in column.unique() if holds(value)]), error=error)


def _are_hashtags(tags: Iterable[str]) -> bool:
    return all(is_hashtag(tag) and tag == tag.lower() for tag in tags)


def _moment(*, nullable: bool = False, earliest: datetime = FIRST_TWEET, title: str = "") -> pa.Column:
    checks = [
        pa.Check(lambda column: column >= earliest, error=f"must not be before {earliest:%Y-%m-%d}"),
        pa.Check(lambda column: column <= latest_time(), error="must not be in the future"),
    ]
    return pa.Column(UTC, checks, nullable=nullable, title=title)


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
VERIFIED_TITLE = "whether the author's account is verified"
VERIFIED_KIND_TITLE = "kind of the account's verification"
PROTECTED_TITLE = "whether the account shows its tweets to its followers only"
TWEET_FLAGS = ("is_retweet", "is_reply", "is_quote", "has_link", "has_media")

_TWEET_COLUMNS = {
    "lang": pa.Column(
        "string",
        _each(is_language, "must be a BCP 47 tag"),
        nullable=True,
        title="BCP 47 language, told by the source or detected; missing if neither",
    ),
    "is_retweet": _flag(nullable=True, title="whether it passes on somebody else's tweet"),
    "is_reply": _flag(nullable=True, title="whether it answers a tweet"),
    "is_quote": _flag(nullable=True, title="whether it quotes a tweet"),
    "has_link": _flag(nullable=True, title="whether it links outside X"),
    "has_media": _flag(nullable=True, title="whether a picture or a video is with it"),
    **{name: _count(title=f"{name} of the tweet when it was observed") for name in ENGAGEMENT},
    **{name: _count(title=f"{name} of the author's account when it was observed") for name in ACCOUNT_COUNTS},
    "verified": _flag(nullable=True, title=VERIFIED_TITLE),
    "verified_kind": _text(nullable=True, among=VERIFIED_KINDS, title=VERIFIED_KIND_TITLE),
    "protected": _flag(nullable=True, title=PROTECTED_TITLE),
    "has_hour": _flag(nullable=False, title="false where only the day is known: the time is then its midnight"),
    "version": pa.Column("int64", pa.Check.ge(1), title="of an edited tweet; the highest counts, whenever it was read"),
    "retweets_collected": _flag(nullable=True, title="whether this way of collecting returns retweets at all"),
}

RAW_TWEETS = pa.DataFrameSchema(
    {
        "tweet_id": _text(nullable=False, pattern=ID_PATTERN, title="of an edited tweet that of its first version"),
        "author_id": _text(nullable=False, pattern=ID_PATTERN, title="X's id of the author"),
        "text": pa.Column(
            "string",
            _each(is_storable, "must hold neither NUL nor half a character"),
            nullable=True,
            title="missing where it is withheld, deleted or unavailable",
        ),
        "created_at": _moment(title="when it was written"),
        "observed_at": _moment(title="when the metrics and the account were read from X"),
        "source": pa.Column(
            "string",
            _each(is_storable, "must hold neither NUL nor half a character"),
            nullable=True,
            title="name of the client, as X gives it",
        ),
        "hashtags": pa.Column(
            object,
            pa.Check(
                lambda column: column.map(_are_hashtags).astype(bool),
                error="must be hashtags as X links them",
            ),
            nullable=False,
            title="list of hashtags without #, lower case",
        ),
        "account_created_at": _moment(nullable=True, title="when the author's account was made"),
        **_TWEET_COLUMNS,
    },
    strict=True,
    ordered=False,
    name="raw_tweets",
    unique=["tweet_id"],
)
"""One row a tweet of a batch, one batch a partition. Holds personal data: lives under `private/` only."""


def _scored_or_not(name: str) -> pa.Check:
    return pa.Check(
        lambda table: table["not_scored"].isna() == table[name].notna(),
        error=f"must have either a {name} or a reason why it is not scored",
    )


SCORED_TWEETS = pa.DataFrameSchema(
    {
        "tweet_key": _text(nullable=False, pattern=KEY_PATTERN, title="HMAC-SHA256 pseudonym of the tweet id"),
        "author_key": _text(nullable=False, pattern=KEY_PATTERN, title="HMAC-SHA256 pseudonym of the author id"),
        "created_hour": _moment(title="when it was written, floored to the hour"),
        "observed_hour": _moment(title="when it was read from X, floored to the hour"),
        "position": pa.Column("int64", pa.Check.ge(0), title="order of observation within the batch"),
        "sentiment": _unit(nullable=True, title="0 negative to 1 positive"),
        "subjectivity": _unit(nullable=True, title="0 objective to 1 subjective"),
        "label": _text(nullable=True, among=LABELS, title="the sentiment in a word"),
        "not_scored": _text(nullable=True, among=NOT_SCORED, title="why there is no score; missing where there is one"),
        "client_kind": _text(nullable=True, among=CLIENT_KINDS, title="kind of client it was written with"),
        "topics": pa.Column(object, nullable=False, title="list of the hashtags' pseudonyms"),
        "topic_names": pa.Column(
            object, nullable=False, title="the hashtags in the same order; empty where too few authors share one"
        ),
        "account_created_month": _moment(
            nullable=True, earliest=FIRST_TWEET.replace(day=1), title="floored to the month"
        ),
        **_TWEET_COLUMNS,
    },
    checks=[_scored_or_not(name) for name in ("sentiment", "subjectivity", "label")],
    strict=True,
    ordered=False,
    name="scored_tweets",
    unique=["tweet_key"],
)
"""One row a tweet, without text and without any id: what everything to the right is computed from.

Account counts are already generalised here (`privacy.generalise`). Of an edited tweet every version has the same key.
"""


def _mean_of_units(title: str) -> pa.Column:
    return pa.Column("float64", pa.Check.in_range(0, 1), nullable=True, title=title)


PROFILE_NUMBERS: dict[str, pa.Column] = {
    "tweets_seen": pa.Column("int64", pa.Check.ge(1), title="own and passed on"),
    "tweets_own": pa.Column("int64", pa.Check.ge(0), title="not known to be retweets"),
    "tweets_passed_on": pa.Column("int64", pa.Check.ge(0), title="retweets"),
    "tweets_scored": pa.Column("int64", pa.Check.ge(0), title="own tweets with a score"),
    "sentiment_mean": _mean_of_units("of own scored tweets, as all of the mood that is not passed on"),
    "sentiment_std": _mean_of_units("population's standard deviation"),
    "sentiment_trend": pa.Column(
        "float64",
        pa.Check.in_range(-1, 1),
        nullable=True,
        title="mean of the last 28 days less the mean before",
    ),
    **{f"{label}_share": _mean_of_units("of own scored tweets") for label in ("positive", "neutral", "negative")},
    "subjectivity_mean": _mean_of_units("of own scored tweets"),
    "subjectivity_std": _mean_of_units("population's standard deviation"),
    **{
        f"passed_on_{label}_share": _mean_of_units("of scored retweets")
        for label in ("positive", "neutral", "negative")
    },
    **{
        f"{name}_per_tweet": pa.Column(
            "float64", pa.Check.ge(0), nullable=True, title="mean over own tweets that tell it"
        )
        for name in ENGAGEMENT
    },
    "retweet_share": _mean_of_units("of tweets whose way of collecting returns retweets"),
    **{f"{name}_share": _mean_of_units("of own tweets that tell it") for name in ("reply", "quote", "link", "media")},
    **{name: pa.Column("float64", pa.Check.ge(0), nullable=True, title="generalised") for name in ACCOUNT_COUNTS},
    "account_age_days": pa.Column(
        "float64", pa.Check.ge(0), nullable=True, title="from the month of creation to the last tweet seen"
    ),
}

USER_PROFILES = pa.DataFrameSchema(
    {
        "author_key": _text(nullable=False, pattern=KEY_PATTERN, title="HMAC-SHA256 pseudonym of the author id"),
        "first_seen": _moment(title="day of the first tweet seen"),
        "last_seen": _moment(title="day of the last tweet seen"),
        **PROFILE_NUMBERS,
        "verified": _flag(nullable=True, title=VERIFIED_TITLE),
        "verified_kind": _text(nullable=True, among=VERIFIED_KINDS, title=VERIFIED_KIND_TITLE),
        "protected": _flag(nullable=True, title=PROTECTED_TITLE),
        "languages": pa.Column(object, nullable=False, title="{language: tweets}"),
        "hours": pa.Column(
            object, nullable=False, title="24 counts of tweets whose hour is known, by hour of the day, UTC"
        ),
        "not_scored": pa.Column(
            object, nullable=False, title="{language, `no text` or `unknown language`: own tweets without a score}"
        ),
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
        "author_key": _text(nullable=False, pattern=KEY_PATTERN, title="HMAC-SHA256 pseudonym of the author id"),
        r"^(?!author_key$).+": pa.Column(
            "float64",
            [pa.Check(lambda column: np.isfinite(column).all(), error="every value is finite")],
            regex=True,
            nullable=False,
            # None at all where everybody is the same in everything: clustering says so in a sentence.
            required=False,
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
        "segment": pa.Column("int64", pa.Check.ge(0), title="number of the segment, the same from night to night"),
        "segment_confidence": _grid(0, 1, title="0 on the border of two segments to 1 at a centre, in steps of 0.1"),
        "main_language": _text(nullable=False, title="BCP 47 language of most of the group; und if not told"),
        "main_client": _text(nullable=True, among=CLIENT_KINDS, title="kind of client that the group writes with most"),
        "verified_kind": _text(nullable=True, among=VERIFIED_KINDS, title=VERIFIED_KIND_TITLE),
        "protected": _flag(nullable=True, title=PROTECTED_TITLE),
        **{name: _typical(f"typical {name} of the group") for name in ACCOUNT_COUNTS},
        "account_age_years": _grid(0, 100, nullable=True, title="in steps of half a year"),
        "tweets_seen": _typical("typical number of tweets about the brand", nullable=False),
        **{
            name: _grid(0, 1, nullable=True, title="mean of the group, in steps of 0.05")
            for name in ("retweet_share", "reply_share", "link_share", "media_share")
        },
        "likes_per_tweet": _typical("typical likes a tweet"),
        "retweets_per_tweet": _typical("typical retweets a tweet"),
        "active_part": _text(
            nullable=True, among=PARTS_OF_DAY, title="when the group tweets most, UTC; missing if only days are known"
        ),
        "last_seen_month": _text(nullable=False, pattern=r"^[0-9]{4}-[0-9]{2}$", title="month of the last tweet"),
        "sentiment_mean": _grid(0, 1, nullable=True, title="of own words: mean of the group, in steps of 0.05"),
        "sentiment_label": _text(
            nullable=True, among=LABELS, title="missing, as is the mean, if not known or all in the segment are alike"
        ),
        "subjectivity_mean": _grid(0, 1, nullable=True, title="mean of the group, in steps of 0.05"),
    },
    strict=True,
    ordered=True,
    name="released_profiles",
)
"""One row an author, as it may leave the system: no pseudonym, and nothing that fewer than k rows share."""

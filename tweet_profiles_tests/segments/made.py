"""Made-up profiles of four kinds of author and one night's clustering of them, shared by the tests of several rooms."""

from typing import Any

import numpy as np
import pandas as pd
from pymongo.database import Database

from tweet_profiles.contracts import USER_PROFILES
from tweet_profiles.profiles.schema import SCHEMA_VERSION
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.segments.features import build_features
from tweet_profiles.segments.pipeline import ClusterConfig, ClusterResult, cluster
from tweet_profiles.segments.store import SegmentStore

Store = Database[dict[str, Any]]

KINDS = pd.DataFrame(
    {
        "share": [0.35, 0.3, 0.2, 0.15],
        "sentiment": [0.85, 0.25, 0.5, 0.6],
        "followers": [2.0, 2.3, 4.5, 2.8],
        "posts": [2.5, 3.5, 4.5, 3.0],
        "retweets": [0.1, 0.1, 0.05, 0.9],
        "links": [0.1, 0.1, 0.9, 0.2],
        "hour": [20, 9, 13, 2],
    }
)


def made_profiles(authors: int, seed: int, first: int = 0) -> pd.DataFrame:
    """USER_PROFILES of four kinds of author, with a heavy tail and some values missing."""
    random = np.random.default_rng(seed)
    kind = KINDS.iloc[random.choice(len(KINDS), authors, p=KINDS["share"])].reset_index(drop=True)

    def unit(centre: pd.Series, spread: float) -> np.ndarray:
        return np.clip(centre + random.normal(0, spread, authors), 0, 1)

    hours = np.zeros((authors, 24), int)
    tweets = random.geometric(0.4, authors)
    for row, (hour, count) in enumerate(zip(kind["hour"], tweets, strict=True)):
        np.add.at(hours[row], (hour + random.integers(-2, 3, count)) % 24, 1)
    followers = 10 ** (kind["followers"] + random.normal(0, 0.4, authors))
    day = pd.Timestamp("2026-05-01", tz="UTC")
    values: dict[str, Any] = {
        "author_key": [f"{first + n:032x}" for n in range(authors)],
        "first_seen": day,
        "last_seen": day,
        "tweets_seen": tweets,
        "tweets_own": tweets,
        "tweets_passed_on": 0,
        "tweets_scored": tweets,
        "passed_on_positive_share": np.nan,
        "passed_on_neutral_share": np.nan,
        "passed_on_negative_share": np.nan,
        "sentiment_mean": unit(kind["sentiment"], 0.08),
        "sentiment_std": 0.1,
        "sentiment_trend": np.nan,
        "positive_share": 0.4,
        "neutral_share": 0.4,
        "negative_share": 0.2,
        "subjectivity_mean": unit(kind["sentiment"], 0.15),
        "subjectivity_std": 0.1,
        "retweet_share": unit(kind["retweets"], 0.06),
        "reply_share": unit(kind["retweets"] * 0.2, 0.05),
        "quote_share": 0.0,
        "link_share": unit(kind["links"], 0.06),
        "media_share": 0.1,
        "followers": np.where(random.random(authors) < 0.03, np.nan, np.rint(followers)),
        "following": np.rint(10 ** (2 + random.normal(0, 0.3, authors))),
        "posts": np.rint(10 ** (kind["posts"] + random.normal(0, 0.3, authors))),
        "listed": 1.0,
        "account_age_days": random.gamma(4, 400, authors),
        "verified": False,
        "verified_kind": "none",
        "protected": False,
        "languages": [{"en": int(count)} for count in tweets],
        "hours": hours.tolist(),
        "not_scored": [{} for _ in range(authors)],
        "clients": [{"mobile": int(count)} for count in tweets],
        "topics": [{} for _ in range(authors)],
    }
    values |= {f"{name}_per_tweet": random.pareto(2, authors) for name in ("likes", "retweets", "replies", "quotes")}
    frame = pd.DataFrame(values)[list(USER_PROFILES.columns)]
    types = {name: str(column.dtype) for name, column in USER_PROFILES.columns.items()}
    frame = frame.astype({name: kind for name, kind in types.items() if kind != "object"})
    return USER_PROFILES.validate(frame)


def clustered(profiles: pd.DataFrame, store: SegmentStore | None = None, **config: Any) -> ClusterResult:
    """A clustering of the profiles, after the one the store shows now if a store is given."""
    matrix = build_features(profiles)
    previous = store.previous() if store else None
    return cluster(matrix.frame, profiles, matrix.scaler, ClusterConfig(**config), previous)


def save(database: Store, profiles: pd.DataFrame) -> None:
    """Put made profiles where the store keeps them."""
    ProfileStore(database).prepare()
    documents = []
    for row in profiles.to_dict("records"):
        told = {name: value for name, value in row.items() if isinstance(value, dict | list) or pd.notna(value)}
        told |= {name: value.to_pydatetime() for name, value in told.items() if isinstance(value, pd.Timestamp)}
        documents.append({"_id": told.pop("author_key"), "clock": 1, "schema_version": SCHEMA_VERSION, **told})
    database.profiles.insert_many(documents)


def night(database: Store, profiles: pd.DataFrame, **config: Any) -> tuple[str, ClusterResult]:
    """One nightly clustering, written and switched to."""
    store = SegmentStore(database)
    result = clustered(profiles, store, **config)
    version = store.write_version(result, profiles["author_key"])
    store.switch(version)
    return version, result

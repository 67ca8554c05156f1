"""Releases as the pipeline writes them, made of seeded random numbers, for tests and benchmarks of the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from pymongo.database import Database

from tweet_profiles.contracts import CLIENT_KINDS, PARTS_OF_DAY
from tweet_profiles.release.shown import counts_of, view_of
from tweet_profiles.release.store import ReleaseStore, count_rows
from tweet_profiles.segments.features import DEFAULT_FEATURES, FEATURES, ScaledFeature, Scaler

NAMES = ("Enthusiastic influencers", "Critical sceptics", "Amplifying fans", "Matter-of-fact reporters")
K = 5
START = datetime(2026, 3, 1, tzinfo=UTC)


def write_clustering(database: Database[dict[str, Any]], night: int, authors: int = 1000) -> str:
    """One finished clustering with four segments; its version."""
    random = np.random.default_rng(night)
    created = START + timedelta(days=night)
    version = f"v{created:%Y%m%dT%H%M%S}{night:06x}"
    names = list(DEFAULT_FEATURES)
    scaler = Scaler(tuple(
        ScaledFeature(name, FEATURES[name].transform, 0.5, -1e6, 1e6, 0.5, 1.0, 0.0) for name in names
    ))  # fmt: skip
    shares = random.dirichlet([40, 30, 20, 10])
    centroids = random.normal(0, 0.8, (len(NAMES), len(names)))
    database.clusterings.insert_one(
        {
            "_id": version, "created": created, "complete": True, "k": len(NAMES), "authors": authors,
            "choice": {"k": len(NAMES)},
            "sweep": [
                {"k": k, "inertia": 9000.0 / k**0.7, "silhouette": None if k == 1 else 0.3 - abs(k - 4) * 0.03,
                 "calinski_harabasz": None if k == 1 else 200.0 - k, "stability": 0.9, "null_inertia": 9500.0 / k**0.4}
                for k in range(1, 11)
            ],
            "scaler": scaler.to_json(), "features": names, "centroids": centroids.tolist(),
            "segments": list(range(len(NAMES))), "names": {str(n): name for n, name in enumerate(NAMES)},
            "shares": {str(n): float(share) for n, share in enumerate(shares)},
            "ever_used": len(NAMES) - 1, "births": [], "deaths": [], "drift": {}, "moved_authors": 0.0312, "faults": [],
        }
    )  # fmt: skip
    for number, name in enumerate(NAMES):
        mood = random.dirichlet([4, 5, 2]).tolist()
        # Of the third nobody's mood or hours are known.
        known = number != 2
        database.segments.insert_one(
            {
                "_id": f"{version}/{number}", "version": version, "segment": number, "name": name,
                "authors": int(shares[number] * authors), "share": float(shares[number]),
                "traits": [
                    {"feature": "followers", "label": "followers", "effect": 0.91, "mean": 1843.2, "rest": 211.7},
                    {"feature": "sentiment_mean", "label": "sentiment", "effect": -0.4, "mean": 0.31, "rest": 0.6},
                ],
                "typical": {"followers": 1584.0, "posts": 631.0},
                **{f"{name}_share": share if known else None
                   for name, share in zip(("positive", "neutral", "negative"), mood, strict=True)},
                "sentiment_mean": 0.6134 if known else None, "subjectivity_mean": 0.4412 if known else None,
                "tweets": 4013, "tweets_own": 3007, "tweets_passed_on": 1006, "tweets_scored": 2412 if known else 0,
                "passed_on": {"positive": 0.701, "neutral": 0.2, "negative": 0.099} if number == 0 else None,
                "not_scored": {"es": 481, "no text": 114} if known else {"tr": 3007}, "retweets_known": True,
                "tweets_per_author": 4.0, "share_of_tweets": float(shares[number]),
                "best_hours": [8, 9, 18, 19] if known else [], "part_of_day": "evening" if known else None,
                "not_known": [] if known else ["sentiment_mean", "subjectivity_mean"],
                "languages": {"en": 0.8123, "de": 0.1877}, "clients": {"mobile": 0.7, "web": 0.3},
                "topics": {"brand": 120, "launch": 40}, "confidence": 0.5, "is_outlier_group": number == 3, "brief": "",
            }
        )  # fmt: skip
    return version


def write_release(
    database: Database[dict[str, Any]],
    night: int,
    authors: int = 1000,
    *,
    mark: float | None = None,
    indexed: bool = True,
) -> str:
    """One finished release of groups of `K` equal rows, with its clustering and timelines; its version.

    `mark`, if given, is everybody's tweets_seen: by it a row tells the release that it is of.
    """
    clustering = write_clustering(database, night, authors)
    if indexed:
        ReleaseStore(database).prepare()
    random = np.random.default_rng(night)
    version = f"r{START + timedelta(days=night):%Y%m%dT%H%M%S%f}{night:06x}"
    groups = authors // K
    shared = [_group(random, group, mark) for group in range(groups)]
    counts = count_rows((row["segment"], row["sentiment_label"]) for row in shared for _ in range(K))
    database.releases.insert_one(
        {"_id": version, "created": datetime.now(UTC), "clustering": clustering, "model_version": "test-1",
         "k_anonymity": K, "l_diversity": 2, "authors": groups * K, "withheld": 3, "groups": groups,
         "smallest_group": K, "counts": counts, "complete": True}
    )  # fmt: skip
    view = view_of(database, clustering, counts_of(counts)[0], K)
    assert view is not None
    database.released_segments.insert_one({"_id": version, **view})
    group_of = random.permutation(groups * K) // K
    for start in range(0, groups * K, 5_000):
        database.released_profiles.insert_many(
            [
                {"_id": f"{version}/{start + place:09d}", "release": version, **shared[group]}
                for place, group in enumerate(group_of[start : start + 5_000])
            ],
            ordered=False,
        )
    database.timelines.insert_many(
        [
            {"_id": f"{version}/{segment}/{day}", "release": version, "segment": segment,
             "day": START - timedelta(days=90 - day), "period": "day", "tweets": 40, "authors": 20,
             **_mood_of(day, segment, random)}
            for segment in (None, 0, 1, 2, 3) for day in range(90)
        ]
    )  # fmt: skip
    return version


def _mood_of(day: int, segment: int | None, random: np.random.Generator) -> dict[str, Any]:
    """Of a day on which enough could be scored, or of one on which not."""
    names = ("sentiment_mean", "positive_share", "neutral_share", "negative_share")
    mean = round(float(0.55 + 0.1 * np.sin(day / 9 + (segment or 0)) + random.normal(0, 0.02)), 2)
    values = (None,) * 4 if day % 30 == 7 else (mean, 0.4, 0.4, 0.2)
    return {**dict(zip(names, values, strict=True)), "not_scored": None if day % 30 == 7 else 6}


def switch(database: Database[dict[str, Any]], version: str) -> None:
    """Make readers use it."""
    ReleaseStore(database).switch(version)


def _group(random: np.random.Generator, group: int, mark: float | None) -> dict[str, Any]:
    sentiment: float | None = round(float(random.integers(0, 21)) * 0.05, 2)
    label = "negative" if (sentiment or 0) < 0.4 else "positive" if (sentiment or 0) > 0.6 else "neutral"
    if group % 7 == 3:
        sentiment = None
    return {
        "group": group,
        "segment": int(random.choice(4, p=[0.4, 0.3, 0.2, 0.1])),
        "segment_confidence": round(float(random.integers(0, 11)) / 10, 1),
        "main_language": str(random.choice(["en", "de", "es"])),
        "main_client": None if random.random() < 0.1 else str(random.choice(CLIENT_KINDS)),
        "verified_kind": None if random.random() < 0.3 else "none",
        "protected": None if random.random() < 0.3 else False,
        **{name: None if random.random() < 0.1 else float(round(10 ** random.uniform(0, 5), -1))
           for name in ("followers", "following", "posts", "listed")},
        "account_age_years": float(random.integers(0, 30)) / 2,
        "tweets_seen": mark if mark is not None else float(random.integers(1, 40)),
        **{name: round(float(random.integers(0, 21)) * 0.05, 2)
           for name in ("retweet_share", "reply_share", "link_share", "media_share")},
        "likes_per_tweet": float(random.integers(0, 90)), "retweets_per_tweet": float(random.integers(0, 30)),
        "active_part": None if group % 11 == 3 else str(random.choice(PARTS_OF_DAY)),
        "last_seen_month": f"2026-{random.integers(1, 4):02d}",
        "sentiment_mean": sentiment,
        "sentiment_label": None if sentiment is None else label,
        "subjectivity_mean": None if sentiment is None else round(float(random.integers(0, 21)) * 0.05, 2),
    }  # fmt: skip

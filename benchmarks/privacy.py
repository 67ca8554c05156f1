"""How private and how useful released profiles are: a linking attack, and what generalisation costs the clusters.

    .venv/bin/python benchmarks/privacy.py [PAGES.jsonl]

The authors are those of PAGES.jsonl (or any archive file that `tweet-profiles import` reads), scored with the shipped
model; without it, 100,000 made ones with heavy tails. The release is made from what is stored of them (generalised
counts); the attacker holds their exact values. K-Means on the exact values is compared with K-Means on the released
rows, with the same k, by the adjusted Rand index (Hubert and Arabie 1985). The last line is one JSON object.
"""

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from tweet_profiles.contracts import ACCOUNT_COUNTS, LABELS, RELEASED_PROFILES, USER_PROFILES
from tweet_profiles.home import Home
from tweet_profiles.landing.frames import raw_frame
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.privacy.generalise import generalised, to_scored
from tweet_profiles.profiles.compute import profiles_of
from tweet_profiles.release.anonymise import anonymise, facts_of, summarise, typed
from tweet_profiles.release.attack import attack
from tweet_profiles.segments.elbow import choose_k
from tweet_profiles.segments.features import build_features, matrix_of
from tweet_profiles.segments.kmeans import fit, sweep
from tweet_profiles.sources.files import import_paths

AUTHORS = 100_000
K = 5
KS = range(2, 13)
SEED = 7
_MIDDLE = {"night": (1, 2), "morning": (7, 8), "afternoon": (13, 14), "evening": (19, 20)}
_DAYS_A_YEAR = 365.25


def authors_of(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Exact and stored USER_PROFILES of an archive file's authors."""
    from tweet_profiles.sentiment.scoring import load_scorer, score_tweets

    with TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        zone = LandingZone(home, batch_size=1_000_000)
        import_paths([path], zone)
        batches = zone.keys()
        raw = pd.concat([raw_frame(zone.read(key)).frame for key in batches], ignore_index=True)
    texts, languages = (raw[name].astype(object).where(raw[name].notna(), None).tolist() for name in ("text", "lang"))
    scores = score_tweets(load_scorer(), texts, languages)
    stored = to_scored(raw, scores, b"k" * 32, K)
    exact = stored.assign(**{name: raw[name] for name in ACCOUNT_COUNTS})
    order = [f"{position:08d}" for position in stored["position"]]
    return profiles_of(exact.assign(order=order)), profiles_of(stored.assign(order=order))


def made_authors(count: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Exact and stored USER_PROFILES of made authors: five kinds that overlap, with Pareto-tailed followers, tweets and
    likes, gaps, rare languages and rare clients.
    """
    random = np.random.default_rng(seed)
    kind = random.choice(5, count, p=[0.34, 0.26, 0.18, 0.12, 0.10])
    mood = np.array([0.82, 0.2, 0.5, 0.6, 0.72])[kind]
    subjectivity = np.array([0.75, 0.7, 0.2, 0.45, 0.25])[kind]
    tweets = np.minimum(np.floor(random.pareto(np.array([1.8, 1.9, 1.3, 2.0, 1.0])[kind]) + 1), 3000).astype(int)
    noise = 0.35 / np.sqrt(tweets) + 0.03
    sentiment = np.clip(mood + random.normal(0, 1, count) * noise * 0.5, 0, 1)
    positive = np.clip(sentiment + random.normal(0, 0.1, count), 0, 1)
    negative = np.clip((1 - positive) * random.random(count), 0, 1)

    def tailed(middle: list[float], spread: float, tail: float) -> np.ndarray:
        body = np.array(middle)[kind] * np.exp(random.normal(0, spread, count))
        return np.floor(body * np.where(random.random(count) < 0.05, random.pareto(tail, count) + 1, 1))

    def share(means: list[float]) -> np.ndarray:
        return np.round(random.binomial(np.minimum(tweets, 200), np.array(means)[kind]) / np.minimum(tweets, 200), 6)

    def counted(names: list[str], shares: list[float]) -> list[dict[str, int]]:
        return [{name: int(n)} for name, n in zip(random.choice(names, count, p=shares), tweets, strict=True)]

    hours = np.zeros((count, 24), int)
    middle = np.array([19, 8, 13, 1, 13])[kind]
    for _ in range(3):
        when = np.rint(middle + random.normal(0, 2.5, count)).astype(int) % 24
        np.add.at(hours, (np.arange(count), when), np.maximum(tweets // 3, 1))
    last = pd.Timestamp("2026-11-20", tz="UTC") - pd.to_timedelta(np.floor(random.exponential(20, count)), unit="D")
    age = np.floor(np.clip(random.gamma(4, [900, 800, 1100, 500, 150], (count, 5))[np.arange(count), kind], 1, 6800))
    exact = pd.DataFrame(
        {
            "author_key": pd.Series([f"{n:032x}" for n in range(count)], dtype="string"),
            "first_seen": last,
            "last_seen": last,
            "tweets_seen": tweets,
            "tweets_own": tweets,
            "tweets_passed_on": 0,
            "tweets_scored": tweets,
            "sentiment_mean": sentiment,
            "sentiment_std": noise / 2,
            "sentiment_trend": np.nan,
            "positive_share": positive,
            "neutral_share": np.clip(1 - positive - negative, 0, 1),
            "negative_share": negative,
            "subjectivity_mean": np.clip(subjectivity + random.normal(0, 0.08, count), 0, 1),
            "subjectivity_std": 0.1,
            **{f"passed_on_{label}_share": np.nan for label in LABELS},
            "likes_per_tweet": tailed([3, 2, 25, 0.6, 0.2], 1.0, 1.1),
            "retweets_per_tweet": tailed([1, 1, 8, 0.3, 0.2], 1.0, 1.1),
            "replies_per_tweet": tailed([1, 1, 3, 0.3, 0.1], 1.0, 1.1),
            "quotes_per_tweet": 0.0,
            "retweet_share": share([0.15, 0.1, 0.05, 0.8, 0.05]),
            "reply_share": share([0.15, 0.6, 0.05, 0.1, 0.02]),
            "quote_share": share([0.05, 0.05, 0.05, 0.05, 0.02]),
            "link_share": share([0.1, 0.1, 0.85, 0.2, 0.97]),
            "media_share": share([0.3, 0.1, 0.4, 0.1, 0.5]),
            "followers": tailed([300, 180, 20000, 90, 900], 1.1, 0.9),
            "following": tailed([400, 300, 900, 600, 60], 0.8, 1.5),
            "posts": tailed([4000, 2500, 30000, 9000, 60000], 1.0, 1.3),
            "listed": tailed([2, 1, 200, 0.5, 8], 1.0, 1.0),
            "account_age_days": age,
            "verified": pd.Series(
                random.random(count) < np.array([0.03, 0.01, 0.4, 0.01, 0.05])[kind], dtype="boolean"
            ),
            "verified_kind": pd.Series(pd.NA, index=range(count), dtype="string"),
            "protected": pd.Series(random.random(count) < 0.02, dtype="boolean"),
            "languages": counted(
                ["en", "es", "fr", "ja", "tr", "is", "mt"], [0.8, 0.1, 0.05, 0.03, 0.01, 0.009, 0.001]
            ),
            "hours": hours.tolist(),
            "not_scored": [{} for _ in range(count)],
            "clients": counted(["mobile", "web", "professional", "automated", "other"], [0.6, 0.25, 0.08, 0.05, 0.02]),
            "topics": [{} for _ in range(count)],
        }
    )
    exact.loc[random.random(count) < 0.04, "listed"] = np.nan
    exact.loc[random.random(count) < 0.02, "account_age_days"] = np.nan
    for name in ("first_seen", "last_seen"):
        exact[name] = exact[name].astype("datetime64[us, UTC]")
    for name, column in USER_PROFILES.columns.items():
        if str(column.dtype) == "float64":
            exact[name] = exact[name].astype("float64").round(6)
    coarse = {name: generalised(exact[name].astype("Int64")).astype("float64") for name in ACCOUNT_COUNTS}
    return USER_PROFILES.validate(exact), exact.assign(**coarse)


def as_profiles(rows: pd.DataFrame) -> pd.DataFrame:
    """Released rows with the names that features are read by; a part of the day stands for its middle."""
    hours = [[int(hour in _MIDDLE[part]) for hour in range(24)] for part in rows["active_part"]]
    keys = pd.Series([f"{n:032x}" for n in range(len(rows))], dtype="string")
    return rows.assign(author_key=keys, hours=hours, account_age_days=rows["account_age_years"] * _DAYS_A_YEAR)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="?", type=Path, help="archive file; without it authors are made")
    parser.add_argument("--authors", type=int, default=AUTHORS, help="how many authors are made")
    given = parser.parse_args()
    exact, stored = authors_of(given.pages) if given.pages else made_authors(given.authors, SEED)
    print(f"{len(exact):,} authors")
    matrix, _ = matrix_of(build_features(stored).frame)
    points = sweep(matrix, KS, SEED)
    k = choose_k(points).k
    segments = fit(matrix, k, SEED)
    start = time.perf_counter()
    facts = facts_of(stored, segments.labels, segments.confidence)
    release = anonymise(facts, k=K, seed=SEED)
    RELEASED_PROFILES.validate(release.frame)
    print(
        f"released {len(release.frame):,} rows in {release.groups:,} groups, {release.withheld:,} authors withheld, "
        f"in {time.perf_counter() - start:.1f} s"
    )
    known = facts_of(exact, segments.labels, segments.confidence)
    alone = np.arange(len(exact))
    own = typed(summarise(known, alone, len(exact)))
    result = attack(release.frame, own, summarise(known, alone, len(exact), rounded=False), release.row_of)
    by_column = sorted(result.exact_by_column.items(), key=lambda item: -item[1])
    print(f"chance within the group    {result.chance:.4f}   (1/k = {1 / K:.4f})")
    print(f"exact, all columns         {result.exact_all:.4f}")
    print(f"exact, best single column  {by_column[0][1]:.4f}   ({by_column[0][0]})")
    print(f"nearest author of each row {result.nearest_rows:.4f}")
    print(f"nearest row of each author {result.nearest_authors:.4f}")
    inside = release.row_of >= 0
    wanted = fit(matrix_of(build_features(exact).frame)[0], k, SEED).labels[inside]
    features, _ = matrix_of(build_features(as_profiles(release.frame)).frame)
    got = fit(features, k, SEED).labels[release.row_of[inside]]
    ari = float(adjusted_rand_score(wanted, got))
    print(f"k = {k}; adjusted Rand index, K-Means on released against exact values: {ari:.3f}")
    print(
        f"adjusted Rand index, released segments against exact values: "
        f"{adjusted_rand_score(wanted, segments.labels[inside]):.3f}"
    )
    print(
        json.dumps(
            {
                "smallest_group": result.smallest_group,
                "link_success_rate": round(result.success_rate, 4),
                "ari": round(ari, 3),
            }
        )
    )


if __name__ == "__main__":
    main()

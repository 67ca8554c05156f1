"""Tweets folded into profiles a second: the reference way and ours, and how the cost grows with what is stored.

    .venv/bin/python benchmarks/profiles.py

- reference: for every tweet, find the author's profile by its indexed user id, then update it or insert it;
- ours: the batches of a run, as the asset user_profiles folds them (1,000 tweets a batch).

Both on the same local server, one after the other, over the same 50,000 tweets of 20,000 authors. Then batches of
1,000 tweets are folded into stores of 10,000 tweets of 4,000 authors and of 1,000,000 tweets of 400,000; the median
batch counts. The last line is one JSON object.
"""

import itertools
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from pymongo.database import Database

from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.database.connection import connect
from tweet_profiles.database.local_server import LocalServer
from tweet_profiles.home import Home
from tweet_profiles.profiles.buckets import merge, pack, rows_of
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.settings import Settings

TWEETS, AUTHORS, BATCH = 50_000, 20_000, 1_000
STORED = (10_000, 1_000_000)
TRIALS = 7


def made_tweets(count: int, authors: int, seed: int, first: int = 0, *, every: bool = False) -> pd.DataFrame:
    """SCORED_TWEETS whose authors are drawn with a heavy tail: most tweet once or twice, a few very much.

    Authors' weights are Pareto distributed with exponent 1.9, about as loud as the authors of 8,809 real tweets about a
    brand: 18 % of them wrote at least 2, 3 % at least 5, 0.9 % at least 10, and the loudest of 5,886 wrote 87.
    """
    random = np.random.default_rng(seed)
    loudness = np.random.default_rng(1).pareto(1.9, authors) + 1
    who = random.choice(authors, count, p=loudness / loudness.sum())
    if every:
        who[:authors] = np.arange(authors)
        random.shuffle(who)
    hours = pd.to_datetime("2026-01-01", utc=True) + pd.to_timedelta(random.integers(0, 24 * 90, count), unit="h")
    sentiment = random.beta(2, 2, count).astype("float32")
    followers = np.rint(10 ** np.clip(random.normal(2.5, 0.9, authors), 0, 7)).astype(int)
    columns: dict[str, Any] = {
        "tweet_key": [f"{first + n:032x}" for n in range(count)],
        "author_key": [f"{(author + 1) * 2654435761 % 2**61:032x}" for author in who],
        "created_hour": hours,
        "observed_hour": hours + pd.Timedelta(hours=1),
        "position": np.arange(count) % BATCH,
        "sentiment": sentiment,
        "subjectivity": random.random(count).astype("float32"),
        "label": np.select([sentiment < 0.4, sentiment > 0.6], ["negative", "positive"], "neutral"),
        "client_kind": random.choice(["mobile", "web", "other"], count),
        "topics": [[f"{topic:032x}"] if topic else [] for topic in random.integers(0, 30, count)],
        "topic_names": [[""] for _ in range(count)],
        "account_created_month": pd.to_datetime("2015-03-01", utc=True),
        "lang": "en",
        "verified": False,
        "verified_kind": "none",
        "protected": False,
        "has_hour": True,
        "version": 1,
        "retweets_collected": True,
        "not_scored": None,
    }
    columns |= {
        name: random.random(count) < 0.3 for name in ("is_retweet", "is_reply", "is_quote", "has_link", "has_media")
    }
    columns |= {name: random.geometric(0.3, count) - 1 for name in ("likes", "retweets", "replies", "quotes")}
    columns |= dict.fromkeys(("followers", "following", "posts", "listed"), followers[who])
    frame = pd.DataFrame(columns)
    frame["topic_names"] = [[""] * len(topics) for topics in frame["topics"]]
    for name, column in SCORED_TWEETS.columns.items():
        if str(column.dtype) != "object":
            frame[name] = frame[name].astype(
                str(column.dtype) if "datetime" not in str(column.dtype) else "datetime64[us, UTC]"
            )
    return SCORED_TWEETS.validate(frame[list(SCORED_TWEETS.columns)])


def batches_of(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The tweets cut into batches with their keys."""
    return [
        (f"b{start:09d}", frame.iloc[start : start + BATCH].reset_index(drop=True))
        for start in range(0, len(frame), BATCH)
    ]


def reference(database: Database[dict[str, Any]], frame: pd.DataFrame) -> float:
    """Seconds of the reference design's way: find by user id, then update or insert, a tweet at a time."""
    users = database.users
    users.create_index("user_id", unique=True)
    rows = frame[["author_key", "sentiment", "subjectivity", "likes", "retweets", "followers", "following", "posts"]]
    documents = rows.astype(object).to_dict("records")
    start = time.perf_counter()
    for tweet in documents:
        user = users.find_one({"user_id": tweet["author_key"]})
        if user is None:
            users.insert_one({"user_id": tweet.pop("author_key"), "tweets": 1, **tweet})
            continue
        seen = user["tweets"]
        mean = (user["sentiment"] * seen + tweet["sentiment"]) / (seen + 1)
        users.update_one(
            {"user_id": tweet.pop("author_key")}, {"$set": {**tweet, "sentiment": mean, "tweets": seen + 1}}
        )
    return time.perf_counter() - start


def ours(database: Database[dict[str, Any]], frame: pd.DataFrame) -> float:
    """Seconds of our way, as the asset does it."""
    store = ProfileStore(database)
    store.prepare()
    batches = batches_of(frame)
    start = time.perf_counter()
    store.fold_all(batches)
    seconds = time.perf_counter() - start
    if sum(len(bucket.rows) for _, bucket in store.buckets()) != len(frame):
        raise RuntimeError("not every tweet was folded")
    return seconds


def batch_seconds(database: Database[dict[str, Any]], stored: int) -> float:
    """Median seconds of folding one batch of 1,000 tweets into a store that holds `stored` tweets."""
    store = ProfileStore(database)
    store.prepare()
    authors = max(1_000, stored * 2 // 5)
    rows: dict[str, list[Any]] = {}
    for start in range(0, stored, 50_000):
        frame = made_tweets(min(50_000, stored - start), authors, seed=start + 1, first=start)
        for author, row in zip(frame["author_key"], rows_of(frame, "b0"), strict=True):
            rows.setdefault(author, []).append(row)
    documents = ({"_id": author, "writes": 1, "tweets": pack(merge([], found)[0])} for author, found in rows.items())
    while chunk := list(itertools.islice(documents, 5_000)):
        database.scores.insert_many(chunk, ordered=False)
    store.recompute(list(rows))
    seconds = []
    for trial in range(TRIALS):
        frame = made_tweets(BATCH, authors, seed=10**6 + trial, first=10**9 + trial * BATCH)
        start = time.perf_counter()
        store.fold(frame, f"c{trial}")
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


@contextmanager
def server() -> Iterator[Any]:
    """A client of a local server of its own."""
    with TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        local = LocalServer(home)
        settings = Settings(home=home.root, MONGODB_URI=None)
        client = connect(settings, home)
        try:
            yield client
        finally:
            client.close()
            local.stop()


def main() -> None:
    """Measure and print."""
    frame = made_tweets(TWEETS, AUTHORS, seed=7, every=True)
    print(f"{len(frame)} tweets of {frame['author_key'].nunique()} authors", flush=True)
    # What was measured is not dropped: on the local server that takes minutes, and all goes with its folder.
    with server() as client:
        times = {}
        for name, way in (("reference", reference), ("ours", ours)):
            times[name] = way(client[name], frame)
            print(f"{name:10} {len(frame) / times[name]:8.0f} tweets/s", flush=True)
        growth = {}
        for stored in STORED:
            growth[stored] = batch_seconds(client[f"stored_{stored}"], stored)
            print(f"a batch of {BATCH} into {stored:9,} stored tweets: {growth[stored]:.2f} s", flush=True)
    figures = {
        "speedup_vs_reference": round(times["reference"] / times["ours"], 1),
        "tweets_per_s": round(TWEETS / times["ours"]),
        "cost_growth": round(growth[STORED[1]] / growth[STORED[0]], 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

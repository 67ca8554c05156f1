"""Batches that keep the contract RAW_TWEETS in every way that it allows, and the way from one to what people see.

What belongs here: hypothesis strategies, and the stages called in the order in which the assets call them. What does
not: what is asserted of the answers (`test_whole_way`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from pymongo.database import Database

from tweet_profiles.contracts import (
    ACCOUNT_COUNTS,
    ENGAGEMENT,
    FIRST_TWEET,
    LABELS,
    RAW_TWEETS,
    RELEASED_PROFILES,
    SCALED_FEATURES,
    SCORED_TWEETS,
    TWEET_FLAGS,
    USER_PROFILES,
    VERIFIED_KINDS,
)
from tweet_profiles.orchestration import checks
from tweet_profiles.orchestration.assets.scaled_features import correlation_plot
from tweet_profiles.privacy.generalise import to_scored
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.release.anonymise import Anonymised
from tweet_profiles.release.make import make_release
from tweet_profiles.release.store import Release, ReleaseStore
from tweet_profiles.segments.features import build_features, describe_features
from tweet_profiles.segments.pipeline import ClusterConfig, ClusterResult, cluster
from tweet_profiles.segments.store import SegmentStore
from tweet_profiles.sentiment.scoring import score_tweets
from tweet_profiles.tables import read_table, write_table

Store = Database[dict[str, Any]]
K = 5
SECRET = b"w" * 32
LARGEST = 2**63 - 1
FIRST, NOW = pd.Timestamp(FIRST_TWEET), pd.Timestamp(datetime.now(UTC)).floor("us")

LANGUAGES = {
    "not told": [None],
    "one": ["en"],
    "foreign": ["tr"],
    "mixed": ["en", "en", "es", "pt-BR", "zh-Hant", "es-419", None],
}
TEXTS = {
    "withheld": [None],
    "blank": ["", "   ", "https://t.co/a", "\U0001f600"],
    "words": ["love it", "broken again", "it opens at nine", "never again", "so good", "maybe", "why not", "ok"],
    "mixed": ["love it", None, "", "broken again", "x" * 4_000, "it opens at nine", "שלום", "so good"],
}
SOURCES = {
    "not told": [None],
    "odd": ["", "  ", "=HYPERLINK(1)", "\U0001f426", "x" * 500, "<b>bot</b>", "NaN"],
    "mixed": ["Twitter for iPhone", "TweetDeck", "IFTTT", None, "Twitter Web App"],
}
HASHTAGS: dict[str, list[list[str]]] = {
    "none": [[]],
    "brand": [["brand"]],
    "mixed": [[], ["brand"], ["brand", "brand", "新商品"], ["caffè", "a1", "1a"], ["null"]],
}
FLAGS = {"not told": [None], "yes": [True], "no": [False], "mixed": [True, False], "partly told": [True, False, None]}
COUNTS = {
    "not told": [None],
    "zero": [0],
    "largest": [LARGEST],
    "extremes": [0, LARGEST],
    "usual": [0, 1, 3, 17, 250, 3_900],
    "partly told": [None, 0, 12, LARGEST, 5_000],
}
TIMES = {
    "first": [FIRST],
    "now": [NOW],
    "extremes": [FIRST, NOW],
    "usual": list(pd.date_range("2026-03-02T00:00Z", "2026-03-20T00:00Z", periods=37)),
}
MAYBE_TIMES: dict[str, list[Any]] = {"not told": [pd.NaT], **TIMES, "partly told": [pd.NaT, FIRST, NOW]}
KINDS = {"not told": [None], "none": ["none"], "mixed": [*VERIFIED_KINDS], "partly told": [*VERIFIED_KINDS, None]}
VERSIONS = {"one": [1], "mixed": [1, 2, 7], "largest": [LARGEST]}


class TinyScorer:
    """Scores a text by its length and letters: the model is not what these tests are about, and this one is instant."""

    version = "tiny-1"
    languages = frozenset({"en"})

    def score(self, texts: Sequence[str]) -> pd.DataFrame:
        """See `Scorer.score`."""
        sums = np.array([sum(map(ord, text)) % 11 for text in texts], dtype=np.float32)
        labels = [LABELS[int(number) % 3] for number in sums]
        scores = {"sentiment": sums / 10, "subjectivity": 1 - sums / 10, "label": labels}
        return pd.DataFrame(scores).astype({"sentiment": "float32", "subjectivity": "float32"})


def _one_of(pools: dict[str, Any]) -> st.SearchStrategy[str]:
    return st.sampled_from(list(pools))


@st.composite
def raw_batches(draw: st.DrawFn) -> pd.DataFrame:
    """RAW_TWEETS: hypothesis draws of each column which values it has at all, and a seed who has which."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    authors = draw(st.sampled_from([40, 1, 2, 4, 5, 6, 11, 24, 70]))
    most = draw(st.sampled_from([2, 1, 4]))
    who = np.repeat(np.arange(authors), random.integers(1, most + 1, authors))
    rows = len(who)

    def pick(pools: dict[str, Any], *, of_author: bool = False) -> list[Any]:
        pool = pools[draw(_one_of(pools))]
        chosen = random.integers(0, len(pool), authors)[who] if of_author else random.integers(0, len(pool), rows)
        return [pool[place] for place in chosen]

    digits = draw(st.sampled_from([19, 1, 20]))
    ids = (
        [str(number) for number in range(rows)]
        if digits == 1
        else [f"{n:0{digits}d}" for n in range(10**6, 10**6 + rows)]
    )
    created, has_hour = pick(TIMES), pick({name: FLAGS[name] for name in ("yes", "no", "mixed")})
    columns: dict[str, Any] = {
        "tweet_id": ids,
        "author_id": [ids[author] for author in who],
        "text": pick(TEXTS),
        "created_at": [time if told else time.floor("D") for time, told in zip(created, has_hour, strict=True)],
        "observed_at": pick(TIMES),
        "source": pick(SOURCES, of_author=True),
        "hashtags": pick(HASHTAGS),
        "account_created_at": pick(MAYBE_TIMES, of_author=True),
        "lang": pick(LANGUAGES),
        **{name: pick(FLAGS) for name in TWEET_FLAGS},
        **{name: pick(COUNTS) for name in ENGAGEMENT},
        **{name: pick(COUNTS, of_author=True) for name in ACCOUNT_COUNTS},
        "verified": pick(FLAGS, of_author=True),
        "verified_kind": pick(KINDS, of_author=True),
        "protected": pick(FLAGS, of_author=True),
        "has_hour": has_hour,
        "version": pick(VERSIONS),
        "retweets_collected": pick(FLAGS),
    }
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    if draw(st.sampled_from([False, False, False, True])):
        # Everybody is the same in everything but who they are.
        alike = [name for name in frame if name not in ("tweet_id", "author_id")]
        frame[alike] = pd.concat([frame.loc[[0], alike]] * rows, ignore_index=True)
    types = {name: str(column.dtype) for name, column in RAW_TWEETS.columns.items()}
    return frame.astype({name: kind for name, kind in types.items() if kind != "object"})[list(types)]


@dataclass(frozen=True)
class Night:
    """What one night made of a batch."""

    profiles: pd.DataFrame
    features: pd.DataFrame
    result: ClusterResult
    made: Anonymised
    release: Release
    nights: list[dict[str, Any]]


def kept(frame: pd.DataFrame, schema: Any, folder: Path) -> pd.DataFrame:
    """The frame, held against its contract, written and read as the assets do."""
    assert checks.faults(frame, schema) == [], schema.name
    path = write_table(folder / f"{schema.name}.parquet", frame)
    return read_table(path, schema, schema.name)


def folded(database: Store, raw: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The batch's profiles, after it was folded in two halves and then once more whole."""
    raw = kept(raw, RAW_TWEETS, folder)
    texts, languages = (raw[name].astype(object).where(raw[name].notna(), None).tolist() for name in ("text", "lang"))
    scored = kept(to_scored(raw, score_tweets(TinyScorer(), texts, languages), SECRET, K), SCORED_TWEETS, folder)
    store = ProfileStore(database)
    store.prepare()
    half = len(scored) // 2
    store.fold_all([("a", scored[:half]), ("b", scored[half:])])
    before = store.frame()
    again = store.fold(scored[half:], "b")
    assert again.tweets_new == again.tweets_replaced == 0
    profiles = store.frame()
    pd.testing.assert_frame_equal(profiles, before)
    assert checks.faults(profiles, USER_PROFILES) == []
    assert int(profiles["tweets_seen"].sum()) == len(scored)
    return profiles


def released(database: Store, profiles: pd.DataFrame, folder: Path) -> Night:
    """Features, clusters and a release of the profiles, as the assets make them, switched to.

    Raises:
        TooFewAuthorsError: if they cannot be grouped.
    """
    built = build_features(profiles)
    describe_features(built)
    if not built.scaler.names:
        assert correlation_plot(built).startswith(b"\x89PNG")
    features = kept(built.frame, SCALED_FEATURES, folder)
    segments = SegmentStore(database)
    config = ClusterConfig(k_max=4, k_anonymity=K)
    result = cluster(features, profiles, built.scaler, config, segments.previous())
    version = segments.write_version(result, features["author_key"])
    segments.switch(version)
    segments.assign_latecomers()
    name, made = make_release(database, version, model_version=TinyScorer.version, k=K)
    assert checks.faults(made.frame, RELEASED_PROFILES) == []
    release = ReleaseStore(database).switch(name)
    return Night(profiles, features, result, made, release, segments.history())


def words_of(value: Any) -> Iterator[str]:
    """All texts in a JSON value, the names of its members among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield str(name)
            yield from words_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from words_of(part)

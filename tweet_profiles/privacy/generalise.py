"""What of a tweet may be stored: ids become pseudonyms, times and counts become coarse, text goes.

What belongs here: pure functions from what was read to what may stay. What does not: the secret's place (`home`), the
hash (`pseudonyms`), and what leaves the system.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tweet_profiles.contracts import ACCOUNT_COUNTS, SCORED_TWEETS, UTC
from tweet_profiles.privacy.pseudonyms import author_keys, topic_key, tweet_key

STEPS_PER_DECADE = 10
"""Account counts are kept on the Renard series R10: each step is about 26 % above the one before."""
_LAST_STEP = 189
"""The last one that an Int64 can hold."""

_CLIENT_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # The first that matches wins: "Twitter for Advertisers" is no phone, "TweetDeck Web App" no plain browser.
    ("professional", ("tweetdeck", "hootsuite", "sprout", "buffer", "sprinklr", "advertisers", "media studio",
                      "social", "salesforce", "publer", "later", "coschedule", "agorapulse", "falcon", "khoros")),
    ("automated", ("bot", "ifttt", "zapier", "rss", "feed", "dlvr", "wordpress", "auto", "paper.li", "api", "script",
                   "revive", "nonli", "microsoft power")),
    ("mobile", ("iphone", "android", "ipad", "mobile", "ios", "windows phone", "blackberry")),
    ("web", ("web", "mac", "windows", "chrome", "x.com")),
)  # fmt: skip


def client_kind(source: str | None) -> str | None:
    """The broad kind of a client from the name that X shows; None if no name is told, "other" if unknown."""
    if source is None or not source.strip():
        return None
    name = source.lower()
    return next((kind for kind, words in _CLIENT_WORDS if any(word in name for word in words)), "other")


def generalised(counts: pd.Series) -> pd.Series:
    """Counts on the R10 series (ISO 3): 0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, ...; missing stays missing.

    Args:
        counts: Int64, not negative.
    """
    values = counts.to_numpy(dtype="float64", na_value=np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.minimum(np.rint(np.log10(values) * STEPS_PER_DECADE), _LAST_STEP)
        coarse = np.where(values > 0, np.rint(10 ** (step / STEPS_PER_DECADE)), values)
    return pd.Series(coarse, index=counts.index).astype("Int64")


def to_scored(raw: pd.DataFrame, scores: pd.DataFrame, secret: bytes, k_anonymity: int) -> pd.DataFrame:
    """Join tweets with their scores and drop all that could tell who wrote them.

    Args:
        raw: RAW_TWEETS.
        scores: of the same tweets in the same order, as `sentiment.scoring.score_tweets` gives them: sentiment,
            subjectivity and label, or why there are none (`not_scored`), and the language.
        secret: the key of the pseudonyms.
        k_anonymity: how many authors of the batch must share a hashtag for its name to be kept.

    Returns:
        SCORED_TWEETS, one row a tweet.
    """
    raw = raw.reset_index(drop=True)
    authors = author_keys(secret, raw["author_id"])
    topics, names = _topics(raw["hashtags"].tolist(), authors, secret, k_anonymity)
    # The exact time of observation orders the rows before it is made coarse; of equal times the later row is newer.
    position = np.empty(len(raw), np.int64)
    position[np.argsort(raw["observed_at"].to_numpy(), kind="stable")] = np.arange(len(raw))
    columns = {
        "tweet_key": pd.Series([tweet_key(secret, value) for value in raw["tweet_id"]], dtype="string"),
        "author_key": pd.Series(authors, dtype="string"),
        "created_hour": raw["created_at"].dt.floor("h").astype(UTC),
        "observed_hour": raw["observed_at"].dt.floor("h").astype(UTC),
        "position": position,
        "sentiment": scores["sentiment"].to_numpy("float32"),
        "subjectivity": scores["subjectivity"].to_numpy("float32"),
        **{name: pd.Series(scores[name].to_numpy(object), dtype="string") for name in ("label", "not_scored", "lang")},
        "client_kind": pd.Series(
            [client_kind(None if pd.isna(source) else source) for source in raw["source"]], dtype="string"
        ),
        "topics": pd.Series(topics, dtype=object),
        "topic_names": pd.Series(names, dtype=object),
        "account_created_month": _month(raw["account_created_at"]),
    }
    columns |= {name: generalised(raw[name]) for name in ACCOUNT_COUNTS}
    columns |= {name: raw[name] for name in SCORED_TWEETS.columns if name not in columns}
    return pd.DataFrame(columns)[list(SCORED_TWEETS.columns)]


def _month(moments: pd.Series) -> pd.Series:
    return (moments.dt.floor("D") - pd.to_timedelta(moments.dt.day - 1, unit="D")).astype(UTC)


def _topics(
    hashtags: Sequence[Sequence[str]], authors: Sequence[str], secret: bytes, k_anonymity: int
) -> tuple[list[list[str]], list[list[str]]]:
    who: dict[str, set[str]] = defaultdict(set)
    for author, tags in zip(authors, hashtags, strict=True):
        for tag in tags:
            who[tag].add(author)
    keys = {tag: topic_key(secret, tag) for tag in who}
    names = {tag: tag if len(sharing) >= k_anonymity else "" for tag, sharing in who.items()}
    return [[keys[tag] for tag in tags] for tags in hashtags], [[names[tag] for tag in tags] for tags in hashtags]

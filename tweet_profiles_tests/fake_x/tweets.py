"""The tweets of the fake server: each follows from its id alone, so that millions need no memory."""

import time
from datetime import UTC, datetime
from typing import Any

EPOCH_MS = 1_288_834_974_657
AUTHORS = 5_000
FIRST_AUTHOR = 10_000_000
ORIGINAL_AUTHOR = 77


def snowflake(ms: float, sequence: int = 0) -> int:
    """The id of a tweet of this time (ms since 1970)."""
    return (int(ms) - EPOCH_MS << 22) + sequence


def time_of(tweet_id: int) -> float:
    """When the tweet was made, seconds since 1970."""
    return ((tweet_id >> 22) + EPOCH_MS) / 1000


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def author_of(tweet_id: int) -> int:
    # The low bits count within one millisecond, the others are time: both spread over the authors.
    return FIRST_AUTHOR + (tweet_id * 2_654_435_761 >> 8) % AUTHORS


def tweet_of(
    tweet_id: int, *, post_names: bool = False
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]:
    """The tweet, its author and, if it is a retweet, the original."""
    author = author_of(tweet_id)
    made = iso(time_of(tweet_id))
    tweet: dict[str, Any] = {
        "id": str(tweet_id),
        "edit_history_post_ids" if post_names else "edit_history_tweet_ids": [str(tweet_id)],
        "author_id": str(author),
        "created_at": made,
        "lang": "en",
        "source": "Twitter for iPhone",
        "text": f"@brand this is what I think of it, number {tweet_id % 9973} #brandlove https://t.co/abc",
        "entities": {
            "hashtags": [{"start": 40, "end": 50, "tag": "BrandLove"}],
            "mentions": [{"start": 0, "end": 6, "username": "brand", "id": "4711"}],
            "urls": [{"start": 60, "end": 80, "url": "https://t.co/abc", "expanded_url": "https://example.org/x"}],
        },
        "public_metrics": {"retweet_count": 0, "reply_count": 0, "like_count": author % 7, "quote_count": 0},
    }
    original = None
    if tweet_id % 10 == 0:
        references = "referenced_posts" if post_names else "referenced_tweets"
        original = {
            "id": str(tweet_id - (3_600_000 << 22)),
            "author_id": str(ORIGINAL_AUTHOR),
            "text": "the original says more than the retweet shows " * 4,
            "created_at": iso(time_of(tweet_id) - 3600),
            "lang": "en",
        }
        tweet["text"] = "RT @someone: the original says more than…"
        tweet[references] = [{"type": "retweeted", "id": original["id"]}]
    user = {
        "id": str(author),
        "name": f"Name {author}",
        "username": f"handle{author}",
        "created_at": "2015-03-04T05:06:07.000Z",
        "protected": False,
        "verified": author % 50 == 0,
        "verified_type": "blue" if author % 50 == 0 else "none",
        "public_metrics": {
            "followers_count": author % 4000,
            "following_count": author % 900,
            "tweet_count": author % 20_000,
            "listed_count": author % 12,
        },
    }
    return tweet, user, original


def now_ms() -> float:
    return time.time() * 1000

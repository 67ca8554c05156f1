"""API v1.1: standard, extended and compatible tweets.

What belongs here: where v1.1 keeps what. What does not: reading files.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tweet_profiles.landing.tweets import TWEET_COUNTS, BadRecord, Tweet
from tweet_profiles.sources.formats.form import dicts, put_author, put_counts, put_links, put_text, retrieved_at, start
from tweet_profiles.sources.formats.values import hashtags, identifier, without_tags


def from_v1(tweet: Mapping[str, Any], *, observed_at: datetime | None = None) -> Tweet:
    """A tweet of API v1.1: standard, extended (`full_text`) or compatible (`extended_tweet`).

    Raises:
        BadRecord: with what is wrong with it.
    """
    if not isinstance(tweet, dict):
        raise BadRecord("is not a JSON object")
    user = tweet.get("user")
    if not isinstance(user, dict):
        raise BadRecord("has no user, so nobody wrote it")
    original = tweet.get("retweeted_status")
    retweet = isinstance(original, dict)
    content: Mapping[str, Any] = original if retweet else tweet  # type: ignore[assignment]
    extended = content.get("extended_tweet") or {}
    text = extended.get("full_text") or content.get("full_text") or content.get("text")
    result = start(
        tweet.get("id_str", tweet.get("id")),
        user.get("id_str", user.get("id")),
        text,
        tweet.get("created_at"),
        observed_at or retrieved_at(tweet),
    )
    told = extended.get("entities") or content.get("entities")
    known = isinstance(told, dict)
    entities: Mapping[str, Any] = told if isinstance(told, dict) else {}
    result["hashtags"] = hashtags(entry.get("text") for entry in dicts(entities.get("hashtags")))
    put_text(result, "lang", content.get("lang"))
    put_text(result, "source", without_tags(tweet.get("source")))
    result["is_retweet"] = retweet or (result["text"] or "").startswith("RT @")
    if any(name in tweet for name in ("in_reply_to_status_id_str", "in_reply_to_user_id_str")):
        result["is_reply"] = any(tweet.get(name) for name in ("in_reply_to_status_id_str", "in_reply_to_user_id_str"))
    if "is_quote_status" in tweet:
        result["is_quote"] = bool(tweet["is_quote_status"]) and not retweet
    media = [*dicts(entities.get("media")), *dicts((content.get("extended_entities") or {}).get("media"))]
    put_links(
        result,
        urls=dicts(entities.get("urls")) if "urls" in entities else None,
        quoted=str(content.get("quoted_status_id_str")),
        media=bool(media) if known else None,
    )
    if retweet:
        author = (content.get("user") or {}).get("id_str")
        if author:
            result["original_author_id"] = identifier(author, "the original's author")
    else:
        metrics = {name: tweet.get(name) for name in ("retweet_count", "reply_count", "quote_count")}
        put_counts(result, "public_metrics", metrics | {"like_count": tweet.get("favorite_count")}, TWEET_COUNTS)
    counts = {
        "followers_count": user.get("followers_count"),
        "following_count": user.get("friends_count"),
        "tweet_count": user.get("statuses_count"),
        "listed_count": user.get("listed_count"),
    }
    put_author(result, user, counts)
    return result

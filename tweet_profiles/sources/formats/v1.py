"""API v1.1: standard, extended and compatible tweets, and X's own archive of one account.

What belongs here: where v1.1 keeps what. What does not: reading files.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tweet_profiles.landing.tweets import TWEET_COUNTS, BadRecord, Tweet
from tweet_profiles.sources.formats.form import (
    author_of,
    dicts,
    edit_history,
    is_withheld,
    mapping,
    put_author,
    put_counts,
    put_edits,
    put_language,
    put_links,
    put_source,
    retrieved_at,
    start,
)
from tweet_profiles.sources.formats.times import STRICT
from tweet_profiles.sources.formats.values import (
    client_of,
    count_of,
    hashtags,
    identifier,
    is_missing,
    listed,
    text_of,
)

_REPLY = ("in_reply_to_status_id_str", "in_reply_to_user_id_str", "in_reply_to_status_id", "in_reply_to_user_id")


def from_v1(tweet: Mapping[str, Any], *, observed_at: datetime | None = None, owner: str | None = None) -> Tweet:
    """A tweet of API v1.1: standard, extended (`full_text`) or compatible (`extended_tweet`).

    Args:
        tweet: the tweet's object.
        observed_at: when it was read from X; without it `__twarc.retrieved_at`, else the tweet's own time.
        owner: the author's id, for the tweets of X's archive of one account, which do not tell it.

    Raises:
        BadRecord: with what is wrong with it.
    """
    if not isinstance(tweet, dict):
        raise BadRecord("is not a JSON object")
    user = mapping(tweet.get("user"))
    if not user and owner is None and is_missing(tweet.get("user_id_str")):
        raise BadRecord("has no user, so nobody wrote it")
    author = author_of(user) if user else owner or identifier(tweet["user_id_str"], "its author's id")
    retweeted = mapping(tweet.get("retweeted_status"))
    content = retweeted or tweet
    extended = mapping(content.get("extended_tweet"))
    text = extended.get("full_text") or content.get("full_text") or content.get("text")
    result = start(
        identifier(tweet.get("id_str", tweet.get("id")), "its id"),
        author,
        None if is_withheld(content) else text_of(text, table=False),
        STRICT.read(tweet.get("created_at"), "the time of creation"),
        observed_at or retrieved_at(tweet),
    )
    told = extended.get("entities") or content.get("entities")
    entities = mapping(told)
    listed_beside = content.get("hashtags") if told is None else None  # as tools write it that leave entities out
    tags = listed(listed_beside) if listed_beside is not None else listed(dicts(entities.get("hashtags")))
    result["hashtags"] = hashtags(tags)
    put_language(result, content.get("lang"))
    put_source(result, client_of(tweet.get("source")))
    retweet = bool(retweeted) or (result.get("text") or "").startswith("RT @")
    result["is_retweet"] = retweet
    if any(name in tweet for name in _REPLY) or owner is not None:
        result["is_reply"] = any(tweet.get(name) for name in _REPLY)
    if "is_quote_status" in tweet:
        result["is_quote"] = bool(tweet["is_quote_status"]) and not retweet
    media = [*dicts(entities.get("media")), *dicts(mapping(content.get("extended_entities")).get("media"))]
    put_links(
        result,
        urls=dicts(entities.get("urls")) if "urls" in entities else None,
        quoted=str(content.get("quoted_status_id_str")),
        media=bool(media) if isinstance(told, dict) else None,
    )
    if retweeted:
        original = mapping(retweeted.get("user"))
        if original:
            result["original_author_id"] = author_of(original, "the original's author")
    elif not retweet:
        metrics = {name: tweet.get(name) for name in ("retweet_count", "reply_count", "quote_count")}
        metrics["like_count"] = tweet.get("favorite_count")
        counts = {name: count_of(value, name) for name, value in metrics.items()}  # the archive has them as texts
        put_counts(result, "public_metrics", counts, TWEET_COUNTS)
    put_author(
        result,
        user,
        {
            "followers_count": user.get("followers_count"),
            "following_count": user.get("friends_count"),
            "tweet_count": user.get("statuses_count"),
            "listed_count": user.get("listed_count"),
        },
    )
    put_edits(result, edit_history(tweet))
    return result

"""Rows of tables whose columns are named as our fields are.

What belongs here: a row to a tweet. What does not: which columns a known export has (`known`).
"""

from collections.abc import Mapping
from typing import Any

from tweet_profiles.landing.tweets import AUTHOR_COUNTS, FLAGS, TWEET_COUNTS, Tweet, author_id_of
from tweet_profiles.sources.formats.form import put_author, put_counts, put_links, put_text, start
from tweet_profiles.sources.formats.times import parse_time
from tweet_profiles.sources.formats.values import (
    HASHTAG,
    count_cell,
    flag_cell,
    hashtags,
    listed,
    without_tags,
)

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("tweet_id", "id", "ids", "id_str", "status_id", "tweetid"),
    "author_id": ("author_id", "user_id", "user_id_str", "userid", "author.id"),
    "author_handle": ("author_handle", "user", "username", "user_screen_name", "screen_name", "author.username"),
    "text": ("text", "full_text", "tweet", "content", "tweet_text"),
    "created_at": ("created_at", "date", "timestamp", "datetime", "tweet_created_at"),
    "observed_at": ("observed_at", "retrieved_at", "__twarc.retrieved_at"),
    "lang": ("lang", "language"),
    "source": ("source", "client"),
    "hashtags": ("hashtags",),
    "like_count": ("like_count", "favorites", "favorite_count", "likes", "public_metrics.like_count"),
    "retweet_count": ("retweet_count", "retweets", "public_metrics.retweet_count"),
    "reply_count": ("reply_count", "replies", "public_metrics.reply_count"),
    "quote_count": ("quote_count", "quotes", "public_metrics.quote_count"),
    **{name: (name, name.removeprefix("is_")) for name in FLAGS},
    "followers_count": ("followers_count", "user_followers", "followers", "author.public_metrics.followers_count"),
    "following_count": (
        "following_count",
        "user_friends",
        "friends_count",
        "following",
        "author.public_metrics.following_count",
    ),
    "tweet_count": ("tweet_count", "statuses_count", "user_statuses", "posts", "author.public_metrics.tweet_count"),
    "listed_count": ("listed_count", "user_listed", "author.public_metrics.listed_count"),
    "account_created_at": ("account_created_at", "user_created", "user_created_at", "author.created_at"),
    "verified": ("verified", "user_verified", "author.verified"),
    "verified_type": ("verified_type", "author.verified_type"),
    "protected": ("protected", "author.protected"),
}
"""Our fields, and the column names under which common exports (twarc-csv, Kaggle sets) have them."""


def from_row(row: Mapping[str, str | None]) -> Tweet:
    """A CSV row whose columns already have this project's names; an empty cell is a missing value.

    Names: id, author_id or author_handle, text, created_at, observed_at, lang, source, hashtags,
    `TWEET_COUNTS`, `FLAGS`, and of the account `AUTHOR_COUNTS`, account_created_at, verified,
    verified_type, protected.

    Raises:
        BadRecord: with what is wrong with it.
    """
    cells = {name: value.strip() for name, value in row.items() if value is not None and value.strip()}
    author_id = cells.get("author_id")
    if author_id is None and "author_handle" in cells:
        author_id = author_id_of(cells["author_handle"])
    observed = cells.get("observed_at")
    result = start(
        cells.get("id"),
        author_id,
        row.get("text"),
        cells.get("created_at"),
        None if observed is None else parse_time(observed, "observed_at"),
    )
    result["hashtags"] = hashtags(
        listed(cells["hashtags"]) if "hashtags" in cells else HASHTAG.findall(result["text"] or "")
    )
    put_text(result, "lang", cells.get("lang"))
    put_text(result, "source", without_tags(cells.get("source")))
    result["is_retweet"] = (result["text"] or "").startswith("RT @")
    put_links(result, urls=None, quoted=None, media=None)
    for name in FLAGS:
        if name in cells:
            result[name] = flag_cell(cells[name], name)  # type: ignore[literal-required]
    if not result["is_retweet"]:
        counts = {name: count_cell(cells[name], name) for name in TWEET_COUNTS if name in cells}
        put_counts(result, "public_metrics", counts, TWEET_COUNTS)
    user: dict[str, Any] = {name: flag_cell(cells[name], name) for name in ("verified", "protected") if name in cells}
    user["created_at"] = cells.get("account_created_at")
    user["verified_type"] = cells.get("verified_type")
    counts = {name: count_cell(cells[name], name) for name in AUTHOR_COUNTS if name in cells}
    put_author(result, user, counts)
    return result

"""The one form of a tweet, in which every source lands it.

What belongs here: the names and types of what is kept of a tweet and its author, and the ids of those who have none.
What does not: how a format is turned into it (`sources.formats`), files, and the question whether a tweet was seen
before (`landing.zone`). Names, handles, biographies, locations, addresses and pictures of an author have no place in
it, so nothing that is written later can hold them.

Missing stays missing: a key that the source does not tell is absent, never zero or false.
"""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NotRequired, TypedDict

TWEET_COUNTS = ("retweet_count", "reply_count", "like_count", "quote_count")
AUTHOR_COUNTS = ("followers_count", "following_count", "tweet_count", "listed_count")
FLAGS = ("is_retweet", "is_reply", "is_quote", "has_link", "has_media")

HANDLE_ID_BASE = 10**19
"""Ids made from handles lie above every id X has given or can give (they are signed 64-bit numbers)."""


class Author(TypedDict, total=False):
    """What is kept of an author: the state of the account at `observed_at`, nothing that names anybody."""

    created_at: str
    verified: bool
    verified_type: str
    protected: bool
    public_metrics: dict[str, int]


class Tweet(TypedDict):
    """A tweet with its author, named as X API v2 names things; times are ISO 8601 in UTC, ending in Z.

    `id` of an edited tweet is the first of its edit history, `version` (absent: 1) counts the versions: the highest
    wins. `text` is None or absent where there is none: withheld, deleted, unavailable, or media alone. `has_hour` is
    False where only the day is known; `created_at` is then its midnight. `retweets_collected` tells whether this way
    of collecting returns retweets at all.
    """

    id: str
    author_id: str
    text: NotRequired[str | None]
    created_at: str
    observed_at: str
    hashtags: list[str]
    author: Author
    version: NotRequired[int]
    has_hour: NotRequired[bool]
    retweets_collected: NotRequired[bool]
    lang: NotRequired[str]
    source: NotRequired[str]
    is_retweet: NotRequired[bool]
    is_reply: NotRequired[bool]
    is_quote: NotRequired[bool]
    has_link: NotRequired[bool]
    has_media: NotRequired[bool]
    original_author_id: NotRequired[str]
    public_metrics: NotRequired[dict[str, int]]


class BadRecord(ValueError):  # noqa: N818 - it is a verdict on a record, not a fault of the program
    """A record that cannot be used; its text is the reason and holds nothing of the record itself."""


@dataclass
class Converted:
    """What a record held: its tweets, the reason of each that could not be used, X's partial errors."""

    tweets: list[Tweet] = field(default_factory=list)
    errors: list[BadRecord] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    partial_errors: int = 0


def author_id_of(handle: str) -> str:
    """A stable id for an author of whom a file tells only the handle, which itself is never kept.

    It cannot meet a real id: see `HANDLE_ID_BASE`. Returns 20 decimal digits.
    """
    digest = blake2b(handle.strip().lstrip("@").lower().encode(), digest_size=8).digest()
    return str(HANDLE_ID_BASE + int.from_bytes(digest) % (8 * 10**18))

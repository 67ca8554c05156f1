"""X's own answers and files: what one JSON value of them is, and the tweets in it.

What belongs here: telling pages, tweets, notices and errors of X from one another, record by record, as a dump may mix
them. What does not: where v2 and v1.1 keep what (`v2`, `v1`), and the JSON of other tools (`known`, `tables`).
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tweet_profiles.landing.tweets import BadRecord, Converted
from tweet_profiles.sources.formats.form import each
from tweet_profiles.sources.formats.v1 import from_v1
from tweet_profiles.sources.formats.v2 import from_flattened, from_page

NOTICE = "notice: give the file to `tweet-profiles forget --notices`"
STREAM_MESSAGE = "message of the stream, about no tweet"

NAMES = {
    "page": "X API v2 pages",
    "flattened": "X API v2 tweets, one a record",
    "v1": "X API v1.1 tweets",
    "v1 page": "X API v1.1 search pages",
    "archive": "X's own archive of one account",
}
"""What can be read, as told to people."""

WRAPPERS = ("statuses", "results", "tweets", "posts", "items")
"""Keys under which pages of other services than X API v2 hold their tweets."""

_ONLY_V2 = frozenset(
    [
        "public_metrics",
        "edit_history_tweet_ids",
        "conversation_id",
        "entities",
        "referenced_tweets",
        "attachments",
        "context_annotations",
        "reply_settings",
        "possibly_sensitive",
        "author",
        "in_reply_to_user_id",
        "withheld",
        "note_tweet",
        "__twarc",
    ]
)
"""Keys by which a record with id, author_id and text is X API v2's, not a table's row written as JSON."""
_CONTENT = frozenset(["id", "id_str", "text", "full_text", "content", "user", "username", "author", "url"])
_NOTICES = frozenset(
    [
        "delete",
        "scrub_geo",
        "status_withheld",
        "user_withheld",
        "user_delete",
        "user_undelete",
        "user_protect",
        "user_unprotect",
        "user_suspend",
        "user_unsuspend",
        "drop",
        "undrop",
        "withheld",
        "tweet_edit",
        "user_profile_modification",
    ]
)
_MESSAGES = frozenset(
    [
        "limit",
        "disconnect",
        "warning",
        "friends",
        "friends_str",
        "control",
        "for_user",
        "event",
        "direct_message",
        "stall_warning",
    ]
)
_ERRORS = (
    "is an error answer of the API, not a tweet",
    "is neither a page of tweets nor a tweet: it has none of data, statuses, id_str, author_id",
)


def kind_of(record: Any) -> str | None:  # noqa: PLR0911 - one return a kind
    """What a JSON value of X is: a key of `NAMES`, "notice", "message" or "error"; None if it is nothing of X."""
    if not isinstance(record, dict) or not record:
        return None
    keys = set(record)
    if "statuses" in keys:
        return "v1 page"
    if _has_account(record) and keys & {"text", "full_text", "extended_tweet"} and "created_at" in keys:
        return "v1"
    if keys >= {"id", "author_id", "text", "created_at"} and keys & _ONLY_V2:
        return "flattened"
    if keys == {"tweet"} and isinstance(record["tweet"], dict):
        return "archive"
    if keys & {"data", "includes"} or keys in ({"meta"}, {"meta", "errors"}):
        return _kind_of_page(record)
    if (len(keys) <= 2 and keys & _NOTICES) or keys >= {"action", "redacted_at"}:
        return "notice"
    if (len(keys) <= 2 and keys & _MESSAGES) or _is_disconnect(record):
        return "message"
    if not keys & _CONTENT and (keys & {"errors", "error"} or keys >= {"title", "status"} or keys >= {"title", "type"}):
        return "error"
    return None


def inner(record: Any) -> list[Any] | None:
    """The tweets that a page of v1.1's, or of another service's, wraps; None if it is no such page."""
    if not isinstance(record, dict):
        return None
    lists = (record[name] for name in WRAPPERS if isinstance(record.get(name), list))
    return next((some for some in lists if some and all(isinstance(one, dict) for one in some)), None)


def _has_account(record: Mapping[str, Any]) -> bool:
    user = record.get("user")
    return isinstance(user, dict) and any(name in user for name in ("id_str", "screen_name", "id"))


def _kind_of_page(record: Mapping[str, Any]) -> str | None:
    data = record.get("data")
    if isinstance(data, dict) and ("event_type" in data or (set(data) & _NOTICES and "text" not in data)):
        return "notice"
    items = data if isinstance(data, list) else [data]
    first = next((item for item in items if isinstance(item, dict)), None)
    if first is not None and "text" not in first and {"username", "tweet_count", "media_key"} & set(first):
        return None
    return "page"


def _is_disconnect(record: Mapping[str, Any]) -> bool:
    problems = record.get("errors")
    first = problems[0] if isinstance(problems, list) and problems else record
    return isinstance(first, dict) and ("disconnect_type" in first or first.get("title") == "operational-disconnect")


def convert(  # noqa: PLR0911 - one return a kind
    record: Any, *, observed_at: datetime | None = None, owner: str | None = None
) -> Converted:
    """Turn one JSON value of X into tweets.

    Args:
        record: a v2 page or stream message (`data`, `includes`), a flattened v2 tweet as twarc2 writes it, a v1.1
            tweet, a v1.1 search page (`statuses`), an entry of X's archive, or a notice, which is skipped.
        observed_at: when it was read from X; without it `__twarc.retrieved_at`, else the tweet's own time.
        owner: the author's id, for X's archive of one account.

    Raises:
        BadRecord: if it is none of these.
    """
    if not isinstance(record, dict):
        raise BadRecord("is not a JSON object")
    kind = kind_of(record)
    if kind == "v1 page":
        return each(record["statuses"], lambda tweet: from_v1(tweet, observed_at=observed_at))
    if kind == "v1":
        return each([record], lambda tweet: from_v1(tweet, observed_at=observed_at))
    if kind == "flattened":
        return each([record], lambda tweet: from_flattened(tweet, observed_at=observed_at))
    if kind == "archive":
        return each([record["tweet"]], lambda tweet: from_v1(tweet, observed_at=observed_at, owner=owner))
    if kind == "page":
        return from_page(record, observed_at=observed_at)
    if kind in ("notice", "message"):
        return Converted(skipped=Counter([NOTICE if kind == "notice" else STREAM_MESSAGE]))
    if kind is None and ("id_str" in record or "user" in record):
        return each([record], lambda tweet: from_v1(tweet, observed_at=observed_at))
    if kind is None and "id" in record and ("text" in record or "author_id" in record):
        return each([record], lambda tweet: from_flattened(tweet, observed_at=observed_at))
    raise BadRecord(_ERRORS[0] if kind == "error" else _ERRORS[1])

"""X API v2: pages, stream messages and twarc2's flattened lines.

What belongs here: where v2 keeps what. What does not: reading pages from X (`sources.x`) or from files.
"""

from collections.abc import Mapping, Set
from datetime import datetime
from typing import Any

from tweet_profiles.landing.tweets import TWEET_COUNTS, BadRecord, Converted, Tweet
from tweet_profiles.sources.formats.form import (
    by_id,
    dicts,
    each,
    edit_history,
    is_withheld,
    mapping,
    put_author,
    put_counts,
    put_edits,
    put_language,
    put_links,
    put_source,
    requested_of,
    retrieved_at,
    start,
)
from tweet_profiles.sources.formats.times import STRICT
from tweet_profiles.sources.formats.values import client_of, hashtags, identifier, text_of


def from_page(
    page: Mapping[str, Any],
    *,
    observed_at: datetime | None = None,
    requested: frozenset[str] | None = None,
    now: datetime | None = None,
) -> Converted:
    """The tweets of an X API v2 page or stream message, each joined with its author and its original.

    Args:
        page: `data` (a list, or one tweet), `includes`, `errors`, perhaps `__twarc`.
        observed_at: when it was read from X; see `convert`.
        requested: the tweet fields that were asked for. A field that was asked for and is absent means "no";
            one that may not have been asked for means "unknown". Without it twarc's note of the request is
            used, else the fields that any tweet of the page has.
        now: the time by which times are judged, where X has told it; without it that of this machine.

    Raises:
        BadRecord: if `data` or `includes` have another shape.
    """
    data = page.get("data", [])
    tweets = [data] if isinstance(data, dict) else data
    includes = page.get("includes") or {}
    if not isinstance(tweets, list) or not isinstance(includes, dict):
        raise BadRecord("is a page whose data is not a list or whose includes are not an object")
    users = by_id(includes.get("users"))
    originals = by_id(includes.get("tweets"))
    if requested is None:
        requested = requested_of(page) or frozenset().union(*(t for t in tweets if isinstance(t, dict)))
    when = observed_at or retrieved_at(page)
    converted = each(tweets, lambda tweet: _from_v2(tweet, users, originals, requested, when, now))
    errors = page.get("errors")
    converted.partial_errors = len(errors) if isinstance(errors, list) else 0
    return converted


def from_flattened(tweet: Mapping[str, Any], *, observed_at: datetime | None = None) -> Tweet:
    """A line of `twarc2 flatten`: the author and the referenced tweets are nested in the tweet.

    Raises:
        BadRecord: with what is wrong with it.
    """
    if not isinstance(tweet, dict):
        raise BadRecord("is not a JSON object")
    author = tweet.get("author")
    users = {str(author["id"]): author} if isinstance(author, dict) and "id" in author else {}
    if isinstance(author, dict) and not users and "author_id" in tweet:
        users = {str(tweet["author_id"]): author}
    originals = by_id(tweet.get("referenced_tweets"))
    requested = requested_of(tweet) or tweet.keys()
    return _from_v2(tweet, users, originals, requested, observed_at or retrieved_at(tweet))


def _from_v2(
    tweet: Mapping[str, Any],
    users: Mapping[str, Mapping[str, Any]],
    originals: Mapping[str, Mapping[str, Any]],
    requested: Set[str],
    observed_at: datetime | None,
    now: datetime | None = None,
) -> Tweet:
    if not isinstance(tweet, dict):
        raise BadRecord("is not a JSON object")
    references = tweet.get("referenced_tweets") or []
    if not isinstance(references, list) or (references and not all(isinstance(entry, dict) for entry in references)):
        raise BadRecord("referenced_tweets is not a list of objects")
    kinds = {str(entry.get("type")): str(entry.get("id")) for entry in references}
    original = originals.get(kinds["retweeted"]) if "retweeted" in kinds else None
    if original is not None and "text" not in original:
        original = None
    content = tweet if original is None else original
    result = start(
        identifier(tweet.get("id"), "its id"),
        identifier(tweet.get("author_id"), "its author's id"),
        None if is_withheld(content) else text_of(_v2_text(content), table=False),
        STRICT.read(tweet.get("created_at"), "the time of creation"),
        observed_at,
        now,
    )
    entities = _v2_entities(content)
    result["hashtags"] = hashtags(entry.get("tag") for entry in dicts(entities.get("hashtags")))
    put_language(result, content.get("lang"))
    put_source(result, client_of(tweet.get("source")))
    told = bool(references) or "referenced_tweets" in requested
    retweet = True if "retweeted" in kinds else False if told else (result.get("text") or "").startswith("RT @")
    result["is_retweet"] = retweet
    if "replied_to" in kinds or tweet.get("in_reply_to_user_id"):
        result["is_reply"] = True
    elif told:
        result["is_reply"] = False
    if told:
        result["is_quote"] = "quoted" in kinds
    urls = dicts(entities.get("urls"))
    keys = mapping(content.get("attachments")).get("media_keys")
    put_links(
        result,
        urls=urls if "urls" in entities else None,
        quoted=kinds.get("quoted"),
        media=True if keys else False if "attachments" in requested else None,
    )
    if retweet:
        if original is not None and original.get("author_id"):
            result["original_author_id"] = identifier(original["author_id"], "the original's author_id")
    else:
        put_counts(result, "public_metrics", tweet.get("public_metrics"), TWEET_COUNTS)
    user = users.get(result["author_id"])
    if user is not None:
        put_author(result, user, user.get("public_metrics"))
    put_edits(result, edit_history(tweet))
    return result


def _v2_text(tweet: Mapping[str, Any]) -> Any:
    long = tweet.get("note_tweet")
    return long["text"] if isinstance(long, dict) and long.get("text") else tweet.get("text")


def _v2_entities(tweet: Mapping[str, Any]) -> Mapping[str, Any]:
    long = tweet.get("note_tweet")
    entities = long.get("entities") if isinstance(long, dict) and long.get("text") else None
    entities = entities or tweet.get("entities")
    return entities if isinstance(entities, dict) else {}

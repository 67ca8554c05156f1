"""How a tweet is put together from values of any format.

What belongs here: the parts of a tweet that all formats set alike, so that what is missing stays missing everywhere.
What does not: where a format keeps them (`v2`, `v1`, `known`) and how a cell is read (`values`, `times`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tweet_profiles.contracts import VERIFIED_KINDS
from tweet_profiles.landing.tweets import AUTHOR_COUNTS, Author, BadRecord, Converted, Tweet, author_id_of
from tweet_profiles.sources.formats.times import (
    CLOCK_TOLERANCE,
    FIRST_TWEET,
    STRICT,
    Moment,
    TimeReader,
    checked,
    format_time,
    parse_time,
)
from tweet_profiles.sources.formats.values import handle_of, identifier, is_missing, language_of

LEGACY_VERIFICATION_ENDED = datetime(2023, 4, 1, tzinfo=UTC)
"""Until then a verified account had proved who it was; later the flag alone does not tell how it got it."""

_LINK = re.compile(r"https?://", re.IGNORECASE)
_MEDIA_PAGE = re.compile(r"/status/\d+/(photo|video)/\d+")


def each(records: Any, convert_one: Callable[[Any], Tweet]) -> Converted:
    """Convert the tweets of a page one by one, past bad ones.

    Raises:
        BadRecord: if it is no list.
    """
    if not isinstance(records, list):
        raise BadRecord("is a page whose tweets are not a list")
    converted = Converted()
    for position, record in enumerate(records):
        try:
            converted.tweets.append(convert_one(record))
        except BadRecord as error:
            where = f"tweet {position + 1} of the page: " if len(records) > 1 else ""
            converted.errors.append(BadRecord(where + str(error)))
    return converted


def start(
    tweet_id: str,
    author_id: str,
    text: str | None,
    created: Moment,
    observed_at: datetime | None,
    now: datetime | None = None,
) -> Tweet:
    """A tweet with what every tweet must have.

    Args:
        tweet_id: its id, or the first of its versions'.
        author_id: who wrote it.
        text: its text, if it has one.
        created: when it was written.
        observed_at: when it was read from X.
        now: the time by which the others are judged; without it that of this machine.

    Raises:
        BadRecord: if it is from a time in which there can be no tweet.
    """
    now = now or datetime.now(UTC)
    checked(created, "the time of creation", now)
    if observed_at is not None:
        checked(Moment(observed_at), "the time of observation", now)
    written = format_time(created.at)
    result: Tweet = {
        "id": tweet_id,
        "author_id": author_id,
        "text": text,
        "created_at": written,
        "observed_at": written if observed_at is None else format_time(observed_at),
        "hashtags": [],
        "author": {},
    }
    if not created.has_hour:
        result["has_hour"] = False
    return result


_EDITS = ("edit_history_tweet_ids", "edit_history", "edit_info", "edit_control", "edit_controls", "editControl", "edit")
_TELLS_EDITS = frozenset(_EDITS)
_EDIT_IDS = ("edit_tweet_ids", "editTweetIds")


def edit_history(tweet: Mapping[str, Any]) -> list[Any]:
    """The ids of a tweet's versions, wherever a format keeps them; empty if it tells none.

    v2 has `edit_history_tweet_ids`; v1.1 and X's web pages nest `edit_tweet_ids`, X's archive nests `editTweetIds`, and
    for a later version once more in the first one's.
    """
    if _TELLS_EDITS.isdisjoint(tweet):
        return []
    for name in _EDITS:
        value = tweet.get(name)
        for _ in range(3):
            if isinstance(value, list):
                return value
            if not isinstance(value, dict):
                break
            parts = list(value.values())
            value = next(
                (value[key] for key in _EDIT_IDS if key in value),
                next((part for part in parts if isinstance(part, dict)), None),
            )
        if isinstance(value, list):
            return value
    return []


def put_edits(result: Tweet, history: Sequence[Any]) -> None:
    """Give an edited tweet the first id of its history, and its place there as the version.

    A tweet that is not in its own history is left as it is.
    """
    if len(history) < 2:
        return
    ids = [str(entry) for entry in history]
    if result["id"] not in ids or not all(entry.isascii() and entry.isdigit() for entry in ids):
        return
    ordered = sorted(set(ids), key=int)
    result["version"] = ordered.index(result["id"]) + 1
    result["id"] = identifier(ordered[0], "the first id of its history")


def is_withheld(tweet: Mapping[str, Any]) -> bool:
    """Whether X says of a tweet that it, or its author, is withheld: what stands as its text is X's notice."""
    withheld = tweet.get("withheld")
    if isinstance(withheld, dict) and (withheld.get("scope") or withheld.get("country_codes")):
        return True
    return bool(tweet.get("withheld_scope") or tweet.get("withheld_in_countries"))


def author_of(user: Mapping[str, Any], what: str = "its author's id") -> str:
    """An author's id out of an account's object; made from the handle where that is all there is.

    Raises:
        BadRecord: naming `what` if the account has neither.
    """
    for name in ("id_str", "id", "rest_id", "user_id", "userId"):
        if not is_missing(user.get(name)):
            return identifier(user[name], what)
    for name in ("screen_name", "username", "userName", "screenName"):
        handle = handle_of(user.get(name))
        if handle is not None:
            return author_id_of(handle)
    raise BadRecord(f"{what} is missing")


def retrieved_at(record: Mapping[str, Any]) -> datetime | None:
    """When twarc noted that it read the record from X. Raises BadRecord if the note is no time."""
    noted = record.get("__twarc")
    if not isinstance(noted, dict) or "retrieved_at" not in noted:
        return None
    return parse_time(noted["retrieved_at"], "__twarc.retrieved_at")


def requested_of(record: Mapping[str, Any]) -> frozenset[str]:
    """The tweet fields that twarc noted to have asked for; empty if it noted none."""
    noted = record.get("__twarc")
    if not isinstance(noted, dict) or not isinstance(noted.get("url"), str):
        return frozenset()
    try:
        fields = parse_qs(urlsplit(noted["url"]).query).get("tweet.fields", [])
    except ValueError:
        return frozenset()
    return frozenset(",".join(fields).split(",")) - {""}


def by_id(records: Any) -> dict[str, Mapping[str, Any]]:
    """The objects of a list by their ids."""
    return {str(record["id"]): record for record in dicts(records) if "id" in record}


def dicts(records: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none if it is no list."""
    return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; an empty one if it is none."""
    return value if isinstance(value, dict) else {}


def put_links(
    result: Tweet, *, urls: Sequence[Mapping[str, Any]] | None, quoted: str | None, media: bool | None
) -> None:
    """Set has_link and has_media as far as they are known.

    X writes every link, attached media too, into the text as https://t.co/...; the list of urls, where there
    is one, tells which is which. A text cut off with an ellipsis may have lost them, and where there is no text
    nothing is known of it.
    """
    text = result.get("text")
    in_text = None if text is None else True if _has_link(text) else None if text.endswith("…") else False
    if urls:
        pictures = [url for url in urls if _is_media(url)]
        links = [url for url in urls if not _is_media(url) and not _leads_to(url, quoted)]
        result["has_link"] = bool(links)
        result["has_media"] = bool(pictures) or bool(media)
        return
    if urls is not None and media is not None:
        in_text = False
    if in_text is not None:
        result["has_link"] = in_text
    if media is not None:
        result["has_media"] = media
    elif in_text is False:
        result["has_media"] = False


def _has_link(text: str) -> bool:
    return "://" in text and _LINK.search(text) is not None


def _is_media(url: Mapping[str, Any]) -> bool:
    return (
        "media_key" in url
        or str(url.get("display_url", "")).startswith(("pic.twitter.com/", "pic.x.com/"))
        or _MEDIA_PAGE.search(str(url.get("expanded_url", ""))) is not None
    )


def _leads_to(url: Mapping[str, Any], tweet_id: str | None) -> bool:
    return tweet_id is not None and f"/status/{tweet_id}" in str(url.get("expanded_url", ""))


def put_language(result: Tweet, value: Any) -> None:
    """Set the language if one is told."""
    language = language_of(value)
    if language is not None:
        result["lang"] = language


def put_source(result: Tweet, client: str | None) -> None:
    """Set the client's name if it is told."""
    if client is not None:
        result["source"] = client


def put_counts(result: Any, name: str, metrics: Any, wanted: Sequence[str]) -> None:
    """Set those of the wanted counts that are told.

    Raises:
        BadRecord: for what is no count.
    """
    if metrics is None:
        return
    if not isinstance(metrics, dict):
        raise BadRecord(f"{name} is not an object")
    counts = {}
    for key in wanted:
        value = metrics.get(key)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise BadRecord(f"{key} is not a count")
        counts[key] = value
    if counts:
        result[name] = counts


def put_author(result: Tweet, user: Mapping[str, Any], counts: Any, reader: TimeReader = STRICT) -> None:
    """Set what is kept of the author.

    An account's time from before X existed, as X gives it for some suspended accounts (1970), or from after now is
    unknown.

    Raises:
        BadRecord: naming what cannot be read.
    """
    author: Author = {}
    if not is_missing(user.get("created_at")):
        made = reader.read(user["created_at"], "the account's time of creation").at
        if FIRST_TWEET <= made <= datetime.now(UTC) + CLOCK_TOLERANCE:
            author["created_at"] = format_time(made)
    for name in ("verified", "protected"):
        value = user.get(name)
        if value is not None:
            if not isinstance(value, bool):
                raise BadRecord(f"the account's {name} is neither true nor false")
            author[name] = value
    kind = _verified_kind(user.get("verified_type"), author.get("verified"), result["observed_at"])
    if kind is not None:
        author["verified_type"] = kind
    put_counts(author, "public_metrics", counts, AUTHOR_COUNTS)
    result["author"] = author


def _verified_kind(told: Any, verified: bool | None, observed_at: str) -> str | None:
    kind = told.strip().lower() if isinstance(told, str) else None
    if kind in VERIFIED_KINDS:
        return kind
    if verified is False:
        return "none"
    if verified and datetime.fromisoformat(observed_at) < LEGACY_VERIFICATION_ENDED:
        return "legacy"
    return None

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
from tweet_profiles.landing.tweets import AUTHOR_COUNTS, Author, BadRecord, Converted, Tweet
from tweet_profiles.sources.formats.times import format_time, parse_time
from tweet_profiles.sources.formats.values import identifier

LEGACY_VERIFICATION_ENDED = datetime(2023, 4, 1, tzinfo=UTC)
"""Until then a verified account had proved who it was; later the flag alone does not tell how it got it."""

_LINK = re.compile(r"https?://", re.IGNORECASE)
_MEDIA_PAGE = re.compile(r"/status/\d+/(photo|video)/\d+")


def each(records: Any, convert_one: Callable[[Any], Tweet]) -> Converted:
    """Convert the tweets of a page one by one, past bad ones. Raises BadRecord if it is no list."""
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


def start(tweet_id: Any, author_id: Any, text: Any, created_at: Any, observed_at: datetime | None) -> Tweet:
    """A tweet with what every tweet must have. Raises BadRecord naming what is missing or cannot be read."""
    if not isinstance(text, str) or not text:
        raise BadRecord("has no text")
    if created_at is None:
        raise BadRecord("has no time of creation")
    created = parse_time(created_at, "the time of creation")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return {
        "id": identifier(tweet_id, "its id"),
        "author_id": identifier(author_id, "its author's id"),
        "text": text,
        "created_at": format_time(created),
        "observed_at": format_time(observed_at or created),
        "hashtags": [],
        "author": {},
    }


def retrieved_at(record: Mapping[str, Any]) -> datetime | None:
    """When twarc noted that it read the record from X."""
    noted = record.get("__twarc")
    if not isinstance(noted, dict) or "retrieved_at" not in noted:
        return None
    return parse_time(noted["retrieved_at"], "__twarc.retrieved_at")


def requested_of(record: Mapping[str, Any]) -> frozenset[str]:
    """The tweet fields that twarc noted to have asked for; empty if it noted none."""
    noted = record.get("__twarc")
    if not isinstance(noted, dict) or not isinstance(noted.get("url"), str):
        return frozenset()
    fields = parse_qs(urlsplit(noted["url"]).query).get("tweet.fields", [])
    return frozenset(",".join(fields).split(",")) - {""}


def by_id(records: Any) -> dict[str, Mapping[str, Any]]:
    """The objects of a list by their ids."""
    return {str(record["id"]): record for record in dicts(records) if "id" in record}


def dicts(records: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none if it is no list."""
    return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []


def put_links(
    result: Tweet, *, urls: Sequence[Mapping[str, Any]] | None, quoted: str | None, media: bool | None
) -> None:
    """Set has_link and has_media as far as they are known.

    X writes every link, attached media too, into the text as https://t.co/...; the list of urls, where there
    is one, tells which is which. A text cut off with an ellipsis may have lost them: unknown.
    """
    text = result["text"] or ""
    in_text = True if _LINK.search(text) else None if text.endswith("…") else False
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


def _is_media(url: Mapping[str, Any]) -> bool:
    return (
        "media_key" in url
        or str(url.get("display_url", "")).startswith(("pic.twitter.com/", "pic.x.com/"))
        or _MEDIA_PAGE.search(str(url.get("expanded_url", ""))) is not None
    )


def _leads_to(url: Mapping[str, Any], tweet_id: str | None) -> bool:
    return tweet_id is not None and f"/status/{tweet_id}" in str(url.get("expanded_url", ""))


def put_text(result: Tweet, name: str, value: Any) -> None:
    """Set a text if there is one."""
    if isinstance(value, str) and value:
        result[name] = value  # type: ignore[literal-required]


def put_counts(result: Any, name: str, metrics: Any, wanted: Sequence[str]) -> None:
    """Set those of the wanted counts that are told. Raises BadRecord for what is no count."""
    if metrics is None:
        return
    if not isinstance(metrics, dict):
        raise BadRecord(f"{name} is not an object")
    counts = {key: metrics[key] for key in wanted if metrics.get(key) is not None}
    for key, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise BadRecord(f"{key} is not a count")
    if counts:
        result[name] = counts


def put_author(result: Tweet, user: Mapping[str, Any], counts: Any) -> None:
    """Set what is kept of the author. Raises BadRecord naming what cannot be read."""
    author: Author = {}
    if user.get("created_at"):
        author["created_at"] = format_time(parse_time(user["created_at"], "the account's time of creation"))
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
    if told in VERIFIED_KINDS:
        return str(told)
    if verified is False:
        return "none"
    if verified and datetime.fromisoformat(observed_at) < LEGACY_VERIFICATION_ENDED:
        return "legacy"
    return None

"""The one form of a tweet, and how every known format is turned into it.

What belongs here: pure conversions, one record in, one tweet or one reason out. What does not: files, the
network, and the question whether a tweet was seen before. Names, handles, biographies, locations, addresses
and pictures of an author are dropped here, so nothing that is written later can hold them.

Missing stays missing: a key that the source does not tell is absent, never zero or false.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from hashlib import blake2b
from typing import Any, NotRequired, TypedDict
from urllib.parse import parse_qs, urlsplit

from tweet_profiles.contracts import VERIFIED_KINDS

TWEET_COUNTS = ("retweet_count", "reply_count", "like_count", "quote_count")
AUTHOR_COUNTS = ("followers_count", "following_count", "tweet_count", "listed_count")
FLAGS = ("is_retweet", "is_reply", "is_quote", "has_link", "has_media")

LEGACY_VERIFICATION_ENDED = datetime(2023, 4, 1, tzinfo=UTC)
"""Until then a verified account had proved who it was; later the flag alone does not tell how it got it."""

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
    """A tweet with its author, named as X API v2 names things; times are ISO 8601 in UTC, ending in Z."""

    id: str
    author_id: str
    text: str
    created_at: str
    observed_at: str
    hashtags: list[str]
    author: Author
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
    faults: list[BadRecord] = field(default_factory=list)
    partial_errors: int = 0


def convert(record: Any, *, observed_at: datetime | None = None) -> Converted:
    """Turn one JSON value of any known format into tweets.

    Args:
        record: a v2 page or stream message (`data`, `includes`), a flattened v2 tweet as twarc2 writes it, a
            v1.1 tweet, or a v1.1 search page (`statuses`).
        observed_at: when it was read from X; without it `__twarc.retrieved_at`, else the tweet's own time.

    Raises:
        BadRecord: if it is none of these.
    """
    if not isinstance(record, dict):
        raise BadRecord("is not a JSON object")
    if "statuses" in record:
        return _each(record["statuses"], lambda tweet: from_v1(tweet, observed_at=observed_at))
    if "id_str" in record or "user" in record:
        return _each([record], lambda tweet: from_v1(tweet, observed_at=observed_at))
    if "author_id" in record or ("id" in record and "text" in record):
        return _each([record], lambda tweet: from_flattened(tweet, observed_at=observed_at))
    if "data" in record or "meta" in record:
        return from_page(record, observed_at=observed_at)
    if "delete" in record:
        raise BadRecord("is a deletion notice, not a tweet: give it to `tweet-profiles forget --notices`")
    if "errors" in record or "title" in record:
        raise BadRecord("is an error answer of the API, not a tweet")
    raise BadRecord("is neither a page of tweets nor a tweet: it has none of data, statuses, id_str, author_id")


def from_page(
    page: Mapping[str, Any], *, observed_at: datetime | None = None, requested: frozenset[str] | None = None
) -> Converted:
    """The tweets of an X API v2 page or stream message, each joined with its author and its original.

    Args:
        page: `data` (a list, or one tweet), `includes`, `errors`, perhaps `__twarc`.
        observed_at: when it was read from X; see `convert`.
        requested: the tweet fields that were asked for. A field that was asked for and is absent means "no";
            one that may not have been asked for means "unknown". Without it twarc's note of the request is
            used, else the fields that any tweet of the page has.

    Raises:
        BadRecord: if `data` or `includes` have another shape.
    """
    data = page.get("data", [])
    tweets = [data] if isinstance(data, dict) else data
    includes = page.get("includes") or {}
    if not isinstance(tweets, list) or not isinstance(includes, dict):
        raise BadRecord("is a page whose data is not a list or whose includes are not an object")
    users = _by_id(includes.get("users"))
    originals = _by_id(includes.get("tweets"))
    if requested is None:
        requested = _requested_of(page) or frozenset().union(*(t for t in tweets if isinstance(t, dict)))
    when = observed_at or _retrieved_at(page)
    converted = _each(tweets, lambda tweet: _from_v2(tweet, users, originals, requested, when))
    errors = page.get("errors")
    converted.partial_errors = len(errors) if isinstance(errors, list) else 0
    return converted


def from_flattened(tweet: Mapping[str, Any], *, observed_at: datetime | None = None) -> Tweet:
    """A line of `twarc2 flatten`: the author and the referenced tweets are nested in the tweet.

    Raises:
        BadRecord: with what is wrong with it.
    """
    author = tweet.get("author")
    users = {str(author["id"]): author} if isinstance(author, dict) and "id" in author else {}
    if isinstance(author, dict) and not users and "author_id" in tweet:
        users = {str(tweet["author_id"]): author}
    originals = _by_id(tweet.get("referenced_tweets"))
    requested = _requested_of(tweet) or frozenset(tweet)
    return _from_v2(tweet, users, originals, requested, observed_at or _retrieved_at(tweet))


def _from_v2(
    tweet: Mapping[str, Any],
    users: Mapping[str, Mapping[str, Any]],
    originals: Mapping[str, Mapping[str, Any]],
    requested: frozenset[str],
    observed_at: datetime | None,
) -> Tweet:
    if not isinstance(tweet, dict):
        raise BadRecord("is not a JSON object")
    references = tweet.get("referenced_tweets") or []
    if not isinstance(references, list) or not all(isinstance(entry, dict) for entry in references):
        raise BadRecord("referenced_tweets is not a list of objects")
    kinds = {entry.get("type"): str(entry.get("id")) for entry in references}
    original = originals.get(kinds["retweeted"]) if "retweeted" in kinds else None
    if original is not None and "text" not in original:
        original = None
    content = tweet if original is None else original
    result = _start(tweet.get("id"), tweet.get("author_id"), _v2_text(content), tweet.get("created_at"), observed_at)
    entities = _v2_entities(content)
    result["hashtags"] = _hashtags(entry.get("tag") for entry in _dicts(entities.get("hashtags")))
    _put_text(result, "lang", content.get("lang"))
    _put_text(result, "source", tweet.get("source"))
    told = bool(references) or "referenced_tweets" in requested
    retweet = True if "retweeted" in kinds else False if told else result["text"].startswith("RT @")
    result["is_retweet"] = retweet
    if "replied_to" in kinds or tweet.get("in_reply_to_user_id"):
        result["is_reply"] = True
    elif told:
        result["is_reply"] = False
    if told:
        result["is_quote"] = "quoted" in kinds
    urls = _dicts(entities.get("urls"))
    keys = (content.get("attachments") or {}).get("media_keys")
    _put_links(
        result,
        urls=urls if "urls" in entities else None,
        quoted=kinds.get("quoted"),
        media=True if keys else False if "attachments" in requested else None,
    )
    if retweet:
        if original is not None and original.get("author_id"):
            result["original_author_id"] = _identifier(original["author_id"], "the original's author_id")
    else:
        _put_counts(result, "public_metrics", tweet.get("public_metrics"), TWEET_COUNTS)
    user = users.get(result["author_id"])
    if user is not None:
        _put_author(result, user, user.get("public_metrics"))
    return result


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
    result = _start(
        tweet.get("id_str", tweet.get("id")),
        user.get("id_str", user.get("id")),
        text,
        tweet.get("created_at"),
        observed_at or _retrieved_at(tweet),
    )
    told = extended.get("entities") or content.get("entities")
    known = isinstance(told, dict)
    entities: Mapping[str, Any] = told if isinstance(told, dict) else {}
    result["hashtags"] = _hashtags(entry.get("text") for entry in _dicts(entities.get("hashtags")))
    _put_text(result, "lang", content.get("lang"))
    _put_text(result, "source", _without_tags(tweet.get("source")))
    result["is_retweet"] = retweet or result["text"].startswith("RT @")
    if any(name in tweet for name in ("in_reply_to_status_id_str", "in_reply_to_user_id_str")):
        result["is_reply"] = any(tweet.get(name) for name in ("in_reply_to_status_id_str", "in_reply_to_user_id_str"))
    if "is_quote_status" in tweet:
        result["is_quote"] = bool(tweet["is_quote_status"]) and not retweet
    media = [*_dicts(entities.get("media")), *_dicts((content.get("extended_entities") or {}).get("media"))]
    _put_links(
        result,
        urls=_dicts(entities.get("urls")) if "urls" in entities else None,
        quoted=str(content.get("quoted_status_id_str")),
        media=bool(media) if known else None,
    )
    if retweet:
        author = (content.get("user") or {}).get("id_str")
        if author:
            result["original_author_id"] = _identifier(author, "the original's author")
    else:
        metrics = {name: tweet.get(name) for name in ("retweet_count", "reply_count", "quote_count")}
        _put_counts(result, "public_metrics", metrics | {"like_count": tweet.get("favorite_count")}, TWEET_COUNTS)
    counts = {
        "followers_count": user.get("followers_count"),
        "following_count": user.get("friends_count"),
        "tweet_count": user.get("statuses_count"),
        "listed_count": user.get("listed_count"),
    }
    _put_author(result, user, counts)
    return result


def from_csv(row: Mapping[str, str | None]) -> Tweet:
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
    result = _start(
        cells.get("id"),
        author_id,
        row.get("text"),
        cells.get("created_at"),
        None if observed is None else parse_time(observed, "observed_at"),
    )
    result["hashtags"] = _hashtags(
        _listed(cells["hashtags"]) if "hashtags" in cells else _HASHTAG.findall(result["text"])
    )
    _put_text(result, "lang", cells.get("lang"))
    _put_text(result, "source", _without_tags(cells.get("source")))
    result["is_retweet"] = result["text"].startswith("RT @")
    _put_links(result, urls=None, quoted=None, media=None)
    for name in FLAGS:
        if name in cells:
            result[name] = _flag_cell(cells[name], name)  # type: ignore[literal-required]
    if not result["is_retweet"]:
        counts = {name: _count_cell(cells[name], name) for name in TWEET_COUNTS if name in cells}
        _put_counts(result, "public_metrics", counts, TWEET_COUNTS)
    user: dict[str, Any] = {name: _flag_cell(cells[name], name) for name in ("verified", "protected") if name in cells}
    user["created_at"] = cells.get("account_created_at")
    user["verified_type"] = cells.get("verified_type")
    counts = {name: _count_cell(cells[name], name) for name in AUTHOR_COUNTS if name in cells}
    _put_author(result, user, counts)
    return result


def author_id_of(handle: str) -> str:
    """A stable id for an author of whom a file tells only the handle, which itself is never kept.

    It cannot meet a real id: see `HANDLE_ID_BASE`. Returns 20 decimal digits.
    """
    digest = blake2b(handle.strip().lstrip("@").lower().encode(), digest_size=8).digest()
    return str(HANDLE_ID_BASE + int.from_bytes(digest) % (8 * 10**18))


def _each(records: Any, convert_one: Callable[[Any], Tweet]) -> Converted:
    if not isinstance(records, list):
        raise BadRecord("is a page whose tweets are not a list")
    converted = Converted()
    for position, record in enumerate(records):
        try:
            converted.tweets.append(convert_one(record))
        except BadRecord as fault:
            where = f"tweet {position + 1} of the page: " if len(records) > 1 else ""
            converted.faults.append(BadRecord(where + str(fault)))
    return converted


def _start(tweet_id: Any, author_id: Any, text: Any, created_at: Any, observed_at: datetime | None) -> Tweet:
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
        "id": _identifier(tweet_id, "its id"),
        "author_id": _identifier(author_id, "its author's id"),
        "text": text,
        "created_at": format_time(created),
        "observed_at": format_time(observed_at or created),
        "hashtags": [],
        "author": {},
    }


def _identifier(value: Any, what: str) -> str:
    if value is None or value == "":
        raise BadRecord(f"{what} is missing")
    text = str(value)
    if isinstance(value, bool | float) or not text.isascii() or not text.isdigit() or len(text) > 20:
        raise BadRecord(f"{what} is not a number of at most 20 digits")
    return text


_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}
_ZONES = {"UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_V1_TIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) ([A-Z]{3}|[+-]\d{4}) (\d{4})")


def parse_time(value: Any, what: str) -> datetime:
    """Read a time: ISO 8601 (without a zone it is UTC), or v1.1's `Wed Oct 10 20:19:24 +0000 2018`.

    Raises:
        BadRecord: naming `what` if it is neither.
    """
    if not isinstance(value, str):
        raise BadRecord(f"{what} is not a text")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        parsed = _parse_v1_time(value, what)
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError:
        raise BadRecord(f"{what} is out of range") from None


def _parse_v1_time(value: str, what: str) -> datetime:
    match = _V1_TIME.fullmatch(value.strip())
    if match is None:
        raise BadRecord(f"{what} is no time that is known here (ISO 8601, or as API v1.1 writes it)")
    month, day, hour, minute, second, zone, year = match.groups()
    if zone in _ZONES:
        offset = timedelta(hours=_ZONES[zone])
    elif zone[0] in "+-":
        offset = timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[3:]))
    else:
        raise BadRecord(f"{what} has an unknown time zone")
    try:
        return datetime(
            int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset)
        )
    except (KeyError, ValueError):
        raise BadRecord(f"{what} is not a date of the calendar") from None


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC with a Z, with a fraction only if there is one; `moment` is aware and in UTC."""
    return moment.isoformat()[:-6] + "Z"


def _retrieved_at(record: Mapping[str, Any]) -> datetime | None:
    noted = record.get("__twarc")
    if not isinstance(noted, dict) or "retrieved_at" not in noted:
        return None
    return parse_time(noted["retrieved_at"], "__twarc.retrieved_at")


def _requested_of(record: Mapping[str, Any]) -> frozenset[str]:
    noted = record.get("__twarc")
    if not isinstance(noted, dict) or not isinstance(noted.get("url"), str):
        return frozenset()
    fields = parse_qs(urlsplit(noted["url"]).query).get("tweet.fields", [])
    return frozenset(",".join(fields).split(",")) - {""}


def _by_id(records: Any) -> dict[str, Mapping[str, Any]]:
    return {str(record["id"]): record for record in _dicts(records) if "id" in record}


def _dicts(records: Any) -> list[Mapping[str, Any]]:
    return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []


def _v2_text(tweet: Mapping[str, Any]) -> Any:
    long = tweet.get("note_tweet")
    return long["text"] if isinstance(long, dict) and long.get("text") else tweet.get("text")


def _v2_entities(tweet: Mapping[str, Any]) -> Mapping[str, Any]:
    long = tweet.get("note_tweet")
    entities = long.get("entities") if isinstance(long, dict) and long.get("text") else None
    entities = entities or tweet.get("entities")
    return entities if isinstance(entities, dict) else {}


_HASHTAG = re.compile(r"(?<![\w&])[#＃](\w*[^\W\d_]\w*)")  # noqa: RUF001
_LINK = re.compile(r"https?://", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_MEDIA_PAGE = re.compile(r"/status/\d+/(photo|video)/\d+")


def _hashtags(tags: Any) -> list[str]:
    cleaned = (tag.strip().lstrip("#＃").lower() for tag in tags if isinstance(tag, str))  # noqa: RUF001
    return list(dict.fromkeys(tag for tag in cleaned if tag))


def _listed(cell: str) -> Iterator[str]:
    """The items of a list as Python, JSON or plain commas write it: `['a', 'b']`, `["a"]`, `a, b`."""
    return (item.strip().strip("'\"") for item in cell.strip().removeprefix("[").removesuffix("]").split(","))


def _without_tags(source: Any) -> Any:
    return _TAG.sub("", source) if isinstance(source, str) else source


def _put_links(
    result: Tweet, *, urls: Sequence[Mapping[str, Any]] | None, quoted: str | None, media: bool | None
) -> None:
    """Set has_link and has_media as far as they are known.

    X writes every link, attached media too, into the text as https://t.co/...; the list of urls, where there
    is one, tells which is which. A text cut off with an ellipsis may have lost them: unknown.
    """
    text = result["text"]
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


def _put_text(result: Tweet, name: str, value: Any) -> None:
    if isinstance(value, str) and value:
        result[name] = value  # type: ignore[literal-required]


def _put_counts(result: Any, name: str, metrics: Any, wanted: Sequence[str]) -> None:
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


def _put_author(result: Tweet, user: Mapping[str, Any], counts: Any) -> None:
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
    _put_counts(author, "public_metrics", counts, AUTHOR_COUNTS)
    result["author"] = author


def _verified_kind(told: Any, verified: bool | None, observed_at: str) -> str | None:
    if told in VERIFIED_KINDS:
        return str(told)
    if verified is False:
        return "none"
    if verified and datetime.fromisoformat(observed_at) < LEGACY_VERIFICATION_ENDED:
        return "legacy"
    return None


def _flag_cell(cell: str, name: str) -> bool:
    flag = {"true": True, "t": True, "1": True, "yes": True, "false": False, "f": False, "0": False, "no": False}.get(
        cell.lower()
    )
    if flag is None:
        raise BadRecord(f"{name} is neither true nor false")
    return flag


def _count_cell(cell: str, name: str) -> int:
    text = cell.removesuffix(".0")  # pandas writes whole numbers so where a column has gaps
    if not text.isascii() or not text.isdigit():
        raise BadRecord(f"{name} is not a count")
    return int(text)

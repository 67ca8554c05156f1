"""What the cells of a record mean: ids, handles, texts, flags, counts, languages, hashtags.

What belongs here: pure functions of one cell to one value, to None where nothing is told, or to a `BadRecord` with the
reason. What does not: times (`times`), which column holds what (`known`) and how a tweet is put together (`form`).
"""

import ast
import json
import math
import re
import string
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import langcodes

from tweet_profiles.contracts import RENAMED_LANGUAGES
from tweet_profiles.landing.tweets import BadRecord

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "none", "null", "nil", "-", "<na>", "nat", "undefined"})
"""How R, pandas, Excel and people write that a cell has no value; compared in lower case."""

LARGEST_ID = 2**63 - 1
"""X's ids are signed 64-bit numbers."""

EXACT_FLOAT = 2**53
"""Up to here a float holds every whole number."""

MADE_ID_BASE = 2 * 10**19
"""Ids made for tweets lie above those made from handles, which lie above every id that X can give."""

MAX_LITERAL_CHARACTERS = 20_000
"""Longer cells are not read as Python or JSON: none is a list of hashtags or an account."""

LONGEST_TAG = 40
"""Characters of a language's tag; what is longer is a text."""

LONGEST_CLIENT = 200
"""Characters of a client's name and its link; what is longer is not kept to be met again."""

SURE_DIGITS = 18
"""So many digits are always a count that fits into 64 bits."""

HASHTAG = re.compile(r"(?<![\w&])[#＃](\w*[^\W\d_]\w*)")  # noqa: RUF001

_TELLING = frozenset(string.ascii_letters + string.digits) - {word[0] for word in MISSING if word} - {"N", "U"}
_COMMON_ID = re.compile(r"[1-9]\d{0,17}|[1-8]\d{18}", re.ASCII)
_WHOLE = re.compile(r"\d{1,25}")
_WHOLE_AS_FLOAT = re.compile(r"(\d{1,25})\.0+")
_SCIENTIFIC = re.compile(r"\d+(?:[.,]\d+)?[eE]\+?\d+")
_EXCEL_TEXT = re.compile(r'="?(.*?)"?$')
_GNIP_ID = re.compile(r"(?:tag:search\.twitter\.com,\d{4}:|id:twitter\.com:)(?=\d+$)")
_TOKEN = re.compile(r"(?=.*\d)[A-Za-z0-9+/_=-]{16,128}")
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")
_STATUS_ADDRESS = re.compile(r"(?:https?://)?(?:www\.|mobile\.|m\.)?(?:twitter|x)\.com/([^/?#\s]+)(?:/|$|[?#])", re.I)
_STATUS_ID = re.compile(r"/status(?:es)?/(\d{1,19})")
_NO_HANDLES = frozenset({"i", "home", "search", "hashtag", "intent", "share", "explore", "status", "statuses"})
_TAG = re.compile(r"<[^>]*>")
_HASHTAG_FORM = re.compile(r"(?=.*[^\W\d_])\w{1,100}")
_R_VECTOR = re.compile(r"(?:c|list|character)\((.*)\)", re.DOTALL)
_CUT = re.compile(r"(?:…|\.\.\.)(?:\s*https?://\S+)?\s*$")
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_SEPARATORS = re.compile(r"[\s,;|]+")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_ROUNDED = re.compile(r"\d+(?:[.,]\d+)?\s*(?:k|m|b|bn|mio|tsd|thousand|million)\.?", re.IGNORECASE)
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_NO_LANGUAGE = re.compile(r"und|zxx|art|mis|mul|q[a-t][a-z]|x|i")
_TAIL = r"(?: (?:in|by|because|due to|for|from) [^!?]{1,150})?\.?(?: Learn more\.?)?(?: https?://\S+)?"
_NOTICES = re.compile(
    "|".join(
        (
            rf"@\w{{1,20}}['’]s (?:account|Tweet|Post) (?:has been|is) (?:temporarily )?"  # noqa: RUF001
            rf"(?:withheld|suspended|unavailable|restricted){_TAIL}",
            rf"This (?:Tweet|Post|account)(?: from @\w{{1,20}})? (?:has been|is|was) (?:temporarily )?"
            rf"(?:withheld|suspended|unavailable|not available|no longer available|deleted|removed){_TAIL}",
            r"This (?:Tweet|Post) is from (?:a suspended account|an account that no longer exists)\.?"
            r"(?: Learn more\.?)?",
            r"This (?:Tweet|Post) violated the (?:X|Twitter) Rules\.?(?: Learn more\.?)?",
            r"This account owner limits who can view their (?:Tweets|Posts)\.?(?: Learn more\.?)?",
            r"You['’]re unable to view this (?:Tweet|Post).{0,200}",  # noqa: RUF001
            r"Account (?:suspended|withheld)\.?",
            r"(?:Tweet|Post) (?:is )?(?:not available|unavailable|withheld|deleted)\.?",
            r"Not Available\.?",
        )
    )
)
"""What X, and sets made from it, put in the place of a text that may not be shown."""


def is_missing(value: Any) -> bool:
    """Whether a cell holds no value, however that is written. Texts of tweets are judged by `text_of`."""
    if value is None:
        return True
    if isinstance(value, str):
        return value[:1] not in _TELLING and value.strip().lower() in MISSING
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, list | dict | tuple):
        return not value
    return False


def unwrapped(value: Any) -> Any:
    """The value inside MongoDB's extended JSON: {"$numberLong": "12"}, {"$date": "2023-05-13T14:30:00Z"}."""
    while isinstance(value, dict) and len(value) == 1 and str(next(iter(value))).startswith("$"):
        value = next(iter(value.values()))
    return value


def identifier(value: Any, what: str) -> str:
    """An id as decimal digits.

    Args:
        value: the cell: digits, a whole number, a float where it is exact.
        what: the id's name in messages.

    Raises:
        BadRecord: naming `what`, and the program that spoilt it, if it is missing or no id.
    """
    if isinstance(value, str) and _COMMON_ID.fullmatch(value):
        return value
    value = unwrapped(value)
    if is_missing(value):
        raise BadRecord(f"{what} is missing")
    if isinstance(value, bool):
        raise BadRecord(f"{what} is not a number")
    if isinstance(value, float):
        if not value.is_integer() or abs(value) >= EXACT_FLOAT:
            raise BadRecord(
                f"{what} is a rounded number: pandas or Excel has cut its last digits off; "
                "export it again with ids as text"
            )
        value = int(value)
    text = str(value).strip() if isinstance(value, int) else _bare(str(value))
    as_float = _WHOLE_AS_FLOAT.fullmatch(text)
    if as_float is not None:
        text = as_float.group(1)
        if int(text) >= EXACT_FLOAT:
            raise BadRecord(
                f"{what} went through a floating-point column: pandas has changed its last digits; "
                "export it again with ids as text (dtype=str)"
            )
    if _SCIENTIFIC.fullmatch(text):
        raise BadRecord(
            f"{what} is written like 1.23E+18: Excel has cut its last digits off; export it again with ids as text"
        )
    if not text.isascii() or not _WHOLE.fullmatch(text):
        raise BadRecord(f"{what} is not a number")
    number = int(text)
    if number > LARGEST_ID:
        raise BadRecord(f"{what} is larger than any id of X")
    return str(number)


def _bare(text: str) -> str:
    """A cell without what Excel and people put around a number so that it stays text: ', "…", ="…"."""
    text = _GNIP_ID.sub("", text.strip().lstrip("\ufeff").removeprefix("'").strip())
    formula = _EXCEL_TEXT.fullmatch(text)
    return (formula.group(1) if formula else text).strip().strip("\"'").strip()


def made_id(kind: str, author_id: str, created_at: str, text: str | None) -> str:
    """A stable id for a tweet whose file has none: the same row in two files of a kind is one tweet.

    Returns 20 decimal digits from `MADE_ID_BASE` on.
    """
    parts = "\x1f".join((kind, author_id, created_at, text or ""))
    return str(MADE_ID_BASE + int.from_bytes(blake2b(parts.encode("utf-8", "replace"), digest_size=8).digest()))


def status_id(value: Any) -> str | None:
    """The tweet's id out of the address of its page, if `value` is one."""
    match = _STATUS_ID.search(value) if isinstance(value, str) else None
    return match.group(1) if match else None


def handle_of(value: Any) -> str | None:
    """The handle that a cell holds: `ann`, `@ann`, or the address of a page of hers; None if it is none."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    address = _STATUS_ADDRESS.match(text)
    if address is not None:
        text = address.group(1)
        if text.lower() in _NO_HANDLES:
            return None
    text = text.removeprefix("@")
    return text if _HANDLE.fullmatch(text) and not is_missing(text) else None


def token_of(value: Any) -> str | None:
    """A hash that stands for an author's id, as sets for research have it; None if it is none."""
    return value.strip() if isinstance(value, str) and _TOKEN.fullmatch(value.strip()) else None


def account_of(value: Any) -> Mapping[str, Any] | None:
    """The account that a cell holds as an object: a dict, or one as Python or JSON write it; None if it is none.

    A `repr` that is no literal (snscrape's holds datetime.datetime(...)) is read up to its first nested part.
    """
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or ("{" not in value[:40] and "User(" not in value[:40]):
        return None
    parsed = literal(value)
    if isinstance(parsed, dict):
        return parsed
    beginning = re.split(r"[\[{(]", value.strip().removeprefix("{").removeprefix("User("), maxsplit=1)[0]
    found: dict[str, Any] = {}
    for name, quoted, number in re.findall(
        r"['\"]?\b(id|id_str|username|screen_name|userName)\b['\"]?\s*[:=]\s*(?:['\"]([^'\"]*)['\"]|(\d+))", beginning
    ):
        found.setdefault(name, quoted or number)
    return found or None


def literal(text: str) -> Any:
    """A value as Python or JSON write it; None if it is none or too long."""
    if len(text) > MAX_LITERAL_CHARACTERS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def text_of(value: Any, *, table: bool) -> str | None:
    """The text of a tweet; None where there is none: empty, withheld, deleted, unavailable.

    Args:
        value: the cell.
        table: whether it stands in a table, where NA and the like are how R and pandas write "no value".

    Raises:
        BadRecord: if it is no text.
    """
    if value is None or (table and is_missing(value)):
        return None
    if not isinstance(value, str):
        if isinstance(value, bool | dict | list):
            raise BadRecord("its text is not a text")
        value = str(value)  # a tweet that is nothing but a number, in a typed table
    text = _decoded(value).replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    bare = text.strip()
    if not bare or _NOTICES.fullmatch(bare):
        return None
    return text


def _decoded(text: str) -> str:
    """The text that Python wrote as a bytes literal: `b'caf\\xc3\\xa9'`."""
    bare = text.strip()
    if len(bare) < 3 or bare[:2] not in ("b'", 'b"') or bare[-1] != bare[1]:
        return text
    try:
        value = ast.literal_eval(bare)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else text


def is_cut(text: str) -> bool:
    """Whether a text ends as the API cuts it: with an ellipsis, perhaps before the tweet's own address."""
    return ("…" in text or "..." in text) and _CUT.search(text) is not None


def hashtags_in(text: str) -> list[str]:
    """The hashtags of a text, as they are written."""
    return HASHTAG.findall(text) if "#" in text or "＃" in text else []  # noqa: RUF001


def hashtags(tags: Any) -> list[str]:
    """Those of `tags` that have X's form (letters, digits, underscores, a letter among them), without #, each once."""
    cleaned = (tag.strip().lstrip("#＃").lower() for tag in tags if isinstance(tag, str))  # noqa: RUF001
    return list(dict.fromkeys(tag for tag in cleaned if _HASHTAG_FORM.fullmatch(tag)))


def listed(value: Any) -> Iterator[Any]:
    """The names in a list of hashtags, however it is written.

    Lists of texts or of objects (`text`, `tag`), the same as Python or JSON write them, R vectors `c("a", "b")`, and
    words apart by spaces, commas, semicolons or bars.
    """
    if isinstance(value, str):
        text = value.strip()
        if text[:1] in "[{(":
            parsed = literal(text)
            if isinstance(parsed, list | tuple | dict):
                yield from listed(parsed)
            elif ":" not in text:  # [a b], as some tools write a list: words, but no broken objects
                yield from (word.strip("'\"") for word in _SEPARATORS.split(text.strip("[]{}()")))
            return
        vector = _R_VECTOR.fullmatch(text)
        if vector is not None:
            yield from (first or second for first, second in _QUOTED.findall(vector.group(1)))
            return
        yield from (word.strip("'\"") for word in _SEPARATORS.split(text) if not is_missing(word))
    elif isinstance(value, dict):
        yield next((value[name] for name in ("text", "tag", "name", "hashtag") if name in value), None)
    elif isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, dict):
                yield from listed(item)
            else:
                yield item


def without_tags(source: Any) -> Any:
    """The client's name out of the HTML link that v1.1 has."""
    return _TAG.sub("", source) if isinstance(source, str) else source


def flag_of(value: Any, name: str) -> bool | None:
    """True or false; None if it is not told.

    Raises:
        BadRecord: naming the field if it is neither.
    """
    if is_missing(value):
        return None
    if isinstance(value, bool):
        return value
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise BadRecord(f"{name} is neither true nor false")
    return flag


_FLAGS = {
    **dict.fromkeys(("true", "t", "1", "1.0", "yes", "y"), True),
    **dict.fromkeys(("false", "f", "0", "0.0", "no", "n"), False),
}


def count_of(value: Any, name: str) -> int | None:
    """A count; None if it is not told, or told only roundly (1.2K).

    Raises:
        BadRecord: naming the field if it is no count.
    """
    if isinstance(value, str) and len(value) <= SURE_DIGITS and value.isascii() and value.isdigit():
        return int(value)
    value = unwrapped(value)
    if is_missing(value):
        return None
    text = str(value).strip()
    if isinstance(value, bool):
        raise BadRecord(f"{name} is not a count")
    if _ROUNDED.fullmatch(text):
        return None
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    as_float = _WHOLE_AS_FLOAT.fullmatch(text)  # pandas writes whole numbers so where a column has gaps
    text = as_float.group(1) if as_float else text
    if not text.isascii() or not _WHOLE.fullmatch(text) or int(text) >= 2**63:
        raise BadRecord(f"{name} is not a count")
    return int(text)


def language_of(value: Any) -> str | None:
    """The language that a BCP 47 tag says, as its shortest subtag (en of en-GB); None for anything else.

    X's own codes for texts without words (qme, qht, …), `und`, `zxx` and `art` say no language; `in` and `iw` are its
    old codes for Indonesian and Hebrew.
    """
    return _language(value) if isinstance(value, str) and len(value) <= LONGEST_TAG else None


@lru_cache(maxsize=1024)
def _language(value: str) -> str | None:
    if is_missing(value):
        return None
    tag = value.strip().replace("_", "-")
    if not _LANGUAGE_TAG.fullmatch(tag) or not langcodes.tag_is_valid(tag):
        return None
    primary = tag.split("-")[0].lower()
    primary = RENAMED_LANGUAGES.get(primary, primary)
    if _NO_LANGUAGE.fullmatch(primary):
        return None
    shortest = langcodes.Language.get(primary).language if len(primary) == 3 else primary
    return shortest if shortest and not _NO_LANGUAGE.fullmatch(shortest) else None


def client_of(value: Any) -> str | None:
    """The client's name; None if it is not told."""
    if not isinstance(value, str):
        return None
    return _client(value) if len(value) <= LONGEST_CLIENT else _client.__wrapped__(value)


@lru_cache(maxsize=1024)
def _client(value: str) -> str | None:
    name = without_tags(value)
    return name.strip() if not is_missing(name) else None


def is_present(value: Any) -> bool | None:
    """Whether a reference to another tweet is there: an id, an address, an object.

    None if a cell says something else. `false`, 0 and an object whose every value is missing are "no".
    """
    if is_missing(value) or value is False:
        return False
    if isinstance(value, dict):
        return any(not is_missing(part) for part in value.values())
    if isinstance(value, str):
        parsed = literal(value) if value.strip()[:1] in "[{" else None
        if isinstance(parsed, list | dict):
            return is_present(parsed)
        return value.strip().lower() not in ("false", "0", "0.0")
    return bool(value) if isinstance(value, bool | int | float | list | datetime) else None

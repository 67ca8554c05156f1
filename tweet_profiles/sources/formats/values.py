"""What the cells of a record mean: ids, flags, counts, hashtags.

What belongs here: pure functions of one cell to one value, or a `BadRecord` with the reason. What does not: which
column holds what (`known`) and how a tweet is put together (`form`).
"""

import re
from collections.abc import Iterator
from typing import Any

from tweet_profiles.landing.tweets import BadRecord

HASHTAG = re.compile(r"(?<![\w&])[#＃](\w*[^\W\d_]\w*)")  # noqa: RUF001
_TAG = re.compile(r"<[^>]*>")


def identifier(value: Any, what: str) -> str:
    """An id as decimal digits. Raises BadRecord naming `what` if it is missing or no id."""
    if value is None or value == "":
        raise BadRecord(f"{what} is missing")
    text = str(value)
    if isinstance(value, bool | float) or not text.isascii() or not text.isdigit() or len(text) > 20:
        raise BadRecord(f"{what} is not a number of at most 20 digits")
    return text


def hashtags(tags: Any) -> list[str]:
    """Hashtags without #, in lower case, each once."""
    cleaned = (tag.strip().lstrip("#＃").lower() for tag in tags if isinstance(tag, str))  # noqa: RUF001
    return list(dict.fromkeys(tag for tag in cleaned if tag))


def listed(cell: str) -> Iterator[str]:
    """The items of a list as Python, JSON or plain commas write it: `['a', 'b']`, `["a"]`, `a, b`."""
    return (item.strip().strip("'\"") for item in cell.strip().removeprefix("[").removesuffix("]").split(","))


def without_tags(source: Any) -> Any:
    """The client's name out of the HTML link that v1.1 has."""
    return _TAG.sub("", source) if isinstance(source, str) else source


def flag_cell(cell: str, name: str) -> bool:
    """True or false. Raises BadRecord if it is neither."""
    flag = {"true": True, "t": True, "1": True, "yes": True, "false": False, "f": False, "0": False, "no": False}.get(
        cell.lower()
    )
    if flag is None:
        raise BadRecord(f"{name} is neither true nor false")
    return flag


def count_cell(cell: str, name: str) -> int:
    """A count. Raises BadRecord if it is none."""
    text = cell.removesuffix(".0")  # pandas writes whole numbers so where a column has gaps
    if not text.isascii() or not text.isdigit():
        raise BadRecord(f"{name} is not a count")
    return int(text)

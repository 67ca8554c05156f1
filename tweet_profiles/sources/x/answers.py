"""How an answer of X is read, whatever is in it.

What belongs here: bytes to JSON, past what is wrong with them; the one naming; X's problem documents. What does not:
asking, and what follows from an answer.
"""

import json
from collections.abc import Mapping
from typing import Any

import orjson

_BOM = b"\xef\xbb\xbf"


def parse(content: bytes) -> Any:
    """JSON as X meant it: a byte order mark is passed over, one bad byte or half a character spoils its own text only.

    Such a text then holds a lone surrogate, which `orjson` refuses to write; `dumps` does not.

    Raises:
        ValueError: if it is no JSON.
    """
    content = content.removeprefix(_BOM)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return json.loads(content.decode("utf-8", "surrogateescape"), strict=False)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def parse_object(content: bytes) -> dict[str, Any]:
    """A JSON object. Raises ValueError if it is none."""
    value = parse(content)
    if isinstance(value, dict):
        return value
    raise ValueError("an answer of X is a JSON object")


def dumps(value: Any) -> bytes:
    """What `parse` has read, as JSON again, with what was wrong with it."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def is_writable(value: Any) -> bool:
    """Whether the value can be stored as JSON: no half characters, no numbers beyond 64 bits."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none if it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def documents(problem: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A problem and the errors in it."""
    return [problem, *objects(problem.get("errors"))]


def reasons(errors: list[dict[str, Any]]) -> str:
    """X's words in a list of errors, short."""
    said: list[str] = []
    for error in errors:
        details = error.get("details")
        words = [error.get(name) for name in ("message", "detail", "title")]
        listed = [str(text) for text in details] if isinstance(details, list) else []
        said += listed or [str(text) for text in words if text][:1]
    return "; ".join(said)[:300]


def with_tweet_names(page: dict[str, Any]) -> dict[str, Any]:
    """A page or stream message in the older naming, which the rest of the program and archives use."""
    includes = page.get("includes")
    if isinstance(includes, dict) and "posts" in includes:
        page["includes"] = {**includes, "tweets": [_renamed(post) for post in objects(includes["posts"])]}
    data = page.get("data")
    if isinstance(data, list):
        page["data"] = [_renamed(post) for post in data]
    elif data is not None:
        page["data"] = _renamed(data)
    return page


def _renamed(post: Any) -> Any:
    if isinstance(post, dict):
        for new, old in (("referenced_posts", "referenced_tweets"), ("note_post", "note_tweet")):
            if new in post:
                post[old] = post.pop(new)
    return post

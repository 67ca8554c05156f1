"""Text preparation: what a tweet looks like to the tokeniser, the same in training and in serving.

What belongs here: pure functions from a string to a string. What does not: tokenisation. Change
`PREPARATION_VERSION` with any change that can alter a prepared text: scores depend on it.
"""

import html
import re
from functools import cache

import emoji

PREPARATION_VERSION = "1"

MAX_CHARACTERS = 1000
"""Longer texts are cut: a tweet has at most 280 characters, the encoder reads at most 128 tokens."""

_RETWEET = re.compile(r"^\s*(?:RT|rt)\s+@\w+:?\s*")
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@])@\w+")
_HASHTAG = re.compile(r"#(\w+)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|_")
_ELONGATED = re.compile(r"([^\W\d_])\1{2,}")
_REPEATED_MARK = re.compile(r"([!?.,])(?:\s*\1){2,}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_PLAIN = re.compile(r"[A-Za-z0-9]")
_WORD = re.compile(r"[^\W_]")
_LETTER = re.compile(r"[^\W\d_]")
# The emoji package looks at every character in Python; keycaps begin with a plain #, * or digit.
_MAYBE_EMOJI = re.compile(r"[#*0-9]?[^\x00-\x7f]+")

# Sentiment140's labels come from emoticons, which were stripped from its texts: what they say must be put in
# words that the encoder knows. Longest first, so that ":-))" is not read as ":-)" and a bracket.
_EMOTICONS = {
    "happy": (
        ":-))",
        ":))",
        ":-)",
        ":)",
        ":-d",
        ":d",
        "=)",
        "=d",
        ";-)",
        ";)",
        ":]",
        "(:",
        "^_^",
        "^^",
        "xd",
        ":p",
        ":-p",
    ),
    "love": ("<3",),
    "sad": (":-((", ":((", ":-(", ":(", "=(", ":[", "):", ":'(", ":,(", "t_t", "d:"),
    "angry": (">:(", ">:-(", ":@"),
    "unsure": (":-/", ":/", ":-\\", ":\\", ":-|", ":|"),
}


@cache
def _emoticon_pattern() -> tuple[re.Pattern[str], dict[str, str]]:
    words = {mark: word for word, marks in _EMOTICONS.items() for mark in marks}
    marks = "|".join(re.escape(mark) for mark in sorted(words, key=len, reverse=True))
    # Looking at the first character alone saves trying every mark at every place.
    first = "".join(sorted({re.escape(mark[0]) for mark in words}))
    return re.compile(rf"(?=[{first}])(?<![\w:/])(?:{marks})(?![\w/])", re.IGNORECASE), words


def _emoticon_word(match: re.Match[str]) -> str:
    return f" {_emoticon_pattern()[1][match.group().lower()]} "


def _emoji_word(found: str, _data: dict[str, str]) -> str:
    name = emoji.demojize(found, delimiters=("", ""))
    return f" {name.replace('_', ' ').replace('-', ' ')} "


def _replace_emoji(match: re.Match[str]) -> str:
    return emoji.replace_emoji(match.group(), replace=_emoji_word)


def _split_hashtag(match: re.Match[str]) -> str:
    return " " + _CAMEL.sub(" ", match.group(1)) + " "


def prepare(text: str) -> str:
    """Put a tweet into the words that the encoder was trained on.

    HTML entities are decoded; a retweet prefix goes; handles become `@user` and links `http`; emoji and
    emoticons become their names; hashtags are split at capitals; letters and marks repeated three times or
    more are kept twice; what cannot be printed (NUL, lone surrogates, direction marks) goes.

    Returns:
        The prepared text, which may be empty.
    """
    # Unescaped twice: Sentiment140 and some archives escape what was escaped already.
    text = html.unescape(html.unescape(text[: 4 * MAX_CHARACTERS]))
    text = _UNPRINTABLE.sub(" ", text)[:MAX_CHARACTERS]
    text = _RETWEET.sub("", text)
    text = _URL.sub(" http ", text)
    text = _HANDLE.sub(" @user ", text)
    text = _HASHTAG.sub(_split_hashtag, text)
    text = _MAYBE_EMOJI.sub(_replace_emoji, text)
    text = _emoticon_pattern()[0].sub(_emoticon_word, text)
    text = _ELONGATED.sub(r"\1\1", text)
    text = _REPEATED_MARK.sub(r"\1\1", text)
    return _SPACE.sub(" ", text).strip()


def says_something(text: str) -> bool:
    """Whether there is a word, a number, an emoji or an emoticon in it, not only links, handles and punctuation."""
    bare = _HANDLE.sub(" ", _URL.sub(" ", _RETWEET.sub("", text)))
    # Most texts have a plain letter or digit; what else there may be shows only in the words of the encoder.
    return _PLAIN.search(bare) is not None or _WORD.search(prepare(bare)) is not None


def words(text: str) -> str:
    """A tweet's own words, of which its language can be told: without links, handles and emoji, and without hashtags
    where there is anything else. Empty without a letter.
    """
    text = html.unescape(html.unescape(text[: 4 * MAX_CHARACTERS]))
    text = _UNPRINTABLE.sub(" ", text)[:MAX_CHARACTERS]
    text = _HANDLE.sub(" ", _URL.sub(" ", _RETWEET.sub("", text)))
    text = _MAYBE_EMOJI.sub(lambda found: emoji.replace_emoji(found.group(), replace=" "), text)
    plain = _HASHTAG.sub(" ", text)
    if not _LETTER.search(plain):
        plain = _HASHTAG.sub(_split_hashtag, text)
    return _SPACE.sub(" ", plain).strip() if _LETTER.search(plain) else ""

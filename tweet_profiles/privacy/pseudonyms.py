"""Pseudonyms: how tweet and author ids are replaced before anything is stored.

What belongs here: the keyed hash and its inputs. What does not: where the key comes from (`home`), and what else a
stored row may tell (`privacy`).

A pseudonym is the first 128 bits of HMAC-SHA256 (RFC 2104) over a kind and an id. Without the key nobody can test
whether a pseudonym belongs to an id, though ids can be enumerated; 128 bits keep collisions out of reach (2^64 ids for
an even chance). The kind keeps an author and a tweet of the same number apart. A secret of several lines was rotated:
what the first key makes is hashed again under the next.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256

PSEUDONYM_DIGITS = 32


def author_key(secret: bytes, author_id: str) -> str:
    """The pseudonym of an author: 32 hexadecimal digits."""
    return _pseudonym(secret, "author", author_id)


def tweet_key(secret: bytes, tweet_id: str) -> str:
    """The pseudonym of a tweet: 32 hexadecimal digits."""
    return _pseudonym(secret, "tweet", tweet_id)


def topic_key(secret: bytes, hashtag: str) -> str:
    """The pseudonym of a hashtag: 32 hexadecimal digits. A rare hashtag can name its author as well as an id can."""
    return _pseudonym(secret, "topic", hashtag)


def author_keys(secret: bytes, author_ids: Iterable[str]) -> list[str]:
    """The pseudonym of each author; a repeated id is hashed once."""
    known: dict[str, str] = {}
    return [known.get(value) or known.setdefault(value, author_key(secret, value)) for value in author_ids]


def rotated(key: bytes, kind: str, pseudonym: str) -> str:
    """What a pseudonym becomes under a further key.

    Args:
        key: the new key, one line.
        kind: "author", "tweet" or "topic".
        pseudonym: under the keys before.
    """
    return _hashed(key, kind, pseudonym)


def _pseudonym(secret: bytes, kind: str, value: str) -> str:
    for key in secret.split(b"\n"):
        value = _hashed(key, kind, value)
    return value


def _hashed(key: bytes, kind: str, value: str) -> str:
    # No kind holds a colon, so kind and value cannot be shifted into each other.
    return hmac.digest(key, f"{kind}:{value}".encode(), sha256).hex()[:PSEUDONYM_DIGITS]

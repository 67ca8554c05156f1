"""Cursors: where a page ended, signed, so that nobody can ask what no page would ask.

What belongs here: making and reading cursors. What does not: the query they continue.
"""

import hashlib
import json
from typing import Any

from django.core import signing
from rest_framework.exceptions import ValidationError

SALT = "tweet_profiles.cursor"


def question(asked: dict[str, Any], place: str) -> str:
    """A fingerprint of what was asked, without how many and from where."""
    kept = {name: value for name, value in asked.items() if name not in ("cursor", "limit")}
    return hashlib.sha256(json.dumps([place, kept], sort_keys=True).encode()).hexdigest()[:16]


def make(release: str, asked: str, after: list[Any]) -> str:
    """A cursor after the row of this value and `_id`."""
    return signing.dumps([release, asked, after], salt=SALT)


def read(text: str, asked: str) -> tuple[str, list[Any]]:
    """Release and last row of a cursor.

    Raises:
        ValidationError: if it is none of ours, or of another question.
    """
    try:
        release, question_asked, after = signing.loads(text, salt=SALT)
    except signing.BadSignature:
        raise ValidationError({"cursor": ["is not a cursor of this API: use `next` of the page before"]}) from None
    if question_asked != asked:
        raise ValidationError({"cursor": ["belongs to other filters: begin again without a cursor"]})
    return str(release), list(after)

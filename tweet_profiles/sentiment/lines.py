"""Scores as plain values and as JSON lines: what `tweet-profiles score` prints and the API answers.

What belongs here: scores to values, lines of text to lines of JSON, in order. What does not: reading or writing
streams.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import orjson
import pandas as pd

from tweet_profiles.sentiment.scoring import Scorer, score_tweets

LINES_AT_ONCE = 2000
"""Bounds the memory, and is enough texts to fill batches of one length."""


def score_lines(scorer: Scorer, lines: Iterable[str]) -> Iterator[str]:
    """One JSON object a text, in the same order; see `score_entries`."""
    waiting = iter(lines)
    while chunk := list(islice(waiting, LINES_AT_ONCE)):
        for entry in score_entries(score_tweets(scorer, chunk, [None] * len(chunk))):
            yield orjson.dumps(entry).decode()


def score_entries(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """What `scoring.score_tweets` returns as plain values: sentiment, label, subjectivity, not_scored, language.

    Where there is no score these are None and `not_scored` says why; the language is None where nobody can tell it.
    """
    columns = (scores[name].tolist() for name in ("sentiment", "label", "subjectivity", "not_scored", "lang"))
    return [
        {
            # float32 would print as 0.9300000071525574.
            "sentiment": round(sentiment, 4) if reason is None else None,
            "label": label if reason is None else None,
            "subjectivity": round(subjectivity, 4) if reason is None else None,
            "not_scored": reason,
            "language": language,
        }
        for sentiment, label, subjectivity, reason, language in zip(*columns, strict=True)
    ]

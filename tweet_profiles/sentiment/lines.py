"""Scores as JSON lines: what `tweet-profiles score` prints.

What belongs here: lines of text to lines of JSON, in order. What does not: reading or writing streams.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import orjson

from tweet_profiles.sentiment.scoring import Scorer

LINES_AT_ONCE = 2000
"""Bounds the memory, and is enough texts to fill batches of one length."""


def score_lines(scorer: Scorer, lines: Iterable[str]) -> Iterator[str]:
    """One JSON object a text, in the same order: sentiment, label, subjectivity."""
    waiting = iter(lines)
    while chunk := list(islice(waiting, LINES_AT_ONCE)):
        scores = scorer.score(chunk)
        for sentiment, subjectivity, label in scores.itertuples(index=False):
            # float32 would print as 0.9300000071525574.
            entry = {
                "sentiment": round(float(sentiment), 4),
                "label": label,
                "subjectivity": round(float(subjectivity), 4),
            }
            yield orjson.dumps(entry).decode()

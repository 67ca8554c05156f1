"""Scores as JSON lines: what `tweet-profiles score` prints.

What belongs here: lines of text to lines of JSON, in order. What does not: reading or writing streams.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import orjson

from tweet_profiles.sentiment.scoring import Scorer, score_tweets

LINES_AT_ONCE = 2000
"""Bounds the memory, and is enough texts to fill batches of one length."""


def score_lines(scorer: Scorer, lines: Iterable[str]) -> Iterator[str]:
    """One JSON object a text, in the same order: sentiment, label, subjectivity; all null, with why and the language as
    far as it is known, where there is no score.
    """
    waiting = iter(lines)
    while chunk := list(islice(waiting, LINES_AT_ONCE)):
        scores = score_tweets(scorer, chunk, [None] * len(chunk))
        columns = (scores[name].tolist() for name in ("sentiment", "label", "subjectivity", "not_scored", "lang"))
        for sentiment, label, subjectivity, reason, language in zip(*columns, strict=True):
            if reason is not None:
                why = {"not_scored": reason, "lang": language}
                entry = {"sentiment": None, "label": None, "subjectivity": None, **why}
            else:
                # float32 would print as 0.9300000071525574.
                entry = {"sentiment": round(sentiment, 4), "label": label, "subjectivity": round(subjectivity, 4)}
            yield orjson.dumps(entry).decode()

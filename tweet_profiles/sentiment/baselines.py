"""What the model is compared with: VADER and TextBlob, two lexicons that need no training.

What belongs here: their labels for raw tweets, by the thresholds their authors publish. What does not: the
model. Both come with the extra `train`; they are imported only when asked for.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

VADER_NEUTRAL = 0.05
"""Compound scores within this of 0 are neutral, as VADER's README says."""


def vader_labels(texts: Sequence[str]) -> list[str]:
    """VADER's label of each raw text (Hutto and Gilbert 2014)."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return [_label(analyzer.polarity_scores(text)["compound"], VADER_NEUTRAL) for text in texts]


def textblob_labels(texts: Sequence[str]) -> list[str]:
    """TextBlob's label of each raw text: by the sign of its polarity, neutral at 0."""
    from textblob import TextBlob

    return [_label(TextBlob(text).sentiment.polarity, 0.0) for text in texts]


def textblob_subjectivity(texts: Sequence[str]) -> NDArray[np.float64]:
    """TextBlob's subjectivity of each raw text, float64 (rows,) in 0..1."""
    from textblob import TextBlob

    return np.array([TextBlob(text).sentiment.subjectivity for text in texts], dtype=np.float64)


def _label(score: float, neutral: float) -> str:
    if score > 0 and score >= neutral:
        return "positive"
    if score < 0 and score <= -neutral:
        return "negative"
    return "neutral"

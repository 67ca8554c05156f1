"""The language of a tweet where its source does not tell it.

What belongs here: telling a language from a text, and whether the model can read it. What does not: what the source
told, which counts before any guess, and scoring (`scoring`).

py3langid, restricted to the languages that X itself tells, and a rule that is slow to refuse: most tweets are a handful
of words with names in them, so a text is taken to be in a language that the model was trained for unless that is
clearly not so. Measured by `benchmarks/languages.py` on 2,498 English tweets (TweetEval's validation texts and
Sentiment140's test) and 147 short tweets in 16 other languages, each way in a process of its own:

    way                                  English read   others read   ms a text   memory
    py3langid, X's languages                   99.9 %         0.0 %        0.06   120 MB
    py3langid, all of its 140                  99.6 %         0.0 %        0.09   120 MB
    lingua, X's languages, low accuracy        98.7 %         1.4 %        0.35    70 MB
    lingua, X's languages, high accuracy       100  %         4.1 %        1.66   880 MB

A text that is scored takes the model about 1 to 4 ms.
"""

from collections.abc import Collection
from functools import cache
from typing import Any

MIN_PROBABILITY = 0.05
"""From so much on a text may be in a language that the model reads: below, another one is clearly likelier."""
SURE = 0.5
"""From so much on another language is named; below, nobody can tell which it is."""

LANGUAGES = (
    "am ar bg bn bs ca cs cy da de el en es et eu fa fi fr gu he hi hr ht hu hy id is it ja ka km kn ko lo lt lv ml mr "
    "my ne nl no pa pl pt ro ru si sk sl sr sv ta te th tl tr ug uk ur vi zh"
)
"""As X lists them for its search operator `lang:`, as far as py3langid knows them."""


def language_of(words: str, readable: Collection[str]) -> str | None:
    """The language of a text as ISO 639 code; None if nobody can tell.

    Args:
        words: of the tweet, without links, handles and emoji (`text.words`).
        readable: the languages that the model was trained for.
    """
    detector = _detector()
    likeliest, probability = detector.classify(words)
    if likeliest in readable:
        return str(likeliest)
    best = next(((name, share) for name, share in detector.rank(words) if name in readable), None)
    if best is not None and best[1] >= MIN_PROBABILITY:
        return str(best[0])
    return str(likeliest) if probability >= SURE else None


@cache
def _detector() -> Any:
    """Loaded once, where it is needed: it takes a second and 120 MB."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    detector.set_languages(LANGUAGES.split())
    return detector

"""The language of a tweet where its source does not tell it.

What belongs here: telling a language from a text, and whether the model can read it. What does not: what the source
told, which counts before any guess, and scoring (`scoring`).

py3langid, restricted to the languages that X itself tells, and a rule that is slow to refuse: most tweets are a handful
of words with names in them, so a text is taken to be in a language that the model was trained for unless that is
clearly not so. Whether it is read and whether its language is named are two questions.

Measured on 2,498 English tweets and 147 short ones in 16 other languages, each way in a process of its own (the times
on two quiet cores; a score takes 1 to 4 ms), by

    benchmarks/languages.py tweeteval_sentiment/val_text.txt sentiment140_test/testdata.manual.2009.06.14.csv

                               English read        others read
                               whole  2 words      whole  2 words    ms a text   memory
    py3langid, X's languages   99.9 %  94 %        0.0 %  11 %         0.06      120 MB
    py3langid, all 140         99.7 %  89 %        0.0 %  10 %         0.09      120 MB
    lingua, low accuracy       97.7 %  70 %        0.7 %   6 %         0.35       70 MB
    lingua, high accuracy      99.8 %  96 %        0.0 %  13 %         1.66      880 MB
"""

from collections.abc import Collection
from functools import cache
from typing import Any

MIN_RATIO = 0.25
"""A text may be in a language that the model reads if that is at least so likely beside the likeliest."""
SURE = 0.5
"""From so much on a language that the model does not read is named; below, nobody can tell which it is."""

LANGUAGES = (
    "am ar bg bn bs ca cs cy da de el en es et eu fa fi fr gu he hi hr ht hu hy id is it ja ka km kn ko lo lt lv ml mr "
    "my ne nl no pa pl pt ro ru si sk sl sr sv ta te th tl tr ug uk ur vi zh"
)
"""As X lists them for its search operator `lang:`, as far as py3langid knows them."""


def language_of(words: str, readable: Collection[str]) -> tuple[str | None, bool]:
    """The language of a text as ISO 639 code, None if nobody can tell; and whether the model may read it.

    Args:
        words: of the tweet, without links, handles and emoji (`text.words`).
        readable: the languages that the model was trained for.
    """
    detector = _detector()
    likeliest, probability = detector.classify(words)
    if likeliest in readable:
        return str(likeliest), True
    language = str(likeliest) if probability >= SURE else None
    return language, any(name in readable and share >= MIN_RATIO * probability for name, share in detector.rank(words))


@cache
def _detector() -> Any:
    """Loaded once, where it is needed: it takes a second and 120 MB."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    detector.set_languages(LANGUAGES.split())
    return detector

"""Tokens: BERT's uncased WordPiece over prepared texts, without TensorFlow.

What belongs here: token ids of texts. What does not: text preparation, padding and batching. A test holds the
ids against tensorflow-text's FastBertTokenizer, which is what the reference design tokenises with.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tokenizers import BertWordPieceTokenizer

from tweet_profiles.sentiment.errors import ModelError

MAX_TOKENS = 128
"""Longest sequence with [CLS] and [SEP]; a tweet of 280 characters has about 70 tokens."""


@lru_cache(maxsize=4)
def load_tokenizer(vocabulary: Path, max_tokens: int = MAX_TOKENS) -> BertWordPieceTokenizer:
    """The tokenizer of a `vocab.txt` (one token a line). Raises ModelError if it cannot be read."""
    try:
        tokenizer = BertWordPieceTokenizer(str(vocabulary), lowercase=True, strip_accents=True)
    except Exception as error:
        raise ModelError(f"{vocabulary} is no WordPiece vocabulary: {error}") from error
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def token_ids(tokenizer: BertWordPieceTokenizer, prepared: Sequence[str]) -> list[list[int]]:
    """Ids with [CLS] and [SEP] of each prepared text, at most `MAX_TOKENS`; unequal lengths, no padding."""
    return [encoding.ids for encoding in tokenizer.encode_batch(list(prepared))]

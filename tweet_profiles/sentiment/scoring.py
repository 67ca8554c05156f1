"""Scoring texts: each distinct text once, in batches of one length, on all cores.

What belongs here: the `Scorer` that the rest of the project knows, and its two engines. What does not: what a logit
means (`calibration`), how a text is prepared (`text`), and the network itself (`graph`, `encoder`).

Texts of a batch have exactly the same number of tokens: there is no padding, so no work is wasted on it and a score
cannot depend on what else is in the batch. ONNX Runtime serves CPUs, without TensorFlow; TensorFlow serves where there
is a GPU, or where it is asked for.
"""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
import pandas as pd
import structlog

from tweet_profiles.contracts import NO_TEXT, OTHER_LANGUAGE
from tweet_profiles.extras import require
from tweet_profiles.sentiment.calibration import labels_of, sentiment_of, subjectivity_of
from tweet_profiles.sentiment.errors import ModelError
from tweet_profiles.sentiment.graph import activation_ranges, build_graph
from tweet_profiles.sentiment.languages import language_of
from tweet_profiles.sentiment.package import ModelPackage, read_package
from tweet_profiles.sentiment.text import prepare, says_something, words
from tweet_profiles.sentiment.tokens import load_tokenizer, token_ids

log = structlog.get_logger(__name__)

Backend = Literal["auto", "int8", "float32", "tensorflow"]
Engine = Callable[[np.ndarray], np.ndarray]
"""Token ids int (batch, tokens), all of one length, to logits float32 (batch, 4)."""

TOKENS_PER_BATCH = {"int8": 768, "float32": 768, "tensorflow": 8192}
"""By backend. On a CPU the activations of a batch should fit into its caches: with 768 tokens int8 took three quarters
of the time that it took with 4,096; a GPU wants many at once."""
TEXTS_AT_ONCE = 20_000
"""Texts tokenised together: bounds the memory however many are given."""
PORTION = 10_000
"""Different texts between two words of progress: half a minute on a small machine."""
SCORE_DIGITS = 4


class Scorer(Protocol):
    """Scores texts. `version` changes with anything that can change a score; `languages` are those it can read."""

    version: str
    languages: frozenset[str]

    def score(self, texts: Sequence[str]) -> pd.DataFrame:
        """Columns sentiment and subjectivity (float32, 0..1) and label, one row a text in the given order.

        Missing where nothing is left of a text.
        """
        ...


class TextScorer:
    """The model of a package on one of the engines."""

    def __init__(self, package: ModelPackage, engine: Engine, backend: str):
        self.version = f"{package.version}-{backend}"
        self.languages = frozenset(package.languages)
        self._package, self._engine, self._budget = package, engine, TOKENS_PER_BATCH[backend]
        self._tokenizer = load_tokenizer(package.vocabulary, package.max_tokens)

    def score(self, texts: Sequence[str]) -> pd.DataFrame:
        """See `Scorer.score`."""
        prepared = [prepare(text) for text in texts]
        distinct = {text: row for row, text in enumerate(dict.fromkeys(prepared))}
        logits = self.logits(list(distinct))
        rows = np.array([distinct[text] for text in prepared], dtype=np.intp)
        calibration = self._package.calibration
        sentiment = np.round(sentiment_of(logits, calibration), SCORE_DIGITS)
        subjectivity = np.round(subjectivity_of(logits, calibration), SCORE_DIGITS)
        labels = labels_of(sentiment, calibration).astype(object)
        empty = distinct.get("")
        if empty is not None:
            sentiment[empty], subjectivity[empty], labels[empty] = np.nan, np.nan, None
        label = pd.Series(labels[rows], dtype=object)
        return pd.DataFrame({"sentiment": sentiment[rows], "subjectivity": subjectivity[rows], "label": label})

    def logits(self, prepared: Sequence[str]) -> np.ndarray:
        """Logits of prepared texts, float32 (texts, 4), in the order of `encoder.OUTPUTS`."""
        logits = np.zeros((len(prepared), 4), np.float32)
        for start in range(0, len(prepared), TEXTS_AT_ONCE):
            tokens = token_ids(self._tokenizer, prepared[start : start + TEXTS_AT_ONCE])
            for rows in batches_of_one_length([len(ids) for ids in tokens], self._budget):
                logits[rows + start] = self._engine(np.array([tokens[row] for row in rows], dtype=np.int64))
        return logits


def score_tweets(
    scorer: Scorer,
    texts: Sequence[str | None],
    languages: Sequence[str | None],
    progress: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Score the tweets that the model can read, and say of the others why it cannot.

    Args:
        scorer: the model.
        texts: of the tweets; None where it is withheld or unavailable.
        languages: BCP 47 tag of each, None where it is not told: then it is detected, if there are words. Emoji alone
            are in no language: the model reads their English names.
        progress: told how many different texts are scored, each time a portion is.

    Returns:
        One row a tweet in the given order: sentiment, subjectivity (float32) and label, missing where there is no
        score; not_scored, one of `contracts.NOT_SCORED`, missing where there is one; lang.
    """
    known, reasons = list(languages), [NO_TEXT if text is None or not says_something(text) else None for text in texts]
    for row, text in enumerate(texts):
        if text is None or reasons[row] is not None:
            continue
        language = known[row]
        if language is not None:
            is_read = language.split("-")[0] in scorer.languages
        elif own := words(text):
            known[row], is_read = language_of(own, scorer.languages)
        else:
            is_read = True
        reasons[row] = None if is_read else OTHER_LANGUAGE
    result = pd.DataFrame({"not_scored": reasons, "lang": known}, dtype=object)
    chosen = [row for row, reason in enumerate(reasons) if reason is None]
    readable = [text for row in chosen if (text := texts[row]) is not None]
    position = {text: row for row, text in enumerate(dict.fromkeys(readable))}
    distinct, parts = list(position), []
    for start in range(0, max(len(distinct), 1), PORTION):
        parts.append(scorer.score(distinct[start : start + PORTION]))
        if progress is not None:
            progress(min(start + PORTION, len(distinct)))
    scores = pd.concat(parts, ignore_index=True).iloc[[position[text] for text in readable]]
    return result.join(scores.set_index(pd.Index(chosen)))


def batches_of_one_length(lengths: Sequence[int], budget: int) -> Iterator[np.ndarray]:
    """Row numbers of each batch: all of one length, at most `budget` tokens (one row may exceed it alone)."""
    by_length = np.asarray(lengths)
    order = np.argsort(by_length, kind="stable")
    borders = np.flatnonzero(np.diff(by_length[order])) + 1
    for group in np.split(order, borders):
        if len(group):
            size = max(1, budget // int(by_length[group[0]]))
            yield from (group[start : start + size] for start in range(0, len(group), size))


def load_scorer(model_dir: Path | None = None, *, backend: Backend = "auto") -> TextScorer:
    """Load and verify a model, by default the shipped one.

    Args:
        model_dir: a folder as `package.write_package` makes it.
        backend: "int8" and "float32" run on ONNX Runtime, "tensorflow" on TensorFlow; "auto" takes TensorFlow if
            it is installed and sees a GPU, else int8 where the processor multiplies it without overflow.

    Raises:
        ModelError: if the model is missing or damaged.
        MissingExtraError: if TensorFlow is asked for and not installed.
    """
    if backend not in get_args(Backend):
        raise ValueError(f"backend {backend}: one of {', '.join(get_args(Backend))}")
    package = read_package(model_dir)
    if backend == "auto":
        backend = "tensorflow" if _has_gpu() else "int8" if _multiplies_int8() else "float32"
    engine = tensorflow_engine(package) if backend == "tensorflow" else onnx_engine(package, backend)
    log.info("loaded the sentiment model", version=package.version, backend=backend)
    return TextScorer(package, engine, backend)


def onnx_engine(package: ModelPackage, precision: Literal["int8", "float32"]) -> Engine:
    """The model on ONNX Runtime, all cores."""
    graph = build_graph(package.weights, package.attention_heads, package.ranges if precision == "int8" else None)
    try:
        run = onnx_session(graph)
    except Exception as error:
        raise ModelError(f"ONNX Runtime cannot load the model in {package.folder}: {error}") from error
    return lambda ids: run(["logits"], ids)[0]


def onnx_session(graph: bytes) -> Callable[[list[str], np.ndarray], list[np.ndarray]]:
    """A runner of a serialised graph on all cores: names of outputs and token ids to arrays."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda names, ids: session.run(names, {"token_ids": ids})


def measure_ranges(package: ModelPackage, prepared: Sequence[str]) -> dict[str, np.ndarray]:
    """The ranges of a model's activations over prepared texts, for int8; see `graph.activation_ranges`."""
    tokens = token_ids(load_tokenizer(package.vocabulary, package.max_tokens), prepared)
    batches = [
        np.array([tokens[row] for row in rows], dtype=np.int64)
        for rows in batches_of_one_length([len(ids) for ids in tokens], TOKENS_PER_BATCH["float32"])
    ]
    return activation_ranges(package.weights, package.attention_heads, batches, onnx_session)


def tensorflow_engine(package: ModelPackage) -> Engine:
    """The model on TensorFlow, on a GPU where it sees one."""
    require("train", "serving by TensorFlow")
    from tweet_profiles.sentiment.encoder import classifier_from_weights

    model = classifier_from_weights(package.weights, package.attention_heads)

    def run(ids: np.ndarray) -> np.ndarray:
        inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.ones_like(ids)}
        return np.asarray(model(inputs, training=False), dtype=np.float32)

    return run


def _multiplies_int8() -> bool:
    """x86 without VNNI adds pairs of products in 16 bits, which overflow: there int8 is wrong as well as slow."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _has_gpu() -> bool:
    # Asking TensorFlow costs its import of seconds, so it is asked only where there can be a GPU.
    if not any(Path("/dev").glob("nvidia[0-9]*")) or find_spec("tensorflow") is None:
        return False
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))

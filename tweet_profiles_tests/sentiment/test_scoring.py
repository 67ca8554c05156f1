"""The shipped model, as the pipeline and the command use it."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweet_profiles.sentiment.scoring import TextScorer, batches_of_one_length, load_scorer
from tweet_profiles.sentiment.text import prepare
from tweet_profiles_tests.conftest import Command

HARD = [
    "a" * 10_000,
    "word " * 5000,
    "😍😍😍",
    "http://t.co/abc https://t.co/def",
    "\ud800 lone \udfff surrogates",
    "هذا رائع جدا",
    "זה נהדר",
    "nul \x00 inside",
    "#",
    "@",
    "RT @someone: hello",
]
PLAIN = ["I love this!", "This is terrible.", "The shop opens at nine."]


@pytest.fixture(scope="module")
def scorer() -> TextScorer:
    return load_scorer(backend="int8")


def test_plainly_positive_and_negative_texts_are_told_apart(scorer: TextScorer) -> None:
    good = scorer.score(["I love this phone, it is great!", "Best day ever, so happy 😍", "thank you, awesome service"])
    bad = scorer.score(
        ["I hate this phone, it is broken", "Worst day ever, so sad 😡", "terrible service, never again"]
    )
    assert (good["sentiment"] > 0.7).all() and (good["label"] == "positive").all()
    assert (bad["sentiment"] < 0.3).all() and (bad["label"] == "negative").all()


def test_emoji_count(scorer: TextScorer) -> None:
    happy, plain, angry = scorer.score(["my flight 😍", "my flight", "my flight 😡"])["sentiment"]
    assert happy > plain > angry


def test_opinions_are_more_subjective_than_reports(scorer: TextScorer) -> None:
    scores = scorer.score(["what a beautiful, moving and funny film", "the film tells of a man who moves to boston"])
    assert scores["subjectivity"][0] > 0.6 > 0.4 > scores["subjectivity"][1]


def test_nothing_left_of_a_text_has_no_score(scorer: TextScorer) -> None:
    scores = scorer.score(["", "I love it", "  "])
    assert scores["label"].isna().tolist() == scores["sentiment"].isna().tolist() == [True, False, True]
    assert scores["subjectivity"].isna().tolist() == [True, False, True]


@pytest.mark.parametrize("text", HARD)
def test_hard_texts_get_a_finite_score_the_same_alone_as_in_a_batch(scorer: TextScorer, text: str) -> None:
    alone = scorer.score([text]).iloc[0]
    among = scorer.score([*PLAIN, text, *HARD, *PLAIN * 30]).iloc[len(PLAIN)]
    assert 0 <= alone["sentiment"] <= 1 and 0 <= alone["subjectivity"] <= 1
    assert alone.tolist() == among.tolist()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_a_score_never_depends_on_the_batch_or_its_order(texts: list[str], draw: object) -> None:
    scorer = load_once()
    together = scorer.score(texts)
    shuffled = list(range(len(texts)))
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    again = scorer.score([texts[row] for row in shuffled])
    pd.testing.assert_frame_equal(again, together.iloc[shuffled].reset_index(drop=True), check_exact=True)
    pd.testing.assert_frame_equal(scorer.score(texts[:1]), together.iloc[:1], check_exact=True)
    scores = together.dropna()
    assert scores["sentiment"].between(0, 1).all() and scores["subjectivity"].between(0, 1).all()
    assert len(scores) == sum(prepare(text) != "" for text in texts)


_LOADED: list[TextScorer] = []


def load_once() -> TextScorer:
    if not _LOADED:
        _LOADED.append(load_scorer(backend="int8"))
    return _LOADED[0]


def test_each_distinct_text_is_scored_once(scorer: TextScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    whole = scorer.logits
    monkeypatch.setattr(scorer, "logits", lambda prepared: (seen.append(len(prepared)), whole(prepared))[1])
    scorer.score(["RT @a: hello there", "hello there", "RT @b: hello there", "other"])
    assert seen == [2]


@given(st.lists(st.integers(1, 128), max_size=200), st.integers(1, 5000))
def test_batches_hold_every_text_once_and_texts_of_one_length(lengths: list[int], budget: int) -> None:
    batches = list(batches_of_one_length(lengths, budget))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        (length,) = {lengths[row] for row in batch}
        assert len(batch) == 1 or len(batch) * length <= budget


def test_int8_agrees_with_float32(scorer: TextScorer) -> None:
    texts = [f"{text} number {number}" for number in range(60) for text in PLAIN]
    exact = load_scorer(backend="float32").score(texts)
    ours = scorer.score(texts)
    assert np.abs(exact["sentiment"] - ours["sentiment"]).mean() < 0.02
    assert (exact["label"] == ours["label"]).mean() > 0.95


@pytest.mark.integration
def test_tensorflow_and_onnx_runtime_agree() -> None:
    texts = [*PLAIN, *HARD]
    tensorflow = load_scorer(backend="tensorflow").score(texts)
    onnx = load_scorer(backend="float32").score(texts)
    assert np.abs(tensorflow["sentiment"] - onnx["sentiment"]).max() <= 2e-4
    assert np.abs(tensorflow["subjectivity"] - onnx["subjectivity"]).max() <= 2e-4


def test_the_command_scores_arguments_and_lines_in_their_order(command: Command) -> None:
    from_arguments = command("score", *PLAIN)
    from_lines = command("score", stdin="\n".join(PLAIN) + "\n\n")
    lines = [json.loads(line) for line in from_lines.stdout.splitlines()]
    assert [json.loads(line) for line in from_arguments.stdout.splitlines()] == lines[:3]
    assert len(lines) == 4
    assert all(line["not_scored"] is None and line["language"] == "en" for line in lines[:3])
    assert lines[3] == dict.fromkeys(("sentiment", "label", "subjectivity", "language")) | {"not_scored": "no text"}
    assert [line["label"] for line in lines[:2]] == ["positive", "negative"]


def test_the_command_does_not_score_what_the_model_cannot_read(command: Command) -> None:
    done = command("score", "el servicio fue pésimo, no vuelvo nunca más")
    assert json.loads(done.stdout) == {
        "sentiment": None, "label": None, "subjectivity": None, "not_scored": "language", "language": "es",
    }  # fmt: skip


def test_odd_bytes_on_standard_input_are_one_line_out_for_one_line_in(command: Command) -> None:
    done = command("score", stdin="one\rstill one\u2028still one\nthe second\n")
    assert len(done.stdout.splitlines()) == 2

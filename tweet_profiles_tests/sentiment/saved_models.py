"""A small BERT and its preprocessor as SavedModels of the signature that TensorFlow Hub's have.

The encoder is written in plain TensorFlow with the variable names and shapes of bert_en_uncased_L-12_H-768_A-12, so
that it shares no code with the package; the preprocessor is tensorflow-text's BertTokenizer, as the original's.
"""

import math
from pathlib import Path
from typing import Any

LAYERS, HEADS, HIDDEN, INNER, PLACES = 2, 2, 16, 32, 128


def save_encoder(folder: Path, vocabulary: Path, *, approximate: bool = True, without: str = "") -> Path:
    """Write a randomly filled encoder; `without` leaves out the variables whose name holds it."""
    import tensorflow as tf

    random = tf.random.Generator.from_seed(5)
    words = len(vocabulary.read_text(encoding="utf-8").splitlines())
    size = HIDDEN // HEADS

    # Not tf.Module: "variables", which TF-Hub's interface for reusable SavedModels asks for, must be saved itself.
    class Encoder(tf.__internal__.tracking.AutoTrackable):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.variables: list[Any] = []
            self.vocab_file = tf.saved_model.Asset(str(vocabulary))

        def weight(self, name: str, *shape: int, centre: float = 0.0, spread: float = 0.3) -> Any:
            value = random.normal(shape, centre, spread)
            if without and without in name:
                return tf.constant(value)
            self.variables.append(tf.Variable(value, name=name))
            return self.variables[-1]

    model = Encoder()

    def norm(name: str) -> Any:
        gamma = model.weight(f"{name}/gamma", HIDDEN, centre=1.0, spread=0.1)
        beta = model.weight(f"{name}/beta", HIDDEN, spread=0.1)

        def apply(x: Any) -> Any:
            mean, variance = tf.nn.moments(x, [-1], keepdims=True)
            return (x - mean) * tf.math.rsqrt(variance + 1e-12) * gamma + beta

        return apply

    word = model.weight("word_embeddings/embeddings", words, HIDDEN)
    place = model.weight("position_embedding/embeddings", PLACES, HIDDEN)
    kind = model.weight("type_embeddings/embeddings", 2, HIDDEN)
    first = norm("embeddings/layer_norm")
    blocks = []
    for number in range(LAYERS):
        at = f"transformer/layer_{number}"
        parts = {
            part: (
                model.weight(f"{at}/self_attention/{part}/kernel", HIDDEN, HEADS, size),
                model.weight(f"{at}/self_attention/{part}/bias", HEADS, size),
            )
            for part in ("query", "key", "value")
        }
        out = (
            model.weight(f"{at}/self_attention/attention_output/kernel", HEADS, size, HIDDEN),
            model.weight(f"{at}/self_attention/attention_output/bias", HIDDEN),
        )
        after = norm(f"{at}/self_attention_layer_norm")
        up = (model.weight(f"{at}/intermediate/kernel", HIDDEN, INNER), model.weight(f"{at}/intermediate/bias", INNER))
        down = (model.weight(f"{at}/output/kernel", INNER, HIDDEN), model.weight(f"{at}/output/bias", HIDDEN))
        blocks.append((parts, out, after, up, down, norm(f"{at}/output_layer_norm")))
    pooler = (model.weight("pooler_transform/kernel", HIDDEN, HIDDEN), model.weight("pooler_transform/bias", HIDDEN))

    row = tf.TensorSpec([None, None], tf.int32)

    @tf.function(input_signature=[{"input_word_ids": row, "input_mask": row, "input_type_ids": row}])
    def call(inputs: Any) -> Any:
        ids = inputs["input_word_ids"]
        x = tf.gather(word, ids) + place[: tf.shape(ids)[1]] + tf.gather(kind, inputs["input_type_ids"])
        x = first(x)
        hidden = (1.0 - tf.cast(inputs["input_mask"], tf.float32))[:, None, None, :] * -1e9
        for parts, out, after, up, down, last in blocks:
            query, key, value = (
                tf.einsum("btd,dhs->bhts", x, kernel) + bias[:, None, :] for kernel, bias in parts.values()
            )
            shares = tf.nn.softmax(tf.einsum("bhts,bhus->bhtu", query, key) / math.sqrt(size) + hidden)
            mixed = tf.einsum("bhtu,bhus->bths", shares, value)
            x = after(x + tf.einsum("bths,hsd->btd", mixed, out[0]) + out[1])
            inner = tf.nn.gelu(x @ up[0] + up[1], approximate=approximate)
            x = last(x + inner @ down[0] + down[1])
        return {"sequence_output": x, "pooled_output": tf.tanh(x[:, 0] @ pooler[0] + pooler[1])}

    model.__call__ = call  # type: ignore[operator]
    tf.saved_model.save(model, str(folder))
    return folder


def save_preprocessor(folder: Path, vocabulary: Path, *, lower_case: bool = True) -> Path:
    """Write a preprocessor: texts to input_word_ids, input_mask and input_type_ids, int32 (batch, 128)."""
    import tensorflow as tf
    import tensorflow_text

    class Preprocessor(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokenizer = tensorflow_text.BertTokenizer(
                str(vocabulary), token_out_type=tf.int32, lower_case=lower_case
            )

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, texts: Any) -> Any:
            tokens = self.tokenizer.tokenize(texts).merge_dims(-2, -1)
            ids, kinds = tensorflow_text.combine_segments(
                [tokens[:, :126]], start_of_sequence_id=101, end_of_segment_id=102
            )
            padded, mask = tensorflow_text.pad_model_inputs(ids, 128)
            return {
                "input_word_ids": padded,
                "input_mask": mask,
                "input_type_ids": tensorflow_text.pad_model_inputs(kinds, 128)[0],
            }

    tf.saved_model.save(Preprocessor(), str(folder))
    return folder

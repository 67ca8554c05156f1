"""The encoder as an ONNX graph for CPUs, in float32 or int8, built from weights without TensorFlow.

What belongs here: the graph and how its matrices are quantised. What does not: batching, or the meaning of logits.

int8 here is `MatMulNBits` of ONNX Runtime with 8 bits: weights are rounded in blocks of `BLOCK` rows of a column, each
with its own scale, and activations are rounded block by block within a row. Unlike ONNX Runtime's dynamic
quantisation, whose activation scale is the range over the whole batch, a row's result depends on that row alone, so
that a text's score does not depend on which batch it is in. Sequences of a batch must be of one length: there is no
mask and no padding.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Precision = Literal["float32", "int8"]
Weights = Mapping[str, np.ndarray]

BLOCK = 64
LAYER_NORM_EPSILON = 1e-12
CONTRIB = "com.microsoft"


def layers_of(weights: Weights) -> int:
    """How many transformer layers the weights have."""
    return 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layer."))


def quantise(matrix: np.ndarray, block: int = BLOCK) -> tuple[np.ndarray, np.ndarray]:
    """Round a matrix (in, out) to 8 bits in blocks of `block` inputs, symmetrically around zero point 128.

    Returns:
        uint8 (out, in / block, block) and float32 scales (out * in / block), as MatMulNBits takes them.

    Raises:
        ValueError: if `in` is no multiple of `block`.
    """
    rows, columns = matrix.shape
    if rows % block:
        raise ValueError(f"{rows} inputs are no multiple of the block {block}")
    blocks = np.ascontiguousarray(matrix.T, dtype=np.float32).reshape(columns, rows // block, block)
    scales = np.abs(blocks).max(axis=2, keepdims=True) / 127.0
    scales[scales == 0] = 1.0
    return (np.rint(blocks / scales) + 128).astype(np.uint8), scales.reshape(-1).astype(np.float32)


class _Graph:
    """Nodes and initializers under construction; every method returns the name of what it computes."""

    def __init__(self, precision: Precision):
        self.precision = precision
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, *, domain: str = "", **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def dense(self, source: str, name: str, kernel: np.ndarray, bias: np.ndarray) -> str:
        """source (batch, tokens, in) by kernel (in, out), plus bias."""
        rows, columns = kernel.shape
        bias_name = self.constant(f"{name}.bias", bias.astype(np.float32))
        if self.precision == "float32":
            product = self.node(
                "MatMul", [source, self.constant(f"{name}.kernel", kernel.astype(np.float32))], f"{name}.product"
            )
            return self.node("Add", [product, bias_name], f"{name}.out")
        packed, scales = quantise(kernel)
        return self.node(
            "MatMulNBits",
            [source, self.constant(f"{name}.q", packed), self.constant(f"{name}.scale", scales), "", "", bias_name],
            f"{name}.out",
            domain=CONTRIB,
            K=rows,
            N=columns,
            bits=8,
            block_size=BLOCK,
            accuracy_level=4,
        )

    def norm(self, source: str, name: str, weights: Weights) -> str:
        gamma = self.constant(f"{name}.gamma", weights[f"{name}.gamma"].astype(np.float32))
        beta = self.constant(f"{name}.beta", weights[f"{name}.beta"].astype(np.float32))
        return self.node(
            "LayerNormalization", [source, gamma, beta], f"{name}.out", axis=-1, epsilon=LAYER_NORM_EPSILON
        )


def build_graph(weights: Weights, heads: int, precision: Precision) -> bytes:
    """Serialise the model: token ids int64 (batch, tokens), all of one length, to logits float32 (batch, 4).

    The order of operations is BERT's (Devlin et al. 2019): post-layer-norm blocks, exact GELU; then the mean over all
    tokens and one dense layer.
    """
    graph = _Graph(precision)
    token_table = graph.constant("token_embedding", weights["token_embedding"].astype(np.float32))
    # Only one segment is ever used, so its row is added to the positions once and for all.
    places = weights["position_embedding"].astype(np.float32) + weights["segment_embedding"][0].astype(np.float32)
    place_table = graph.constant("place_embedding", places)
    tokens = graph.node("Gather", [token_table, "token_ids"], "tokens", axis=0)
    shape = graph.node("Shape", ["token_ids"], "shape")
    length = graph.node(
        "Slice", [shape, graph.constant("one", np.array([1])), graph.constant("two", np.array([2]))], "length"
    )
    zero = graph.constant("zero", np.array([0]))
    axes = graph.constant("axis0", np.array([0]))
    places_used = graph.node("Slice", [place_table, zero, length, axes], "places")
    x = graph.norm(graph.node("Add", [tokens, places_used], "embedded"), "embedding_norm", weights)
    for number in range(layers_of(weights)):
        x = _block(graph, x, f"layer.{number}", weights, heads)
    pooled = graph.node("ReduceMean", [x, graph.constant("axis1", np.array([1]))], "pooled", keepdims=0)
    head = graph.constant("heads.kernel", weights["heads.kernel"].astype(np.float32))
    logits = graph.node("MatMul", [pooled, head], "heads.product")
    graph.node("Add", [logits, graph.constant("heads.bias", weights["heads.bias"].astype(np.float32))], "logits")
    made = helper.make_graph(
        graph.nodes,
        "tweet_sentiment",
        [helper.make_tensor_value_info("token_ids", TensorProto.INT64, ["batch", "tokens"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(weights["heads.bias"])])],
        initializer=graph.initializers,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10).SerializeToString()


def _block(graph: _Graph, x: str, prefix: str, weights: Weights, heads: int) -> str:
    query, key, value = (
        graph.dense(x, f"{prefix}.{part}", weights[f"{prefix}.{part}.kernel"], weights[f"{prefix}.{part}.bias"])
        for part in ("query", "key", "value")
    )
    attended = graph.node(
        "MultiHeadAttention", [query, key, value], f"{prefix}.attended", domain=CONTRIB, num_heads=heads
    )
    projected = graph.dense(
        attended,
        f"{prefix}.attention_output",
        weights[f"{prefix}.attention_output.kernel"],
        weights[f"{prefix}.attention_output.bias"],
    )
    x = graph.norm(graph.node("Add", [x, projected], f"{prefix}.attention_sum"), f"{prefix}.attention_norm", weights)
    inner = graph.dense(
        x, f"{prefix}.intermediate", weights[f"{prefix}.intermediate.kernel"], weights[f"{prefix}.intermediate.bias"]
    )
    inner = graph.node("Gelu", [inner], f"{prefix}.gelu", approximate="none")
    outer = graph.dense(inner, f"{prefix}.output", weights[f"{prefix}.output.kernel"], weights[f"{prefix}.output.bias"])
    return graph.norm(graph.node("Add", [x, outer], f"{prefix}.output_sum"), f"{prefix}.output_norm", weights)

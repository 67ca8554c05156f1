"""The encoder as an ONNX graph for CPUs, in float32 or int8, built from weights without TensorFlow.

What belongs here: the graph and how its matrices and activations are quantised. What does not: batching, or the meaning
of logits.

int8 here is static: the scale of every activation is fixed beforehand, from the activations of validation texts
(`activation_ranges`). ONNX Runtime's dynamic quantisation takes the range over the whole batch, so that a text's score
would depend on what else is in it; and it must read every activation twice. Three things keep the error small:

- weights are rounded by column, each with its own scale;
- before rounding, the range of the strong channels is shared between activations and weights (SmoothQuant, Xiao et al.
  2023), with `SMOOTHING` as its exponent;
- the few strongest channels after GELU are left out of the rounding and multiplied in float32 (as in LLM.int8(),
  Dettmers et al. 2022): they alone would stretch the scale threefold.

Sequences of a batch must be of one length: there is no mask and no padding.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Precision = Literal["float32", "int8"]
Weights = Mapping[str, np.ndarray]
Ranges = Mapping[str, np.ndarray]
"""By name of an activation, float32 (2, channels): the lowest and the highest value of each channel."""

SMOOTHING = 0.8
OUTLIER_CHANNELS = 16
RANGE_QUANTILE = 0.999
"""Share of the texts whose extreme in a channel lies within its range; what lies outside is clipped."""
LAYER_NORM_EPSILON = 1e-12
CONTRIB = "com.microsoft"


def layers_of(weights: Weights) -> int:
    """How many transformer layers the weights have."""
    return 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layer."))


def quantise(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round a matrix (in, out) to int8 by column, symmetrically.

    Returns:
        int8 (in, out) and float32 scales (out,).
    """
    scales = np.abs(matrix).max(axis=0) / 127.0
    scales[scales == 0] = 1.0
    return np.rint(matrix / scales).astype(np.int8), scales.astype(np.float32)


def smoothing_of(reach: np.ndarray, kernels: Sequence[np.ndarray]) -> np.ndarray:
    """By which each channel of an activation is divided, and the rows of the kernels that it feeds multiplied.

    Args:
        reach: (channels,) highest absolute value of each channel.
        kernels: (channels, out) each.
    """
    weight_reach = np.max([np.abs(kernel).max(axis=1) for kernel in kernels], axis=0)
    factors = np.maximum(reach, 1e-5) ** SMOOTHING / np.maximum(weight_reach, 1e-5) ** (1 - SMOOTHING)
    factors /= np.exp(np.log(factors).mean())
    return factors


def scale_of(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Scale and zero point of uint8 for values from `low` to `high`; 0 is always met exactly."""
    low, high = min(low, 0.0), max(high, 1e-6)
    scale = np.float32((high - low) / 255)
    return scale, np.uint8(np.clip(round(-low / float(scale)), 0, 255))


class _Graph:
    """Nodes and initializers under construction; every method returns the name of what it computes."""

    def __init__(self, ranges: Ranges | None):
        self.ranges = ranges
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, *, domain: str = "", **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def dense(self, source: str, layers: Sequence[str], weights: Weights, *, outliers: int = 0) -> list[str]:
        """source (batch, tokens, in) by the kernel (in, out) of each of `layers`, plus bias: one output each."""
        kernels = [weights[f"{name}.kernel"].astype(np.float32) for name in layers]
        biases = [self.constant(f"{name}.bias", weights[f"{name}.bias"].astype(np.float32)) for name in layers]
        if self.ranges is None:
            return [
                self._exact(source, name, kernel, bias)
                for name, kernel, bias in zip(layers, kernels, biases, strict=True)
            ]
        low, high = (bound.astype(np.float64).copy() for bound in self.ranges[source])
        if outliers:
            # The channels of an activation that has outliers are in order of strength: see `strongest_last`.
            low[-outliers:], high[-outliers:] = 0.0, 0.0
        rounded, by, factors = self._round_activation(source, low, high, [] if outliers else kernels)
        outputs = []
        for name, kernel, bias in zip(layers, kernels, biases, strict=True):
            rest = kernel * factors[:, None]
            if outliers:
                rest[-outliers:] = 0.0
            output = self._rounded(rounded, name, rest, bias, by)
            if outliers:
                output = self._with_outliers(source, name, kernel[-outliers:], output)
            outputs.append(output)
        return outputs

    def _round_activation(
        self, source: str, low: np.ndarray, high: np.ndarray, kernels: Sequence[np.ndarray]
    ) -> tuple[str, list[str], np.ndarray]:
        """Round an activation to uint8, its strong channels shared with `kernels` if there are any.

        Returns:
            The rounded activation, its scale and zero point, and by what each channel was divided, float32 (channels,).
        """
        factors = smoothing_of(np.maximum(np.abs(low), np.abs(high)), kernels) if kernels else np.ones(len(low))
        scale, zero = scale_of(float((low / factors).min()), float((high / factors).max()))
        by = [self.constant(f"{source}.scale", np.array(scale)), self.constant(f"{source}.zero", np.array(zero))]
        smooth = source
        if kernels:
            # Not one QuantizeLinear with a scale a channel: ONNX Runtime 1.32 takes some hundred times as long for it.
            smooth = self.node(
                "Mul",
                [source, self.constant(f"{source}.factors", (1 / factors).astype(np.float32))],
                f"{source}.smooth",
            )
        return self.node("QuantizeLinear", [smooth, *by], f"{source}.rounded"), by, factors.astype(np.float32)

    def _exact(self, source: str, name: str, kernel: np.ndarray, bias: str) -> str:
        product = self.node("MatMul", [source, self.constant(f"{name}.kernel", kernel)], f"{name}.product")
        return self.node("Add", [product, bias], f"{name}.out")

    def _rounded(self, rounded: str, name: str, kernel: np.ndarray, bias: str, by: list[str]) -> str:
        packed, scales = quantise(kernel)
        inputs = [
            rounded,
            self.constant(f"{name}.int8", packed),
            by[0],
            self.constant(f"{name}.scales", scales),
            by[1],
            self.constant(f"{name}.zeros", np.zeros(kernel.shape[1], np.int8)),
            bias,
        ]
        return self.node("MatMulIntegerToFloat", inputs, f"{name}.out", domain=CONTRIB)

    def _with_outliers(self, source: str, name: str, kernel: np.ndarray, rest: str) -> str:
        bounds = [
            self.constant(f"{name}.{part}", np.array([value]))
            for part, value in (("from", -len(kernel)), ("to", np.iinfo(np.int64).max), ("axis", 2))
        ]
        picked = self.node("Slice", [source, *bounds], f"{name}.picked")
        exact = self.node("MatMul", [picked, self.constant(f"{name}.strong_kernel", kernel)], f"{name}.exact")
        return self.node("Add", [rest, exact], f"{name}.sum")

    def norm(self, source: str, name: str, weights: Weights) -> str:
        gamma = self.constant(f"{name}.gamma", weights[f"{name}.gamma"].astype(np.float32))
        beta = self.constant(f"{name}.beta", weights[f"{name}.beta"].astype(np.float32))
        return self.node(
            "LayerNormalization", [source, gamma, beta], f"{name}.out", axis=-1, epsilon=LAYER_NORM_EPSILON
        )


def build_graph(
    weights: Weights, heads: int, ranges: Ranges | None = None, *, show: Callable[[str], bool] = lambda _: False
) -> bytes:
    """Serialise the model: token ids int64 (batch, tokens), all of one length, to logits float32 (batch, 4).

    Args:
        weights: by name, as `encoder.encoder_weights` gives them.
        heads: attention heads, which the weights do not tell.
        ranges: of every activation that is multiplied by a matrix, for int8; without them the graph is float32.
        show: which activations are made outputs beside the logits.

    The order of operations is BERT's (Devlin et al. 2019): post-layer-norm blocks, exact GELU; then the mean over all
    tokens and one dense layer.
    """
    if ranges is not None:
        weights, ranges = strongest_last(weights, ranges)
    graph = _Graph(ranges)
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
    shown = [name for node in graph.nodes for name in node.output if show(name)]
    made = helper.make_graph(
        graph.nodes,
        "tweet_sentiment",
        [helper.make_tensor_value_info("token_ids", TensorProto.INT64, ["batch", "tokens"])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(weights["heads.bias"])]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "tokens", None]) for name in shown),
        ],
        initializer=graph.initializers,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10).SerializeToString()


def _block(graph: _Graph, x: str, prefix: str, weights: Weights, heads: int) -> str:
    query, key, value = graph.dense(x, [f"{prefix}.{part}" for part in ("query", "key", "value")], weights)
    attended = graph.node(
        "MultiHeadAttention", [query, key, value], f"{prefix}.attended", domain=CONTRIB, num_heads=heads
    )
    (projected,) = graph.dense(attended, [f"{prefix}.attention_output"], weights)
    x = graph.norm(graph.node("Add", [x, projected], f"{prefix}.attention_sum"), f"{prefix}.attention_norm", weights)
    (inner,) = graph.dense(x, [f"{prefix}.intermediate"], weights)
    inner = graph.node("Gelu", [inner], f"{prefix}.gelu", approximate="none")
    outliers = min(OUTLIER_CHANNELS, len(weights[f"{prefix}.intermediate.bias"]) // 4)
    (outer,) = graph.dense(inner, [f"{prefix}.output"], weights, outliers=outliers)
    return graph.norm(graph.node("Add", [x, outer], f"{prefix}.output_sum"), f"{prefix}.output_norm", weights)


def strongest_last(weights: Weights, ranges: Ranges) -> tuple[Weights, Ranges]:
    """The same network with the channels after each GELU in order of their reach, the strongest last.

    Side by side, those that are left out of the rounding can be cut off at no cost.
    """
    sorted_weights, sorted_ranges = dict(weights), dict(ranges)
    for number in range(layers_of(weights)):
        prefix = f"layer.{number}"
        low, high = ranges[f"{prefix}.gelu"]
        order = np.argsort(np.maximum(np.abs(low), np.abs(high)), kind="stable")
        sorted_ranges[f"{prefix}.gelu"] = np.stack([low[order], high[order]])
        sorted_weights[f"{prefix}.intermediate.kernel"] = weights[f"{prefix}.intermediate.kernel"][:, order]
        sorted_weights[f"{prefix}.intermediate.bias"] = weights[f"{prefix}.intermediate.bias"][order]
        sorted_weights[f"{prefix}.output.kernel"] = weights[f"{prefix}.output.kernel"][order]
    return sorted_weights, sorted_ranges


def is_multiplied(name: str) -> bool:
    """Whether an activation is multiplied by a matrix, so that int8 needs its range."""
    return name.endswith((".attended", ".gelu", "_norm.out"))


def activation_ranges(
    weights: Weights,
    heads: int,
    batches: Sequence[np.ndarray],
    session: Callable[[bytes], Callable[..., list[np.ndarray]]],
) -> dict[str, np.ndarray]:
    """The range of every activation that is multiplied by a matrix, over some texts.

    Args:
        weights: see `build_graph`.
        heads: see `build_graph`.
        batches: token ids (batch, tokens), of one length each.
        session: makes a runner of a graph: names of outputs and token ids to arrays.

    Returns:
        By name, float32 (2, channels): the quantiles 1 - `RANGE_QUANTILE` and `RANGE_QUANTILE` of the texts' lowest and
        highest values.
    """
    graph = build_graph(weights, heads, show=is_multiplied)
    names = [output.name for output in onnx.load_from_string(graph).graph.output][1:]
    run = session(graph)
    extremes: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in names}
    for ids in batches:
        for name, values in zip(names, run(names, ids), strict=True):
            extremes[name].append((values.min(axis=1), values.max(axis=1)))
    return {
        name: np.stack(
            [
                np.quantile(np.concatenate([low for low, _ in pairs]), 1 - RANGE_QUANTILE, axis=0),
                np.quantile(np.concatenate([high for _, high in pairs]), RANGE_QUANTILE, axis=0),
            ]
        ).astype(np.float32)
        for name, pairs in extremes.items()
    }

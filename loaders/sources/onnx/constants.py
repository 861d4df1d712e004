"""Parts of an ONNX graph that do not depend on its input, computed once.

Exporters leave sizes to be worked out while the network runs, and constants behind chains of
operators. For an input of known size all of these are constants; only then can the graph be
traced.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from circuitkb.loaders.sources.onnx.bounds import GROWING, shapes_given
from circuitkb.loaders.sources.onnx.names import opset_of

_LARGEST = 1 << 24
"""Values that a folded constant may have: a graph cannot blow up in memory by being read."""

_SLOW = frozenset(
    {
        "Resize",
        "Upsample",
        "MaxPool",
        "AveragePool",
        "LpPool",
        "Conv",
        "ConvTranspose",
        "LRN",
        "GridSample",
        "RoiAlign",
        "NonMaxSuppression",
        "LSTM",
        "GRU",
        "RNN",
        "DeformConv",
        "Col2Im",
        "DFT",
        "STFT",
        "MaxUnpool",
        "Einsum",
        "Unique",
        "TfIdfVectorizer",
        "AffineGrid",
        "Attention",
        "ConvInteger",
        "QLinearConv",
        "Compress",
        "GlobalMaxPool",
        "MelWeightMatrix",
        "Det",
    }
)
"""Operators that the reference implementation computes value by value."""

_LARGEST_SLOW = 1 << 16

_MOST_PASSES = 50
"""Times that the whole graph is looked through."""

_RANDOM = frozenset(
    {
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Bernoulli",
        "Multinomial",
    }
)

_Array = NDArray[Any]


def fold_constants(model: ModelProto) -> ModelProto:
    """Return the graph with every operator computed whose inputs are all known.

    Parameters
    ----------
    model
        With a fixed input shape. It is not changed.

    Notes
    -----
    Shapes that inference finds count as known, so the operators that read the size of a tensor
    go as well. Operators are evaluated by ONNX's reference implementation; one that this cannot
    evaluate stays.
    """
    folded = ModelProto()
    folded.CopyFrom(model)
    # Shapes that the exporter wrote down may still speak of unknown sizes.
    del folded.graph.value_info[:]
    for output in folded.graph.output:
        output.type.tensor_type.ClearField("shape")
    for _ in range(_MOST_PASSES):
        # What is folded makes more shapes known, and those make more to fold.
        inferred = onnx.shape_inference.infer_shapes(folded, data_prop=True)
        if not _fold_once(folded, _known_shapes(inferred.graph)):
            break
    return folded


def _known_shapes(graph: GraphProto) -> dict[str, tuple[int, ...]]:
    found = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape"):
            sizes = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim]
            if min(sizes, default=0) >= 0:
                found[value.name] = tuple(sizes)
    return found


def _fold_once(model: ModelProto, shapes: dict[str, tuple[int, ...]]) -> bool:
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    left: list[NodeProto] = []
    for node in graph.node:
        values = (
            None if outputs.intersection(node.output) else _evaluate(node, model, stored, shapes)
        )
        if values is None:
            left.append(node)
            continue
        for name, value in values.items():
            stored[name] = numpy_helper.from_array(value, name)
    changed = len(left) < len(graph.node)
    if changed:
        used = {name for node in left for name in node.input} | outputs
        # Names inside of subgraphs (branches, loops) count as used, too.
        inner = any(attribute.HasField("g") for node in left for attribute in node.attribute)
        kept = [tensor for name, tensor in stored.items() if inner or name in used]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(left)
        graph.initializer.extend(kept)
    return changed


def _evaluate(
    node: NodeProto,
    model: ModelProto,
    stored: dict[str, onnx.TensorProto],
    shapes: dict[str, tuple[int, ...]],
) -> dict[str, _Array] | None:
    """Return the outputs of a node by name, or None if they are not known."""
    if node.op_type == "Shape" and node.domain == "" and node.input[0] in shapes:
        options = {item.name: item.i for item in node.attribute}
        size = np.array(shapes[node.input[0]], np.int64)
        return {node.output[0]: size[options.get("start", 0) : options.get("end")]}
    if node.op_type == "Size" and node.domain == "" and node.input[0] in shapes:
        return {node.output[0]: np.array(math.prod(shapes[node.input[0]]), np.int64)}
    if node.op_type in _RANDOM or any(name and name not in stored for name in node.input):
        return None
    if any(attribute.HasField("g") for attribute in node.attribute):
        return None
    if not _is_small(node, stored, opset_of(model)):
        return None
    inputs = {name: numpy_helper.to_array(stored[name]) for name in node.input if name}
    graph = helper.make_graph(
        [node],
        "constant",
        [onnx.ValueInfoProto(name=name) for name in inputs],
        [onnx.ValueInfoProto(name=name) for name in node.output],
    )
    single = helper.make_model(graph, opset_imports=model.opset_import)
    try:
        values = ReferenceEvaluator(single).run(None, inputs)
    except Exception:  # It may fail in any way on what it does not know; then the node stays.
        return None
    found = dict(zip(node.output, map(np.asarray, values), strict=True))
    return None if any(value.size > _LARGEST for value in found.values()) else found


def _is_small(node: NodeProto, stored: dict[str, onnx.TensorProto], version: int) -> bool:
    """Whether a node takes little memory and time to compute, as far as that can be said."""
    read = {name: tuple(stored[name].dims) for name in node.input if name}
    made = shapes_given(node, read, stored, version)
    sizes = [math.prod(shape) for shape in (*read.values(), *made) if shape is not None]
    if None in made and node.op_type in GROWING:
        return False
    return max(sizes, default=0) <= (_LARGEST_SLOW if node.op_type in _SLOW else _LARGEST)

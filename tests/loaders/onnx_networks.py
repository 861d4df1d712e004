"""Small ONNX files, written with onnx's own helper, and what onnxruntime makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Array = NDArray[Any]


def values(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def integers(*items: int) -> Array:
    return np.array(items, np.int64)


def model(
    nodes: Sequence[NodeProto],
    stored: dict[str, Array],
    *,
    inputs: Sequence[tuple[str, Sequence[int | str]]] = (("image", (1, 3, 16, 16)),),
    outputs: Sequence[str] = ("out",),
    kind: int = TensorProto.FLOAT,
    opset: int = 17,
    domains: Sequence[str] = (),
) -> ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info(name, kind, list(shape)) for name, shape in inputs],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in domains)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="tests")
    made = onnx.shape_inference.infer_shapes(made)
    for output in made.graph.output:
        if not output.type.tensor_type.HasField("shape"):
            output.CopyFrom(helper.make_tensor_value_info(output.name, kind, [None] * 4))
    return made


def two_branches(batch: int | str = 1, size: int | str = 16, opset: int = 17) -> ModelProto:
    """Convolution, batch norm, pooling, two branches joined again, a linear layer."""
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "w0", "b0"], ["c0"], name="/stem/Conv", pads=[1, 1, 1, 1]),
        node(
            "BatchNormalization", ["c0", "scale", "shift", "mean", "var"], ["n0"], name="/stem/BN"
        ),
        node("Relu", ["n0"], ["r0"], name="/stem/Relu"),
        node("MaxPool", ["r0"], ["p0"], name="/pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p0", "w1"], ["c1"], name="/left/Conv"),
        node("Relu", ["c1"], ["r1"], name="/left/Relu"),
        node("Conv", ["p0", "w2"], ["c2"], name="/right/Conv", group=2),
        node("Relu", ["c2"], ["r2"], name="/right/Relu"),
        node("Concat", ["r1", "r2"], ["joined"], name="/join", axis=1),
        node("GlobalAveragePool", ["joined"], ["mean0"], name="/mean"),
        node("Flatten", ["mean0"], ["flat"], name="/flat"),
        node("Gemm", ["flat", "w3", "b3"], ["out"], name="/head/Gemm", transB=1),
    ]
    stored = {
        "w0": values(8, 3, 3, 3, seed=1),
        "b0": values(8, seed=2),
        "scale": values(8, seed=3),
        "shift": values(8, seed=4),
        "mean": values(8, seed=5),
        "var": np.abs(values(8, seed=6)) + 0.5,
        "w1": values(5, 8, 3, 3, seed=7),
        "w2": values(6, 4, 3, 3, seed=8),
        "w3": values(4, 11, seed=9),
        "b3": values(4, seed=10),
    }
    return model(nodes, stored, inputs=[("image", (batch, 3, size, size))], opset=opset)


def save(network: ModelProto, file: Path) -> Path:
    onnx.save(network, file)
    return file


def run(network: ModelProto, image: Array) -> Array:
    """Run a network in onnxruntime."""
    session = onnxruntime.InferenceSession(
        network.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {session.get_inputs()[0].name: image})
    return np.asarray(found)

"""A network of three layers as an ONNX file, of which truths are known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TARGET, WHEN = "small/second:0", "relu:0 >= 1"


def small_onnx(folder: Path, gain: float = 1.0) -> Path:
    """Write it: the target is what the upper two of four pixels give together, times ``gain``, and
    half of the lower two. So where ``relu:0`` is at least 1 the target is at least ``gain``.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    first = np.array([[[[1, 1], [0, 0]]], [[[0, 0], [1, 1]]]], np.float32)
    second = np.array([gain, 0.5], np.float32).reshape(1, 2, 1, 1)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w1"], ["first"], name="first"),
            helper.make_node("Relu", ["first"], ["relu"], name="relu"),
            helper.make_node("Conv", ["relu", "w2"], ["second"], name="second"),
        ],
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 9, 9])],
        [helper.make_tensor_value_info("second", TensorProto.FLOAT, [1, 1, 8, 8])],
        [numpy_helper.from_array(first, "w1"), numpy_helper.from_array(second, "w2")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    file = folder / "small.onnx"
    onnx.save(model, file)
    return file

"""A network as ONNX operators: TensorFlow's axes (image, row, column, channel) become ONNX's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

OPSET = 17

_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}


class Unsupported(Exception):
    """What an operation asks for, and cannot be brought to ONNX."""


class Operators:
    """Operators written down one by one, each under the name of what it computes.

    A value is named as the operation that made it. Its axes are (image, channel, row, column), or
    (image, channel) where nothing else is left.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._stored: list[TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._axes: dict[str, int] = {}

    def axes(self, value: str) -> int:
        """Return how many axes a value has."""
        return self._axes[value]

    def image(self, name: str, shape: Sequence[int | None]) -> str:
        """Take the network's image of a shape (image, row, column, channel)."""
        if len(shape) != 4:
            raise Unsupported(f"an image of {len(shape)} axes")
        sizes = [1, shape[3], shape[1], shape[2]]
        told = [size if size is not None and size > 0 else None for size in sizes]
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, told))
        self._axes[name] = 4
        return name

    def add(
        self,
        name: str,
        kind: str,
        values: Sequence[str],
        *,
        axes: int | None = None,
        **options: Any,
    ) -> str:
        """Write an operator of one result, which has the axes of its first value or ``axes``."""
        self._nodes.append(helper.make_node(kind, list(values), [name], name=name, **options))
        self._axes[name] = self.axes(values[0]) if axes is None else axes
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Store an array."""
        self._stored.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def convolution(
        self,
        name: str,
        value: str,
        kernel: NDArray[Any],
        bias: NDArray[Any] | None,
        *,
        each: bool,
        strides: Sequence[int],
        dilations: Sequence[int],
        padding: str,
    ) -> str:
        """Convolve with a kernel (row, column, input, output), or of ``each`` channel its own."""
        if kernel.ndim != 4:
            raise Unsupported(f"a kernel of {kernel.ndim} axes")
        rows, columns, entering, leaving = kernel.shape
        if each:
            weight = kernel.transpose(2, 3, 0, 1).reshape(entering * leaving, 1, rows, columns)
        else:
            weight = kernel.transpose(3, 2, 0, 1)
        values = [value, self.constant(f"{name}/kernel", weight)]
        if bias is not None:
            values.append(self.constant(f"{name}/bias", bias))
        return self.add(
            name,
            "Conv",
            values,
            group=entering if each else 1,
            strides=list(strides),
            dilations=list(dilations),
            auto_pad=_padding(padding),
        )

    def pool(
        self,
        name: str,
        value: str,
        kind: Literal["MaxPool", "AveragePool"],
        *,
        size: Sequence[int],
        strides: Sequence[int],
        padding: str,
    ) -> str:
        """Pool; an average leaves out what is padded."""
        return self.add(
            name,
            kind,
            [value],
            kernel_shape=list(size),
            strides=list(strides),
            auto_pad=_padding(padding),
        )

    def dense(self, name: str, value: str, kernel: NDArray[Any], bias: NDArray[Any] | None) -> str:
        """Multiply with a matrix (input, output)."""
        if self.axes(value) != 2:
            raise Unsupported("a matrix at every place of a map")
        values = [value, self.constant(f"{name}/kernel", kernel)]
        if bias is not None:
            values.append(self.constant(f"{name}/bias", bias))
        return self.add(name, "Gemm", values)

    def activation(self, name: str, value: str, kind: str) -> str:
        """Apply a nonlinearity by TensorFlow's name."""
        if kind in _ACTIVATIONS:
            return self.add(name, _ACTIVATIONS[kind], [value])
        if kind == "relu6":
            return self.clip(name, value, 6.0)
        if kind == "softmax":
            return self.add(name, "Softmax", [value], axis=1)
        raise Unsupported(f"the activation {kind}")

    def clip(self, name: str, value: str, most: float) -> str:
        """Cut off below 0 and above a number."""
        bounds = {"least": 0.0, "most": most}
        stored = [self.constant(f"{name}/{k}", np.array(v, np.float32)) for k, v in bounds.items()]
        return self.add(name, "Clip", [value, *stored])

    def flat(self, name: str, value: str) -> str:
        """Lay a map out as TensorFlow does: place by place, the channels of each together."""
        if self.axes(value) == 4:
            value = self.add(f"{name}/channels_last", "Transpose", [value], perm=[0, 2, 3, 1])
        return self.add(name, "Flatten", [value], axis=1, axes=2)

    def model(self, results: Sequence[str]) -> ModelProto:
        """Return all of it."""
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * self.axes(name))
            for name in results
        ]
        graph = helper.make_graph(self._nodes, "network", self._inputs, outputs, self._stored)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        onnx.checker.check_model(made)
        return made


def _padding(given: str) -> str:
    modes = {"same": "SAME_UPPER", "valid": "VALID"}
    if given.lower() not in modes:
        raise Unsupported(f"the padding {given}")
    return modes[given.lower()]

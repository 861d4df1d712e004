"""Networks of TensorFlow's own operations (TensorFlow.js's *graph models*), as ONNX."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from circuitkb.loaders.sources.tensorflow_js.manifest import Weights
from circuitkb.loaders.sources.tensorflow_js.written import Operators, Unsupported


@dataclass(frozen=True)
class _Operation:
    """One operation; what it reads are values, or arrays by the names of their constants."""

    name: str
    kind: str
    given: Mapping[str, Any]
    reads: Sequence[str]
    made: Mapping[str, str]
    weights: Weights
    into: Operators

    def value(self, place: int = 0) -> str:
        if self.reads[place] not in self.made:
            raise Unsupported("a constant in the place of a value")
        return self.made[self.reads[place]]

    def array(self, place: int) -> NDArray[Any]:
        if self.reads[place] not in self.weights:
            raise Unsupported("a value in the place of a constant")
        return self.weights[self.reads[place]]

    def numbers(self, name: str) -> list[int]:
        return [int(number) for number in self.given[name]["list"]["i"]]

    def word(self, name: str, default: str = "") -> str:
        return _decoded(self.given[name]["s"]) if name in self.given else default

    def fused(self) -> list[str]:
        """Return what is done to the result before it is given on."""
        listed = self.given.get("fused_ops", {}).get("list", {}).get("s", [])
        return [_decoded(name) for name in listed]

    def finished(self, compute: Callable[[str, NDArray[Any] | None], str]) -> str:
        """Compute with the bias and the nonlinearity that are fused into an operation."""
        fused = self.fused()
        bias = self.array(2) if "BiasAdd" in fused else None
        then = [name for name in fused if name != "BiasAdd"]
        if not then:
            return compute(self.name, bias)
        if len(then) > 1 or fused[-1] != then[0]:
            raise Unsupported(f"the fused operations {', '.join(fused)}")
        return self.into.activation(
            self.name, compute(f"{self.name}/linear", bias), then[0].lower()
        )


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()


def _places(operation: _Operation, name: str) -> list[int]:
    """Return what is said of rows and columns."""
    image, rows, columns, channels = operation.numbers(name)
    if (image, channels) != (1, 1):
        raise Unsupported(f"{name} over images or channels")
    return [rows, columns]


def _convolution(operation: _Operation, *, each: bool) -> str:
    return operation.finished(
        lambda name, bias: operation.into.convolution(
            name,
            operation.value(),
            operation.array(1),
            bias,
            each=each,
            strides=_places(operation, "strides"),
            dilations=_places(operation, "dilations") if "dilations" in operation.given else [1, 1],
            padding=operation.word("padding"),
        )
    )


def _pool(operation: _Operation) -> str:
    return operation.into.pool(
        operation.name,
        operation.value(),
        "MaxPool" if operation.kind == "MaxPool" else "AveragePool",
        size=_places(operation, "ksize"),
        strides=_places(operation, "strides"),
        padding=operation.word("padding"),
    )


def _matrix(operation: _Operation) -> str:
    if any(operation.given.get(side, {}).get("b") for side in ("transpose_a", "transpose_b")):
        raise Unsupported("a transposed matrix")
    return operation.finished(
        lambda name, bias: operation.into.dense(name, operation.value(), operation.array(1), bias)
    )


def _arithmetic(operation: _Operation) -> str:
    axes = max(operation.into.axes(v) for v in map(operation.made.get, operation.reads) if v)
    values = [_operand(operation, place, axes) for place in range(2)]
    kind = operation.kind.removesuffix("V2")
    return operation.into.add(operation.name, kind, values, axes=axes)


def _operand(operation: _Operation, place: int, axes: int) -> str:
    if operation.reads[place] in operation.made:
        return operation.value(place)
    array = operation.array(place)
    if array.ndim > 1:
        raise Unsupported(f"arithmetic with a constant of {array.ndim} axes")
    if array.ndim and axes == 4:
        array = array.reshape(1, -1, 1, 1)
    return operation.into.constant(f"{operation.name}/{place}", array)


def _squeeze(operation: _Operation) -> str:
    if operation.into.axes(operation.value()) != 4 or operation.numbers("squeeze_dims") != [1, 2]:
        raise Unsupported("other axes than rows and columns")
    stored = operation.into.constant(f"{operation.name}/axes", np.array([2, 3], np.int64))
    return operation.into.add(operation.name, "Squeeze", [operation.value(), stored], axes=2)


def _activation(operation: _Operation) -> str:
    return operation.into.activation(operation.name, operation.value(), operation.kind.lower())


_KINDS: Mapping[str, Callable[[_Operation], str]] = {
    "Conv2D": lambda operation: _convolution(operation, each=False),
    "_FusedConv2D": lambda operation: _convolution(operation, each=False),
    "DepthwiseConv2dNative": lambda operation: _convolution(operation, each=True),
    "FusedDepthwiseConv2dNative": lambda operation: _convolution(operation, each=True),
    "MatMul": _matrix,
    "_FusedMatMul": _matrix,
    "Add": _arithmetic,
    "AddV2": _arithmetic,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "AvgPool": _pool,
    "MaxPool": _pool,
    "Squeeze": _squeeze,
    "Relu": _activation,
    "Relu6": _activation,
    "Softmax": _activation,
    "Identity": lambda operation: operation.value(),
}


def graph_model(described: Mapping[str, Any], weights: Weights) -> ModelProto:
    """Return a network as ONNX.

    Parameters
    ----------
    described
        The ``modelTopology`` of a ``model.json``.
    weights
        Arrays, each under the name of its constant.

    Raises
    ------
    Unsupported
        It has an operation, or an option of one, that is not known.
    """
    nodes = {node["name"]: node for node in described["node"]}
    reads = {
        name: [source.partition(":")[0] for source in node.get("input", []) if source[:1] != "^"]
        for name, node in nodes.items()
    }
    into, made = Operators(), dict[str, str]()
    for name in TopologicalSorter(reads).static_order():
        kind, given = nodes[name]["op"], nodes[name].get("attr", {})
        if kind == "Const":
            continue
        if kind == "Placeholder":
            sizes = [int(dim["size"]) for dim in given["shape"]["shape"]["dim"]]
            made[name] = into.image(name, sizes)
            continue
        if kind not in _KINDS:
            raise Unsupported(f"the operation {kind} ({name!r})")
        operation = _Operation(name, kind, given, reads[name], made, weights, into)
        try:
            if operation.word("data_format", "NHWC") != "NHWC":
                raise Unsupported("channels that come first")
            made[name] = _KINDS[kind](operation)
        except Unsupported as error:
            raise Unsupported(f"{error} of the operation {kind} ({name!r})") from error
    read = {*chain.from_iterable(reads.values())}
    return into.model([value for name, value in made.items() if name not in read])

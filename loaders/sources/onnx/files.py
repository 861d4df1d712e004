"""ONNX files to torch modules, whose layers keep the names of the ONNX nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.version_converter
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, helper

from circuitkb.loaders.composition.reference_image import pink_image
from circuitkb.loaders.sources.onnx.bounds import LARGEST_IMAGE, MOST_OPERATIONS
from circuitkb.loaders.sources.onnx.computation import onnx_computation
from circuitkb.loaders.sources.onnx.constants import fold_constants
from circuitkb.loaders.sources.onnx.modules import NodeError, convert, is_known
from circuitkb.loaders.sources.onnx.names import (
    clean_names,
    make_up_names,
    name_the_rest,
    opset_of,
    plain,
    quoted,
)
from circuitkb.loaders.sources.onnx.operators import WITH_THEIR_VERSION
from circuitkb.loaders.sources.onnx.reading import read_model, reason
from circuitkb.loaders.sources.stepwise import Stepwise
from circuitkb.schema.errors import CheckpointError, CircuitKBError, TraceError

DEFAULT_SIZE = 224
"""Rows and columns of the input where the file leaves them open."""

_OPSET = 17
"""Newest version of the operators that onnx2torch knows nearly all of."""

_OWN = "circuitkb"
"""Domain of the nodes whose version is left as it is."""

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class OnnxNetwork:
    """A network read from a file.

    ``input_shape`` is (channels, rows, columns); ``producer`` the program that wrote the file;
    ``computation`` what :func:`~circuitkb.loaders.sources.onnx.computation.onnx_computation` says
    of it.
    """

    module: Stepwise
    input_shape: tuple[int, int, int]
    producer: str
    computation: str


def read_onnx(
    file: Path, *, open_size: tuple[int, int] = (DEFAULT_SIZE, DEFAULT_SIZE)
) -> OnnxNetwork:
    """Read a network that takes one image.

    The batch becomes one image; rows and columns that the file leaves open become ``open_size``.
    A network that takes (batch, row, column, channel) gets a transposition in front. Weights in
    further files are read from the file's own folder and nowhere else.

    Parameters
    ----------
    file
        An ``.onnx`` file.
    open_size
        Rows and columns where the file leaves them open.

    Raises
    ------
    CheckpointError
        The file is missing, empty, truncated or invalid; its weights lie outside of its folder;
        or it does not take exactly one image.
    TraceError
        It has an operator that is not supported, or does not run on one image.
    """
    return onnx_network(read_model(file), file, open_size=open_size)


def onnx_network(
    model: ModelProto, file: Path, *, open_size: tuple[int, int] = (DEFAULT_SIZE, DEFAULT_SIZE)
) -> OnnxNetwork:
    """Return the network of a model that was read, or made, from a file; errors name the file.

    Raises
    ------
    CheckpointError, TraceError
        As :func:`read_onnx` does.
    """
    try:
        return _network(model, file, open_size)
    except CircuitKBError:
        raise
    except Exception as error:  # What a stranger wrote may trip any of the packages that read it.
        raise TraceError(f"{file.name} cannot be read as a network: {reason(error)}.") from error


def _network(model: ModelProto, file: Path, open_size: tuple[int, int]) -> OnnxNetwork:
    computation = onnx_computation(model)
    left_open = _leaves_sizes_open(model.graph)
    shape = _fix_input(model.graph, file, open_size)
    producer = f"{model.producer_name} {model.producer_version}".strip()
    clean_names(model.graph)
    names, version = make_up_names(model, file.name), opset_of(model)
    model = fold_constants(_to_known_opset(fold_constants(model), file))
    name_the_rest(model.graph, names)
    if len(model.graph.node) > MOST_OPERATIONS:
        raise TraceError(
            f"{file.name} has {len(model.graph.node):,} operators that depend on its image; a "
            f"network of at most {MOST_OPERATIONS:,} can be loaded."
        )
    remedy = (
        "\nIt leaves its rows or columns open: export it with fixed ones that it runs on."
        if left_open
        else ""
    )
    module = _convert(model, names, version, shape, file, remedy)
    return OnnxNetwork(module, shape, producer, computation)


def _leaves_sizes_open(graph: GraphProto) -> bool:
    stored = {tensor.name for tensor in graph.initializer}
    images = [value for value in graph.input if value.name not in stored]
    # The first axis is that of images, which every file may leave open.
    dims = [dim for value in images for dim in value.type.tensor_type.shape.dim[1:]]
    return any(dim.dim_value <= 0 for dim in dims)


def _fix_input(graph: GraphProto, file: Path, open_size: tuple[int, int]) -> tuple[int, int, int]:
    """Give the input a fixed shape (1, channel, row, column) and return it without the batch."""
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    if len(inputs) != 1:
        names = ", ".join(plain(value.name) for value in inputs[:4])
        raise CheckpointError(
            f"{file.name} takes {len(inputs)} inputs ({names}): only networks that take one image "
            "can be loaded."
        )
    (value,) = inputs
    tensor = value.type.tensor_type
    if tensor.elem_type not in _FLOATS or len(tensor.shape.dim) != 4:
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise CheckpointError(
            f"{file.name} takes a {kind} tensor of {len(tensor.shape.dim)} axes "
            f"({plain(value.name)}): only networks that take one image (batch, channel, row, "
            "column) of floats can be loaded."
        )
    sizes = [max(dim.dim_value, 0) for dim in tensor.shape.dim]
    channels_last = sizes[1] not in _CHANNELS and sizes[3] in _CHANNELS
    if channels_last:
        _transpose_input(graph, value)
        sizes = [sizes[place] for place in (0, 3, 1, 2)]
    channels, rows, columns = sizes[1] or 3, sizes[2] or open_size[0], sizes[3] or open_size[1]
    if channels * rows * columns > LARGEST_IMAGE:
        raise CheckpointError(
            f"{file.name} takes an image of {channels}x{rows}x{columns}: one of at most "
            f"{LARGEST_IMAGE:,} values can be looked at.\nExport it again for smaller images."
        )
    tensor.elem_type = TensorProto.FLOAT
    for dim, size in zip(tensor.shape.dim, (1, channels, rows, columns), strict=True):
        dim.dim_value = size
    return channels, rows, columns


def _transpose_input(graph: GraphProto, value: ValueInfoProto) -> None:
    """Let a network that takes (batch, row, column, channel) take (batch, channel, ...)."""
    inner = value.name
    value.name = f"{inner}/channels_first"
    node = helper.make_node(
        "Transpose", [value.name], [inner], name=f"{inner}/channels_last", perm=[0, 2, 3, 1]
    )
    graph.node.insert(0, node)


def _to_known_opset(model: ModelProto, file: Path) -> ModelProto:
    version = opset_of(model)
    if version <= _OPSET and all(is_known(node, version) for node in model.graph.node):
        return model
    kept = ModelProto()
    kept.CopyFrom(model)
    kept.opset_import.append(helper.make_opsetid(_OWN, 1))
    for node in kept.graph.node:
        if node.op_type in WITH_THEIR_VERSION:
            node.domain = _OWN
    try:
        return onnx.version_converter.convert_version(kept, _OPSET)
    except Exception as error:  # The converter's C++ code raises what it likes.
        if version <= _OPSET:
            return model
        operator = re.search(r"(?:Version of|for) (\w+)(?: exists)?\W*$", str(error))
        what = f"the operator {operator[1]}" if operator else reason(error)
        raise TraceError(
            f"{file.name} cannot be brought from opset {version} to {_OPSET}: {what}.\n"
            f"Export it again with opset_version={_OPSET}."
        ) from error


def _convert(
    model: ModelProto,
    names: Mapping[str, str],
    version: int,
    shape: tuple[int, int, int],
    file: Path,
    remedy: str,
) -> Stepwise:
    stored = {tensor.name for tensor in model.graph.initializer}
    computed = [value for value in model.graph.output if value.name not in stored]
    if not computed:
        raise TraceError(f"{file.name} does not compute what it gives from its image.")
    del model.graph.output[:]
    model.graph.output.extend(computed)
    try:
        return convert(model, names, pink_image(*shape), version=version)
    except NodeError as error:
        node = f"node {quoted(names[error.node.name])}"
        what = f"the operator {error.node.op_type} ({node})"
        if not error.known:
            raise TraceError(f"{file.name}: {what} is not supported.") from error
        why = reason(error.__cause__ or error)
        if error.converted:
            size = "x".join(map(str, shape))
            raise TraceError(
                f"{file.name} does not run on one image of {size}: {what}: {why}.{remedy}"
            ) from error
        raise TraceError(f"{file.name}: {what} cannot be brought to torch: {why}.") from error

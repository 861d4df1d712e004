"""The bytes of an ONNX file and of the weights beside it, as a model that is whole and bounded."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
import onnx.inliner
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

from circuitkb.loaders.sources.onnx.bounds import LARGEST_FILE, MOST_NODES, MOST_WEIGHTS
from circuitkb.loaders.sources.onnx.names import quoted
from circuitkb.schema.errors import CheckpointError


def reason(error: BaseException) -> str:
    """Return the first line of an error, without its stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")


def read_model(file: Path) -> ModelProto:
    """Read a model with all of its weights, its local functions written out.

    Raises
    ------
    CheckpointError
        The file is missing, is no ONNX file, or is not whole or valid; it is larger than what can
        be loaded; or its weights lie outside of its folder.
    """
    model = ModelProto()
    try:
        model.ParseFromString(read_bytes(file, file.name, 0, None))
    except CheckpointError:
        raise
    except Exception as error:  # Its parser's errors belong to a package without types.
        raise CheckpointError(
            f"{file.name} is not an ONNX file, or is truncated ({reason(error)})."
        ) from error
    if not model.graph.node:
        raise CheckpointError(f"{file.name} holds no network: it is empty or not an ONNX file.")
    _count_nodes(model, file)
    _check_weights(model, file)
    _read_beside(model, file)
    try:
        onnx.checker.check_model(model)
        return onnx.inliner.inline_local_functions(model) if model.functions else model
    except Exception as error:  # Its C++ code raises what it likes.
        raise CheckpointError(f"{file.name} is not valid ONNX: {reason(error)}") from error


def read_bytes(file: Path, name: str, start: int, length: int | None) -> bytes:
    """Return bytes of a plain file; up to its end if no length is given.

    Raises
    ------
    CheckpointError
        It is not there, no plain file, too large, or too short.
    """
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise CheckpointError(f"{quoted(name)} is not a plain file.")
        size = found.st_size - start if length is None else length
        if size > LARGEST_FILE:
            raise CheckpointError(
                f"{quoted(name)} is larger than the 2 GB that a file of weights may have."
            )
        with file.open("rb") as opened:
            opened.seek(start)
            content = opened.read(max(size, 0))
    except FileNotFoundError:
        raise CheckpointError(f"There is no file {str(file)!r}.") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{quoted(name)} cannot be read: {reason(error)}.") from error
    if len(content) < size:
        raise CheckpointError(f"{quoted(name)} is shorter than the weights in it.")
    return content


def _count_nodes(model: ModelProto, file: Path) -> None:
    """Refuse a network of too many nodes, before local functions are written out."""
    sizes: dict[tuple[str, str], int] = {}
    bodies = {(body.domain, body.name): body for body in model.functions}

    def size(nodes: Iterable[NodeProto], depth: int) -> int:
        if depth > len(bodies) + 100:
            raise CheckpointError(f"{file.name} is not valid ONNX: a function calls itself.")
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in bodies:
                if key not in sizes:
                    sizes[key] = size(bodies[key].node, depth + 1)
                total += sizes[key]
            total += 1 + sum(size(graph.node, depth + 1) for graph in _graphs(node))
        return total

    try:
        nodes = size(model.graph.node, 0)
    except RecursionError as error:
        raise CheckpointError(f"{file.name} is not valid ONNX: a function calls itself.") from error
    if nodes > MOST_NODES:
        raise CheckpointError(
            f"{file.name} has {nodes:,} nodes; a network of at most {MOST_NODES:,} can be loaded."
        )


def _check_weights(model: ModelProto, file: Path) -> None:
    total = 0
    if model.graph.sparse_initializer:
        raise CheckpointError(f"{file.name} stores weights sparsely, which cannot be loaded.")
    for tensor in _tensors(model):
        if min(tensor.dims, default=0) < 0:
            raise CheckpointError(
                f"{file.name} is not valid ONNX: its weights {quoted(tensor.name)} have a size "
                "below 0."
            )
        total += math.prod(tensor.dims)
    if total > MOST_WEIGHTS:
        raise CheckpointError(
            f"{file.name} has {total:,} weights; a network of at most {MOST_WEIGHTS:,} can be "
            "loaded."
        )


def _read_beside(model: ModelProto, file: Path) -> None:
    for tensor in _tensors(model):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        stated = {entry.key: entry.value for entry in tensor.external_data}
        data = file_beside(file, stated.get("location", ""), f"its weights {quoted(tensor.name)}")
        try:
            start, length = (int(stated.get(key, 0)) for key in ("offset", "length"))
            wanted = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{file.name}: its weights {quoted(tensor.name)} cannot be read: {reason(error)}."
            ) from error
        size = wanted * math.prod(tensor.dims)
        if start < 0 or length not in (0, size):
            raise CheckpointError(
                f"{file.name}: its weights {quoted(tensor.name)} cannot be read: they take {size} "
                f"bytes and the file names {length} from {start}."
            )
        try:
            tensor.raw_data = read_bytes(data, stated["location"], start, size)
        except CheckpointError as error:
            raise CheckpointError(f"{file.name}: {error}") from error
        tensor.data_location = TensorProto.DEFAULT
        tensor.ClearField("external_data")


def file_beside(file: Path, place: str, what: str) -> Path:
    """Return the file of weights that a file names, which must lie in its folder.

    Parameters
    ----------
    file
        It names the other one.
    place
        What it says.
    what
        What of it lies there, for the message: ``its weights 'kernel'``.

    Raises
    ------
    CheckpointError
        It leads elsewhere, or is not there.
    """
    folder = file.resolve().parent
    try:
        data = (folder / place).resolve()
        outside = Path(place).is_absolute() or not data.is_relative_to(folder) or data == folder
        there = data.exists()
    except (ValueError, OSError, RuntimeError):
        outside, there = True, False
    if outside:
        raise CheckpointError(
            f"{file.name} is refused: {what} point outside of its folder ({quoted(place)})."
        )
    if not there:
        raise CheckpointError(
            f"{file.name} needs the file {quoted(place)} beside it, which is not there."
        )
    return data


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    yield from _tensors_of_graph(model.graph)
    for function in model.functions:
        yield from _tensors_of_nodes(function.node)


def _tensors_of_graph(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from _tensors_of_attribute(attribute)
        for graph in _graphs(node):
            yield from _tensors_of_graph(graph)


def _tensors_of_attribute(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
    for found in (*sparse, *attribute.sparse_tensors):
        # What it is written out to counts, however little of it is there.
        yield TensorProto(dims=found.dims)
        yield from (found.values, found.indices)


def _graphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs

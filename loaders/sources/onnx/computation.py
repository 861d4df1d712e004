"""What an ONNX file computes: the other half of its identity, read from the file itself.

It does not depend on how the file is turned into a torch network, which gets better with time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

SCHEME = "onnx1"
"""Stands in front of each value; values of different schemes cannot be compared."""


def onnx_computation(model: ModelProto) -> str:
    """Return what a file computes, as ``onnx1:`` and a sha256.

    Parameters
    ----------
    model
        Valid, without local functions, its external tensors read.

    Notes
    -----
    Each value in the graph gets the hash of its node's operator, name, attributes and inputs;
    the file's is that of its outputs, inputs and operator versions. So the order of nodes and of
    attributes, the names of values, and nodes that lead nowhere do not count; the names of nodes
    do, since layers are called after them, and so do the values of all constants.

    Examples
    --------
    >>> from onnx import TensorProto, helper
    >>> def network(operator, value):
    ...     ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8])
    ...             for name in ("image", value)]
    ...     node = helper.make_node(operator, ["image"], [value], name="act")
    ...     return helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:]))
    >>> one = onnx_computation(network("Relu", "a"))
    >>> one == onnx_computation(network("Relu", "b")), one == onnx_computation(network("Elu", "a"))
    (True, False)
    """
    versions = sorted((item.domain or "ai.onnx", item.version) for item in model.opset_import)
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [
        value.type.SerializeToString(deterministic=True)
        for value in model.graph.input
        if value.name not in stored
    ]
    found = _hash("file", repr(versions).encode(), *inputs, *_outputs(model.graph, {}))
    return f"{SCHEME}:{found.hex()}"


def _outputs(graph: GraphProto, outer: Mapping[str, bytes]) -> list[bytes]:
    """Return the hashes of what a graph puts out; ``outer`` are those of values around it."""
    values = dict(outer)
    stored = {tensor.name: _tensor(tensor) for tensor in graph.initializer}
    for place, value in enumerate(v for v in graph.input if v.name not in stored):
        values[value.name] = _hash("input", str(place).encode())
    values |= stored
    for sparse in graph.sparse_initializer:
        parts = _tensor(sparse.values), _tensor(sparse.indices), repr(list(sparse.dims)).encode()
        values[sparse.values.name] = _hash("sparse", *parts)
    for node in graph.node:
        _add(node, values)
    return [values.get(value.name, b"") for value in graph.output]


def _add(node: NodeProto, values: dict[str, bytes]) -> None:
    constant = next((item.t for item in node.attribute if item.name == "value"), None)
    if node.op_type == "Constant" and constant is not None:
        values[node.output[0]] = _tensor(constant)  # as where it stands beside the nodes
        return
    attributes = sorted(_attribute(item, values) for item in node.attribute)
    about = [text.encode() for text in (node.domain, node.op_type, node.name)]
    # A name that nothing has given yet can only be an input that is left out.
    inputs = [values.get(name, b"") for name in node.input]
    found = _hash("node", *about, _hash("attributes", *attributes), *inputs)
    for place, name in enumerate(node.output):
        values[name] = _hash("output", str(place).encode(), found)


def _attribute(item: AttributeProto, values: Mapping[str, bytes]) -> bytes:
    name = item.name.encode()
    if item.type == AttributeProto.TENSOR:
        return _hash("tensor", name, _tensor(item.t))
    if item.type == AttributeProto.GRAPH:
        return _hash("graph", name, *_outputs(item.g, values))
    if item.type == AttributeProto.GRAPHS:
        return _hash("graphs", name, *(_hash("g", *_outputs(g, values)) for g in item.graphs))
    plain = AttributeProto()
    plain.CopyFrom(item)
    plain.ClearField("doc_string")
    return _hash("plain", name, plain.SerializeToString(deterministic=True))


def _tensor(tensor: TensorProto) -> bytes:
    """Return the hash of a tensor's values, however the file packs them."""
    about = f"{tensor.data_type} {list(tensor.dims)}".encode()
    try:
        values = numpy_helper.to_array(tensor)
        return _hash("values", about, values.tobytes())
    except (ValueError, TypeError, KeyError, NotImplementedError):  # texts, types without NumPy
        plain = TensorProto()
        plain.CopyFrom(tensor)
        plain.ClearField("name")
        plain.ClearField("doc_string")
        return _hash("tensor", about, plain.SerializeToString(deterministic=True))


def _hash(kind: str, *parts: bytes) -> bytes:
    found = hashlib.sha256(kind.encode())
    for part in _with_lengths(parts):
        found.update(part)
    return found.digest()


def _with_lengths(parts: Iterable[bytes]) -> Iterable[bytes]:
    for part in parts:
        yield f":{len(part)}:".encode()
        yield part

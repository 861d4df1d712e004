"""Names in an ONNX file: what people see of them, and what everything else works with.

Whatever a file calls its nodes, tensors, graphs, operators and sizes is text of a stranger. People
see the cleaned names of nodes; conversion and tracing see made-up names only.
"""

from __future__ import annotations

import re
from typing import Any

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, defs, helper
from torch import fx

from circuitkb.schema.errors import CheckpointError, TraceError

_NOT_IN_A_NAME = re.compile(r"[\s@\x00-\x1f\x7f]")
_LONGEST_NAME = 100
STANDARD = ("", "ai.onnx")
"""Domains of ONNX's own operators."""


def quoted(text: str) -> str:
    """Return a stranger's text for a message: in quotes, in one line, not too long.

    Examples
    --------
    >>> quoted("a\\nb"), quoted("x" * 200)[-6:]
    ("'a\\\\nb'", 'xxx...')
    """
    shown = repr(text)
    return shown if len(shown) <= _LONGEST_NAME + 2 else f"{shown[:_LONGEST_NAME]}..."


def plain(text: str) -> str:
    """Return the name of an operator, which is mostly a plain one, as it is; others in quotes."""
    return text if text.isidentifier() and len(text) <= _LONGEST_NAME else quoted(text)


def opset_of(model: ModelProto) -> int:
    """Return the version of ONNX's own operators that a model is written in."""
    return max((o.version for o in model.opset_import if o.domain in STANDARD), default=1)


def clean_names(graph: GraphProto) -> None:
    """Give each node a name of its own that can stand in a feature id.

    Names stay as they are but for outer slashes, white space, ``@`` and dots; a node without a
    name is called by its operator.
    """
    taken = {"initializers", *(value.name for value in (*graph.input, *graph.initializer))}
    counts: dict[str, int] = {}
    for node in graph.node:
        name = node.name.strip("/") or node.op_type
        name = _NOT_IN_A_NAME.sub("_", name).replace(".", "/")[:_LONGEST_NAME]
        unique, number = name, counts.get(name, 0)
        while unique in taken or hasattr(fx.GraphModule, unique):
            number += 1
            unique = f"{name}_{number}"
        counts[name] = number
        taken.add(unique)
        node.name = unique


def make_up_names(model: ModelProto, file_name: str) -> dict[str, str]:
    """Replace every text in a model that could reach code; return what each node was called.

    Nodes are called ``n0``, ``n1``, ... and tensors ``v1``, ``v2``, ...; every other text that is
    not a value of an operator's own option is dropped.

    Parameters
    ----------
    model
        Without functions, its nodes named as people are to see them. It is changed.

    Raises
    ------
    TraceError
        A node calls an operator that is not one of ONNX's own.
    CheckpointError
        An option is not text.
    """
    version = opset_of(model)
    for field in ("doc_string", "domain", "metadata_props", "training_info", "configuration"):
        model.ClearField(field)
    del model.opset_import[:], model.functions[:]
    model.opset_import.append(helper.make_opsetid("", version))
    renaming = _Renaming(file_name)
    renaming.graph(model.graph)
    return renaming.seen


def name_the_rest(graph: GraphProto, seen: dict[str, str]) -> None:
    """Name the nodes that came later, from a change of the operators' version; extend ``seen``.

    People see them by their operator.
    """
    taken = set(seen.values())
    for node in graph.node:
        if node.name in seen:
            continue
        name, number = node.op_type, 0
        while name in taken:
            number += 1
            name = f"{node.op_type}_{number}"
        taken.add(name)
        node.name = f"n{len(seen)}"
        seen[node.name] = name


class _Renaming:
    """Made-up names for a graph and all graphs inside of it."""

    def __init__(self, file_name: str) -> None:
        self.seen: dict[str, str] = {}
        self._file = file_name
        self._tensors = {"": ""}

    def graph(self, graph: GraphProto) -> None:
        # One name means one tensor, in inner graphs too: they read those around them.
        for value in (*graph.input, *graph.output):
            value.name = self._tensor(value.name)
            _drop(value, "doc_string", "metadata_props")
            _drop(value.type, "denotation")
            for dim in value.type.tensor_type.shape.dim:
                _drop(dim, "denotation", "dim_param")
        for tensor in graph.initializer:
            tensor.name = self._tensor(tensor.name)
            _drop(tensor, "doc_string", "metadata_props")
        for node in graph.node:
            self._node(node)
        _drop(graph, "doc_string", "metadata_props", "quantization_annotation", "value_info")
        graph.name = "network"

    def _tensor(self, name: str) -> str:
        return self._tensors.setdefault(name, f"v{len(self._tensors)}")

    def _node(self, node: NodeProto) -> None:
        if node.domain not in STANDARD or not defs.has(node.op_type):
            raise TraceError(
                f"{self._file}: the operator {plain(node.op_type)} (node {quoted(node.name)}) is "
                "not supported: it is not one of ONNX's own."
            )
        name = f"n{len(self.seen)}"
        self.seen[name], node.name = node.name, name
        for values in (node.input, node.output):
            values[:] = [self._tensor(value) for value in values]
        for attribute in node.attribute:
            self._attribute(attribute, name)
        _drop(node, "domain", "doc_string", "overload", "metadata_props", "device_configurations")

    def _attribute(self, attribute: AttributeProto, node: str) -> None:
        try:
            for text in (attribute.s, *attribute.strings):
                text.decode()
        except UnicodeDecodeError as error:
            raise CheckpointError(
                f"{self._file}: an option of the node {quoted(self.seen[node])} is not text."
            ) from error
        stored = [attribute.t] if attribute.HasField("t") else []
        for tensor in (*stored, *attribute.tensors):
            _drop(tensor, "name", "doc_string", "metadata_props")
        inner = [attribute.g] if attribute.HasField("g") else []
        for graph in (*inner, *attribute.graphs):
            self.graph(graph)
        _drop(attribute, "doc_string", "tp", "type_protos")


def _drop(message: Any, *fields: str) -> None:
    for field in fields:
        message.ClearField(field)

"""Plain networks traced by ``torch.fx``: the graph that ``torch.export`` gives, without its wait.

``torch.export`` takes seconds for a network, half of which pass while its compilers are imported;
they stay in memory. ``torch.fx`` runs the code of a network on stand-ins for tensors, and notes
which functions it calls. Here stands what ``torch.export`` makes of the commonest of them. A
network that calls others, whose code asks for more than a stand-in knows, or whose graph does not
give what the network gives is left to ``torch.export``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import Graph, Node, Tracer
from torch.fx.node import map_arg

from circuitkb.loaders.composition.plain_operations import (
    BATCH_NORM,
    FUNCTIONS,
    METHODS,
    Call,
    UnknownError,
)


@dataclass(frozen=True)
class PlainGraph:
    """The graph of a network.

    Attributes
    ----------
    graph
        Its placeholders stand first: parameters, buffers, the image.
    constants
        The tensor of each parameter and buffer.
    image, output
        What the network reads, and what it returns.
    """

    graph: Graph
    constants: dict[Node, Tensor]
    image: Node
    output: Node


def plain_graph(module: nn.Module, example: Tensor) -> PlainGraph | None:
    """Return the graph of a network; None where ``torch.export`` has to be asked.

    Parameters
    ----------
    module
        In evaluation mode; takes one image tensor.
    example
        Image of the shape to trace.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()).eval()
    >>> found = plain_graph(network, torch.zeros(1, 3, 8, 8))
    >>> [node.name for node in found.graph.nodes if node.op == "call_function"]
    ['conv2d', 'relu', 'view']
    >>> plain_graph(nn.Softmax(1), torch.zeros(1, 3)) is None
    True
    """
    try:
        with torch.no_grad():
            return _Plain(module, example).graph_of(_Tracer().trace(module))
    except Exception:  # whatever the code says to stand-ins: torch.export shows it real tensors
        return None


class _Tracer(Tracer):
    """Looks into all modules but those that ask how many axes a tensor has."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) is nn.BatchNorm2d


class _Plain:
    """The graph of a network so far, and the values of its nodes on the example."""

    def __init__(self, module: nn.Module, example: Tensor) -> None:
        self._module = module
        self._example = example
        self._graph = Graph()
        self._known: dict[Node, Any] = {}
        """What each node of the other graph stands for: a node of this one, or a plain value."""
        self._values: dict[Node, Any] = {}
        """Of the nodes that are to be read."""
        self._shared: set[Node] = set()
        """Nodes whose memory others look at too, so that nothing may be written over them."""
        self._written: set[Node] = set()
        """Nodes that took the place of another one."""
        self._held: dict[str, Node] = {}
        self._names: dict[Node, str] = {}
        self._stack: Mapping[str, Any] = {}

    def graph_of(self, called: Graph) -> PlainGraph:
        """Return what a graph of functions is as one of operations."""
        constants = self._hold()
        image, output = None, None
        last = {read: node for node in called.nodes for read in node.all_input_nodes}
        for node in called.nodes:
            self._stack = node.meta.get("nn_module_stack", {})
            if node.op == "placeholder":
                if image is not None:
                    raise UnknownError
                image = self._placeholder(str(node.target), self._example)
                self._known[node] = image
            elif node.op == "get_attr":
                self._known[node] = self._held[str(node.target)]
            elif node.op == "output":
                output = self._known[node.args[0]]
            else:
                args, keywords = map_arg((node.args, node.kwargs), self._known.__getitem__)
                self._known[node] = self._value(node, args, keywords)
                self._forget(read for read in node.all_input_nodes if last[read] is node)
        if image is None or not isinstance(output, Node):
            raise UnknownError
        if not torch.equal(self._values[output], self._module(self._example)):
            raise UnknownError  # its code does something else with stand-ins
        self._graph.output((output,))
        if any(node.op == "call_function" and not node.users for node in self._graph.nodes):
            raise UnknownError  # what nobody reads is left out there
        for node, name in self._names.items():
            node.name = name
        if len({node.name for node in self._graph.nodes}) < len(self._graph.nodes):
            raise UnknownError
        return PlainGraph(self._graph, constants, image, output)

    def _forget(self, read: Iterable[Node]) -> None:
        """Let go of the values that nothing will read."""
        nodes = [self._known.pop(node) for node in read]
        for node in nodes:
            kept = any(node is known for known in self._known.values())
            if isinstance(node, Node) and node.op != "placeholder" and not kept:
                del self._values[node]

    def _hold(self) -> dict[Node, Tensor]:
        """Add a placeholder for each parameter and buffer."""
        module = self._module
        parameters = dict(module.named_parameters(remove_duplicate=False))
        held = parameters | dict(module.named_buffers(remove_duplicate=False))
        every_part = list(module.named_modules(remove_duplicate=False))
        if (
            len({id(tensor) for tensor in held.values()}) < len(held)
            or len(list(module.modules())) < len(every_part)  # something has several names
            or not held.keys() <= module.state_dict().keys()
            or any(type(tensor) not in (Tensor, nn.Parameter) for tensor in held.values())
        ):
            raise UnknownError
        for name, tensor in held.items():
            plain = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)
            kind = "p" if name in parameters else "b"
            self._held[name] = self._placeholder(f"{kind}_{plain}", tensor.detach())
        return {self._held[name]: tensor.detach() for name, tensor in held.items()}

    def _placeholder(self, name: str, tensor: Tensor) -> Node:
        # It is named at the end: here `input` would be renamed, as a word of Python.
        node = self._graph.placeholder(f"placeholder_{len(self._names)}")
        self._names[node] = name.lower()
        self._shared.add(node)
        return self._worth(node, tensor)

    def _value(self, node: Node, args: Any, keywords: Any) -> Any:
        """Return what a call gives."""
        if node.op == "call_module":
            return self._called(self._normalising(str(node.target), *args, **keywords))
        if node.op == "call_method" and node.target in ("dim", "size"):
            return getattr(self._values[args[0]], str(node.target))(*args[1:])
        if node.target is getattr and args[1:] in (("ndim",), ("shape",)):
            return getattr(self._values[args[0]], args[1])
        if not _nodes_in((args, keywords)):
            return _plain(node.target(*args, **keywords))  # type: ignore[operator]
        return self._called(_rule_of(node)(*args, **keywords))

    def _called(self, call: Call) -> Node:
        read = call.args[0]
        if call.name in ("dropout", "flatten", "view"):
            return self._seen(read, call)
        if call.overwrites and read in self._shared:
            raise UnknownError
        found = self._note(call.name, call.given)
        if call.name == BATCH_NORM:
            return self._first_of(found)
        if call.overwrites:
            self._written.add(found)
            for node, known in self._known.items():
                if known is read:
                    self._known[node] = found
        return found

    def _seen(self, read: Node, call: Call) -> Node:
        """Return what looks at the memory of another node in another shape."""
        value = self._values[read]
        shape = list(value.shape)
        if call.name == "flatten":
            wanted = list(value.flatten(*call.args[1:]).shape)
        else:
            wanted = shape if call.name == "dropout" else list(call.args[1])
        if wanted == shape and call.name != "view":
            return read
        if read in self._written or not value.is_contiguous():
            raise UnknownError  # there it has another name, or is copied
        found = self._note("view.default", (read, wanted))
        self._shared.update((read, found))
        return found

    def _normalising(self, path: str, read: Node) -> Call:
        """Return what a module that is a batch norm calls."""
        norm = self._module.get_submodule(path)
        if not isinstance(norm, nn.BatchNorm2d) or norm.training or norm.momentum is None:
            raise UnknownError
        names = ("running_mean", "running_var", "weight", "bias")
        held = [self._held[f"{path}.{name}" if path else name] for name in names]
        return FUNCTIONS[F.batch_norm](read, *held, False, norm.momentum, norm.eps)

    def _first_of(self, several: Node) -> Node:
        """Add the first result of an operation with several; the others are not read."""
        values = self._values.pop(several)
        first, *others = (
            self._add(operator.getitem, (several, place), "getitem", value)
            for place, value in enumerate(values)
        )
        for node in others:
            self._graph.erase_node(node)
        return first

    def _note(self, name: str, args: tuple[Any, ...]) -> Node:
        packet, _, overload = name.partition(".")
        called = getattr(getattr(torch.ops.aten, packet), overload)
        return self._add(called, args, packet, called(*map_arg(args, self._values.__getitem__)))

    def _add(self, called: Any, args: tuple[Any, ...], name: str, value: Any) -> Node:
        node = self._graph.create_node("call_function", called, args, name=name)
        node.meta["nn_module_stack"] = dict(self._stack)
        return self._worth(node, value)

    def _worth(self, node: Node, value: Any) -> Node:
        self._values[node] = value
        node.meta["val"] = _shape_alone(value)
        return node


def _rule_of(node: Node) -> Callable[..., Call]:
    """Return what is known of a function or a method."""
    if node.op == "call_method":
        return METHODS[node.target]
    called: Any = node.target
    known = FUNCTIONS.get(called) or FUNCTIONS[f"{called.__module__}.{called.__name__}"]
    return known


def _nodes_in(values: Any) -> list[Node]:
    found: list[Node] = []
    map_arg(values, found.append)
    return found


def _plain(value: Any) -> Any:
    if not isinstance(value, int | float | str | torch.Size | None):
        raise UnknownError
    return value


def _shape_alone(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_shape_alone, value))
    return torch.empty_like(value, device="meta")

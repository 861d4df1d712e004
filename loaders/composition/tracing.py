"""A network as a graph of functional operations, with the module that each one came from.

The tracer is ``torch.export``, or what gives the same at once for plain networks; in-place
operations become functional ones and composite ones (batch norm, layer norm, linear, GELU,
attention) stay whole, since composition reads them.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node
from torch.fx.node import map_arg

from circuitkb.loaders.composition.plain_tracing import plain_graph
from circuitkb.loaders.sources.quiet import quiet
from circuitkb.loaders.sources.stepwise import seen_path
from circuitkb.schema.errors import TraceError

_CODE = re.compile(r"[\"'\\\\\x00-\x1f\x7f]")
_REPEATED_CALL = re.compile(r"@\d+")


@dataclass(eq=False)
class TracedNetwork:
    """A traced network.

    Attributes
    ----------
    graph
        Nodes in order of computation; targets are ATen operations.
    constants
        Values of the placeholders that are parameters, buffers or lifted constants.
    input
        The placeholder of the image, axes (1, channel, row, column).
    outputs
        Nodes whose values the network returns.
    dynamic
        Nodes whose value depends on the input.
    leaf_modules
        Paths of the modules that have none inside.
    seen_path
        Gives the path of a module as people see it: see :mod:`circuitkb.loaders.sources.stepwise`.
    """

    graph: Graph
    constants: dict[Node, Tensor]
    input: Node
    outputs: tuple[Node, ...]
    example: Tensor
    leaf_modules: frozenset[str]
    seen_path: Callable[[str], str] = str
    dynamic: frozenset[Node] = field(init=False)
    last_use: dict[Node, Node] = field(init=False)

    def __post_init__(self) -> None:
        dynamic = {self.input}
        last_use: dict[Node, Node] = {}
        for node in self.graph.nodes:
            for argument in node.all_input_nodes:
                last_use[argument] = node
                if argument in dynamic and node.op == "call_function":
                    dynamic.add(node)
        self.dynamic = frozenset(dynamic)
        self.last_use = last_use

    def operations(self) -> Iterator[Node]:
        """Yield the nodes that compute something, in order."""
        return (node for node in self.graph.nodes if node.op == "call_function")

    def module_path(self, node: Node) -> str:
        """Return the path of the innermost module that a node was traced in; '' for the root.

        It is the path that people see, as in ``leaf_modules``.
        """
        stack = node.meta.get("nn_module_stack") or {}
        path = ""
        for entry in stack.values():
            path = entry[0] if isinstance(entry, tuple) else str(entry)
        return self.seen_path(_REPEATED_CALL.sub("", path))

    def place(self, node: Node) -> str:
        """Return the module that a node stands in, in words."""
        return self.module_path(node) or "the top of the network"

    def value_of(self, node: Node, arguments: Callable[[Node], Any]) -> Any:
        """Run one operation; ``arguments`` gives the value of each node it reads."""
        args = map_arg(node.args, arguments)
        keywords = map_arg(node.kwargs, arguments)
        return node.target(*args, **keywords)  # type: ignore[operator]

    def values(self, image: Tensor) -> Iterator[tuple[Node, Any]]:
        """Run the network and yield each node with its value, the input first.

        ``image`` has the shape of the example. A value may be overwritten by a later operation
        and is let go when no later one reads it: copy what is to be kept.
        """
        values: dict[Node, Any] = dict(self.constants)
        values[self.input] = image
        yield self.input, image
        for node in self.operations():
            with torch.no_grad():
                values[node] = self.value_of(node, values.__getitem__)
            yield node, values[node]
            for argument in node.all_input_nodes:
                if self.last_use[argument] is node and argument not in self.constants:
                    values.pop(argument, None)

    def run(self, image: Tensor, keep: Callable[[Node], bool]) -> dict[Node, Any]:
        """Run the network and return the values of the nodes that ``keep`` wants."""
        return {node: value for node, value in self.values(image) if keep(node)}


def trace(module: nn.Module, example: Tensor) -> TracedNetwork:
    """Trace a network on one image.

    Parameters
    ----------
    module
        In evaluation mode; takes one image tensor.
    example
        Image of the shape to trace, axes (1, channel, row, column).

    Raises
    ------
    TraceError
        If the network's code cannot be traced; names the module and the operation.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    >>> [str(node.target) for node in trace(network, torch.zeros(1, 3, 8, 8)).operations()]
    ['aten.conv2d.default', 'aten.relu.default']
    """
    _check_names(module)
    with quiet():
        plain = plain_graph(module, example)
    if plain is None:
        return exported(module, example)
    return _traced(module, example, plain.graph, plain.constants, plain.image, (plain.output,))


def exported(module: nn.Module, example: Tensor) -> TracedNetwork:
    """Trace a network by ``torch.export``, which takes any that can be traced.

    Raises
    ------
    TraceError
        As :func:`trace`.
    """
    calls: list[tuple[str, str]] = []
    hooks = [
        part.register_forward_pre_hook(
            lambda part, _, path=path: calls.append((path, type(part).__name__))
        )
        for path, part in module.named_modules()
    ]
    try:
        with torch.no_grad(), quiet():
            program = torch.export.export(module, (example,), strict=False)
            program = program.run_decompositions({})
    except Exception as error:
        path, kind = calls[-1] if calls else ("", type(module).__name__)
        raise TraceError(_explain(error, seen_path(module, path), kind)) from error
    finally:
        for hook in hooks:
            hook.remove()
    signature = program.graph_signature
    stored = {**program.state_dict, **program.constants}
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    constants: dict[Node, Tensor] = {}
    image: Node | None = None
    output: Sequence[Any] = ()
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in names:
            constants[node] = stored[names[node.name]].detach()
        elif node.op == "placeholder":
            image = node
        elif node.op == "output":
            returned = set(signature.user_outputs)
            output = [n for n in node.args[0] if isinstance(n, Node) and n.name in returned]
    if image is None or not output:
        raise TraceError("The network does not compute its output from its input image.")
    return _traced(module, example, program.graph, constants, image, tuple(output))


def _traced(
    module: nn.Module,
    example: Tensor,
    graph: Graph,
    constants: dict[Node, Tensor],
    image: Node,
    outputs: tuple[Node, ...],
) -> TracedNetwork:
    see = partial(seen_path, module)
    leaves = frozenset(
        see(path) for path, part in module.named_modules() if not any(part.children())
    )
    return TracedNetwork(graph, constants, image, outputs, example, leaves, see)


def copied(network: TracedNetwork) -> TracedNetwork:
    """Return a network whose graph and table of constants may be changed; tensors are shared."""
    graph, copies = Graph(), dict[Node, Node]()
    graph.output(graph.graph_copy(network.graph, copies))
    for old, new in copies.items():
        new.name = old.name  # a copy renames what is called as a builtin of Python is: input
    return replace(
        network,
        graph=graph,
        constants={copies[node]: value for node, value in network.constants.items()},
        input=copies[network.input],
        outputs=tuple(copies[node] for node in network.outputs),
    )


def _check_names(module: nn.Module) -> None:
    """Refuse names that would be read as code: torch writes code that holds them."""
    held = dict(module.named_parameters()) | dict(module.named_buffers())
    for path in (*held, *(path for path, _ in module.named_modules())):
        parts = path.split(".")
        if _CODE.search(path) or (path in held and any(map(keyword.iskeyword, parts))):
            shown = repr(path if len(path) < 80 else f"{path[:80]}...")
            raise TraceError(
                f"Cannot trace a network with the name {shown}: it would be read as Python code. "
                "Rename that part."
            )


def _explain(error: Exception, path: str, kind: str) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[0][:200] if lines else type(error).__name__
    place = f"module {path!r} ({kind})" if path else f"the network ({kind})"
    if "data-dependent" in reason:
        return (
            f"Cannot trace {place}: which operations it runs depends on the values in its image "
            "(an if or a loop over a tensor).\nGive the path that is meant a module of its own."
        )
    return f"Cannot trace {place}: {type(error).__name__}: {reason}"

"""What the rules of composition share: names of operations, reasons, constants, gate values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node
from torch.utils._pytree import tree_leaves, tree_map

from .linear_form import LinearForm
from .tracing import TracedNetwork

NONLINEARITIES = {
    name: name
    for name in (
        "relu", "relu6", "silu", "gelu", "elu", "selu", "celu", "leaky_relu", "hardswish",
        "hardsigmoid", "hardtanh", "sigmoid", "tanh", "mish", "softplus", "prelu", "clamp",
        "clamp_min", "clamp_max", "abs", "exp", "erf", "sqrt", "rsqrt", "log", "log_sigmoid",
        "softsign", "threshold",
    )
} | {"log_sigmoid_forward": "log_sigmoid", "_prelu_kernel": "prelu", "clip": "clamp"}  # fmt: skip
"""Operations on single values that are not linear: what they put out are features."""

GATES = {"sigmoid", "hardsigmoid", "tanh", "softplus", "clamp", "hardtanh"}
"""Nonlinearities whose output, multiplied with another tensor, is its gate."""

SELF_GATED = {
    ("sigmoid",): "silu",
    ("hardsigmoid",): "hardswish",
    ("clamp",): "hardswish",
    ("hardtanh",): "hardswish",
    ("relu6",): "hardswish",
    ("erf",): "gelu",
    ("tanh", "softplus"): "mish",
}
"""What ``x * f(x)`` is called where exporters write it out, by the nonlinearities in ``f``."""

_SCALAR_OPERATIONS = {"add", "sub", "mul", "div", "neg"}


def operation_name(node: Node) -> str:
    """Return the bare name of a node's operation: ``conv2d`` for ``aten.conv2d.default``."""
    schema = getattr(node.target, "_schema", None)
    if schema is not None:
        return str(schema.name).rpartition("::")[2]
    return getattr(node.target, "__name__", str(node.target))


def shape_of(node: Node) -> tuple[int, ...]:
    """Return the shape of the tensor that a node gives."""
    return tuple(node.meta["val"].shape)


def pair(value: Any) -> tuple[int, int]:
    """Return a size as (rows, columns)."""
    if isinstance(value, int):
        return value, value
    rows, columns = (*value, value[0])[:2]
    return int(rows), int(columns)


def argument(args: Sequence[Any], place: int, default: Any = None) -> Any:
    """Return an operation's argument, or its default where the call leaves it out."""
    return args[place] if len(args) > place else default


def without_edges(inputs: Sequence[object], reason: str) -> LinearForm:
    """Return a tensor that has no linear map.

    ``reason`` joins what its inputs miss already, unless they had no edges left to lose.
    """
    forms = [
        form
        for value in inputs
        for form in (value if isinstance(value, list) else [value])
        if isinstance(form, LinearForm)
    ]
    missing = frozenset[str]().union(*(form.missing for form in forms))
    if not missing or any(form.parts for form in forms):
        missing |= {reason}
    return LinearForm(0, 1, 1, None, missing=missing)


def scaled(form: LinearForm, factor: Tensor, constant: Tensor | None) -> LinearForm:
    """Multiply the channels of a form by ``factor`` (channels,)."""
    parts = tuple(part.scaled(factor.to(part.kernel.dtype)) for part in form.parts)
    return replace(form, parts=parts, constant=constant)


def per_channel(
    value: Any, form: LinearForm, shape: tuple[int, ...], *, centre: bool = False
) -> Tensor | None:
    """Return ``value``, broadcast over a tensor of ``shape``, as one factor for each channel.

    None where it changes over the map, unless ``centre`` asks for the value at its centre.
    """
    if not isinstance(value, Tensor):
        return torch.full((form.channels,), float(value))
    if form.layout is None or len(form.layout) != len(shape):
        return None
    spread = value.expand(shape).movedim(form.layout.index("c"), -1)
    flat = spread.reshape(-1, form.channels)
    if centre:
        middle = form.rows // 2 * form.columns + form.columns // 2
        return flat[middle if len(flat) > 1 else 0].float()
    return flat[0].float() if bool((flat == flat[:1]).all()) else None


class RuleContext:
    """One network's facts that rules need.

    Attributes
    ----------
    self_gated
        Multiplications ``x * f(x)``, each with the node of ``x`` and the name of the nonlinearity
        that they are: some exporters write SiLU and hard swish like this.
    self_gates
        The ``f(x)`` of those, which are no features of their own.
    references
        Values, on the reference image, of gates and of what layer norms read.
    """

    def __init__(self, network: TracedNetwork) -> None:
        self.network = network
        self.self_gated: dict[Node, tuple[Node, str]] = {}
        self.self_gates: set[Node] = set()
        self.gates: dict[Node, Node] = {}
        wanted: set[Node] = set()
        for node in network.operations():
            name = operation_name(node)
            if name == "layer_norm":
                wanted.add(node.all_input_nodes[0])
            factors = [a for a in node.args if isinstance(a, Node) and a in network.dynamic]
            if name == "mul" and len(factors) == 2:
                self._sort_out(node, *factors)
        wanted |= set(self.gates.values())
        self.references: dict[Node, Tensor] = (
            network.run(network.example, wanted.__contains__) if wanted else {}
        )

    def _sort_out(self, product: Node, first: Node, second: Node) -> None:
        """Note whether a product of two computed tensors is ``x * f(x)``, or which one gates."""
        if self._is_self_gated(product, first, second):
            return
        before = [_before_broadcast(node) for node in (first, second)]
        sizes = [torch.Size(shape_of(node)).numel() for node in before]
        if sizes[0] != sizes[1]:
            self.gates[product] = first if sizes[0] < sizes[1] else second
            return
        gating = [
            node for node in (first, second) if NONLINEARITIES.get(operation_name(node)) in GATES
        ]
        if len(gating) == 1:
            self.gates[product] = gating[0]

    def _is_self_gated(self, product: Node, first: Node, second: Node) -> bool:
        chains = [self._pointwise_chain(node) for node in (first, second)]
        shared = next((node for node in chains[0] if node in chains[1]), None)
        if shared is None:
            return False
        inner = [node for chain in chains for node in chain[: chain.index(shared)]]
        nonlinear = [
            tuple(
                NONLINEARITIES[operation_name(node)]
                for node in chain[: chain.index(shared)]
                if operation_name(node) in NONLINEARITIES
            )
            for chain in chains
        ]
        # One factor is x itself, up to constants; and nothing else looks into the formula.
        inside = {product, *inner}
        if all(nonlinear) or any(user not in inside for node in inner for user in node.users):
            return False
        names = nonlinear[0] or nonlinear[1]
        if not names:
            return False
        self.self_gated[product] = (shared, SELF_GATED.get(names, f"x*{names[0]}"))
        self.self_gates |= set(inner)
        return True

    def _pointwise_chain(self, node: Node) -> list[Node]:
        """Return a node and what it was made from, value by value, with constants only."""
        chain = [node]
        while operation_name(node) in NONLINEARITIES or operation_name(node) in _SCALAR_OPERATIONS:
            computed = [a for a in node.all_input_nodes if a in self.network.dynamic]
            others = [a for a in node.all_input_nodes if a not in self.network.dynamic]
            if len(computed) != 1 or any(torch.Size(shape_of(a)).numel() > 1 for a in others):
                break
            node = computed[0]
            chain.append(node)
        return chain

    def unknown(self, node: Node, inputs: Sequence[object], why: str = "") -> LinearForm:
        """Return a tensor without a linear map, the reason naming the operation and module."""
        reason = operation_name(node) + (f": {why}" if why else "")
        return without_edges(inputs, f"{self.network.place(node)} ({reason})")

    def constant(self, node: Node, args: Sequence[Any]) -> Tensor | None:
        """Run the operation on the constants of its inputs: its value when all features are 0."""

        def constant_of(value: Any) -> Any:
            return value.constant if isinstance(value, LinearForm) else value

        if any(leaf.constant is None for leaf in tree_leaves(list(args)) if _is_form(leaf)):
            return None
        operation: Any = node.target
        result = operation(*tree_map(constant_of, list(args)), **node.kwargs)
        first: Tensor = result[0] if isinstance(result, tuple | list) else result
        return first


def _before_broadcast(node: Node) -> Node:
    """Return what a tensor was before it was spread over a map."""
    while operation_name(node) in ("expand", "view", "unsqueeze", "reshape"):
        node = node.all_input_nodes[0]
    return node


def _is_form(value: Any) -> bool:
    return isinstance(value, LinearForm)

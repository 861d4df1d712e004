"""What the rules of composition share: names of operations, reasons, constants, gate values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node
from torch.utils._pytree import tree_leaves, tree_map

from circuitkb.loaders.composition.exactness import Axis, centre, everywhere
from circuitkb.loaders.composition.linear_form import LinearForm
from circuitkb.loaders.composition.rules.rearrangement import element_numbers
from circuitkb.loaders.composition.tracing import TracedNetwork

NONLINEARITIES = {
    name: name
    for name in (
        "relu",
        "relu6",
        "silu",
        "gelu",
        "elu",
        "selu",
        "celu",
        "leaky_relu",
        "hardswish",
        "hardsigmoid",
        "hardtanh",
        "sigmoid",
        "tanh",
        "mish",
        "softplus",
        "prelu",
        "clamp",
        "clamp_min",
        "clamp_max",
        "abs",
        "exp",
        "erf",
        "sqrt",
        "rsqrt",
        "log",
        "log_sigmoid",
        "softsign",
        "threshold",
    )
} | {"log_sigmoid_forward": "log_sigmoid", "_prelu_kernel": "prelu", "clip": "clamp"}
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

NORMS = ("layer_norm", "group_norm", "instance_norm", "rms_norm")
"""Norms whose statistics are computed, and held at the reference image."""

_CARRIED_ON = {
    "add",
    "sub",
    "rsub",
    "mul",
    "div",
    "neg",
    "expand",
    "view",
    "reshape",
    "unsqueeze",
    "squeeze",
    "clone",
    "contiguous",
    "dropout",
    "permute",
    "transpose",
    "unflatten",
    "flatten",
    "_unsafe_view",
}

_KEEPING_AXES = {
    *NORMS,
    "softmax",
    "_softmax",
    "log_softmax",
    "_log_softmax",
    "pow",
    "square",
    "reciprocal",
    "mul",
    "div",
    "maximum",
    "minimum",
    "where",
    "native_group_norm",
    "native_layer_norm",
    "sin",
    "cos",
    "sign",
    "floor",
    "round",
    "cumsum",
    "batch_norm",
    "gumbel_softmax",
    "masked_fill",
    "local_response_norm",
    "expm1",
    "log1p",
    "remainder",
}
"""Operations whose result has the axes of its first input, where it has the same shape."""

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


def forms_in(inputs: Sequence[object]) -> list[LinearForm]:
    """Return the forms among an operation's inputs, those in lists too."""
    return [
        form
        for value in inputs
        for form in (value if isinstance(value, list) else [value])
        if isinstance(form, LinearForm)
    ]


def without_edges(
    inputs: Sequence[object], reason: str, shape: Sequence[int] | None = None
) -> LinearForm:
    """Return a tensor that has no linear map.

    ``reason`` joins what its inputs miss already, unless they had no edges left to lose. Where
    ``shape`` is given the operation kept the meaning of the axes of its first input.
    """
    forms = forms_in(inputs)
    missing = frozenset[str]().union(*(form.missing for form in forms))
    if not missing or any(form.sources for form in forms):
        missing |= {reason}
    nothing = LinearForm(0, 1, 1, None, missing=missing)
    if shape is None or not forms or not forms[0].placed:
        return nothing
    first = forms[0]
    same = nothing.like(first)
    return same if same.fits(shape) else nothing


def scaled(form: LinearForm, factor: Tensor, constant: Tensor | None) -> LinearForm:
    """Multiply the channels of a form by ``factor`` (channels,)."""
    parts = tuple(part.scaled(factor.to(part.kernel.dtype)) for part in form.parts)
    return replace(form, parts=parts, constant=constant)


def by_element(form: LinearForm, factor: Tensor, constant: Tensor | None) -> LinearForm | None:
    """Multiply a form by a tensor that can be spread over its own; None where it has no channels.

    Where the factor changes over the map, each channel has the one at the centre, and the result
    is exact where that is the factor.
    """
    if form.layout is not None and "c" in form.layout:
        axis = form.layout.index("c") - len(form.layout)
        if factor.numel() == 1 or (factor.ndim >= -axis and factor.numel() == factor.shape[axis]):
            return scaled(form, factor.float().reshape(-1).expand(form.channels), constant)
    numbers = element_numbers(form)
    if numbers is None:
        return None
    by_place = torch.full((form.channels * form.rows * form.columns,), torch.nan)
    by_place[numbers] = factor.float().expand(numbers.shape)
    by_place = by_place.view(form.channels, form.rows, form.columns)
    middle = (centre(form.rows), centre(form.columns))
    chosen = by_place[:, middle[0], middle[1]]
    # What the tensor has not got (it may be a selection of elements) does not matter.
    fits = ((by_place == chosen[:, None, None]) | by_place.isnan()).all(0)
    rows, columns = fits[:, middle[1]], fits[middle[0]]
    if not bool(fits[rows][:, columns].all()):
        rows = torch.arange(form.rows) == middle[0]
    result = scaled(form, chosen.nan_to_num(1.0), constant)
    parts = tuple(part.narrowed(axis_of(rows), axis_of(columns)) for part in result.parts)
    return replace(result, parts=parts)


def axis_of(fits: Tensor) -> Axis:
    """Return a mask along an axis as parts hold it."""
    return everywhere(len(fits)) if bool(fits.all()) else tuple(fits.tolist())


@dataclass(frozen=True, eq=False)
class Held:
    """An operation that is no linear map, as the linear one that stands for it.

    ``function`` takes the values of ``reads``.
    """

    reads: tuple[Node, ...]
    function: Callable[..., Tensor]

    def __call__(self, *values: Tensor) -> Tensor:
        """Run it."""
        return self.function(*values)


class RuleContext:
    """One network's facts that rules need.

    Attributes
    ----------
    self_gated
        Multiplications ``x * f(x)``, each with the node of ``x`` and the name of the nonlinearity
        that they are: some exporters write SiLU and hard swish like this.
    self_gates
        The ``f(x)`` of those, which are no features of their own.
    gates
        Products and quotients of two computed tensors, each with the factor that gates it; None
        where neither does, and both are held at the other's value.
    references
        Values, on the reference image, of what is held there: gates, factors, what norms read.
    leaves
        Nodes whose values are features (pooled, perhaps), with their forms.
    blocked
        Nodes that have no linear map.
    held
        Nodes that count as linear with something held at its reference value.
    also_held
        What is held beside gates and layer norms, in words.
    """

    def __init__(self, network: TracedNetwork) -> None:
        self.network = network
        self.self_gated: dict[Node, tuple[Node, str]] = {}
        self.self_gates: set[Node] = set()
        self.gates: dict[Node, Node | None] = {}
        self.leaves: dict[Node, LinearForm] = {}
        self.blocked: set[Node] = set()
        self.held: dict[Node, Held] = {}
        self.also_held: set[str] = set()
        wanted: set[Node] = set()
        for node in network.operations():
            name = operation_name(node)
            if name in NORMS and node.all_input_nodes[0] in network.dynamic:
                wanted.add(node.all_input_nodes[0])
            factors = [a for a in node.args if isinstance(a, Node) and a in network.dynamic]
            if name in ("mul", "div") and len(factors) == 2:
                self._sort_out(node, *factors)
                if node in self.gates:
                    gate = self.gates[node]
                    wanted |= set(factors) if gate is None else {gate}
        self.references: dict[Node, Tensor] = (
            network.run(network.example, wanted.__contains__) if wanted else {}
        )

    def _sort_out(self, product: Node, first: Node, second: Node) -> None:
        """Note whether a product of two computed tensors is ``x * f(x)``, or which one gates."""
        if operation_name(product) == "div":
            self.gates[product] = None
            return
        if self._is_self_gated(product, first, second):
            return
        before = [_before_broadcast(node) for node in (first, second)]
        sizes = [torch.Size(shape_of(node)).numel() for node in before]
        gating = [
            node for node in (first, second) if NONLINEARITIES.get(operation_name(node)) in GATES
        ]
        self.gates[product] = gating[0] if len(gating) == 1 else None
        if sizes[0] != sizes[1]:
            small, large = (first, second) if sizes[0] < sizes[1] else (second, first)
            # A factor of every channel, or of every place, that is itself no linear map gates.
            whole = shape_of(large) == shape_of(product)
            if whole and not self._is_linear(small):
                self.gates[product] = small

    def _is_linear(self, node: Node) -> bool:
        """Whether a factor is, up to constants and broadcasting, no nonlinearity's output."""
        while True:
            name = operation_name(node)
            computed = [a for a in node.all_input_nodes if a in self.network.dynamic]
            if name in NONLINEARITIES or name in ("softmax", "_softmax"):
                return False
            if name not in _CARRIED_ON or len(computed) != 1:
                return True
            node = computed[0]

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
        name = operation_name(node)
        reason = name + (f": {why}" if why else "")
        self.blocked.add(node)
        value = node.meta["val"]
        keeps = name in _KEEPING_AXES and isinstance(value, Tensor)
        shape = tuple(value.shape) if keeps else None
        return without_edges(inputs, f"{self.network.place(node)} ({reason})", shape)

    def untracked(
        self,
        node: Node,
        inputs: Sequence[object],
        args: Sequence[Any],
        like: LinearForm | None = None,
    ) -> LinearForm:
        """Return a tensor whose linear map no kernel follows: a backward pass is to find it.

        ``like`` has its size and axes, where they are known.
        """
        forms = forms_in(inputs)
        result = like if like is not None else LinearForm(0, 1, 1, None)
        return replace(
            result,
            parts=(),
            constant=self.constant(node, args),
            missing=frozenset[str]().union(*(form.missing for form in forms)),
            untracked=frozenset[str]().union(*(form.sources for form in forms)),
        )

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

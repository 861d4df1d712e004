"""Exact kernels at one position, where composed ones do not hold: by a backward pass.

Where a tensor is padded that is itself composed, a map is resized, or elements were moved about
in a way that no kernel follows, the linear map to one position is still what it is. The operations
between the features and that position run once, and their derivative by the features, which for
linear operations is the map itself, is taken for all units at once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition import linear_form
from circuitkb.loaders.composition.exactness import centre, only
from circuitkb.loaders.composition.linear_form import KernelTooLargeError, LinearForm, Part
from circuitkb.loaders.composition.rules.context import RuleContext, operation_name, shape_of

MOST_MULTIPLICATIONS = 2**37
"""Multiplications that one layer's backward pass may take: seconds on two cores."""

Block = tuple[tuple[int, int], Tensor]
"""A corner (row, column) of a map, and values from there on (unit, channel, row, column)."""

_VALUES_AT_ONCE = 2**23


class TooMuchWorkError(KernelTooLargeError):
    """A backward pass would take too long; caught inside this room."""


@dataclass(frozen=True)
class _Region:
    """The operations between the features of some layers and one tensor, in order."""

    operations: tuple[Node, ...]
    leaves: tuple[Node, ...]
    gated: frozenset[Node]
    residual: frozenset[Node]


def parts_at_centre(
    context: RuleContext, node: Node, form: LinearForm, layers: Collection[str]
) -> list[Part]:
    """Return what some layers give to the centre of a tensor, exact there and nowhere else.

    Parameters
    ----------
    node, form
        The tensor; its form says which axis is what.
    layers
        Names of the layers of features.

    Raises
    ------
    KernelTooLargeError
        The kernels would hold more values than composition makes.
    TooMuchWorkError
        It would take too long.
    """
    region = _region(context, node, frozenset(layers))
    if not region.leaves:
        return []
    place = (centre(form.rows), centre(form.columns))
    blocks = _derivatives(context, region, node, _at_place(form, shape_of(node), place))
    exact = (only(form.rows, place[0]), only(form.columns, place[1]))
    found: list[Part] = []
    for leaf, (corner, values) in blocks.items():
        features = context.leaves[leaf]
        every = torch.arange(len(values))
        for part in features.parts:
            if part.source.layer not in layers:
                continue
            kernel = values[:, part.targets[:, 0]]
            stride = (
                _stride(part.source.rows, form.rows),
                _stride(part.source.columns, form.columns),
            )
            offset = (corner[0] - stride[0] * place[0], corner[1] - stride[1] * place[1])
            targets, sources, kernel = _one_to_one(every, part.sources[:, 0], kernel)
            found.append(
                Part(
                    part.source,
                    targets,
                    sources,
                    kernel,
                    exact,
                    stride,
                    offset,
                    residual=leaf in region.residual,
                    gated=leaf in region.gated,
                )
            )
    return found


def _stride(source: int, target: int) -> int:
    return max(1, round(source / target)) if target > 1 else 1


def _one_to_one(targets: Tensor, sources: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Group kernels (out, in, row, column): pairs where each unit has one partner."""
    joined = (kernel != 0).flatten(2).any(2)
    if int(joined.sum(0).max()) <= 1 and int(joined.sum(1).max()) <= 1 and len(targets) > 1:
        out, into = joined.nonzero(as_tuple=True)
        return targets[out][:, None], sources[into][:, None], kernel[out, into][:, None, None]
    return targets[None], sources[None], kernel[None]


def _region(context: RuleContext, node: Node, layers: frozenset[str]) -> _Region:
    """Find the operations that features of the layers pass through on their way to a node."""
    behind: dict[Node, bool] = {}
    order: list[Node] = []

    def reaches(read: Node) -> bool:
        return read in leaves or behind.get(read, False)

    leaves = {
        leaf
        for leaf, form in context.leaves.items()
        if leaf is not node and any(part.source.layer in layers for part in form.parts)
    }
    wanted = _upstream(context, node)
    ends = context.leaves.keys() | context.blocked
    for operation in context.network.operations():
        if operation not in wanted or (operation in ends and operation is not node):
            continue
        behind[operation] = any(reaches(read) for read in operation.all_input_nodes)
        if behind[operation]:
            order.append(operation)
        if operation is node:
            break
    gated, residual = set[Node](), set[Node]()
    for operation in reversed(order):
        joined = operation_name(operation) in ("add", "sub", "rsub")
        computed = [read for read in operation.all_input_nodes if read in context.network.dynamic]
        joined = joined and len(computed) > 1
        for read in operation.all_input_nodes:
            if operation in gated or operation in context.held:
                gated.add(read)
            if operation in residual or joined:
                residual.add(read)
    used = tuple(leaf for leaf in leaves if leaf in wanted)
    return _Region(tuple(order), used, frozenset(gated), frozenset(residual))


def _upstream(context: RuleContext, node: Node) -> set[Node]:
    """Return what a node reads along linear paths, up to the features, and itself."""
    found = {node}
    pending = [node]
    while pending:
        for read in pending.pop().all_input_nodes:
            if read in found or read not in context.network.dynamic:
                continue
            found.add(read)
            if read not in context.leaves and read not in context.blocked:
                pending.append(read)
    return found


def _at_place(form: LinearForm, shape: tuple[int, ...], place: tuple[int, int]) -> Tensor:
    """Return, for each unit, which element of the tensor it is at a position, flattened."""
    numbers = torch.arange(math.prod(shape)).view(shape)
    layout = form.layout or "nc"
    if layout == "nf":
        by_place = numbers.view(form.channels, form.rows, form.columns)
    else:
        by_place = numbers[0].movedim(layout.index("c") - 1, 0)
        by_place = by_place.reshape(form.channels, form.rows, form.columns)
    return by_place[:, place[0], place[1]]


def _derivatives(
    context: RuleContext, region: _Region, node: Node, elements: Tensor
) -> dict[Node, Block]:
    """Return the derivative of some elements of a node by each leaf, cut to where it is not 0.

    Each has a corner (row, column) and values, axes (element, channel, row, column).
    """
    examples = [context.network.example.new_zeros(shape_of(leaf)) for leaf in region.leaves]
    largest = max([math.prod(shape_of(leaf)) for leaf in region.leaves])
    work = 0
    for operation in region.operations:
        value = operation.meta["val"]
        for tensor in value if isinstance(value, tuple | list) else (value,):
            largest = max(largest, tensor.numel())
        work += _multiplications(operation)
    if work * len(elements) > MOST_MULTIPLICATIONS:
        raise TooMuchWorkError
    constants = _Constants(context)

    def run(*features: Tensor) -> Tensor:
        values: dict[Node, Any] = dict(zip(region.leaves, features, strict=True))

        def read(wanted: Node) -> Any:
            return values[wanted] if wanted in values else constants[wanted]

        for operation in region.operations:
            held = context.held.get(operation)
            if operation.target is torch.ops.aten.view.default:
                # What a view reads may lie in memory otherwise than when it was traced.
                values[operation] = read(operation.all_input_nodes[0]).reshape(shape_of(operation))
            elif held is None:
                values[operation] = context.network.value_of(operation, read)
            else:
                values[operation] = held(*(read(argument) for argument in held.reads))
        result: Tensor = values[node]
        return result.reshape(-1)

    # One unit first: it shows how large the kernels will be.
    step = max(1, _VALUES_AT_ONCE // largest)
    blocks: dict[Node, list[Block]] = {leaf: [] for leaf in region.leaves}
    pull = torch.func.vjp(run, *examples)[1]
    for start, end in _steps(len(elements), step):
        chosen = elements[start:end]
        seeds = torch.zeros(len(chosen), math.prod(shape_of(node)))
        seeds[torch.arange(len(chosen)), chosen] = 1
        for leaf, derivative in zip(region.leaves, torch.vmap(pull)(seeds), strict=True):
            by_place = _by_place(context.leaves[leaf], derivative)
            block = _cropped(by_place)
            blocks[leaf].append(block)
        linear_form.check_size(_largest_total(blocks.values(), len(elements)))
    joined = {leaf: _joined(found) for leaf, found in blocks.items()}
    return {leaf: block for leaf, block in joined.items() if block[1].numel()}


def _largest_total(found: Iterable[list[Block]], count: int) -> int:
    """Return how many values there will be for all units, by what the first ones have."""
    sizes = [max(int(values[0].numel()) for _, values in blocks) for blocks in found]
    return sum(sizes) * count


def _steps(count: int, step: int) -> Iterator[tuple[int, int]]:
    yield 0, 1
    for start in range(1, count, step):
        yield start, min(start + step, count)


def _multiplications(operation: Node) -> int:
    """Return how many multiplications an operation takes, about."""
    value = operation.meta["val"]
    first = value[0] if isinstance(value, tuple | list) else value
    size = int(math.prod(first.shape))
    name = operation_name(operation)
    if name in ("conv2d", "convolution", "conv_transpose2d", "linear") and isinstance(
        operation.args[1], Node
    ):
        return size * int(math.prod(shape_of(operation.args[1])[1:]))
    if name in ("mm", "matmul", "addmm") and isinstance(operation.args[-1], Node):
        return size * int(shape_of(operation.args[-1])[0])
    return size


def _by_place(features: LinearForm, derivative: Tensor) -> Tensor:
    """Bring a derivative (element, *tensor) into the order (element, channel, row, column)."""
    tensor = derivative[:, 0] if features.layout != "nf" else derivative
    if features.layout not in (None, "nf", "nc"):
        tensor = tensor.movedim(features.layout.index("c"), 1)
    return tensor.reshape(len(tensor), features.channels, features.rows, features.columns)


def _cropped(values: Tensor) -> Block:
    filled = (values != 0).any(0).any(0)
    rows, columns = filled.any(1).nonzero()[:, 0], filled.any(0).nonzero()[:, 0]
    if not len(rows):
        return (0, 0), values[:, :, :0, :0]
    top, left = int(rows[0]), int(columns[0])
    return (top, left), values[:, :, top : int(rows[-1]) + 1, left : int(columns[-1]) + 1].clone()


def _joined(blocks: list[Block]) -> Block:
    filled = [(corner, values) for corner, values in blocks if values.numel()]
    if not filled:
        return (0, 0), blocks[0][1]
    top, left = (min(corner[axis] for corner, _ in filled) for axis in (0, 1))
    bottom, right = (
        max(corner[axis] + values.shape[2 + axis] for corner, values in filled) for axis in (0, 1)
    )
    total = sum(len(values) for _, values in blocks)
    size = (total, blocks[0][1].shape[1], bottom - top, right - left)
    linear_form.check_size(math.prod(size))
    whole = torch.zeros(size)
    start = 0
    for (y, x), values in blocks:
        end = start + len(values)
        if values.numel():
            whole[
                start:end,
                :,
                y - top : y - top + values.shape[2],
                x - left : x - left + values.shape[3],
            ] = values
        start = end
    return (top, left), whole


class _Constants(Mapping[Node, Any]):
    """Values of nodes that do not depend on the features; zero for what is not linear in them."""

    def __init__(self, context: RuleContext) -> None:
        self._context = context
        self._known: dict[Node, Any] = dict(context.network.constants)

    def __getitem__(self, node: Node) -> Any:
        if node not in self._known:
            if node in self._context.network.dynamic:
                self._known[node] = _zeros(node.meta["val"])
            else:
                self._known[node] = self._context.network.value_of(node, self.__getitem__)
        return self._known[node]

    def __iter__(self) -> Iterator[Node]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _zeros(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_zeros(item) for item in value]
    return torch.zeros(tuple(value.shape), dtype=value.dtype)

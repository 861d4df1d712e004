"""Where layers of features stand in a traced network, and which axis of a tensor is what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition.rules.context import NONLINEARITIES, operation_name, shape_of
from circuitkb.loaders.composition.tracing import TracedNetwork


@dataclass(frozen=True)
class Site:
    """Where a layer of features stands in a traced network.

    Attributes
    ----------
    layer
        Name of the layer.
    after
        The node that puts its features out.
    before
        The node of its pre-activation; None for the input. Where a pooling makes the features,
        this is what it pools, on a finer grid; for the output it is the same node.
    layout
        Which axis of ``after`` is what, as in
        :class:`~circuitkb.loaders.composition.linear_form.LinearForm`:
        ``n`` batch, ``c`` channel, ``y`` row, ``x`` column, ``t`` a list of positions.
    rows, columns
        Size of the map, 1 and 1 where there is none. A list of positions that is no whole map (one
        with a class token) counts as so many rows of one column.
    """

    layer: str
    after: Node
    before: Node | None
    layout: str
    rows: int
    columns: int

    def units(self, value: Tensor, index: Sequence[int]) -> Tensor:
        """Return the features at one position of a node's value, axes (image, unit).

        ``index`` has one number for each axis of positions, as (row, column) of a map.
        """
        if "f" in self.layout and self.rows * self.columns > 1:
            value = value.reshape(len(value), -1, self.rows, self.columns)
            return value[:, :, index[0], index[1]]
        return value[_positions(self.layout, tuple(index))]

    @property
    def mapped(self) -> Node:
        """The node of the pre-activation where it has the places of the features; else theirs."""
        early = self.before
        return self.after if early is None or shape_of(early) != shape_of(self.after) else early

    def map_of(self, value: Tensor) -> Tensor:
        """Return the features of a node's value at all positions, axes (image, unit, position).

        Positions stand row by row.
        """
        if "f" in self.layout:
            return value.reshape(len(value), -1, self.rows * self.columns)
        order = sorted(range(value.ndim), key=lambda axis: "ncyxt".index(self.layout[axis]))
        moved = value.permute(order)
        return moved.flatten(2) if moved.ndim > 2 else moved.unsqueeze(-1)


@lru_cache(maxsize=4096)
def _positions(layout: str, index: tuple[int, ...]) -> tuple[int | slice, ...]:
    """Return what picks one position out of a tensor of a layout."""
    places = iter(index)
    return tuple(next(places) if axis in "yxt" else slice(None) for axis in layout)


_CHANNELS_SECOND = {
    "conv2d",
    "convolution",
    "conv_transpose2d",
    "conv1d",
    "max_pool2d",
    "avg_pool2d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "batch_norm",
    "group_norm",
    "instance_norm",
    "_native_batch_norm_legit_no_training",
    "upsample_nearest2d",
    "upsample_bilinear2d",
    "upsample_bicubic2d",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
}
"""Operations for which the second axis of what they read and give has the channels."""

_CHANNELS_LAST = {"linear", "addmm", "mm", "matmul", "layer_norm", "rms_norm"}
"""Operations for which the last axis has the channels, where what they do is constant."""

_VALUE_BY_VALUE = {
    *NONLINEARITIES,
    "add",
    "sub",
    "rsub",
    "mul",
    "div",
    "neg",
    "pow",
    "clone",
    "contiguous",
    "dropout",
    "alias",
    "softmax",
    "_softmax",
    "detach",
    "_to_copy",
}


def certain_layout(network: TracedNetwork, node: Node) -> str | None:
    """Return the layout of a tensor whose way from the features is not linear, where it is sure.

    It is where an operation that has channels at a certain axis made the tensor or reads it, with
    nothing in between but operations on single values.
    """
    shape = shape_of(node)
    if shape[0] != 1:
        return None
    seen = {node}
    pending = [node]
    while pending:
        place = pending.pop()
        near = [(place, place)] if place.op == "call_function" else []
        near += [(user, place) for user in place.users]
        for operation, tensor in near:
            layout = _layout_by(network, operation, tensor, len(shape))
            if layout is not None:
                return layout
            if operation_name(operation) not in _VALUE_BY_VALUE:
                continue
            for other in (operation, *operation.all_input_nodes):
                if other in network.dynamic and other not in seen and _has_shape(other, shape):
                    seen.add(other)
                    pending.append(other)
    return None


def _has_shape(node: Node, shape: tuple[int, ...]) -> bool:
    return isinstance(node.meta.get("val"), Tensor) and shape_of(node) == shape


def _layout_by(network: TracedNetwork, operation: Node, tensor: Node, axes: int) -> str | None:
    """Return what an operation says of a tensor that it gives, or that it reads."""
    name, reads = operation_name(operation), tensor is not operation
    if name in _CHANNELS_SECOND:
        return {4: "ncyx", 3: "nct", 2: "nc"}.get(axes)
    if name not in _CHANNELS_LAST:
        return None
    computed = [read for read in operation.all_input_nodes if read in network.dynamic]
    first = operation.args[1 if name == "addmm" else 0]
    if name in ("mm", "matmul", "addmm") and len(computed) != 1:
        return None  # a product of two computed tensors may be one of positions with positions
    if reads and first is not tensor:
        return None
    return {4: "nyxc", 3: "ntc", 2: "nc"}.get(axes)

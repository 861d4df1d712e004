"""Receptive fields: what each unit of a traced network sees of the image.

One walk over the operations finds, for each tensor, the theoretical field of every entry (which
runs on into padding, so that a map's fields form a grid) and the pixels that really reach it. It
is exact about positions and takes all channels of a tensor together. What it cannot follow is
unknown, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import Node
from torch.fx.node import map_arg
from torch.utils._pytree import tree_leaves

from circuitkb.loaders.composition.rules.context import NONLINEARITIES, operation_name
from circuitkb.loaders.composition.tracing import TracedNetwork
from circuitkb.loaders.receptive_fields import mixing, moves, windows
from circuitkb.loaders.receptive_fields.spans import (
    IrregularGridError,
    ReceptiveField,
    Span,
    empty_span,
    image_span,
)

__all__ = [
    "AxisField",
    "ReceptiveField",
    "along_axes",
    "centres",
    "ends",
    "pixels",
    "receptive_fields",
]

Rule = Callable[[Node, list[Any]], object]

_ELEMENTWISE = (
    "add",
    "sub",
    "rsub",
    "mul",
    "div",
    "neg",
    "pow",
    "square",
    "reciprocal",
    "minimum",
    "maximum",
    "addcmul",
    "addcdiv",
    "lerp",
    "where",
    "masked_fill",
    "sin",
    "cos",
    "log1p",
    "expm1",
    "sign",
    "floor",
    "round",
    "eq",
    "ne",
    "gt",
    "ge",
    "lt",
    "le",
    "logical_not",
    "logical_and",
    "clone",
    "contiguous",
    "alias",
    "dropout",
    "feature_dropout",
    "alpha_dropout",
    "_to_copy",
    "to",
    "detach",
    "lift_fresh_copy",
)

_FILLS = (
    "fill",
    "zero",
    "zeros_like",
    "ones_like",
    "full_like",
    "empty_like",
    "new_zeros",
    "new_ones",
    "new_full",
    "new_empty",
    "rand_like",
    "randn_like",
)
"""Operations that read of a tensor its shape and type, but no value."""

_REDUCTIONS = (
    "mean",
    "sum",
    "amax",
    "amin",
    "prod",
    "logsumexp",
    "var",
    "std",
    "var_mean",
    "linalg_vector_norm",
)

_NORMS = (
    "layer_norm",
    "native_layer_norm",
    "rms_norm",
    "_fused_rms_norm",
    "group_norm",
    "native_group_norm",
)

_RULES: dict[str, Rule] = {
    **dict.fromkeys((*NONLINEARITIES, *_ELEMENTWISE), mixing.elementwise),
    **dict.fromkeys(_REDUCTIONS, mixing.reduction),
    **dict.fromkeys(("softmax", "_softmax", "log_softmax", "_log_softmax"), mixing.softmax),
    **dict.fromkeys(_NORMS, mixing.norm),
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training"), mixing.batch_norm),
    **dict.fromkeys(("matmul", "mm", "bmm", "addmm", "baddbmm"), mixing.matrix_product),
    "linear": mixing.linear,
    "einsum": mixing.einsum,
    "scaled_dot_product_attention": mixing.attention,
    **dict.fromkeys(("conv2d", "convolution"), windows.convolution),
    **dict.fromkeys(("max_pool2d", "max_pool2d_with_indices", "avg_pool2d"), windows.pool),
    **dict.fromkeys(("adaptive_avg_pool2d", "adaptive_max_pool2d"), windows.adaptive_pool),
    **dict.fromkeys(("pad", "constant_pad_nd"), windows.padding),
    **dict.fromkeys(moves.REARRANGEMENTS, moves.rearrangement),
    **dict.fromkeys(("cat", "stack"), moves.joint),
    "index_select": moves.selection,
}


def receptive_fields(
    network: TracedNetwork, nodes: Collection[Node] | None = None
) -> dict[Node, ReceptiveField | None]:
    """Return what each tensor of a traced network sees; None where that is unknown.

    Parameters
    ----------
    network
        Traced at the size of the images that are meant: padding may depend on it.
    nodes
        Those to return; all if None. The fields of others are let go as soon as nothing needs them.

    Returns
    -------
    dict
        For each of the nodes that gives one tensor and depends on the image.

    Examples
    --------
    >>> from torch import nn
    >>> from circuitkb.loaders.composition.tracing import trace
    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.MaxPool2d(2)).eval()
    >>> traced = trace(network, torch.zeros(1, 1, 16, 16))
    >>> field = receptive_fields(traced)[traced.outputs[0]]
    >>> rows, columns = along_axes(field)
    >>> rows
    AxisField(stride=4.0, low=-1.0, high=3.0, whole=False)
    >>> rows.centre
    1.0
    """
    shape = tuple(network.example.shape)
    image = ReceptiveField(image_span(-2, shape), image_span(-1, shape), shape)
    values: dict[Node, object] = {network.input: image}
    found: dict[Node, ReceptiveField | None] = {}

    def read(node: Node) -> object:
        return values[node] if node in network.dynamic else _blind(node, image)

    for node in (network.input, *network.operations()):
        if node not in network.dynamic:
            continue
        if node is not network.input:
            values[node] = _apply(node, read, image)
        value = values[node]
        if (nodes is None or node in nodes) and isinstance(node.meta.get("val"), Tensor):
            found[node] = value if isinstance(value, ReceptiveField) else None
        for argument in node.all_input_nodes:
            if network.last_use[argument] is node:
                values.pop(argument, None)
    return found


def _apply(node: Node, read: Callable[[Node], object], image: ReceptiveField) -> object:
    args: list[Any] = list(cast(Any, map_arg(node.args, cast(Any, read))))
    if operation_name(node) == "getitem":
        return args[0][args[1]] if isinstance(args[0], list) else args[0]
    inputs: list[Any] = tree_leaves([read(argument) for argument in node.all_input_nodes])
    if any(value is None for value in inputs):
        return None
    if operation_name(node) in _FILLS or all(value.sees_nothing for value in inputs):
        return _blind(node, image)
    rule = _RULES.get(operation_name(node))
    try:
        return None if rule is None else rule(node, args)
    except IrregularGridError:
        return None


def _blind(node: Node, image: ReceptiveField) -> object:
    """Return the field of a tensor, or of several, that no pixel reaches."""
    value = node.meta["val"]

    def of(tensor: Tensor) -> ReceptiveField:
        rows, columns = (
            empty_span(tensor.ndim, span.pixels) for span in (image.rows, image.columns)
        )
        return ReceptiveField(rows, columns, tuple(tensor.shape))

    return [of(tensor) for tensor in value] if isinstance(value, tuple | list) else of(value)


@dataclass(frozen=True)
class AxisField:
    """The fields of a map along one axis of the image, in pixels.

    Position ``p`` of the map has the field from ``stride * p + low`` to ``stride * p + high``.

    Attributes
    ----------
    stride
        Pixels between neighbouring positions; NaN where they are not equally far apart, or where
        there is only one position and nothing tells.
    low, high
        First and last pixel that position 0 sees, as if padding were image: they may lie outside.
        NaN where nothing has a place of its own, as after a mean over the map.
    whole
        Whether the units see the whole image, also from beyond their fields: after global pooling,
        attention, squeeze-excite gates.
    """

    stride: float
    low: float
    high: float
    whole: bool

    @property
    def centre(self) -> float:
        """Pixel in the middle of position 0's field; half pixels come from even windows."""
        return (self.low + self.high) / 2

    @property
    def placed(self) -> bool:
        """Whether positions have places."""
        return not math.isnan(self.low)


def along_axes(field: ReceptiveField) -> tuple[AxisField, AxisField]:
    """Return the fields of a tensor's map along the image's rows, and along its columns.

    The tensor may have its positions along any axes, tokens too.
    """
    return _along(field.rows), _along(field.columns)


def _along(span: Span) -> AxisField:
    low, high = span.field[0].flatten(), -span.field[1].flatten()
    stretches = torch.stack([low, high], 1)[low.isfinite()]
    whole = bool((span.bounds[2] == -math.inf).any())
    if not len(stretches):
        return AxisField(math.nan, math.nan, math.nan, whole)
    stretches = torch.unique(stretches, dim=0)
    start, end = stretches[0].tolist()
    stride = span.step
    if len(stretches) > 1:
        steps = stretches.diff(dim=0)
        stride = float(steps[0, 0]) if bool((steps == steps[0, 0]).all()) else math.nan
    return AxisField(stride, start, end, whole)


def centres(field: ReceptiveField, layout: str) -> NDArray[np.float64]:
    """Return the centre of each position's field.

    Parameters
    ----------
    field
        Of a tensor.
    layout
        Its axes, as ``Site`` names them.

    Returns
    -------
    numpy.ndarray
        Pixels, axes (*positions, 2) for row and column; the positions are (row, column) for a
        map, (token,) for a list, none for a tensor without either. NaN where a position has no
        place of its own, as a class token.
    """
    low, high = ends(field, layout)
    placed = np.isfinite(low)
    middle = np.full(low.shape, np.nan)
    middle[placed] = (low[placed] + high[placed]) / 2
    return middle


def ends(field: ReceptiveField, layout: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the first and the last pixel of each position's field, which may lie outside.

    Returns
    -------
    tuple
        Two arrays, axes (*positions, 2) for row and column; not finite where a position has no
        place of its own.
    """
    return _bounds(field, layout, 0), -_bounds(field, layout, 1)


def pixels(field: ReceptiveField, layout: str) -> NDArray[np.int64]:
    """Return the first and last pixel that really reach each position, within the image.

    Returns
    -------
    numpy.ndarray
        Axes (*positions, 2, 2): row and column, first and last. The last lies before the first
        where nothing reaches a position.
    """
    first, last = _bounds(field, layout, 2), -_bounds(field, layout, 3)
    size = np.array([field.rows.pixels, field.columns.pixels])
    stretch = np.stack([np.clip(first, 0, size), np.clip(last, -1, size - 1)], -1)
    return stretch.astype(np.int64)


def longest_side(field: ReceptiveField) -> int | None:
    """Return the pixels along the longer side of the largest receptive field; None for the whole.

    Padding counts as image. A unit that sees more than its own field, as attention within windows
    does, has the side of what it sees.
    """
    longest = 0.0
    for span in (field.rows, field.columns):
        low, high, first, last = span.bounds[0], -span.bounds[1], span.bounds[2], -span.bounds[3]
        if bool((first == -math.inf).any()):
            return None
        longest = max(longest, *(float((b - a).max()) + 1 for a, b in ((low, high), (first, last))))
    return int(longest)


def _bounds(field: ReceptiveField, layout: str, number: int) -> NDArray[np.float64]:
    """Return one bound for each position, axes (*positions, 2); the least over channels."""
    others = [axis for axis, letter in enumerate(layout) if letter not in "yxt"]
    positions = [size for size, letter in zip(field.shape, layout, strict=True) if letter in "yxt"]
    found = [
        span.bounds[number].amin(others).expand(positions) for span in (field.rows, field.columns)
    ]
    return torch.stack(found, -1).numpy()

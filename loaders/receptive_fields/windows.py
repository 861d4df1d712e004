"""Receptive fields of windows that move over a map: convolutions, poolings, padding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition.rules.context import argument, operation_name, pair, shape_of
from circuitkb.loaders.receptive_fields.spans import ReceptiveField, each_axis, reduced, windows


def convolution(node: Node, args: list[Any]) -> ReceptiveField | None:
    """``conv2d`` and ``convolution``: all channels in a window, whatever the groups."""
    field, weight = args[0], args[1]
    if len(field.shape) != 4 or not weight.sees_nothing:
        return None
    if operation_name(node) == "convolution":
        stride, padding, dilation, transposed = args[3:7]
        if transposed:
            return None
    else:
        stride, padding, dilation = (argument(args, 3 + n, (1, 0, 1)[n]) for n in range(3))
    dilation, size = pair(dilation), weight.shape[2:]
    if padding == "same":
        padding = [d * (k - 1) // 2 for d, k in zip(dilation, size, strict=True)]
    before = pair(0 if padding == "valid" else padding)
    joined = each_axis(lambda spans: reduced(spans[0], [1]), field.shape, field)
    return _over_map(shape_of(node), joined, size, pair(stride), before, dilation)


def pool(node: Node, args: list[Any]) -> object:
    """Average and max pools; in ceiling mode the last window reaches outside, as into padding."""
    name = operation_name(node)
    if len(args[0].shape) != 4:
        return None
    size = pair(args[1])
    stride, before = pair(argument(args, 2) or size), pair(argument(args, 3, 0))
    dilation = pair(argument(args, 4, 1)) if name.startswith("max") else (1, 1)
    value = node.meta["val"]
    shape = tuple((value if isinstance(value, Tensor) else value[0]).shape)
    result = _over_map(shape, args[0], size, stride, before, dilation)
    return result if isinstance(value, Tensor) else [result, result]


def _over_map(
    shape: tuple[int, ...],
    field: ReceptiveField,
    size: tuple[int, int],
    stride: tuple[int, int],
    before: tuple[int, int],
    dilation: tuple[int, int],
) -> ReceptiveField:
    for axis in (0, 1):
        start = torch.arange(shape[axis - 2]) * stride[axis] - before[axis]
        index = start[:, None] + torch.arange(size[axis]) * dilation[axis]
        field = _along(field, axis - 2, index, stride[axis])
    return ReceptiveField(field.rows, field.columns, shape)


def _along(field: ReceptiveField, axis: int, index: Tensor, stride: int) -> ReceptiveField:
    """Move windows along one axis of the tensor.

    Where a map has one row, nothing shows which axis of the tensor the image's rows run along:
    they do along the last but one, and columns along the last.
    """
    single = field.shape[axis] == 1
    rows, columns = (
        windows(span, axis, index, stride=stride, single=single and axis == own)
        for own, span in ((-2, field.rows), (-1, field.columns))
    )
    return ReceptiveField(rows, columns, field.shape)


def adaptive_pool(node: Node, args: list[Any]) -> object:
    """To one position: a mean or an extreme of all; else windows that may differ in length."""
    field: ReceptiveField = args[0]
    value = node.meta["val"]
    shape = tuple((value if isinstance(value, Tensor) else value[0]).shape)
    for axis in (-2, -1):
        count, into = field.shape[axis], shape[axis]
        if into == count:
            continue
        begin = torch.arange(into) * count // into
        end = -(-(torch.arange(into) + 1) * count // into)
        index = begin[:, None] + torch.arange(int((end - begin).max()))
        index = torch.minimum(index, end[:, None] - 1)
        if into == 1:
            rows, columns = reduced(field.rows, [axis]), reduced(field.columns, [axis])
        else:
            rows, columns = (windows(span, axis, index) for span in (field.rows, field.columns))
        field = ReceptiveField(rows, columns, field.shape)
    result = ReceptiveField(field.rows, field.columns, shape)
    return result if isinstance(value, Tensor) else [result, result]


def padding(node: Node, args: list[Any]) -> ReceptiveField | None:
    """Padding with a constant, or cropping, of any axes."""
    field: ReceptiveField = args[0]
    widths = list(args[1])
    mode = argument(args, 2, "constant")
    if any(widths) and isinstance(mode, str) and mode != "constant":
        return None
    shape = shape_of(node)
    for place, before in enumerate(widths[::2]):
        axis = -1 - place
        if shape[axis] != field.shape[axis]:
            field = _along(field, axis, torch.arange(shape[axis])[:, None] - before, 1)
    return ReceptiveField(field.rows, field.columns, shape)

"""Rules for operations over positions: padding, poolings, means, resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition.exactness import everywhere
from circuitkb.loaders.composition.linear_form import LinearForm, Part, SourceLayer
from circuitkb.loaders.composition.rules.axis_maps import (
    AxisMap,
    adaptive,
    applied,
    axis_map,
    picking,
    pooling,
    whole,
)
from circuitkb.loaders.composition.rules.channels import convolved
from circuitkb.loaders.composition.rules.context import (
    RuleContext,
    argument,
    operation_name,
    pair,
    shape_of,
)


def _mapped(form: LinearForm, rows: AxisMap, columns: AxisMap, constant: Any) -> LinearForm:
    parts = [piece for part in form.parts for piece in applied(part, rows, columns, form.channels)]
    return replace(
        form,
        rows=len(rows.fits),
        columns=len(columns.fits),
        parts=tuple(parts),
        constant=constant,
    )


def _map_alone(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """A tensor over positions of what has no whole channels; its size is known, if it is a map."""
    shape = shape_of(node)
    form: LinearForm = args[0]
    like = LinearForm(shape[1], shape[2], shape[3], "ncyx") if len(shape) == 4 else None
    return context.untracked(node, [form], args, like if shape[0] == 1 else None)


def padding(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """Padding and cropping of rows and columns: with a constant, or with what the map holds."""
    form: LinearForm = args[0]
    widths = list(args[1])
    mode = argument(args, 2, "constant")
    mode = mode if isinstance(mode, str) else "constant"
    if not any(widths):
        return form
    widths += [0] * (4 - len(widths))
    if form.layout != "ncyx" or any(widths[4:]):
        return context.untracked(node, [form], args)
    left, right, top, bottom = widths[:4]
    return _mapped(
        form,
        _padded(form.rows, top, bottom, mode),
        _padded(form.columns, left, right, mode),
        context.constant(node, args),
    )


def _padded(length: int, before: int, after: int, mode: str) -> AxisMap:
    place = np.arange(-before, length + after)
    if mode == "constant":
        place = np.where((place < 0) | (place >= length), -1, place)
    elif mode == "replicate":
        place = np.clip(place, 0, length - 1)
    elif mode == "circular":
        place = place % length
    else:  # reflect
        place = np.abs(place)
        place = np.where(place >= length, 2 * (length - 1) - place, place)
    return picking(place.tolist(), length)


def average_pool(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """Means over windows; the divisor at the centre of the map, and where it is another."""
    form, size = args[0], pair(args[1])
    stride = pair(argument(args, 2) or size)
    around = pair(argument(args, 3, 0))
    padded, divisor = bool(argument(args, 5, True)), argument(args, 6)
    if form.layout != "ncyx":
        return _map_alone(context, node, args)
    shape = shape_of(node)
    rows, columns = (
        pooling(
            (form.rows, form.columns)[axis],
            size[axis],
            stride[axis],
            around[axis],
            shape[2 + axis],
            padded=padded,
            divided=not divisor,
        )
        for axis in (0, 1)
    )
    if divisor:
        rows = replace(rows, weights=tuple(w / divisor for w in rows.weights))
    return _mapped(form, rows, columns, context.constant(node, args))


def adaptive_average_pool(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """To the same size: nothing; to one position: the mean; else windows that may differ."""
    form: LinearForm = args[0]
    if form.layout != "ncyx":
        return _map_alone(context, node, args)
    size = shape_of(node)[2:]
    if size == (form.rows, form.columns):
        return form
    constant = context.constant(node, args)
    if size == (1, 1):
        return _over_axes(form, "yx", "ncyx", 1.0 / (form.rows * form.columns), constant)
    return _mapped(form, adaptive(form.rows, size[0]), adaptive(form.columns, size[1]), constant)


def mean(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``mean`` and ``sum`` over rows, columns, channels."""
    form, axes = args[0], argument(args, 1)
    shape = shape_of(node.all_input_nodes[0])
    axes = (
        list(range(len(shape))) if axes in (None, []) else [axes] if isinstance(axes, int) else axes
    )
    axes = sorted(axis % len(shape) for axis in axes)
    keep = bool(argument(args, 2))
    layout, constant = form.layout, context.constant(node, args)
    count = float(np.prod([shape[axis] for axis in axes]))
    weight = 1.0 if operation_name(node) == "sum" else 1.0 / count
    if layout is None or layout == "nf" or 0 in axes:
        return context.untracked(node, [form], args)
    gone = {layout[axis] for axis in axes}
    if "c" not in gone:
        left = "".join(axis for axis in layout if axis not in gone)
        left = left.replace("y", "t").replace("x", "t") if left not in ("nc", layout) else left
        return _over_axes(form, "".join(gone), layout if keep else left, weight, constant)
    if gone == {"c"}:
        kernel = torch.full((1, form.channels, 1, 1), weight)
        if keep:
            return convolved(context, node, form, kernel, constant=constant, layout=layout)
    return context.untracked(node, [form], args)


def _over_axes(
    form: LinearForm, axes: str, layout: str, weight: float, constant: Tensor | None
) -> LinearForm:
    """Sum over rows, columns or both; a mean of 1x1 kernels goes to the source, exactly."""
    over = {"rows": "y" in axes or "t" in axes, "columns": "x" in axes or "t" in axes}
    rows = whole(form.rows, weight) if over["rows"] else _same(form.rows)
    rest = 1.0 if over["rows"] else weight
    columns = whole(form.columns, rest) if over["columns"] else _same(form.columns)
    is_mean = all(over.values()) and abs(weight * form.rows * form.columns - 1) < 1e-12
    parts: list[Part] = []
    for part in form.parts:
        if is_mean and part.pointwise and part.exact_everywhere:
            pooled = (*part.source.pooling, "mean")
            parts.append(
                replace(
                    part,
                    source=SourceLayer(part.source.layer, 1, 1, pooled),
                    exact=(everywhere(1), everywhere(1)),
                )
            )
        else:
            parts += applied(part, rows, columns, form.channels)
    return replace(
        form,
        rows=len(rows.fits),
        columns=len(columns.fits),
        layout=layout,
        parts=tuple(parts),
        constant=constant,
    )


def _same(length: int) -> AxisMap:
    return AxisMap((1.0,), 0, 1, everywhere(length))


def max_pool(context: RuleContext, node: Node, args: list[Any]) -> object:
    """Features pass through, pooled; of anything else a max pool makes features of its own.

    The latter is said by giving back the node that it pools.
    """
    form = args[0]
    if form.index is not None and len(shape_of(node)) == 4:
        return node.all_input_nodes[0]
    if form.layout != "ncyx":
        return context.unknown(node, [form], "the channels of its input are not certain")
    if not form.passes_channels_on:
        return node.all_input_nodes[0]
    size = pair(args[1])
    stride = pair(argument(args, 2) or size)
    around = pair(argument(args, 3, 0))
    dilation = pair(argument(args, 4, 1))
    numbers = (*size, *stride, *around, *dilation)
    step = "max {}x{} stride {}x{} pad {}x{} dilation {}x{}".format(*numbers)
    if argument(args, 5):
        step += " ceil"
    shape = shape_of(node)
    parts = tuple(
        replace(
            part,
            source=SourceLayer(part.source.layer, shape[2], shape[3], (*part.source.pooling, step)),
            exact=(everywhere(shape[2]), everywhere(shape[3])),
        )
        for part in form.parts
    )
    result = replace(
        form, rows=shape[2], columns=shape[3], parts=parts, constant=torch.zeros(shape)
    )
    context.leaves[node] = replace(result, constant=None)
    return result


def resampling(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """Nearest, bilinear and bicubic resampling: along rows and along columns, each a matrix."""
    form = args[0]
    if form.layout != "ncyx":
        return _map_alone(context, node, args)
    shape = shape_of(node)
    rows = axis_map(_resampling_matrix(node, args, 0, form.rows, shape[2]))
    columns = axis_map(_resampling_matrix(node, args, 1, form.columns, shape[3]))
    return _mapped(form, rows, columns, context.constant(node, args))


def _resampling_matrix(
    node: Node, args: Sequence[Any], axis: int, length: int, count: int
) -> NDArray[np.float64]:
    """Run the operation on impulses along one axis of the map; the other keeps one position."""
    operation: Any = node.target
    impulses = torch.eye(length)[None]  # axes (1, impulse, position)
    given = [
        list(value) if isinstance(value, list | tuple) and len(value) == 2 else value
        for value in args[1:]
    ]
    names = [argument.name for argument in operation._schema.arguments][1:]
    for place, (name, value) in enumerate(zip(names, given, strict=False)):
        if name == "output_size" and value is not None:
            value[axis], value[1 - axis] = count, 1
        elif name == "scale_factors" and value is not None:
            value[1 - axis] = 1.0
        elif name in ("scales_h", "scales_w") and name[-1] == "wh"[axis]:
            given[place] = None
    resampled = operation(impulses.unsqueeze(3 - axis), *given, **node.kwargs)
    matrix: NDArray[np.float64] = resampled[0].reshape(length, count).T.double().numpy()
    return matrix

"""Rules for operations over positions: padding, poolings, means, and moving elements about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from .channel_rules import convolved
from .linear_form import LinearForm, Part, Source, convolve
from .rearrangement import element_numbers, rearranged
from .rule_context import RuleContext, argument, pair, shape_of


def padding(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """Padding of rows and columns with a constant."""
    form: LinearForm = args[0]
    widths = list(args[1])
    mode = argument(args, 2, "constant")
    mode = mode if isinstance(mode, str) else "constant"
    if not any(widths):
        return form
    if mode != "constant" or form.layout != "ncyx" or len(widths) > 4:
        return context.unknown(node, [form], f"{mode} padding")
    left, _, top, _ = (*widths, 0, 0, 0, 0)[:4]
    parts = tuple(
        replace(
            part,
            offset=(
                part.offset[0] - part.stride[0] * top,
                part.offset[1] - part.stride[1] * left,
            ),
        )
        for part in form.parts
    )
    rows, columns = shape_of(node)[2:]
    return replace(
        form, rows=rows, columns=columns, parts=parts, constant=context.constant(node, args)
    )


def average_pool(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """A convolution of each channel with a constant kernel; exact where it meets no border."""
    form, size = args[0], pair(args[1])
    stride = pair(argument(args, 2) or size)
    around = pair(argument(args, 3, 0))
    divisor = argument(args, 6) or size[0] * size[1]
    if form.layout != "ncyx":
        return context.unknown(node, [form], "its input has no whole channels")
    weight = torch.full((form.channels, 1, *size), 1.0 / divisor)
    return convolved(
        context,
        node,
        form,
        weight,
        groups=form.channels,
        stride=stride,
        padding=around,
        constant=context.constant(node, args),
    )


def adaptive_average_pool(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """To the same size: nothing; to one position: the mean; else windows of one size."""
    form: LinearForm = args[0]
    size = pair(args[1])
    if form.layout != "ncyx":
        return context.unknown(node, [form], "its input has no whole channels")
    if size == (form.rows, form.columns):
        return form
    constant = context.constant(node, args)
    if size == (1, 1):
        return _mean_over_map(form, "ncyx", constant)
    if form.rows % size[0] or form.columns % size[1]:
        return context.unknown(node, [form], "windows of unequal size")
    window = (form.rows // size[0], form.columns // size[1])
    weight = torch.full((form.channels, 1, *window), 1.0 / (window[0] * window[1]))
    return convolved(
        context, node, form, weight, groups=form.channels, stride=window, constant=constant
    )


def mean(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """The mean over the whole map."""
    form, axes = args[0], argument(args, 1)
    layout = form.layout
    if layout in (None, "nf") or not axes or form.index is not None:
        return context.unknown(node, [form])
    if {layout[axis] for axis in axes} != set(layout) - {"n", "c"}:
        return context.unknown(node, [form], "not over the whole map")
    keep = bool(argument(args, 2))
    return _mean_over_map(form, layout if keep else "nc", context.constant(node, args))


def _mean_over_map(form: LinearForm, layout: str, constant: Tensor | None) -> LinearForm:
    """Take the mean of a form: for 1x1 kernels the mean goes to the source, exactly."""
    parts: list[Part] = []
    weight = torch.full(
        (form.channels, 1, form.rows, form.columns), 1.0 / (form.rows * form.columns)
    )
    for part in form.parts:
        if part.pointwise:
            pooling = (*part.source.pooling, "mean")
            parts.append(replace(part, source=Source(part.source.layer, 1, 1, pooling)))
        else:
            parts += convolve(
                part,
                weight,
                groups=form.channels,
                stride=(1, 1),
                padding=(0, 0),
                dilation=(1, 1),
            )
    return replace(form, rows=1, columns=1, layout=layout, parts=tuple(parts), constant=constant)


def max_pool(context: RuleContext, node: Node, args: list[Any]) -> object:
    """Features pass through, pooled; of anything else a max pool makes features of its own.

    The latter is said by giving back the node that it pools.
    """
    form = args[0]
    if form.layout != "ncyx":
        return context.unknown(node, [form], "its input has no whole channels")
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
            source=Source(part.source.layer, shape[2], shape[3], (*part.source.pooling, step)),
        )
        for part in form.parts
    )
    return replace(form, rows=shape[2], columns=shape[3], parts=parts, constant=torch.zeros(shape))


def rearrangement(context: RuleContext, node: Node, args: list[Any]) -> object:
    """Views, permutations, slices, splits: the operation runs on element numbers itself."""
    form = args[0]
    if not isinstance(form, LinearForm) or len(node.all_input_nodes) > 1:
        return context.unknown(node, args)
    numbers = element_numbers(form)
    if numbers is None:
        return form
    if numbers.shape != shape_of(node.all_input_nodes[0]):
        return context.unknown(node, args)
    # Contiguous, because a copy that a later view relies on is skipped as an identity.
    operation: Any = node.target
    moved = operation(numbers.contiguous(), *args[1:], **node.kwargs)
    constant: Any = None
    if form.constant is not None:
        constant = operation(form.constant.contiguous(), *args[1:], **node.kwargs)
    if isinstance(moved, Tensor):
        return rearranged(form, moved, constant)
    constants = constant if constant is not None else [None] * len(moved)
    return [rearranged(form, m, c) for m, c in zip(moved, constants, strict=True)]

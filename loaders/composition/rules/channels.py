"""Rules for operations that mix channels by constant weights: convolutions and matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition import linear_form
from circuitkb.loaders.composition.kernel_algebra import convolve
from circuitkb.loaders.composition.linear_form import KernelTooLargeError, LinearForm, Part
from circuitkb.loaders.composition.rules.context import (
    RuleContext,
    argument,
    operation_name,
    pair,
    shape_of,
)


def convolution(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``conv2d`` and ``convolution``; weights must be constant."""
    form, weight = args[0], args[1]
    if not isinstance(form, LinearForm) or computed(args[1:]):
        return context.unknown(node, args, "its weights are computed")
    if weight.ndim != 4 or form.layout != "ncyx":
        return _without_kernels(context, node, args, form)
    if operation_name(node) == "convolution":
        stride, padding, dilation, transposed, _, groups = args[3:9]
        if transposed:
            return _transposed(context, node, args, form, weight, stride, padding, dilation, groups)
    else:
        stride, padding, dilation, groups = (
            argument(args, place, default) for place, default in ((3, 1), (4, 0), (5, 1), (6, 1))
        )
    if padding == "same":
        padding = [d * (k - 1) // 2 for d, k in zip(pair(dilation), weight.shape[2:], strict=True)]
    elif padding == "valid":
        padding = 0
    return convolved(
        context,
        node,
        form,
        weight,
        groups=groups,
        stride=pair(stride),
        padding=pair(padding),
        dilation=pair(dilation),
        constant=context.constant(node, args),
    )


def transposed_convolution(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``conv_transpose2d``: a convolution where its stride is 1."""
    form, weight = args[0], args[1]
    if not isinstance(form, LinearForm) or computed(args[1:]):
        return context.unknown(node, args, "its weights are computed")
    if weight.ndim != 4 or form.layout != "ncyx":
        return _without_kernels(context, node, args, form)
    stride, padding, groups, dilation = (
        argument(args, place, default) for place, default in ((3, 1), (4, 0), (6, 1), (7, 1))
    )
    return _transposed(context, node, args, form, weight, stride, padding, dilation, groups)


def _transposed(
    context: RuleContext,
    node: Node,
    args: list[Any],
    form: LinearForm,
    weight: Tensor,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> LinearForm:
    if pair(stride) != (1, 1):
        return _without_kernels(context, node, args, form)
    into, out, rows, columns = weight.shape
    turned = weight.view(groups, into // groups, out, rows, columns).transpose(1, 2).flip(3, 4)
    d, p = pair(dilation), pair(padding)
    return convolved(
        context,
        node,
        form,
        turned.reshape(groups * out, into // groups, rows, columns),
        groups=groups,
        padding=(d[0] * (rows - 1) - p[0], d[1] * (columns - 1) - p[1]),
        dilation=d,
        constant=context.constant(node, args),
    )


def _without_kernels(
    context: RuleContext, node: Node, args: list[Any], form: LinearForm
) -> LinearForm:
    """A convolution of what has no whole channels, or with gaps: its size alone is known."""
    shape = shape_of(node)
    if len(shape) != 4:
        return context.untracked(node, [form], args)
    like = LinearForm(shape[1], shape[2], shape[3], "ncyx")
    return context.untracked(node, [form], args, like)


def computed(args: Sequence[object]) -> bool:
    """Whether one of an operation's arguments depends on the image."""
    return any(isinstance(value, LinearForm) for value in args)


def convolved(
    context: RuleContext,
    node: Node,
    form: LinearForm,
    weight: Tensor,
    *,
    constant: Tensor | None,
    groups: int = 1,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    layout: str = "ncyx",
) -> LinearForm:
    """Compose every part with a convolution; a part that would grow too large goes to missing."""
    size = dict(zip(layout, shape_of(node), strict=True))
    rows, columns = size.get("y", 1), size.get("x", 1)
    if "t" in layout:
        rows, columns = (form.rows, form.columns) if form.placed else (size["t"], 1)
    parts: list[Part] = []
    missing = set(form.missing)
    for part in form.parts:
        try:
            parts += convolve(
                part,
                weight,
                size=(rows, columns),
                groups=groups,
                stride=stride,
                padding=padding,
                dilation=dilation,
            )
        except KernelTooLargeError:
            missing.add(
                f"{context.network.place(node)} (from some layers: kernels of more than "
                f"{linear_form.LARGEST_COMPOSED:,} values)"
            )
    return LinearForm(
        weight.shape[0],
        rows,
        columns,
        layout,
        tuple(parts),
        constant,
        frozenset(missing),
        untracked=form.untracked,
    )


def linear(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``linear(x, weight, bias)``."""
    return _matrix(context, node, args, args[0], args[1])


def addmm(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``addmm(bias, x, matrix)``."""
    scaled = any(node.kwargs.get(name, 1) != 1 for name in ("beta", "alpha"))
    if scaled or isinstance(args[0], LinearForm):
        return context.unknown(node, args, "with factors, or onto a computed tensor")
    return _matrix(context, node, args, args[1], args[2].T if _matrix_like(args[2]) else None)


def matrix_product(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``mm`` and ``matmul`` with a constant on the right."""
    return _matrix(context, node, args, args[0], args[1].T if _matrix_like(args[1]) else None)


def _matrix_like(value: object) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2


def _matrix(
    context: RuleContext, node: Node, args: list[Any], form: object, weight: object
) -> LinearForm:
    """A matrix (out, in) over the channel axis, or over a whole flattened map."""
    if sum(isinstance(value, LinearForm) for value in args) > 1:
        return context.unknown(node, args, "with weights that are computed")
    if not isinstance(form, LinearForm) or not isinstance(weight, Tensor) or weight.ndim != 2:
        return context.unknown(node, args, "not with a constant matrix on its right")
    constant = context.constant(node, args)
    if form.layout == "nf":
        kernel = weight.view(-1, form.channels, form.rows, form.columns)
        return convolved(context, node, form, kernel, constant=constant, layout="nc")
    if form.index is not None and form.index.ndim == 2 and form.index.shape[0] == 1:
        # The map was flattened in another order: each weight goes to the element that it meets.
        elements = math.prod((form.channels, form.rows, form.columns))
        linear_form.check_size(max(0, len(weight) * elements - weight.numel()))
        kernel = weight.new_zeros(len(weight), elements)
        kernel.index_add_(1, form.index[0], weight)
        kernel = kernel.view(-1, form.channels, form.rows, form.columns)
        return convolved(context, node, form, kernel, constant=constant, layout="nc")
    shape = shape_of(node)
    layout = form.layout or {4: "nyxc", 3: "ntc", 2: "nc"}.get(len(shape))
    if layout is None or shape[0] != 1:
        return context.untracked(node, [form], args)
    if not layout.endswith("c") or form.index is not None:
        # Over an axis that is no channel axis: what comes out has channels of its own there.
        layout = {4: "nyxc", 3: "ntc", 2: "nc"}[len(shape)]
        size = dict(zip(layout, shape, strict=True))
        like = LinearForm(size["c"], size.get("y", size.get("t", 1)), size.get("x", 1), layout)
        return context.untracked(node, [form], args, like)
    kernel = weight[:, :, None, None]
    return convolved(context, node, form, kernel, constant=constant, layout=layout)

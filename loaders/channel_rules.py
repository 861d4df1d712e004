"""Rules for operations that mix channels: convolutions, matrices, norms, sums and products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from .linear_form import LARGEST_COMPOSED, KernelTooLargeError, LinearForm, Part, convolve
from .rule_context import RuleContext, argument, operation_name, pair, per_channel, scaled, shape_of


def convolution(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``conv2d`` and ``convolution``; weights must be constant."""
    form, weight = args[0], args[1]
    if not _is(form, "ncyx"):
        return context.unknown(node, [form], "its input has no whole channels")
    if not isinstance(weight, Tensor) or weight.ndim != 4:
        return context.unknown(node, [form, weight], "its weights are computed")
    if operation_name(node) == "convolution":
        stride, padding, dilation, transposed, _, groups = args[3:9]
        if transposed:
            return context.unknown(node, [form], "transposed")
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
    parts: list[Part] = []
    missing = set(form.missing)
    for part in form.parts:
        try:
            parts += convolve(
                part, weight, groups=groups, stride=stride, padding=padding, dilation=dilation
            )
        except KernelTooLargeError:
            missing.add(
                f"{context.network.place(node)} (from some layers: kernels of more than "
                f"{LARGEST_COMPOSED:,} values)"
            )
    size = dict(zip(layout, shape_of(node), strict=True))
    rows, columns = size.get("y", 1), size.get("x", 1)
    if "t" in layout:
        rows, columns = (form.rows, form.columns) if form.layout else (size["t"], 1)
    return LinearForm(
        weight.shape[0], rows, columns, layout, tuple(parts), constant, frozenset(missing)
    )


def linear(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``linear(x, weight, bias)``."""
    return _matrix(context, node, args, args[0], args[1])


def addmm(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``addmm(bias, x, matrix)``."""
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
    if not isinstance(form, LinearForm) or not isinstance(weight, Tensor):
        return context.unknown(node, args, "both factors are computed")
    constant = context.constant(node, args)
    if form.layout == "nf":
        kernel = weight.view(-1, form.channels, form.rows, form.columns)
        return convolved(context, node, form, kernel, constant=constant, layout="nc")
    shape = shape_of(node)
    layout = form.layout or {4: "nyxc", 3: "ntc", 2: "nc"}.get(len(shape))
    one_image = shape[0] == 1 and form.index is None
    if layout is None or not layout.endswith("c") or not one_image:
        return context.unknown(node, [form], "its input has no whole channels")
    kernel = weight[:, :, None, None]
    return convolved(context, node, form, kernel, constant=constant, layout=layout)


def batch_norm(context: RuleContext, node: Node, args: list[Any]) -> object:
    """Batch norm with fixed statistics; the functional form gives several tensors."""
    form, weight, bias, mean, variance = args[:5]
    several = operation_name(node) != "batch_norm"
    eps = args[-1] if several else args[7]
    if not _is(form, "ncyx", "nc") or not isinstance(variance, Tensor) or form.layout is None:
        unknown = context.unknown(node, [form], "its statistics are computed")
        return [unknown] if several else unknown
    factor = (variance.double() + eps).rsqrt()
    if weight is not None:
        factor = factor * weight.double()
    constant = form.constant
    if constant is not None:
        constant = torch.nn.functional.batch_norm(
            constant, mean, variance, weight, bias, False, 0.0, eps
        )
    result = scaled(form, factor.float(), constant)
    return [result] if several else result


def addition(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``add`` and ``sub``: of a constant, or of two computed tensors (a residual stream)."""
    first, second = args[0], args[1]
    alpha = node.kwargs.get("alpha", 1)
    factor = float(alpha) if isinstance(alpha, int | float) else 1.0
    factor = -factor if operation_name(node) == "sub" else factor
    constant = context.constant(node, args)
    if isinstance(first, LinearForm) and isinstance(second, LinearForm):
        return _sum(context, node, first, second, factor, constant)
    form, weight = (first, 1.0) if isinstance(first, LinearForm) else (second, factor)
    if form.layout is not None and len(form.layout) != len(shape_of(node)):
        return context.unknown(node, [form], "broadcast")
    if form.constant is not None and form.constant.shape != shape_of(node):
        return context.unknown(node, [form], "broadcast")
    if weight == 1.0:
        return replace(form, constant=constant)
    return scaled(form, torch.full((form.channels,), weight), constant)


def _sum(
    context: RuleContext,
    node: Node,
    first: LinearForm,
    second: LinearForm,
    factor: float,
    constant: Tensor | None,
) -> LinearForm:
    if first is second:
        return scaled(first, torch.full((first.channels,), 1.0 + factor), constant)
    sizes = {
        (form.layout, form.channels, form.rows, form.columns)
        for form in (first, second)
        if form.layout is not None
    }
    moved = first.index is not None or second.index is not None
    if len(sizes) > 1 or moved:
        return context.unknown(node, [first, second], "its terms have different axes")
    if factor != 1.0 and second.layout is not None:
        second = scaled(second, torch.full((second.channels,), factor), None)
    sized = first if first.layout is not None else second
    return replace(
        sized,
        parts=tuple(replace(part, residual=True) for part in (*first.parts, *second.parts)),
        constant=constant,
        missing=first.missing | second.missing,
    )


def product(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``mul``, ``div`` and ``neg`` with a constant, or a gate held at its reference value."""
    name = operation_name(node)
    first, second = args[0], argument(args, 1, -1.0)
    if isinstance(first, LinearForm) and isinstance(second, LinearForm):
        return _gated(context, node, first, second)
    if not isinstance(first, LinearForm):
        if name == "div":
            return context.unknown(node, [second], "by a computed tensor")
        first, second = second, first
    if first.layout in (None, "nf") or first.index is not None:
        return context.unknown(node, [first], "its input has no whole channels")
    factor = per_channel(second, first, shape_of(node))
    if factor is None:
        return context.unknown(node, [first], "by values that change over the map")
    return scaled(first, 1.0 / factor if name == "div" else factor, context.constant(node, args))


def _gated(context: RuleContext, node: Node, first: LinearForm, second: LinearForm) -> LinearForm:
    gate = context.gates.get(node)
    form = second if gate is node.args[0] else first
    if gate is None or form.layout in (None, "nf") or form.index is not None:
        return context.unknown(node, [first, second], "of two computed tensors")
    value = context.references[gate]
    factor = per_channel(value, form, shape_of(node), centre=True)
    if factor is None:
        return context.unknown(node, [first, second], "of two computed tensors")
    constant = None if form.constant is None else form.constant * value
    return gated(scaled(form, factor, constant))


def gated(form: LinearForm) -> LinearForm:
    """Mark every part: from here on the map holds near the reference image only."""
    return replace(form, parts=tuple(replace(part, gated=True) for part in form.parts))


def layer_norm(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """Layer norm over channels, its denominator held at the centre of the reference image."""
    form = args[0]
    weight, bias, eps = argument(args, 2), argument(args, 3), argument(args, 4, 1e-5)
    over_channels = isinstance(form, LinearForm) and list(args[1]) == [form.channels]
    if not over_channels or form.layout is None or not form.layout.endswith("c"):
        return context.unknown(node, [form], "not over the channels")
    reference = context.references[node.all_input_nodes[0]].reshape(-1, form.channels)
    middle = form.rows // 2 * form.columns + form.columns // 2
    deviation = (reference[middle].double().var(correction=0) + eps).sqrt()
    factor = torch.ones(form.channels, dtype=torch.float64) / deviation
    if isinstance(weight, Tensor):
        factor = factor * weight.double()
    size = form.channels
    centring = torch.eye(size, dtype=torch.float64) - 1.0 / size
    matrix = (factor[:, None] * centring).float()
    constant = form.constant
    if constant is not None:
        constant = constant @ matrix.T
        if isinstance(bias, Tensor):
            constant = constant + bias
    return gated(
        convolved(
            context,
            node,
            form,
            matrix[:, :, None, None],
            constant=constant,
            layout=form.layout,
        )
    )


def concatenation(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``cat`` of computed tensors along their channels."""
    values, axis = list(args[0]), int(argument(args, 1, 0))
    forms = [value for value in values if isinstance(value, LinearForm)]
    layouts = {form.layout for form in forms if form.layout is not None}
    if len(layouts) != 1 or len(forms) != len(values):
        return context.unknown(node, values, "of tensors with different axes")
    layout = layouts.pop()
    if layout[axis % len(layout)] != "c" or any(form.index is not None for form in forms):
        return context.unknown(node, values, "along positions")
    operands = [operand for operand in node.args[0] if isinstance(operand, Node)]  # type: ignore[union-attr]
    parts: list[Part] = []
    start = 0
    for operand, form in zip(operands, forms, strict=True):
        channels = shape_of(operand)[axis]
        place = torch.arange(start, start + channels)
        parts += [moved for part in form.parts if (moved := part.select(place)) is not None]
        start += channels
    sized = next(form for form in forms if form.layout is not None)
    return LinearForm(
        start,
        sized.rows,
        sized.columns,
        layout,
        tuple(parts),
        context.constant(node, args),
        frozenset[str]().union(*(form.missing for form in forms)),
    )


def _is(form: object, *layouts: str) -> bool:
    """Whether it is a form with one of the layouts, or one without any edge and layout."""
    return (
        isinstance(form, LinearForm)
        and form.index is None
        and (form.layout in layouts or (form.layout is None and not form.parts))
    )

"""Rules for sums, products and quotients, of tensors of one shape or spread over each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition.kernel_algebra import merge
from circuitkb.loaders.composition.linear_form import LinearForm
from circuitkb.loaders.composition.rules.context import (
    Held,
    RuleContext,
    argument,
    by_element,
    operation_name,
    scaled,
    shape_of,
)
from circuitkb.loaders.composition.rules.norms import gated
from circuitkb.loaders.composition.rules.rearrangement import element_numbers, rearranged

_MOST_ALIKE = 4
"""Parts of a source that stay apart in a sum: small ones are worth more than one large one."""


def addition(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``add``, ``sub`` and ``rsub``: of a constant, or of two computed tensors."""
    first, second = args[0], args[1]
    alpha = node.kwargs.get("alpha", argument(args, 2, 1))
    factor = float(alpha) if isinstance(alpha, int | float) else 1.0
    weights = {"add": (1.0, factor), "sub": (1.0, -factor), "rsub": (-factor, 1.0)}
    one, other = weights[operation_name(node)]
    constant = context.constant(node, args)
    terms = [
        _weighted(_spread(value, shape_of(node)), weight)
        for value, weight in ((first, one), (second, other))
        if isinstance(value, LinearForm)
    ]
    if len(terms) == 1:
        return replace(terms[0], constant=constant)
    if first is second:
        return scaled(terms[0], torch.full((terms[0].channels,), (one + other) / one), constant)
    return _sum(context, node, args, terms[0], terms[1], constant)


def _spread(form: LinearForm, shape: tuple[int, ...]) -> LinearForm:
    """Repeat a tensor along the axes where another one of a sum or product is longer."""
    numbers = element_numbers(form)
    if numbers is None or numbers.shape == shape:
        return form
    return rearranged(form, numbers.expand(shape), None)


def _weighted(form: LinearForm, weight: float) -> LinearForm:
    return form if weight == 1.0 else scaled(form, torch.full((form.channels,), weight), None)


def _sum(
    context: RuleContext,
    node: Node,
    args: list[Any],
    first: LinearForm,
    second: LinearForm,
    constant: Tensor | None,
) -> LinearForm:
    if not second.placed or (not second.sources and _places(first) == _places(second)):
        second = second.like(first)
    elif not first.placed or (not first.sources and _places(first) == _places(second)):
        first = first.like(second)
    if not _alike(first, second):
        like = first if first.fits(shape_of(node)) and first.layout else second
        return context.untracked(
            node, [first, second], args, like if like.fits(shape_of(node)) else None
        )
    # A term of unknown axes has no parts, and what no part holds is found by a backward pass.
    parts = tuple(replace(part, residual=True) for part in (*first.parts, *second.parts))
    if len(parts) > _MOST_ALIKE * len({(p.source, p.gated, p.stride) for p in parts}):
        parts = merge(parts)  # a stream of linear branches would double its parts at each sum
    return replace(
        first,
        parts=parts,
        constant=constant,
        missing=first.missing | second.missing,
        untracked=first.untracked | second.untracked,
    )


def _places(form: LinearForm) -> tuple[object, ...]:
    return form.layout, form.channels, form.rows * form.columns, form.index is None


def _alike(one: LinearForm, other: LinearForm) -> bool:
    sizes = [(f.layout, f.channels, f.rows, f.columns) for f in (one, other)]
    if sizes[0] != sizes[1] or (one.index is None) != (other.index is None):
        return False
    return one.index is None or other.index is None or torch.equal(one.index, other.index)


def product(context: RuleContext, node: Node, args: list[Any]) -> LinearForm:
    """``mul``, ``div`` and ``neg`` with a constant, or with a tensor held at its reference."""
    name = operation_name(node)
    first, second = args[0], argument(args, 1, -1.0)
    if node.kwargs.get("rounding_mode") is not None:
        return context.unknown(node, args, "rounded")
    if isinstance(first, LinearForm) and isinstance(second, LinearForm):
        gate = context.gates.get(node)
        if first is second or node not in context.gates:
            return context.unknown(node, [first, second], "of a tensor with itself")
        if gate is None:
            return _of_both(context, node, args, first, second)
        return _gated(context, node, args, second if gate is node.args[0] else first, gate)
    if not isinstance(first, LinearForm):
        if name == "div":
            return context.unknown(node, [second], "by a computed tensor")
        first, second = second, first
    return _by_constant(context, node, args, first, second, context.constant(node, args))


def _by_constant(
    context: RuleContext,
    node: Node,
    args: list[Any],
    form: LinearForm,
    value: Any,
    constant: Tensor | None,
) -> LinearForm:
    divided = operation_name(node) == "div"
    spread = _spread(form, shape_of(node))
    if not isinstance(value, Tensor) or value.numel() == 1:
        number = float(value)
        number = 1.0 / number if divided else number
        return scaled(spread, torch.full((spread.channels,), number), constant)
    factor = 1.0 / value.float() if divided else value.float()
    result = by_element(spread, factor, constant)
    if result is None or not spread.fits(shape_of(node)):
        return context.untracked(node, [form], args)
    return result


def _gated(
    context: RuleContext, node: Node, args: list[Any], form: LinearForm, gate: Node
) -> LinearForm:
    """A product with its gate held at the reference: the gate's own inputs have no edges here."""
    value = context.references[gate]
    constant = None if form.constant is None else form.constant * value
    other = next(operand for operand in node.all_input_nodes if operand is not gate)
    context.held[node] = Held((other,), lambda kept: kept * value)
    return _times(context, node, args, form, value, constant)


def _of_both(
    context: RuleContext, node: Node, args: list[Any], first: LinearForm, second: LinearForm
) -> LinearForm:
    """A product or quotient of two branches: each is held at the other's reference value.

    Near the reference ``a * b`` is ``a * b0 + a0 * b - a0 * b0``.
    """
    operands = tuple(value for value in node.args[:2] if isinstance(value, Node))
    a, b = (context.references[operand].double() for operand in operands)
    if operation_name(node) == "div":
        by_first, by_second = 1.0 / b, -a / b.square()
    else:
        by_first, by_second = b, a
    rest = (a / b if operation_name(node) == "div" else a * b) - a * by_first - b * by_second
    context.also_held.add("each factor of a product of two branches is held at the other's value")
    slopes = (by_first.float(), by_second.float())
    context.held[node] = Held(operands, lambda left, right: left * slopes[0] + right * slopes[1])
    constant: Tensor | None = None
    if first.constant is not None and second.constant is not None:
        constant = (
            first.constant.double() * by_first + second.constant.double() * by_second + rest
        ).float()
    terms = [
        _times(context, node, args, form, slope, None)
        for form, slope in ((first, slopes[0]), (second, slopes[1]))
    ]
    total = _sum(context, node, args, terms[0], terms[1], constant)
    return replace(total, constant=constant)  # and not what the operation makes of constants


def _times(
    context: RuleContext,
    node: Node,
    args: list[Any],
    form: LinearForm,
    value: Tensor,
    constant: Tensor | None,
) -> LinearForm:
    """A form times a tensor that is held at its reference value."""
    spread = _spread(form, shape_of(node))
    result = by_element(spread, value, constant)
    if result is None or not spread.fits(shape_of(node)):
        return replace(context.untracked(node, [form], args), constant=constant)
    return gated(result)

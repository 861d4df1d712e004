"""Receptive fields of what mixes positions or tensors: sums, means, norms, matrices, attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition.rules.context import argument, operation_name, shape_of
from circuitkb.loaders.receptive_fields.spans import (
    ReceptiveField,
    Span,
    each_axis,
    mixed,
    reduced,
    union,
)


def elementwise(node: Node, args: list[Any]) -> ReceptiveField:
    """Any function of values at the same place, broadcast: the union of their fields."""
    items = [*args, *node.kwargs.values()]
    fields = [item for item in items if isinstance(item, ReceptiveField)]
    shape = shape_of(node)
    return each_axis(lambda spans: union(spans, len(shape)), shape, *fields)


def reduction(node: Node, args: list[Any]) -> object:
    """Means, sums and extremes over axes, which keep length 1 or go."""
    field: ReceptiveField = args[0]
    given = argument(args, 2 if operation_name(node) == "linalg_vector_norm" else 1)
    given = [given] if isinstance(given, int) else given
    axes = [axis % len(field.shape) for axis in given or range(len(field.shape))]
    value = node.meta["val"]
    first = value if isinstance(value, Tensor) else value[0]

    def over(spans: list[Span]) -> Span:
        result = reduced(spans[0], axes)
        if first.ndim == len(field.shape):
            return result
        return replace(result, bounds=result.bounds.squeeze([1 + axis for axis in axes]))

    result = each_axis(over, tuple(first.shape), field)
    return result if isinstance(value, Tensor) else [result] * len(value)


def _mixed_over(field: ReceptiveField, axes: Sequence[int]) -> ReceptiveField:
    return each_axis(lambda spans: mixed(spans[0], [reduced(spans[0], axes)]), field.shape, field)


def softmax(node: Node, args: list[Any]) -> ReceptiveField:
    """An entry keeps its place, and sees what all entries along the axis see."""
    return _mixed_over(args[0], [args[1]])


def norm(node: Node, args: list[Any]) -> object:
    """Layer, group and instance norms: an entry keeps its place, and sees what its norm sees."""
    name = operation_name(node)
    field: ReceptiveField = args[0]
    count = len(field.shape)
    if "layer_norm" in name or "rms_norm" in name:
        first = count - len(args[1])
    else:
        first = 1 if "group_norm" in name else 2
    result = _mixed_over(field, range(first, count))
    value = node.meta["val"]
    return result if isinstance(value, Tensor) else [result] + [None] * (len(value) - 1)


def batch_norm(node: Node, args: list[Any]) -> object:
    """With fixed statistics it acts on each value alone."""
    if operation_name(node) != "batch_norm":
        return [args[0], None, None]
    return norm(node, args) if args[5] else args[0]


def linear(node: Node, args: list[Any]) -> ReceptiveField | None:
    """A constant matrix over the last axis."""
    field, weight = args[0], args[1]
    if not weight.sees_nothing:
        return None
    return each_axis(lambda spans: reduced(spans[0], [-1]), shape_of(node), field)


def matrix_product(node: Node, args: list[Any]) -> ReceptiveField | None:
    """``matmul``, ``mm``, ``bmm``; ``addmm`` and ``baddbmm`` add their first argument."""
    added = operation_name(node) in ("addmm", "baddbmm")
    first, second = args[1:3] if added else args[:2]
    sizes = (len(first.shape), len(second.shape))
    if min(sizes) < 2:
        return None
    batch = "".join(chr(ord("A") + number) for number in range(max(sizes) - 2))
    one = batch[len(batch) - (sizes[0] - 2) :] + "ij"
    two = batch[len(batch) - (sizes[1] - 2) :] + "jk"
    result = _contraction(shape_of(node), first, second, one, two, batch + "ik")
    return elementwise(node, [result, args[0]]) if added else result


def einsum(node: Node, args: list[Any]) -> ReceptiveField | None:
    """Products of two tensors, as an equation with an arrow says."""
    left, arrow, out = str(args[0]).replace(" ", "").partition("->")
    terms, operands = left.split(","), args[1]
    repeated = any(len(set(term)) < len(term) for term in terms)
    if not arrow or "." in left or repeated or len(terms) != 2 or len(operands) != 2:
        return None
    first, second = operands
    return _contraction(shape_of(node), first, second, terms[0], terms[1], out)


def _contraction(
    shape: tuple[int, ...],
    first: ReceptiveField,
    second: ReceptiveField,
    one: str,
    two: str,
    out: str,
) -> ReceptiveField:
    """Sum products over the labels that ``out`` has not.

    The result sees what both see. Its place is that of the narrower field: where attention
    weighs values, that of the query.
    """

    def join(spans: list[Span]) -> Span:
        left, right = (
            _relabelled(span, own, out) for span, own in zip(spans, (one, two), strict=True)
        )
        return mixed(left, [right]) if _width(left) <= _width(right) else mixed(right, [left])

    return each_axis(join, shape, first, second)


def _relabelled(span: Span, own: str, out: str) -> Span:
    """Reduce over the labels that ``out`` has not, and bring the others into its order."""
    gone = [place for place, label in enumerate(own) if label not in out]
    result = reduced(span, gone)
    kept = [label for label in own if label in out]
    order = [kept.index(label) for label in out if label in kept]
    bounds = result.bounds.squeeze([1 + place for place in gone])
    bounds = bounds.permute(0, *(1 + place for place in order))
    for place, label in enumerate(out):
        if label not in kept:
            bounds = bounds.unsqueeze(1 + place)
    return replace(result, bounds=bounds)


def _width(span: Span) -> float:
    """Return the mean length of the fields, endless where an entry has none."""
    return float((-span.field[1] - span.field[0]).mean()) if span.has_place else math.inf


def attention(node: Node, args: list[Any]) -> ReceptiveField:
    """``scaled_dot_product_attention``: a token keeps its place and sees what all tokens see."""
    query, key, value = args[:3]
    axes = [(key, -2), (value, -2)]
    mask = argument(args, 3)
    if isinstance(mask, ReceptiveField):
        axes.append((mask, -1))
    others = [
        each_axis(lambda spans, axis=axis: reduced(spans[0], [axis]), field.shape, field)  # type: ignore[misc]
        for field, axis in axes
    ]
    return each_axis(lambda spans: mixed(spans[0], spans[1:]), shape_of(node), query, *others)

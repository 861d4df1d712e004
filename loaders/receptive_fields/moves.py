"""Receptive fields of what moves entries about: views, permutations, slices, joints.

The operation itself runs on the bounds of the fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition.rules.context import argument, operation_name, shape_of
from circuitkb.loaders.receptive_fields.spans import (
    ReceptiveField,
    Span,
    each_axis,
    rearranged,
    union,
)

_PERMUTATIONS = ("permute", "transpose", "unsqueeze", "t", "movedim", "swapaxes", "numpy_T")
_VIEWS = ("view", "reshape", "_unsafe_view", "flatten", "unflatten")

REARRANGEMENTS = (
    *_PERMUTATIONS,
    *_VIEWS,
    "slice",
    "select",
    "narrow",
    "split",
    "split_with_sizes",
    "chunk",
    "unbind",
    "squeeze",
    "expand",
    "repeat",
    "roll",
    "flip",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
    "unfold",
)
"""Operations on one tensor whose entries come out as they went in, elsewhere or several times."""


def rearrangement(node: Node, args: list[Any]) -> object:
    """Any operation on one tensor that moves, picks or repeats its entries."""
    field: ReceptiveField = args[0]
    if any(isinstance(item, ReceptiveField) for item in args[1:]):
        return None
    name = operation_name(node)
    operation: Any = node.target
    value = node.meta["val"]

    def move(bound: Tensor) -> list[Tensor]:
        if name in _VIEWS:
            return [_viewed(bound, field.shape, tuple(value.shape))]
        full = bound if name in _PERMUTATIONS else bound.expand(field.shape)
        moved = operation(full, *args[1:], **node.kwargs)
        return [moved] if isinstance(moved, Tensor) else list(moved)

    parts = zip(rearranged(field.rows, move), rearranged(field.columns, move), strict=True)
    if isinstance(value, Tensor):
        ((rows, columns),) = parts
        return ReceptiveField(rows, columns, tuple(value.shape))
    return [
        ReceptiveField(rows, columns, tuple(part.shape))
        for (rows, columns), part in zip(parts, value, strict=True)
    ]


def _viewed(bound: Tensor, old: Sequence[int], new: Sequence[int]) -> Tensor:
    """View a tensor of shape ``old`` as ``new``, where axes on which nothing depends have 1.

    Runs of axes that hold equally many entries before and after stay short, if they were.
    """
    before: list[int] = []
    after: list[int] = []
    for olds, news in _runs(old, new):
        short = all(bound.shape[axis] == 1 for axis in olds)
        before += [1 if short else old[axis] for axis in olds]
        after += [1 if short else new[axis] for axis in news]
    return bound.expand(before).reshape(after)


def _runs(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Divide the axes of two shapes into the shortest runs with equal numbers of entries."""
    runs: list[tuple[list[int], list[int]]] = []
    first = second = 0
    while first < len(old) or second < len(new):
        olds: list[int] = []
        news: list[int] = []
        left = right = 1
        while not (olds or news) or left != right:
            if first < len(old) and (left <= right or second == len(new)):
                left *= old[first]
                olds.append(first)
                first += 1
            else:
                right *= new[second]
                news.append(second)
                second += 1
        runs.append((olds, news))
    return runs


def joint(node: Node, args: list[Any]) -> ReceptiveField:
    """``cat`` and ``stack``: one after the other along positions; along channels the union."""
    fields = [field for field in args[0] if 0 not in field.shape]
    shape = shape_of(node)
    axis = int(argument(args, 1, 0)) % len(shape)
    stacked = operation_name(node) == "stack"

    def join(spans: list[Span]) -> Span:
        bounds = [span.bounds.unsqueeze(1 + axis) if stacked else span.bounds for span in spans]
        spans = [Span(b, span.pixels, span.step) for b, span in zip(bounds, spans, strict=True)]
        if stacked or all(b.shape[1 + axis] == 1 for b in bounds):
            return union(spans, len(shape))
        common = list(np.broadcast_shapes(*(b.select(1 + axis, 0).shape for b in bounds)))
        full = [
            b.expand(*common[: 1 + axis], field.shape[axis], *common[1 + axis :])
            for b, field in zip(bounds, fields, strict=True)
        ]
        return Span(torch.cat(full, 1 + axis), spans[0].pixels)

    return each_axis(join, shape, *fields)


def selection(node: Node, args: list[Any]) -> ReceptiveField | None:
    """``index_select`` of an axis on which nothing depends, as of channels."""
    field: ReceptiveField = args[0]
    axis = 1 + int(args[1]) % len(field.shape)
    if any(span.bounds.shape[axis] > 1 for span in (field.rows, field.columns)):
        return None
    return ReceptiveField(field.rows, field.columns, shape_of(node))

"""Stretches of the image: what each entry of a tensor sees, along one axis of the image.

An entry has two stretches. Its **field** is the theoretical one, [low, high]: it runs on outside of
the image as if padding were image, so that the fields of a grid are equally long and equally far
apart, and it is the entry's own place: what reaches the entry from all positions alike (attention,
gates, norms) does not count. **Seen** are the pixels that really reach the entry by any way,
[first, last]: nothing of the padding, and the whole image where all positions are mixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

NOTHING = math.inf
"""Each bound of an empty stretch."""


class IrregularGridError(Exception):
    """A field would have to run on outside of a grid without one stride; caught in this room."""


@dataclass(frozen=True, eq=False)
class Span:
    """The stretches of all entries of a tensor, along the rows or the columns of the image.

    Attributes
    ----------
    bounds
        Axes (4, *axes of the tensor): low, -high, first, -last, so that the least of several
        bounds is always their union. An axis has length 1 where nothing depends on it.
    pixels
        Length of the image along this axis.
    step
        Pixels between neighbouring positions, where the map has only one and so cannot tell; NaN
        if unknown.
    """

    bounds: Tensor
    pixels: int
    step: float = math.nan

    @property
    def field(self) -> Tensor:
        """Bounds of the field: low, -high."""
        return self.bounds[:2]

    @property
    def depends(self) -> bool:
        """Whether the field differs from position to position."""
        return self.field[0].numel() > 1 and not _alike(self.field)

    @property
    def sees_nothing(self) -> bool:
        """Whether no pixel reaches the tensor."""
        return bool((self.bounds[2:] == NOTHING).all())

    @property
    def has_place(self) -> bool:
        """Whether some entry has a place of its own."""
        return bool((self.field != NOTHING).any())

    def within(self, axes: int) -> Span:
        """Return the span with so many axes, new ones in front, as broadcasting adds them."""
        missing = axes - (self.bounds.ndim - 1)
        return replace(self, bounds=self.bounds[(slice(None), *[None] * missing)])


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """What each entry of a tensor of ``shape`` sees of the image's rows and columns."""

    rows: Span
    columns: Span
    shape: tuple[int, ...]

    @property
    def sees_nothing(self) -> bool:
        """Whether no pixel reaches the tensor."""
        return self.rows.sees_nothing and self.columns.sees_nothing


def each_axis(
    function: Callable[[list[Span]], Span], shape: Sequence[int], *fields: ReceptiveField
) -> ReceptiveField:
    """Apply a function of spans to the rows of some fields, and to their columns."""
    return ReceptiveField(
        function([field.rows for field in fields]),
        function([field.columns for field in fields]),
        tuple(shape),
    )


def image_span(axis: int, shape: Sequence[int]) -> Span:
    """Return the span of the image itself: each pixel sees itself."""
    axis %= len(shape)
    number = torch.arange(shape[axis], dtype=torch.float64)
    number = number.view([-1 if place == axis else 1 for place in range(len(shape))])
    return Span(torch.stack([number, -number, number, -number]), shape[axis], 1.0)


def empty_span(axes: int, pixels: int) -> Span:
    """Return the span of a tensor that no pixel reaches."""
    return Span(torch.full((4, *[1] * axes), NOTHING, dtype=torch.float64), pixels)


def _alike(values: Tensor) -> bool:
    flat = values.flatten(1)
    return bool((flat == flat[:, :1]).all())


def _collapsed(bounds: Tensor) -> Tensor:
    """Give length 1 to each axis on which nothing depends; the last ones first, as channels are."""
    for axis in reversed(range(1, bounds.ndim)):
        first = bounds.narrow(axis, 0, 1)
        if bounds.shape[axis] == 1 or not torch.equal(bounds.narrow(axis, 1, 1), first):
            continue
        if bool((bounds == first).all()):
            bounds = first
    return bounds.contiguous()


def union(spans: Sequence[Span], axes: int) -> Span:
    """Return the smallest stretches that hold those of all spans, which are broadcast."""
    spans = [span.within(axes) for span in spans]
    bounds = spans[0].bounds
    for span in spans[1:]:
        bounds = torch.minimum(bounds, span.bounds)
    steps = {span.step for span in spans if span.has_place}
    step = steps.pop() if len(steps) == 1 else math.nan
    return Span(_collapsed(bounds), spans[0].pixels, step)


def reduced(span: Span, axes: Sequence[int]) -> Span:
    """Return the union over axes of the tensor, which keep length 1.

    A union over all positions has no place any more and sees the whole image.
    """
    along = sorted({1 + axis % (span.bounds.ndim - 1) for axis in axes})
    if not along or all(span.bounds.shape[axis] == 1 for axis in along):
        return span
    result = replace(span, bounds=_collapsed(span.bounds.amin(along, keepdim=True)))
    if not span.depends or result.depends:
        return result
    if not _covers(span):
        return replace(result, step=math.nan)
    bounds = torch.full_like(result.bounds[:, :1], NOTHING).expand_as(result.bounds).clone()
    bounds[2:] = -math.inf
    return Span(_collapsed(bounds), span.pixels)


def _covers(span: Span) -> bool:
    """Whether the positions reach over the image from end to end, up to one stride."""
    low, high = span.field[0], -span.field[1]
    starts = torch.unique(low[low.isfinite()])
    gap = float(starts.diff().max()) if len(starts) > 1 else 1.0
    return float(starts[0]) < gap and float(high[high.isfinite()].max()) >= span.pixels - gap


def mixed(own: Span, others: Sequence[Span]) -> Span:
    """Return ``own`` with its field, but seeing also what the other spans see."""
    axes = max(span.bounds.ndim for span in (own, *others)) - 1
    seen = union([own, *others], axes).bounds[2:]
    field = own.within(axes).field
    shape = np.broadcast_shapes(field.shape[1:], seen.shape[1:])
    bounds = torch.cat([field.expand(2, *shape), seen.expand(2, *shape)])
    return replace(own, bounds=_collapsed(bounds))


def windows(
    span: Span, axis: int, index: Tensor, *, stride: float = math.nan, single: bool = False
) -> Span:
    """Return the spans of windows over the positions of one axis.

    Parameters
    ----------
    axis
        Of the tensor.
    index
        Axes (window, entry): which positions each window reads; those outside are padding.
    stride
        Positions between neighbouring windows.
    single
        The tensor has one position along ``axis``, and this span's axis of the image runs there.

    Raises
    ------
    IrregularGridError
        A window reaches outside of a grid whose positions have no one stride.
    """
    along = 1 + axis % (span.bounds.ndim - 1)
    count = span.bounds.shape[along]
    if count == 1 and not (single and span.has_place and not span.depends):
        return span
    slope = span.step if count == 1 else _slope(span.field, along)
    inside = index.clamp(0, count - 1)
    excess = index - inside
    if bool(excess.any()) and math.isnan(slope):
        raise IrregularGridError
    sizes = span.bounds.shape
    taken = span.bounds.index_select(along, inside.flatten())
    taken = taken.reshape(*sizes[:along], *index.shape, *sizes[along + 1 :])
    if bool(excess.any()):
        excess = excess.view(*[1] * (along - 1), *index.shape, *[1] * (taken.ndim - along - 2))
        taken[0] += slope * excess
        taken[1] -= slope * excess
        taken[2:] = taken[2:].masked_fill(excess != 0, NOTHING)
    return replace(span, bounds=_collapsed(taken.amin(along + 1)), step=slope * stride)


def _slope(field: Tensor, along: int) -> float:
    """Return the pixels between neighbouring positions along an axis; NaN if they differ."""
    size = field.shape[along]
    ahead, behind = field.narrow(along, 1, size - 1), field.narrow(along, 0, size - 1)
    if bool((ahead == behind).all()):
        return 0.0
    steps = ahead - behind
    slope = float(steps[0].flatten()[0])
    regular = bool((steps[0] == slope).all() and (steps[1] == -slope).all())
    return slope if regular else math.nan


def rearranged(span: Span, move: Callable[[Tensor], list[Tensor]]) -> list[Span]:
    """Return the spans of tensors whose entries were moved about, by moving the bounds alike."""
    moved = zip(*(move(bound) for bound in span.bounds), strict=True)
    results = []
    for bounds in moved:
        result = replace(span, bounds=_collapsed(torch.stack(bounds)))
        lost = span.depends and not result.depends
        results.append(replace(result, step=math.nan) if lost else result)
    return results

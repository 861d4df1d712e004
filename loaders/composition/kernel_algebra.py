"""Arithmetic on kernels: a part behind a convolution, and parts added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from circuitkb.loaders.composition import linear_form
from circuitkb.loaders.composition.exactness import Axis, behind_window, both
from circuitkb.loaders.composition.linear_form import (
    KernelTooLargeError,
    Pair,
    Part,
    SourceLayer,
    check_size,
)


def convolve(
    part: Part,
    weight: Tensor,
    *,
    size: Pair,
    groups: int = 1,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
) -> list[Part]:
    """Compose a part with a convolution that reads its tensor.

    ``weight`` has axes (out, in / groups, row, column); ``padding`` counts zeros before the first
    row and column; ``size`` is that of the resulting map.
    """
    exact = (
        _behind(part, 0, weight, size, stride, padding, dilation),
        _behind(part, 1, weight, size, stride, padding, dilation),
    )
    if part.stride[0] == 0:  # all taps read the same place
        weight = weight.sum(-2, keepdim=True)
    if part.stride[1] == 0:
        weight = weight.sum(-1, keepdim=True)
    if groups == 1:
        chosen = weight[:, part.targets]
        parts = [_dense(part, chosen, stride, padding, dilation)]
    else:
        parts = [
            _grouped(piece, weight, groups, stride, padding, dilation)
            for piece in _even_pieces(part, weight.shape[1])
        ]
    return [replace(part, exact=exact) for part in parts]


def _behind(
    part: Part, axis: int, weight: Tensor, size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Axis:
    taps = weight.shape[axis - 2]
    if (taps, stride[axis], padding[axis]) == (1, 1, 0) and len(part.exact[axis]) == size[axis]:
        return part.exact[axis]
    return behind_window(
        part.exact[axis],
        source=(part.source.rows, part.source.columns)[axis],
        stride=part.stride[axis],
        offset=part.offset[axis],
        size=part.kernel.shape[axis - 2],
        taps=taps,
        spread=dilation[axis],
        step=stride[axis],
        first=-padding[axis],
        length=size[axis],
    )


def _placed(part: Part, stride: Pair, padding: Pair) -> tuple[Pair, Pair]:
    steps = (part.stride[0] * stride[0], part.stride[1] * stride[1])
    origin = (
        part.offset[0] - part.stride[0] * padding[0],
        part.offset[1] - part.stride[1] * padding[1],
    )
    return steps, origin


def _expand(rule: str, weight: Tensor, kernel: Tensor, spread: Pair) -> Tensor:
    """Contract ``weight`` (..., row, column) with ``kernel`` (..., row, column), convolving both.

    ``spread`` is the distance between neighbouring taps of the weight on the kernel's grid. The
    loop runs over the taps of one operand, never over channels.
    """
    (high, wide), (rows, columns) = weight.shape[-2:], kernel.shape[-2:]
    down, across = spread
    shape = (down * (high - 1) + rows, across * (wide - 1) + columns)
    left, result = rule.split("->")
    first, second = left.split(",")
    out: Tensor | None = None
    if rows * columns < high * wide:
        pairs = [
            (weight, kernel[..., y, x], (slice(y, shape[0], down), slice(x, shape[1], across)))
            for y in range(rows)
            for x in range(columns)
        ]
        equation = f"{first}yx,{second}->{result}yx"
        extent = (high, wide)
    else:
        pairs = [
            (weight[..., y, x], kernel, (slice(y * down, None), slice(x * across, None)))
            for y in range(high)
            for x in range(wide)
        ]
        equation = f"{first},{second}yx->{result}yx"
        extent = (rows, columns)
    for one, other, (vertical, horizontal) in pairs:
        product = torch.einsum(equation, one, other)
        if product.shape[-2:] == shape and len(pairs) == 1:
            return product
        if out is None:
            out = product.new_zeros(*product.shape[:-2], *shape)
        out[..., vertical, horizontal][..., : extent[0], : extent[1]] += product
    if out is None:
        raise KernelTooLargeError
    return out


def _spread(part: Part, dilation: Pair) -> Pair:
    return (max(part.stride[0], 1) * dilation[0], max(part.stride[1], 1) * dilation[1])


def _dense(part: Part, weight: Tensor, stride: Pair, padding: Pair, dilation: Pair) -> Part:
    """Compose with an ungrouped convolution; ``weight`` is (out, group, mid, row, column)."""
    out, groups = weight.shape[:2]
    into = part.sources.shape[1]
    spread = _spread(part, dilation)
    flat = part.sources.reshape(-1)
    unique, place = torch.unique(flat, return_inverse=True)
    rows = spread[0] * (weight.shape[3] - 1) + part.kernel.shape[3]
    columns = spread[1] * (weight.shape[4] - 1) + part.kernel.shape[4]
    if part.kernel.shape[1] > 1 or not part.pointwise:
        check_size(out * len(unique) * rows * columns)
    shared = groups > 1 and bool((part.sources == part.sources[:1]).all())
    if shared and into > 0:
        kernel = _expand("ugo,goi->ui", weight, part.kernel, spread)
        sources = part.sources[0]
    else:
        kernel = _expand("ugo,goi->ugi", weight, part.kernel, spread)
        kernel = kernel.reshape(out, groups * into, *kernel.shape[-2:])
        sources = flat
        if len(unique) < len(flat):
            kernel = kernel.new_zeros(out, len(unique), *kernel.shape[2:]).index_add_(
                1, place, kernel
            )
            sources = unique
    steps, origin = _placed(part, stride, padding)
    return replace(
        part,
        targets=torch.arange(out)[None],
        sources=sources[None],
        kernel=kernel[None],
        stride=steps,
        offset=origin,
    )


def _even_pieces(part: Part, per_group: int) -> Iterable[Part]:
    """Split a part so that a piece has equally many channels in each convolution group it fills.

    Pieces have either one channel a group (diagonal and its like) or one group.
    """
    shared_sources = per_group > 1 and len(torch.unique(part.sources)) < part.sources.numel()
    if part.targets.shape[0] > 1 and (part.targets.shape[1] > 1 or shared_sources):
        part = part.single_group()
    single = part.targets.shape[0] == 1
    channel = part.targets.reshape(-1)
    order = torch.argsort(channel)
    _, index, count = torch.unique(
        channel[order] // per_group, return_inverse=True, return_counts=True
    )
    for size in torch.unique(count).tolist():
        pick = order[count[index] == size]
        if single:
            yield replace(part, targets=part.targets[:, pick], kernel=part.kernel[:, pick])
        else:
            yield replace(
                part,
                targets=part.targets[pick],
                sources=part.sources[pick],
                kernel=part.kernel[pick],
            )


def _grouped(
    part: Part, weight: Tensor, groups: int, stride: Pair, padding: Pair, dilation: Pair
) -> Part:
    out, per_group = weight.shape[0] // groups, weight.shape[1]
    channel = part.targets.reshape(-1)
    group = channel // per_group
    used = torch.unique(group)
    size = len(channel) // len(used)
    into = part.sources.shape[1]
    targets = used[:, None] * out + torch.arange(out)
    chosen = weight[targets[:, :, None], (channel % per_group).view(len(used), 1, size)]
    spread = _spread(part, dilation)
    taps = (spread[0] * (weight.shape[2] - 1) + part.kernel.shape[3]) * (
        spread[1] * (weight.shape[3] - 1) + part.kernel.shape[4]
    )
    if part.targets.shape[0] == 1:
        # All channels read the same sources: sum over the channels of each group.
        check_size(len(used) * out * into * taps)
        mid = part.kernel[0].reshape(len(used), size, into, *part.kernel.shape[3:])
        kernel = _expand("guo,goi->gui", chosen, mid, spread)
        sources = part.sources.expand(len(used), into)
    else:
        # Each channel has sources of its own: keep them side by side.
        mid = part.kernel[:, 0].reshape(len(used), size, into, *part.kernel.shape[3:])
        kernel = _expand("guo,goi->guoi", chosen, mid, spread)
        kernel = kernel.reshape(len(used), out, size * into, *kernel.shape[-2:])
        sources = part.sources.reshape(len(used), size * into)
    steps, origin = _placed(part, stride, padding)
    return replace(
        part, targets=targets, sources=sources, kernel=kernel, stride=steps, offset=origin
    )


def merge(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Add up parts that join the same channels of the same source on the same grid.

    Gated parts stay apart from exact ones, pooled sources from unpooled ones, and so do two parts
    whose sum would be too large and larger than both.
    """
    bins: dict[tuple[SourceLayer, bool, Pair], list[Part]] = {}
    for part in parts:
        bins.setdefault((part.source, part.gated, part.stride), []).append(part)
    merged: list[Part] = []
    for same in bins.values():
        total: list[Part] = []
        for part in same:
            for place, other in enumerate(total):
                both = _sum(other, part) if _overlap(part, other) else None
                if both is not None:
                    total[place] = both
                    break
            else:
                total.append(part)
        merged += total
    return tuple(merged)


def _overlap(one: Part, other: Part) -> bool:
    return bool(
        torch.isin(one.targets, other.targets).any()
        and torch.isin(one.sources, other.sources).any()
    )


def _sum(one: Part, other: Part) -> Part | None:
    low = tuple(min(a, b) for a, b in zip(one.offset, other.offset, strict=True))
    high = tuple(
        max(a + n, b + m)
        for a, n, b, m in zip(
            one.offset, one.kernel.shape[3:], other.offset, other.kernel.shape[3:], strict=True
        )
    )

    def padded(part: Part) -> Part:
        before = [start - first for start, first in zip(part.offset, low, strict=True)]
        after = [
            last - start - size
            for last, start, size in zip(high, part.offset, part.kernel.shape[3:], strict=True)
        ]
        kernel = torch.nn.functional.pad(part.kernel, (before[1], after[1], before[0], after[0]))
        return replace(part, kernel=kernel, offset=(low[0], low[1]))

    exact = (both(one.exact[0], other.exact[0]), both(one.exact[1], other.exact[1]))
    one, other = replace(padded(one), exact=exact), replace(padded(other), exact=exact)
    residual = one.residual or other.residual
    if torch.equal(one.targets, other.targets) and torch.equal(one.sources, other.sources):
        return replace(one, kernel=one.kernel + other.kernel, residual=residual)
    targets = torch.unique(torch.cat([one.targets.reshape(-1), other.targets.reshape(-1)]))
    sources = torch.unique(torch.cat([one.sources.reshape(-1), other.sources.reshape(-1)]))
    values = len(targets) * len(sources) * one.kernel.shape[3] * one.kernel.shape[4]
    if values > max(linear_form.LARGEST_COMPOSED, one.kernel.numel(), other.kernel.numel()):
        return None

    def spread(part: Part) -> Part:
        return part.over(
            targets,
            sources,
            torch.searchsorted(targets, part.targets.contiguous()),
            torch.searchsorted(sources, part.sources.contiguous()),
        )

    first = spread(one)
    return replace(first, kernel=first.kernel + spread(other).kernel, residual=residual)

"""The algebra of composition: tensors as linear maps of features.

A tensor between two nonlinearities is a sum of :class:`Part`, one for each layer of features that
reaches it, plus a constant. Convolving, scaling, selecting and adding tensors becomes arithmetic
on the kernels of the parts, over all units of a layer at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

LARGEST_COMPOSED = 2**24
"""Values in the largest kernel array that composition makes (64 MiB); the network's own weight
tensors may be larger."""

Pair = tuple[int, int]


class KernelTooLargeError(Exception):
    """A composed kernel would take more memory than is allowed; caught inside this room."""


@dataclass(frozen=True)
class Source:
    """A layer of features, as it is or after poolings that keep channels apart."""

    layer: str
    rows: int
    columns: int
    pooling: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Part:
    """What one source gives to a tensor: kernels in groups, as in ``schema.kernels.Connection``.

    ``targets`` (group, out) and ``sources`` (group, in) are channel indices, int64; ``kernel`` has
    axes (group, out, in, row, column).
    """

    source: Source
    targets: Tensor
    sources: Tensor
    kernel: Tensor
    stride: Pair = (1, 1)
    offset: Pair = (0, 0)
    residual: bool = False
    gated: bool = False

    @property
    def diagonal(self) -> bool:
        """Whether each group joins one channel to one channel."""
        return self.targets.shape[1] == 1 and self.sources.shape[1] == 1

    @property
    def pointwise(self) -> bool:
        """Whether it reads one position, at the target's own place."""
        return (
            tuple(self.kernel.shape[3:]) == (1, 1)
            and self.stride == (1, 1)
            and self.offset == (0, 0)
        )

    @property
    def identity(self) -> bool:
        """Whether it passes channels on as they are."""
        return (
            self.diagonal
            and self.pointwise
            and not (self.residual or self.gated)
            and bool((self.kernel == 1).all())
        )

    def scaled(self, factor: Tensor) -> Part:
        """Multiply each target channel by its entry of ``factor`` (channels,)."""
        return replace(self, kernel=self.kernel * factor[self.targets][..., None, None, None])

    def select(self, place: Tensor) -> Part | None:
        """Move target channel ``c`` to ``place[c]``, dropping it where that is negative."""
        moved = place[self.targets]
        if bool((moved >= 0).all()):
            return replace(self, targets=moved)
        if self.targets.shape[1] == 1:
            groups = moved[:, 0] >= 0
            if not bool(groups.any()):
                return None
            return replace(
                self,
                targets=moved[groups],
                sources=self.sources[groups],
                kernel=self.kernel[groups],
            )
        if self.targets.shape[0] == 1:
            out = moved[0] >= 0
            if not bool(out.any()):
                return None
            return replace(self, targets=moved[:, out], kernel=self.kernel[:, out])
        return self.single_group().select(place)

    def single_group(self) -> Part:
        """Return the same map as one dense group over the channels that occur."""
        if self.targets.shape[0] == 1:
            return self
        targets, to = torch.unique(self.targets, return_inverse=True)
        sources, into = torch.unique(self.sources, return_inverse=True)
        rows, columns = self.kernel.shape[3:]
        _check_size(len(targets) * len(sources) * rows * columns)
        return self.over(targets, sources, to, into)

    def over(self, targets: Tensor, sources: Tensor, to: Tensor, into: Tensor) -> Part:
        """Return the map as one dense group over given channels; ``to``, ``into`` place its own."""
        rows, columns = self.kernel.shape[3:]
        dense = self.kernel.new_zeros(len(targets), len(sources), rows, columns)
        dense.index_put_((to[:, :, None], into[:, None, :]), self.kernel, accumulate=True)
        return replace(self, targets=targets[None], sources=sources[None], kernel=dense[None])


@dataclass(frozen=True, eq=False)
class LinearForm:
    """A tensor as a sum of parts and a constant.

    Attributes
    ----------
    channels, rows, columns
        Size of the tensor without its batch axis.
    layout
        Which axis is what: ``n`` batch, ``c`` channel, ``y`` row, ``x`` column, ``t`` rows and
        columns in one, ``f`` channels, rows and columns in one. None where no axis is a channel.
    constant
        Value of the tensor when all features are zero, in the tensor's own shape; None if unknown.
    missing
        What reaches the tensor and has no linear map, one phrase each.
    index
        For a tensor whose elements were moved about: which element (channel, row, column flattened
        in that order) each one is.
    """

    channels: int
    rows: int
    columns: int
    layout: str | None
    parts: tuple[Part, ...] = ()
    constant: Tensor | None = None
    missing: frozenset[str] = field(default_factory=frozenset)
    index: Tensor | None = None

    @property
    def passes_channels_on(self) -> bool:
        """Whether every channel is one feature, unchanged, at its own place."""
        if self.missing or self.constant is None or bool(self.constant.any()):
            return False
        if not self.parts or not all(part.identity for part in self.parts):
            return False
        covered = torch.cat([part.targets[:, 0] for part in self.parts])
        return len(covered) == self.channels and len(torch.unique(covered)) == self.channels


def features(source: Source, channels: int, layout: str, shape: Sequence[int]) -> LinearForm:
    """Return the form of a layer of features itself; ``shape`` is the tensor's."""
    every = torch.arange(channels)[:, None]
    part = Part(source, every, every, torch.ones(channels, 1, 1, 1, 1))
    return LinearForm(
        channels, source.rows, source.columns, layout, (part,), torch.zeros(tuple(shape))
    )


def _check_size(values: int) -> None:
    if values > LARGEST_COMPOSED:
        raise KernelTooLargeError


def convolve(
    part: Part, weight: Tensor, *, groups: int, stride: Pair, padding: Pair, dilation: Pair
) -> list[Part]:
    """Compose a part with a convolution that reads its tensor.

    ``weight`` has axes (out, in / groups, row, column); ``padding`` counts zeros before the first
    row and column. The border of the result is exact where the padded tensor itself is zero
    outside, which holds for features.
    """
    if groups == 1:
        chosen = weight[:, part.targets]
        parts = [_dense(part, chosen, stride, padding, dilation)]
    else:
        parts = [
            _grouped(piece, weight, groups, stride, padding, dilation)
            for piece in _even_pieces(part, weight.shape[1])
        ]
    return parts


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


def _dense(part: Part, weight: Tensor, stride: Pair, padding: Pair, dilation: Pair) -> Part:
    """Compose with an ungrouped convolution; ``weight`` is (out, group, mid, row, column)."""
    out, groups = weight.shape[:2]
    into = part.sources.shape[1]
    spread = (part.stride[0] * dilation[0], part.stride[1] * dilation[1])
    flat = part.sources.reshape(-1)
    unique, place = torch.unique(flat, return_inverse=True)
    rows = spread[0] * (weight.shape[3] - 1) + part.kernel.shape[3]
    columns = spread[1] * (weight.shape[4] - 1) + part.kernel.shape[4]
    if part.kernel.shape[1] > 1 or not part.pointwise:
        _check_size(out * len(unique) * rows * columns)
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
    spread = (part.stride[0] * dilation[0], part.stride[1] * dilation[1])
    taps = (spread[0] * (weight.shape[2] - 1) + part.kernel.shape[3]) * (
        spread[1] * (weight.shape[3] - 1) + part.kernel.shape[4]
    )
    if part.targets.shape[0] == 1:
        # All channels read the same sources: sum over the channels of each group.
        _check_size(len(used) * out * into * taps)
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
    bins: dict[tuple[Source, bool, Pair], list[Part]] = {}
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

    one, other = padded(one), padded(other)
    residual = one.residual or other.residual
    if torch.equal(one.targets, other.targets) and torch.equal(one.sources, other.sources):
        return replace(one, kernel=one.kernel + other.kernel, residual=residual)
    targets = torch.unique(torch.cat([one.targets.reshape(-1), other.targets.reshape(-1)]))
    sources = torch.unique(torch.cat([one.sources.reshape(-1), other.sources.reshape(-1)]))
    values = len(targets) * len(sources) * one.kernel.shape[3] * one.kernel.shape[4]
    if values > max(LARGEST_COMPOSED, one.kernel.numel(), other.kernel.numel()):
        return None

    def spread(part: Part) -> Part:
        return part.over(
            targets,
            sources,
            torch.searchsorted(targets, part.targets),
            torch.searchsorted(sources, part.sources),
        )

    first = spread(one)
    return replace(first, kernel=first.kernel + spread(other).kernel, residual=residual)

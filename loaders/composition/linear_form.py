"""The algebra of composition: tensors as linear maps of features.

A tensor between two nonlinearities is a sum of :class:`Part`, one for each layer of features that
reaches it, plus a constant. Convolving, scaling, selecting and adding tensors becomes arithmetic
on the kernels of the parts, over all units of a layer at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from circuitkb.loaders.composition.exactness import Axis, both, everywhere

LARGEST_COMPOSED = 2**24
"""Values in the largest kernel array that composition makes (64 MiB); the network's own weight
tensors may be larger."""

_MOST_ROUNDS = 8
"""Copies of a channel for which a part is repeated; for more its kernel becomes one dense group."""

Pair = tuple[int, int]


class KernelTooLargeError(Exception):
    """A composed kernel would take more memory than is allowed; caught inside this room."""


def check_size(values: int) -> None:
    """Raise :class:`KernelTooLargeError` where a kernel would hold too many values."""
    if values > LARGEST_COMPOSED:
        raise KernelTooLargeError


@dataclass(frozen=True)
class SourceLayer:
    """A layer of features, as it is or after poolings that keep channels apart."""

    layer: str
    rows: int
    columns: int
    pooling: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Part:
    """What one source gives to a tensor: kernels in groups, as in ``schema.kernels.Connection``.

    ``targets`` (group, out) and ``sources`` (group, in) are channel indices, int64; ``kernel`` has
    axes (group, out, in, row, column). ``exact`` says at which rows and which columns of the
    tensor's map the kernel is exact; its lengths are the size of that map. A stride of 0 reads
    the same place everywhere.
    """

    source: SourceLayer
    targets: Tensor
    sources: Tensor
    kernel: Tensor
    exact: tuple[Axis, Axis]
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
        """Whether it reads one position, at the target's own place, on a map of the same size."""
        return (
            tuple(self.kernel.shape[3:]) == (1, 1)
            and self.stride == (1, 1)
            and self.offset == (0, 0)
            and (len(self.exact[0]), len(self.exact[1])) == (self.source.rows, self.source.columns)
        )

    @property
    def exact_everywhere(self) -> bool:
        """Whether the kernel is exact at all positions of the map."""
        return all(self.exact[0]) and all(self.exact[1])

    @property
    def identity(self) -> bool:
        """Whether it passes channels on as they are."""
        return (
            self.diagonal
            and self.pointwise
            and not (self.residual or self.gated)
            and self.exact_everywhere
            and bool((self.kernel == 1).all())
        )

    def scaled(self, factor: Tensor) -> Part:
        """Multiply each target channel by its entry of ``factor`` (channels,)."""
        return replace(self, kernel=self.kernel * factor[self.targets][..., None, None, None])

    def narrowed(self, rows: Axis, columns: Axis) -> Part:
        """Return the part, exact at no other rows and columns than these."""
        return replace(self, exact=(both(self.exact[0], rows), both(self.exact[1], columns)))

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

    def take(self, gather: Tensor) -> list[Part]:
        """Return parts in which target channel ``c`` is what ``gather[c]`` was.

        A channel may be taken several times; a negative entry takes none.
        """
        (wanted,) = torch.nonzero(gather >= 0, as_tuple=True)
        if not len(wanted):
            return []
        if self.targets.shape[1] == 1 and len(torch.unique(self.targets)) == len(self.targets):
            group = torch.full((int(max(self.targets.max(), gather.max())) + 1,), -1)
            group[self.targets[:, 0]] = torch.arange(len(self.targets))
            wanted = wanted[group[gather[wanted]] >= 0]
            chosen = group[gather[wanted]]
            check_size(len(chosen) * self.kernel[0].numel())
            if not len(chosen):
                return []
            sources, kernel = self.sources[chosen], self.kernel[chosen]
            return [replace(self, targets=wanted[:, None], sources=sources, kernel=kernel)]
        ordered, order = torch.sort(gather[wanted], stable=True)
        repeat = torch.arange(len(order)) - torch.searchsorted(ordered, ordered)
        channels = int(max(self.targets.max(), ordered[-1])) + 1
        rounds = int(repeat.max()) + 1
        if rounds <= _MOST_ROUNDS and (rounds == 1 or self.targets.shape[0] > 1):
            parts = []
            for number in range(rounds):
                place = torch.full((channels,), -1)
                place[ordered[repeat == number]] = wanted[order[repeat == number]]
                parts.append(self.select(place))
            return [part for part in parts if part is not None]
        part = self.single_group()
        out = torch.full((channels,), -1)
        out[part.targets[0]] = torch.arange(part.targets.shape[1])
        kept = wanted[out[gather[wanted]] >= 0]
        check_size(len(kept) * part.kernel[0, 0].numel())
        if not len(kept):
            return []
        return [replace(part, targets=kept[None], kernel=part.kernel[:, out[gather[kept]]])]

    def single_group(self) -> Part:
        """Return the same map as one dense group over the channels that occur."""
        if self.targets.shape[0] == 1:
            return self
        targets, to = torch.unique(self.targets, return_inverse=True)
        sources, into = torch.unique(self.sources, return_inverse=True)
        rows, columns = self.kernel.shape[3:]
        check_size(len(targets) * len(sources) * rows * columns)
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
    untracked
        Layers with linear paths to the tensor that no part holds: their kernels differ from place
        to place, and a backward pass finds them where they are wanted.
    """

    channels: int
    rows: int
    columns: int
    layout: str | None
    parts: tuple[Part, ...] = ()
    constant: Tensor | None = None
    missing: frozenset[str] = field(default_factory=frozenset)
    index: Tensor | None = None
    untracked: frozenset[str] = field(default_factory=frozenset)

    @property
    def sources(self) -> frozenset[str]:
        """The layers that reach it along linear paths."""
        return self.untracked | {part.source.layer for part in self.parts}

    @property
    def placed(self) -> bool:
        """Whether it is known which channel and position each element belongs to."""
        return self.layout is not None or self.index is not None

    def like(self, other: LinearForm) -> LinearForm:
        """Return the form with the size and axes of another."""
        return replace(
            self,
            channels=other.channels,
            rows=other.rows,
            columns=other.columns,
            layout=other.layout,
            index=other.index,
        )

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether a tensor of this shape can have its size and axes."""
        if self.index is not None:
            return tuple(self.index.shape) == tuple(shape)
        sizes = {
            "n": 1,
            "c": self.channels,
            "y": self.rows,
            "x": self.columns,
            "t": self.rows * self.columns,
            "f": self.channels * self.rows * self.columns,
        }
        return self.layout is not None and [sizes[a] for a in self.layout] == list(shape)

    @property
    def passes_channels_on(self) -> bool:
        """Whether every channel is one feature, unchanged, at its own place."""
        if self.missing or self.untracked or self.constant is None or self.index is not None:
            return False
        if not self.parts or not all(part.identity for part in self.parts):
            return False
        if bool(self.constant.any()):
            return False
        covered = torch.cat([part.targets[:, 0] for part in self.parts])
        return len(covered) == self.channels and len(torch.unique(covered)) == self.channels


def features(source: SourceLayer, channels: int, layout: str, shape: Sequence[int]) -> LinearForm:
    """Return the form of a layer of features itself; ``shape`` is the tensor's."""
    every = torch.arange(channels)[:, None]
    exact = (everywhere(source.rows), everywhere(source.columns))
    part = Part(source, every, every, torch.ones(channels, 1, 1, 1, 1), exact)
    return LinearForm(
        channels, source.rows, source.columns, layout, (part,), torch.zeros(tuple(shape))
    )

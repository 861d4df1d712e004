"""The units of one layer as a function of the pixels that they see, which gradients flow through.

No more of the image is computed than what the units see, where that is not the whole of it, and
nothing that comes after their pre-activation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.activations.folding import until
from circuitkb.loaders.activations.functional import Values, computed, fixed_values, redirected
from circuitkb.loaders.activations.reading import Onlooker
from circuitkb.loaders.composition.sites import Site
from circuitkb.loaders.composition.tracing import TracedNetwork
from circuitkb.loaders.receptive_fields.fields import AxisField, along_axes, receptive_fields
from circuitkb.loaders.receptive_fields.views import View

CLOSE = 1e-4
"""Difference of answers, in their standard deviations over the units, that counts as rounding."""


Run = Callable[[Node, Values], Any]


class Stretch(NamedTuple):
    """Pixels from ``start`` up to ``stop``, which is not among them."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class Cropped:
    """The units of a layer, read where they look, in the part of the image that they see.

    Attributes
    ----------
    network
        Folded; nothing of it is run that the units do not read.
    node, site
        Of their pre-activation.
    seen
        Rows and columns of the view's image that the units see.
    shown
        Those that are computed: they begin where strides are kept.
    index
        Of the units' position, among what is computed.
    batch
        Images that must run together; 0 for any number.
    """

    network: TracedNetwork
    node: Node
    site: Site
    seen: tuple[Stretch, Stretch]
    shown: tuple[Stretch, Stretch]
    index: tuple[int, ...]
    batch: int

    @classmethod
    def of(cls, look: Onlooker, layer: str) -> Cropped:
        """Return what a layer's units see.

        Parameters
        ----------
        look
            The network, ready to be shown images in which the layer is read.
        """
        view, site = look.view, look.view.sites[layer]
        network = until(look.network, [look.before(layer)])
        place = view.places[layer]
        index = place.index if place.before is None else place.before
        size = Stretch(0, view.rows), Stretch(0, view.columns)
        (node,) = network.outputs
        whole = cls(network, node, site, size, size, index, 0)
        own, part = _part(view, layer, index)
        cut = replace(whole, seen=own, shown=part[0], index=part[1])
        fixed = len(network.example)
        shapes = [cut, whole, replace(cut, batch=fixed), replace(whole, batch=fixed)]
        return next((one for one in shapes if one._answers_as(shapes[-1])), shapes[-1])

    def with_network(self, network: TracedNetwork) -> Cropped:
        """Return the same of a copy of the network with other weights."""
        copy = until(network, [self.node.name])
        return replace(self, network=copy, node=copy.outputs[0])

    def answers(self, images: Tensor, units: Sequence[int], *, redirect: bool = False) -> Tensor:
        """Return what units answer before their nonlinearity, one to each image.

        Parameters
        ----------
        images
            What the network reads of ``shown``, axes (image, channel, row, column).
        units
            Of the layer, as many as there are images.
        redirect
            Whether gradients pass rectifiers that cut off all that an image gives them: see
            :func:`~circuitkb.loaders.activations.functional.redirected`.
        """
        run = redirected if redirect else computed
        found = torch.cat([self._all(part, run) for part in self._parts(images)])[: len(images)]
        return found[torch.arange(len(images)), torch.as_tensor(units)]

    def _parts(self, images: Tensor) -> Sequence[Tensor]:
        if not self.batch:
            return [images]
        missing = -len(images) % self.batch
        filled = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)])
        return torch.split(filled, self.batch)

    def _all(self, images: Tensor, run: Run = computed) -> Tensor:
        values: Values = {**self._fixed, self.network.input: images}
        for node in self._needed:
            values[node] = run(node, values)
        return self.site.units(values[self.node], self.index)

    @cached_property
    def _fixed(self) -> Values:
        return fixed_values(self.network)

    @cached_property
    def _needed(self) -> list[Node]:
        """What the units read, in order of computation."""
        needed = {self.node}
        for node in reversed([*self.network.operations()]):
            if node in needed:
                needed.update(node.all_input_nodes)
        return [node for node in self.network.operations() if node in needed & self.network.dynamic]

    @torch.no_grad()
    def _answers_as(self, other: Cropped) -> bool:
        """Whether all units answer to a part of noise as they do to the whole of it."""
        if other is self:
            return True
        draw = torch.Generator().manual_seed(0)
        noise = torch.randn(3, *other.network.example.shape[1:], generator=draw)
        try:
            one, two = self._to_whole(noise), other._to_whole(noise)
        except (RuntimeError, IndexError):  # its shapes are those of the whole image
            return False
        return bool((one - two).abs().max() <= CLOSE * two.std())

    def _to_whole(self, images: Tensor) -> Tensor:
        """Return what all units answer to images of the view's size, axes (image, unit)."""
        parts = self._parts(self._of(images))
        return torch.cat([self._all(part) for part in parts])[: len(images)]

    def _of(self, images: Tensor) -> Tensor:
        rows, columns = self.shown
        return images[:, :, rows.start : rows.stop, columns.start : columns.stop]


def _part(
    view: View, layer: str, index: tuple[int, ...]
) -> tuple[tuple[Stretch, Stretch], tuple[tuple[Stretch, Stretch], tuple[int, ...]]]:
    """Return which pixels a layer's units see; and which to compute, with the units' position."""
    site = view.sites[layer]
    sizes = view.rows, view.columns
    whole = Stretch(0, sizes[0]), Stretch(0, sizes[1])
    node = site.after if site.before is None else site.before
    field = receptive_fields(view.network, {node}).get(node)
    if field is None or len(index) != 2:
        return whole, (whole, index)
    ends = [_along(*each) for each in zip(along_axes(field), sizes, index, strict=True)]
    (rows, shown_rows, row), (columns, shown_columns, column) = ends
    return (rows, columns), ((shown_rows, shown_columns), (row, column))


def _along(axis: AxisField, size: int, position: int) -> tuple[Stretch, Stretch, int]:
    """Return which pixels a position sees along an axis, which to compute, and where it is then."""
    if axis.whole or not axis.placed or math.isnan(axis.stride) or axis.stride < 1:
        return Stretch(0, size), Stretch(0, size), position
    stride = int(axis.stride)
    low, high = (int(axis.stride * position + end) for end in (axis.low, axis.high))
    seen = Stretch(max(0, low), min(size, high + 1))
    start = seen.start // stride * stride
    return seen, Stretch(start, seen.stop), position - start // stride

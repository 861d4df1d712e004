"""Show images to a network and read every unit where it looks: at its receptive field's centre."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node
from torch.utils._pytree import tree_leaves

from circuitkb.loaders.activations.folding import fold, until
from circuitkb.loaders.activations.shuffling import moments, shuffle
from circuitkb.loaders.composition.compose import Site
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.composition.reference_image import pink_image
from circuitkb.loaders.composition.retracing import traced_for
from circuitkb.loaders.composition.tracing import TracedNetwork
from circuitkb.loaders.receptive_fields.views import View, ViewPlace, sites_in
from circuitkb.schema.errors import ObservationError, TraceError
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, parts, silent

PIXELS_AT_ONCE = 4 * 255 * 255
"""Pixels of a batch: few enough that a layer's map stays in the processor's cache."""

NUMBERS_AT_ONCE = 5_000_000
"""Of the largest map of a batch, where that allows more images: a batch takes time of its own."""

LARGEST_BATCH = 64


@dataclass(frozen=True, eq=False)
class Onlooker:
    """A network, traced and folded for batches of one size, with the places to read.

    Attributes
    ----------
    view
        Size of the images, and where each layer is read.
    network
        Runs batches of ``batch`` images.
    batch
        Images that run together.
    units
        Number of units of each layer, in order.
    """

    view: View
    network: TracedNetwork
    batch: int
    units: Mapping[str, int]
    _after: Mapping[str, tuple[str, ...]]
    _before: Mapping[str, tuple[str, ...]]

    def responses(self, images: Floats) -> tuple[Floats, Floats]:
        """Return what each unit responds, before and after its nonlinearity.

        Parameters
        ----------
        images
            What the network reads, axes (image, channel, row, column), any number of images.

        Returns
        -------
        tuple
            Two arrays, axes (image, unit), units in the order of ``units``.

        Raises
        ------
        ObservationError
            A unit responds with NaN or infinity.
        """
        parts = [
            self._run(torch.from_numpy(np.ascontiguousarray(images[start : start + self.batch])))
            for start in range(0, len(images), self.batch)
        ]
        before, after = (np.concatenate(side) for side in zip(*parts, strict=True))
        return before, after

    def before(self, layer: str) -> str:
        """Return the name of the node of a layer's pre-activation."""
        return next(name for name, layers in self._before.items() if layer in layers)

    def maps(self, images: Floats) -> Iterator[tuple[str, Tensor]]:
        """Give each layer's features at all positions, axes (image, unit, position).

        They are read before the nonlinearity where it leaves positions as they are, else after it.
        What is given may be overwritten when the next is: use it at once.

        Parameters
        ----------
        images
            What the network reads, up to ``batch`` of them.
        """
        layers: dict[str, list[str]] = {}
        for side, names in (("before", self._before), ("after", self._after)):
            for name, read in names.items():
                for layer in read:
                    site = self.view.sites[layer]
                    if (site.mapped is site.before) == (side == "before"):
                        layers.setdefault(name, []).append(layer)
        shown = self._filled(torch.from_numpy(np.ascontiguousarray(images)))
        for node, value in self.network.values(shown):
            for layer in layers.get(node.name, ()):
                yield layer, self.view.sites[layer].map_of(value[: len(images)])

    def shuffled(
        self, images: Floats, *, seeds: Sequence[int], progress: Progress = silent
    ) -> list[Onlooker]:
        """Return the same for copies of the network with shuffled weights, one for each seed.

        ``images`` are those on which the moments of activity are made equal; see
        :func:`circuitkb.loaders.activations.shuffling.shuffle`.
        """
        batches = torch.split(torch.from_numpy(np.ascontiguousarray(images)), self.batch)
        shown = torch.cat([self._filled(batch) for batch in batches])
        tell = parts(progress, 1 + len(seeds))
        wanted = moments(self.network, shown, progress=tell[0])
        return [
            replace(
                self,
                network=shuffle(self.network, shown, seed=seed, wanted=wanted, progress=part),
            )
            for seed, part in zip(seeds, tell[1:], strict=True)
        ]

    @cached_property
    def _program(self) -> tuple[dict[Node, Any], list[_Step]]:
        """What does not depend on the image, computed once; and what to run for each batch."""
        network = self.network
        fixed: dict[Node, Any] = dict(network.constants)
        steps = []
        for node in network.operations():
            if node in network.dynamic:
                gone = tuple(
                    read
                    for read in node.all_input_nodes
                    if network.last_use[read] is node and read in network.dynamic
                )
                steps.append(_Step(node, gone, self._reads(node)))
            else:
                fixed[node] = network.value_of(node, fixed.__getitem__)
        return fixed, steps

    def _reads(self, node: Node) -> tuple[_Read, ...]:
        """Return what to read when a node has its value."""
        ends = dict(zip(self.units, np.cumsum([*self.units.values()]).tolist(), strict=True))
        found: dict[tuple[str, tuple[int, ...]], slice] = {}
        for side, layers in enumerate((self._before, self._after)):
            for layer in layers.get(node.name, ()):
                place = self.view.places[layer]
                early = side == 0 and place.before is not None
                index = place.before if early and place.before is not None else place.index
                # A layer without a nonlinearity responds the same on both sides: read once.
                twice = (layer, index) in found
                found[layer, index] = slice(0, 2) if twice else slice(side, side + 1)
        return tuple(
            _Read(
                self.view.sites[layer],
                index,
                (sides, slice(None), slice(ends[layer] - self.units[layer], ends[layer])),
            )
            for (layer, index), sides in found.items()
        )

    @torch.inference_mode()
    def _run(self, images: Tensor) -> tuple[Floats, Floats]:
        responses = torch.empty(2, self.batch, sum(self.units.values()))

        def read(value: Any, reads: Iterable[_Read]) -> None:
            for site, place, there in reads:
                responses[there] = site.units(value, place)

        fixed, steps = self._program
        image = self._filled(images)
        values = {**fixed, self.network.input: image}
        read(image, self._reads(self.network.input))
        for node, gone, reads in steps:
            values[node] = value = self.network.value_of(node, values.__getitem__)
            read(value, reads)  # at once, as a later operation may overwrite it
            for past in gone:
                del values[past]
        found: Floats = responses[:, : len(images)].numpy()
        if not np.isfinite(found).all():
            unit = int(np.flatnonzero(~np.isfinite(found).all(axis=(0, 1)))[0])
            ends = np.cumsum(list(self.units.values()))
            layer = list(self.units)[int(np.searchsorted(ends, unit, side="right"))]
            raise ObservationError(
                f"Layer {layer!r} responds with NaN or infinity: the network cannot be observed."
            )
        return found[0], found[1]

    def _filled(self, images: Tensor) -> Tensor:
        """Return a whole batch: the last image stands for those that are missing."""
        missing = self.batch - len(images)
        if missing:
            images = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)])
        return images.contiguous(memory_format=torch.channels_last)


class _Read(NamedTuple):
    """Which units to read, and where their responses stand, axes (side, image, unit)."""

    site: Site
    place: tuple[int, ...]
    there: tuple[slice, slice, slice]


class _Step(NamedTuple):
    """An operation, whose values are not asked for afterwards, and what to read of its own."""

    node: Node
    gone: tuple[Node, ...]
    reads: tuple[_Read, ...]


def look(network: Network, view: View, *, layers: Collection[str] | None = None) -> Onlooker:
    """Make a network ready to be shown images of a view's size.

    Parameters
    ----------
    layers
        Those of the view to read; all if None. What comes after the last one is not computed.

    Raises
    ------
    TraceError
        It cannot be traced with images of that size.
    """
    traced, batch = batched(network, view)
    sites = sites_in(traced, view.sites)
    if layers is not None:
        sites = {layer: site for layer, site in sites.items() if layer in layers}
    folded = fold(traced)
    allow_any_layout(folded.network)
    after: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    for layer, site in sites.items():
        after.setdefault(folded.names[site.after.name], []).append(layer)
        early = site.after if site.before is None else site.before
        before.setdefault(folded.names[early.name], []).append(layer)
    return Onlooker(
        view,
        until(folded.network, {*after, *before}),
        batch,
        {layer: _channels(site, view.places[layer]) for layer, site in sites.items()},
        {name: tuple(layers) for name, layers in after.items()},
        {name: tuple(layers) for name, layers in before.items()},
    )


def batched(network: Network, view: View) -> tuple[TracedNetwork, int]:
    """Return a network traced for as many images as should run together, and their number.

    Where it cannot be traced for several, it is that of the view, for one.
    """
    batch = _batch(view)
    if batch > 1:
        try:
            image = pink_image(network.example.shape[1], view.rows, view.columns)
            images = torch.cat([image.roll(place, -1) for place in range(batch)])
            traced = traced_for(view.network, network.module, images)
            sites_in(traced, view.sites)
        except TraceError:  # its code holds on to a batch of one
            pass
        else:
            return traced, batch
    return view.network, 1


def _batch(view: View) -> int:
    """Return how many images run together."""
    largest = max(
        (
            value.numel()
            for node in view.network.operations()
            for value in tree_leaves(node.meta.get("val"))
            if isinstance(value, Tensor)
        ),
        default=1,
    )
    by_pixels = math.ceil(PIXELS_AT_ONCE / (view.rows * view.columns))
    return min(LARGEST_BATCH, max(by_pixels, NUMBERS_AT_ONCE // max(1, largest)))


def allow_any_layout(network: TracedNetwork) -> None:
    """Let reshapings copy: a map that is laid out channels last has no view of another shape."""
    for node in network.operations():
        if node.target is torch.ops.aten.view.default:
            node.target = torch.ops.aten.reshape.default


def _channels(site: Site, place: ViewPlace) -> int:
    return site.units(site.after.meta["val"], place.index).shape[1]

"""Show images to a network and read every unit where it looks: at its receptive field's centre."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from circuitkb.schema.errors import ObservationError, TraceError
from circuitkb.schema.kernels import Floats

from .composition import Site
from .folding import fold
from .network import Network
from .shuffling import shuffle
from .tracing import TracedNetwork, trace
from .viewing import Place, View, sites_in

PIXELS_AT_ONCE = 4 * 255 * 255
"""Pixels of a batch: few enough that a layer's map stays in the processor's cache."""

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

    def answers(self, images: Floats) -> tuple[Floats, Floats]:
        """Return what each unit answers, before and after its nonlinearity.

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
            A unit answers with NaN or infinity.
        """
        parts = [
            self._run(torch.from_numpy(np.ascontiguousarray(images[start : start + self.batch])))
            for start in range(0, len(images), self.batch)
        ]
        before, after = (np.concatenate(side) for side in zip(*parts, strict=True))
        return before, after

    def shuffled(self, images: Floats, *, seed: int) -> Onlooker:
        """Return the same for the network with shuffled weights.

        ``images`` are those on which the moments of activity are made equal; see
        :func:`circuitkb.loaders.shuffling.shuffle`.
        """
        batches = torch.split(torch.from_numpy(np.ascontiguousarray(images)), self.batch)
        shown = torch.cat([self._filled(batch) for batch in batches])
        return replace(self, network=shuffle(self.network, shown, seed=seed))

    @torch.inference_mode()
    def _run(self, images: Tensor) -> tuple[Floats, Floats]:
        read: tuple[dict[str, Floats], dict[str, Floats]] = ({}, {})
        wanted = 2 * len(self.units)
        for node, value in self.network.values(self._filled(images)):
            for layer in self._before.get(node.name, ()):
                place = self.view.places[layer]
                index = place.index if place.before is None else place.before
                read[0][layer] = self._at_place(layer, value, index)[: len(images)]
            for layer in self._after.get(node.name, ()):
                index = self.view.places[layer].index
                read[1][layer] = self._at_place(layer, value, index)[: len(images)]
            if len(read[0]) + len(read[1]) == wanted:  # what comes later is not asked for
                break
        before, after = (np.concatenate([side[layer] for layer in self.units], 1) for side in read)
        return before, after

    def _filled(self, images: Tensor) -> Tensor:
        """Return a whole batch: the last image stands for those that are missing."""
        missing = self.batch - len(images)
        if missing:
            images = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)])
        return images.contiguous(memory_format=torch.channels_last)

    def _at_place(self, layer: str, value: Tensor, index: tuple[int, ...]) -> Floats:
        """Return a layer's values at one position, axes (image, unit); a copy."""
        units = self.view.sites[layer].units(value, index)
        answers: Floats = units.float().numpy().copy()
        if not np.isfinite(answers).all():
            raise ObservationError(
                f"Layer {layer!r} answers with NaN or infinity: the network cannot be observed."
            )
        return answers


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
    channels = network.example.shape[1]
    batch = min(LARGEST_BATCH, math.ceil(PIXELS_AT_ONCE / (view.rows * view.columns)))
    traced, sites = view.network, dict(view.sites)
    if batch > 1:
        try:
            traced = trace(network.module, torch.zeros(batch, channels, view.rows, view.columns))
            sites = sites_in(traced, view.sites)
        except TraceError:  # its code holds on to a batch of one
            batch, traced, sites = 1, view.network, dict(view.sites)
    if layers is not None:
        sites = {layer: site for layer, site in sites.items() if layer in layers}
    folded = fold(traced)
    _allow_any_layout(folded.network)
    after: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    for layer, site in sites.items():
        after.setdefault(folded.names[site.after.name], []).append(layer)
        early = site.after if site.before is None else site.before
        before.setdefault(folded.names[early.name], []).append(layer)
    return Onlooker(
        view,
        folded.network,
        batch,
        {layer: _channels(site, view.places[layer]) for layer, site in sites.items()},
        {name: tuple(layers) for name, layers in after.items()},
        {name: tuple(layers) for name, layers in before.items()},
    )


def _allow_any_layout(network: TracedNetwork) -> None:
    """Let reshapings copy: a map that is laid out channels last has no view of another shape."""
    for node in network.operations():
        if node.target is torch.ops.aten.view.default:
            node.target = torch.ops.aten.reshape.default


def _channels(site: Site, place: Place) -> int:
    return site.units(site.after.meta["val"], place.index).shape[1]

"""The first layers of a network in the small part of the image that they see.

They can be run again and again with other weights for what one run of the whole network costs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from circuitkb.loaders.activations.cropped import CLOSE, Stretch
from circuitkb.loaders.activations.folding import until
from circuitkb.loaders.activations.reading import Onlooker
from circuitkb.loaders.activations.shuffling import moments, shuffle
from circuitkb.loaders.composition.tracing import TracedNetwork
from circuitkb.loaders.receptive_fields.fields import AxisField, along_axes, receptive_fields
from circuitkb.schema.kernels import Floats

IMAGES_AT_ONCE = 256
"""Small images that run together."""


class Part(NamedTuple):
    """Pixels along an axis, from where strides are kept, and where each layer looks.

    Attributes
    ----------
    pixels
        Of the image.
    layers
        Where each layer sees, and its position in the whole image.
    """

    pixels: Stretch
    layers: Mapping[str, tuple[AxisField, int]]

    @classmethod
    def of(cls, layers: Mapping[str, tuple[AxisField, int]], size: int, margin: int = 0) -> Part:
        """Return what layers see of so many pixels, and so many more at either end."""
        step = math.lcm(*(int(axis.stride) for axis, _ in layers.values()))
        low = min(int(axis.stride * place + axis.low) for axis, place in layers.values())
        high = max(int(axis.stride * place + axis.high) for axis, place in layers.values())
        start = max(0, low - margin) // step * step
        return cls(Stretch(start, min(size, high + margin + 1)), layers)

    @property
    def positions(self) -> dict[str, int]:
        """Position of each layer in the part."""
        return {
            name: place - self.pixels.start // int(axis.stride)
            for name, (axis, place) in self.layers.items()
        }


@dataclass(frozen=True, eq=False)
class EarlyLayers:
    """Some layers, read where they look, in one part of the image that holds all they see.

    Attributes
    ----------
    look
        The network; nothing of it is run that comes after the last of the layers.
    network
        As far as that.
    rows, columns
        The part of the view's image that is run.
    """

    look: Onlooker
    network: TracedNetwork
    rows: Part
    columns: Part

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the part."""
        return len(self.rows.pixels), len(self.columns.pixels)

    @property
    def centre(self) -> tuple[float, float]:
        """The view's centre, in the part."""
        row, column = self.look.view.centre
        return row - self.rows.pixels.start, column - self.columns.pixels.start

    @property
    def index(self) -> dict[str, tuple[int, int]]:
        """Position of each layer in the part."""
        columns = self.columns.positions
        return {layer: (row, columns[layer]) for layer, row in self.rows.positions.items()}

    def wider(self, margin: int) -> EarlyLayers:
        """Return the same with so many pixels more on all sides, where the image has them."""
        view = self.look.view
        rows = Part.of(self.rows.layers, view.rows, margin)
        return replace(self, rows=rows, columns=Part.of(self.columns.layers, view.columns, margin))

    def of(self, images: Floats) -> Floats:
        """Return the part of whole images."""
        rows, columns = self.rows.pixels, self.columns.pixels
        return images[:, :, rows.start : rows.stop, columns.start : columns.stop]

    def before(self, images: Floats) -> dict[str, Floats]:
        """Return what units respond before their nonlinearity, axes (image, unit), by layer.

        Parameters
        ----------
        images
            What the network reads of the part, axes (image, channel, row, column).
        """
        index, read = self.index, defaultdict[str, list[str]](list)
        for layer in index:
            read[self.look.before(layer)].append(layer)
        found: dict[str, list[Tensor]] = {layer: [] for layer in index}
        with one_thread(), torch.inference_mode():
            for part in torch.split(_channels_last(images), IMAGES_AT_ONCE):
                for node, value in self.network.values(part):
                    for layer in read.get(node.name, ()):  # a later one may overwrite it
                        site = self.look.view.sites[layer]
                        found[layer].append(site.units(value, index[layer]).clone())
        return {layer: torch.cat(parts).numpy() for layer, parts in found.items()}

    def shuffled(self, images: Floats, seeds: Sequence[int]) -> Iterator[TracedNetwork]:
        """Yield the network with shuffled weights, for each seed.

        Moments are made equal on ``images``, which are of this part of the image; otherwise they
        are as :meth:`Onlooker.shuffled` makes them.
        """
        shown = _channels_last(images)
        with one_thread():
            wanted = moments(self.network, shown)
            for seed in seeds:
                yield shuffle(self.network, shown, seed=seed, wanted=wanted)

    def with_network(self, network: TracedNetwork) -> EarlyLayers:
        """Return the same layers of a copy with other weights."""
        return replace(self, network=network)

    def answers_as_whole(self) -> bool:
        """Whether units answer to this part of noise as they do to the whole of it."""
        draw, look = torch.Generator().manual_seed(0), self.look
        noise = torch.randn(3, *look.network.example.shape[1:], generator=draw).numpy()
        try:
            own = self.before(self.of(noise))
        except (RuntimeError, IndexError):  # its shapes are those of the whole image
            return False
        whole, _ = look.responses(noise)
        ends = np.cumsum(list(look.units.values()))[:-1]
        by_layer = dict(zip(look.units, np.split(whole, ends, axis=1), strict=True))
        return all(
            np.abs(answers - by_layer[layer]).max() <= CLOSE * by_layer[layer].std()
            for layer, answers in own.items()
        )


def early_layers(look: Onlooker, layers: Sequence[str]) -> EarlyLayers | None:
    """Return layers in the part of the image that all of them see.

    None where there are none, where one has no place in the image, or where they answer to what
    they see in another way than to the whole image.

    Parameters
    ----------
    look
        The network, ready to be shown images in which the layers are read.
    """
    axes = _axes(look, layers)
    if not axes:
        return None
    network = until(look.network, [look.before(name) for name in layers])
    sizes = look.view.rows, look.view.columns
    rows, columns = (Part.of(each, size) for each, size in zip(axes, sizes, strict=True))
    found = EarlyLayers(look, network, rows, columns)
    return found if found.answers_as_whole() else None


def _axes(look: Onlooker, layers: Sequence[str]) -> list[dict[str, tuple[AxisField, int]]]:
    """Return along both axes where each layer sees, and its position; nothing if one has none."""
    view = look.view
    nodes = {name: view.sites[name].before or view.sites[name].after for name in layers}
    fields = receptive_fields(view.network, set(nodes.values()))
    found: list[dict[str, tuple[AxisField, int]]] = [{}, {}]
    for name, node in nodes.items():
        field, place = fields.get(node), view.places[name].before or view.places[name].index
        if field is None or len(place) != 2:
            return []
        for axis, one in enumerate(along_axes(field)):
            if one.whole or not one.placed or not one.stride >= 1:
                return []
            found[axis][name] = one, place[axis]
    return found if layers else []


@contextmanager
def one_thread() -> Iterator[None]:
    """Run on one thread: with images so small others take longer to start than to work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _channels_last(images: Floats) -> Tensor:
    shown = torch.from_numpy(np.ascontiguousarray(images))
    return shown.contiguous(memory_format=torch.channels_last)

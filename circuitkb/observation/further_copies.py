"""More copies with shuffled weights, of layers that see little of the image.

Against one copy or two no unit of a small layer can pass unless many do: no p can be less than
one over the units of the copies. Early layers are cheap to run again, in the part of the image that
they see, so they get as many copies as let a single unit pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.activations.early_layers import EarlyLayers, early_layers
from circuitkb.loaders.activations.reading import Onlooker
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import View
from circuitkb.observation.measures.nulls import RATE
from circuitkb.observation.stimuli.battery import Battery
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, silent

COPIES = round(1 / RATE)
"""Further copies: against so many, one unit that beats all their units passes by itself."""

SEES = 8
"""A layer has them where it sees at most one part in so many of the image's smaller side."""

CALIBRATED = 4
"""Copies get the moments of the network in a part of the image so many times as long, and as high,
as what is seen: at its border padding stands for what the image holds there."""

Further = Mapping[str, Floats]
"""Responses of further copies before the nonlinearity, by layer, axes (copy, unit, stimulus)."""


def early(view: View) -> list[str]:
    """Return the layers of a view that get further copies: cheap ones, that have weights."""
    most = min(view.rows, view.columns) / SEES
    return [
        name
        for name, place in view.places.items()
        if name != "input" and place.side is not None and place.side <= most
    ]


def has_early(views: Iterable[View]) -> bool:
    """Whether some layer of a network gets further copies."""
    return any(early(view) for view in views)


def further_copies(
    network: Network,
    battery: Battery,
    looks: Sequence[Onlooker],
    *,
    sample: NDArray[np.intp],
    seeds: Sequence[int],
    progress: Progress = silent,
) -> Further:
    """Show the battery to further copies of the early layers.

    Parameters
    ----------
    looks
        The ways to look at the network.
    sample
        Places of the stimuli on which copies get the moments of the network.
    seeds
        One for each copy.
    progress
        Called with how far it is.

    Notes
    -----
    Memory: a number for each copy, unit and stimulus: 67 MB for 720 units.
    """
    found: dict[str, Floats] = {}
    for place, look in enumerate(looks):
        layers = early(look.view)
        seen = early_layers(look, layers)
        if seen is None:
            continue
        around = seen.wider(max(seen.shape) * (CALIBRATED - 1) // 2)
        every = np.arange(len(battery))
        images = _images(network, battery, seen, every)
        calibrating = _images(network, battery, around, sample)
        for name in layers:
            shape = len(seeds), look.units[name], len(battery)
            found[name] = np.empty(shape, np.float32)
        for copy, weights in enumerate(around.shuffled(calibrating, seeds)):
            progress("Showing stimuli to further copies", (place + copy / len(seeds)) / len(looks))
            for name, before in seen.with_network(weights).before(images).items():
                found[name][copy] = before.T
    return found


def _images(
    network: Network, battery: Battery, part: EarlyLayers, which: NDArray[np.intp]
) -> Floats:
    rows, columns = part.shape
    drawn = battery.images(which, rows=rows, columns=columns, centre=part.centre)
    return network.pixels.apply(drawn)

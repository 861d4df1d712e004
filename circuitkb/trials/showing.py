"""A stored network made ready for trials: opened again, shown what it was observed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.kept import as_observed, battery_of
from circuitkb.schema.kernels import Floats

if TYPE_CHECKING:
    from circuitkb.loaders.activations.editing.network import EditedNetwork
    from circuitkb.loaders.activations.editing.runs import Images
    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.receptive_fields.views import View
    from circuitkb.loaders.sources.pixels import PixelRange
    from circuitkb.observation.stimuli.battery import Battery
    from circuitkb.observation.stimuli.composites import Composites
    from circuitkb.schema.responses import Responses
    from circuitkb.trials.pictures import Pictures


@dataclass(frozen=True, eq=False)
class Shown:
    """A network that can be edited, and the stimuli by their places in its responses.

    Attributes
    ----------
    edited
        The network.
    battery
        The stimuli that it was observed with, or pictures, or composites, in their place.
    pixels
        What it reads for black and for white, as when it was observed.
    """

    edited: EditedNetwork
    battery: Battery | Pictures | Composites
    pixels: PixelRange

    def drawn(self, view: View, which: NDArray[np.intp]) -> Floats:
        """Return stimuli, values in [0, 1], axes (image, channel, row, column)."""
        return self.battery.images(which, rows=view.rows, columns=view.columns, centre=view.centre)

    def images(self, view: View, which: NDArray[np.intp]) -> Floats:
        """Return stimuli as the network reads them."""
        return self.pixels.apply(self.drawn(view, which))

    def beside(self, searched: Sequence[Floats]) -> Images:
        """Return the same with further images, whose numbers follow those of the stimuli.

        Parameters
        ----------
        searched
            Values in [0, 1], of the size of the one view of the network.
        """
        known = len(self.battery)
        more = np.concatenate(searched) if searched else None

        def images(view: View, which: NDArray[np.intp]) -> Floats:
            if more is None or not (which >= known).any():
                return self.images(view, which)
            found = np.empty((len(which), *more.shape[1:]), np.float32)
            old = which < known
            found[old] = self.drawn(view, which[old])
            found[~old] = more[which[~old] - known]
            return self.pixels.apply(found)

        return images


def shown(network: Network, responses: Responses) -> Shown:
    """Make a network ready to be shown what its responses are to.

    Raises
    ------
    ObservationError
        They are to a battery, or to sizes of images, that this version does not have.
    """
    from circuitkb.loaders.activations.editing.network import EditedNetwork

    edited = EditedNetwork(network)
    pixels = as_observed(network, edited.views, responses).pixels
    channels = network.example.shape[1]
    return Shown(edited, replace(battery_of(responses), channels=channels), pixels)

"""A model's network, made ready to show which images its units answer to most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from circuitkb.observation.kept import as_observed, battery_of
from circuitkb.observation.recording import calibration
from circuitkb.observation.stimuli.battery import battery
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, parts, silent, within
from circuitkb.schema.responses import Responses, rows_of_layers
from circuitkb.visualization.visualization import Reached

if TYPE_CHECKING:
    from circuitkb.loaders.activations.cropped import Cropped
    from circuitkb.loaders.activations.reading import Onlooker
    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.feature_images.ascent import Ascent, Pixels, Window
    from circuitkb.loaders.receptive_fields.views import View

AT_ONCE = 8
"""Units that are searched together: for so many images the network keeps what gradients need."""

PREPARED = 0.25
"""Share of the work that planning and shuffling are, for progress."""


class Found(NamedTuple):
    """What was found of a unit, and of the same unit where weights are shuffled."""

    layer: str
    unit: int
    reached: Reached
    control: Reached | None = None


class Visualizer:
    """A network that shows which images its units answer to most.

    Parameters
    ----------
    network
        As it was opened.
    responses
        Of its observation: pixels are then read as they were, and its copy with shuffled weights
        is the one that was observed. Without it, the copy is made from seed 0.
    progress
        Called with how far it is.

    Raises
    ------
    TraceError
        It cannot be traced.
    ObservationError
        It reads neither one channel nor three, or was observed by another version.
    """

    def __init__(
        self, network: Network, responses: Responses | None, progress: Progress = silent
    ) -> None:
        from circuitkb.loaders.receptive_fields.views import plan_views

        channels = network.example.shape[1]
        self._views = plan_views(network.module, network.example, progress=progress)
        if responses is None:
            extent = min(min(view.rows, view.columns) for view in self._views)
            self._battery = battery(channels=channels, extent=extent)
        else:
            network = as_observed(network, self._views, responses)
            self._battery = replace(battery_of(responses), channels=channels)
        self._network = network

    def visualize(
        self,
        units: Mapping[str, Sequence[int]],
        how: Ascent,
        shuffled: int | None,
        progress: Progress = silent,
    ) -> Iterator[list[Found]]:
        """Give units' images, and those of the same units of a copy with shuffled weights.

        They come in lots of one layer, as they are found.

        Parameters
        ----------
        units
            Of some layers.
        how
            Settings of the search.
        shuffled
            Seed of the copy; None for no control.
        progress
            Called with how far it is.

        Raises
        ------
        ObservationError
            A unit responds with NaN or infinity.
        """
        views = [view for view in self._views if units.keys() & view.places.keys()]
        for view, tell in zip(views, parts(progress, len(views)), strict=True):
            here = {layer: some for layer, some in units.items() if layer in view.places}
            yield from self._in(view, here, how, shuffled, tell)

    def _in(
        self,
        view: View,
        units: Mapping[str, Sequence[int]],
        how: Ascent,
        shuffled: int | None,
        progress: Progress,
    ) -> Iterator[list[Found]]:
        from circuitkb.loaders.activations.cropped import Cropped
        from circuitkb.loaders.activations.reading import look

        progress("Tracing", 0.0)
        looks = [look(self._network, view, layers=list(units))]
        if shuffled is not None:
            telling = within(progress, 0.1 * PREPARED, PREPARED)
            looks += looks[0].shuffled(self._sample(view), seeds=[shuffled], progress=telling)
        lots = [
            (layer, some[start : start + AT_ONCE])
            for layer, some in units.items()
            for start in range(0, len(some), AT_ONCE)
        ]
        climbing = within(progress, PREPARED, 1.0)
        for (layer, lot), tell in zip(lots, parts(climbing, len(lots)), strict=True):
            cropped = Cropped.of(looks[0], layer)
            sides = []
            for shown, part in zip(looks, parts(tell, len(looks)), strict=True):
                own = cropped if shown is looks[0] else cropped.with_network(shown.network)
                sides.append(self._reached(shown, own, layer, lot, how, part))
            yield [
                Found(layer, unit, *sides_of) for unit, *sides_of in zip(lot, *sides, strict=True)
            ]

    def _sample(self, view: View) -> Floats:
        drawn = self._battery.images(
            calibration(len(self._battery)),
            rows=view.rows,
            columns=view.columns,
            centre=view.centre,
        )
        return self._network.pixels.apply(drawn)

    def _reached(
        self,
        shown: Onlooker,
        cropped: Cropped,
        layer: str,
        units: Sequence[int],
        how: Ascent,
        progress: Progress,
    ) -> list[Reached]:
        """Search images, and show them to the network as they are kept: in 8 bits."""
        from circuitkb.loaders.activations.functional import as_read
        from circuitkb.loaders.feature_images.ascent import Window, ascend

        found = ascend(cropped, units, as_read(self._network.pixels), how, progress)
        window = Window.of(cropped, how.size)
        start, ended = (
            self._answers(shown, window, layer, units, images)
            for images in (found.start, found.images)
        )
        moved: Sequence[float | None] = found.when_moved or [None] * len(units)
        return [
            Reached(image, *first, *last, when_moved, changed)
            for image, first, last, when_moved, changed in zip(
                found.images, start, ended, moved, found.changed, strict=True
            )
        ]

    def _answers(
        self,
        shown: Onlooker,
        window: Window,
        layer: str,
        units: Sequence[int],
        images: Sequence[Pixels],
    ) -> list[tuple[float, float]]:
        """Return what each unit answers to its image, before and after its nonlinearity."""
        drawn = window.in_grey(images, shown.view.rows, shown.view.columns)
        answers = shown.responses(self._network.pixels.apply(drawn))
        column = rows_of_layers([*shown.units.items()])[layer].start
        own = np.arange(len(units)), column + np.array(units)
        before, after = (side[own].tolist() for side in answers)
        return list(zip(before, after, strict=True))

"""Responses as they are kept, and the battery that they are to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.stimuli.battery import NAME, Battery, battery
from circuitkb.observation.stimuli.contrast import INVERSION, inverted
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.responses import Responses

if TYPE_CHECKING:
    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.receptive_fields.views import View
    from circuitkb.loaders.sources.pixels import PixelRange


def battery_of(responses: Responses) -> Battery:
    """Return the battery with just the stimuli of some responses, in their order.

    Raises
    ------
    ObservationError
        They are to a battery that this version does not have.

    Examples
    --------
    >>> shown = battery(channels=1, extent=32)
    >>> ids = tuple(item.id for item in shown.stimuli)
    >>> arrays = [np.zeros((1, len(ids)), np.float32)] * 4
    >>> battery_of(Responses(shown.name, ids, (("a", 1),), *arrays, {})).stimuli == shown.stimuli
    True
    """
    known = {stimulus.id: stimulus for stimulus in battery().stimuli}
    if responses.battery != NAME or not set(responses.stimuli) <= set(known):
        raise ObservationError(
            f"These responses are to the battery {responses.battery}, and this version has {NAME}: "
            "observe the model again (circuitkb observe MODEL)."
        )
    return Battery(NAME, tuple(known[id] for id in responses.stimuli), channels=3)


def as_observed(network: Network, views: Sequence[View], responses: Responses) -> Network:
    """Return a network that reads for black and for white what it read when it was observed.

    Raises
    ------
    ObservationError
        It was shown images of other sizes than this version shows.
    """
    settings = responses.settings
    looked = [[view.rows, view.columns, list(view.centre)] for view in views]
    then = [[view["rows"], view["columns"], view["centre"]] for view in settings["views"]]
    if looked != then:
        raise ObservationError(
            "The model was observed with images of other sizes than this version shows: observe it "
            "again (circuitkb observe MODEL)."
        )
    return replace(network, pixels=pixels_as_observed(network.pixels, responses))


def pixels_as_observed(pixels: PixelRange, responses: Responses) -> PixelRange:
    """Return what a network read for black and for white when it was observed."""
    settings = responses.settings
    return replace(
        pixels,
        black=tuple(settings["black"]),
        white=tuple(settings["white"]),
        order=tuple(settings.get("order", ())),
    )


def images_under(responses: Responses, symmetry: str) -> NDArray[np.intp]:
    """Return for each stimulus of some responses the place of its image under a symmetry.

    Parameters
    ----------
    symmetry
        As in ``mirror left-right``; or ``invert contrast``, which leaves stimuli that it has no
        image of where they are.
    """
    shown = battery_of(responses)
    if symmetry == INVERSION:
        place = {item.id: index for index, item in enumerate(shown.stimuli)}
        return np.array(
            [place.get(inverted(item).id, index) for index, item in enumerate(shown.stimuli)],
            np.intp,
        )
    places: NDArray[Any] = shown.transformed(symmetry)
    return places

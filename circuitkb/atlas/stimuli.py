"""The stimuli that a feature answers to most, as small pictures that pages share."""

from __future__ import annotations

import re

from circuitkb.atlas.page import Gallery, Image
from circuitkb.observation.stimuli.battery import NAME
from circuitkb.results.pictures.best_stimuli import TITLE, best_stimuli, stimulus_png
from circuitkb.schema.errors import NotFoundError
from circuitkb.schema.responses import Responses

STIMULUS = "stimulus"
"""What the addresses of stimuli begin with."""

_ADDRESS = re.compile(rf"{STIMULUS}/{re.escape(NAME)}/(0|[1-9][0-9]{{0,5}})")


def best(responses: Responses, feature: str) -> tuple[Gallery, ...]:
    """Return the stimuli that a feature answers to most; nothing if it answers alike to all.

    Raises
    ------
    ObservationError
        The responses are to another battery than that of this version.
    """
    found = best_stimuli(responses, feature)
    images = tuple(Image(f"{STIMULUS}/{NAME}/{one.place}", one.caption) for one in found)
    return (Gallery(TITLE, images),) if images else ()


def png(address: str) -> bytes:
    """Return the PNG of a stimulus by its address.

    Raises
    ------
    NotFoundError
        There is no such stimulus.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise NotFoundError(f"There is no stimulus at {address!r}.")
    return stimulus_png(int(found[1]))

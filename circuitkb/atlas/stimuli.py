"""The stimuli that a feature answers to most, as small pictures that pages share."""

from __future__ import annotations

import io
import re

import numpy as np

from circuitkb.atlas.page import Gallery, Image
from circuitkb.observation.kept import battery_of
from circuitkb.observation.stimuli.battery import NAME, battery
from circuitkb.schema.errors import NotFoundError
from circuitkb.schema.provenance import tool
from circuitkb.schema.responses import Responses

BEST = 8
"""Stimuli of a feature that its page shows."""

SIDE = 95
"""Rows and columns of a picture in pixels, from the middle of the stimulus."""

STIMULUS = "stimulus"
"""What the addresses of stimuli begin with."""

_ADDRESS = re.compile(rf"{STIMULUS}/{re.escape(NAME)}/(0|[1-9][0-9]{{0,5}})")


def best(responses: Responses, feature: str) -> tuple[Gallery, ...]:
    """Return the stimuli that a feature answers to most, after its nonlinearity, best first.

    Each caption has the stimulus and the response, in standard deviations above the mean over all.
    A feature that answers alike to all has none.

    Raises
    ------
    ObservationError
        The responses are to another battery than that of this version.
    """
    row = responses.after[responses.row(feature)].astype(np.float64)
    spread = float(row.std())
    if not spread:
        return ()
    known = {stimulus.id: place for place, stimulus in enumerate(battery().stimuli)}
    shown = battery_of(responses).stimuli
    places = np.argsort(-row, kind="stable")[:BEST]
    images = tuple(
        Image(
            f"{STIMULUS}/{NAME}/{known[shown[place].id]}",
            f"{shown[place].id}: {(row[place] - row.mean()) / spread:.1f} sd",
        )
        for place in places
    )
    return (Gallery("What it answers to most, of the battery's stimuli", images),)


def png(address: str) -> bytes:
    """Return the PNG of a stimulus by its address.

    Raises
    ------
    NotFoundError
        There is no such stimulus.

    Examples
    --------
    >>> png("stimulus/circuitkb-1/3")[:4]
    b'\\x89PNG'
    """
    from matplotlib.image import imsave

    found = _ADDRESS.fullmatch(address)
    shown = battery()
    if found is None or int(found[1]) >= len(shown):
        raise NotFoundError(f"There is no stimulus at {address!r}.")
    image = shown.images([int(found[1])], rows=SIDE, columns=SIDE)[0].transpose(1, 2, 0)
    file = io.BytesIO()
    said = {"Title": f"{NAME}: {shown.stimuli[int(found[1])].id}", "Software": tool()}
    pixels = np.round(image * 255).astype(np.uint8)
    imsave(file, pixels, format="png", metadata=said)
    return file.getvalue()

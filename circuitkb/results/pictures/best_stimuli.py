"""The stimuli that a feature answers to most, drawn as they were shown."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np

from circuitkb.observation.kept import battery_of
from circuitkb.observation.stimuli.battery import NAME, battery
from circuitkb.schema.errors import NotFoundError
from circuitkb.schema.provenance import tool
from circuitkb.schema.responses import Responses

BEST = 8
"""Stimuli of a feature that its card and page show."""

SIDE = 95
"""Rows and columns of a picture in pixels, from the middle of the stimulus."""

TITLE = "What it answers to most, of the battery's stimuli"


class BestStimulus(NamedTuple):
    """Where a stimulus stands in the battery, and what is said of it."""

    place: int
    caption: str


def best_stimuli(responses: Responses, feature: str) -> tuple[BestStimulus, ...]:
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
    return tuple(
        BestStimulus(
            known[shown[place].id],
            f"{shown[place].id}: {(row[place] - row.mean()) / spread:.1f} sd",
        )
        for place in np.argsort(-row, kind="stable")[:BEST]
    )


def stimulus_png(place: int) -> bytes:
    """Return the PNG of a stimulus by its place in the battery.

    Raises
    ------
    NotFoundError
        There is no such stimulus.

    Examples
    --------
    >>> stimulus_png(3)[:4]
    b'\\x89PNG'
    """
    from matplotlib.image import imsave

    shown = battery()
    if not 0 <= place < len(shown):
        raise NotFoundError(f"There is no stimulus {place} in {NAME}.")
    image = shown.images([place], rows=SIDE, columns=SIDE)[0].transpose(1, 2, 0)
    file = io.BytesIO()
    said = {"Title": f"{NAME}: {shown.stimuli[place].id}", "Software": tool()}
    imsave(file, np.round(image * 255).astype(np.uint8), format="png", metadata=said)
    return file.getvalue()

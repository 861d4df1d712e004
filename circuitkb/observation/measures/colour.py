"""Which units prefer coloured textures, or grey ones: noise of two smoothings, and pink noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from circuitkb.observation.measures.agreement import angle_statistic
from circuitkb.observation.measures.measure import PICTURE, Measure, Measured, Places, Words
from circuitkb.observation.measures.tuning import Family, family_of, stimuli_of
from circuitkb.observation.stimuli.contents import COLOUR_SMOOTHINGS
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.properties import given
from circuitkb.schema.responses import ResponseArray

PERIOD = 360.0
"""Coloured and grey lie opposite one another: at 0 and at 180 degrees."""


def textures(stimuli: Sequence[Stimulus]) -> tuple[Family, ...]:
    """Return noise of either smoothing, and pink noise: coloured and grey of each.

    Raises
    ------
    ObservationError
        The battery shows no colour.
    """
    found = tuple(
        family_of(
            kind,
            stimuli,
            which=partial(_is, kind=kind, smoothing=smoothing),
            level=lambda item: 0 if item.parameters["channels"] == "colour" else 180,
        )
        for kind, smoothing in (*(("noise", each) for each in COLOUR_SMOOTHINGS), ("pink noise", 0))
    )
    if any(len(family.levels) < 2 for family in found):
        raise ObservationError("Stimuli of one channel show no colour.")
    return found


def _is(item: Stimulus, kind: str, smoothing: float) -> bool:
    return item.kind == kind and item.number("smoothing") == smoothing


def texture_stimuli(stimuli: Sequence[Stimulus]) -> Places:
    """Return the places of all that is read: noise, grey and coloured, and flat grey.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> len(texture_stimuli(battery().stimuli))
    49
    """
    return stimuli_of(textures(stimuli), stimuli)


def _measured(responses: ResponseArray, stimuli: Sequence[Stimulus]) -> Measured:
    found = angle_statistic(responses, stimuli, textures(stimuli), period=PERIOD)
    coloured = found.nearest == 0
    preference = np.where(coloured, found.selectivity, -found.selectivity)
    return Measured(
        statistic=found.statistic,
        properties={"colour_preference": preference},
        detail={
            "preference": preference.round(4),
            "selectivity": found.selectivity.round(4),
            "amplitude": found.amplitude.round(4),
        },
        labels=np.where(coloured, "coloured texture", "grey texture").tolist(),
    )


def picture(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return three spots, coloured or grey.

    Examples
    --------
    >>> picture({"colour_preference": -0.5})[1]
    'prefers grey textures'
    """
    coloured = values["colour_preference"] > 0
    colours = ("#d1242f", "#2da44e", "#0969da") if coloured else ("#333", "#777", "#bbb")
    spots = "".join(
        f'<circle cx="{PICTURE * x:.1f}" cy="{PICTURE * y:.1f}" r="8" fill="{colour}"/>'
        for (x, y), colour in zip(((0.5, 0.3), (0.3, 0.66), (0.7, 0.66)), colours, strict=True)
    )
    return spots, f"prefers {'coloured' if coloured else 'grey'} textures"


COLOUR = Measure(
    name="colour",
    kind="colour-preference",
    version="1",
    counted="colour",
    properties=(
        given(
            "colour_preference",
            "float",
            "1 (coloured textures alone) to -1 (grey ones alone); only where it passed its null",
        ),
    ),
    reads=texture_stimuli,
    of=_measured,
    copies=1,
    neutral_evidence=False,
    words=Words(
        title="Coloured or grey textures",
        passed="units that prefer coloured textures, or grey ones",
        asked="A unit prefers coloured textures, or grey ones, if noise of two smoothings and pink "
        "noise agree on which, more than for units of the same layer in a shuffled copy",
        more="Which hue is another question; the measures of hue failed (`docs/observation.md`).",
        strength="selectivity",
        scale="from 0 to 1",
    ),
    picture=picture,
)

"""Which units prefer a direction of corners, beyond what any straight edge or line gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from circuitkb.observation.measures.agreement import angle_statistic, permuted_labels
from circuitkb.observation.measures.measure import PICTURE, Measure, Measured, Places, Words
from circuitkb.observation.measures.tuning import Family, family_of, stimuli_of
from circuitkb.observation.stimuli.contents import CORNER_ANGLES
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.properties import given
from circuitkb.schema.responses import ResponseArray

PERIOD = 360.0

STRAIGHT = ("edge", "line")


def corner_families(stimuli: Sequence[Stimulus]) -> tuple[Family, ...]:
    """Return the corners of either angle, by the direction that they open in."""
    return tuple(
        family_of(
            "corner",
            stimuli,
            which=partial(_is_corner, angle=angle),
            level=lambda item: item.number("direction"),
        )
        for angle in CORNER_ANGLES
    )


def _is_corner(item: Stimulus, angle: float) -> bool:
    return item.kind == "corner" and item.number("angle") == angle


def _straight(stimuli: Sequence[Stimulus]) -> Places:
    found = [i for i, item in enumerate(stimuli) if item.kind in STRAIGHT]
    if len({stimuli[i].kind for i in found}) < len(STRAIGHT):
        raise ObservationError("The battery lacks straight edges or lines: show larger images.")
    return np.array(found, np.intp)


def corner_stimuli(stimuli: Sequence[Stimulus]) -> Places:
    """Return the places of all that is read: corners, straight edges and lines, and flat grey.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> len(corner_stimuli(battery().stimuli))
    289
    """
    return np.union1d(stimuli_of(corner_families(stimuli), stimuli), _straight(stimuli))


def _measured(responses: ResponseArray, stimuli: Sequence[Stimulus]) -> Measured:
    families = corner_families(stimuli)
    found = angle_statistic(responses, stimuli, families, period=PERIOD, floor=_straight(stimuli))
    return Measured(
        statistic=found.statistic,
        properties={
            "corner_direction": found.preferred,
            "corner_selectivity": found.selectivity,
        },
        detail={
            "direction": found.preferred.round(2) % PERIOD,
            "selectivity": found.selectivity.round(4),
            "amplitude": found.amplitude.round(4),
        },
        labels=[f"corner direction {angle:g}°" for angle in found.nearest.tolist()],
        permuted=partial(permuted_labels, found),
    )


def picture(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return a wedge that opens in the preferred direction: 0 right, 90 up.

    Examples
    --------
    >>> picture({"corner_direction": 180})[1]
    'prefers corners that open at 180 degrees'
    """
    angle, middle = values["corner_direction"], PICTURE / 2
    ends = [
        f"{middle + side * math.cos(turn):.1f} {middle - side * math.sin(turn):.1f}"
        for side in (PICTURE / 2 - 4,)
        for turn in (math.radians(angle - 30), math.radians(angle + 30))
    ]
    wedge = f'<path d="M{middle:g} {middle:g}L{ends[0]}L{ends[1]}Z" fill="#333"/>'
    return wedge, f"prefers corners that open at {angle:.0f} degrees"


CORNER = Measure(
    name="corner",
    kind="corner-tuning",
    version="1",
    counted="cornered",
    properties=(
        given(
            "corner_direction",
            "float",
            "degrees that the corners open in which it prefers, 0 right, 90 up; "
            "only where it passed its nulls",
            period=PERIOD,
        ),
        given("corner_selectivity", "float", "0 (none) to 1 (one direction alone), likewise"),
    ),
    reads=corner_stimuli,
    of=_measured,
    copies=1,
    neutral_evidence=False,
    permutations=500,
    words=Words(
        title="Corners",
        passed="units that prefer a direction of corners",
        asked="A unit prefers a direction of corners if, beyond its response to any straight edge "
        "or line, corners of 45 and of 90 degrees agree on one, more than for units of the same "
        "layer in a shuffled copy, *and* more than with its directions permuted",
        more="That it detects corners does not follow: a spot off the centre with a surround "
        "is as good an account, and was not tested.",
        permuted="permuted directions",
        permutes="directions permuted within each angle of corners",
        strength="selectivity",
        scale="from 0 to 1",
    ),
    picture=picture,
)

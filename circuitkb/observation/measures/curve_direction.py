"""Which units prefer curves that bend one way: the same for bright arcs, dark arcs, curved edges.

A direction is where the centre of curvature lies. That a unit prefers one does not make it a
detector of curves: ``docs/observation.md`` has what straight lines off the centre do to these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from circuitkb.observation.measures.agreement import angle_statistic, permuted_labels
from circuitkb.observation.measures.measure import (
    PICTURE,
    Measure,
    Measured,
    Places,
    Words,
)
from circuitkb.observation.measures.tuning import Family, family_of, stimuli_of
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.properties import given
from circuitkb.schema.responses import ResponseArray

PERIOD = 360.0


def curved_families(
    stimuli: Sequence[Stimulus],
    level: Callable[[Stimulus], float] = lambda item: item.number("direction"),
) -> tuple[Family, ...]:
    """Return bright arcs, dark arcs and curved edges: by direction, all radii pooled, if not told.

    Raises
    ------
    ObservationError
        The battery lacks some.
    """
    wanted = (
        ("bright arc", "arc", (1,)),
        ("dark arc", "arc", (-1,)),
        ("curved edge", "curved edge", (1, -1)),
    )
    return tuple(
        family_of(
            name,
            stimuli,
            which=partial(_is, kind=kind, polarities=polarities),
            level=level,
        )
        for name, kind, polarities in wanted
    )


def _is(item: Stimulus, kind: str, polarities: Sequence[int]) -> bool:
    return item.kind == kind and item.number("polarity") in polarities


def curved_stimuli(stimuli: Sequence[Stimulus]) -> Places:
    """Return the places of all that is read: the three families and flat grey.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> len(curved_stimuli(battery().stimuli))
    385
    """
    return stimuli_of(curved_families(stimuli), stimuli)


def _measured(responses: ResponseArray, stimuli: Sequence[Stimulus]) -> Measured:
    found = angle_statistic(responses, stimuli, curved_families(stimuli), period=PERIOD)
    return Measured(
        statistic=found.statistic,
        properties={
            "curve_direction": found.preferred,
            "curve_selectivity": found.selectivity,
        },
        detail={
            "direction": found.preferred.round(2) % PERIOD,
            "selectivity": found.selectivity.round(4),
            "amplitude": found.amplitude.round(4),
        },
        labels=[f"curve direction {angle:g}°" for angle in found.nearest.tolist()],
        permuted=partial(permuted_labels, found),
    )


def picture(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return an arc that bends towards the preferred direction: 0 right, 90 up.

    Examples
    --------
    >>> picture({"curve_direction": 90})[1]
    'prefers curves whose centre lies at 90 degrees'
    """
    angle = math.radians(values["curve_direction"])
    middle, radius = PICTURE / 2, PICTURE / 2 - 8
    # The arc passes through the middle, as those shown do, and is moved back by half its depth.
    ends = [
        (
            middle + radius * (math.cos(angle) / 2 + math.cos(angle + turn)),
            middle - radius * (math.sin(angle) / 2 + math.sin(angle + turn)),
        )
        for turn in (math.pi / 2, -math.pi / 2)
    ]
    (x1, y1), (x2, y2) = ends
    arc = (
        f'<path d="M{x1:.1f} {y1:.1f}A{radius:g} {radius:g} 0 0 0 {x2:.1f} {y2:.1f}" '
        'fill="none" stroke="#333" stroke-width="4"/>'
    )
    return arc, f"prefers curves whose centre lies at {values['curve_direction']:.0f} degrees"


CURVE_DIRECTION = Measure(
    name="curve-direction",
    kind="curve-direction-tuning",
    version="1",
    counted="curved",
    properties=(
        given(
            "curve_direction",
            "float",
            "degrees of the centre of curvature of the curves it prefers, 0 right, 90 up; "
            "only where it passed its nulls",
            period=PERIOD,
        ),
        given("curve_selectivity", "float", "0 (none) to 1 (one direction alone), likewise"),
    ),
    reads=curved_stimuli,
    of=_measured,
    copies=1,
    neutral_evidence=False,
    permutations=500,
    words=Words(
        title="Curve direction",
        passed="units that prefer a direction of curves",
        asked="A unit prefers a direction of curves if bright arcs, dark arcs and curved edges "
        "agree on where their centre lies, more than for units of the same layer in a shuffled "
        "copy, *and* more than with its directions permuted",
        more="That it detects curves does not follow: in EfficientNet-Lite0, where a straight line "
        "along its curve lies that such a unit responds to most is the side of the centre in 40%, "
        "the side beyond the curve in 49%, the curve itself in 11%. `docs/observation.md`.",
        permuted="permuted directions",
        permutes="directions permuted within each family of curves",
        strength="selectivity",
        scale="from 0 to 1",
    ),
    picture=picture,
)

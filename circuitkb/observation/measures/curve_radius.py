"""Which units prefer a radius of curves, at the direction of curves that they prefer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from circuitkb.observation.measures.agreement import amplitude_of, angle_statistic
from circuitkb.observation.measures.curve_direction import CURVE_DIRECTION, PERIOD, curved_families
from circuitkb.observation.measures.measure import (
    PICTURE,
    Doubles,
    Measure,
    Measured,
    Places,
    Words,
)
from circuitkb.observation.measures.tuning import TuningCurves, stimuli_of, tuning_curves
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.properties import given
from circuitkb.schema.responses import ResponseArray


def _both(item: Stimulus) -> float:
    """Return radius and direction as one level: all directions of a radius, then the next."""
    return item.number("radius") * PERIOD + item.number("direction")


def radius_stimuli(stimuli: Sequence[Stimulus]) -> Places:
    """Return the places of all that is read: arcs, curved edges, and flat grey.

    Raises
    ------
    ObservationError
        The battery shows curves of one radius alone.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> len(radius_stimuli(battery().stimuli))
    385
    """
    families = curved_families(stimuli)
    if len({stimuli[place].number("radius") for place in families[0].stimuli}) < 2:
        raise ObservationError("The battery shows curves of one radius alone: show larger images.")
    return stimuli_of(families, stimuli)


def radius_curves(
    responses: ResponseArray, stimuli: Sequence[Stimulus]
) -> tuple[TuningCurves, ...]:
    """Return the curves of each family by radius, at the direction nearest to the preferred one."""
    by_direction = curved_families(stimuli)
    nearest = angle_statistic(responses, stimuli, by_direction, period=PERIOD).nearest
    directions = by_direction[0].levels
    column = np.searchsorted(directions, nearest)[:, None, None]
    curves = []
    for each in tuning_curves(responses, stimuli, curved_families(stimuli, _both)):
        grid = each.curve.reshape(len(responses), -1, len(directions))
        there = np.take_along_axis(grid, column, axis=2)[:, :, 0]
        radii = each.levels[:: len(directions)] // PERIOD
        curves.append(TuningCurves(each.family, radii, there, each.scale))
    return tuple(curves)


def agreement_of(curves: Sequence[TuningCurves]) -> Doubles:
    """Return how far families agree on a level, of levels that all differ alike.

    Levels are the corners of a simplex around 0, so that 1 is all families at one and the same
    level, 0 no preference, and less than 0 is other levels in other families.

    Examples
    --------
    >>> radii, one = np.array([10, 20], np.float32), np.ones(3, np.float32)
    >>> rows = np.array([[1, 0], [1, 1], [1, 0]], np.float32), np.array([[2, 0], [1, 0], [0, 1]])
    >>> agreement_of([TuningCurves("arc", radii, row.astype(np.float32), one) for row in rows])
    array([ 1.,  0., -1.])
    """
    shares = [each.normalised.astype(np.float64) for each in curves]
    levels, pairs = shares[0].shape[1], list(combinations(shares, 2))
    alike = sum((one * other).sum(axis=1) for one, other in pairs) / len(pairs)
    answered = np.all([share.any(axis=1) for share in shares], axis=0)
    agreement: Doubles = np.where(answered, (levels * alike - 1) / (levels - 1), 0)
    return agreement


def _measured(responses: ResponseArray, stimuli: Sequence[Stimulus]) -> Measured:
    curves = radius_curves(responses, stimuli)
    agreement = agreement_of(curves)
    amplitude = amplitude_of(curves, responses[:, radius_stimuli(stimuli)])
    best = np.sum([each.normalised for each in curves], axis=0).argmax(axis=1)
    radius = curves[0].levels[best].astype(np.float64)
    return Measured(
        statistic=agreement * amplitude,
        properties={"curve_radius": radius},
        detail={
            "radius": radius,
            "selectivity": np.sqrt(agreement.clip(0, 1)).round(4),
            "amplitude": amplitude.round(4),
        },
        labels=[f"curve radius {each:g}" for each in radius.tolist()],
    )


def picture(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return a circle of the preferred radius, a quarter of its size.

    Examples
    --------
    >>> picture({"curve_radius": 40.0})[1]
    'prefers curves of a radius of 40 pixels'
    """
    middle, radius = PICTURE / 2, values["curve_radius"]
    circle = (
        f'<circle cx="{middle:g}" cy="{middle:g}" r="{min(radius / 4, middle - 4):g}" fill="none" '
        'stroke="#333" stroke-width="3"/>'
    )
    return circle, f"prefers curves of a radius of {radius:g} pixels"


CURVE_RADIUS = Measure(
    name="curve-radius",
    kind="curve-radius-tuning",
    version="1",
    counted="curve_radius",
    properties=(
        given(
            "curve_radius",
            "float",
            "radius in pixels of the curves it prefers; only where it passed its null, and has a "
            "curve_direction",
        ),
    ),
    reads=radius_stimuli,
    of=_measured,
    copies=1,
    neutral_evidence=False,
    beside=CURVE_DIRECTION.name,
    words=Words(
        title="Curve radius",
        passed="units that prefer a radius of curves",
        asked="A unit prefers a radius if bright arcs, dark arcs and curved edges of the direction "
        "that it prefers agree on one, more than for units of the same layer in a shuffled copy, "
        "*and* if it passed as preferring a direction of curves",
        more="The copy is tested without the second condition.",
        strength="selectivity",
        scale="from 0 to 1",
    ),
    picture=picture,
)

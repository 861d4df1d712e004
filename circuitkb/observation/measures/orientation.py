"""Which units prefer an orientation: whether they do, the same one for gratings, lines and edges.

The statistic asks three things at once: whether a unit prefers an orientation, whether it is the
same one for gratings, lines and edges, and whether the unit responds to all three.
``docs/observation.md`` says why neither null would do alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from circuitkb.observation.measures.agreement import (
    AngleStatistic,
    angle_statistic,
    permuted_labels,
)
from circuitkb.observation.measures.measure import PICTURE, Measure, Measured, Words
from circuitkb.observation.measures.tuning import oriented_families, oriented_stimuli
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.properties import given
from circuitkb.schema.responses import ResponseArray

PERIOD = 180.0
"""Degrees: turned so far, a line is the same line."""


def orientation_statistic(responses: ResponseArray, stimuli: Sequence[Stimulus]) -> AngleStatistic:
    """Return the statistic of each unit.

    Parameters
    ----------
    responses
        Axes (unit, stimulus), before the nonlinearity.
    stimuli
        Those of the battery, in the order of the columns.
    """
    return angle_statistic(responses, stimuli, oriented_families(stimuli), period=PERIOD)


def label_text(orientation: float) -> str:
    """Return the label of a unit that prefers an orientation.

    Examples
    --------
    >>> label_text(45.0)
    'orientation 45°'
    """
    return f"orientation {orientation:g}°"


def _measured(responses: ResponseArray, stimuli: Sequence[Stimulus]) -> Measured:
    found = orientation_statistic(responses, stimuli)
    scale = {curves.family: curves.scale.astype(np.float64) for curves in found.curves}
    return Measured(
        statistic=found.statistic,
        properties={
            "orientation": found.preferred,
            "orientation_selectivity": found.selectivity,
        },
        detail={
            "orientation": found.preferred.round(2) % 180,
            "selectivity": found.selectivity.round(4),
            "amplitude": found.amplitude.round(4),
            "wavelength": scale["grating"],
            "width": scale["line"],
        },
        labels=[label_text(angle) for angle in found.nearest.tolist()],
        permuted=partial(permuted_labels, found),
    )


def picture(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return a line at the preferred angle: 0 horizontal, 45 rising to the right.

    Examples
    --------
    >>> picture({"orientation": 0})[1]
    'prefers lines at 0 degrees'
    """
    angle = math.radians(values["orientation"])
    middle, reach = PICTURE / 2, PICTURE / 2 - 4
    dx, dy = reach * math.cos(angle), reach * math.sin(angle)
    line = (
        f'<line x1="{middle - dx:.1f}" y1="{middle + dy:.1f}" x2="{middle + dx:.1f}" '
        f'y2="{middle - dy:.1f}" stroke="#333" stroke-width="4"/>'
    )
    return line, f"prefers lines at {values['orientation']:.0f} degrees"


ORIENTATION = Measure(
    name="orientation",
    kind="orientation-tuning",
    version="1",
    counted="oriented",
    properties=(
        given(
            "orientation",
            "float",
            "degrees of the lines it prefers, 0 horizontal, 45 rising to the right; "
            "only where it passed its nulls",
            indexed=True,
            period=PERIOD,
        ),
        given(
            "orientation_selectivity",
            "float",
            "0 (none) to 1 (one orientation alone), likewise",
        ),
    ),
    reads=oriented_stimuli,
    of=_measured,
    words=Words(
        title="Orientation",
        passed="units that prefer an orientation",
        asked="A unit prefers an orientation if gratings, lines and edges agree on one, more than "
        "for units of the same layer in shuffled copies, *and* more than with its orientations "
        "permuted",
        more="`docs/observation.md` has the statistic.",
        permuted="permuted orientations",
        permutes="orientation labels permuted within each family of stimuli",
        strength="selectivity",
        scale="from 0 to 1",
    ),
    picture=picture,
)

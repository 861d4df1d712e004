"""Which units prefer an orientation: whether they do, the same one for gratings, lines and edges.

The statistic asks three things at once: whether a unit prefers an orientation, whether it is the
same one for gratings, lines and edges, and whether the unit responds to all three.
``docs/observation.md`` says why neither null would do alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.measures.measure import PICTURE, Doubles, Measure, Measured, Words
from circuitkb.observation.measures.responsiveness import blocks, spread_of
from circuitkb.observation.measures.tuning import (
    FAMILIES,
    TuningCurves,
    doubled,
    oriented_stimuli,
    tuning_curves,
)
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.properties import given
from circuitkb.schema.responses import ResponseArray

_TIE = 1e-5
"""Draws this close below the value count as reaching it: what is flat has only rounding."""

_PAIRS = tuple(combinations(range(len(FAMILIES)), 2))

Real = TypeVar("Real", np.float32, np.float64)


@dataclass(frozen=True, eq=False)
class OrientationStatistic:
    """The statistic of each unit, and what it is made of; arrays have the axis (unit,).

    Attributes
    ----------
    curves
        Tuning curves, one table for each family.
    agreement
        Mean over the three pairs of families of ``Re(v conj(w))``, where v and w are the mean
        vectors of the two: 1 where all three have one and the same orientation alone, about 0
        without preference, negative where families prefer orientations across one another.
    amplitude
        The smallest of the three curves' peaks, in standard deviations of the unit's responses to
        the stimuli of the three families.
    preferred
        Degrees in [0, 180): half the angle of the mean of the three vectors.
    """

    curves: tuple[TuningCurves, ...]
    agreement: Doubles
    amplitude: Doubles
    preferred: Doubles

    @property
    def statistic(self) -> Doubles:
        """Agreement times amplitude."""
        return self.agreement * self.amplitude

    @property
    def selectivity(self) -> Doubles:
        """Root of the agreement, comparable to the length of a mean vector: 0 (none) to 1."""
        selectivity: Doubles = np.sqrt(self.agreement.clip(0, 1))
        return selectivity

    @property
    def nearest(self) -> NDArray[np.float32]:
        """The orientation shown that is nearest to the preferred one."""
        shown = self.curves[0].orientations
        apart = np.abs(self.preferred[:, None] - shown)
        nearest: NDArray[np.float32] = shown[np.minimum(apart, 180 - apart).argmin(axis=1)]
        return nearest


def orientation_statistic(
    responses: ResponseArray, stimuli: Sequence[Stimulus]
) -> OrientationStatistic:
    """Return the statistic of each unit.

    Parameters
    ----------
    responses
        Axes (unit, stimulus), before the nonlinearity.
    stimuli
        Those of the battery, in the order of the columns.
    """
    curves = tuning_curves(responses, stimuli)
    vectors = np.stack([each.mean_vector for each in curves]).astype(np.complex128)
    peak = np.stack([each.peak for each in curves]).min(axis=0).astype(np.float64)
    # Of these stimuli alone, so that a copy which is shown no others can be measured too.
    spread = spread_of(responses[:, oriented_stimuli(stimuli)])
    return OrientationStatistic(
        curves=curves,
        agreement=_agreement(vectors.real, vectors.imag),
        amplitude=np.divide(peak, spread, out=np.zeros_like(peak), where=spread > 0),
        # Twice, since a rounding error below 0 becomes 180 itself.
        preferred=np.rad2deg(np.angle(vectors.sum(axis=0))) / 2 % 180 % 180,
    )


def permuted_labels(found: OrientationStatistic, seed: int, draws: int) -> tuple[Doubles, Doubles]:
    """Return p and mean of the statistic with permuted orientation labels, axes (unit,).

    Each draw permutes the orientations of each family by itself, jointly for all its stimuli.
    Best scale, peak and spread stay as they are then: permuting a curve's columns is the same.
    All units see the same permutations.
    """
    random = np.random.default_rng(seed)
    real, imaginary = [], []
    for curves in found.curves:
        labels = np.tile(doubled(curves.orientations), (draws, 1))
        permuted = random.permuted(labels, axis=1).T
        real.append(np.ascontiguousarray(permuted.real))
        imaginary.append(np.ascontiguousarray(permuted.imag))
    normalised = [curves.normalised for curves in found.curves]
    reached, mean = np.empty(len(found.agreement)), np.empty(len(found.agreement))
    for units in blocks(len(reached)):
        drawn = _agreement(
            [curve[units] @ labels for curve, labels in zip(normalised, real, strict=True)],
            [curve[units] @ labels for curve, labels in zip(normalised, imaginary, strict=True)],
        )
        value = found.agreement[units].astype(np.float32) - np.float32(_TIE)
        reached[units] = (drawn >= value[:, None]).sum(axis=1)
        mean[units] = drawn.mean(axis=1)
    # Without amplitude the statistic is 0 whatever the labels are.
    reached[found.amplitude == 0] = draws
    return (1 + reached) / (1 + draws), mean * found.amplitude


def _agreement(
    real: Sequence[NDArray[Real]] | NDArray[Real],
    imaginary: Sequence[NDArray[Real]] | NDArray[Real],
) -> NDArray[Real]:
    """Return the mean of Re(v conj(w)) over all pairs of families, the first axis of both."""
    agreement: NDArray[Real] = np.zeros_like(real[0])
    for one, other in _PAIRS:
        agreement += real[one] * real[other] + imaginary[one] * imaginary[other]
    agreement /= len(_PAIRS)
    return agreement


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
            period=180.0,
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

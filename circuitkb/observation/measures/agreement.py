"""Whether families of stimuli agree on an angle: the statistic of orientation and of directions.

The statistic asks three things at once: whether a unit prefers an angle, whether it is the same one
for all families, and whether the unit responds to all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.measures.measure import Doubles
from circuitkb.observation.measures.responsiveness import blocks, spread_of
from circuitkb.observation.measures.tuning import (
    Family,
    TuningCurves,
    stimuli_of,
    tuning_curves,
    unit_vectors,
)
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.responses import ResponseArray

_TIE = 1e-5
"""Draws this close below the value count as reaching it: what is flat has only rounding."""

Real = TypeVar("Real", np.float32, np.float64)


@dataclass(frozen=True, eq=False)
class AngleStatistic:
    """The statistic of each unit, and what it is made of; arrays have the axis (unit,).

    Attributes
    ----------
    curves
        Tuning curves, one table for each family.
    period
        Degrees after which angles are the same again.
    agreement
        Mean over the pairs of families of ``Re(v conj(w))``, where v and w are the mean vectors of
        the two: 1 where all have one and the same angle alone, about 0 without preference,
        negative where families prefer opposite angles.
    amplitude
        The smallest of the curves' peaks, in standard deviations of the unit's responses to the
        stimuli of the families.
    preferred
        Degrees in [0, period): the angle of the mean of the vectors.
    """

    curves: tuple[TuningCurves, ...]
    period: float
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
        """The angle shown that is nearest to the preferred one."""
        shown = self.curves[0].levels
        apart = np.abs(self.preferred[:, None] - shown)
        nearest: NDArray[np.float32] = shown[np.minimum(apart, self.period - apart).argmin(axis=1)]
        return nearest


def angle_statistic(
    responses: ResponseArray,
    stimuli: Sequence[Stimulus],
    families: Sequence[Family],
    *,
    period: float,
    floor: NDArray[np.intp] | None = None,
) -> AngleStatistic:
    """Return the statistic of each unit.

    Parameters
    ----------
    responses
        Axes (unit, stimulus), before the nonlinearity.
    stimuli
        Those of the battery, in the order of the columns.
    families
        Their levels are angles.
    period
        Degrees after which these are the same again.
    floor
        As in :func:`~circuitkb.observation.measures.tuning.tuning_curves`.
    """
    curves = tuning_curves(responses, stimuli, families, floor=floor)
    vectors = np.stack([each.mean_vector(period) for each in curves]).astype(np.complex128)
    return AngleStatistic(
        curves=curves,
        period=period,
        agreement=_agreement(vectors.real, vectors.imag),
        amplitude=amplitude_of(curves, responses[:, stimuli_of(families, stimuli)]),
        # Twice, since a rounding error below 0 becomes the period itself.
        preferred=np.rad2deg(np.angle(vectors.sum(axis=0))) / (360 / period) % period % period,
    )


def amplitude_of(curves: Sequence[TuningCurves], read: ResponseArray) -> Doubles:
    """Return the smallest peak, in standard deviations of what was read; 0 where nothing varies.

    These stimuli alone, so that a copy which is shown no others can be measured too.
    """
    peak = np.stack([each.peak for each in curves]).min(axis=0).astype(np.float64)
    spread = spread_of(read)
    amplitude: Doubles = np.divide(peak, spread, out=np.zeros_like(peak), where=spread > 0)
    return amplitude


def permuted_labels(found: AngleStatistic, seed: int, draws: int) -> tuple[Doubles, Doubles]:
    """Return p and mean of the statistic with permuted angles, axes (unit,).

    Each draw permutes the angles of each family by itself, jointly for all its stimuli.
    Best scale, peak and spread stay as they are then: permuting a curve's columns is the same.
    All units see the same permutations.
    """
    random = np.random.default_rng(seed)
    real, imaginary = [], []
    for curves in found.curves:
        labels = np.tile(unit_vectors(curves.levels, found.period), (draws, 1))
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
    pairs = list(combinations(range(len(real)), 2))
    for one, other in pairs:
        agreement += real[one] * real[other] + imaginary[one] * imaginary[other]
    agreement /= len(pairs)
    return agreement

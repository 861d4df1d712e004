"""Which units prefer an orientation, against two nulls: shuffled weights and permuted labels.

The statistic asks three things at once: whether a unit prefers an orientation, whether it is the
same one for gratings, lines and edges, and whether the unit answers to all three.
``docs/observation.md`` says why neither null would do alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.measures.activity import moved
from circuitkb.observation.measures.nulls import Doubles, corrected, share_reached
from circuitkb.observation.measures.tuning import (
    FAMILIES,
    TuningCurves,
    blocks,
    doubled,
    oriented_stimuli,
    tuning_curves,
)
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.responses import Answers, Responses

METHOD = "orientation-tuning"
VERSION = "1"

RATE = 0.05
"""False discovery rate within each layer."""

PERMUTATIONS = 2_000
"""Draws from the null of permuted labels."""

_TIE = 1e-5
"""Draws this close below the value count as reaching it: what is flat has only rounding."""

_PAIRS = tuple(combinations(range(len(FAMILIES)), 2))

Real = TypeVar("Real", np.float32, np.float64)
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class OrientationMeasure:
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
        The smallest of the three curves' peaks, in standard deviations of the unit's answers to
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


@dataclass(frozen=True, eq=False)
class OrientationTuning:
    """Orientation of every unit of a model, with both nulls; arrays have the axis (unit,).

    Attributes
    ----------
    layers
        Name and number of units of each layer, as in the responses.
    measure
        The statistic and its parts.
    answers
        Whether any stimulus moved the unit, before and after the nonlinearity.
    spread
        Standard deviation of its answers to the battery, after the nonlinearity.
    p_shuffled, p_permuted
        Share of the units of the same layer with shuffled weights, and of the permutations of
        orientation labels, that reach its statistic; NaN where the unit does not answer.
    q
        The larger p, corrected for false discovery over the units of the layer that answer.
    shuffled_mean, permuted_mean
        Mean statistic under either null.
    shuffled_count, tested
        How many units with shuffled weights, and how many with real ones, answer in the layer.
    permutations, seed
        Number of the permutations and their seed.
    """

    layers: tuple[tuple[str, int], ...]
    measure: OrientationMeasure
    answers: Flags
    spread: Doubles
    p_shuffled: Doubles
    p_permuted: Doubles
    q: Doubles
    shuffled_mean: Doubles
    permuted_mean: Doubles
    shuffled_count: Counts
    tested: Counts
    permutations: int
    seed: int

    @property
    def p(self) -> Doubles:
        """The larger p: both nulls must be beaten."""
        return np.maximum(self.p_shuffled, self.p_permuted)

    @property
    def passed(self) -> Flags:
        """Units that prefer an orientation beyond both nulls."""
        passed: Flags = self.q <= RATE  # NaN, of units that do not answer, is not
        return passed

    @property
    def shuffled_decides(self) -> Flags:
        """Units whose larger p is that of shuffled weights."""
        decides: Flags = self.p_shuffled >= self.p_permuted
        return decides


def orientation_measure(answers: Answers, stimuli: Sequence[Stimulus]) -> OrientationMeasure:
    """Return the statistic of each unit.

    Parameters
    ----------
    answers
        Axes (unit, stimulus), before the nonlinearity.
    stimuli
        Those of the battery, in the order of the columns.
    """
    curves = tuning_curves(answers, stimuli)
    vectors = np.stack([each.mean_vector for each in curves]).astype(np.complex128)
    peak = np.stack([each.peak for each in curves]).min(axis=0).astype(np.float64)
    # Of these stimuli alone, so that a copy which is shown no others can be measured too.
    spread = spread_of(answers[:, oriented_stimuli(stimuli)])
    return OrientationMeasure(
        curves=curves,
        agreement=_agreement(vectors.real, vectors.imag),
        amplitude=np.divide(peak, spread, out=np.zeros_like(peak), where=spread > 0),
        # Twice, since a rounding error below 0 becomes 180 itself.
        preferred=np.rad2deg(np.angle(vectors.sum(axis=0))) / 2 % 180 % 180,
    )


def measure_orientation(
    responses: Responses,
    stimuli: Sequence[Stimulus],
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    more_shuffled: Mapping[str, Sequence[Answers]] | None = None,
) -> OrientationTuning:
    """Measure the orientation of every unit and hold it against both nulls.

    Parameters
    ----------
    responses
        Answers to the battery.
    stimuli
        Those of the battery, in the order of the columns of the responses.
    seed, permutations
        Seed and number of the permutations of orientation labels.
    more_shuffled
        For some layers, further answers before the nonlinearity, axes (unit, stimulus), each
        array from another shuffling of the weights; to all stimuli, or to those of
        :func:`~circuitkb.observation.measures.tuning.oriented_stimuli` alone. No p can be below
        1 / (1 + units in the pool), so a small layer cannot pass with one shuffling.

    Raises
    ------
    ObservationError
        The stimuli are not those of the responses, the answers of a layer are not finite, or
        ``more_shuffled`` names an unknown layer or has another number of stimuli.
    """
    oriented = [stimuli[place] for place in oriented_stimuli(stimuli)]
    _check(responses, stimuli, oriented, more_shuffled or {})
    measure = orientation_measure(responses.before, stimuli)
    shuffled = orientation_measure(responses.shuffled_before, stimuli).statistic
    p_permuted, permuted_mean = permuted_labels(measure, seed=seed, draws=permutations)
    units = len(responses.before)
    answers = np.zeros(units, bool)
    p_shuffled, q, shuffled_mean = (np.full(units, np.nan) for _ in range(3))
    shuffled_count, tested = (np.zeros(units, np.int64) for _ in range(2))
    for name, rows in responses.rows.items():
        here = moved(responses.before[rows]) & moved(responses.after[rows])
        pools = [shuffled[rows][moved(responses.shuffled_before[rows])]]
        for more in (more_shuffled or {}).get(name, ()):
            shown = stimuli if more.shape[1] == len(stimuli) else oriented
            pools.append(orientation_measure(more, shown).statistic[moved(more)])
        pool = np.concatenate(pools)
        answers[rows] = here
        p_shuffled[rows] = share_reached(measure.statistic[rows], pool)
        q[rows][here] = corrected(np.maximum(p_shuffled, p_permuted)[rows][here])
        shuffled_mean[rows] = pool.mean() if len(pool) else np.nan
        shuffled_count[rows] = len(pool)
        tested[rows] = here.sum()
    return OrientationTuning(
        layers=responses.layers,
        measure=measure,
        answers=answers,
        spread=spread_of(responses.after),
        p_shuffled=np.where(answers, p_shuffled, np.nan),
        p_permuted=np.where(answers, p_permuted, np.nan),
        q=q,
        shuffled_mean=shuffled_mean,
        permuted_mean=permuted_mean,
        shuffled_count=shuffled_count,
        tested=tested,
        permutations=permutations,
        seed=seed,
    )


def permuted_labels(
    measure: OrientationMeasure, *, seed: int, draws: int
) -> tuple[Doubles, Doubles]:
    """Return p and mean of the statistic with permuted orientation labels, axes (unit,).

    Each draw permutes the orientations of each family by itself, jointly for all its stimuli.
    Best scale, peak and spread stay as they are then: permuting a curve's columns is the same.
    All units see the same permutations.
    """
    random = np.random.default_rng(seed)
    real, imaginary = [], []
    for curves in measure.curves:
        labels = np.tile(doubled(curves.orientations), (draws, 1))
        permuted = random.permuted(labels, axis=1).T
        real.append(np.ascontiguousarray(permuted.real))
        imaginary.append(np.ascontiguousarray(permuted.imag))
    normalised = [curves.normalised for curves in measure.curves]
    reached, mean = np.empty(len(measure.agreement)), np.empty(len(measure.agreement))
    for units in blocks(len(reached)):
        drawn = _agreement(
            [curve[units] @ labels for curve, labels in zip(normalised, real, strict=True)],
            [curve[units] @ labels for curve, labels in zip(normalised, imaginary, strict=True)],
        )
        value = measure.agreement[units].astype(np.float32) - np.float32(_TIE)
        reached[units] = (drawn >= value[:, None]).sum(axis=1)
        mean[units] = drawn.mean(axis=1)
    # Without amplitude the statistic is 0 whatever the labels are.
    reached[measure.amplitude == 0] = draws
    return (1 + reached) / (1 + draws), mean * measure.amplitude


def spread_of(answers: Answers) -> Doubles:
    """Return the standard deviation of each unit's answers, axes (unit,)."""
    spread = np.empty(len(answers))
    for units in blocks(len(answers)):
        spread[units] = answers[units].std(axis=1, dtype=np.float64)
    return spread


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


def _check(
    responses: Responses,
    stimuli: Sequence[Stimulus],
    oriented: Sequence[Stimulus],
    more_shuffled: Mapping[str, Sequence[Answers]],
) -> None:
    if len(stimuli) != len(responses.stimuli):
        raise ObservationError(
            f"The responses are to {len(responses.stimuli)} stimuli, not to these {len(stimuli)}."
        )
    for name, rows in responses.rows.items():
        for array in (responses.before, responses.after, responses.shuffled_before):
            if not np.isfinite(array[rows]).all():
                raise ObservationError(
                    f"Some answers of layer {name!r} are not finite: observe the model again."
                )
    for name, arrays in more_shuffled.items():
        if name not in responses.rows:
            raise ObservationError(f"More shuffled answers for {name!r}, which is no layer here.")
        for array in arrays:
            if array.ndim != 2 or array.shape[1] not in (len(stimuli), len(oriented)):
                raise ObservationError(
                    f"More shuffled answers for {name!r} have shape {array.shape}, where the "
                    f"second axis should be {len(stimuli)} or {len(oriented)} stimuli."
                )

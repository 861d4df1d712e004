"""The shape of a target's tuning: a peak at each of its two cases, flat, or something else.

Mirrored inputs may be among the strongest of a unit that responds to what either responds to, and
the unit may still have one peak between them, or none. Its tuning curve tells. The curve is read
in the family of stimuli, and at the angle, that both cases like most: one at the angle, the other
at its image. Sizes, phases and offsets are settings: responses are averaged over them, and their
spread gives each difference of two angles its error. ``docs/discovery.md`` has what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.angled_stimuli import AngledFamily, Doubles, angled_families
from circuitkb.motifs.by_responses.coupled_responses import Rows
from circuitkb.observation.stimuli.stimulus import Stimulus

TWO_PEAKS, FLAT, BETWEEN, OTHER = "two peaks", "flat", "between", "other"
SHAPES = (TWO_PEAKS, FLAT, BETWEEN, OTHER)

SMALL = 0.1
"""Differences below this share of the range of a unit's responses are no modulation."""

_LEAST_SETTINGS = 2


@dataclass(frozen=True)
class Tuning:
    """A target's tuning between two cases.

    Attributes
    ----------
    shape
        One of :data:`SHAPES`.
    family, angles
        Stimuli that the curve is read in, and the angles in degrees of the first case and of the
        second, its image.
    cases, midway
        Mean responses of the target there, and midway between the two: on both ways round.
    error
        Largest standard error of a difference of the two.
    """

    shape: str
    family: str
    angles: tuple[float, float]
    cases: tuple[float, float]
    midway: tuple[float, float]
    error: float

    def reversed(self) -> Tuning:
        """Return the same with the cases in the other order."""
        return replace(self, angles=self.angles[::-1], cases=self.cases[::-1])


def tunings(
    responses: NDArray[Any],
    stimuli: Sequence[Stimulus],
    permutation: NDArray[Any],
    circuits: Rows,
) -> list[Tuning | None]:
    """Return the tuning of each circuit's target; None where the stimuli cannot tell.

    They cannot where the cases themselves answer alike to the angle that they like most and to its
    image: to spots, say, and to little else.

    Parameters
    ----------
    responses
        Axes (unit, stimulus), after the nonlinearity.
    stimuli, permutation
        What was shown, and for each stimulus the place of its image.
    circuits
        Rows of the target and of both cases, axes (circuit, 3).
    """
    found: list[Tuning | None] = [None] * len(circuits)
    units, member = np.unique(circuits, return_inverse=True)
    target, one, other = member.reshape(-1, 3).T
    own = responses[units].astype(np.float64)
    size = np.ptp(own, axis=1)
    scaled = own / np.where(size > 0, size, 1)[:, None]
    read = [_Read.of(family, scaled, permutation) for family in angled_families(stimuli)]
    families = [family for family in read if family is not None]
    if not families or not len(circuits):
        return found
    liked, angles = zip(*(family.liked(one, other) for family in families), strict=True)
    best = np.argmax(liked, axis=0)
    for place, family in enumerate(families):
        here = np.flatnonzero(best == place)
        for angle in np.unique(angles[place][here]).tolist():
            chosen = here[angles[place][here] == angle]
            chosen = chosen[family.tells(angle, one[chosen], other[chosen])]
            for circuit, tuning in zip(
                chosen.tolist(),
                family.tunings(angle, target[chosen], size[target[chosen]]),
                strict=True,
            ):
                found[circuit] = tuning
    return found


def shape_of(cases: Doubles, midway: Doubles) -> tuple[str, float]:
    """Return the shape of one tuning, and the largest error of a difference.

    Parameters
    ----------
    cases, midway
        Responses at both cases, and midway between them on both ways round, as shares of the
        range of the unit's responses; axes (2, setting).

    Examples
    --------
    >>> low, high = np.zeros(3), np.array([0.4, 0.5, 0.6])
    >>> for cases, midway in (((high, high), (low, low)), ((low, low), (high, low)),
    ...                       ((high, high), (high, high)), ((high, low), (low, low))):
    ...     print(shape_of(np.array(cases), np.array(midway))[0])
    two peaks
    between
    flat
    other
    """
    apart = (cases[:, None] - midway[None]).reshape(4, -1)
    difference = apart.mean(axis=1)
    error = apart.std(axis=1, ddof=1) / np.sqrt(apart.shape[1])
    at, between = cases.mean(axis=1), midway.mean(axis=1)
    largest = float(error.max())
    if np.ptp([*at, *between]) < SMALL or (np.abs(difference) <= error).all():
        return FLAT, largest
    if (difference > error).all():
        return TWO_PEAKS, largest
    return (BETWEEN if between.max() >= at.max() else OTHER), largest


@dataclass(frozen=True, eq=False)
class _Read:
    """The tuning curves of some units in one family; axes (unit, angle, setting)."""

    family: AngledFamily
    image: Rows
    curves: Doubles

    @classmethod
    def of(
        cls, family: AngledFamily, responses: Doubles, permutation: NDArray[Any]
    ) -> _Read | None:
        image = family.images(permutation)
        if image is None or family.places.shape[1] < _LEAST_SETTINGS:
            return None
        return cls(family, image, family.curves(responses))

    def liked(self, one: Rows, other: Rows) -> tuple[Doubles, Rows]:
        """Return how much the cases like the angle that they like most, and its place."""
        mean = self.curves.mean(axis=2)
        both: Doubles = mean[one] + mean[other][:, self.image]
        both[:, self.image == np.arange(len(self.image))] = -np.inf
        return both.max(axis=1), both.argmax(axis=1)

    def tells(self, angle: int, one: Rows, other: Rows) -> NDArray[np.bool_]:
        """Return whether the cases differ between an angle and its image by more than a trace."""
        mean, image = self.curves.mean(axis=2), int(self.image[angle])
        apart = mean[one, angle] - mean[one, image] + mean[other, image] - mean[other, angle]
        found: NDArray[np.bool_] = apart / 2 > SMALL
        return found

    def tunings(self, angle: int, targets: Rows, size: Doubles) -> list[Tuning]:
        """Return the tunings of some targets whose cases like an angle and its image most."""
        image, around = int(self.image[angle]), len(self.image)
        ahead = (image - angle) % around
        midway = [(angle + ahead // 2) % around, (image + (around - ahead) // 2) % around]
        shown = self.family.angles
        found = []
        for target, scale in zip(targets.tolist(), size.tolist(), strict=True):
            curve = self.curves[target]
            shape, error = shape_of(curve[[angle, image]], curve[midway])
            mean = (curve.mean(axis=1) * scale).tolist()
            found.append(
                Tuning(
                    shape,
                    self.family.name,
                    (float(shown[angle]), float(shown[image])),
                    (mean[angle], mean[image]),
                    (mean[midway[0]], mean[midway[1]]),
                    error * scale,
                )
            )
        return found

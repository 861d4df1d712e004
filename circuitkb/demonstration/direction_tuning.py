"""Tuning curves by direction, all round the circle: what shows that two units are mirror images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.observation.stimuli.symmetry import symmetry_named

Values = NDArray[np.float64]

FAMILIES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "curves": (("arc", "curved edge"), "arcs and curved edges, by the direction of their centre"),
    "edges": (("edge",), "edges, by the direction of their bright side"),
    "lines": (("line",), "lines, by orientation"),
    "gratings": (("grating",), "gratings, by orientation"),
}
"""Stimuli that are shown in all directions, by name: their kinds, and what is said of them."""


@dataclass(frozen=True, eq=False)
class DirectedFamily:
    """Stimuli of a battery that differ in direction and little else.

    Attributes
    ----------
    name, words
        Short and long name.
    angles
        Degrees counter-clockwise from pointing right, ascending, in [0, 360). Lines and gratings
        stand at both ends of their orientation.
    stimuli
        For each angle, the places of its stimuli in the battery.
    """

    name: str
    words: str
    angles: Values
    stimuli: tuple[NDArray[np.intp], ...]

    def curves(self, responses: Values, grey: int) -> Values:
        """Return how strongly units respond in each direction, axes (unit, angle); never negative.

        Root mean square over the stimuli of a direction of the excitation above the response to
        flat grey, in standard deviations of the unit's responses to the whole battery; 0 for units
        that never respond.

        Parameters
        ----------
        responses
            Axes (unit, stimulus).
        grey
            Place of the flat grey stimulus.
        """
        spread = responses.std(axis=1, keepdims=True)
        above = np.divide(
            np.clip(responses - responses[:, [grey]], 0, None),
            spread,
            out=np.zeros_like(responses),
            where=spread > 0,
        )
        return np.stack(
            [np.sqrt((above[:, places] ** 2).mean(axis=1)) for places in self.stimuli], axis=1
        )

    def mirrored(self, curve: Values) -> Values:
        """Return a curve as a left-right mirror shows it."""
        mirror = symmetry_named("mirror left-right")
        places = {float(angle): place for place, angle in enumerate(self.angles)}
        return curve[[places[mirror.angle(float(angle))] for angle in self.angles]]


def directed_families(stimuli: Sequence[Stimulus]) -> tuple[DirectedFamily, ...]:
    """Return those of the families that a battery has, in order."""
    found = []
    for name, (kinds, words) in FAMILIES.items():
        places: dict[float, list[int]] = {}
        for place, item in enumerate(stimuli):
            if item.kind not in kinds:
                continue
            if "direction" in item.parameters:
                places.setdefault(item.number("direction"), []).append(place)
            else:
                for half in (0, 180):
                    places.setdefault(item.number("orientation") + half, []).append(place)
        if places:
            angles = sorted(places)
            chosen = tuple(np.array(places[angle], np.intp) for angle in angles)
            found.append(DirectedFamily(name, words, np.array(angles), chosen))
    return tuple(found)


def gain_by_mirroring(one: Values, other: Values, family: DirectedFamily) -> float:
    """Return what the correlation of two curves gains when one is mirrored, from -2 to 2.

    0 where a curve is flat: it has no direction.

    Examples
    --------
    >>> angles = np.arange(0.0, 360, 45)
    >>> family = DirectedFamily("edges", "edges", angles, ())
    >>> right = np.array([1.0, 0, 0, 0, 0, 0, 0, 0])
    >>> left = np.roll(right, 4)
    >>> round(gain_by_mirroring(right, left, family), 3), gain_by_mirroring(right, 0 * left, family)
    (1.143, 0.0)
    """
    if not one.std() or not other.std():
        return 0.0
    mirrored, plain = (np.corrcoef(first, other)[0, 1] for first in (family.mirrored(one), one))
    return float(mirrored - plain)

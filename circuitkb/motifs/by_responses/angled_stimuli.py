"""Stimuli that a battery shows at many angles, arranged so that tuning curves can be read off.

A *family* is one kind of stimuli in one contrast, as in bright arcs. Its *settings* are what else
differs in it: sizes, phases, offsets. No setting depends on the angle, and none on a symmetry of
the square: stimuli that a symmetry takes for one another (a grating of phase 90 and of 270, a line
right and left of the centre) are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.stimuli.stimulus import Stimulus

Doubles = NDArray[np.float64]
Places = NDArray[np.intp]

SIZES = {
    "grating": "wavelength",
    "line": "width",
    "edge": "width",
    "arc": "radius",
    "curved edge": "radius",
}
"""Kinds of stimuli that are shown at many angles in several sizes, and what their size is.

Corners, edges of texture and edges of colour have two settings each: no spread to speak of.
"""


@dataclass(frozen=True, eq=False)
class AngledFamily:
    """One kind of stimuli in one contrast, at all its angles.

    Attributes
    ----------
    kind, contrast
        ``contrast`` is 1 (bright), -1 (dark), or 0 where the kind has no polarity.
    angles
        Degrees, ascending: orientations in [0, 180), or directions in [0, 360).
    places
        Of the stimuli in the battery, axes (angle, setting, 2): both that are averaged, or one
        twice.
    """

    kind: str
    contrast: int
    angles: Doubles
    places: Places

    @property
    def name(self) -> str:
        """What is shown, as in ``bright arcs``."""
        contrast = {1: "bright ", -1: "dark ", 0: ""}[self.contrast]
        return f"{contrast}{self.kind}s"

    def curves(self, responses: NDArray[Any]) -> Doubles:
        """Return tuning curves, axes (unit, angle, setting), of responses (unit, stimulus)."""
        one, other = (responses[:, self.places[..., end]].astype(np.float64) for end in (0, 1))
        found: Doubles = (one + other) / 2
        return found

    def images(self, permutation: NDArray[Any]) -> Places | None:
        """Return for each angle the place of the one that the images of its stimuli have.

        ``permutation`` has the place of each stimulus's image. None where images are of another
        family or have no angle of their own.
        """
        angle_of = {
            int(place): angle for angle, held in enumerate(self.places) for place in held.ravel()
        }
        found = [angle_of.get(int(permutation[held[0, 0]])) for held in self.places]
        return None if None in found else np.array(found, np.intp)

    @property
    def opposite(self) -> Places | None:
        """For each direction the place of the opposite one; None for orientations."""
        places = {float(angle): place for place, angle in enumerate(self.angles)}
        found = [places.get((angle + 180) % 360) for angle in self.angles.tolist()]
        return None if None in found else np.array(found, np.intp)


def angled_families(stimuli: Sequence[Stimulus]) -> tuple[AngledFamily, ...]:
    """Return the families of a battery, in its order.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> for family in angled_families(battery().stimuli)[:4]:
    ...     print(family.name, len(family.angles), family.places.shape[1])
    gratings 12 15
    bright lines 12 4
    dark lines 12 4
    edges 24 4
    """
    held: dict[tuple[str, int], dict[Any, dict[float, list[int]]]] = {}
    for place, item in enumerate(stimuli):
        if item.kind in SIZES:
            settings = held.setdefault((item.kind, int(item.number("polarity"))), {})
            settings.setdefault(_setting(item), {}).setdefault(_angle(item), []).append(place)
    found = []
    for (kind, contrast), settings in held.items():
        angles = sorted(next(iter(settings.values())))
        cells = [[by_angle[angle] for by_angle in settings.values()] for angle in angles]
        places = np.array([[[cell[0], cell[-1]] for cell in row] for row in cells], np.intp)
        found.append(AngledFamily(kind, contrast, np.array(angles), places))
    return tuple(found)


def _angle(item: Stimulus) -> float:
    return item.number("orientation" if "orientation" in item.parameters else "direction")


def _setting(item: Stimulus) -> tuple[float, ...]:
    """Return what else differs, alike for stimuli that are symmetric to one another."""
    offset, phase = item.number("offset"), item.number("phase")
    if "orientation" in item.parameters:
        # The side that they count towards changes with the orientation.
        offset, phase = abs(offset), min(phase, 360 - phase)
    return item.number(SIZES[item.kind]), offset, phase

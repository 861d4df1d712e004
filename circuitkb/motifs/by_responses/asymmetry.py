"""What it is that makes two mirrored cases differ: tilt, curve side, edge side or shift; in words.

Stimuli that the mirror, half a turn and a change of polarity take for one another are an *orbit*.
Each asymmetry gives the stimuli of an orbit signs: a line that leans right and one that leans left
differ in tilt; the arcs ``(`` and ``)`` have one tilt and differ in curve side. A case is on one
side of an asymmetry as far as its responses go with the signs. Which asymmetry separates two cases
best is asked relative to the shuffled copy, whose units are asymmetric too: to lines more than to
curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.angled_stimuli import Doubles
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.observation.measures.tuning import orientation_of
from circuitkb.observation.stimuli.stimulus import Stimulus, stimulus
from circuitkb.observation.stimuli.symmetry import symmetry_named

TILT, CURVE_SIDE, EDGE_SIDE, SHIFT = "tilt", "curve side", "edge side", "shift"
ASYMMETRIES = (TILT, CURVE_SIDE, EDGE_SIDE, SHIFT)

AXES = ("left-right", "up-down")
"""Of the mirrors whose sides have words."""

_WORDS = {
    TILT: dict.fromkeys(AXES, ("leans left \\", "leans right /")),
    CURVE_SIDE: {
        "left-right": ("opens to the left", "opens to the right"),
        "up-down": ("opens downwards", "opens upwards"),
    },
    EDGE_SIDE: {
        "left-right": ("bright on the left", "bright on the right"),
        "up-down": ("bright below", "bright above"),
    },
    SHIFT: {
        "left-right": ("left of the centre", "right of the centre"),
        "up-down": ("below the centre", "above the centre"),
    },
}
"""What a case answers to that is on the negative side of an asymmetry, and on the positive one."""

_USUAL = 0.95
"""Share of the shuffled copy's units that are less asymmetric than what separations are told by."""


@dataclass(frozen=True)
class Asymmetry:
    """What makes two mirrored cases differ.

    Attributes
    ----------
    name
        One of :data:`ASYMMETRIES`.
    facing
        What each of the two cases answers to more than to its mirror image, in words.
    ratio
        How far it separates them, over the asymmetry of the shuffled copy's units of the same
        layers: that of the most asymmetric 5%.
    """

    name: str
    facing: tuple[str, str]
    ratio: float


class Asymmetries:
    """The asymmetries of one mirror, as contrasts of stimuli.

    Parameters
    ----------
    stimuli
        What was shown.
    axis
        Of the mirror: ``left-right`` or ``up-down``.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> found = Asymmetries(battery().stimuli, "left-right")
    >>> responses = np.zeros((2, 1165))
    >>> for unit, angle in enumerate((45, 135)):
    ...     liked = [f"line {angle} width 2 bright offset 0" in s.id for s in battery().stimuli]
    ...     responses[unit, liked] = 1
    >>> found.of(responses, dict.fromkeys(ASYMMETRIES, 1.0)).facing
    ('leans right /', 'leans left \\\\')
    """

    def __init__(self, stimuli: Sequence[Stimulus], axis: str) -> None:
        self.axis = axis
        orbit = _orbits(stimuli, axis)
        self.contrasts: dict[str, Doubles] = {}
        for name in ASYMMETRIES:
            sign = np.array([_side(name, item, axis) for item in stimuli])
            rows = []
            for place in np.unique(orbit[sign != 0]):
                here = np.where(orbit == place, sign, 0.0)
                rows.append(here / np.abs(here).sum())
            if rows:
                self.contrasts[name] = np.array(rows)

    def sizes(self, responses: Doubles) -> dict[str, Doubles]:
        """Return for each asymmetry how large it is in each unit; axes (unit, stimulus)."""
        return {
            name: np.sqrt(((responses @ contrast.T) ** 2).mean(axis=1))
            for name, contrast in self.contrasts.items()
        }

    def of(self, cases: Doubles, usual: dict[str, float]) -> Asymmetry | None:
        """Return what separates two cases best; None where nothing here does.

        Parameters
        ----------
        cases
            Responses of both, each in units of its spread; axes (2, stimulus).
        usual
            For each asymmetry its size in the shuffled copy.
        """
        apart = self.sizes((cases[:1] - cases[1:]) / 2)
        ratio = {name: float(size[0]) / max(usual[name], 1e-6) for name, size in apart.items()}
        if not ratio or max(ratio.values()) == 0:
            return None
        name = max(ratio, key=lambda each: ratio[each])
        lean = cases @ self.contrasts[name].sum(axis=0)
        words = _WORDS[name][self.axis]
        facing = (words[0], words[1]) if lean[0] < lean[1] else (words[1], words[0])
        return Asymmetry(name, facing, ratio[name])


def asymmetries(
    stimuli: Sequence[Stimulus],
    axis: str,
    pairs: Rows,
    responses: CoupledResponses,
    shuffled: CoupledResponses,
) -> list[Asymmetry | None]:
    """Return what makes each of some mirrored pairs, given by rows (pair, 2), differ."""
    known = Asymmetries(stimuli, axis)
    names = list(responses.layers)
    sizes: dict[int, dict[str, Doubles]] = {}
    found = []
    for pair, layers in zip(pairs, responses.layer_of(pairs), strict=True):
        for layer in set(layers.tolist()) - sizes.keys():
            sizes[layer] = known.sizes(_scaled(shuffled, shuffled.measurable_rows(names[layer])))
        usual = {}
        for name in known.contrasts:
            every = np.concatenate([sizes[layer][name] for layer in layers.tolist()])
            usual[name] = float(np.quantile(every, _USUAL)) if len(every) else 0.0
        found.append(known.of(_scaled(responses, pair), usual))
    return found


def _scaled(responses: CoupledResponses, rows: Rows) -> Doubles:
    own = responses.shown[rows].astype(np.float64)
    spread = own.std(axis=1, keepdims=True)
    scaled: Doubles = own / np.where(spread > 0, spread, 1)
    return scaled


def _side(name: str, item: Stimulus, axis: str) -> float:
    """Return on which side of an asymmetry a stimulus is: 1 for right or up, -1, or 0."""
    across = cos if axis == "left-right" else sin
    direction = _sign(across(radians(item.number("direction"))))
    if name == TILT and item.kind in ("line", "grating", "edge", "arc", "curved edge"):
        return _sign(sin(radians(2 * orientation_of(item))))
    if name == CURVE_SIDE and item.kind in ("arc", "curved edge"):
        return direction
    if name == EDGE_SIDE and item.kind in ("edge", "curved edge"):
        return direction * (item.number("polarity") or 1)
    if name == SHIFT and item.kind == "line":
        # Offsets count towards what is left of someone who goes along the line.
        return _sign(item.number("offset") * across(radians(item.number("orientation") + 90)))
    return 0.0


def _sign(value: float) -> float:
    return float(np.sign(round(value, 9)))


def _orbits(stimuli: Sequence[Stimulus], axis: str) -> NDArray[Any]:
    """Return for each stimulus the number of its orbit."""
    places = {item.id: place for place, item in enumerate(stimuli)}
    orbit = np.full(len(stimuli), -1)
    moves = [symmetry_named(name) for name in (f"mirror {axis}", "rotate 180")]
    for place in range(len(stimuli)):
        waiting = [place] if orbit[place] < 0 else []
        while waiting:
            here = waiting.pop()
            orbit[here] = place
            item = stimuli[here]
            images = [item.transformed(move) for move in moves]
            if item.kind == "curved edge":
                images.append(
                    stimulus(item.kind, **{**item.parameters, "polarity": -item.number("polarity")})
                )
            near = [places[image.id] for image in images if image.id in places]
            waiting += [other for other in near if orbit[other] < 0]
    return orbit

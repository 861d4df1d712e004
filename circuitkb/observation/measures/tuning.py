"""Tuning curves: how strongly each unit responds to families of stimuli, by what varies in them.

Those of orientation are to gratings, lines and edges. Orientations are those of the lines on the
screen, in degrees counter-clockwise from horizontal: 0 is horizontal, 45 rises to the right, 90 is
vertical.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.measures.responsiveness import blocks
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.responses import ResponseArray

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

FAMILIES: Mapping[str, str] = {"grating": "wavelength", "line": "width", "edge": "width"}
"""Kinds of stimuli with an orientation, and the parameter that is their scale."""

GREY = 0.5
"""Luminance of the flat stimulus that responses are measured from."""


@dataclass(frozen=True, eq=False)
class Family:
    """Stimuli of one kind, as a grid of scales and of levels of what is asked for.

    Attributes
    ----------
    name
        What they are.
    levels
        What they have of it, ascending: degrees of orientations in [0, 180), say.
    scales
        Wavelengths or widths in pixels, ascending; each unit is taken at the one that it likes
        best. One scale where there is no such choice.
    stimuli
        Their places in the battery.
    cells
        For each of them, its cell ``scale * len(levels) + level``; those that differ in what is
        neither, such as phase, offset or polarity, share one.
    """

    name: str
    levels: Floats
    scales: Floats
    stimuli: Indices
    cells: Indices

    def averaging(self) -> Floats:
        """Return the matrix that averages over the stimuli of each cell, axes (stimulus, cell)."""
        matrix = np.zeros((len(self.stimuli), len(self.scales) * len(self.levels)))
        matrix[np.arange(len(self.stimuli)), self.cells] = 1
        average: Floats = (matrix / matrix.sum(axis=0)).astype(np.float32)
        return average


@dataclass(frozen=True, eq=False)
class TuningCurves:
    """How units respond to one family, by level, each unit at the scale it likes best.

    Attributes
    ----------
    family
        Name of the family.
    levels
        As the family has them.
    curve
        Axes (unit, level): root mean square, over all stimuli of a level, of the excitation above
        the response to flat grey, in the units of the responses; never negative.
    scale
        For each unit the scale that holds its largest value.
    """

    family: str
    levels: Floats
    curve: Floats
    scale: Floats

    @property
    def peak(self) -> Floats:
        """Largest value of each unit's curve."""
        peak: Floats = self.curve.max(axis=1)
        return peak

    @property
    def normalised(self) -> Floats:
        """Curves that sum to 1; a unit that nothing in the family excites keeps zeros."""
        sums = self.curve.sum(axis=1, keepdims=True)
        shares: Floats = np.divide(self.curve, sums, out=np.zeros_like(self.curve), where=sums > 0)
        return shares

    def mean_vector(self, period: float) -> NDArray[np.complex64]:
        """Return the mean of the levels as unit vectors: length 0 (no preference) to 1.

        Parameters
        ----------
        period
            Degrees after which levels are the same again: 180 for orientations. The preferred one
            is ``period / 360`` times the angle of the vector.

        Examples
        --------
        >>> angles = np.array([0, 45, 90, 135], np.float32)
        >>> curve = np.array([[0, 1, 0, 0], [1, 1, 1, 1]], np.float32)
        >>> curves = TuningCurves("grating", angles, curve, np.array([8, 8], np.float32))
        >>> vectors = curves.mean_vector(180)
        >>> np.abs(vectors).round(3)
        array([1., 0.], dtype=float32)
        >>> np.rad2deg(np.angle(vectors[0])) / 2
        np.float32(45.0)
        """
        return self.normalised @ unit_vectors(self.levels, period)


def unit_vectors(degrees: Floats, period: float) -> NDArray[np.complex64]:
    """Return angles as unit vectors, once round the circle in ``period`` degrees.

    Examples
    --------
    >>> unit_vectors(np.array([0, 90], np.float32), 180).real
    array([ 1., -1.], dtype=float32)
    """
    turns = 360 / period * 1j * np.deg2rad(degrees.astype(np.float64))
    return np.exp(turns).astype(np.complex64)


def orientation_of(stimulus: Stimulus) -> float:
    """Return the orientation of a stimulus's lines, in degrees in [0, 180).

    An edge has a ``direction``, towards its bright side; its line runs across it.

    Raises
    ------
    ObservationError
        It has neither orientation nor direction.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.stimulus import stimulus
    >>> orientation_of(stimulus("edge", direction=0))
    90.0
    """
    if "orientation" in stimulus.parameters:
        return stimulus.number("orientation") % 180
    if "direction" in stimulus.parameters:
        return (stimulus.number("direction") + 90) % 180
    raise ObservationError(f"{stimulus.id!r} has neither orientation nor direction.")


def family_of(
    name: str,
    stimuli: Sequence[Stimulus],
    *,
    which: Callable[[Stimulus], bool],
    level: Callable[[Stimulus], float],
    scale: Callable[[Stimulus], float] = lambda _: 0.0,
) -> Family:
    """Return some stimuli of a battery as a grid.

    Parameters
    ----------
    which
        Says which stimuli belong to it.
    level, scale
        What they have of it.

    Raises
    ------
    ObservationError
        There is none, or one of the levels at some scale is missing.
    """
    places = np.array([i for i, item in enumerate(stimuli) if which(item)], np.intp)
    if not len(places):
        raise ObservationError(
            f"The battery has no stimulus of kind {name!r}, without which this cannot be "
            "measured: show larger images."
        )
    members = [stimuli[i] for i in places]
    levels, column = np.unique(
        np.array([level(item) for item in members], np.float32), return_inverse=True
    )
    scales, row = np.unique(
        np.array([scale(item) for item in members], np.float32), return_inverse=True
    )
    cells = row * len(levels) + column
    if len(np.unique(cells)) < len(scales) * len(levels):
        raise ObservationError(f"The battery does not show every {name} of each kind and size.")
    return Family(name, levels, scales, places, cells)


def oriented_families(stimuli: Sequence[Stimulus]) -> tuple[Family, ...]:
    """Return the gratings, lines and edges of a battery as grids.

    Raises
    ------
    ObservationError
        A family is missing, or lacks an orientation at some scale.
    """
    return tuple(
        family_of(
            kind,
            stimuli,
            which=lambda item, kind=kind: item.kind == kind,  # type: ignore[misc]
            level=orientation_of,
            scale=lambda item, scale=scale: item.number(scale),  # type: ignore[misc]
        )
        for kind, scale in FAMILIES.items()
    )


def grey_of(stimuli: Iterable[Stimulus]) -> int:
    """Return the place of the flat grey stimulus; raises :class:`ObservationError` without one."""
    for place, item in enumerate(stimuli):
        if item.kind == "flat" and item.number("luminance") == GREY:
            return place
    raise ObservationError(f"The battery has no flat stimulus of luminance {GREY}.")


def stimuli_of(families: Iterable[Family], stimuli: Sequence[Stimulus]) -> Indices:
    """Return the places of all that tuning curves of families read: these and flat grey."""
    return np.unique(np.concatenate([*(each.stimuli for each in families), [grey_of(stimuli)]]))


def oriented_stimuli(stimuli: Sequence[Stimulus]) -> Indices:
    """Return the places of all that orientation reads: its three families and flat grey, in order.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> len(oriented_stimuli(battery().stimuli))
    481
    """
    return stimuli_of(oriented_families(stimuli), stimuli)


def tuning_curves(
    responses: ResponseArray,
    stimuli: Sequence[Stimulus],
    families: Sequence[Family] | None = None,
    *,
    floor: Indices | None = None,
) -> tuple[TuningCurves, ...]:
    """Return the tuning curves of all units, one table for each family.

    Parameters
    ----------
    responses
        Axes (unit, stimulus), before the nonlinearity.
    stimuli
        Those of the battery, in the order of the columns.
    families
        Gratings, lines and edges by orientation, if none are given.
    floor
        Places of further stimuli: what does not exceed the response to each of them and to grey is
        no excitation.
    """
    families = oriented_families(stimuli) if families is None else families
    below = np.append(np.array([] if floor is None else floor, np.intp), grey_of(stimuli))
    averaging = [family.averaging() for family in families]
    curves = [np.empty((len(responses), len(f.levels)), np.float32) for f in families]
    scales = [np.empty(len(responses), np.float32) for _ in families]
    for units in blocks(len(responses)):
        from_grey = responses[units].astype(np.float32)
        from_grey -= from_grey[:, below].max(axis=1, keepdims=True)
        for family, average, curve, scale in zip(families, averaging, curves, scales, strict=True):
            excitation = from_grey[:, family.stimuli].clip(min=0)
            square = (excitation**2) @ average
            by_scale = square.reshape(-1, len(family.scales), len(family.levels))
            best = by_scale.max(axis=2).argmax(axis=1)
            curve[units] = np.sqrt(by_scale[np.arange(len(best)), best])
            scale[units] = family.scales[best]
    return tuple(
        TuningCurves(f.name, f.levels, curve, scale)
        for f, curve, scale in zip(families, curves, scales, strict=True)
    )

"""Tuning curves: how strongly each unit responds to gratings, lines and edges, by orientation.

Orientations are those of the lines on the screen, in degrees counter-clockwise from horizontal:
0 is horizontal, 45 rises to the right, 90 is vertical.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
class OrientedFamily:
    """The stimuli of one kind, as a grid of scales and orientations.

    Attributes
    ----------
    name
        Their kind.
    orientations
        Degrees in [0, 180), ascending.
    scales
        Wavelengths or widths in pixels, ascending.
    stimuli
        Their places in the battery.
    cells
        For each of them, its cell ``scale * len(orientations) + orientation``; those that differ
        in phase, offset or polarity alone share one.
    """

    name: str
    orientations: Floats
    scales: Floats
    stimuli: Indices
    cells: Indices

    def averaging(self) -> Floats:
        """Return the matrix that averages over the stimuli of each cell, axes (stimulus, cell)."""
        matrix = np.zeros((len(self.stimuli), len(self.scales) * len(self.orientations)))
        matrix[np.arange(len(self.stimuli)), self.cells] = 1
        average: Floats = (matrix / matrix.sum(axis=0)).astype(np.float32)
        return average


@dataclass(frozen=True, eq=False)
class TuningCurves:
    """How units respond to one family, by orientation, each unit at the scale it likes best.

    Attributes
    ----------
    family
        Kind of the stimuli.
    orientations
        Degrees in [0, 180), ascending.
    curve
        Axes (unit, orientation): root mean square over phases, offsets and polarities of the
        excitation above the response to flat grey, in the units of the responses; never negative.
    scale
        For each unit the wavelength or width in pixels that holds its largest value.
    """

    family: str
    orientations: Floats
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

    @property
    def mean_vector(self) -> NDArray[np.complex64]:
        """Mean of ``exp(2i orientation)`` under the curve: length 0 (no preference) to 1.

        Half of its angle is the preferred orientation.

        Examples
        --------
        >>> angles = np.array([0, 45, 90, 135], np.float32)
        >>> curve = np.array([[0, 1, 0, 0], [1, 1, 1, 1]], np.float32)
        >>> curves = TuningCurves("grating", angles, curve, np.array([8, 8], np.float32))
        >>> np.abs(curves.mean_vector).round(3)
        array([1., 0.], dtype=float32)
        >>> np.rad2deg(np.angle(curves.mean_vector[0])) / 2
        np.float32(45.0)
        """
        return self.normalised @ doubled(self.orientations)


def doubled(orientations: Floats) -> NDArray[np.complex64]:
    """Return ``exp(2i orientation)``: turned by 180 degrees, a line is the same line.

    Examples
    --------
    >>> doubled(np.array([0, 90], np.float32)).real
    array([ 1., -1.], dtype=float32)
    """
    return np.exp(2j * np.deg2rad(orientations.astype(np.float64))).astype(np.complex64)


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


def oriented_families(stimuli: Sequence[Stimulus]) -> tuple[OrientedFamily, ...]:
    """Return the gratings, lines and edges of a battery as grids.

    Raises
    ------
    ObservationError
        A family is missing, or lacks an orientation at some scale.
    """
    return tuple(_family(stimuli, name, scale) for name, scale in FAMILIES.items())


def _family(stimuli: Sequence[Stimulus], name: str, scale: str) -> OrientedFamily:
    places = np.array([i for i, item in enumerate(stimuli) if item.kind == name], np.intp)
    if not len(places):
        raise ObservationError(
            f"The battery has no stimulus of kind {name!r}, without which orientation cannot be "
            "measured: show larger images."
        )
    members = [stimuli[i] for i in places]
    orientations, column = np.unique(
        np.array([orientation_of(item) for item in members], np.float32), return_inverse=True
    )
    scales, row = np.unique(
        np.array([item.number(scale) for item in members], np.float32),
        return_inverse=True,
    )
    cells = row * len(orientations) + column
    if len(np.unique(cells)) < len(scales) * len(orientations):
        raise ObservationError(
            f"The battery does not show every {name} at each {scale} and orientation."
        )
    return OrientedFamily(name, orientations, scales, places, cells)


def grey_of(stimuli: Iterable[Stimulus]) -> int:
    """Return the place of the flat grey stimulus; raises :class:`ObservationError` without one."""
    for place, item in enumerate(stimuli):
        if item.kind == "flat" and item.number("luminance") == GREY:
            return place
    raise ObservationError(f"The battery has no flat stimulus of luminance {GREY}.")


def oriented_stimuli(stimuli: Sequence[Stimulus]) -> NDArray[np.intp]:
    """Return the places of all that tuning curves read: the three families and flat grey, in order.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> len(oriented_stimuli(battery().stimuli))
    481
    """
    families = [family.stimuli for family in oriented_families(stimuli)]
    return np.sort(np.concatenate([*families, [grey_of(stimuli)]]))


def tuning_curves(
    responses: ResponseArray, stimuli: Sequence[Stimulus]
) -> tuple[TuningCurves, ...]:
    """Return the tuning curves of all units, one table for each family.

    Parameters
    ----------
    responses
        Axes (unit, stimulus), before the nonlinearity.
    stimuli
        Those of the battery, in the order of the columns.

    Returns
    -------
    tuple of TuningCurves
        For gratings, lines and edges, in this order.
    """
    families = oriented_families(stimuli)
    grey = grey_of(stimuli)
    averaging = [family.averaging() for family in families]
    curves = [np.empty((len(responses), len(f.orientations)), np.float32) for f in families]
    scales = [np.empty(len(responses), np.float32) for _ in families]
    for units in blocks(len(responses)):
        from_grey = responses[units].astype(np.float32)
        from_grey -= from_grey[:, [grey]]
        for family, average, curve, scale in zip(families, averaging, curves, scales, strict=True):
            excitation = from_grey[:, family.stimuli].clip(min=0)
            square = (excitation**2) @ average
            by_scale = square.reshape(-1, len(family.scales), len(family.orientations))
            best = by_scale.max(axis=2).argmax(axis=1)
            curve[units] = np.sqrt(by_scale[np.arange(len(best)), best])
            scale[units] = family.scales[best]
    return tuple(
        TuningCurves(f.name, f.orientations, curve, scale)
        for f, curve, scale in zip(families, curves, scales, strict=True)
    )

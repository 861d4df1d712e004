"""The inputs of one unit, read from all kernels: which they are, and how strong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from circuitkb.trials.single_changes import Unit


class UnitInputs(NamedTuple):
    """Inputs of a unit, each once.

    Attributes
    ----------
    units
        The sources, in the order of the connections.
    strength
        Positive mass of all kernels between the two, times the spread of the source.
    l1
        Sum of the magnitudes of these kernels.
    """

    units: tuple[Unit, ...]
    strength: NDArray[np.float64]
    l1: NDArray[np.float64]


def inputs_of(connections: Sequence[Connection], responses: Responses, target: Unit) -> UnitInputs:
    """Return the inputs of a unit that were observed and have a kernel that is not zero.

    Examples
    --------
    >>> units = np.zeros((1, 1), np.int32), np.array([[0, 1]], np.int32)
    >>> kernel = np.array([3, -1, -2, 0], np.float32).reshape(1, 1, 2, 1, 2)
    >>> one = Connection("c0", "a", "b", "direct", *units, kernel)
    >>> shown = np.array([[1, 3], [0, 1], [2, 1]], np.float32)
    >>> responses = Responses("b1", ("s", "t"), (("a", 2), ("b", 1)), *[shown] * 4, {})
    >>> found = inputs_of([one], responses, Unit("b", 0))
    >>> list(map(str, found.units)), found.strength.tolist(), found.l1.tolist()
    (['a:0', 'a:1'], [3.0, 0.0], [4.0, 2.0])
    """
    masses: dict[Unit, list[float]] = {}
    for one in connections:
        if one.target != target.layer or one.source not in responses.rows:
            continue
        for group, out in np.argwhere(one.target_units == target.unit).tolist():
            kernel = np.asarray(one.kernel[group, out], np.float64)
            positive = np.maximum(kernel, 0).sum(axis=(1, 2)).tolist()
            sizes = np.abs(kernel).sum(axis=(1, 2)).tolist()
            for unit, mass, size in zip(
                one.source_units[group].tolist(), positive, sizes, strict=True
            ):
                held = masses.setdefault(Unit(one.source, unit), [0.0, 0.0])
                held[0] += mass
                held[1] += size
    units = tuple(unit for unit, (_, size) in masses.items() if size > 0)
    rows = [responses.rows[unit.layer].start + unit.unit for unit in units]
    spread = np.asarray(responses.after[rows], np.float64).std(axis=1) if rows else np.empty(0)
    both = np.array([masses[unit] for unit in units]).reshape(-1, 2)
    return UnitInputs(units, both[:, 0] * spread, both[:, 1])

"""The inputs of one unit, read from all kernels: which they are, and how strong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from circuitkb.trials.single_changes import Unit

Places = NDArray[np.intp]
Masses = NDArray[np.float64]


class UnitInputs(NamedTuple):
    """Inputs of a unit, each once, in the order of the connections.

    Attributes
    ----------
    rows
        Of the sources in the responses.
    strength
        Positive mass of all kernels between the two, times the spread of the source.
    l1, net
        Sum of the magnitudes of these kernels, and of their values.
    """

    rows: Places
    strength: Masses
    l1: Masses
    net: Masses


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
    >>> found.rows.tolist(), found.strength.tolist(), found.l1.tolist(), found.net.tolist()
    ([0, 1], [3.0, 0.0], [4.0, 2.0], [2.0, -2.0])
    """
    sources, masses = [np.empty(0, np.intp)], [np.empty((0, 3))]
    for one in connections:
        if one.target != target.layer or one.source not in responses.rows:
            continue
        start = responses.rows[one.source].start
        for group, out in np.argwhere(one.target_units == target.unit).tolist():
            kernel = np.asarray(one.kernel[group, out], np.float64)
            sums = [
                part.sum(axis=(1, 2)) for part in (np.maximum(kernel, 0), np.abs(kernel), kernel)
            ]
            sources.append(start + one.source_units[group].astype(np.intp))
            masses.append(np.stack(sums, axis=1))
    every, first, place = np.unique(np.concatenate(sources), return_index=True, return_inverse=True)
    total = np.zeros((len(every), 3))
    np.add.at(total, place, np.concatenate(masses))
    order = np.argsort(first)
    order = order[total[order, 1] > 0]
    rows, (positive, l1, net) = every[order], total[order].T
    spread = np.asarray(responses.after[rows], np.float64).std(axis=1) if len(rows) else 0.0
    return UnitInputs(rows, positive * spread, l1, net)


def unit_of(responses: Responses, row: int) -> Unit:
    """Return which unit a row of some responses belongs to.

    Examples
    --------
    >>> shown = np.zeros((3, 1), np.float32)
    >>> unit_of(Responses("b1", ("s",), (("a", 2), ("b", 1)), *[shown] * 4, {}), 2)
    Unit(layer='b', unit=0)
    """
    layer, rows = next((name, some) for name, some in responses.rows.items() if row < some.stop)
    return Unit(layer, row - rows.start)

"""Masses of all kernels into the units of one layer, as matrices, each kernel read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.similarity import blocks
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.motifs.motif import Sign
from circuitkb.schema.kernels import Connection, Floats

INPUT = "input"
"""The layer of pixels, which are no detectors."""

LEAST_INPUTS = 10
"""Inputs that a target needs for the strongest of them to mean anything."""

_Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class InputMasses:
    """Edges from the units that respond to some units of one layer.

    Attributes
    ----------
    target
        Name of the layer.
    targets, sources
        Rows of the units in
        :class:`~circuitkb.motifs.by_responses.coupled_responses.CoupledResponses`.
    mass
        By sign, axes (target, source), never below 0: sum of the kernel's values of this sign,
        over all connections that join the two.
    edge
        Axes (target, source): whether some kernel between the two is not zero.
    count
        For each target: its inputs.
    """

    target: str
    targets: Rows
    sources: Rows
    mass: Mapping[Sign, Floats]
    edge: _Flags
    count: Rows

    def take(self, chosen: _Flags) -> InputMasses:
        """Return the same for some of the targets."""
        return InputMasses(
            self.target,
            self.targets[chosen],
            self.sources,
            {sign: mass[chosen] for sign, mass in self.mass.items()},
            self.edge[chosen],
            self.count[chosen],
        )


def usable(into: Sequence[Connection], responses: CoupledResponses) -> list[Connection]:
    """Return the connections whose sources are features that were observed."""
    return [c for c in into if c.source != INPUT and c.source in responses.layers]


def most_inputs(into: Sequence[Connection]) -> int:
    """Return how many inputs a unit can have at most, without reading a kernel."""
    return sum(
        int(np.unique(c.target_units, return_counts=True)[1].max(initial=0)) * c.kernel.shape[2]
        for c in into
    )


def read_masses(
    into: Sequence[Connection], responses: CoupledResponses, signs: Sequence[Sign]
) -> InputMasses:
    """Read all kernels into one layer, which must have been observed.

    Memory: for each sign one number in single precision, and one flag, for each pair of a unit
    that responds in this layer and one in a source layer.

    Parameters
    ----------
    into
        Connections into the layer, at least one, as :func:`usable` leaves them.
    responses
        Only its units that respond become targets and sources.
    signs
        Masses to read.

    Examples
    --------
    >>> layers = {"a": slice(0, 2), "b": slice(2, 3)}
    >>> responses = CoupledResponses.of(
    ...     np.array([[1, 0], [0, 1], [2, 1]], np.float32), layers, np.array([0]), np.array([1]))
    >>> units = np.zeros((1, 1), np.int32), np.array([[0, 1]], np.int32)
    >>> kernel = np.array([3, -1, -2, 0], np.float32).reshape(1, 1, 2, 1, 2)
    >>> c = Connection("c0", "a", "b", "direct", *units, kernel)
    >>> found = read_masses([c, c], responses, ["excites"])
    >>> found.mass["excites"].tolist(), found.edge.tolist(), found.count.tolist()
    ([[6.0, 0.0]], [[True, True]], [2])
    """
    target = into[0].target
    targets = responses.measurable_rows(target)
    names = dict.fromkeys(c.source for c in into)
    sources = np.concatenate([responses.measurable_rows(name) for name in names])
    row, column = np.full((2, len(responses.measurable)), -1, np.intp)
    row[targets], column[sources] = np.arange(len(targets)), np.arange(len(sources))
    mass = {sign: np.zeros((len(targets), len(sources)), np.float32) for sign in signs}
    edge = np.zeros((len(targets), len(sources)), bool)
    for connection in into:
        rows = row[responses.layers[target]][connection.target_units]
        columns = column[responses.layers[connection.source]][connection.source_units]
        if len(rows) == 1 and _once(rows[0]) and _once(columns[0]):
            _add_dense(connection.kernel[0], rows[0], columns[0], mass, edge)
        else:
            _add_grouped(connection.kernel, rows, columns, mass, edge)
    return InputMasses(target, targets, sources, mass, edge, np.count_nonzero(edge, axis=1))


def _once(places: Rows) -> bool:
    used = places[places >= 0]
    return len(np.unique(used)) == len(used)


def _add_dense(
    kernel: NDArray[Any], row: Rows, column: Rows, mass: Mapping[Sign, Floats], edge: _Flags
) -> None:
    """Add kernels with axes (out, in, row, column), each to a place of its own."""
    (out,), (into,) = np.nonzero(row >= 0), np.nonzero(column >= 0)
    for part in blocks(len(out), int(np.prod(kernel.shape[1:]))):
        read = kernel[out[part]][:, into]
        place = np.ix_(row[out[part]], column[into])
        for sign, total in mass.items():
            total[place] += _mass(read, sign)
        edge[place] |= read.any(axis=(2, 3))


def _add_grouped(
    kernel: NDArray[Any], row: Rows, column: Rows, mass: Mapping[Sign, Floats], edge: _Flags
) -> None:
    """Add kernels with axes (group, out, in, row, column), of any groups."""
    for part in blocks(len(kernel), int(np.prod(kernel.shape[1:]))):
        group, out, into = np.nonzero((row[part, :, None] >= 0) & (column[part, None, :] >= 0))
        read = kernel[part]
        place = row[part][group, out], column[part][group, into]
        for sign, total in mass.items():
            np.add.at(total, place, _mass(read, sign)[group, out, into])
        there = np.asarray(read.any(axis=(3, 4)))
        np.logical_or.at(edge, place, there[group, out, into])


def _mass(kernel: NDArray[Any], sign: Sign) -> Floats:
    of_sign: Floats = np.maximum(kernel if sign == "excites" else -kernel, 0)
    if kernel.shape[-2:] == (1, 1):
        return of_sign[..., 0, 0]
    total: Floats = of_sign.sum(axis=(-2, -1))
    return total

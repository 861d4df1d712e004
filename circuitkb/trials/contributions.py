"""What each input of a unit adds to its pre-activation, stimulus by stimulus, without the network.

A unit's pre-activation is its bias and, over its inputs, kernel times response. Where every kernel
is 1x1 the responses that an observation kept are those the kernel reads, so the sum is exact, and
so is what the unit would be without any of its edges. Whether it is, is measured: the sum over all
inputs is compared with the pre-activation that the network itself gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import ObservationError, QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.responses import Responses
from circuitkb.trials.inputs import inputs_of
from circuitkb.trials.single_changes import Unit

INEXACT = 0.02
"""Share of the target's spread by which the sum may miss it; responses in half precision miss it
by .001 or so."""

Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Contributions:
    """What all inputs of one unit add to it.

    Attributes
    ----------
    target
        The unit.
    sources
        Row of each input in the responses, each once.
    kernel
        Its weight, over all connections that join the two.
    values
        Axes (input, stimulus): weight times response.
    whole
        The unit before its nonlinearity, as the sum of all, less its bias.
    error
        Root mean square of what the sum misses of the stored pre-activation, as a share of that
        one's standard deviation; the bias is not asked.
    """

    target: FeatureId
    sources: Places
    kernel: Floats
    values: Floats
    whole: Floats
    error: float

    def places(self, rows: Sequence[int]) -> Places:
        """Return the places of some inputs, given by their rows.

        Raises
        ------
        QueryError
            One is no input of the unit.
        """
        known = {int(row): place for place, row in enumerate(self.sources)}
        missing = [row for row in rows if row not in known]
        if missing:
            raise QueryError(
                f"{self.target} has no edge from {len(missing)} of these {len(rows)} members: only "
                "circuits of one target and its own inputs can be tested yet."
            )
        return np.array([known[row] for row in rows], np.intp)


def contributions(
    connections: Sequence[Connection], responses: Responses, target: FeatureId
) -> Contributions:
    """Return what all inputs of a unit add to it.

    Memory: one number in single precision for each input and stimulus.

    Raises
    ------
    ObservationError
        The unit, or a layer that it reads, was not observed.
    QueryError
        A kernel covers more than one place, or the sum misses the unit.

    Examples
    --------
    >>> units = np.array([[0]], np.int32), np.array([[0, 1]], np.int32)
    >>> kernel = np.array([2, -1], np.float32).reshape(1, 1, 2, 1, 1)
    >>> after = np.array([[1, 0, 1], [0, 1, 1], [2, 0, 1]], np.float32)
    >>> before = np.array([[1, 0, 1], [0, 1, 1], [2, -1, 1]], np.float32)
    >>> layers = ("a", 2), ("b", 1)
    >>> responses = Responses("b1", ("x", "y", "z"), layers, before, after, before, after, {})
    >>> found = contributions(
    ...     [Connection("c0", "a", "b", "direct", *units, kernel)], responses, FeatureId("m", "b", 0))
    >>> found.values.tolist(), round(found.error, 6)
    ([[2.0, 0.0, 2.0], [-0.0, -1.0, -1.0]], 0.0)
    """  # noqa: E501
    row = responses.row(target)
    for connection in connections:
        if connection.target != target.layer or target.unit not in connection.target_units:
            continue
        if connection.source not in responses.rows:
            raise ObservationError(
                f"{target} reads {connection.source}, which was not observed: what each of "
                "its edges adds is not known."
            )
        if connection.spatial or connection.pooling:
            raise QueryError(
                f"{target} has kernels that cover more than one place (or read pooled maps): "
                "what was kept of the responses does not tell what each adds."
            )
    inputs = inputs_of(connections, responses, Unit(target.layer, target.unit))
    order = np.argsort(inputs.rows)
    order = order[inputs.net[order] != 0]
    every, total = inputs.rows[order], inputs.net[order].astype(np.float32)
    values = total[:, None] * responses.after[every].astype(np.float32)
    whole = values.sum(axis=0, dtype=np.float64).astype(np.float32)
    error = _missed(whole, responses.before[row].astype(np.float64))
    if error > INEXACT:
        raise QueryError(
            f"{target}: its kernels times the kept responses miss its pre-activation by "
            f"{error:.0%} of its spread; what each edge adds is not known."
        )
    return Contributions(target, every, total, values, whole, error)


def _missed(sums: Floats, before: NDArray[np.float64]) -> float:
    spread = float(before.std())
    return float((sums - before).std() / spread) if spread > 0 else 0.0

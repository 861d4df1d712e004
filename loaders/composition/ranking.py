"""The order of a unit's inputs, over every connection that leads into its layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.kernels import Connection, Floats, Integers

_BLOCK = 1 << 21
"""Kernel values that are widened to double precision at a time (16 MB for each copy)."""

_Doubles = NDArray[np.float64]
_Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class RankedEdges:
    """Nonzero edges into one layer, one value each, by target unit and rank.

    Attributes
    ----------
    connection, row, column
        Where the kernel stands: index among the connections into the layer, place among their
        (group, out) pairs, place among the inputs of the group.
    source_unit, target_unit
        The ends, as units of their layers.
    l1, rank
        Strength, and place among the inputs of the target, from 1.
    totals
        Over all edges into each unit of the layer, kept or not, indexed by the unit: ``inputs``
        (number of nonzero edges), ``l1`` and ``l2_squared``.
    """

    connection: _Indices
    row: _Indices
    column: _Indices
    source_unit: Integers
    target_unit: Integers
    l1: Floats
    rank: NDArray[np.int64]
    totals: Mapping[str, NDArray[Any]]

    def take(self, chosen: _Indices) -> RankedEdges:
        """Return the chosen edges, in the order asked for, with the totals of all."""
        return RankedEdges(
            self.connection[chosen],
            self.row[chosen],
            self.column[chosen],
            self.source_unit[chosen],
            self.target_unit[chosen],
            self.l1[chosen],
            self.rank[chosen],
            self.totals,
        )


def rank_inputs(
    into: Sequence[Connection], keep: int | None, only: Integers | None = None
) -> RankedEdges:
    """Rank the edges into one layer by l1 and return the strongest of each unit.

    Parameters
    ----------
    into
        All connections into the layer. Of equally strong edges the one whose connection stands
        first goes first, then the one whose place in it (group, out, in) does.
    keep
        Edges to return for each unit; all of them if None.
    only
        Units of the layer to look at; all of them if None.

    Returns
    -------
    RankedEdges
        By target unit and rank.

    Notes
    -----
    Blocks of rows are ranked one after the other, so memory grows with the edges returned and
    not with the kernels.

    Examples
    --------
    >>> units = np.array([[0, 1]], np.int32)
    >>> kernel = np.array([[5, -1], [0, 2]], np.float32).reshape(1, 2, 2, 1, 1)
    >>> edges = rank_inputs([Connection("c0", "a", "b", "direct", units, units, kernel)], None)
    >>> edges.target_unit.tolist(), edges.source_unit.tolist(), edges.rank.tolist()
    ([0, 0, 1], [0, 1, 1], [1, 2, 1])
    """
    units = max(int(connection.target_units.max(initial=-1)) for connection in into) + 1
    totals: dict[str, NDArray[Any]] = {
        "inputs": np.zeros(units, np.int64),
        "l1": np.zeros(units),
        "l2_squared": np.zeros(units),
    }
    found: list[tuple[NDArray[Any], ...]] = [
        (*np.empty((3, 0), np.intp), *np.empty((2, 0), np.int32), np.empty(0, np.float32))
    ]
    for place, connection in enumerate(into):
        out = connection.kernel.shape[1]
        targets = connection.target_units.ravel()
        for rows, wide, squares in _blocks(connection, only):
            # Ranks follow the rounded numbers that the graph shows, so ties there are ties here.
            l1 = wide.astype(np.float32)
            np.add.at(totals["inputs"], targets[rows], np.count_nonzero(l1, axis=1))
            np.add.at(totals["l1"], targets[rows], wide.sum(axis=1))
            np.add.at(totals["l2_squared"], targets[rows], squares)
            row, column = np.nonzero(_largest(l1, keep))
            found.append(
                (
                    np.full(len(row), place),
                    rows[row],
                    column,
                    connection.source_units[rows[row] // out, column],
                    targets[rows[row]],
                    l1[row, column],
                )
            )
    place_, row_, column_, source, target, strength = map(np.concatenate, zip(*found, strict=True))
    order = np.argsort(_keys(target, strength), kind="stable")
    ordered = target[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered) + 1
    edges = RankedEdges(
        place_[order],
        row_[order],
        column_[order],
        source[order],
        ordered,
        strength[order],
        rank,
        totals,
    )
    return edges if keep is None else edges.take(np.flatnonzero(rank <= keep))


def _keys(target: Integers, strength: Floats) -> NDArray[np.uint64]:
    """Return one number for each edge, in the order of its target and, there, of its strength.

    The bits of positive numbers are in the order of the numbers. To sort by one key takes a fifth
    of the time of two.

    Examples
    --------
    >>> np.argsort(_keys(np.array([1, 0, 0]), np.array([9, 1, 2], np.float32))).tolist()
    [2, 1, 0]
    """
    weakness = ~strength.view(np.uint32)
    return (target.astype(np.uint64) << np.uint64(32)) | weakness


def _blocks(
    connection: Connection, only: Integers | None
) -> Iterator[tuple[_Indices, _Doubles, _Doubles]]:
    """Give rows (group, out) of a connection with their l1 by input and their sum of squares."""
    groups, out, into, *window = connection.kernel.shape
    size = int(np.prod(window))
    flat = connection.kernel.reshape(groups * out, into * size)
    rows = np.arange(groups * out)
    if only is not None:
        rows = rows[np.isin(connection.target_units.ravel(), only)]
    step = max(1, _BLOCK // max(1, into * size))
    ones = np.ones(size)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        block = flat[part] if only is not None else flat[start : start + step]
        values = np.abs(block, dtype=np.float64)
        squares = np.einsum("ij,ij->i", values, values)
        l1 = values if size == 1 else (values.reshape(-1, size) @ ones).reshape(-1, into)
        yield part, l1, squares


def _largest(l1: Floats, keep: int | None) -> NDArray[np.bool_]:
    """Mark the ``keep`` largest nonzero values of each row; of ties the first ones."""
    positive: NDArray[np.bool_] = l1 > 0
    if keep is None or keep >= l1.shape[1]:
        return positive
    threshold = np.partition(l1, -keep, axis=1)[:, -keep, None]
    chosen: NDArray[np.bool_] = l1 > threshold
    tied = l1 == threshold
    room = keep - chosen.sum(axis=1)
    crowded = np.flatnonzero(tied.sum(axis=1) > room)
    tied[crowded] &= np.cumsum(tied[crowded], axis=1) <= room[crowded, None]
    strongest: NDArray[np.bool_] = (chosen | tied) & positive
    return strongest

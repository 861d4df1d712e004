"""The weights of a network permuted: the null of how often a pattern occurs.

Every weight keeps its target, its rank there and all its values; sources are exchanged among the
weights of one connection, from a layer into a layer. So each target keeps its inputs' strengths,
and each source the number of its outputs: what goes is who is joined to whom.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean, pstdev

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from circuitkb.patterns.edge_table import EdgeTable

FIRST, NEXT = 20, 6
"""Rounds before the first permutation and between others: in each half the weights are drawn."""


@dataclass(frozen=True)
class PermutedCount:
    """How often a pattern occurs, and how often with weights permuted.

    Attributes
    ----------
    matches
        In the networks as they are.
    null
        For each permutation.
    """

    matches: int
    null: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Mean of the null."""
        return fmean(self.null)

    @property
    def deviation(self) -> float:
        """Standard deviation of the null."""
        return pstdev(self.null)

    @property
    def p_more(self) -> float:
        """Share of the null, and of what was found, that has at least as many matches."""
        return (1 + sum(one >= self.matches for one in self.null)) / (1 + len(self.null))

    @property
    def p_fewer(self) -> float:
        """Share of the null, and of what was found, that has at most as many matches."""
        return (1 + sum(one <= self.matches for one in self.null)) / (1 + len(self.null))


class Permuting:
    """The weights of a model, permuted once for each call.

    Pairs of weights of one connection are drawn, up to half of all, and exchange their sources at
    once; a pair stays if one of the four ways in which it joins features, before or after, is
    that of another weight or would be. What an exchange refuses it refuses backwards, so every way
    to join the features with the same degrees comes as often as any other. Where every unit of a
    layer feeds every one of the next, nothing can be exchanged.

    Memory: 40 bytes for each weight.

    Parameters
    ----------
    edges
        With the column ``connection``.
    max_rank
        Only weights up to this rank are permuted, and returned; None for all.
    random
        Source of what is exchanged.
    """

    def __init__(self, edges: EdgeTable, max_rank: int | None, random: np.random.Generator) -> None:
        table = edges.table
        if max_rank is not None:
            table = table.filter(pc.less_equal(table["rank"], max_rank))
        self._edges, self._random = replace(edges, table=table), random
        self._source = table["source"].to_numpy().copy()
        self._target = table["target"].to_numpy()
        codes = table["connection"].combine_chunks().dictionary_encode().indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        self._connections = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
        self._rounds = FIRST

    def __call__(self) -> EdgeTable:
        """Return the weights permuted further."""
        for rows in self._connections:
            for _ in range(self._rounds):
                self._exchange(rows)
        self._rounds = NEXT
        table = self._edges.table
        place = table.column_names.index("source")
        dealt = table.set_column(place, "source", pa.array(self._source))
        return replace(self._edges, table=dealt)

    def _exchange(self, rows: NDArray[np.intp]) -> None:
        rows = self._random.permutation(rows)
        if len(rows) < 2:
            return
        half = int(self._random.integers(len(rows) // 2)) + 1  # one pair alone reaches every way
        source, target = self._source[rows].astype(np.int64), self._target[rows]
        now = source << 32 | target
        swapped = np.concatenate([source[half : 2 * half], source[:half]]) << 32
        then = swapped | target[: 2 * half]
        _, first, times = np.unique(
            np.concatenate([now, then]), return_inverse=True, return_counts=True
        )
        alone = times[first] == 1
        before, after = alone[: 2 * half].reshape(2, half), alone[len(now) :].reshape(2, half)
        free = np.flatnonzero(before.all(axis=0) & after.all(axis=0))
        one, other = rows[free], rows[half + free]
        self._source[one], self._source[other] = self._source[other], self._source[one]

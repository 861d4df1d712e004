"""All edges of a network, numbered, and choices among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.kernels import Connection, Floats

Chosen = NDArray[np.bool_]
"""Whether each pair of units is chosen, in the order of :class:`Edges`."""

Order = NDArray[np.int32]
"""Numbers of edges, the first to be kept first."""

_HALF = 2**32 - 1
"""The lower half of 64 bits."""


@dataclass(frozen=True, eq=False)
class Edges:
    """The pairs of units that connections join: an edge is a pair whose kernel is not all zero.

    Pairs are numbered connection by connection, then by group, target and source. Parallel
    connections between two units are several edges.

    Attributes
    ----------
    connections
        Of one network.

    Examples
    --------
    >>> units = np.array([[0, 1]], np.int32)
    >>> kernel = np.array([3, 0, -4, 1], np.float32).reshape(1, 2, 2, 1, 1)
    >>> edges = Edges([Connection("c0", "a", "b", "direct", units, units, kernel)])
    >>> edges.count, edges.l1.tolist(), edges.strongest().tolist()
    (3, [3.0, 0.0, 4.0, 1.0], [2, 0, 3])
    >>> edges.first(edges.strongest(), 2).tolist()
    [True, False, True, False]
    """

    connections: Sequence[Connection]

    @cached_property
    def _starts(self) -> list[int]:
        sizes = [int(np.prod(one.kernel.shape[:3])) for one in self.connections]
        found: list[int] = np.cumsum([0, *sizes]).tolist()
        return found

    @property
    def pairs(self) -> int:
        """Number of pairs of units, edges or not."""
        return self._starts[-1]

    @cached_property
    def l1(self) -> Floats:
        """Sum of the magnitudes of each kernel."""
        found = np.empty(self.pairs, np.float32)
        for place, one in enumerate(self.connections):
            found[self.of(place)] = np.abs(np.asarray(one.kernel)).sum(axis=(3, 4)).reshape(-1)
        return found

    @cached_property
    def count(self) -> int:
        """Number of edges."""
        return int(np.count_nonzero(self.l1))

    def of(self, place: int) -> slice:
        """Return the pairs of a connection."""
        return slice(self._starts[place], self._starts[place + 1])

    def masks(self, chosen: Chosen) -> Iterator[tuple[Connection, Chosen]]:
        """Give each connection, and which of its pairs are chosen: axes (group, out, in)."""
        for place, one in enumerate(self.connections):
            yield one, chosen[self.of(place)].reshape(one.kernel.shape[:3])

    def none(self) -> Chosen:
        """Return a choice of nothing."""
        return np.zeros(self.pairs, np.bool_)

    def all(self) -> Chosen:
        """Return a choice of all edges."""
        found: Chosen = self.l1 > 0
        return found

    def first(self, order: Order, count: int) -> Chosen:
        """Return a choice of the first edges of an order."""
        found = self.none()
        found[order[:count]] = True
        return found

    def by(self, scores: Floats) -> Order:
        """Return the edges, the largest score first; of equal ones the first. None is negative.

        Examples
        --------
        >>> units, kernel = np.array([[0, 1]], np.int32), np.ones((1, 2, 2, 1, 1), np.float32)
        >>> edges = Edges([Connection("c0", "a", "b", "direct", units, units, kernel)])
        >>> edges.by(np.array([0, 2, 1, 2], np.float32)).tolist()
        [1, 3, 2, 0]
        """
        there = np.flatnonzero(self.l1).astype(np.uint64)
        # The bits of floats that are not negative are in the order of the floats. A third of the
        # time of a stable argsort.
        bits = scores[there].astype(np.float32, copy=False).view(np.uint32)
        keys: NDArray[np.uint64] = (~bits).astype(np.uint64)
        keys <<= np.uint64(32)
        keys |= there
        keys.sort()
        keys &= np.uint64(_HALF)
        return keys.astype(np.int32)

    def strongest(self) -> Order:
        """Return the edges, the largest l1 first."""
        return self.by(self.l1)

    def random(self, seed: int) -> Order:
        """Return the edges in a random order."""
        there = np.flatnonzero(self.l1).astype(np.int32)
        found: Order = np.random.default_rng(seed).permutation(there)
        return found

    def per_layer(self, values: Floats, chosen: Chosen | None = None) -> dict[str, float]:
        """Return the sum of values of all edges, or of chosen ones, into each layer."""
        found: dict[str, float] = {}
        for place, one in enumerate(self.connections):
            own = values[self.of(place)]
            if chosen is not None:
                own = own[chosen[self.of(place)]]
            found[one.target] = found.get(one.target, 0.0) + float(own.sum(dtype=np.float64))
        return found

    def between(self, pairs: Mapping[tuple[str, str], Chosen]) -> Chosen:
        """Return the edges between given units.

        Parameters
        ----------
        pairs
            For names of a source and a target layer, what is chosen, axes (target, source).
        """
        found = self.none()
        for place, one in enumerate(self.connections):
            wanted = pairs.get((one.source, one.target))
            if wanted is not None:
                own = wanted[one.target_units[:, :, None], one.source_units[:, None, :]]
                found[self.of(place)] = own.reshape(-1)
        return found & self.all()

    def alike(self, chosen: Chosen, seed: int) -> Chosen:
        """Return as many random edges into each layer as are chosen there."""
        random = np.random.default_rng(seed)
        found = self.none()
        by_layer: dict[str, list[int]] = {}
        for place, one in enumerate(self.connections):
            by_layer.setdefault(one.target, []).append(place)
        for places in by_layer.values():
            count = sum(int(chosen[self.of(place)].sum()) for place in places)
            if count:
                there = np.concatenate(
                    [
                        self.of(place).start + np.flatnonzero(self.l1[self.of(place)])
                        for place in places
                    ]
                )
                found[random.choice(there, count, replace=False)] = True
        return found

    def strongest_inputs(self, count: int) -> Chosen:
        """Return the edges from the strongest inputs of each unit, by l1."""
        found = self.none()
        by_layer: dict[str, list[int]] = {}
        for place, one in enumerate(self.connections):
            by_layer.setdefault(one.target, []).append(place)
        for places in by_layer.values():
            numbers = np.concatenate(
                [np.arange(self.of(place).start, self.of(place).stop) for place in places]
            )
            targets = np.concatenate([_targets(self.connections[place]) for place in places])
            order = np.lexsort((-self.l1[numbers], targets))
            rank = np.arange(len(order)) - np.searchsorted(targets[order], targets[order])
            found[numbers[order[rank < count]]] = True
        return found & self.all()


def _targets(connection: Connection) -> NDArray[np.int32]:
    """Return the target of each pair."""
    shape = connection.kernel.shape[:3]
    return np.broadcast_to(connection.target_units[:, :, None], shape).reshape(-1)

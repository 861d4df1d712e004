"""Kernels of named edges, and of others to compare them with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitkb.claims.ways.way import NotTestableError
from circuitkb.schema.kernels import Connection, Floats

MOST_OTHERS = 5_000
"""Kernels that are drawn to compare with, at most."""

FEWEST_OTHERS = 20
"""Where fewer kernels join the same layers, those of the whole model are taken."""

Edge = Sequence[str]


class Kernels:
    """The kernels of a model by edge; parallel ones of one shape are averaged.

    Memory: the kernels are memory-mapped; only those that are asked for are read.
    """

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._connections = connections

    def of(self, edge: Edge) -> Floats:
        """Return the kernel of an edge, axes (row, column).

        Raises
        ------
        NotTestableError
            There is none.
        """
        (source, unit), (target, into) = (_unit(text) for text in edge)
        found = [
            kernel
            for one in self._connections
            if (one.source, one.target) == (source, target)
            and (kernel := one.find(unit, into)) is not None
        ]
        if not found:
            raise NotTestableError(f"no kernel from {edge[0]} to {edge[1]} is known here")
        same = [kernel for kernel in found if kernel.shape == found[0].shape]
        mean: Floats = np.mean(same, axis=0)
        return mean

    def others(self, edges: Sequence[Edge], shape: tuple[int, ...], seed: int = 0) -> list[Floats]:
        """Return kernels of a shape between the layers of some edges, but not theirs.

        Where there are few, those of the whole model.
        """
        own = {tuple(edge) for edge in edges}
        layers = {tuple(_unit(text)[0] for text in edge) for edge in edges}
        rng = np.random.default_rng(seed)
        near = [c for c in self._connections if (c.source, c.target) in layers]
        found = _drawn(near, shape, own, rng)
        return found if len(found) >= FEWEST_OTHERS else _drawn(self._connections, shape, own, rng)


def _unit(text: str) -> tuple[str, int]:
    layer, _, unit = text.rpartition(":")
    return layer, int(unit)


def _drawn(
    connections: Sequence[Connection],
    shape: tuple[int, ...],
    own: set[tuple[str, ...]],
    rng: np.random.Generator,
) -> list[Floats]:
    fitting = [one for one in connections if one.kernel.shape[3:] == shape]
    sizes = np.array([int(np.prod(one.kernel.shape[:3])) for one in fitting], np.int64)
    total = int(sizes.sum())
    if not total:
        return []
    few = min(total, MOST_OTHERS)
    places = np.sort(rng.choice(total, few, replace=False)) if few < total else np.arange(total)
    ends = np.cumsum(sizes)
    found = []
    for place in places.tolist():
        which = int(np.searchsorted(ends, place, side="right"))
        one = fitting[which]
        inside = place - (int(ends[which]) - int(sizes[which]))
        group, out, into = (int(i) for i in np.unravel_index(inside, one.kernel.shape[:3]))
        edge = (
            f"{one.source}:{int(one.source_units[group, into])}",
            f"{one.target}:{int(one.target_units[group, out])}",
        )
        kernel = one.kernel[group, out, into]
        if edge not in own and np.abs(kernel).max() > 0:
            found.append(np.asarray(kernel))
    return found


def halves(kernel: Floats) -> tuple[Floats, Floats]:
    """Return a kernel's places as the white and the black ones of a chess board, the rest 0.

    Examples
    --------
    >>> [half.tolist() for half in halves(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32))]
    [[[1.0, 0.0], [0.0, 4.0]], [[0.0, 2.0], [3.0, 0.0]]]
    """
    rows, columns = np.indices(kernel.shape)
    white = (rows + columns) % 2 == 0
    return np.where(white, kernel, 0), np.where(white, 0, kernel)

"""The inputs of a layer's units over one grid: every kernel once, the strongest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.similarity import blocks
from circuitkb.schema.kernels import Connection, Floats, Integers

_Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class LayerInputs:
    """All edges into the units of one layer whose kernels share a grid, a stride and an offset.

    Edges are ordered by target unit, then from the largest positive mass to the smallest, then
    as the connections bring them. Where several connections join two units (parallel edges), the
    first one speaks. Kernels of zeros are no edges.

    Attributes
    ----------
    connections
        Where the kernels lie, in the order of the model.
    target
        Name of the layer.
    unit, start, count
        For each unit with an edge: its number, its first edge, how many it has.
    rings
        For each of these units: rings of zeros around all of its kernels. A published 3x3 kernel
        may be drawn on a 5x5 grid; its empty border is no likeness.
    connection, row, column
        For each edge: index among ``connections``, place among the (group, out) pairs there,
        place among the inputs of the group.
    source
        For each edge: number of the source unit in its own layer.
    positive
        For each edge: sum of the positive values of its kernel.
    """

    connections: tuple[Connection, ...]
    target: str
    unit: Integers
    start: _Indices
    count: _Indices
    rings: Integers
    connection: Integers
    row: Integers
    column: Integers
    source: Integers
    positive: Floats

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the kernels."""
        rows, columns = self.connections[0].kernel.shape[3:]
        return rows, columns

    def kernels(self, edges: NDArray[Any], rings: int = 0) -> Floats:
        """Return kernels without their outer rings; axes of ``edges``, then (row, column)."""
        rows, columns = self.grid
        flat = edges.ravel()
        found = np.empty((len(flat), rows - 2 * rings, columns - 2 * rings), np.float32)
        inner = slice(rings, rows - rings), slice(rings, columns - rings)
        for index, connection in enumerate(self.connections):
            here = np.flatnonzero(self.connection[flat] == index)
            groups, out, *rest = connection.kernel.shape
            table = connection.kernel.reshape(groups * out, *rest)
            for part in blocks(len(here), rows * columns):
                edge = flat[here[part]]
                picked = table[self.row[edge], self.column[edge]]
                found[here[part]] = picked[:, inner[0], inner[1]]
        return found.reshape(*edges.shape, *found.shape[1:])

    def strongest(self, *, share: float, at_least: int) -> _Indices:
        """Return how many inputs of each unit count as strongest.

        The top ``share`` of them by positive mass and ``at_least`` so many, as far as they have
        positive mass at all.
        """
        exciting = np.add.reduceat((self.positive > 0).astype(np.intp), self.start)
        top = np.maximum(at_least, np.floor(share * self.count).astype(np.intp))
        found: _Indices = np.minimum(exciting, top)
        return found


def layer_inputs(connections: Sequence[Connection]) -> Iterator[LayerInputs]:
    """Gather the connections by target layer, grid, stride and offset, and order their edges."""
    pools: dict[tuple[Any, ...], list[Connection]] = {}
    for connection in connections:
        grid = connection.kernel.shape[3:]
        place = connection.target, grid, connection.stride, connection.offset
        pools.setdefault(place, []).append(connection)
    for (target, *_), pool in pools.items():
        found = _gather(tuple(pool), target)
        if len(found.unit):
            yield found


def _gather(pool: tuple[Connection, ...], target: str) -> LayerInputs:
    layers = {name: place for place, name in enumerate(dict.fromkeys(c.source for c in pool))}
    columns: dict[str, list[NDArray[Any]]] = {}
    for index, connection in enumerate(pool):
        for name, values in _edges(connection).items():
            columns.setdefault(name, []).append(values)
        length = len(columns["row"][-1])
        columns.setdefault("connection", []).append(np.full(length, index, np.int32))
        columns.setdefault("layer", []).append(np.full(length, layers[connection.source], np.int32))
    edge = {name: np.concatenate(parts) for name, parts in columns.items()}
    ends = edge["unit"].astype(np.int64) * len(layers) + edge["layer"]
    _, first = np.unique((ends << 32) | edge["source"], return_index=True)
    edge = {name: values[np.sort(first)] for name, values in edge.items()}
    # A stable sort keeps the order of the connections among equal masses.
    order = np.lexsort((-edge["positive"], edge["unit"]))
    edge = {name: values[order] for name, values in edge.items()}
    unit, start, count = np.unique(edge["unit"], return_index=True, return_counts=True)
    rings = np.minimum.reduceat(edge["rings"], start) if len(start) else edge["rings"]
    return LayerInputs(
        pool,
        target,
        unit,
        start,
        count,
        rings,
        *(edge[name] for name in ("connection", "row", "column", "source", "positive")),
    )


def _edges(connection: Connection) -> dict[str, NDArray[Any]]:
    """Return the nonzero edges of a connection, in its own order."""
    groups, out, into, rows, columns = connection.kernel.shape
    table = connection.kernel.reshape(groups * out, into, rows, columns)
    positive = np.empty((groups * out, into), np.float32)
    rings = np.empty((groups * out, into), np.int32)
    for part in blocks(groups * out, into * rows * columns):
        positive[part] = np.maximum(table[part], 0).sum(axis=(2, 3))
        rings[part] = _empty_rings(table[part])
    row, column = np.nonzero(rings >= 0)
    return {
        "row": row.astype(np.int32),
        "column": column.astype(np.int32),
        "unit": connection.target_units.ravel()[row],
        "source": connection.source_units[row // out, column],
        "positive": positive[row, column],
        "rings": rings[row, column],
    }


def _empty_rings(kernel: Floats) -> Integers:
    """Return how many rings of zeros surround each kernel, -1 where it is all zeros."""
    rows, columns = kernel.shape[-2:]
    down, right = np.arange(rows)[:, None], np.arange(columns)
    ring = np.minimum(np.minimum(down, rows - 1 - down), np.minimum(right, columns - 1 - right))
    found = np.full(kernel.shape[:-2], -1, np.int32)
    for depth in range(int(ring.max()), -1, -1):
        found[(kernel[..., ring == depth] != 0).any(axis=-1)] = depth
    return found

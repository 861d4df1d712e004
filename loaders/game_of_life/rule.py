"""The rule itself, in arrays: what the network is compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.uint8]
"""1 is alive; rows and columns are the last two axes."""


def step(cells: Cells, *, torus: bool = False) -> Cells:
    """Return the next generation; what lies outside is dead, unless the edges are joined.

    Examples
    --------
    >>> blinker = np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0]], np.uint8)
    >>> step(blinker).tolist()
    [[0, 1, 0], [0, 1, 0], [0, 1, 0]]
    """
    sides = [(0, 0)] * (cells.ndim - 2) + [(1, 1)] * 2
    padded = np.pad(cells, sides, mode="wrap" if torus else "constant").astype(np.uint8)
    rows, columns = cells.shape[-2:]
    around = sum(
        padded[..., down : down + rows, right : right + columns]
        for down in range(3)
        for right in range(3)
        if (down, right) != (1, 1)
    )
    found: Cells = ((around == 3) | ((around == 2) & (cells == 1))).astype(np.uint8)
    return found


def after(cells: Cells, steps: int, *, torus: bool = False) -> Cells:
    """Return a later generation."""
    for _ in range(steps):
        cells = step(cells, torus=torus)
    return cells


def trimmed(cells: Cells) -> Cells:
    """Return the smallest rectangle that holds all living cells; none of none."""
    rows, columns = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    if not len(rows):
        return cells[:0, :0]
    return cells[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def turned(cells: Cells) -> list[Cells]:
    """Return a pattern in its orientations, each once: up to four turns and their mirror images."""
    found: dict[bytes, Cells] = {}
    for one in (cells, cells[:, ::-1]):
        for turns in range(4):
            way = np.ascontiguousarray(np.rot90(one, turns))
            found.setdefault(bytes([way.shape[0]]) + way.tobytes(), way)
    return list(found.values())

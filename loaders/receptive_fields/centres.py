"""Which pixel most layers look at: the arithmetic of grids that share a centre."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.receptive_fields.fields import AxisField

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the units of a layer have their receptive fields' centres.

    Attributes
    ----------
    fields
        Along the image's rows, and along its columns.
    points
        Centres that occur at the traced size, along both, ascending.
    """

    layer: str
    fields: tuple[AxisField, AxisField]
    points: tuple[Floats, Floats]

    def has(self, axis: int, centres: Floats) -> Flags:
        """Say which centres occur at the traced size."""
        return np.isin(centres, self.points[axis])

    def would_have(self, axis: int, centres: Floats) -> Flags:
        """Say which centres would occur in larger images, where padding does not change."""
        field = self.fields[axis]
        if math.isnan(field.stride) or field.stride <= 0:
            return np.zeros(len(centres), np.bool_)
        steps = (centres - field.centre) / field.stride
        found: Flags = (steps == np.round(steps)) & (steps >= 0)
        return found


def best_size(grids: Sequence[Grid], seed: Grid, native: tuple[int, int]) -> tuple[int, int] | None:
    """Return the smallest image in whose middle most layers look, ``seed`` among them.

    Parameters
    ----------
    grids
        Of the layers that want a view.
    native
        Rows and columns that the image has at least.

    Returns
    -------
    tuple of int
        Rows and columns; None if ``seed`` looks at the middle of no image that is not much larger.

    Examples
    --------
    >>> fields = [AxisField(8.0, 0.0, 8.0, False), AxisField(32.0, 0.0, 16.0, False)]
    >>> none = np.zeros(0)
    >>> grids = [Grid(str(n), (f, f), (none, none)) for n, f in enumerate(fields)]
    >>> best_size(grids, grids[1], (224, 224))  # the middle, 136, is 32 * 4 + 8 and 8 * 16.5 + 4
    (273, 273)
    """
    sizes = [_sizes(grids, axis, native[axis]) for axis in (0, 1)]
    middles = [(size - 1) / 2 for size in sizes]
    rows, columns = sizes
    cost = rows[:, None].astype(np.float64) * columns
    cost += np.abs((rows[:, None] - native[0]) - (columns - native[1])) * 1e-3
    exact = [
        np.stack([grid.would_have(axis, middles[axis]) for grid in (seed, *grids)])
        for axis in (0, 1)
    ]
    found = _best(exact, cost)
    return None if found is None else (int(rows[found[0]]), int(columns[found[1]]))


def best_centre(
    grids: Sequence[Grid], seed: Grid, size: tuple[int, int]
) -> tuple[float, float] | None:
    """Return the pixel at which most layers look, ``seed`` among them; the nearest to the middle.

    ``size`` is that of the traced image; None if ``seed`` looks at no pixel within it.
    """
    rows, columns = (np.arange(0, length - 0.5, 0.5) for length in size)
    middle = [(length - 1) / 2 for length in size]
    cost = np.hypot(rows[:, None] - middle[0], columns - middle[1])
    exact = [
        np.stack([grid.has(axis, centres) for grid in (seed, *grids)])
        for axis, centres in enumerate((rows, columns))
    ]
    found = _best(exact, cost)
    return None if found is None else (float(rows[found[0]]), float(columns[found[1]]))


def aligned_size(seed: Grid, native: tuple[int, int]) -> tuple[int, int] | None:
    """Return the size at which padding that depends on it falls evenly on both sides.

    'SAME' padding, computed from the size, is even all the way where the size is 1 more than a
    multiple of the stride; of twice the stride, so that a unit lies in the middle.
    """
    strides = [field.stride for field in seed.fields]
    if any(math.isnan(stride) or stride < 1 for stride in strides):
        return None
    rows, columns = (
        1 + int(2 * stride) * math.ceil((length - 1) / int(2 * stride))
        for stride, length in zip(strides, native, strict=True)
    )
    return rows, columns


def _sizes(grids: Sequence[Grid], axis: int, native: int) -> NDArray[np.int64]:
    """Return lengths to try: all until the grids repeat, but not much more than twice the least."""
    strides = {grid.fields[axis].stride for grid in grids}
    steps = [int(stride) for stride in strides if stride >= 1 and stride == int(stride)]
    period, longest = math.lcm(*steps), max(steps, default=1)
    return np.arange(native, native + min(2 * period, max(native, 2 * longest)) + 1)


def _best(exact: Sequence[Flags], cost: Floats) -> tuple[int, int] | None:
    """Return where most layers are exact on both axes, the first one among them; then the cheapest.

    ``exact`` holds for both axes (layer, candidate), ``cost`` is (candidate, candidate).
    """
    rows, columns = (flags.astype(np.float64) for flags in exact)
    count = rows.T @ columns
    count[~np.outer(exact[0][0], exact[1][0])] = 0
    if not count.any():
        return None
    cost = np.where(count == count.max(), cost, np.inf)
    row, column = np.unravel_index(int(cost.argmin()), cost.shape)
    return int(row), int(column)

"""Where on its map a composed kernel says what the network computes.

A kernel is one and the same at every position; a network need not be: where a tensor that is
itself composed is padded, or a pooling's divisor changes, one kernel cannot hold everywhere. Each
part keeps, for rows and for columns, at which positions its kernel is exact. A position of the map
is exact where its row and its column are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

Axis = tuple[bool, ...]
"""For each position along one axis of a map, whether a kernel is exact there."""


@lru_cache(maxsize=1024)
def everywhere(length: int) -> Axis:
    """Return an axis that is exact at all positions."""
    return (True,) * length


@lru_cache(maxsize=8192)
def behind_window(
    exact: Axis,
    *,
    source: int,
    stride: int,
    offset: int,
    size: int,
    taps: int,
    spread: int,
    step: int,
    first: int,
    length: int,
) -> Axis:
    """Return where a window over a tensor is exact, along one axis.

    Parameters
    ----------
    exact
        Where the tensor's own kernel is.
    source, stride, offset, size
        Length of the source's map; the kernel reads ``size`` positions of it from ``stride * p +
        offset`` on.
    taps, spread, step, first
        The window reads ``taps`` positions of the tensor, ``spread`` apart, from ``step * q +
        first`` on; outside of the tensor it reads zeros.
    length
        Positions of the result.

    Notes
    -----
    Outside of the tensor its kernel must give zero, which is certain only where it reads nothing.

    Examples
    --------
    A window of three over a padded kernel of three is not exact at both ends:

    >>> behind_window((True,) * 4, source=4, stride=1, offset=-1, size=3, taps=3, spread=1,
    ...               step=1, first=-1, length=4)
    (False, True, True, False)
    """
    read = step * np.arange(length)[:, None] + first + spread * np.arange(taps)
    inside = (read >= 0) & (read < len(exact))
    start = stride * read + offset
    silent = (start + size <= 0) | (start >= source)
    known = np.asarray(exact, bool)[np.clip(read, 0, len(exact) - 1)] if exact else inside
    exact_there: list[bool] = np.all(np.where(inside, known, silent), axis=1).tolist()
    return tuple(exact_there)


@lru_cache(maxsize=8192)
def both(one: Axis, other: Axis) -> Axis:
    """Return where both are exact."""
    if one is other or all(other):
        return one
    return tuple(a and b for a, b in zip(one, other, strict=True))


@lru_cache(maxsize=1024)
def only(length: int, place: int) -> Axis:
    """Return an axis that is exact at one position."""
    return tuple(position == place for position in range(length))


def centre(length: int) -> int:
    """Return the position that composition calls the centre of an axis."""
    return length // 2


def at_centre(axes: Sequence[Axis]) -> bool:
    """Whether a kernel is exact at the centre of its map."""
    return all(axis[centre(len(axis))] for axis in axes)


@lru_cache(maxsize=8192)
def margin(axis: Axis) -> tuple[int, int]:
    """Return how many positions at either end do not belong to the exact stretch at the centre.

    Examples
    --------
    >>> margin((False, True, True, True, False, True))
    (1, 2)
    """
    middle = centre(len(axis))
    low, high = middle, middle + 1
    while low > 0 and axis[low - 1]:
        low -= 1
    while high < len(axis) and axis[high]:
        high += 1
    return low, len(axis) - high

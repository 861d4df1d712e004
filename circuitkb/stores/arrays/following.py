"""Rows that follow from others: what a unit answers after a nonlinearity that only cuts off.

Of a layer with a ReLU, a ReLU6 or none, the responses after the nonlinearity are those before it
within bounds, bit for bit. So they need no room, and nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bounds = tuple[float, float] | tuple[None, None]
"""Lowest and highest value; none where the rows are the same."""

_INTEGERS = {2: np.int16, 4: np.int32}
_ROWS_AT_ONCE = 2_048


@dataclass(frozen=True, eq=False)
class Bounded:
    """Rows of responses within bounds.

    Examples
    --------
    >>> Bounded(np.array([[-1, 2, 7]], np.float32), (0.0, 6.0))[0].tolist()
    [0.0, 2.0, 6.0]
    """

    of: NDArray[Any]
    bounds: Bounds

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of units and of stimuli."""
        return self.of.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float16 or float32."""
        return self.of.dtype

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return within(self.of[index], self.bounds)


def within(values: NDArray[Any], bounds: Bounds) -> NDArray[Any]:
    """Return values within bounds, the lower of which is not below 0.

    Read as integers such numbers have the same order, negative ones are negative, and a processor
    compares them many times faster than it does half precision.
    """
    if bounds[0] is None:
        return values
    kind = _INTEGERS[values.dtype.itemsize]
    low, high = np.array(bounds, values.dtype).view(kind)
    found: NDArray[Any] = np.clip(values.view(kind), low, high).view(values.dtype)
    return found


def bounds_of(after: NDArray[Any], before: NDArray[Any]) -> Bounds | None:
    """Return the bounds within which one array is the other, bit for bit; None if there are none.

    Examples
    --------
    >>> before = np.array([[-1, 2, 7]], np.float32)
    >>> bounds_of(np.clip(before, 0, 6), before), bounds_of(before, before)
    ((0.0, 6.0), (None, None))
    >>> bounds_of(np.tanh(before), before)
    """
    kind = _INTEGERS[after.dtype.itemsize]
    bits = after.view(kind)
    tried: list[Bounds] = [(None, None)]
    if bits.size and bits.min() >= 0 and np.isfinite(highest := bits.max().view(after.dtype)):
        tried.append((float(bits.min().view(after.dtype)), float(highest)))
    for bounds in tried:
        if all(
            np.array_equal(bits[rows], within(before[rows], bounds).view(kind))
            for rows in _blocks(len(bits))
        ):
            return bounds
    return None


def checked(bounds: Any) -> Bounds:
    """Return bounds as a file has them; raises :class:`ValueError` where they are none.

    Examples
    --------
    >>> checked([0.0, 6.0]), checked([None, None])
    ((0.0, 6.0), (None, None))
    >>> checked([-1.0, 6.0])
    Traceback (most recent call last):
    ValueError: [-1.0, 6.0] are no bounds of responses.
    """
    if isinstance(bounds, list) and len(bounds) == 2:
        low, high = bounds
        if low is None and high is None:
            return None, None
        numbers = all(isinstance(one, float) and np.isfinite(one) for one in bounds)
        if numbers and 0 <= low <= high:
            return low, high
    raise ValueError(f"{bounds!r} are no bounds of responses.")


def _blocks(rows: int) -> list[slice]:
    return [slice(start, start + _ROWS_AT_ONCE) for start in range(0, rows, _ROWS_AT_ONCE)]

"""Which units respond at all: a unit that nothing in the battery moves cannot be measured."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.responses import KeptArray, ResponseArray

SMALLEST = 1e-4
"""Range, relative to that of the units of the layer, from which a unit counts as responsive."""

_ROUNDING_STEPS = 4
_REFERENCE = 90
_UNITS_AT_ONCE = 2_048


def is_responsive(responses: ResponseArray) -> NDArray[np.bool_]:
    """Return which units of one layer respond to the stimuli.

    A unit is responsive if the range of its responses exceeds both 1e-4 of the 90th percentile of
    the ranges in its layer and four rounding steps at its largest value. Both scale with the
    responses, so no unit of measurement matters; up to nine tenths of a layer may be dead, and up
    to a tenth of it huge, before the percentile is.

    Parameters
    ----------
    responses
        Axes (unit, stimulus), of the units of one layer.

    Examples
    --------
    >>> is_responsive(np.array([[0, 1], [3, 3], [7, 7 + 1e-6]], np.float32))
    array([ True, False, False])
    """
    if not responses.size:
        return np.zeros(len(responses), bool)
    lowest, highest = responses.min(axis=1), responses.max(axis=1)
    span = highest.astype(np.float64) - lowest
    step = float(np.finfo(responses.dtype).eps) * np.maximum(np.abs(lowest), np.abs(highest))
    responsive: NDArray[np.bool_] = (span > SMALLEST * np.percentile(span, _REFERENCE)) & (
        span > _ROUNDING_STEPS * step
    )
    return responsive


def spread_of(responses: KeptArray) -> NDArray[np.float64]:
    """Return the standard deviation of each unit's responses, axes (unit,).

    Examples
    --------
    >>> spread_of(np.array([[0, 2], [3, 3]], np.float32))
    array([1., 0.])
    """
    spread = np.empty(len(responses))
    for units in blocks(len(responses)):
        spread[units] = responses[units].std(axis=1, dtype=np.float64)
    return spread


def blocks(units: int) -> Iterator[slice]:
    """Yield slices that cover ``units`` rows: what is made of them stays small in memory.

    Examples
    --------
    >>> list(blocks(3_000))
    [slice(0, 2048, None), slice(2048, 3000, None)]
    """
    for start in range(0, units, _UNITS_AT_ONCE):
        yield slice(start, min(start + _UNITS_AT_ONCE, units))

"""Which units answer at all: a unit that nothing in the battery moves cannot be measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.responses import Answers

SMALLEST = 1e-4
"""Range, relative to that of the units of the layer, from which a unit counts as moved."""

_ROUNDING_STEPS = 4
_REFERENCE = 90


def moved(answers: Answers) -> NDArray[np.bool_]:
    """Return which units of one layer the stimuli move.

    A unit is moved if the range of its answers exceeds both 1e-4 of the 90th percentile of the
    ranges in its layer and four rounding steps at its largest value. Both scale with the answers,
    so no unit of measurement matters; up to nine tenths of a layer may be dead, and up to a tenth
    of it huge, before the percentile is.

    Parameters
    ----------
    answers
        Axes (unit, stimulus), of the units of one layer.

    Examples
    --------
    >>> moved(np.array([[0, 1], [3, 3], [7, 7 + 1e-6]], np.float32))
    array([ True, False, False])
    """
    if not answers.size:
        return np.zeros(len(answers), bool)
    lowest, highest = answers.min(axis=1), answers.max(axis=1)
    span = highest.astype(np.float64) - lowest
    step = float(np.finfo(answers.dtype).eps) * np.maximum(np.abs(lowest), np.abs(highest))
    moves: NDArray[np.bool_] = (span > SMALLEST * np.percentile(span, _REFERENCE)) & (
        span > _ROUNDING_STEPS * step
    )
    return moves

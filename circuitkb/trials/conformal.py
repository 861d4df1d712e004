"""Intervals around predictions, by split conformal calibration.

A quarter of the calibrating pairs gives how predictions are scaled and how errors grow with them,
the others the quantile of the errors so measured. An interval then holds what is measured with the
stated probability, whatever the errors are distributed like, for edits drawn as the calibrating
ones were: Lei et al., 'Distribution-free predictive inference for regression', JASA 2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from circuitkb.schema.errors import TrialError

LEVEL = 0.95

Values = NDArray[np.float64]

_PLACES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97)
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Calibration:
    """How predictions of one kind are turned into values and intervals.

    Attributes
    ----------
    slope
        Measured effects over raw predictions.
    least
        Errors are measured in units of ``sqrt(least + |value|)``: they grow with the value, but
        more slowly (among the powers 0, 1/4, 1/2, 3/4 and 1 the half gave intervals that are narrow
        for small and for large effects, on deletions in EfficientNet-Lite0).
    quantile
        So many of these units lie to both sides of the value.
    level
        Share of intervals that are to hold.
    count
        Pairs that it was made of.
    """

    slope: float
    least: float
    quantile: float
    level: float
    count: int

    def interval(self, raw: float) -> tuple[float, float, float]:
        """Return the value predicted, and the lower and upper end of its interval."""
        value = self.slope * raw
        half = self.quantile * math.sqrt(self.least + abs(value))
        return value, value - half, value + half


def calibrate(
    predicted: ArrayLike,
    measured: ArrayLike,
    *,
    seed: int,
    level: float = LEVEL,
    scaled: bool = True,
) -> Calibration:
    """Calibrate predictions on what was measured.

    Parameters
    ----------
    predicted, measured
        One of each for each of the random edits.
    seed
        Of the division.
    level
        Share of intervals that are to hold.
    scaled
        Whether predictions may be multiplied by a slope; one that is exact needs none.

    Raises
    ------
    TrialError
        There are too few for the level.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> x = draw.normal(size=4000)
    >>> y = 2 * x + (0.1 + np.abs(x)) * draw.normal(size=4000)
    >>> found = calibrate(x[:2000], y[:2000], seed=0)
    >>> _, low, high = zip(*map(found.interval, x[2000:]))
    >>> held = ((low <= y[2000:]) & (y[2000:] <= high)).mean()
    >>> bool(0.93 < held < 0.97)
    True
    """
    raw, real = np.asarray(predicted, np.float64), np.asarray(measured, np.float64)
    order = np.random.default_rng(seed).permutation(len(raw))
    first, second = order[: len(raw) // 4], order[len(raw) // 4 :]
    rank = math.ceil((len(second) + 1) * level)
    if rank > len(second):
        needed = math.ceil(4 / 3 * math.ceil(level / (1 - level)))
        raise TrialError(
            f"{len(raw)} edits are too few for intervals that hold in {level:.0%}: run {needed}."
        )
    square = float(raw[first] @ raw[first])
    slope = float(raw[first] @ real[first]) / square if scaled and square > 0 else 1.0
    size = np.abs(slope * raw)
    error = np.abs(real - slope * raw)
    least = _least(size[first], error[first], level)
    scores = np.sort(error[second] / np.sqrt(least + size[second]))
    return Calibration(slope, least, float(scores[rank - 1]), level, len(raw))


def _least(size: Values, error: Values, level: float) -> float:
    """Return what is added to the size of values, so that intervals are narrow on average."""
    known = size[size > 0]
    if not len(known):
        return 1.0
    choices = np.quantile(known, _PLACES)[:, None]
    scale = np.sqrt(choices + size)
    widths = np.log(np.quantile(error / scale, level, axis=1) + _TINY) + np.log(scale).mean(axis=1)
    return float(choices[widths.argmin(), 0])

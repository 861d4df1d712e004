"""Intervals around predictions, by split conformal calibration.

Half of the calibrating pairs give how predictions are scaled and how errors grow with them, the
other half the quantile of the errors so measured. An interval then holds what is measured with the
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


@dataclass(frozen=True)
class Calibration:
    """How predictions of one kind are turned into values and intervals.

    Attributes
    ----------
    slope
        Measured effects over raw predictions.
    least, growth
        Errors are measured in units of ``least + growth * |value|``.
    quantile
        So many of these units lie to both sides of the value.
    level
        Share of intervals that are to hold.
    count
        Pairs that it was made of.
    """

    slope: float
    least: float
    growth: float
    quantile: float
    level: float
    count: int

    def interval(self, raw: float) -> tuple[float, float, float]:
        """Return the value predicted, and the lower and upper end of its interval."""
        value = self.slope * raw
        half = self.quantile * (self.least + self.growth * abs(value))
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
        Of the division into halves.
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
    first, second = order[: len(raw) // 2], order[len(raw) // 2 :]
    rank = math.ceil((len(second) + 1) * level)
    if rank > len(second):
        needed = 2 * math.ceil(level / (1 - level))
        raise TrialError(
            f"{len(raw)} edits are too few for intervals that hold in {level:.0%}: run {needed}."
        )
    square = float(raw[first] @ raw[first])
    slope = float(raw[first] @ real[first]) / square if scaled and square > 0 else 1.0
    value = slope * raw
    error = np.abs(real - value)
    least, growth = _scale(np.abs(value[first]), error[first])
    scores = np.sort(error[second] / (least + growth * np.abs(value[second])))
    return Calibration(slope, least, growth, float(scores[rank - 1]), level, len(raw))


def _scale(size: Values, error: Values) -> tuple[float, float]:
    """Return how errors grow with predictions: a line without negative parts, never zero."""
    from scipy.optimize import nnls

    # A few edits that do a lot would decide alone: each counts by how large its prediction is.
    weight = 1 / (size + np.median(size) + np.finfo(np.float32).tiny)
    both = np.stack([np.ones_like(size), size], axis=1) * weight[:, None]
    (least, growth), _ = nnls(both, error * weight)
    floor = max(float(np.quantile(error, 0.1)), float(np.finfo(np.float32).tiny))
    return max(float(least), floor), float(growth)

"""What a target is at least, over a box: by intervals, and by linear bounds carried backwards.

The backward bounds are those of CROWN (Zhang and others, NeurIPS 2018): each nonlinearity lies
between two lines, so that the target is at least an affine function of the box. A condition that is
to hold besides enters by a multiplier, as in beta-CROWN (Wang and others, NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.proofs.cone import Cone, Made, Part
from circuitkb.proofs.wiring import Values

MULTIPLIERS = 24
"""Values of each multiplier that are tried."""

SHARPENED = 4000
"""Places of a layer whose intervals are sharpened by backward bounds at most."""

TOGETHER = 128
"""Places that are sharpened at once: their coefficients are one dense array."""


@dataclass(frozen=True, eq=False)
class Condition:
    """``weights @ variables >= level``."""

    weights: Values
    level: float

    def holds(self, values: Values) -> bool:
        """Return whether it holds."""
        return bool(self.weights @ values >= self.level)

    def tightened(self, low: Values, high: Values) -> tuple[Values, Values]:
        """Return a box made narrower where the condition is about one variable."""
        (which,) = np.nonzero(self.weights)
        if len(which) != 1:
            return low, high
        low, high = low.copy(), high.copy()
        end = self.level / self.weights[which[0]]
        if self.weights[which[0]] > 0:
            low[which[0]] = max(low[which[0]], end)
        else:
            high[which[0]] = min(high[which[0]], end)
        return low, high


@dataclass(frozen=True, eq=False)
class Intervals:
    """Between which numbers every variable lies, and what it is made of before its nonlinearity.

    ``before_low`` and ``before_high`` are of computed variables.
    """

    low: Values
    high: Values
    before_low: Values
    before_high: Values

    def undecided(self, part: Part) -> NDArray[np.bool_]:
        """Return which places of a part may be on either side of a kink."""
        low, high = (
            self.before_low[part.start : part.stop],
            self.before_high[part.start : part.stop],
        )
        return ((low < part.low) & (high > part.low)) | ((low < part.high) & (high > part.high))


def intervals(cone: Cone, low: Values, high: Values, *, sharpen: bool = True) -> Intervals:
    """Return between which numbers all variables lie, over a box.

    Parameters
    ----------
    sharpen
        Whether to carry bounds backwards for places that may be on either side of a kink.
    """
    found = Intervals(
        low.copy(), high.copy(), np.full_like(low, -np.inf), np.full_like(low, np.inf)
    )
    affine = True
    for part, made in cone.computed:
        here = slice(part.start, part.stop)
        least, most = found.low[: part.start], found.high[: part.start]
        positive, negative = made.matrix.maximum(0), made.matrix.minimum(0)
        found.before_low[here] = positive @ least + negative @ most + made.bias
        found.before_high[here] = positive @ most + negative @ least + made.bias
        if sharpen and not affine:  # of what is affine in the box intervals are exact
            _sharpen(cone, part, made, found, low, high)
        found.low[here] = np.clip(found.before_low[here], part.low, part.high)
        found.high[here] = np.clip(found.before_high[here], part.low, part.high)
        affine = False
    return found


def _sharpen(
    cone: Cone, part: Part, made: Made, found: Intervals, low: Values, high: Values
) -> None:
    (which,) = np.nonzero(found.undecided(part))
    which = which[:SHARPENED]
    for first in range(0, len(which), TOGETHER):
        some = which[first : first + TOGETHER]
        padded = np.zeros((len(some), cone.size))
        padded[:, : part.start] = made.matrix[some].toarray()
        bias, at = made.bias[some], part.start + some
        least, _ = backward(cone, found, padded, bias, low, high, until=part)
        most, _ = backward(cone, found, -padded, -bias, low, high, until=part)
        found.before_low[at] = np.maximum(found.before_low[at], least)
        found.before_high[at] = np.minimum(found.before_high[at], -most)


def backward(
    cone: Cone,
    known: Intervals,
    weights: Values,
    bias: Values,
    low: Values,
    high: Values,
    *,
    until: Part | None = None,
) -> tuple[Values, Values]:
    """Return what affine functions of all variables are at least, and where the bound is taken.

    Parameters
    ----------
    weights, bias
        Axes (function, variable) and (function,).
    until
        Only parts before this one are read.

    Returns
    -------
    tuple
        Bounds, axes (function,), and the corners of the box, axes (function, variable).
    """
    weights, bias = weights.copy(), bias.copy()
    parts = list(cone.computed)
    if until is not None:
        parts = [one for one in parts if one[0].start < until.start]
    for part, made in reversed(parts):
        here = slice(part.start, part.stop)
        lines = relaxed(part, known.before_low[here], known.before_high[here])
        own = weights[:, here]
        positive, negative = np.maximum(own, 0), np.minimum(own, 0)
        bias += positive @ lines.low_constant + negative @ lines.high_constant
        slopes = positive * lines.low_slope + negative * lines.high_slope
        bias += slopes @ made.bias
        weights[:, here] = 0
        weights[:, : part.start] += (made.matrix.T @ slopes.T).T
    positive = weights > 0
    corner = np.where(positive, low, high)
    used = weights != 0
    bound = bias + np.where(used, weights * np.where(used, corner, 0.0), 0.0).sum(axis=1)
    return bound, corner


@dataclass(frozen=True, eq=False)
class Lines:
    """A line below and one above a nonlinearity, for each place."""

    low_slope: Values
    low_constant: Values
    high_slope: Values
    high_constant: Values


def relaxed(part: Part, low: Values, high: Values) -> Lines:
    """Return lines between which a nonlinearity lies where its argument lies in an interval.

    Examples
    --------
    >>> from circuitkb.proofs.wiring import LayerShape
    >>> part = Part("a", LayerShape(0, "relu", 1, 1, 1), np.arange(1), 0, None, 0.0, np.inf)
    >>> lines = relaxed(part, np.array([-1.0]), np.array([3.0]))
    >>> lines.low_slope.tolist(), lines.high_slope.tolist(), lines.high_constant.tolist()
    ([1.0], [0.75], [0.75])
    """
    cut_low, cut_high = part.low, part.high
    width = np.maximum(high - low, 1e-300)
    one, none = np.ones_like(low), np.zeros_like(low)
    slope, constant = one.copy(), none.copy()
    above, more = one.copy(), none.copy()
    off, full = high <= cut_low, low >= cut_high
    for where, value in ((off, cut_low), (full, cut_high)):
        if where.any():
            slope[where] = above[where] = 0.0
            constant[where] = more[where] = value
    free = ~off & ~full
    dips, tops = free & (low < cut_low), free & (high > cut_high)
    only = dips & ~tops  # convex: a chord above, one of two lines below
    chord = (high - cut_low) / width
    above[only], more[only] = chord[only], (cut_low - chord * low)[only]
    flat = only & (high - cut_low < cut_low - low)
    slope[flat], constant[flat] = 0.0, cut_low
    only = tops & ~dips  # concave: the other way round
    chord = (cut_high - low) / width if np.isfinite(cut_high) else one
    slope[only], constant[only] = chord[only], (low - chord * low)[only]
    flat = only & (cut_high - low < high - cut_high)
    above[flat], more[flat] = 0.0, cut_high
    both = dips & tops
    if both.any():
        rise = cut_high - cut_low
        up = rise / (cut_high - low[both])
        above[both], more[both] = up, cut_low - up * low[both]
        steep = rise / (high[both] - cut_low)
        slope[both], constant[both] = steep, cut_low - steep * cut_low
    return Lines(slope, constant, above, more)


def least(
    cone: Cone,
    known: Intervals,
    weights: Values,
    bias: float,
    conditions: Sequence[Condition],
    low: Values,
    high: Values,
) -> tuple[float, list[Values]]:
    """Return what an affine function is at least where conditions hold, and corners to look at.

    One multiplier for each condition is raised as long as that raises the bound, twice over all.
    """
    chosen = np.zeros(len(conditions))

    def bound(multipliers: Values) -> tuple[float, Values]:
        total, constant = weights.copy(), bias
        for one, multiplier in zip(conditions, multipliers, strict=True):
            total = total - multiplier * one.weights
            constant += multiplier * one.level
        value, corner = backward(cone, known, total[None], np.array([constant]), low, high)
        return float(value[0]), corner[0]

    best, corner = bound(chosen)
    corners = [corner]
    for _ in range(2 if len(conditions) > 1 else 1):
        for number in range(len(conditions)):
            scale = float(np.abs(weights).max(initial=0)) or 1.0
            tried = scale * np.concatenate([[0.0], np.logspace(-3, 3, MULTIPLIERS)])
            values = []
            for multiplier in tried:
                trial = chosen.copy()
                trial[number] = multiplier
                values.append((*bound(trial), float(multiplier)))
            values.sort(key=lambda one: -one[0])
            if values[0][0] > best:
                best, chosen[number] = values[0][0], values[0][2]
            corners += [one[1] for one in values[:4]]
    return best, corners

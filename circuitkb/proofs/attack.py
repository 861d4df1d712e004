"""A search for a counterexample by gradients: what it finds is checked, never trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from circuitkb.proofs.bounds import Condition
from circuitkb.proofs.cone import Cone
from circuitkb.proofs.wiring import Values

STEPS = 120
"""Steps of a descent."""

MOST = 400
"""Descents that are begun at most: from what is given, then from random places of the box."""


def attacked(
    cone: Cone,
    sign: float,
    conditions: Sequence[Condition],
    low: Values,
    high: Values,
    starts: Sequence[Values],
    found: Callable[[Values], bool],
    out_of_time: Callable[[], bool],
    seed: int = 0,
    descents: int = MOST,
) -> Values | None:
    """Go down the slope of the target from several places, and return the first that is found.

    Parameters
    ----------
    sign
        1 where the target is to be small, -1 where it is to be large.
    starts
        Values of the box, such as the corners that bounds point to.
    found
        Whether values of the box are a counterexample.
    descents
        So many are begun at most.
    """
    rng = np.random.default_rng(seed)
    for start in starts:
        inside = np.where(cone.in_box, start, 0.0)
        if found(inside):
            return inside
    width = np.where(cone.in_box, high - low, 0.0)
    floor = np.where(cone.in_box, low, 0.0)
    if not any(True for _ in cone.computed):
        return None  # affine: corners are all there is to look at
    for number in range(descents):
        values = (
            np.where(cone.in_box, starts[number], 0.0)
            if number < len(starts)
            else floor + width * rng.random(cone.size)
        )
        pace = np.zeros(cone.size)
        for step in range(STEPS):
            if out_of_time():
                return None
            slope = _slope(cone, values, sign, conditions)
            # Steps of every size: signs alone, or what a longer memory of slopes says.
            pace = 0.8 * pace + slope / (np.abs(slope).sum() or 1.0)
            rate = 0.1 * 0.97**step + 0.002
            direction = np.sign(pace) if number % 2 else pace / (np.abs(pace).max() or 1.0)
            values = np.clip(values - rate * width * direction, floor, floor + width)
            if step % 4 == 3 and found(values):
                return values
    return None


def _slope(cone: Cone, values: Values, sign: float, conditions: Sequence[Condition]) -> Values:
    """Return the gradient of the target, and of the conditions that do not hold, by the box."""
    every, _ = cone.values(values)
    weights = sign * cone.weights.copy()
    scale = float(np.abs(weights).sum()) or 1.0
    for one in conditions:
        if one.weights @ every < one.level * (1 + 1e-6) + 1e-9:
            weights -= 10 * scale / (float(np.abs(one.weights).sum()) or 1.0) * one.weights
    for part, made in reversed(list(cone.computed)):
        here = slice(part.start, part.stop)
        pre = made.matrix @ every[: part.start] + made.bias
        # At a kink both sides count: a condition may need what is just cut off.
        open_ = (pre >= part.low) & (pre <= part.high)
        wanted = weights[here] * open_
        pushed = ~open_ & (np.sign(weights[here]) == np.where(pre > part.high, 1.0, -1.0))
        wanted = np.where(pushed, weights[here], wanted)
        weights[here] = 0
        weights[: part.start] += made.matrix.T @ wanted
    return weights

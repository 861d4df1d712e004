"""Intervals hold as often as they say on what did not calibrate them. Costs about 1 s."""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.schema.errors import TrialError
from circuitkb.trials.conformal import calibrate


@pytest.mark.parametrize("tails", ["normal", "heavy", "few large"])
def test_intervals_hold_in_95_percent_whatever_errors_are_like(tails: str) -> None:
    draw = np.random.default_rng(4)
    held = []
    for _ in range(40):
        x = draw.standard_t(3, size=2000)
        noise = {
            "normal": draw.normal(size=2000),
            "heavy": draw.standard_t(2, size=2000),
            "few large": draw.normal(size=2000) * (draw.random(2000) < 0.2),
        }[tails]
        y = 0.7 * x + noise * (0.05 + np.abs(x))
        found = calibrate(x[:1000], y[:1000], seed=0)
        ends = np.array([found.interval(one)[1:] for one in x[1000:]])
        held.append(((ends[:, 0] <= y[1000:]) & (y[1000:] <= ends[:, 1])).mean())
    assert 0.94 < np.mean(held) < 0.96


def test_exact_predictions_keep_their_value_and_get_narrow_intervals() -> None:
    x = np.random.default_rng(0).normal(size=400)
    found = calibrate(x, x + 1e-4, seed=0, scaled=False)
    value, low, high = found.interval(0.5)
    assert value == 0.5
    assert low <= 0.5001 <= high
    assert high - low < 1e-3


def test_too_few_edits_say_how_many_it_takes() -> None:
    with pytest.raises(TrialError, match=r"20 edits are too few .* run 26"):
        calibrate(np.ones(20), np.ones(20), seed=0)
    calibrate(np.arange(26.0), np.arange(26.0), seed=0)

"""From what was measured to an outcome: a pure function of prediction, tolerance and run.

- **refuted** (``failed``): the value misses what is predicted by more than the tolerance, and so
  does each repetition;
- **supported** (``held``): the value meets the prediction, so does each repetition, and at most 5%
  of the null do;
- else **undecided**, with the reason.

There is no vote: one repetition that disagrees is enough for undecided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from statistics import fmean
from typing import Any

from circuitkb.claims.ways.way import Run
from circuitkb.trials.trial import Outcome

LEVEL = 0.05
"""Share of the null that may meet the prediction as well."""

_EPSILON = 1e-12


@dataclass(frozen=True)
class Decision:
    """An outcome and why; p of the control, and the interval that was predicted."""

    outcome: Outcome
    why: str
    p: float | None
    low: float | None
    high: float | None


def interval(prediction: Mapping[str, Any], tolerance: float) -> tuple[float | None, float | None]:
    """Return the values that meet a prediction; None is without a bound.

    Examples
    --------
    >>> interval({"at_least": 0.5}, 0.1), interval({"about": 1.0}, 0.5)
    ((0.5, None), (0.5, 1.5))
    """
    if "about" in prediction:
        return prediction["about"] - tolerance, prediction["about"] + tolerance
    return prediction.get("at_least"), prediction.get("at_most")


def missed(prediction: Mapping[str, Any], value: float) -> float:
    """Return how far a value is from what is predicted; 0 where it meets it.

    Examples
    --------
    >>> missed({"at_least": 0.5}, 0.25), missed({"at_most": 0.5}, 0.25)
    (0.25, 0.0)
    """
    if not isfinite(value):
        return float("inf")
    if "about" in prediction:
        return abs(float(value - prediction["about"]))
    if "at_least" in prediction:
        return max(0.0, float(prediction["at_least"] - value))
    return max(0.0, float(value - prediction["at_most"]))


def decide(prediction: Mapping[str, Any], tolerance: float, run: Run) -> Decision:
    """Return the outcome of a run.

    Examples
    --------
    >>> def run(value, *again, null):
    ...     return Run(value, again, "mean", "chance", "halves", null=tuple(null))
    >>> chance = [0.1] * 99
    >>> decide({"at_least": 0.5}, 0.1, run(0.7, 0.6, 0.8, null=chance)).outcome
    'held'
    >>> decide({"at_least": 0.5}, 0.1, run(0.2, 0.1, 0.3, null=chance)).outcome
    'failed'
    >>> decide({"at_least": 0.5}, 0.1, run(0.7, 0.2, 0.9, null=chance)).why
    'not stable (halves): 0.2 misses the prediction'
    >>> decide({"at_least": 0.5}, 0.1, run(0.7, 0.6, 0.8, null=[0.9] * 99)).why
    'the control does as well: p 1'
    """
    low, high = interval(prediction, tolerance)
    allowed = tolerance if "about" in prediction else 0.0
    slack = _EPSILON * max(1.0, abs(run.value))

    def meets(value: float) -> bool:
        return missed(prediction, value) <= allowed + slack

    def fails(value: float) -> bool:
        return missed(prediction, value) > tolerance + slack

    p = run.p
    if p is None and run.null:
        p = (1 + sum(meets(one) for one in run.null)) / (1 + len(run.null))
    if run.left_open:
        return Decision("undecided", run.left_open, p, low, high)
    every = (run.value, *run.again)
    if all(fails(value) for value in every):
        why = f"misses the prediction by {missed(prediction, run.value):.3g}"
        if run.exact:
            why = "it is proved" if run.value else "a counterexample refutes it"
        return Decision("failed", why, p, low, high)
    if all(meets(value) for value in every):
        if run.exact:
            why = "proved" if run.value else "refuted by a counterexample, as predicted"
            return Decision("held", why, p, low, high)
        if p is None:
            return Decision("undecided", "there is no control", p, low, high)
        if p > LEVEL:
            return Decision("undecided", f"the control does as well: p {p:.2g}", p, low, high)
        return Decision("held", "met, stable, and beyond its control", p, low, high)
    if not meets(run.value):
        why = "misses the prediction by less than the tolerance"
        if fails(run.value):
            other = next(value for value in run.again if not fails(value))
            why = f"not stable ({run.stability}): {other:.3g} does not fail"
        return Decision("undecided", why, p, low, high)
    other = next(value for value in run.again if not meets(value))
    why = f"not stable ({run.stability}): {other:.3g} misses the prediction"
    return Decision("undecided", why, p, low, high)


def null_of(run: Run) -> tuple[float | None, int | None]:
    """Return mean and number of the draws of a run's null."""
    if run.null:
        return fmean(run.null), len(run.null)
    return run.null_mean, run.null_count

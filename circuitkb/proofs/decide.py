"""A statement about a cone over a box, decided: bounds first, a descent, then the solver."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from circuitkb.proofs.attack import MOST, attacked
from circuitkb.proofs.bounds import Condition, Intervals, intervals, least
from circuitkb.proofs.box import Bounds
from circuitkb.proofs.cone import Cone
from circuitkb.proofs.solver import MOST_KINKS, Solved, kinks, solve
from circuitkb.proofs.wiring import Values

Outcome = Literal["proved", "refuted", "undecided", "vacuous"]

MARGIN = 1e-6
"""By this share of what the target can be at most the solver must miss for its answer to count."""

CLEAR = 1e-5
"""By so much (or this share) a counterexample fulfils conditions, and breaks what should follow:
what a network computes in single precision then does, too."""

SEARCHED = 0.6
"""Share of the time for descents where the solver has little hope."""

HOPEFUL = 400, 4
"""Places on either side of a kink up to which the solver has the time; descents before it."""


@dataclass(frozen=True, eq=False)
class Question:
    """A target that is to be above (or below) a number wherever all of some conditions hold.

    Attributes
    ----------
    sign
        1 where the target is to be above the number, -1 where below.
    level, strict
        The number, and whether the target must not be equal to it.
    any_of
        Lists of conditions: all of a list together.
    """

    sign: Literal[1, -1]
    level: float
    strict: bool
    any_of: tuple[tuple[Condition, ...], ...]


@dataclass(frozen=True, eq=False)
class Answer:
    """How one question, or one list of its conditions, was decided.

    Attributes
    ----------
    outcome
        ``vacuous`` where nothing in the box fulfils the conditions.
    by
        What decided: bounds, search or solver; what could not, where nothing did.
    bound
        What the target is at least (where it is to be above), proved by bounds.
    values
        Of the box, where it is refuted.
    target
        The target there, by kernels.
    kinks, nodes
        Places on either side of a kink, and what the solver branched over.
    note
        Why it is undecided.
    """

    outcome: Outcome
    by: str
    bound: float | None = None
    values: Values | None = None
    target: float | None = None
    kinks: int = 0
    nodes: int = 0
    note: str = ""


def decide(
    cone: Cone,
    bounds: Bounds,
    question: Question,
    seconds: float,
    *,
    starts: Sequence[Values] = (),
    seed: int = 0,
) -> list[Answer]:
    """Decide a question, one list of conditions after the other.

    Parameters
    ----------
    seconds
        For all of them together.
    starts
        Values of the box to look at, and to begin descents from.
    seed
        Of further beginnings.

    Returns
    -------
    list of Answer
        One for each list of conditions. What comes after a counterexample is not asked.
    """
    ends = time.monotonic() + seconds
    found = []
    for number, all_of in enumerate(question.any_of):
        left = ends - time.monotonic()
        answer = _Decision(
            cone, bounds, question, all_of, left / (len(question.any_of) - number), starts, seed
        ).answer()
        found.append(answer)
        if answer.outcome == "refuted":
            break
    return found


def overall(answers: Sequence[Answer]) -> Outcome:
    """Return how a statement ended whose lists of conditions ended so.

    Examples
    --------
    >>> overall([Answer("proved", "bounds"), Answer("vacuous", "bounds")])
    'proved'
    """
    outcomes = {one.outcome for one in answers}
    for outcome in ("refuted", "undecided", "proved"):
        if outcome in outcomes:
            return outcome
    return "vacuous"


class _Decision:
    """One list of conditions, decided."""

    def __init__(
        self,
        cone: Cone,
        bounds: Bounds,
        question: Question,
        all_of: Sequence[Condition],
        seconds: float,
        starts: Sequence[Values],
        seed: int,
    ) -> None:
        self._cone, self._bounds, self._question, self._all_of = cone, bounds, question, all_of
        self._begun, self._ends = time.monotonic(), time.monotonic() + seconds
        self._starts, self._seed = starts, seed
        self._sign = question.sign
        self._weights, self._bias = question.sign * cone.weights, question.sign * cone.bias
        self._level = question.sign * question.level
        self._known: Intervals | None = None
        self._bound: float | None = None
        self._kinks = 0
        self._found: Values | None = None
        self._inner = bounds.low, bounds.high
        """The box in which conditions are a little more than fulfilled."""

    def answer(self) -> Answer:
        """Ask bounds, then descents, then the solver."""
        cone = self._cone
        low, high = self._bounds.low, self._bounds.high
        for condition in self._all_of:
            if _about_box(cone, condition):
                low, high = condition.tightened(low, high)
        self._low, self._high = _whole(low, high, self._bounds)
        if (self._low > self._high).any():
            return Answer("vacuous", "bounds")
        corners: list[Values] = []
        affine = not any(True for _ in cone.computed)
        for sharpen in (False,) if affine else (False, True):
            known = intervals(cone, self._low, self._high, sharpen=sharpen)
            if not all(_possible(one, known) for one in self._all_of):
                return Answer("vacuous", "bounds")
            self._known, self._kinks = known, kinks(cone, known)
            bound, corners = least(
                cone, known, self._weights, self._bias, self._all_of, self._low, self._high
            )
            self._bound = bound if self._bound is None else max(bound, self._bound)
            if self._proves(self._bound):
                return self._said("proved", "bounds")
        clear = self._clearer()
        low, high = self._low, self._high
        for condition in clear:
            if _about_box(cone, condition):
                low, high = condition.tightened(low, high)
        self._inner = low, high
        attacked(
            cone,
            self._sign,
            clear,
            low,
            high,
            [*self._starts, *corners],
            lambda values: self._refutes(values, clear),
            self._time_for_descents(),
            self._seed,
            MOST if self._kinks > HOPEFUL[0] else HOPEFUL[1],
        )
        if self._found is not None:
            return self._said("refuted", "search")
        if self._kinks > MOST_KINKS:
            return self._said(
                "undecided",
                "bounds, search",
                note=f"too large for the solver: {self._kinks:,} places on either side of a kink",
            )
        return self._solved(clear)

    def _solved(self, clear: Sequence[Condition]) -> Answer:
        nodes = 0
        slack = MARGIN * (self._span() + abs(self._bias) + abs(self._level))
        first = self._solve(self._weights, slack, self._all_of)
        nodes += first.nodes
        if first.status == "impossible":
            if not all(_about_box(self._cone, one) for one in self._all_of):
                empty = self._solve(np.zeros_like(self._weights), None, self._all_of)
                nodes += empty.nodes
                if empty.status == "impossible":
                    return self._said("vacuous", "solver", nodes=nodes)
            return self._said("proved", "solver", nodes=nodes)
        note = "out of time"
        if first.values is not None:
            note = "too near to the level to be told apart"
            if not self._refutes(first.values, clear):
                again = self._solve(self._weights, -slack, clear)
                nodes += again.nodes
                if again.values is not None:
                    self._refutes(again.values, clear)
            if self._found is not None:
                return self._said("refuted", "solver", nodes=nodes)
        return self._said("undecided", "solver", nodes=nodes, note=note)

    def _solve(
        self, weights: Values, slack: float | None, conditions: Sequence[Condition]
    ) -> Solved:
        known, cone = self._known, self._cone
        assert known is not None, "bounds come first"
        level = self._level - self._bias
        return solve(
            cone,
            Intervals(
                np.where(cone.in_box, self._low, known.low),
                np.where(cone.in_box, self._high, known.high),
                known.before_low,
                known.before_high,
            ),
            weights,
            1.0 if slack is None else level + slack,
            conditions,
            self._bounds.whole & (self._low < self._high),
            self._ends - time.monotonic(),
            0.0 if slack is None else level - 10 * abs(slack),
        )

    def _span(self) -> float:
        """Return how much the target can be at most, bias apart."""
        assert self._known is not None, "bounds come first"
        most = np.maximum(np.abs(self._known.low), np.abs(self._known.high))
        used = self._weights != 0
        return float(np.abs(self._weights[used]) @ most[used])

    def _clearer(self) -> list[Condition]:
        """Return conditions that a little more than fulfils the ones asked."""
        found = []
        for one in self._all_of:
            level = one.level + CLEAR * max(1.0, abs(one.level))
            used = one.weights != 0
            known = self._known
            assert known is not None, "bounds come first"
            most = np.where(one.weights > 0, known.high, known.low)
            highest = float((one.weights[used] * most[used]).sum())
            found.append(Condition(one.weights, min(level, max(highest, one.level))))
        return found

    def _proves(self, value: float) -> bool:
        return value > self._level if self._question.strict else value >= self._level

    def _refutes(self, values: Values, clear: Sequence[Condition]) -> bool:
        """Keep values of the box that fulfil the conditions and break what should follow."""
        inside = _snapped(values, *self._inner, self._bounds)
        inside = np.where(self._cone.in_box, inside, 0.0)
        every, target = self._cone.values(inside)
        beyond = self._level - CLEAR * max(1.0, abs(self._level))
        if self._sign * target > beyond or not all(one.holds(every) for one in clear):
            return False
        self._found = inside
        return True

    def _time_for_descents(self) -> Callable[[], bool]:
        hopeless = self._kinks > HOPEFUL[0]
        left = self._ends - time.monotonic()
        ends = time.monotonic() + left * (SEARCHED if hopeless else 0.15)
        return lambda: time.monotonic() > ends

    def _said(self, outcome: Outcome, by: str, *, nodes: int = 0, note: str = "") -> Answer:
        bound = None if self._bound is None else self._sign * self._bound
        target = None
        if outcome == "refuted" and self._found is not None:
            _, target = self._cone.values(self._found)
        return Answer(outcome, by, bound, self._found, target, self._kinks, nodes, note)


def _about_box(cone: Cone, condition: Condition) -> bool:
    return bool(cone.in_box[np.flatnonzero(condition.weights)].all())


def _possible(condition: Condition, known: Intervals) -> bool:
    """Return whether intervals leave room for a condition."""
    weights = condition.weights
    used = weights != 0
    most = np.where(weights > 0, known.high, known.low)
    return float((weights[used] * most[used]).sum()) >= condition.level


def _whole(low: Values, high: Values, bounds: Bounds) -> tuple[Values, Values]:
    """Return a box whose whole variables stand at an end where only one is left."""
    one = bounds.whole & ((low > bounds.low) | (high < bounds.high))
    low = np.where(one & (low > bounds.low), bounds.high, low)
    return low, np.where(one & (high < bounds.high), bounds.low, high)


def _snapped(values: Values, low: Values, high: Values, bounds: Bounds) -> Values:
    """Put values into the box, and whole ones onto the nearer end."""
    inside = np.clip(values, low, high)
    nearer = np.where(inside - low < high - inside, low, high)
    return np.where(bounds.whole, nearer, inside)

"""How claims stand: from the outcomes of their trials and, of wholes, from their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuitkb.schema.claims import STANDINGS

REFUTED, UNTESTED, UNDECIDED, SUPPORTED = STANDINGS

_OF = {"held": SUPPORTED, "failed": REFUTED, "undecided": UNDECIDED}


@dataclass(frozen=True)
class Standing:
    """How a claim stands, and why."""

    standing: str
    why: str


@dataclass(frozen=True)
class ClaimState:
    """What is known of one claim.

    Attributes
    ----------
    state
        ``live`` or ``contested``.
    parts
        Ids of its parts, here or not.
    predicts
        Whether it has a prediction of its own.
    outcome, why
        How its current trial ended; None where there is none.
    not_tested
        Why there is none, or no current one.
    """

    state: str
    parts: Sequence[str]
    predicts: bool
    outcome: str | None = None
    why: str = ""
    not_tested: str = "not tested yet"


def standings(claims: Mapping[str, ClaimState]) -> dict[str, Standing]:
    """Return how claims stand; of a whole, the weakest of its parts and of itself decides.

    Examples
    --------
    >>> found = standings({
    ...     "whole": ClaimState("live", ["one", "other"], predicts=False),
    ...     "one": ClaimState("live", [], predicts=True, outcome="held"),
    ...     "other": ClaimState("live", [], predicts=True, outcome="failed", why="misses by 1"),
    ... })
    >>> found["whole"]
    Standing(standing='refuted', why='its part other is refuted')
    """
    found: dict[str, Standing] = {}
    for id in sorted(claims):
        _stand(id, claims, found, ())
    return found


def _stand(
    id: str, claims: Mapping[str, ClaimState], found: dict[str, Standing], above: tuple[str, ...]
) -> Standing:
    if id in found:
        return found[id]
    claim = claims.get(id)
    if claim is None:
        return Standing(UNTESTED, "it is not here")
    if id in above:  # two stores that each hold one half of a circle were copied into one
        return Standing(UNDECIDED, "it is a part of itself")
    candidates: list[Standing] = []
    for part in claim.parts:
        stands = _stand(part, claims, found, (*above, id)).standing
        candidates.append(Standing(stands, f"its part {part} is {stands}"))
    if claim.predicts or not claim.parts:
        candidates.append(_own(claim))
    weakest = min(candidates, key=lambda one: STANDINGS.index(one.standing))
    if weakest.standing == SUPPORTED and claim.parts:
        weakest = Standing(SUPPORTED, f"all of its {len(claim.parts)} parts are")
    if claim.state == "contested" and weakest.standing != UNTESTED:
        weakest = Standing(UNDECIDED, "its id stands for two different statements")
    found[id] = weakest
    return weakest


def _own(claim: ClaimState) -> Standing:
    if claim.outcome is None:
        return Standing(UNTESTED, claim.not_tested)
    return Standing(_OF[claim.outcome], claim.why)


def counts(found: Mapping[str, Any]) -> dict[str, int]:
    """Return how many stand how, all four in order."""
    every = [one.standing for one in found.values()]
    return {name: every.count(name) for name in reversed(STANDINGS)}

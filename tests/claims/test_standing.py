"""From values to outcomes to standings: the weakest part decides, nothing is a vote."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from circuitkb.claims.deciding import decide
from circuitkb.claims.standing import ClaimState, standings
from circuitkb.claims.ways.registry import WAYS
from circuitkb.claims.ways.way import Asked, Run
from circuitkb.schema.claims import STANDINGS

OUTCOMES = {"held": "supported", "failed": "refuted", "undecided": "undecided", None: "untested"}
OUTCOME = st.sampled_from(list(OUTCOMES))


def run(value: float, *again: float, null: float = 0.0) -> Run:
    return Run(value, again, "value", "chance", "halves", null=(null,) * 99)


@settings(max_examples=25, deadline=None)
@given(st.lists(OUTCOME, min_size=1, max_size=8), st.randoms())
def test_a_whole_stands_as_its_weakest_part_in_whatever_order(
    outcomes: list[str | None], random: object
) -> None:
    names = [f"p{i}" for i in range(len(outcomes))]
    claims = {
        name: ClaimState("live", (), predicts=True, outcome=outcome)
        for name, outcome in zip(names, outcomes, strict=True)
    }
    random.shuffle(names)  # type: ignore[attr-defined]
    claims["whole"] = ClaimState("live", names, predicts=False)
    order = [name for name in STANDINGS if name in {OUTCOMES[one] for one in outcomes}]
    assert standings(claims)["whole"].standing == order[0]
    shuffled = list(claims)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert standings({name: claims[name] for name in shuffled}) == standings(claims)


def test_many_supported_parts_do_not_outvote_one_that_is_refuted() -> None:
    claims = {f"p{i}": ClaimState("live", (), predicts=True, outcome="held") for i in range(50)}
    claims["no"] = ClaimState("live", (), predicts=True, outcome="failed")
    claims["inner"] = ClaimState("live", ["p1", "no"], predicts=False)
    claims["whole"] = ClaimState("live", [f"p{i}" for i in range(50)] + ["inner"], predicts=False)
    found = standings(claims)
    assert found["whole"].standing == "refuted"
    assert found["whole"].why == "its part inner is refuted"


def test_a_part_that_is_not_here_leaves_the_whole_untested_and_its_own_trial_counts() -> None:
    held = ClaimState("live", ["absent"], predicts=True, outcome="held")
    failed = ClaimState("live", ["absent"], predicts=True, outcome="failed")
    found = standings({"a": held, "b": failed})
    assert (found["a"].standing, found["b"].standing) == ("untested", "refuted")


def test_a_contested_claim_is_undecided_whatever_its_trial_says() -> None:
    found = standings({"a": ClaimState("contested", (), predicts=True, outcome="held")})
    assert found["a"].standing == "undecided"


def test_a_circle_that_two_copies_made_ends() -> None:
    claims = {
        "a": ClaimState("live", ["b"], predicts=False),
        "b": ClaimState("live", ["a"], predicts=False),
    }
    assert {one.standing for one in standings(claims).values()} == {"undecided"}


def test_one_repetition_that_disagrees_or_a_control_that_does_as_well_is_enough() -> None:
    at_least = {"at_least": 0.5}
    assert decide(at_least, 0.1, run(0.6, 0.6, 0.6)).outcome == "held"
    assert decide(at_least, 0.1, run(0.6, 0.6, 0.3)).outcome == "undecided"
    assert decide(at_least, 0.1, run(0.6, 0.6, 0.6, null=0.55)).outcome == "undecided"
    assert decide(at_least, 0.1, run(0.3, 0.2, 0.1)).outcome == "failed"
    assert decide(at_least, 0.1, run(0.3, 0.2, 0.6)).outcome == "undecided"
    assert decide(at_least, 0.1, run(0.45, 0.45)).outcome == "undecided"
    assert decide(at_least, 0.1, run(float("nan"), float("nan"))).outcome == "failed"
    assert decide({"about": 1.0}, 0.1, run(1.05, 0.95)).outcome == "held"
    assert decide({"about": 1.0}, 0.1, run(1.2, 1.3)).outcome == "failed"
    no_control = Run(0.6, (0.6,), "value", "none", "halves")
    assert decide(at_least, 0.1, no_control).why == "there is no control"


class Prover:
    """Stands for a knowledge base whose proofs end as they are told."""

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        self.asked: dict[str, Any] = {}

    def prove(self, about: str, when: str | None, then: str, **settings: Any) -> Any:
        self.asked = {"about": about, "when": when, "then": then, **settings}
        made = SimpleNamespace(outcome=self.outcome, id="proof-1", by="bounds")
        return SimpleNamespace(proof=made)


@pytest.mark.parametrize(
    ("outcome", "stands"),
    [
        ("proved", "held"),
        ("refuted", "failed"),
        ("undecided", "undecided"),
        ("vacuous", "undecided"),
    ],
)
def test_a_proof_needs_no_control_and_what_it_leaves_open_is_undecided(
    outcome: str, stands: str
) -> None:
    kb = Prover(outcome)
    said = {"test": "proof", "tried": "net/b:0", "then": "target > 0", "at_least": 1}
    found = WAYS["proof"].run(Asked(kb, "net", "net", said))  # type: ignore[arg-type]
    assert decide(said, 0.1, found).outcome == stands
    assert (kb.asked["about"], kb.asked["box"]) == ("net/b:0", "range")

"""Two arms: planted claims hold, and those that lack one thing fail by that part (1 s)."""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses
from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Connection
from circuitkb.trials import inhibited_targets, mirrored_pairs
from circuitkb.trials.arms import Arm, end_of, plan_arms, predicted_arm, usual_of_arm
from circuitkb.trials.dissociation import Part, best_stimuli
from circuitkb.trials.two_arms import Both, Claim

COUPLES, INPUTS = 60, 50
FIRST, SECOND = np.arange(COUPLES), np.arange(COUPLES, 2 * COUPLES)


def network(weights: np.ndarray) -> tuple[CoupledResponses, list[Connection], np.ndarray]:
    """Inputs 0, 2 and 1, 3 respond to mirrored stimuli; the others to noise. Targets add up."""
    random = np.random.default_rng(0)
    shown = random.gamma(0.5, 1.0, (INPUTS, 2 * COUPLES))
    shown[:4] *= 0.1
    shown[[0, 2], :12] += random.uniform(2, 3, (2, 12))
    shown[[1, 3], COUPLES : COUPLES + 12] = shown[[0, 2], :12]
    before = weights @ shown
    every = np.concatenate([shown, before.clip(min=0)]).astype(np.float32)
    layers = {"a": slice(0, INPUTS), "b": slice(INPUTS, INPUTS + len(weights))}
    units = np.arange(len(weights), dtype=np.int32)[None], np.arange(INPUTS, dtype=np.int32)[None]
    kernel = weights.astype(np.float32)[None, :, :, None, None]
    joined = Connection("c", "a", "b", "direct", *units, kernel)
    coupled = CoupledResponses.of(every, layers, FIRST, SECOND)
    return coupled, [joined], np.concatenate([shown, before])


def ended(claim: Claim, weights: np.ndarray, arms: Both) -> dict[str, Part]:
    coupled, connections, before = network(weights)
    plans = plan_arms(connections, coupled, arms)
    ends = []
    for plan in plans:
        usual = usual_of_arm(plan, coupled, before)
        found = predicted_arm(plan, coupled, usual)
        ends.append(end_of(plan, found, usual))
        # Plain loops over the stimuli say the same.
        weight = weights[plan.arm.target - INPUTS]
        for places, told in ((plan.arm.own, ends[-1].own), (plan.arm.other, ends[-1].other)):
            costs = [
                max(0.0, before[plan.arm.target, place])
                - max(
                    0.0,
                    before[plan.arm.target, place]
                    - sum(weight[edge] * before[edge, place] for edge in plan.arm.edges),
                )
                for place in places
            ]
            way = 1 if plan.arm.sign == "excites" else -1
            assert told == pytest.approx(way * np.mean(costs) / usual.spread, abs=2e-2)
    return claim.ended((ends[0], ends[1]))


def weights(*rows: dict[int, float]) -> np.ndarray:
    made = np.random.default_rng(1).normal(0, 0.05, (len(rows), INPUTS))
    made[:, :4] = 0.01
    for row, strong in zip(made, rows, strict=True):
        row[list(strong)] = list(strong.values())
    return made


def inhibition(of: np.ndarray) -> dict[str, Part]:
    coupled, *_ = network(of)
    left, right = (best_stimuli(coupled, row) for row in (0, 1))
    arms = (
        Arm(INPUTS, (0,), left, right, instead=(1,)),
        Arm(INPUTS, (1,), right, left, "inhibits", (0,)),
    )
    return ended(inhibited_targets.CLAIM, of, arms)


def test_a_planted_cross_inhibition_holds() -> None:
    # Something else excites the target at the mirrored stimuli, and is held back.
    found = inhibition(weights({0: 2.0, 1: -2.0, 3: 1.8}))
    assert {name: part.passed for name, part in found.items()} == {
        "dissociation": True,
        "sufficiency": True,
        "release": True,
    }


def test_without_an_answer_that_is_held_back_there_is_no_release() -> None:
    found = inhibition(weights({0: 2.0, 1: -2.0}))
    assert not found["release"].passed
    assert found["sufficiency"].passed


def test_an_edge_that_does_not_inhibit_gains_nothing() -> None:
    found = inhibition(weights({0: 2.0, 1: 0.01, 3: 1.8}))
    assert not found["dissociation"].passed


def pair(of: np.ndarray, one: tuple[int, ...], other: tuple[int, ...]) -> dict[str, Part]:
    coupled, *_ = network(of)
    best = [best_stimuli(coupled, row) for row in (INPUTS, INPUTS + 1)]
    arms = (
        Arm(INPUTS, one, best[0], best[1], instead=other),
        Arm(INPUTS + 1, other, best[1], best[0], instead=one),
    )
    return ended(mirrored_pairs.CLAIM, of, arms)


def test_planted_mirrored_targets_hold_and_those_with_others_inputs_do_not() -> None:
    planted = weights({0: 2.0, 2: 1.5}, {1: 2.0, 3: 1.5})
    assert all(part.passed for part in pair(planted, (0, 2), (1, 3)).values())
    others = pair(planted, (10, 11), (12, 13))
    assert not others["dissociation"].passed
    assert not others["sufficiency"].passed
    assert not pair(planted, (1, 3), (0, 2))["exchange"].passed


def test_an_edge_that_is_not_there_is_refused() -> None:
    made = weights({0: 2.0})
    made[0, 7] = 0
    coupled, connections, _ = network(made)
    arm = Arm(INPUTS, (7,), FIRST[:10], SECOND[:10])
    with pytest.raises(TrialError, match="is not there"):
        plan_arms(connections, coupled, [arm])

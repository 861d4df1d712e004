"""Curve assemblies: planted ones found with their inputs, sums by chance not (3 s)."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from circuitkb.motifs.by_responses.assembled_curves import KINDS, find_in_model
from circuitkb.motifs.curve_assembly import CURVE_ASSEMBLY
from circuitkb.motifs.group_findings import GroupFindings
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from tests.motifs.planted_layers import SHOWN, Array, network, random_network

SOURCES, TARGETS, PLANTED = 48, 40, range(0, 40, 5)
ANGLES = np.arange(24) * 15


def curves(angle: float) -> Array:
    """Answers of a unit for curves that open in a direction, whatever their size and contrast."""
    shown = [item.number("direction") if item.kind in KINDS else None for item in SHOWN.stimuli]
    return np.array(
        [0 if at is None else np.exp(2 * np.cos(np.deg2rad(at - angle)) - 2) for at in shown]
    )


def assembled(seed: int) -> tuple[list[Connection], Responses]:
    """Every second source is for curves; planted targets add up those of like direction."""
    rng = np.random.default_rng(seed)
    sources = rng.normal(size=(SOURCES, len(SHOWN.stimuli)))
    sources[::2] = [4 * curves(angle) for angle in ANGLES]
    sources += 0.1 * rng.normal(size=sources.shape)
    weights = rng.normal(size=(TARGETS, SOURCES))
    for target in PLANTED:
        weights[target, ::2] = 2 * np.cos(np.deg2rad(ANGLES - ANGLES[target % 24]))
    return network({"a": sources, "b": weights @ sources.clip(0)}, {("a", "b"): weights})


def found(given: tuple[list[Connection], Responses], seed: int = 0) -> GroupFindings:
    return find_in_model(*given, CURVE_ASSEMBLY, model="m", seed=seed)


@pytest.fixture(scope="module")
def findings() -> GroupFindings:
    return found(assembled(1))


def test_planted_curves_are_found_with_inputs_of_like_and_of_opposed_direction(
    findings: GroupFindings,
) -> None:
    units = {int(group.members[0].feature.split(":")[1]): group for group in findings.groups}
    assert set(units) == set(PLANTED)
    for target, group in units.items():
        for one in group.members[1:]:
            angle = ANGLES[int(one.feature.split(":")[1]) // 2]
            turned = np.cos(np.deg2rad(angle - ANGLES[target % 24]))
            assert turned > 0.7 if one.role == "exciting" else turned < -0.7
        assert group.score > 0.9
        assert group.q <= 0.05 < 1 < group.null_mean * 4 < group.value * 4


def test_the_expected_power_is_the_mean_over_all_permutations() -> None:
    rng = np.random.default_rng(3)
    weights, tuning = rng.normal(size=5), rng.normal(size=5) + 1j * rng.normal(size=5)
    every = [abs(weights[list(order)] @ tuning) ** 2 for order in permutations(range(5))]
    mean = abs(weights.mean() * tuning.sum()) ** 2
    around = (abs(tuning - tuning.mean()) ** 2).sum()
    assert np.mean(every) == pytest.approx(mean + weights.var() * 5 * around / 4)


def test_random_weights_hold_none() -> None:
    for seed in range(5):
        assert not found(random_network(seed), seed).groups


def test_sums_of_tuned_inputs_by_chance_are_none() -> None:
    for seed in range(3):
        connections, responses = assembled(seed)
        rng = np.random.default_rng(seed)
        weights = rng.permuted(connections[0].kernel[0, :, :, 0, 0], axis=1)
        sources = np.array(responses.before)[:SOURCES]
        mixed = network({"a": sources, "b": weights @ sources.clip(0)}, {("a", "b"): weights})
        assert found(mixed, seed).circuits <= 1

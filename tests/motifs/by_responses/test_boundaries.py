"""Boundaries: planted ones found with inputs for both cues, chance not (2 s)."""

from __future__ import annotations

import numpy as np

from circuitkb.motifs.boundary import BOUNDARY
from circuitkb.motifs.by_responses.boundaries import find_in_model
from circuitkb.motifs.group_findings import GroupFindings
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from tests.motifs.planted_layers import SHOWN, Array, network, random_network

SOURCES, TARGETS, PLANTED = 60, 40, range(0, 40, 3)


def answers(kind: str, angle: float) -> Array:
    """Answers of a unit for one kind, in a direction."""
    shown = [item.number("direction") if item.kind == kind else None for item in SHOWN.stimuli]
    return np.array(
        [0 if at is None else np.exp(2 * np.cos(np.deg2rad(at - angle)) - 2) for at in shown]
    )


def cued(seed: int, *, across: bool = False) -> tuple[list[Connection], Responses]:
    """Sources 0-11 for high beside low frequency, 12-23 for edges; planted ones add up both."""
    rng = np.random.default_rng(seed)
    sources = 0.3 * rng.normal(size=(SOURCES, len(SHOWN.stimuli)))
    angles = np.arange(12) * 30
    for place, angle in enumerate(angles):
        sources[place] += 6 * answers("high-low frequency", angle)
        sources[12 + place] += 6 * answers("edge", angle)
    weights = 0.3 * rng.normal(size=(TARGETS, SOURCES))
    for target in PLANTED:
        angle = angles[target % 12]
        weights[target, :12] = 2 * np.cos(np.deg2rad(angles - angle))
        weights[target, 12:24] = 2 * np.cos(np.deg2rad(angles - angle - 90 * across))
    return network({"a": sources, "b": weights @ sources.clip(0)}, {("a", "b"): weights})


def found(given: tuple[list[Connection], Responses], seed: int = 0) -> GroupFindings:
    return find_in_model(*given, BOUNDARY, model="m", seed=seed)


def test_planted_boundaries_are_found_with_inputs_for_both_cues() -> None:
    findings = found(cued(1))
    assert {group.members[0].feature for group in findings.groups} == {
        f"m/b:{target}" for target in PLANTED
    }
    for group in findings.groups:
        for one in group.members[1:]:
            place = int(one.feature.split(":")[1])
            assert (one.role == "high-low frequency") == (place < 12)


def test_cues_in_directions_across_one_another_are_no_boundary() -> None:
    assert not found(cued(1, across=True)).groups


def test_random_weights_hold_none() -> None:
    for seed in range(4):
        assert not found(random_network(seed), seed).groups

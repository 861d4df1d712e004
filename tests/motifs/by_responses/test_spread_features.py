"""Superposition: planted features found, hubs that nothing answers to not, chance not (3 s)."""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.motifs.by_responses.spread_features import find_in_model
from circuitkb.motifs.group_findings import GroupFindings
from circuitkb.motifs.superposition import SUPERPOSITION
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from tests.motifs.planted_layers import SHOWN, network, random_network

SOURCES, TARGETS = 160, 60
PLANTED = range(0, 48, 2)


def spread(seed: int, *, planted: bool = True) -> tuple[list[Connection], Responses]:
    """Clean features at even places; planted ones with strong weights to twenty units each."""
    rng = np.random.default_rng(seed)
    kinds = np.array([item.kind for item in SHOWN.stimuli])
    sources = rng.normal(size=(SOURCES, len(kinds))).clip(0)
    for unit in range(0, SOURCES, 2):
        kind = rng.choice(["grating", "arc", "line", "curved edge", "edge"])
        sources[unit] *= 0.1
        sources[unit, rng.permutation(np.flatnonzero(kinds == kind))[:12]] += 6
    weights = 0.3 * rng.normal(size=(TARGETS, SOURCES))
    for unit in PLANTED if planted else ():
        weights[rng.permutation(TARGETS)[:20], unit] = 2
    return network({"a": sources, "b": weights @ sources}, {("a", "b"): weights})


def found(given: tuple[list[Connection], Responses], seed: int = 0) -> GroupFindings:
    return find_in_model(*given, SUPERPOSITION, model="m", seed=seed)


def test_planted_features_are_found_with_units_that_they_are_spread_over() -> None:
    given = spread(1)
    findings = found(given, 1)
    features = {group.members[0].feature for group in findings.groups}
    planted = {f"m/a:{unit}" for unit in PLANTED}
    assert features <= planted
    assert len(features) >= 0.9 * len(planted)
    weights = given[0][0].kernel[0, :, :, 0, 0]
    for group in findings.groups:
        feature = int(group.members[0].feature.split(":")[1])
        over = [int(one.feature.split(":")[1]) for one in group.members[1:]]
        assert all(weights[unit, feature] == 2 for unit in over)
        assert group.score == pytest.approx(group.figures["units"] / TARGETS)


def test_random_weights_from_features_as_clean_hold_none() -> None:
    for seed in range(3):
        findings = found(spread(seed, planted=False), seed)
        assert (findings.tested, findings.circuits) == (SOURCES // 2, 0)
        assert findings.counts["hits"] > 0


def test_random_sources_are_not_clean() -> None:
    assert found(random_network(0)).tested == 0

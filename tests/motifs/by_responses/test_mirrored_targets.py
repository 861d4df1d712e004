"""Mirrored targets: planted ones found, a decoy without the wiring not, chance not (5 s)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from circuitkb.motifs.by_responses.mirrored_wiring import find_in_model
from circuitkb.motifs.group_findings import GroupFindings
from circuitkb.motifs.mirrored_targets import MIRRORED_TARGETS, MirroredWiring
from circuitkb.observation.stimuli.battery import battery
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from tests.motifs.measured_networks import dense

SHOWN = battery(channels=1, extent=32)
IMAGE = SHOWN.transformed("mirror left-right")
SOURCES, TARGETS = 40, 60
PLANTED, DECOYS = ((0, 1), (10, 11), (20, 21), (30, 31)), ((40, 41), (50, 51))
WAY = MIRRORED_TARGETS.searches[0]


def planted(seed: int, *, pairs: Any = PLANTED, decoys: Any = DECOYS, copies: bool = False) -> Any:
    """Units whose responses are their weighted sums; of decoys the second has other weights.

    With copies each source is there twice; no target takes the second much.
    """
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(SOURCES // 2, len(IMAGE))).clip(0) ** 2
    sources = np.stack([half, half[:, IMAGE]], axis=1).reshape(SOURCES, -1)
    weights = rng.normal(size=(TARGETS, SOURCES))
    swapped = np.arange(SOURCES) ^ 1
    for one, other in (*pairs, *decoys):
        weights[other] = weights[one][swapped] + 0.2 * rng.normal(size=SOURCES)
    targets = (weights @ sources).clip(0)
    for _, other in decoys:
        weights[other] = rng.normal(size=SOURCES)
    if copies:
        noise = 0.1 * sources.std() * rng.normal(size=(2, *sources.shape))
        sources = (sources + noise).clip(0).reshape(2 * SOURCES, -1)
        weights = np.concatenate([weights, 0.05 * rng.normal(size=weights.shape)], axis=1)
    after = np.concatenate([sources, targets]).astype(np.float32)
    null = rng.normal(size=after.shape).astype(np.float32)
    stimuli = tuple(item.id for item in SHOWN.stimuli)
    layers = (("a", len(sources)), ("b", TARGETS))
    responses = Responses(SHOWN.name, stimuli, layers, after, after, null, null, {})
    return [dense(weights)], responses


def found(network: Any, seed: int = 0) -> GroupFindings:
    assert isinstance(WAY, MirroredWiring)
    return find_in_model(*network, WAY, model="m", seed=seed)


def pairs_of(findings: GroupFindings) -> set[tuple[int, ...]]:
    return {
        tuple(
            sorted(int(one.feature.split(":")[1]) for one in group.members if one.role == "target")
        )
        for group in findings.groups
    }


@pytest.fixture(scope="module")
def network() -> tuple[list[Connection], Responses]:
    return planted(0)


@pytest.fixture(scope="module")
def findings(network: Any) -> GroupFindings:
    return found(network)


def test_planted_pairs_are_found_and_decoys_whose_wiring_does_not_mirror_are_not(
    findings: GroupFindings,
) -> None:
    assert pairs_of(findings) == set(PLANTED)
    assert findings.tested == len(PLANTED) + len(DECOYS), "decoys mirror in their responses"
    (layer,) = findings.layers.values()
    assert (layer["pairs"], layer["found"], layer["shuffled_pairs"]) == (6, 4, 0)


def test_each_target_comes_with_its_own_side_of_the_strongest_mirrored_inputs(
    findings: GroupFindings,
) -> None:
    for group in findings.groups:
        inputs = [one for one in group.members if one.role == "input"]
        units = {
            side: [int(one.feature.split(":")[1]) for one in inputs if one.side == side]
            for side in (1, 2)
        }
        assert [unit ^ 1 for unit in units[1]] == units[2]
        assert len(units[1]) == WAY.named  # type: ignore[attr-defined]
        assert all(one.weight is not None and one.weight > 0 for one in inputs)


def test_of_copies_those_are_named_that_the_targets_take() -> None:
    (connection,), responses = given = planted(3, copies=True)
    weights, after = connection.kernel[0, :, :, 0, 0].astype(float), responses.after.astype(float)
    changed = np.flatnonzero(np.arange(len(IMAGE)) != IMAGE)
    own = after[: 2 * SOURCES]
    both = np.corrcoef(np.concatenate([own[:, IMAGE][:, changed], own[:, changed]]))
    image, same = both[: 2 * SOURCES, 2 * SOURCES :], both[2 * SOURCES :, 2 * SOURCES :]
    spread = own[:, changed].std(axis=1)
    ends = np.argwhere((image > 0.8) & (same < 0.5))
    partner = np.where(same < 0.5, image, -1).argmax(axis=1)
    assert (partner[:SOURCES] >= SOURCES).any(), "the best partner of some is a copy"
    findings = found(given)
    assert findings.circuits == len(PLANTED)
    for group in findings.groups:
        one, other = (int(m.feature.split(":")[1]) for m in group.members[:2])
        named = [int(m.feature.split(":")[1]) for m in group.members[2:]]
        less = np.minimum(
            (weights[one] * spread)[ends[:, 0]], (weights[other] * spread)[ends[:, 1]]
        )
        first = ends[less.argmax()].tolist()
        left = less * ~np.isin(ends, first).any(axis=1)
        assert named == [*first, *ends[left.argmax()].tolist()]
        assert max(named) < SOURCES


def test_the_statistic_and_its_p_are_those_of_plain_loops(
    network: Any, findings: GroupFindings
) -> None:
    (connection,), responses = network
    weights, after = connection.kernel[0, :, :, 0, 0].astype(float), responses.after.astype(float)
    changed = np.flatnonzero(np.arange(len(IMAGE)) != IMAGE)
    spread = after[:SOURCES][:, changed].std(axis=1)
    swapped = np.arange(SOURCES) ^ 1

    def wiring(one: int, other: int) -> float:
        ways = []
        for u, v in ((one, other), (other, one)):
            a, b = weights[u] * spread, weights[v][swapped] * spread[swapped]
            ways.append(np.corrcoef(a, b)[0, 1])
        return float(np.mean(ways))

    def mirrored(one: int, other: int) -> bool:
        a, b = after[SOURCES + one], after[SOURCES + other]
        image = np.corrcoef(a[IMAGE][changed], b[changed])[0, 1]
        return bool(image > 0.8 and np.corrcoef(a[changed], b[changed])[0, 1] < 0.5)

    for group in findings.groups:
        one, other = (int(m.feature.split(":")[1]) for m in group.members[:2])
        assert group.value == pytest.approx(wiring(one, other), abs=1e-4)
        null = [
            wiring(end, unit)
            for end in (one, other)
            for unit in range(TARGETS)
            if unit != end and not mirrored(end, unit)
        ]
        exchanged = (1 + sum(value >= group.value for value in null)) / (1 + len(null))
        assert group.p == pytest.approx(max(exchanged, 1 / (1 + WAY.draws)))  # type: ignore[attr-defined]


def test_networks_whose_wiring_does_not_mirror_hold_none() -> None:
    none = [
        found(planted(seed, pairs=(), decoys=(*PLANTED, *DECOYS)), seed) for seed in range(1, 9)
    ]
    assert sum(findings.tested for findings in none) > 30
    assert sum(findings.circuits > 0 for findings in none) <= 1


def test_the_same_seed_gives_the_same_and_units_without_inputs_enough_are_named(
    network: Any, findings: GroupFindings
) -> None:
    again = found(network)
    assert [(g.members, g.p, g.q) for g in again.groups] == [
        (g.members, g.p, g.q) for g in findings.groups
    ]
    (connection,), responses = network
    few = dense(connection.kernel[0, :, :8, 0, 0])
    none = found(([few], responses))
    assert (none.tested, none.circuits) == (0, 0)
    assert none.why.endswith(": fewer than 10 inputs that have a mirrored partner")

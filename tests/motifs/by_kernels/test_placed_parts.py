"""Parts in their places: planted ones found on their sides, chance not (2 s)."""

from __future__ import annotations

import numpy as np

from circuitkb.motifs.by_kernels.placed_parts import FEW, NO_EXTENT, find_in_model
from circuitkb.motifs.group_findings import GroupFindings
from circuitkb.motifs.parts_in_places import PARTS_IN_PLACES
from tests.motifs.kernel_families import noise
from tests.motifs.measured_networks import dense
from tests.motifs.planted_layers import Array

UNITS, INPUTS, PLANTED = 60, 160, range(0, 60, 4)


def found(kernels: Array, seed: int = 0) -> GroupFindings:
    return find_in_model([dense(kernels)], None, PARTS_IN_PLACES, model="m", seed=seed)


def placed(seed: int) -> Array:
    """Kernels of which planted units have four strong ones above and four below."""
    rng = np.random.default_rng(seed)
    kernels = noise(rng, "independent", INPUTS, UNITS, 5)
    for unit in PLANTED:
        kernels[unit, :8] = 0.01
        kernels[unit, :4, :1] += 12 + rng.random((4, 1, 5))
        kernels[unit, 4:8, 4:] += 12 + rng.random((4, 1, 5))
    return kernels


def test_planted_wholes_are_found_with_parts_above_and_below() -> None:
    findings = found(placed(1))
    assert {group.members[0].feature for group in findings.groups} == {
        f"m/b:{unit}" for unit in PLANTED
    }
    for group in findings.groups:
        assert group.figures["axis"] == "above and below"
        for one in group.members[1:]:
            above = int(one.feature.split(":")[1]) < 4
            assert (one.side, one.facing) == ((1, "above") if above else (2, "below"))


def test_wholes_that_lie_on_their_side_have_parts_left_and_right() -> None:
    turned = found(np.ascontiguousarray(placed(1).swapaxes(2, 3)))
    assert {group.figures["axis"] for group in turned.groups} == {"left and right"}
    assert len(turned.groups) == len(PLANTED)


def test_random_kernels_hold_none() -> None:
    for seed, kind in enumerate(["independent", "smooth", "own shapes", "strong shapes"]):
        kernels = noise(np.random.default_rng(seed), kind, 32, 48, 5)
        assert found(kernels, seed).circuits == 0


def test_what_cannot_be_tested_is_named() -> None:
    assert found(np.ones((3, 4))).not_tested == {NO_EXTENT: 3}
    assert found(-np.ones((3, 4, 3, 3))).not_tested == {FEW: 3}

"""Mirrored targets by kernels alone: a human and an animal, either way round; chance (10 s)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from circuitkb.loaders.published.rows import published_rows
from circuitkb.motifs.by_kernels.mirrored_wiring import find_in_model
from circuitkb.motifs.group_findings import GroupFindings
from circuitkb.motifs.mirrored_targets import MIRRORED_TARGETS, MirroredKernels
from circuitkb.schema.kernels import Connection
from tests.motifs.kernel_families import noise
from tests.motifs.measured_networks import dense

WAY = MIRRORED_TARGETS.searches[1]


def found(connections: Any, seed: int = 0) -> GroupFindings:
    assert isinstance(WAY, MirroredKernels)
    return find_in_model(connections, None, WAY, model="m", seed=seed)


def beside(seed: int) -> NDArray[np.float64]:
    """Two units that take one input from the left and another from the right, and the reverse.

    Axes (unit, input, row, column); mirrored kernels correlate by .95 and more, plain ones are
    opposed.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-2:3, -2:3]

    def lobes(side: int, row: float) -> NDArray[np.float64]:
        sides = [np.exp(-((columns - at * 1.2) ** 2 + (rows - row) ** 2) / 2.5) for at in (1, -1)]
        lobe: NDArray[np.float64] = side * (sides[0] - sides[1])
        return lobe

    one = np.stack([lobes(-1, 0.3), lobes(1, -0.4)])
    both = np.stack([one, one[..., ::-1]])
    return both + 0.06 * rng.normal(size=both.shape)


def circuit(seed: int, *, mirrored: bool = True) -> Connection:
    kernels = beside(seed)
    if not mirrored:
        # Each kernel of the second unit is turned by a quarter: as smooth, and no mirror image.
        kernels[1] = np.rot90(kernels[1], axes=(1, 2))
    return dense(kernels, "own", "mixed4c", "mixed4d")


@pytest.fixture(scope="module")
def published() -> list[Connection]:
    return list(published_rows("published:inceptionv1").kernels["inceptionv1"])


@pytest.mark.parametrize("seed", range(5))
def test_a_circuit_of_two_inputs_and_two_targets_is_found_where_nothing_else_is_known(
    seed: int,
) -> None:
    (group,) = found([circuit(seed)]).groups
    assert {one.feature for one in group.members if one.role == "target"} == {
        "m/mixed4d:0",
        "m/mixed4d:1",
    }
    inputs = {one.feature for one in group.members if one.role == "input"}
    assert inputs == {"m/mixed4c:0", "m/mixed4c:1"}
    assert group.score > 0.95
    assert group.p < 0.005
    assert not found([circuit(seed, mirrored=False)]).groups


@pytest.mark.parametrize("seed", range(3))
def test_it_is_found_among_the_published_kernels_too(
    published: list[Connection], seed: int
) -> None:
    def pairs(findings: GroupFindings) -> set[frozenset[str]]:
        return {
            frozenset(one.feature for one in group.members if one.role == "target")
            for group in findings.groups
        }

    own = frozenset({"m/mixed4d:0", "m/mixed4d:1"})
    alone = pairs(found(published))
    assert alone == {frozenset({"m/mixed3b:330", "m/mixed3b:342"})}
    assert pairs(found([*published, circuit(seed)])) == alone | {own}
    assert pairs(found([*published, circuit(seed, mirrored=False)])) == alone


@pytest.mark.parametrize("kind", ["independent", "smooth", "own shapes", "strong shapes"])
def test_layers_without_mirrored_targets_hold_none(kind: str) -> None:
    layers = [noise(np.random.default_rng(seed), kind, 24, 16, 5) for seed in range(6)]
    held = sum(found([dense(kernels)], seed).circuits > 0 for seed, kernels in enumerate(layers))
    assert held <= 1


def test_what_cannot_be_tested_is_named() -> None:
    narrow = found([dense(np.ones((3, 4)))])
    assert (narrow.tested, narrow.why) == (
        0,
        "3: their kernels have a single place on the axis of the mirror",
    )
    lone = found([dense(beside(0)[:, :1])])
    assert (lone.tested, lone.why) == (0, "2: fewer than two inputs have positive weight")
    assert found([]).tested == 0

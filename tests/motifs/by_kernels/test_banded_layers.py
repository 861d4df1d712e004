"""Weight banding: planted layers found, their transposes and layers of noise not (1 s)."""

from __future__ import annotations

import numpy as np

from circuitkb.motifs.by_kernels.banded_layers import FEW, NO_EXTENT, Bands, find_in_model
from circuitkb.motifs.group_findings import GroupFindings
from circuitkb.motifs.weight_banding import WEIGHT_BANDING
from circuitkb.schema.kernels import Connection
from tests.motifs.kernel_families import noise
from tests.motifs.measured_networks import dense
from tests.motifs.planted_layers import Array

LAYERS = ("b", "c", "d", "e", "f")


def network(seed: int, banded: str = "", share: float = 0.5) -> list[Connection]:
    """Five layers of noise; to the kernels of one, rows of one value each are added."""
    rng = np.random.default_rng(seed)
    kernels = {name: noise(rng, "independent", 30, 40, 3) for name in LAYERS}
    if banded:
        kernels[banded] = kernels[banded] + share * rng.normal(size=(40, 30, 3, 1))
    return [dense(own, f"c{name}", "a", name) for name, own in kernels.items()]


def found(connections: list[Connection], seed: int = 0) -> GroupFindings:
    return find_in_model(connections, None, WEIGHT_BANDING, model="m", seed=seed)


def test_a_planted_layer_is_found_alone() -> None:
    (group,) = found(network(1, "d")).groups
    assert group.ties == "d"
    assert {one.feature.rpartition(":")[0] for one in group.members} == {"m/d"}
    assert group.q <= 0.05 < 2 < group.value
    assert group.score > 0


def test_stripes_from_top_to_bottom_and_noise_are_none() -> None:
    upright = [
        dense(one.kernel[0].swapaxes(2, 3), one.key, one.source, one.target)
        for one in network(1, "d")
    ]
    assert not found(upright).groups
    assert sum(found(network(seed), seed).circuits for seed in range(4)) <= 1


def test_the_contrast_is_that_of_plain_loops() -> None:
    (one, *_) = network(2)
    kernels: Array = one.kernel[0].astype(float)
    own = Bands([one]).contrasts()
    for unit in range(0, 40, 9):
        rows = sum(kernel.mean(axis=1).var() for kernel in kernels[unit])
        columns = sum(kernel.mean(axis=0).var() for kernel in kernels[unit])
        np.testing.assert_allclose(own[unit], (rows - columns) / (rows + columns), rtol=1e-4)


def test_what_cannot_be_tested_is_named() -> None:
    assert found([dense(np.ones((3, 4)))]).not_tested == {NO_EXTENT: 3}
    assert found([dense(np.ones((3, 4, 3, 3)))]).not_tested == {FEW: 3}

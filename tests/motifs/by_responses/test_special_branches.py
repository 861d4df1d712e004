"""Branch specialisation: planted branches found, random ones and consecutive layers not (1 s)."""

from __future__ import annotations

from typing import Any

import numpy as np

from circuitkb.motifs.branch_specialisation import BRANCH_SPECIALISATION
from circuitkb.motifs.by_responses.special_branches import ALONE, find_in_model
from circuitkb.motifs.group_findings import GroupFindings
from tests.motifs.planted_layers import SHOWN, network, random_network

UNITS, SETS = 24, 3


def branched(seed: int, *, planted: int | None = 0) -> Any:
    """Three modules of two branches; the units of one module answer to other kinds by branch."""
    rng = np.random.default_rng(seed)
    kinds = np.array([item.kind for item in SHOWN.stimuli])
    layers, weights, before = {}, {}, "start"
    layers[before] = rng.normal(size=(UNITS, len(kinds)))
    for module in range(SETS):
        for branch, kind in (("left", "grating"), ("right", "arc")):
            own = rng.normal(size=(UNITS, len(kinds)))
            if module == planted:
                own[:, kinds == kind] += 1
            name = f"{module}.{branch}"
            layers[name] = own
            weights[before, name] = np.ones((UNITS, UNITS))
        joined = f"{module}.joined"
        layers[joined] = rng.normal(size=(UNITS, len(kinds)))
        for branch in ("left", "right"):
            weights[f"{module}.{branch}", joined] = np.ones((UNITS, UNITS))
        before = joined
    return network(layers, weights)


def found(given: Any, seed: int = 0) -> GroupFindings:
    return find_in_model(*given, BRANCH_SPECIALISATION, model="m", seed=seed)


def test_planted_branches_are_found_alone_with_units_of_each() -> None:
    (group,) = found(branched(1)).groups
    assert group.figures["branches"] == ["0.left", "0.right"]
    assert {one.facing for one in group.members} == {"branch 0.left", "branch 0.right"}
    assert len(group.members) == 6
    assert group.q <= 0.05
    assert group.null_mean < group.value


def test_random_branches_are_none_and_what_is_no_branch_is_named() -> None:
    for seed in range(5):
        none = found(branched(seed, planted=None), seed)
        assert (none.tested, none.circuits) == (SETS, 0)
        assert none.not_tested == {ALONE: UNITS * (1 + SETS)}
    alone = found(random_network(0))
    assert (alone.tested, alone.not_tested) == (0, {ALONE: 100})

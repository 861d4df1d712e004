"""Circuits as hypotheses: planted ones pass, decoys do not, and each p is what it says (30 s)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import comb
from pathlib import Path

import numpy as np
import pytest

import circuitkb as ckb
from circuitkb.errors import NotFoundError, ObservationError, QueryError
from circuitkb.loaders.planted.detectors import PlantedDetector
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.responses import Responses
from circuitkb.trials.circuit_tests import MARGIN, share_p
from circuitkb.trials.contributions import contributions
from circuitkb.trials.hypotheses import examine, task
from circuitkb.trials.independence import independence_p
from tests.motifs.measured_networks import Array, dense, responses_of
from tests.trials.planted_hypotheses import MODEL, examined, observed

World = tuple[ckb.KnowledgeBase, tuple[PlantedDetector, ...]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("planted")
    with observed(folder) as found:
        found[0].find("union")
        yield found


def test_planted_circuits_pass_and_decoys_do_not(world: World) -> None:
    kb, detectors = world
    responses = kb.responses(MODEL)
    assert responses is not None
    found = examined(responses, detectors, targets=20)
    share = {what: np.mean([one.held for one in tested]) for what, tested in found.items()}
    assert share.pop("true") >= 0.95
    assert len(share) == 3
    assert max(share.values()) <= 0.05
    # Each decoy fails where it is wrong.
    failed = {
        what: {test.name for one in tested for test in one.tests if not test.held}
        for what, tested in found.items()
    }
    assert {"equivalence", "independence", "minimality"} <= failed["a member exchanged"]
    assert failed["an idle edge added"] == {"minimality"}
    assert {"equivalence", "independence"} <= failed["half"]


def test_what_all_inputs_add_is_what_the_network_gives(world: World) -> None:
    kb, _ = world
    responses = kb.responses(MODEL)
    assert responses is not None
    target = FeatureId(MODEL, "targets", 7)
    (connection,) = [c for c in kb.store.kernels(MODEL) if c.target == "targets"]
    added = contributions([connection], responses, target)
    before = responses.before[responses.row(target)].astype(float)
    expected = np.zeros(len(before))
    for place, row in enumerate(added.sources):
        kernel = connection.find(int(row) - responses.rows["detectors"].start, 7)
        assert kernel is not None
        assert kernel.shape == (1, 1)
        expected += float(kernel[0, 0]) * responses.after[row].astype(float)
        assert added.kernel[place] == kernel[0, 0]
    missed = before - expected
    assert np.ptp(missed) < 0.02 * before.std(), "all but the bias"
    assert added.error == pytest.approx(missed.std() / before.std(), abs=1e-4)


def test_a_found_circuit_is_tested_by_its_id(world: World) -> None:
    kb, _ = world
    (first, *_) = [row["circuit"] for row in kb.circuits(motif="union")]
    found = kb.hypotheses(first, seed=4)
    assert found.circuit == first
    assert [test.name for test in found.tests] == [
        "equivalence",
        "independence",
        "minimality",
        "sufficiency",
        "partial necessity",
    ]
    assert json.loads(json.dumps(found.to_dict()))["held"] == found.held
    assert found.to_dict() == kb.hypotheses(first, seed=4).to_dict()
    assert found["sufficiency"].held == (found["sufficiency"].p <= 0.05)
    rows = found.to_result()
    assert rows["test"] == [test.name for test in found.tests]
    assert f"of the {found.inputs:,} inputs of {found.target}" in rows.notes[0]
    assert ("no circuit" in rows.notes[0]) == (not found.held)
    with pytest.raises(NotFoundError, match="There is no circuit 'union-1' here"):
        kb.hypotheses("union-1")
    with pytest.raises(QueryError, match="ablation is 'maximum': median, mean, zero"):
        kb.hypotheses(first, ablation="maximum")  # type: ignore[arg-type]


def test_a_model_that_was_not_observed_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb, _ = world
    (first, *_) = [row["circuit"] for row in kb.circuits(motif="union")]
    monkeypatch.setattr(kb.store, "responses", lambda model: None)
    with pytest.raises(ObservationError, match="'planted' was not observed"):
        kb.hypotheses(first)


def toy() -> tuple[Array, Responses]:
    """A target that is the sum of two of twenty inputs, and traces of the others."""
    rng = np.random.default_rng(0)
    sources = np.maximum(rng.normal(size=(20, 400)), 0)
    kernel = 0.001 * rng.normal(size=(1, 20))
    kernel[0, :2] = 1
    return kernel, responses_of({"a": sources, "b": kernel @ sources})


def test_kernels_of_more_than_one_place_are_refused_and_so_is_a_sum_that_misses() -> None:
    kernel, responses = toy()
    target = FeatureId("m", "b", 0)
    wide = dense(np.repeat(kernel[:, :, None, None], 3, axis=3))
    with pytest.raises(QueryError, match="cover more than one place"):
        contributions([wide], responses, target)
    with pytest.raises(QueryError, match=r"miss its pre-activation by \d+% of its spread"):
        contributions([dense(kernel[:, ::-1])], responses, target)
    added = contributions([dense(kernel)], responses, target)
    with pytest.raises(QueryError, match="has no edge from 1 of these 2 members"):
        examine(added, [0, 20], task(responses, [[0], [1]]))


def test_the_target_alone_is_preserved_by_its_own_two_inputs() -> None:
    kernel, responses = toy()
    added = contributions([dense(kernel)], responses, FeatureId("m", "b", 0))
    stimuli = task(responses, [[0], [1]])
    first = responses.after[0].astype(float)
    assert stimuli[0].tolist() == np.flatnonzero(first > first.mean() + first.std()).tolist()
    both, one = (examine(added, edges, stimuli) for edges in ([0, 1], [0]))
    assert both.preserved == pytest.approx((1, 1), abs=0.02)
    assert both.explained > 0.999 > 0.6 > one.explained
    assert one["partial necessity"].figures["beaten"] is not None
    assert both.held
    assert not one.held


def test_hsic_is_the_trace_of_both_centred_kernels_and_p_is_uniform_where_nothing_is() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=50)
    other = one**2 + rng.normal(size=50)
    centre = np.eye(50) - 1 / 50
    kernels = []
    for values in (one, other):
        distance = abs(values[:, None] - values)
        kernels.append(np.exp(-(distance**2) / (2 * np.median(distance[distance > 0]) ** 2)))
    expected = np.trace(centre @ kernels[0] @ centre @ kernels[1]) / 49**2
    hsic, p = independence_p(one, other, 199, rng)
    assert hsic == pytest.approx(expected, rel=1e-5)
    assert p <= 0.05
    ps = [independence_p(*rng.normal(size=(2, 40)), 99, rng)[1] for _ in range(200)]
    assert 0.02 <= np.mean(np.array(ps) <= 0.05) <= 0.09
    assert abs(np.mean(ps) - 0.5) < 0.06


@pytest.mark.parametrize(("share", "count"), [(0.5, 40), (0.7, 40), (0.1, 33), (1.0, 12)])
def test_p_of_equivalence_is_the_sum_over_shares_as_far_from_a_half(
    share: float, count: int
) -> None:
    high = 0.5 + MARGIN
    expected = sum(
        comb(count, k) * high**k * (1 - high) ** (count - k)
        for k in range(count + 1)
        if abs(k / count - 0.5) >= abs(share - 0.5) - 1e-12
    )
    assert share_p(share, count) == pytest.approx(min(1, expected), rel=1e-9)

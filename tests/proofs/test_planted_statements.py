"""Statements about the unions of a planted network, over what its units were observed to give.

Costs about half a minute of a processor, most of it to load and observe the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import circuitkb as ckb
from circuitkb.loaders.planted.networks import DETECTORS, TARGETS, Planted
from circuitkb.proofs.proof import packed, proof_rows
from circuitkb.proofs.prover import Prover
from circuitkb.schema.errors import ProofError
from tests.trials.planted import MODEL, observed


class Base:
    """A planted network, its knowledge base, and one union with its cases."""

    def __init__(self, kb: ckb.KnowledgeBase, planted: Planted) -> None:
        responses = kb.responses(MODEL)
        assert responses is not None
        detectors, targets = (name for name, _ in responses.layers[-2:])
        union = next(target for target in planted.targets if target.kind == "union")
        self.kb, self.planted = kb, planted
        self.target = f"{MODEL}/{targets}:{union.unit}"
        self.cases = tuple(f"{detectors}:{side[0]}" for side in union.cases)
        self.detectors, self.targets = detectors, targets

    @property
    def when(self) -> str:
        return " or ".join(f"{case} >= best" for case in self.cases)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    place = tmp_path_factory.mktemp("planted") / "kb.ckb"
    planted, kb = observed(tmp_path_factory, place, 312)
    with kb:
        yield Base(kb, planted)


def test_a_planted_union_is_proved_with_all_else_at_its_mean(base: Base) -> None:
    report = base.kb.prove(base.target, base.when, box="mean")
    proof = report.proof
    assert (proof.outcome, proof.by) == ("proved", "bounds")
    # The bound by hand: kernel, bias, and means of what else is read.
    responses = base.kb.responses(MODEL)
    assert responses is not None
    answers = np.asarray(responses.after[responses.rows[base.detectors]], np.float64)
    unit = int(base.target.rpartition(":")[2])
    weights = base.planted.kernel[unit, :, 0, 0].astype(np.float64)
    bias = float(base.planted.module.get_parameter(f"{TARGETS}_convolution.bias")[unit].item())
    numbers = [int(case.rpartition(":")[2]) for case in base.cases]
    least = []
    for number, other in (numbers, numbers[::-1]):
        values = answers.mean(axis=1)
        values[number] = np.sort(answers[number])[-10]
        values[other] = answers[other].min()
        least.append(float(weights @ values + bias))
    assert proof.bound == pytest.approx(min(least), abs=1e-4)
    assert DETECTORS in base.detectors


def test_a_counterexample_is_given_by_the_network_kept_and_looked_at_again(base: Base) -> None:
    proof = base.kb.prove(base.target, base.when, box="range").proof
    assert proof.outcome == "refuted"
    assert proof.measured == pytest.approx(proof.value, abs=1e-3)
    assert proof.measured is not None
    assert proof.measured <= 0
    again = base.kb.prove_again(proof.id)
    assert again.same
    assert again.proof.measured == pytest.approx(proof.measured, abs=1e-5)
    (row,) = base.kb.nodes("Proof", id=proof.id).run().to_dicts()
    assert row["outcome"] == "refuted"
    assert base.kb.show(proof.id).facts["outcome"] == "refuted"
    about = base.kb.query(
        "MATCH (p:Proof {id: $id})-[a:ABOUT]->(f:Feature) RETURN a.role AS role, f.id AS id",
        {"id": proof.id},
    ).to_dicts()
    assert {"role": "target", "id": base.target} in about


def test_an_image_that_breaks_a_statement_is_kept_and_shown_again(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As of a network that is too large to be encoded, and that no stimulus refutes.
    with monkeypatch.context() as patch:
        patch.setattr(Prover, "encode", _too_large)
        patch.setattr(Prover, "_by_stimuli", lambda *_: None)
        proof = base.kb.prove(base.target, base.when, "target > 5", box="pixels").proof
    assert (proof.outcome, proof.by) == ("refuted", "search")
    again = base.kb.prove_again(proof.id)
    assert (again.same, again.proof.by) == (True, "the image that was kept")
    assert again.proof.measured == pytest.approx(proof.measured, abs=1e-5)
    # Another image breaks nothing: a grey one does not fulfil what must hold.
    assert proof.witness is not None
    grey = packed(np.full(proof.witness["count"], 128.0)) or {}
    base.kb.store.write(proof_rows([replace(proof, witness={**proof.witness, **grey})]))
    assert base.kb.prove_again(proof.id).same is False


def _too_large(*_: object) -> None:
    raise ProofError("It takes more weights than are encoded.")

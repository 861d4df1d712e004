"""A statement is decided, kept, repeated from the store, drawn, exported; the command says how.

Costs about six seconds of a processor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import vnnlib
from typer.testing import CliRunner

import circuitkb as ckb
from circuitkb.cli.app import app
from circuitkb.proofs.proof import Proof, proof_rows
from circuitkb.schema.errors import MissingExtraError, NotFoundError, ProofError

TARGET = "small/2:0"

WHEN, TRUE, FALSE = "1:0 >= 1", "target > 0.9", "target > 1.1"

NETWORK = """
import torch
from torch import nn


def build():
    layers = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Conv2d(2, 1, 1))
    layers[0].weight.data.copy_(torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]], [[[0, 0], [1.0, 1]]]]))
    layers[0].bias.data.zero_()
    layers[2].weight.data.copy_(torch.tensor([1.0, 0.5]).reshape(1, 2, 1, 1))
    layers[2].bias.data.zero_()
    return layers.eval()
"""
"""The target is what the upper two of four pixels give together, and half of the lower two."""


class Base:
    """A knowledge base of one small network, and where the network stands."""

    def __init__(self, kb: ckb.KnowledgeBase, file: Path) -> None:
        self.kb, self.given = kb, {"source": f"{file}:build"}

    def prove(self, then: str, **given: object) -> Proof:
        return self.kb.prove(TARGET, WHEN, then, box="pixels", **self.given, **given).proof  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    folder = tmp_path_factory.mktemp("small")
    file = folder / "nets.py"
    file.write_text(NETWORK)
    with ckb.open(folder / "kb.ckb") as kb:
        kb.load(f"{file}:build", name="small", input_shape=(1, 9, 9))
        yield Base(kb, file)


def test_it_is_kept_with_what_it_is_about_and_repeated_from_the_store_alone(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved, refuted = base.prove(TRUE), base.prove(FALSE)
    assert proved.outcome == "proved"
    assert refuted.outcome == "refuted"
    assert refuted.measured == pytest.approx(refuted.value, abs=1e-5)
    (row,) = base.kb.nodes("Proof", id=refuted.id).run().to_dicts()
    assert row["outcome"] == "refuted"
    assert base.kb.show(refuted.id).facts["box"] == "pixels"
    about = base.kb.query(
        "MATCH (p:Proof {id: $id})-[a:ABOUT]->(f:Feature) RETURN a.role AS role, f.id AS id",
        {"id": refuted.id},
    ).to_dicts()
    assert about == [{"role": "target", "id": TARGET}]
    monkeypatch.setattr("circuitkb.kb.prove.reopen", _gone)
    for kept in (proved, refuted):
        report = base.kb.prove_again(kept.id)
        assert report.same
        assert not report.written
    assert "the network was not run: It is gone" in report.proof.note


def _gone(*_: object) -> None:
    raise ckb.ObservationError("It is gone.")


def test_a_counterexample_that_was_tampered_with_is_none(base: Base) -> None:
    kept = base.prove("target > 1.2")
    assert kept.witness is not None
    broken = replace(kept, witness={**kept.witness, "values": "AAAA"})
    base.kb.store.write(proof_rows([broken]))
    with pytest.raises(ProofError, match="is damaged"):
        base.kb.prove_again(kept.id)
    # Numbers that break nothing are no counterexample either.
    whole = replace(kept, then="target > 0.5", level=0.5)
    base.kb.store.write(proof_rows([whole]))
    assert base.kb.prove_again(whole.id, **base.given).same is False


def test_it_is_drawn_to_a_new_file(base: Base, tmp_path: Path) -> None:
    proof, file = base.prove(FALSE), tmp_path / "counterexample.png"
    base.kb.draw_proof(proof.id, file)
    assert file.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ckb.StoreError, match="there already"):
        base.kb.draw_proof(proof, file)
    with pytest.raises(ProofError, match="only a counterexample can be drawn"):
        base.kb.draw_proof(base.prove(TRUE), tmp_path / "proof.png")
    with pytest.raises(ProofError, match="is no picture"):
        base.kb.draw_proof(proof, tmp_path / "proof.txt")


def test_another_program_reads_the_export_and_the_onnx_file_gives_the_target(
    base: Base, tmp_path: Path
) -> None:
    when = "1:0 >= 0.2 and 2*1:1 - input:0 <= 0.1"
    folder = tmp_path / "out"
    base.kb.export_proof(TARGET, folder, when, box="pixels", **base.given)
    (network,) = vnnlib.parse_query_file(str(folder / "statement.vnnlib")).networks
    assert [one.onnx_name.strip('"') for one in network.hidden] == ["layer_0"]
    session = onnxruntime.InferenceSession(folder / "network.onnx")
    (shape,) = (item.shape for item in session.get_inputs())
    assert list(network.inputs[0].shape) == shape
    names = json.loads((folder / "variables.json").read_text())["inputs"]
    pixels = np.arange(1, 5, dtype=np.float32) / 4
    (found,) = session.run(None, {"X": pixels[None]})
    at = {name.partition("@")[2]: value for name, value in zip(names, pixels, strict=True)}
    above, below = (at[f"{row},4"] + at[f"{row},5"] for row in (4, 5))
    assert float(found[0, 0]) == pytest.approx(above + below / 2)
    with pytest.raises(ProofError, match="there already"):
        base.kb.export_proof(TARGET, folder, when, box="pixels", **base.given)


def test_the_command_ends_as_the_statement_does(base: Base, tmp_path: Path) -> None:
    run = CliRunner()
    store = ["--kb", base.kb.address, "--format", "json"]
    asked = ["prove", TARGET, "--box", "pixels", "--source", base.given["source"], *store]
    for then, outcome, code in ((TRUE, "proved", 0), (FALSE, "refuted", 4)):
        done = run.invoke(app, [*asked, "--when", WHEN, "--then", then])
        assert done.exit_code == code, done.output
        (row,) = json.loads(done.stdout)
        assert row["outcome"] == outcome
    done = run.invoke(app, ["prove", "--again", row["proof"], *store])
    assert json.loads(done.stdout)[0]["same"]
    assert done.exit_code == 4
    assert run.invoke(app, [*asked, "--when", "1:0 >= 9"]).exit_code == 6
    files = run.invoke(app, [*asked, "--when", WHEN, "--export", str(tmp_path / "out")])
    assert files.exit_code == 0
    assert (tmp_path / "out/statement.vnnlib").exists()
    assert run.invoke(app, [*asked, "--again", "proof-0"]).exit_code == 2


def test_what_cannot_be_proved_is_one_line_and_nothing_is_written(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = "MATCH (p:Proof) RETURN count(p)"
    before = base.kb.query(count).rows
    with pytest.raises(NotFoundError, match="There is no found circuit"):
        base.kb.prove()
    with pytest.raises(NotFoundError, match="There is no proof 'proof-0'"):
        base.kb.prove_again("proof-0")
    with pytest.raises(ProofError, match="There are no cases here"):
        base.kb.prove(TARGET, **base.given)
    with pytest.raises(ProofError, match="The box is empty"):
        base.kb.prove(TARGET, WHEN, within=["others in 2..1"])
    with pytest.raises(ProofError, match="was not observed"):
        base.kb.prove(TARGET, WHEN, box="mean", **base.given)
    with pytest.raises(ProofError, match="does not read"):
        base.kb.prove(TARGET, "input:0@3,3 >= 0", box="pixels", **base.given)
    monkeypatch.setitem(sys.modules, "highspy", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'circuitkb\[proofs\]'"):
        base.kb.prove(TARGET, WHEN)
    assert base.kb.query(count).rows == before

"""A network rebuilt from a planted circuit answers as the network does; its JSON names the circuit.

Costs about 3 s beside what it shares with ``test_coverage``.
"""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

import circuitkb as ckb
from circuitkb.schema.errors import TrialError
from tests.coverage.test_coverage import MODEL, Planted, pictures, planted

__all__ = ["pictures", "planted"]


def test_the_planted_circuit_is_rebuilt(
    planted: ckb.KnowledgeBase, pictures: Path, tmp_path: Path
) -> None:
    file = tmp_path / "understood.onnx"
    found = planted.reimplement(
        MODEL, file, circuits=["true"], images=pictures, module=Planted().eval()
    )
    assert (found.chosen, found.joined, found.units[0]) == (20, 20, 3 + 4 + 4 + 4)
    assert found.agreement.top1 == 1
    assert found.agreement.faithfulness == pytest.approx(1, abs=1e-3)
    assert found.difference < 1e-5
    assert len(found.random) == 3
    onnx.checker.check_model(str(file))
    parts = json.loads(file.with_suffix(".json").read_text("utf-8"))
    edges = [
        (group["from"], source, group["into"], target, group["reasons"][why])
        for group in parts["edges"]
        for source, target, why in zip(
            group["sources"], group["targets"], group["because"], strict=True
        )
    ]
    assert len(edges) == 20
    assert ("act1", 2, "act2", 2, ["true"]) in edges
    held = {one.name for one in onnx.load(file).graph.initializer}
    named = {kernel["initializer"] for layer in parts["layers"] for kernel in layer["kernels"]}
    assert named <= held
    assert found.written.weights == 20
    with pytest.raises(TrialError, match="there already"):
        planted.reimplement(MODEL, file, circuits=["true"], module=Planted().eval())


def test_all_edges_rebuilt_are_the_network(
    planted: ckb.KnowledgeBase, pictures: Path, tmp_path: Path
) -> None:
    found = planted.reimplement(
        MODEL, tmp_path / "all.onnx", edges=99, images=pictures, module=Planted().eval()
    )
    assert found.agreement.top1 == 1
    assert found.agreement.kl < 1e-6


def test_what_leads_nowhere_is_not_written(
    planted: ckb.KnowledgeBase, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrialError, match="nothing to rebuild"):
        planted.reimplement(
            MODEL,
            tmp_path / "none.onnx",
            circuits=["decoy"],
            images=pictures,
            module=Planted().eval(),
        )
    with pytest.raises(TrialError, match=r"\.onnx"):
        planted.reimplement(MODEL, tmp_path / "none.txt", module=Planted().eval())
    assert not list(tmp_path.iterdir())

"""Coverage of a planted network: its own circuit gives all of its answers, others do not.

Four of twelve units carry the answer; all others have weights as large, and cancel in pairs.
Costs about 8 s.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import circuitkb as ckb
from circuitkb.coverage.curve import SHARES, Whole, areas
from circuitkb.coverage.measuring import Runner
from circuitkb.loaders.activations.subsets.edges import Edges
from circuitkb.schema.errors import NotFoundError, ObservationError, TrialError
from circuitkb.schema.kernels import Connection

MODEL = "planted"
WIDTH, CLASSES = 12, 4


class Planted(nn.Module):
    """Units 0 to 3 of both layers carry one colour each; the others add up to nothing."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.act1 = nn.Conv2d(3, WIDTH, 1), nn.ReLU()
        self.second, self.act2 = nn.Conv2d(WIDTH, WIDTH, 1, bias=False), nn.ReLU()
        self.head = nn.Linear(WIDTH, CLASSES)
        with torch.no_grad():
            colours = torch.tensor([[4.0, -2, -2], [-2, 4, -2], [-2, -2, 4], [-1, -1, -1]])
            self.first.weight[:4] = colours[:, :, None, None]
            self.first.bias[:4] = 0
            self.first.weight[4:] = self.first.weight[4].clone()
            self.first.bias[4:] = self.first.bias[4].clone()
            self.second.weight.zero_()
            for unit in range(4):
                self.second.weight[unit, unit] = 1
            # Strong weights that cancel: pairs of equal sources, and of equal targets.
            signs = torch.tensor([3.0, -3.0] * 4)
            self.second.weight[4:, 4:] = 5 * torch.rand(8, 1, 1, 1)
            uneven = torch.tensor([[1.0], [2.0], [-1.0], [0.5]]) * signs
            self.second.weight[:4, 4:] = uneven[:, :, None, None]
            self.second.weight[4:] = self.second.weight[4].clone()
            self.head.weight.zero_()
            self.head.weight[:, :4] = torch.eye(4)
            self.head.weight[:, 4:] = uneven

    def forward(self, x: Tensor) -> Tensor:
        x = self.act2(self.second(self.act1(self.first(x))))
        return self.head(x.mean((2, 3)))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for number in range(16):
        colour = random.integers(0, 255, (1, 1, 3))
        noise = random.integers(0, 60, (20, 20, 3))
        pixels = (0.7 * colour + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> ckb.KnowledgeBase:
    kb = ckb.open(tmp_path_factory.mktemp("planted") / "kb.ckb")
    kb.load(Planted().eval(), name=MODEL, input_shape=(3, 16, 16), keep=12)
    wanted = [("input", range(3)), ("act1", range(4)), ("act2", range(4)), ("head", range(4))]
    members = [(layer, unit) for layer, units in wanted for unit in units]
    _write_circuit(kb, "true", members)
    _write_circuit(kb, "decoy", [("act1", 5), ("act2", 6), ("act2", 7)])
    return kb


def _write_circuit(kb: ckb.KnowledgeBase, name: str, members: list[tuple[str, int]]) -> None:
    from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

    node = {"id": name, "motif": "assembly", "model": MODEL, "origin": "found"}
    rows = [
        {"source": f"{MODEL}/{layer}:{unit}", "target": name, "role": "part"}
        for layer, unit in members
    ]
    kb.store.write(
        GraphRows(
            nodes={"Circuit": node_table("Circuit", rows_of([node]))},
            relations=[
                Relations(
                    "MEMBER_OF", "Feature", "Circuit", relation_table("MEMBER_OF", rows_of(rows))
                )
            ],
        )
    )


def test_the_planted_circuit_alone_is_the_network(
    planted: ckb.KnowledgeBase, pictures: Path
) -> None:
    found = planted.coverage(MODEL, circuits=["true"], images=pictures, module=Planted().eval())
    assert found.chosen is not None
    assert found.chosen["edges"] == found.chosen["joined"] == 4 * 3 + 4 + 4
    assert found.chosen["faithfulness"] == pytest.approx(1, abs=1e-3)
    assert (found.chosen["top1"], round(found.chosen["correlation"], 4)) == (1, 1)
    assert found.equals["weight magnitude"]["faithfulness"] < 0.5
    assert all(abs(1 - draw) > 0.3 for draw in found.random_draws)
    assert found.error < 1e-5
    shares = {row["layer"]: row for row in found.layers}
    assert shares["head"]["variance"] == pytest.approx(1, abs=1e-4)
    assert shares["act2"]["weight"] < 0.1
    hidden = {unit["feature"] for unit in found.units}
    assert not hidden & {f"{MODEL}/act1:{unit}" for unit in range(4)}
    assert f"{MODEL}/act1:5" not in hidden
    assert f"{MODEL}/act1:8" in hidden
    assert any("broken.png" in note for note in found.notes)


def test_a_circuit_that_leads_nowhere_gives_nothing(
    planted: ckb.KnowledgeBase, pictures: Path
) -> None:
    found = planted.coverage(
        MODEL, circuits=["decoy"], images=pictures, count=8, module=Planted().eval()
    )
    assert found.chosen is not None
    assert (found.chosen["joined"], found.chosen["faithfulness"]) == (0, 0)
    assert found.chosen["correlation"] is None
    assert any("the same to every image" in note for note in found.all_notes())


def test_it_is_kept_and_the_report_begins_with_it(
    planted: ckb.KnowledgeBase, pictures: Path
) -> None:
    found = planted.coverage(MODEL, edges=2, images=pictures, count=8, module=Planted().eval())
    kept = planted.query(
        "MATCH (e:Evidence {kind: 'coverage'}) RETURN e.id AS id, e.value AS value"
    )
    assert {row["id"]: row["value"] for row in kept}[found.id] == found.chosen["faithfulness"]  # type: ignore[index]
    report = planted.report()
    assert report.index("How much is explained") < report.index("**Nothing is explained**")
    assert "the 2 strongest inputs of each unit" in report
    assert f"circuitkb coverage {MODEL} --edges 2 --images DIR --count 8 --seed 0" in report
    assert json.loads(json.dumps(found.to_dict()))["chosen"] == found.chosen


def test_what_cannot_be_measured_is_said_in_a_line(
    planted: ckb.KnowledgeBase, pictures: Path, tmp_path: Path
) -> None:
    module = Planted().eval()
    with pytest.raises(NotFoundError, match="no circuit 'nowhere'"):
        planted.coverage(MODEL, circuits=["nowhere"], module=module)
    with pytest.raises(NotFoundError, match="label 'dog'"):
        planted.coverage(MODEL, labels=["dog"], module=module)
    with pytest.raises(NotFoundError, match="label"):
        planted.coverage(MODEL, labels=["all"], module=module)
    with pytest.raises(TrialError, match="1 or more"):
        planted.coverage(MODEL, edges=0, module=module)
    with pytest.raises(TrialError, match="no pictures"):
        planted.coverage(MODEL, images=tmp_path, module=module)
    with pytest.raises(TrialError, match="4 images"):
        planted.coverage(MODEL, images=pictures, count=3, module=module)
    with pytest.raises(NotFoundError, match="nobody"):
        planted.coverage("nobody")
    planted.load("published:inceptionv1")
    with pytest.raises(ObservationError, match="weights"):
        planted.coverage("inceptionv1")


def test_areas_are_those_of_a_curve_drawn_by_hand() -> None:
    straight = [(share - SHARES[0]) / (1 - SHARES[0]) for share in SHARES]
    cpr, cmd = areas(SHARES, straight)
    assert cpr == pytest.approx(0.999 / 2)
    assert cmd == pytest.approx(0.999 / 2)
    # 2 until a half, then 1: above 1 counts for CPR and against CMD.
    assert areas([0.0, 0.5, 0.5, 1.0], [2.0, 2.0, 1.0, 1.0]) == (1.5, 0.5)


def test_faithfulness_is_the_share_of_the_lead() -> None:
    outputs = np.array([[5, 1, 0], [0, 2, 8]], np.float32)  # leads 4 and 6
    nothing = np.array([[1, 0, 0], [1, 0, 0]], np.float32)  # 1 and 0: mean .5
    whole = Whole(outputs, nothing)
    assert whole.lead == 5
    parts = np.array([[3, 1, 0], [4, 1, 3]], np.float32)  # 2 and 2
    found = whole.compare(parts, 3, 2)
    assert found.faithfulness == pytest.approx((2 - 0.5) / (5 - 0.5))
    assert found.top1 == 0.5


def test_orders_are_those_of_a_stable_sort_and_equal_scores_keep_their_order() -> None:
    random = np.random.default_rng(0)
    kernel = random.normal(size=(2, 20, 30, 1, 1)).astype(np.float32)
    kernel[random.random(kernel.shape) < 0.2] = 0
    units = [np.tile(np.arange(count, dtype=np.int32), (2, 1)) for count in (30, 20)]
    edges = Edges([Connection("c", "a", "b", "direct", units[1], units[0], kernel)])
    scores = np.float32(random.integers(0, 9, edges.pairs)) / 7
    there = np.flatnonzero(edges.l1)
    for one in (scores, edges.l1):
        expected = there[np.argsort(-one[there], kind="stable")]
        assert edges.by(one).tolist() == expected.tolist()


def test_choices_that_differ_only_in_what_leads_nowhere_are_run_once() -> None:
    class Fake:
        runs = 0

        def prepare(self, chosen: Any) -> Any:
            joined = chosen.copy()
            joined[3] = False  # leads nowhere
            return SimpleNamespace(chosen=joined, edges=int(joined.sum()))

        def run(self, prepared: Any, which: Any, progress: Any) -> Any:
            self.runs += 1
            return np.outer([2, 4], prepared.chosen[:2]).astype(np.float32)

    outputs = np.array([[5, 1], [0, 2]], np.float32)
    sub, whole = Fake(), Whole(outputs, np.zeros_like(outputs))
    runner = Runner(sub, whole, np.arange(2))  # type: ignore[arg-type]
    choices = np.array([[1, 0, 1, 0], [1, 0, 1, 1], [0, 1, 1, 1]], bool)
    found = [runner.run(one) for one in choices]
    assert sub.runs == 2
    assert [(one.edges, one.joined) for one in found] == [(2, 2), (3, 2), (3, 2)]
    assert found[0].faithfulness == found[1].faithfulness != found[2].faithfulness
    assert runner.last.tolist() == [[0, 2], [0, 4]]

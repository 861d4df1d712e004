"""``circuitkb coverage`` and ``circuitkb reimplement`` as they are typed, on a network of 33 edges.

Costs about three seconds of a processor, most of it to load the network once.
"""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from tests.cli.conftest import Program

NETWORK = """
import torch
from torch import nn


def build():
    torch.manual_seed(1)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)
    )
    for one in layers[::2][:2]:
        nn.init.uniform_(one.weight, 0, 2)  # nothing dies
    layers[5].weight.data -= layers[5].weight.data.mean(0)
    layers[5].weight.data *= 9
    layers[5].bias.data.zero_()
    return layers.eval(), (3, 2, 2)
"""


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Return the program in a folder with pictures, told of a knowledge base of one network."""
    folder = tmp_path_factory.mktemp("cover")
    (folder / "nets.py").write_text(NETWORK)
    (folder / "pictures").mkdir()
    random = np.random.default_rng(0)
    for number in range(8):
        pixels = np.full((4, 4, 3), random.integers(0, 255, (1, 1, 3)), np.uint8)
        Image.fromarray(pixels).save(folder / f"pictures/{number}.png")
    program = Program(folder, folder / "kb.ckb")
    loaded = program("load", f"{folder}/nets.py:build", "--name", "tiny", "--keep", "12")
    assert loaded.code == 0, loaded.err
    return program


def shown(typed: Program, *more: str) -> tuple[str, ...]:
    return (*("--images", "pictures", "--source", f"{typed.folder}/nets.py:build"), *more)


def test_coverage_is_printed_drawn_kept_and_given_as_json(typed: Program) -> None:
    asked = ("coverage", "tiny", "--edges", "2", *shown(typed))
    run = typed(*asked, "--format", "json", "--figure", "curve.png")
    assert run.code == 0, run.err
    (found,) = run.json()
    assert found["edges"] == 3 * 4 + 4 * 3 + 3 * 3
    assert found["error"] < 1e-5
    assert found["chosen"]["edges"] == 2 * (4 + 3 + 3)
    assert [found["learnt"], found["measured"], len(found["shares"])] == [4, 4, 10]
    ends = [curve["points"][-1]["faithfulness"] for curve in found["curves"].values()]
    assert ends == pytest.approx([1] * len(ends), abs=1e-5)
    assert (typed.folder / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert "drawn into curve.png" in run.err
    kept = typed("list", "Evidence", "--where", "kind=coverage", "--format", "json")
    assert [row["id"] for row in kept.json()] == [found["id"]]
    table = typed(*asked)
    assert table.out.startswith("The network run with these edges alone")
    assert "What hides in the rest" in table.out


def test_what_is_rebuilt_is_run_by_onnxruntime_and_replaces_nothing(typed: Program) -> None:
    asked = ("reimplement", "tiny", "--edges", "4", *shown(typed, "--output", "small.onnx"))
    run = typed(*asked, "--format", "json")
    assert run.code == 0, run.err
    (found,) = run.json()
    assert (found["file"], found["parts"]) == ("small.onnx", "small.json")
    assert found["difference"] < 1e-5
    session = onnxruntime.InferenceSession(typed.folder / "small.onnx")
    (answer,) = session.run(None, {"image": np.zeros((1, 3, 2, 2), np.float32)})
    assert answer.shape == (1, 3)
    named = json.loads((typed.folder / "small.json").read_text("utf-8"))
    assert sum(len(group["sources"]) for group in named["edges"]) == found["joined"]
    again = typed(*asked)
    assert (again.code, again.out) == (2, "")
    assert again.err.endswith("error: small.onnx is there already: give another name.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("coverage", "nobody"), "No model 'nobody'"),
        (("coverage", "tiny", "--edges", "0"), "1 or more"),
        (("coverage", "tiny", "--circuits", "union-0"), "no circuit 'union-0'"),
        (("coverage", "tiny", "--labels", "dog"), "'dog'"),
        (("coverage", "tiny", "--edges", "2", "--figure", "curve.txt"), "curve.txt"),
        (("coverage", "tiny", "--edges", "2"), "nets.py:build"),
        (("reimplement", "tiny", "--edges", "2", "--output", "net.txt"), "net.txt"),
    ],
)
def test_what_cannot_be_measured_is_one_line_and_exit_code_2(
    typed: Program, arguments: tuple[str, ...], said: str
) -> None:
    assert said in typed.refused(*arguments)

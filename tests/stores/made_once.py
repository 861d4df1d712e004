"""Folders that many tests begin with: made once for all test processes of a run, then copied.

A copy of the published circuits takes a fiftieth of the processor time of a load.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

import circuitkb as ckb


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder of a run that ``make`` fills, given its place; tests only read or copy it.

    Test processes wait for the one that is first. What a killed one left is made again.
    """
    base = factory.getbasetemp()
    # The folder of a test process lies in that of the run; without others, the two are one.
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "made-once"
    shared.mkdir(exist_ok=True)
    made, whole = shared / name, shared / f"{name}.whole"
    with FileLock(shared / f"{name}.lock"):
        if not whole.exists():
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            make(made)
            whole.touch()
    return made


def published_copy(factory: pytest.TempPathFactory, place: Path, *, searched: bool = False) -> Path:
    """Copy a store with the published circuits to ``place``, which is returned.

    With ``searched``, it was searched for unions too. How circuits are loaded is tested elsewhere
    (``tests/kb/test_loading.py``, ``tests/kb/test_both_stores.py``, ``tests/cli/test_output.py``).
    """

    def load(folder: Path) -> None:
        with ckb.open(folder / "kb.ckb") as kb:
            kb.load("published:inceptionv1")

    def search(folder: Path) -> None:
        with ckb.open(published_copy(factory, folder / "kb.ckb")) as kb:
            kb.find("union")

    name, make = ("searched", search) if searched else ("loaded", load)
    return shutil.copytree(made_once(factory, name, make) / "kb.ckb", place)

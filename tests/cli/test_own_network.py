"""A network of one's own, from the shell: `circuitkb load FILE.py:FUNCTION`."""

from __future__ import annotations

from typing import Any

FILE = """
from pathlib import Path
import torch
from torch import nn
Path(__file__).with_name("ran").touch()

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)), (3, 12, 12)
"""


def test_a_function_of_a_file_is_run_loaded_and_said_to_be_run(fresh: Any) -> None:
    file = fresh.folder / "net.py"
    file.write_text(FILE)
    assert "net.py:build" in fresh.refused("load", str(file))
    assert not (fresh.folder / "ran").exists()
    run = fresh("load", f"{file}:build")
    assert run.code == 0, run.err
    assert "net.py:build, which is Python code of yours" in run.err
    assert "9 features" in run.out
    assert (fresh.folder / "ran").exists()


def test_a_function_that_a_file_does_not_have_is_answered_with_those_it_has(fresh: Any) -> None:
    file = fresh.folder / "net.py"
    file.write_text(FILE)
    run = fresh("load", f"{file}:nothing")
    assert run.code == 2
    assert "has no function 'nothing'. It has build" in run.err
    assert not fresh.kb.exists()

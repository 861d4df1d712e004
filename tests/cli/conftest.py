"""The program as a process, and one knowledge base that all tests of a session read."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli import warm
from tests.stores.made_once import published_copy

PROGRAM = Path(sys.executable).parent / "circuitkb"


@dataclass(frozen=True)
class Run:
    """How one run ended."""

    code: int
    out: str
    err: str
    raw: bytes

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Program:
    """Runs circuitkb in a folder of its own; ``kb`` is the knowledge base it is told.

    Every run is a process. It is forked from one that has imported what commands import, unless
    the variables that it is given change what is imported.
    """

    folder: Path
    kb: Path | None = None
    path: Path = PROGRAM

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        kept = warm.variables()
        if self.kb is not None:
            kept["CIRCUITKB"] = str(self.kb)
        return kept | {"NO_COLOR": "1"} | (extra or {})

    def __call__(self, *arguments: str, env: dict[str, str] | None = None, stdin: str = "") -> Run:
        runs = warm.run_anew if env and "PYTHONPATH" in env else warm.run
        code, out, err = runs(
            (str(self.path), *arguments), self.folder, self.environment(env), stdin.encode()
        )
        return Run(code, out.decode(errors="replace"), err.decode(), out)

    def refused(self, *arguments: str, env: dict[str, str] | None = None, lines: int = 2) -> str:
        """Run, check that it was refused in a line or so, and return what was said."""
        run = self(*arguments, env=env)
        assert run.code == 2, run
        assert run.out == ""
        assert "Traceback" not in run.err
        assert 1 <= len(run.err.strip().splitlines()) <= lines, run.err
        assert run.err.startswith("error: ")
        return run.err


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The published circuits, searched for unions; tests only read it."""
    folder = tmp_path_factory.mktemp("published")
    place = published_copy(tmp_path_factory, folder / "published.ckb", searched=True)
    return Program(folder, place)


@pytest.fixture
def fresh(tmp_path: Path) -> Program:
    """A folder without a knowledge base."""
    return Program(tmp_path, tmp_path / "fresh.ckb")


@dataclass(frozen=True)
class Interference:
    """Makes a module impossible to import in the program's process."""

    folder: Path

    def __call__(self, names: Sequence[str], error: str = "ModuleNotFoundError") -> dict[str, str]:
        """Return the environment in which importing any of ``names`` raises ``error``."""
        (self.folder / "sitecustomize.py").write_text(
            "import sys\n"
            "class Blocker:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name in {list(names)!r} or name.startswith(\n"
            f"            {tuple(f'{name}.' for name in names)!r}):\n"
            f"            raise {error}(f'No module named {{name!r}}')\n"
            "sys.meta_path.insert(0, Blocker())\n",
            encoding="utf-8",
        )
        return {"PYTHONPATH": str(self.folder)}


@pytest.fixture
def without(tmp_path: Path) -> Interference:
    folder = tmp_path / "interference"
    folder.mkdir()
    return Interference(folder)

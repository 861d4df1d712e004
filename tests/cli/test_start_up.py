"""What a question at a prompt imports and starts: by names, since seconds differ from run to run.

About 3 s, most of it for making the store.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from circuitkb.cli import _HOMES, _store_among
from circuitkb.cli.annotating import alone
from circuitkb.cli.app import app as whole
from circuitkb.cli.program import program
from circuitkb.kb.preparing import prepare
from circuitkb.stores import open_store
from circuitkb.stores.embedded import query_process
from tests.stores.contents import feature, nodes, together, weight, weights

SLOW = {"numpy", "pyarrow", "duckdb", "safetensors", "torch", "pandas", "arcadedb"}
"""Packages of which each takes a tenth of a second or more, and that no answer in text needs."""

IMPORTED = """
import atexit, sys

def say():
    packages = {name.partition(".")[0] for name in sys.modules}
    print("imported:", *sorted(packages & set(sys.argv.pop(0).split())), file=sys.stderr)

from circuitkb.cli import main
slow, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = "circuitkb"
atexit.register(lambda: (sys.argv.insert(0, slow), say()))
main()
"""

BEFORE = """
import sys
from circuitkb import cli
from circuitkb.kb import preparing

def prepare(address):
    print("prepared", address, *sorted({"typer", "pydantic"} & set(sys.modules)))
    sys.exit()

preparing.prepare = prepare
cli.main()
"""


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("start") / "net.ckb"
    store = open_store(place)
    store.write(
        together(
            nodes("Model", {"id": "net", "fingerprint": "0" * 64, "source": "test"}),
            nodes(
                "Layer", {"id": "net/a", "model": "net", "name": "a", "position": 0, "channels": 4}
            ),
            nodes("Feature", *(feature(unit) for unit in range(4))),
            weights(weight(0, 3), weight(1, 3)),
        )
    )
    store.close()
    return place


def run(script: str, *arguments: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("query", "MATCH (f:Feature) RETURN f.id ORDER BY f.id LIMIT 1"),
        ("ask", "inputs", "-p", "feature=net/a:3"),
    ],
    ids=lambda command: command[0],
)
def test_a_question_imports_no_package_that_takes_longer_than_it(
    kb: Path, command: tuple[str, ...]
) -> None:
    slow = SLOW | ({"rapidfuzz"} if command[0] == "query" else set())  # it reads sentences
    out, said = run(IMPORTED, " ".join(slow), *command, "--format", "csv", "--kb", str(kb))
    assert "net/a:" in out
    assert said.splitlines()[-1].split() == ["imported:"]


@pytest.mark.parametrize("command", sorted(_HOMES))
@pytest.mark.parametrize("option", ["-h", "--no-such-option"])
def test_a_command_that_asks_says_alone_what_it_says_among_all(command: str, option: str) -> None:
    alone = program(import_module(f"circuitkb.cli.{_HOMES[command]}"))
    said = [CliRunner().invoke(app, [command, option]).output for app in (alone, whole)]
    assert said[0] == said[1] != ""


def test_a_question_imports_no_other_command(kb: Path) -> None:
    asked = ["query", "MATCH (m:Model) RETURN m.id", "--kb", str(kb)]
    script = "import sys; from circuitkb.cli import main; sys.argv[0] = 'circuitkb'\ntry: main()\n"
    script += "finally: print(*(m for m in sys.modules if m.startswith('circuitkb.cli.')))"
    out, _ = run(script, *asked)
    assert "circuitkb.cli.question" in out.split()
    assert not {"circuitkb.cli.app", "circuitkb.cli.browse", "circuitkb.cli.load"} & set(
        out.split()
    )


def test_a_label_imports_no_other_command_and_not_arrows_own_queries(kb: Path) -> None:  # 1.3 s
    label = ["annotate", "add", "net/a:2", "curve", "--author", "ada", "--kb", str(kb)]
    script = "import sys; from circuitkb.cli import main; sys.argv[0] = 'circuitkb'\ntry: main()\n"
    script += "finally: print('imported:', *sys.modules)"
    out, _ = run(script, *label)
    imported = set(out.rpartition("imported:")[2].split())
    assert "circuitkb.cli.annotate" in imported
    assert not {"circuitkb.cli.app", "circuitkb.cli.prove", "pyarrow.acero"} & imported


@pytest.mark.parametrize("words", [("-h",), ("add", "-h"), ("add", "--no-such-option"), ("ad",)])
def test_annotate_says_alone_what_it_says_among_all(words: tuple[str, ...]) -> None:
    said = [CliRunner().invoke(app, ["annotate", *words]).output for app in (alone(), whole)]
    assert said[0] == said[1] != ""


def test_a_label_imports_neither_pandas_nor_torch(kb: Path) -> None:
    label = ("annotate", "add", "net/a:3", "curve", "--author", "ada")
    _, said = run(IMPORTED, "numpy pandas torch duckdb", *label, "--kb", str(kb))
    assert said.splitlines()[-1].split() == ["imported:", "numpy"]


@pytest.mark.parametrize("command", ["query", "ask", "models", "show", "annotate add"])
def test_what_asks_is_started_before_anything_is_imported(command: str) -> None:
    out, _ = run(BEFORE, *command.split(), "something", "--kb", "zoo.ckb")
    assert out.split() == ["prepared", "zoo.ckb"]


@pytest.mark.parametrize(
    "arguments", [("query", "--help"), ("ask", "--list"), ("annotate", "add", "-h"), ("load",), ()]
)
def test_help_and_other_commands_start_nothing(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE, *arguments], capture_output=True, text=True, check=False
    )
    assert "prepared" not in done.stdout


def test_the_last_store_that_is_named_counts() -> None:
    assert _store_among(["x", "--kb", "a.ckb", "--kb=b.ckb"]) == "b.ckb"
    assert _store_among(["x", "--kb"]) is None


def test_only_a_directory_that_is_there_is_prepared(
    kb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle: list[query_process.QueryProcess] = []
    monkeypatch.setattr(query_process, "_idle", idle)
    for address in (str(tmp_path / "none.ckb"), "bolt://localhost:7687"):
        prepare(address)
    assert idle == []
    prepare(str(kb))
    prepare(str(kb))
    (process,) = idle
    assert query_process.take() is process
    process.kill()


def test_what_cannot_start_is_left_to_whoever_asks(
    kb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_process, "_idle", [])
    monkeypatch.setenv("CIRCUITKB_ENGINE_MB", "none")
    prepare(str(kb))
    assert query_process._idle == []

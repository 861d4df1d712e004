"""The commands push and pull, and the same in Python, on real published circuits."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import circuitkb as ckb
from circuitkb.stores import open_store
from tests.cli.conftest import Program
from tests.stores.contents import content_of, model, network, nodes
from tests.stores.made_once import published_copy
from tests.stores.processes import listen_to_interrupts


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base with the published InceptionV1 and another network."""
    path = tmp_path_factory.mktemp("published") / "zoo.ckb"
    with ckb.open(published_copy(tmp_path_factory, path)) as kb:
        kb.store.write(network())
    return path


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path, tmp_path / "kb.ckb")


def content_at(path: Path) -> object:
    store = open_store(path, create=False)
    found = content_of(store)
    store.close()
    return found


def test_a_real_model_is_pushed_whole_and_pulled_back(published: Path, tmp_path: Path) -> None:
    with ckb.open(published, create=False) as kb:
        report = kb.push(tmp_path / "there.ckb")
        assert content_at(tmp_path / "there.ckb") == content_of(kb.store)
    rows = {item.kind: item.rows for item in report.kinds}
    assert (rows["Feature"], rows["WEIGHT"], rows["kernels"]) == (3116 + 6, 532 + 12, 1)
    with ckb.open(tmp_path / "mine.ckb") as mine:
        mine.pull(tmp_path / "there.ckb", models=["inceptionv1"])
        assert mine.models().run()["model"] == ["inceptionv1"]
        assert mine.push(published).copied == 0


def test_the_commands_report_every_kind(published: Path, program: Program, tmp_path: Path) -> None:
    run = program("pull", str(published), "--model", "net", "--format", "json")
    assert run.code == 0, run.err
    assert [(r["kind"], r["rows"], r["copied"], r["there"]) for r in run.json()] == [
        ("Model", 1, 1, 1),
        ("Layer", 1, 1, 1),
        ("Feature", 6, 6, 6),
        ("IN_LAYER", 6, 6, 6),
        ("IN_MODEL", 1, 1, 1),
        ("WEIGHT", 12, 12, 12),
    ]
    assert all(len(r["hash"]) == 32 and r["hash"] == r["there_hash"] for r in run.json())
    assert "counts and hashes agree" in run.err
    there = tmp_path / "there.ckb"
    shown = program("push", str(there))
    assert shown.code == 0, shown.err
    assert "WEIGHT" in shown.out
    assert content_at(there) == content_at(tmp_path / "kb.ckb")
    again = program("push", str(there))
    assert "nothing changed" in again.err


def test_a_dry_run_writes_nothing(published: Path, program: Program, tmp_path: Path) -> None:
    run = program("push", "there.ckb", "--dry-run", env={"CIRCUITKB": str(published)})
    assert run.code == 0, run.err
    assert "nothing was written" in run.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("push", "kb.ckb"), "onto itself"),
        (("push", "there.ckb", "--model", "nett"), "Did you mean 'net'?"),
        (("pull", "nowhere.ckb"), "no knowledge base at nowhere.ckb"),
        (("pull", "other.ckb"), "other weights"),
        (("push", "other.ckb", "--kb", "nowhere.ckb"), "no knowledge base at nowhere.ckb"),
    ],
)
def test_what_cannot_be_copied_is_refused_in_a_line(
    program: Program, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    other = nodes("Model", {"id": "net", "fingerprint": "g", "source": "else"})
    for name, rows in (("kb.ckb", model("net")), ("other.ckb", other)):
        store = open_store(tmp_path / name)
        store.write(rows)
        store.close()
    assert message in program.refused(*arguments)
    assert not (tmp_path / "there.ckb").exists()


def test_a_push_that_is_interrupted_says_how_to_go_on(
    published: Path, program: Program, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [program.path, "push", "there.ckb"],
        cwd=tmp_path,
        env=program.environment({"CIRCUITKB": str(published), "TMPDIR": str(tmp_path)}),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_interrupts,
    )
    while not list(tmp_path.glob("circuitkb-copy-*")):
        time.sleep(0.01)
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "again" in err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("circuitkb-copy-*"))
    assert program("push", "there.ckb", env={"CIRCUITKB": str(published)}).code == 0
    assert content_at(tmp_path / "there.ckb") == content_at(published)

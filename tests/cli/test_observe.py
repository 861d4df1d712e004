"""``circuitkb observe`` as a process: killed, interrupted, refused, and gone on with."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx

SIDE = 27


def tree(path: Path) -> dict[str, int]:
    """Every file below a folder with the time it was written, but for unfinished work."""
    return {
        str(item.relative_to(path)): item.stat().st_mtime_ns
        for item in path.rglob("*")
        if item.is_file() and "observe-" not in str(item)
    }


def unfinished(path: Path) -> list[Path]:
    """Notes of how far unfinished observations are."""
    return list(path.rglob("done.json"))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A planted network of few targets, loaded from a file and not observed."""
    from tests.cli.conftest import Program

    folder = tmp_path_factory.mktemp("loaded")
    planted = planted_network(
        unions=4, one_sided=1, false_unions=1, symmetric=1, random=1, size=SIDE, seed=101
    )
    write_onnx(planted, folder / "planted.onnx", any_size=False)
    program = Program(folder, folder / "kb.ckb")
    assert program("load", "planted.onnx").code == 0
    return program


@pytest.fixture
def program(loaded: Any, tmp_path: Path) -> Any:
    """The same with a knowledge base of its own."""
    from tests.cli.conftest import Program

    shutil.copytree(loaded.kb, tmp_path / "kb.ckb")
    return Program(loaded.folder, tmp_path / "kb.ckb")


def observing(program: Any) -> subprocess.Popen[str]:
    """Start an observation, and return when the first stimuli were shown."""
    running = subprocess.Popen(
        [program.path, "observe", "planted"],
        cwd=program.folder,
        env=program.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that started the tests in the background would have them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    waited = time.monotonic()
    while not any(json.loads(note.read_text())["done"] for note in unfinished(program.kb)):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() - waited < 60
        time.sleep(0.005)
    return running


def shown_before(err: str) -> int:
    """Per cent of the stimuli that a note says were shown before."""
    found = re.search(r"(\d+)% of the stimuli had been shown before", err)
    assert found, err
    return int(found[1])


def features(program: Any) -> Any:
    return program("query", "MATCH (f:Feature) RETURN count(f.answers) AS n", "--format", "json")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", pytest.param("interrupted", marks=pytest.mark.long)])
def test_an_observation_that_ends_early_leaves_the_graph_and_goes_on(
    program: Any, how: str
) -> None:
    before = tree(program.kb)
    running = observing(program)
    if how == "killed":
        os.kill(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)
        assert running.returncode == -signal.SIGKILL
    else:
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
        assert running.returncode == 130, err
        assert out == ""
        assert err.startswith("interrupted: ")
        assert "Traceback" not in err
    assert tree(program.kb) == before
    assert features(program).json()[0]["n"] == 0
    assert unfinished(program.kb)

    run = program("observe", "planted", "--format", "json")
    assert run.code == 0, run.err
    assert 0 < shown_before(run.err) < 100
    (row,) = run.json()
    assert row["model"] == "planted"
    assert features(program).json()[0]["n"] == row["units"]
    assert not unfinished(program.kb)

    before = tree(program.kb)
    again = program("observe", "planted")
    assert again.code == 0
    assert "observed already" in again.err
    assert tree(program.kb) == before


@pytest.mark.slow
def test_two_at_once_are_refused_and_the_first_ends_well(program: Any) -> None:
    running = observing(program)
    running.send_signal(signal.SIGSTOP)
    try:
        message = program.refused("observe", "planted")
    finally:
        running.send_signal(signal.SIGCONT)
    assert "wait" in message
    _, err = running.communicate(timeout=100)
    assert running.returncode == 0, err


def test_a_result_says_what_was_shown_and_what_was_assumed(program: Any) -> None:
    run = program("observe", "planted", "--format", "json")
    assert run.code == 0, run.err
    (row,) = run.json()
    assert row["images"] == [f"{SIDE}x{SIDE}"]
    assert row["stimuli"] > 100
    assert row["off_centre"] == 0
    assert 0 <= row["silent"] < row["units"]
    assert "--black and --white" in run.err
    assert "[8/0]" not in run.err
    told = program("observe", "planted", "--black", "-1", "--white", "1")
    assert told.code == 0
    assert "--black and --white" not in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["observe", "planed"], "planted"),
        (["observe", "planted", "--black", "0", "--white", "0"], "two numbers"),
        (["observe", "planted", "--source", "nowhere.onnx"], "nowhere.onnx"),
        (["observe", "planted", "--source", "nonsense"], "nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_observed_is_refused_and_changes_nothing(
    loaded: Any, arguments: list[str], said: str
) -> None:
    before = tree(loaded.kb)
    assert said in loaded.refused(*arguments)
    assert tree(loaded.kb) == before


@pytest.mark.parametrize(
    "arguments",
    [["--black", "0"], ["--white", "1"], ["--black", "x", "--white", "1"], ["--format", "yaml"]],
    ids=" ".join,
)
def test_a_wrong_option_is_a_usage_error(loaded: Any, arguments: list[str]) -> None:
    run = loaded("observe", "planted", *arguments)
    assert run.code == 2
    assert run.out == ""
    assert "Traceback" not in run.err


def test_published_circuits_are_refused_with_what_can_be_done(published: Any) -> None:
    before = tree(published.kb)
    message = published.refused("observe", "inceptionv1")
    assert "weights" in message
    assert "circuitkb find union" in message
    assert tree(published.kb) == before


def test_without_a_knowledge_base_none_is_made(fresh: Any) -> None:
    fresh.refused("observe", "efficientnet_lite0")
    assert not fresh.kb.exists()


@pytest.mark.slow
def test_weights_that_moved_or_changed_are_answered_with_the_remedy(
    program: Any, loaded: Any, tmp_path: Path
) -> None:
    file = loaded.folder / "planted.onnx"
    elsewhere = file.rename(tmp_path / "elsewhere.onnx")
    try:
        before = tree(program.kb)
        message = program.refused("observe", "planted", lines=3)
        assert "circuitkb observe planted --source" in message
        write_onnx(planted_network(unions=1, size=SIDE, seed=5), file, any_size=False)
        message = program.refused("observe", "planted")
        assert "other weights" in message
        assert "--source" in message
        assert tree(program.kb) == before
        assert program("observe", "planted", "--source", str(elsewhere)).code == 0
    finally:
        elsewhere.replace(file)

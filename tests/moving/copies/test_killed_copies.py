"""A copy whose process is killed leaves whole models, and is finished by another one."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from circuitkb.moving.copies.copy import copy
from circuitkb.stores import open_store
from tests.moving import worlds
from tests.stores.contents import GraphRows, connection, content, content_of, together
from tests.stores.processes import finish, start

KILLED = """
import os, signal
from circuitkb.moving.copies import copy as copying
from circuitkb.stores.embedded import expected, in_place, store as embedded

def die(*arguments, **others):
    os.kill(os.getpid(), signal.SIGKILL)

writes = []
real = embedded.EmbeddedStore.write
def write(store, rows, progress=lambda doing, done: None):
    writes.append(1)
    if len(writes) == int(sys.argv[3]):
        expected.Expected.check = die  # everything is written, and does not count yet
        in_place.transact = die  # what joins models is little, and written in place
    real(store, rows, progress)
embedded.EmbeddedStore.write = write
copying.copy(open_store(sys.argv[1], create=False), open_store(sys.argv[2]))
"""


@pytest.mark.parametrize("write", [1, 2, 4])
def test_a_killed_copy_leaves_whole_models_and_goes_on(tmp_path: Path, write: int) -> None:
    world = worlds.make(4)
    kernels = {name: [connection("k", i)] for i, name in enumerate(worlds.MODELS)}
    rows = together(world.rows(), GraphRows(kernels=kernels))
    source = open_store(tmp_path / "source.ckb")
    source.write(rows)
    target = tmp_path / "target.ckb"
    code, _, err = finish(start(KILLED, tmp_path / "source.ckb", target, write))
    assert code == -signal.SIGKILL, err
    there = open_store(target)
    models = {name for label, name in content_of(there)["nodes"] if label == "Model"}
    assert models == set(worlds.MODELS[: write - 1])
    for name in models:
        arrays = GraphRows(kernels={name: kernels[name]})
        assert content(there.export([name])) == content([world.part([name]).rows(), arrays])
    report = copy(source, there)
    assert content_of(there) == content([rows])
    assert not models & set(report.written)
    there.close()
    source.close()

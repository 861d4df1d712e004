"""A write that is killed is there or not, never half."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest

from circuitkb.schema.errors import StoreNotFoundError
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded.checking import check_files
from tests.stores.contents import Record, content, content_of, more, network, nodes, values
from tests.stores.processes import finish, start

COUNT = "MATCH (n:Feature) RETURN count(n) AS n"


@pytest.fixture(scope="module")
def whole() -> Record:
    """Content after the larger write."""
    found = content([network()])
    for key, value in content([more()]).items():
        found[key].update(value)
    return found


@pytest.fixture
def store(network_store: Store) -> Store:
    return network_store


KILLING = """
import os, pathlib, safetensors.numpy, signal
from circuitkb.stores.embedded import bulk, copies, directory, edge_loading, expected
from circuitkb.stores.arrays import formats

def die(*arguments, **others):
    os.kill(os.getpid(), signal.SIGKILL)

def die_at(owner, name, call=1, after=False):
    real = getattr(owner, name)
    seen = []
    def wrapped(*arguments, **others):
        seen.append(1)
        if len(seen) == call and not after:
            die()
        result = real(*arguments, **others)
        if len(seen) == call:
            die()
        return result
    setattr(owner, name, wrapped)

point = sys.argv[2]
if point == "before the copy":
    die_at(copies.Staged, "copy")
elif point == "in the middle of the copy":
    die_at(copies, "copy_file", 20)
elif point == "after the copy":
    die_at(copies.Staged, "copy", after=True)
elif point == "with kernels written":
    die_at(formats.ArrayFormat, "save", after=True)
elif point == "in the middle of the responses":
    real = safetensors.numpy.save_file
    def save_half(arrays, path, metadata):
        real(arrays, path, metadata)
        if "responses" in metadata:
            os.truncate(path, 1_000)
            die()
    safetensors.numpy.save_file = save_half
elif point == "with responses written":
    die_at(formats.ArrayFormat, "save", 2, after=True)
elif point == "in the middle of the pictures":
    real = safetensors.numpy.save_file
    def save_half(arrays, path, metadata):
        real(arrays, path, metadata)
        if "pictures" in metadata:
            os.truncate(path, 100)
            die()
    safetensors.numpy.save_file = save_half
elif point == "with pictures written":
    die_at(formats.ArrayFormat, "save", 3, after=True)
elif point == "in the middle of the relations":
    edge_loading.RELATIONS_AT_ONCE = 1_000
    die_at(edge_loading, "property_text", 4)
elif point == "between relations and updates":
    die_at(bulk, "_update")
elif point == "before counting again":
    die_at(expected.Expected, "check")
elif point == "before values are read back":
    die_at(expected, "check_values")
elif point == "before the checksums":
    die_at(copies.Staged, "seal")
elif point == "in the middle of the checksums":
    real = copies.write_new
    copies.write_new = lambda path, text: (real(path, text[: len(text) // 2]), die())
elif point == "before it is on the disk":
    die_at(directory, "bring_to_disk")
elif point == "before the pointer":
    die_at(directory.StoreDirectory, "publish")
elif point == "with a new pointer beside the old":
    real = pathlib.Path.replace
    pathlib.Path.replace = lambda path, to: die() if to.name == "CURRENT" else real(path, to)
elif point == "after the pointer":
    die_at(directory.StoreDirectory, "publish", after=True)
elif point == "while the old state is removed":
    directory.remove_unneeded.__globals__["remove_own"] = die
open_store(sys.argv[1]).write(network() if "first" in sys.argv else more())
"""
POINTS = [line.split('"')[1] for line in KILLING.splitlines() if "if point ==" in line]


COUNTS = ("after the pointer", "while the old state is removed")


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_write_leaves_the_store_as_it_was(
    place: Path, store: Store, whole: Record, point: str
) -> None:
    before = content([network()])
    code, _, err = finish(start(KILLING, place, point))
    assert code == -signal.SIGKILL, err
    reopened = open_store(place, create=False)
    assert content_of(reopened) == (whole if point in COUNTS else before)
    assert values(store, COUNT) == values(reopened, COUNT)
    reopened.write(more())
    assert content_of(reopened) == whole
    reopened.close()
    store.close()
    open_store(place).write(nodes("Label", {"id": "l", "text": "l"}))
    names = sorted(item.name for item in place.iterdir())
    assert [name for name in names if not name.startswith("generation-")] == [
        "CURRENT",
        "kernels",
        "pictures",
        "responses",
        "store.json",
        "write.lock",
    ]
    assert len(names) == 7
    assert len(list((place / "kernels").iterdir())) == 1
    assert len(list((place / "responses").iterdir())) == 1
    assert len(list((place / "pictures").iterdir())) == 1


EVERY_STEP = """
import os, pathlib, shutil, signal
from circuitkb.stores.embedded import in_place, settling, transaction

def few():
    return together(
        nodes("Label", {"id": "few", "text": "few"}),
        nodes("Feature", feature(0, layer="few"), feature(1, bias=0.75)),
        weights(weight(0, 3, connection="few"), weight(1, 0, connection="few")),
    )

def watch(owner, name, number, seen):
    real = getattr(owner, name)
    def watched(*arguments, **others):
        seen["again"] = seen["again"] + 1 if seen["last"] == name else 0
        seen["last"] = name
        seen["steps"] += seen["again"] < 2
        if seen["steps"] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **others)
    setattr(owner, name, watched)

STEPS = {
    pathlib.Path: ["mkdir", "rename", "replace", "hardlink_to"],
    os: ["fsync", "link", "unlink", "rmdir", "utime"],
    in_place: ["write_new", "check_touched", "transact", "settle"],
    settling: ["write_new", "changes_in", "clear"],
    transaction: ["property_rows", "check_values"],
}
source, place = map(pathlib.Path, sys.argv[1:3])
for number in range(1, 100):
    shutil.copytree(source, place / str(number))
    child = os.fork()
    if not child:
        seen = {"last": "", "again": 0, "steps": 0}
        for owner, names in STEPS.items():
            for name in names:
                watch(owner, name, number, seen)
        real = in_place.open_to_log
        def opened(folder):
            database = real(folder)
            for name in ("begin", "commit", "close"):
                watch(database, name, number, seen)
            return database
        in_place.open_to_log = opened
        open_store(place / str(number)).write(few())
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""


def test_a_write_in_place_that_is_killed_at_any_step_is_there_or_not(
    place: Path, store: Store, tmp_path: Path
) -> None:
    source = tmp_path / "source.ckb"
    shutil.copytree(place, source)
    killed = tmp_path / "killed"
    killed.mkdir()
    process = start(EVERY_STEP, source, killed)
    assert finish(process, 300) == (0, "", "")
    steps = sorted(killed.iterdir(), key=lambda path: int(path.name))
    before = content([network()])
    after = content_of(open_store(steps[-1]))
    assert after != before
    seen = []
    for step in steps:
        reopened = open_store(step, create=False)
        found = content_of(reopened)
        assert found in (before, after)
        seen.append(found == after)
        assert not [finding for finding in check_files(step) if finding.damage]
        reopened.write(nodes("Label", {"id": "next", "text": "n"}))
        assert values(reopened, "MATCH (n:Label) RETURN count(n)") == [1 + seen[-1]]
        assert len(list(step.glob("generation-*"))) == 1
        assert not list(step.glob("generation-*/writing"))
        reopened.close()
    assert seen == sorted(seen), "once it is there it stays"
    assert seen.count(False) > 10
    assert seen.count(True) > 10


LABELS = """
store = open_store(sys.argv[1])
for number in range(1_000):
    store.write(nodes("Label", {"id": f"{number:04}", "text": "l"}))
    print(number, flush=True)
"""


@pytest.mark.parametrize("seconds", [0.01, 0.033, 0.057, 0.08])
def test_small_writes_killed_at_any_time_lose_nothing_that_was_done(
    place: Path, store: Store, seconds: float
) -> None:
    process = start(LABELS, place)
    assert process.stdout is not None
    while process.stdout.readline() != "5\n":
        assert process.poll() is None
    time.sleep(seconds)
    process.kill()
    told = 6 + len(finish(process)[1].splitlines())
    found = values(store, "MATCH (n:Label) RETURN n.id ORDER BY n.id")
    assert found == [f"{number:04}" for number in range(len(found))]
    assert told <= len(found) <= told + 1
    assert not [finding for finding in check_files(place) if finding.damage]


@pytest.mark.parametrize("seconds", [0.4, 0.7, 1.0])
def test_a_write_killed_at_any_time_is_there_or_not(
    place: Path, store: Store, whole: Record, seconds: float
) -> None:
    process = start("open_store(sys.argv[1]).write(more())", place)
    time.sleep(seconds)
    process.kill()
    finish(process)
    assert content_of(open_store(place)) in (content([network()]), whole)
    open_store(place).write(more())
    assert content_of(open_store(place)) == whole


def test_a_first_write_that_is_killed_leaves_an_empty_store(place: Path) -> None:
    code, _, _ = finish(start(KILLING, place, "before the pointer", "first"))
    assert code == -signal.SIGKILL
    store = open_store(place)
    assert values(store, COUNT) == [0]
    assert content_of(store) == content([])
    store.write(network())
    assert content_of(store) == content([network()])
    store.close()


def test_unfinished_work_survives_kills_and_what_is_removed_after_them(
    place: Path, store: Store, whole: Record
) -> None:
    (store.workspace("net") / "part").write_text("1")
    code, _, _ = finish(start(KILLING, place, "with responses written"))
    assert code == -signal.SIGKILL
    reopened = open_store(place, create=False)
    reopened.write(more())
    assert content_of(reopened) == whole
    assert (reopened.workspace("net") / "part").read_text() == "1"
    reopened.close()


def test_unfinished_work_without_a_store_is_no_store_and_nothing_foreign(place: Path) -> None:
    code = "(open_store(sys.argv[1]).workspace('net') / 'part').write_text('1')\n"
    code += "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert finish(start(code, place))[0] == -signal.SIGKILL
    assert [item.name for item in place.iterdir()] == ["unfinished"]
    with pytest.raises(StoreNotFoundError):
        open_store(place, create=False)
    store = open_store(place)
    store.write(network())
    assert (store.workspace("net") / "part").read_text() == "1"
    assert content_of(store) == content([network()])
    store.close()

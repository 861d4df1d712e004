"""A write that is killed is there or not, never half."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from circuitkb.schema.errors import StoreNotFoundError
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
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
from circuitkb.stores.embedded import bulk, copies, directory, edge_loading
from circuitkb.stores.embedded import store as embedded

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
    die_at(embedded, "save_kernels", after=True)
elif point == "in the middle of the responses":
    real = safetensors.numpy.save_file
    def save_half(arrays, path, metadata):
        real(arrays, path, metadata)
        if "responses" in metadata:
            os.truncate(path, 1_000)
            die()
    safetensors.numpy.save_file = save_half
elif point == "with responses written":
    die_at(embedded, "save_responses", after=True)
elif point == "in the middle of the relations":
    edge_loading.RELATIONS_AT_ONCE = 1_000
    die_at(edge_loading, "property_rows", 4)
elif point == "between relations and updates":
    die_at(bulk, "_update")
elif point == "before reading back":
    die_at(embedded, "check_updates")
elif point == "before counting again":
    die_at(bulk.Expected, "check")
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
        "responses",
        "store.json",
        "write.lock",
    ]
    assert len(names) == 6
    assert len(list((place / "kernels").iterdir())) == 1
    assert len(list((place / "responses").iterdir())) == 1


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

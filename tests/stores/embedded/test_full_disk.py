"""What does not fit onto the disk changes nothing, even if the engine keeps silent about it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from circuitkb.schema.errors import StoreError, StoreFullError
from circuitkb.stores import open_store
from circuitkb.stores.arrays import formats
from circuitkb.stores.arrays.array_files import ARRAY_KINDS
from circuitkb.stores.base import Store
from circuitkb.stores.embedded import bulk, copies, directory, merging
from tests.stores.contents import content, content_of, more, network, values
from tests.stores.processes import finish, start, tree

COUNT = "MATCH (n:Feature) RETURN count(n) AS n"


@pytest.fixture
def store(network_store: Store) -> Store:
    return network_store


def raise_full(*arguments: object, **others: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (copies, "copy_file"),
        (copies, "write_new"),
        (directory, "bring_to_disk"),
        (directory, "replace_text"),
        (formats.ArrayFormat, "save"),
        (merging, "apply"),
    ],
)
def test_a_full_disk_leaves_the_store_as_it_was(
    place: Path, store: Store, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    before = tree(place)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, raise_full)
        with pytest.raises(StoreFullError, match=r"zoo\.ckb is full; nothing was changed"):
            store.write(more())
    empty = ARRAY_KINDS
    after = {path: about for path, about in tree(place).items() if path not in empty}
    assert after == before
    store.write(more())
    assert values(store, COUNT) == [406]


def test_room_is_asked_for_before_anything_is_copied(
    place: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(place)._replace(free=9_000_000)
    before = tree(place)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        patch.setattr(copies, "copy_file", lambda *paths: pytest.fail("copied"))
        with pytest.raises(StoreFullError, match=r"about .* MB .* 9 MB are free"):
            store.write(more())
    assert tree(place) == before


LIMITED = """
import resource
sys.dont_write_bytecode = True  # a module cut off by the limit would fail the next process
store = open_store(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    store.write(more(2000, 60_000))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("largest", [300_000, 600_000, 1_000_000])
def test_pages_that_the_engine_lost_without_a_word_are_missed(
    place: Path, store: Store, largest: int
) -> None:
    code, out, err = finish(start(LIMITED, place, largest))
    assert (code, err) == (0, "")
    assert "nothing was changed" in out
    assert content_of(store) == content([network()])
    store.write(more())
    assert values(store, COUNT) == [406]


@pytest.mark.parametrize("lost", ["nodes", "relations", "updates"])
def test_whatever_does_not_arrive_is_missed(
    store: Store, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    real = bulk.apply

    def forgetful(changes: Any, graph: Path) -> None:
        kept = {name: getattr(changes, name) for name in ("nodes", "relations", "updates")}
        kept["relations" if lost == "nodes" else lost] = []
        if lost == "nodes":
            kept["nodes"] = {}
        real(type(changes)(**kept, records=changes.records), graph)

    monkeypatch.setattr(merging, "apply", forgetful)
    with pytest.raises(StoreError, match="did not bring every"):
        store.write(more())
    assert content_of(store) == content([network()])


def test_a_first_write_that_fails_leaves_no_directory(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "bring_to_disk", raise_full)
    with pytest.raises(StoreFullError):
        open_store(place).write(network())
    assert not place.exists()

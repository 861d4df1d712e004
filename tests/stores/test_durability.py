"""All or nothing: what kills, blocks or starves a write leaves the store as it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from circuitkb.schema.definition import FORMAT_VERSION
from circuitkb.schema.errors import (
    CapabilityError,
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreNotFoundError,
    StoreVersionError,
)
from circuitkb.stores import bulk, embedded, generations, open_store
from circuitkb.stores.base import Store

from .contents import (
    Record,
    connection,
    content,
    content_of,
    feature,
    more,
    network,
    nodes,
    together,
    values,
    weight,
    weights,
)

COUNT = "MATCH (n:Feature) RETURN count(n) AS n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "zoo.ckb"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds :func:`network`, to copy."""
    path = tmp_path_factory.mktemp("written") / "zoo.ckb"
    store = open_store(path)
    store.write(network())
    store.close()
    return path


@pytest.fixture
def store(place: Path, written: Path) -> Iterator[Store]:
    shutil.copytree(written, place)
    store = open_store(place)
    yield store
    store.close()


@pytest.fixture(scope="module")
def whole() -> Record:
    """Content after the larger write."""
    found = content([network()])
    for key, value in content([more()]).items():
        found[key].update(value)
    return found


@cache
def shared() -> tempfile.TemporaryDirectory[str]:
    """Where the processes keep compiled modules for one another, and what killed ones leave."""
    return tempfile.TemporaryDirectory()


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run code in another process; it has the rows of these tests, the store's path and more."""
    here = Path(__file__).parent
    before = f"import sys; sys.path.insert(0, {str(here)!r}); from contents import *\n"
    before += "from circuitkb.stores import open_store\n"
    return subprocess.Popen(
        [sys.executable, "-c", before + code, *map(str, arguments)],
        env={
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": shared().name,
            "TMPDIR": shared().name,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def tree(path: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of every file below a directory."""
    found = {}
    for item in sorted(path.rglob("*")):
        about = item.stat()
        found[str(item.relative_to(path))] = (about.st_size, about.st_mtime_ns)
    return found


KILLING = """
import os, pathlib, signal
from circuitkb.stores import bulk, edge_loading, embedded, generations

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
    die_at(generations, "copy_graph")
elif point == "in the middle of the copy":
    die_at(generations, "copy_file", 20)
elif point == "after the copy":
    die_at(generations, "copy_graph", after=True)
elif point == "with kernels written":
    die_at(embedded, "save", after=True)
elif point == "in the middle of the relations":
    edge_loading.RELATIONS_AT_ONCE = 1_000
    die_at(edge_loading, "property_rows", 4)
elif point == "between relations and updates":
    die_at(bulk, "_update")
elif point == "before reading back":
    die_at(embedded, "verify")
elif point == "before it is on the disk":
    die_at(generations, "bring_to_disk")
elif point == "before the pointer":
    die_at(generations.StoreDirectory, "publish")
elif point == "with a new pointer beside the old":
    real = pathlib.Path.replace
    pathlib.Path.replace = lambda path, to: die() if path.name == "CURRENT.new" else real(path, to)
elif point == "after the pointer":
    die_at(generations.StoreDirectory, "publish", after=True)
open_store(sys.argv[1]).write(network() if "first" in sys.argv else more())
"""
POINTS = [line.split('"')[1] for line in KILLING.splitlines() if "if point ==" in line]


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_write_leaves_the_store_as_it_was(
    place: Path, store: Store, whole: Record, point: str
) -> None:
    before = content([network()])
    code, _, err = finish(start(KILLING, place, point))
    assert code == -signal.SIGKILL, err
    reopened = open_store(place, create=False)
    assert content_of(reopened) == (whole if point == "after the pointer" else before)
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
        "store.json",
        "write.lock",
    ]
    assert len(names) == 5
    assert len(list((place / "kernels").iterdir())) == 1


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


def test_a_second_writer_is_told_to_wait(
    place: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "WAIT_FOR_WRITER", 0.2)
    holder = start(
        """
from pathlib import Path
from circuitkb.stores.generations import StoreDirectory
with StoreDirectory(Path(sys.argv[1])).writing():
    print("writing", flush=True)
    input()
""",
        place,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "writing\n"
    before = tree(place)
    with pytest.raises(StoreBusyError, match=r"zoo\.ckb"):
        store.write(more())
    assert values(store, COUNT) == [6], "reading goes on"
    assert tree(place) == before
    holder.communicate("\n", timeout=60)
    store.write(more())
    assert values(store, COUNT) == [406]


def test_a_short_wait_is_enough_for_a_writer_that_ends(place: Path, store: Store) -> None:
    processes = [
        start(
            "open_store(sys.argv[1]).write(nodes('Feature', feature(0, layer=sys.argv[2])))",
            place,
            layer,
        )
        for layer in ("x", "y")
    ]
    assert [finish(process) for process in processes] == [(0, "", "")] * 2
    assert values(store, COUNT) == [8]


def test_readers_see_one_whole_state_while_a_write_goes_on(place: Path, store: Store) -> None:
    writer = start(
        """
store = open_store(sys.argv[1])
for turn in range(4):
    store.write(together(
        nodes("Feature", *(feature(i, layer=f"w{turn}") for i in range(50))),
        relations("WEIGHT", "Feature", "Feature", *(
            {"source": f"net/w{turn}:{i}", "target": f"net/w{turn}:{i}", "connection": "self"}
            for i in range(50)
        )),
    ))
""",
        place,
    )
    asked = "MATCH (n:Feature) OPTIONAL MATCH (n)-[w:WEIGHT {connection: 'self'}]->(n) "
    asked += "RETURN count(DISTINCT n) AS n, count(w) AS w"
    seen = set()
    while writer.poll() is None:
        seen.update(store.read(asked).rows)
        time.sleep(0.01)
    assert finish(writer) == (0, "", "")
    seen.update(store.read(asked).rows)
    assert seen <= {(6 + 50 * turn, 50 * turn) for turn in range(5)}
    assert len(seen) >= 3
    assert (206, 200) in seen


def test_two_processes_read_at_once(place: Path, store: Store) -> None:
    assert values(store, COUNT) == [6]
    code = f"print(values(open_store(sys.argv[1], create=False), {COUNT!r}))"
    others = [start(code, place) for _ in range(2)]
    assert [finish(other) for other in others] == [(0, "[6]\n", "")] * 2
    assert values(store, COUNT) == [6]


def test_a_state_that_is_read_stays_and_the_others_go(place: Path, store: Store) -> None:
    def kept() -> list[int]:
        return sorted(int(p.name.split("-")[1]) for p in place.glob("generation-*"))

    other = open_store(place)
    export = store.export()
    assert values(other, COUNT) == [6]
    other.close()
    next(export)
    for turn in range(3):
        other.write(nodes("Feature", feature(turn, layer="b")))
    assert kept() == [1, 4], "the export reads the first state"
    assert list(export) == []
    other.write(nodes("Feature", feature(9, layer="b")))
    assert kept() == [5]
    assert values(store, COUNT) == [10]


def test_a_generation_that_went_while_it_was_looked_up_is_no_trouble(
    place: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = generations.StoreDirectory.current
    writer = open_store(place)
    calls: list[int] = []

    def current(self: generations.StoreDirectory) -> Any:
        found = real(self)
        calls.append(1)
        if len(calls) == 2:
            monkeypatch.setattr(generations.StoreDirectory, "current", real)
            writer.write(nodes("Feature", feature(0, layer="b")))
        return found

    monkeypatch.setattr(generations.StoreDirectory, "current", current)
    assert values(store, COUNT) == [7]
    writer.close()


def test_reading_changes_nothing_in_the_directory(place: Path, store: Store) -> None:
    store.write(more())
    before = tree(place)
    for timeout in (5.0, 6.0):
        store.read("MATCH (n:Feature)-[w]->() RETURN n, w", timeout=timeout)
    content_of(store)
    store.close()
    assert tree(place) == before


def test_what_is_there_already_costs_no_copy(place: Path, store: Store) -> None:
    rows = together(
        nodes("Feature", feature(0), feature(3, bias=0.375)),
        weights(weight(0, 1, sum=-1.0)),
    )
    before = tree(place)
    store.write(network())
    store.write(rows)
    assert tree(place) == before


def raise_full(*arguments: object, **others: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (generations, "copy_file"),
        (generations, "bring_to_disk"),
        (generations.StoreDirectory, "_replace"),
        (embedded, "save"),
        (embedded, "apply"),
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
    after = {path: about for path, about in tree(place).items() if path != "kernels"}
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
        patch.setattr(generations, "copy_graph", lambda *paths: pytest.fail("copied"))
        with pytest.raises(StoreFullError, match=r"about .* MB .* 9 MB are free"):
            store.write(more())
    assert tree(place) == before


LIMITED = """
import resource
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

    monkeypatch.setattr(embedded, "apply", forgetful)
    with pytest.raises(StoreError, match="did not bring every"):
        store.write(more())
    assert content_of(store) == content([network()])


def test_a_first_write_that_fails_leaves_no_directory(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "bring_to_disk", raise_full)
    with pytest.raises(StoreFullError):
        open_store(place).write(network())
    assert not place.exists()


def test_an_interrupted_query_ends_the_process_quietly(place: Path, store: Store) -> None:
    process = start(
        """
store = open_store(sys.argv[1])
print("asking", flush=True)
try:
    store.read("MATCH (a), (b), (c), (d), (e), (f), (g), (h), (i), (j), (k) "
               "RETURN a ORDER BY k.id LIMIT 1", timeout=50)
except KeyboardInterrupt:
    print("interrupted")
    store.close()
""",
        place,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asking\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    started = time.perf_counter()
    assert finish(process) == (0, "interrupted\n", "")
    assert time.perf_counter() - started < 15


def test_nothing_of_the_engine_reaches_the_terminal(place: Path) -> None:
    code = "store = open_store(sys.argv[1]); store.write(network()); store.write(more())\n"
    code += f"store.read({COUNT!r}); list(store.export()); store.close()"
    assert finish(start(code, place)) == (0, "", "")


def test_nothing_there_is_said_with_what_makes_one(place: Path) -> None:
    with pytest.raises(StoreNotFoundError, match=r"circuitkb load .* --kb .*zoo\.ckb"):
        open_store(place, create=False)
    assert not place.exists()
    open_store(place).close()
    assert not place.exists(), "looking makes nothing"


def test_reading_where_nothing_is_makes_nothing(place: Path) -> None:
    store = open_store(place)
    assert values(store, COUNT) == [0]
    assert content_of(store) == content([])
    assert list(store.kernels("net")) == []
    store.close()
    assert not place.exists()


def test_an_empty_directory_may_become_a_store(place: Path) -> None:
    place.mkdir()
    store = open_store(place)
    store.write(network())
    assert values(store, COUNT) == [6]
    store.close()


@pytest.mark.parametrize("create", [True, False])
def test_what_is_no_knowledge_base_is_never_touched(tmp_path: Path, create: bool) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "kernels").mkdir()
    (tmp_path / "thesis" / "kernels" / "mine.safetensors").write_text("mine")
    before = tree(tmp_path)
    for path in (file, tmp_path / "thesis"):
        with pytest.raises(StoreError, match=f"{path.name}.*another path") as caught:
            open_store(path, create=create)
        assert type(caught.value) is StoreError
    assert tree(tmp_path) == before


def test_another_format_version_is_named_with_the_remedy(place: Path, store: Store) -> None:
    store.close()
    card = place / "store.json"
    about = json.loads(card.read_text())
    assert about["version"] == FORMAT_VERSION
    card.write_text(json.dumps(about | {"version": FORMAT_VERSION + 1, "circuitkb": "9.9"}))
    before = tree(place)
    for create in (True, False):
        with pytest.raises(StoreVersionError) as caught:
            open_store(place, create=create)
        for part in (str(FORMAT_VERSION + 1), "9.9", f"reads version {FORMAT_VERSION}", "again"):
            assert part in str(caught.value)
    assert tree(place) == before


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "circuitkb"}'])
def test_a_damaged_card_is_said(place: Path, store: Store, text: str) -> None:
    (place / "store.json").write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        open_store(place)


@pytest.mark.parametrize("text", ["generation-77\n", "", "../elsewhere", "/etc"])
def test_a_pointer_to_nowhere_is_said(place: Path, store: Store, text: str) -> None:
    (place / "CURRENT").write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        open_store(place).read(COUNT)


@pytest.mark.parametrize("address", ["bolt://localhost", "neo4j+s://db.example:7687", "https://x"])
def test_a_url_is_for_a_later_release(address: str) -> None:
    with pytest.raises(CapabilityError, match="later release"):
        open_store(address)


def test_the_address_is_what_the_user_gave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("here.ckb")
    store.write(network())
    monkeypatch.chdir("/")
    assert store.address == "here.ckb"
    assert values(store, COUNT) == [6]
    assert (tmp_path / "here.ckb" / "store.json").exists()
    store.close()


def test_kernels_are_kept_once_for_all_states(place: Path, store: Store) -> None:
    kernels = {"net": [connection("c", 0)], "other": [connection("c", 0)]}
    store.write(together(network(), type(network())(kernels=kernels)))
    first = tree(place / "kernels")
    assert len(first) == 1
    store.write(nodes("Label", {"id": "l", "text": "l"}))
    assert tree(place / "kernels") == first

"""One writer, any number of readers, in any processes."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from circuitkb.schema.errors import StoreBusyError
from circuitkb.schema.tables import GraphRows
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded import directory
from tests.stores.contents import (
    connection,
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
from tests.stores.processes import finish, start, tree

COUNT = "MATCH (n:Feature) RETURN count(n) AS n"


@pytest.fixture
def store(network_store: Store) -> Store:
    return network_store


def test_a_second_writer_is_told_to_wait(
    place: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "WAIT_FOR_WRITER", 0.2)
    holder = start(
        """
from pathlib import Path
from circuitkb.stores.embedded.directory import StoreDirectory
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
    assert kept() == [1, 2], "the export reads the first state"
    assert list(export) == []
    other.write(nodes("Feature", feature(9, layer="b")))
    assert kept() == [2]
    assert values(store, COUNT) == [10]


@pytest.mark.usefixtures("by_copy")
def test_a_generation_that_went_while_it_was_looked_up_is_no_trouble(
    place: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = directory.StoreDirectory.current
    writer = open_store(place)
    calls: list[int] = []

    def current(self: directory.StoreDirectory) -> Any:
        found = real(self)
        calls.append(1)
        if len(calls) == 1:
            monkeypatch.setattr(directory.StoreDirectory, "current", real)
            writer.write(nodes("Feature", feature(0, layer="b")))
        return found

    monkeypatch.setattr(directory.StoreDirectory, "current", current)
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


def test_kernels_are_kept_once_for_all_states(place: Path, store: Store) -> None:
    kernels = {"net": [connection("c", 0)], "other": [connection("c", 0)]}
    store.write(together(network(), GraphRows(kernels=kernels)))
    first = tree(place / "kernels")
    assert len(first) == 1
    store.write(nodes("Label", {"id": "l", "text": "l"}))
    assert tree(place / "kernels") == first


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

"""Large and simultaneous writes on a server: unseen until whole, once, whatever ends them."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from circuitkb.schema.errors import (
    ModelConflictError,
    StoreBusyError,
    StoreError,
    StoreUnreachableError,
)
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.arrays.array_files import ARRAY_KINDS
from circuitkb.stores.base import Store
from circuitkb.stores.server import ServerStore, applying, connection, staging
from tests.stores import servers
from tests.stores.contents import (
    connection as kernel,
)
from tests.stores.contents import (
    content,
    content_of,
    feature,
    model,
    network,
    nodes,
    responses,
    together,
    values,
    weight,
    weights,
)
from tests.stores.factories import DATABASES
from tests.stores.processes import finish, start

pytestmark = pytest.mark.server

OPEN = Callable[..., ServerStore]
UNITS = 240


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "ROWS_AT_ONCE", 200)
    monkeypatch.setattr(staging, "LEASE", 0.5)


@pytest.fixture
def address(tmp_path: Path) -> str:
    return DATABASES.at(tmp_path / "one")


@pytest.fixture
def open_server(address: str, tmp_path: Path) -> Iterator[OPEN]:
    opened = []

    def open_it(**options: Any) -> ServerStore:
        given = {"create": True, "arrays": tmp_path / "arrays", "rows_in_a_transaction": 0}
        opened.append(ServerStore(address, **given | options))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_server: OPEN) -> ServerStore:
    """A store that stages every write, and holds a network."""
    found = open_server()
    found.write(network())
    return found


def large() -> GraphRows:
    """Rows to follow :func:`network`: new nodes, relations of all four kinds of ends, arrays."""
    among = [
        {"source": f"net/b:{i}", "target": f"net/b:{(i * 7 + k) % UNITS}", "connection": f"c{k}"}
        for i in range(UNITS)
        for k in range(3)
    ]
    return together(
        nodes("Feature", *(feature(i, layer="b") for i in range(UNITS)), feature(0, bias=9.0)),
        weights(
            *among,
            {"source": "net/b:0", "target": "net/a:0", "connection": "out"},
            {"source": "net/a:0", "target": "net/b:0", "connection": "in"},
            weight(3, 0, "known"),
        ),
        GraphRows(kernels={"net": [kernel("k")]}, responses={"net": responses()}),
    )


def left_over(store: Store) -> list[Any]:
    return values(
        store,
        "MATCH (n) WHERE n:CircuitKBUnfinished OR n:CircuitKBWrite RETURN labels(n)[0]",
    )


def seen(store: Store) -> dict[str, Any]:
    """Everything that an export shows; it names labels, as users do."""
    return content_of(store)


def whole() -> dict[str, Any]:
    after = content([large()])
    before = content([network()])
    both = content([together(network(), GraphRows())])
    both["nodes"] = before["nodes"] | {
        key: before["nodes"].get(key, {}) | given for key, given in after["nodes"].items()
    }
    both["relations"] = before["relations"] + after["relations"]
    return both | {kind: after[kind] for kind in ARRAY_KINDS}


LOOK_EACH = 3
"""A look reads all of the store: so many steps of a write are between two looks."""


class Stop(Exception):
    pass


def stopping_at(share: float, act: Callable[[], None]) -> Callable[[str, float], None]:
    """Progress that acts once, when that share of the write is there."""
    waiting = [act]

    def progress(doing: str, done: float) -> None:
        if share <= done < 1.0 and waiting:
            waiting.pop()()

    return progress


def stop() -> None:
    raise Stop


def test_a_large_write_is_not_seen_before_it_is_whole(
    store: ServerStore, open_server: OPEN
) -> None:
    reader = open_server()
    shares: list[float] = []

    def look(doing: str, done: float) -> None:
        if done < 1.0 and len(shares) % LOOK_EACH == 0:
            assert seen(reader) == content([network()])
        shares.append(done)

    store.write(large(), look)
    assert seen(reader) == whole()
    assert shares == sorted(shares)
    assert len(shares) > 3 * LOOK_EACH
    assert left_over(store) == []


@pytest.mark.parametrize(
    "share", [0.3, *(pytest.param(share, marks=pytest.mark.long) for share in (0.01, 0.9))]
)
def test_an_interrupted_write_goes_on_where_it_stopped(store: ServerStore, share: float) -> None:
    with pytest.raises(Stop):
        store.write(large(), stopping_at(share, stop))
    assert seen(store) == content([network()])
    staged = left_over(store).count("CircuitKBUnfinished")
    assert staged > 0
    made: list[int] = []
    real = applying.WriteStatement.run

    def counting(self: applying.WriteStatement, transaction: Any) -> int:
        made.append(self.rows)
        return real(self, transaction)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(applying.WriteStatement, "run", counting)
        store.write(large())
    assert seen(store) == whole()
    assert left_over(store) == []
    rows = 3 * UNITS + UNITS + 3
    assert sum(made) <= rows - staged + 1, "what was there was not made again"


def test_a_killed_process_leaves_nothing_to_see_and_another_goes_on(
    store: ServerStore, address: str, tmp_path: Path
) -> None:
    code = f"""
import sys, os
sys.path.insert(0, {str(Path(__file__).resolve().parents[3])!r})
from pathlib import Path
from circuitkb.stores.server import ServerStore, applying
from tests.stores.server.test_writes import large
applying.ROWS_AT_ONCE = 200
store = ServerStore(sys.argv[1], create=True, arrays=Path(sys.argv[2]), rows_in_a_transaction=0)
def progress(doing, done):
    if done > 0.4:
        print("there", flush=True)
        sys.stdin.read()
store.write(large(), progress)
"""
    process = start(code, address, tmp_path / "arrays")
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n", finish(process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert seen(store) == content([network()])
    store.write(large())
    assert seen(store) == whole()
    assert left_over(store) == []


def test_two_that_write_the_same_at_once_write_it_once(
    store: ServerStore, open_server: OPEN
) -> None:
    stores = [open_server() for _ in range(3)]

    def write(one: ServerStore) -> None:
        while True:
            try:
                return one.write(large())
            except StoreBusyError:
                time.sleep(0.2)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, stores))
    assert seen(store) == whole()
    assert left_over(store) == []


@pytest.mark.parametrize("most", [0, 1_000_000])
def test_writers_at_once_give_what_writers_in_turn_give(
    store: ServerStore, open_server: OPEN, most: int
) -> None:
    batches = [
        together(
            nodes("Label", *({"id": f"l{i}", "text": f"t{i}"} for i in range(w, w + 30))),
            nodes("Feature", *(feature(i, layer="b") for i in range(w, w + 30))),
            weights(
                *(
                    {"source": f"net/b:{i}", "target": f"net/b:{i + 1}", "connection": "c"}
                    for i in range(w, w + 29)
                ),
                *(
                    {"source": f"net/b:{i}", "target": "net/a:0", "connection": "c"}
                    for i in range(w, w + 30)
                ),
            ),
        )
        for w in range(0, 60, 10)
    ]
    expected = content([network()])
    for batch in batches:
        found = content([batch])
        expected["nodes"] |= found["nodes"]
        expected["relations"] |= found["relations"]
    stores = [open_server(rows_in_a_transaction=most) for _ in range(3)]

    def write(number: int) -> None:
        for batch in (batches[number], batches[number + 3], batches[number]):
            stores[number].write(batch)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    assert seen(store) == expected
    assert left_over(store) == []


def test_readers_while_writing_see_whole_writes(store: ServerStore, open_server: OPEN) -> None:
    """Each query sees what was finished before it began: never a part of a staged write."""
    reader = open_server()
    found: set[int] = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            found.update(values(reader, "MATCH (n:Feature) RETURN count(n)"))

    thread = threading.Thread(target=read)
    thread.start()
    store.write(large())
    ended.set()
    thread.join()
    assert found <= {6, 6 + UNITS}
    assert 6 in found


def test_nodes_that_another_writes_meanwhile_are_joined(
    store: ServerStore, open_server: OPEN
) -> None:
    other = open_server(rows_in_a_transaction=1_000)
    between = nodes("Feature", feature(5, layer="b", inputs=4))
    store.write(large(), stopping_at(0.5, lambda: other.write(between)))
    expected = whole()
    expected["nodes"]["Feature", "net/b:5"]["inputs"] = 4
    assert seen(store) == expected
    assert left_over(store) == []


def test_other_weights_that_another_writes_meanwhile_are_a_conflict(
    store: ServerStore, open_server: OPEN
) -> None:
    other = open_server(rows_in_a_transaction=1_000)
    theirs = nodes("Model", {"id": "new", "fingerprint": "theirs", "source": "test"})
    mine = nodes("Model", {"id": "new", "fingerprint": "mine", "source": "test"})
    with pytest.raises(ModelConflictError, match="'new' is here already with other weights"):
        store.write(together(mine, large()), stopping_at(0.5, lambda: other.write(theirs)))
    assert seen(store) == content([network(), theirs])
    assert left_over(store) == []


def test_a_write_that_another_took_over_ends_well(store: ServerStore, address: str) -> None:
    def take() -> None:
        with servers.driver(address).session() as session:
            session.run("MATCH (w:CircuitKBWrite) SET w.token = 'another'").consume()

    store.write(large(), stopping_at(0.5, take))
    assert seen(store) == whole()
    assert left_over(store) == []


def test_what_nobody_goes_on_with_is_removed(
    store: ServerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Stop):
        store.write(large(), stopping_at(0.5, stop))
    store.write(model("other"))
    assert left_over(store) != [], "it may still be gone on with"
    monkeypatch.setattr(staging, "FORGOTTEN", 0.0)
    time.sleep(0.01)
    store.write(model("third"))
    assert left_over(store) == []
    assert seen(store) == content([network(), model("other"), model("third")])


def test_a_removal_that_was_cut_short_is_no_trap(
    store: ServerStore, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Stop):
        store.write(large(), stopping_at(0.9, stop))
    with servers.driver(address).session() as session:
        session.run("MATCH (n:CircuitKBUnfinished) WITH n LIMIT 5 DETACH DELETE n").consume()
        session.run("MATCH (w:CircuitKBWrite) SET w.done = -1").consume()
    store.write(large())
    assert seen(store) == whole()
    assert left_over(store) == []


def test_an_answer_that_was_lost_on_the_way_makes_nothing_twice(
    store: ServerStore, open_server: OPEN, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit took place, and the driver could not learn of it."""
    import neo4j
    from neo4j.exceptions import IncompleteCommit

    real = neo4j.Session.execute_write
    lost = []

    def losing(self: neo4j.Session, work: Any, *given: Any) -> Any:
        found = real(self, work, *given)
        if "Writer._attempt" in work.__qualname__ and len(lost) < 2:
            lost.append(work)
            raise IncompleteCommit
        return found

    monkeypatch.setattr(neo4j.Session, "execute_write", losing)
    store.write(large())
    open_server(rows_in_a_transaction=1_000).write(nodes("Feature", feature(99)))
    monkeypatch.undo()
    assert len(lost) == 2
    expected = whole()
    expected["nodes"]["Feature", "net/a:99"] = feature(99)
    assert seen(store) == expected


@pytest.mark.long
def test_a_load_outlives_servers_that_die_and_one_that_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead, it leaves nothing to see and is said; back at once, the load does not even end.

    One server's data for all of it, since it takes seconds to start.
    """
    place = tmp_path / "server"
    running = [servers.private(place)]
    address = running[0].addresses[0]
    port = int(address.rpartition(":")[2])
    given: dict[str, Any] = {"create": True, "arrays": tmp_path / "arrays"}

    def start_again() -> None:
        running.append(servers.private(place, ports=[port]))

    def come_back() -> None:
        running[-1].kill()
        threading.Thread(target=start_again).start()

    store = ServerStore(address, rows_in_a_transaction=0, **given)
    try:
        store.write(network())
        with monkeypatch.context() as impatient:
            impatient.setattr(connection, "RETRYING", 1.0)
            with pytest.raises(StoreUnreachableError, match="Run it again to go on"):
                store.write(large(), stopping_at(0.3, running[0].kill))
            with pytest.raises(StoreUnreachableError, match="does not answer"):
                ServerStore(address, **given)
        start_again()
        assert seen(store) == content([network()])
        assert left_over(store).count("CircuitKBUnfinished") > 0
        store.write(large(), stopping_at(0.7, come_back))
        assert len(running) == 3
        assert seen(store) == whole()
        assert left_over(store) == []
    finally:
        store.close()
        for one in running:
            one.stop()


def test_arrays_in_another_directory_are_said_and_can_be_brought(
    store: ServerStore, open_server: OPEN, tmp_path: Path
) -> None:
    store.write(large())
    elsewhere = open_server(arrays=tmp_path / "elsewhere")
    for read in (elsewhere.kernels, elsewhere.responses):
        with pytest.raises(StoreError, match="CIRCUITKB_ARRAYS"):
            read("net")
    elsewhere.write(large())
    assert seen(elsewhere) == whole()


def test_an_export_that_a_write_cuts_says_so(store: ServerStore, open_server: OPEN) -> None:
    pieces = store.export()
    next(pieces)
    open_server().write(model("other"))
    with pytest.raises(StoreBusyError, match="while it was read"):
        list(pieces)

"""Queries of users run in a process that can be ended, and nothing of it is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from circuitkb.schema.errors import QueryError, QueryMemoryError, QueryTimeoutError
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded import queried, query_process
from circuitkb.stores.embedded.memory import MEMORY_VARIABLE, memory_bound
from tests.stores.contents import feature, network, nodes, values
from tests.stores.hostile_queries import ENGINE_BOMBS
from tests.stores.processes import start

COUNT = "MATCH (n:Feature) RETURN count(n)"
ENDLESS = (
    "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b WITH a, b WHERE a * b = -1 RETURN 1"
)
DOUBLING = "RETURN size(reduce(s = 'x', i IN range(1, 40) | s + s)) AS x"
MEGABYTES = 256


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("processes") / "zoo.ckb"
    with_network = open_store(path)
    with_network.write(network())
    with_network.close()
    return path


@pytest.fixture
def store(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv(MEMORY_VARIABLE, str(MEGABYTES))
    monkeypatch.setattr(queried, "GRACE", 0.2)
    found = open_store(place)
    yield found
    found.close()


@pytest.fixture(scope="module", autouse=True)
def alone() -> None:
    """End the engines that tests of other files left to this process."""
    for process in list(query_process._every):
        process.kill()
    query_process._idle.clear()


def engines() -> set[int]:
    """Process ids of the engines of this process."""
    return {process._process.pid for process in query_process._every}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def soon(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


class Peak:
    """The most memory that the engines of this process held together, in megabytes."""

    def __enter__(self) -> Peak:
        self.megabytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            now = sum(query_process.resident(pid) for pid in engines()) >> 20
            self.megabytes = max(self.megabytes, now)


def test_what_the_engine_cannot_stop_ends_with_its_process_within_its_memory(store: Store) -> None:
    assert values(store, COUNT) == [6]
    through = []
    with Peak() as peak:
        for query in ENGINE_BOMBS:
            started = time.monotonic()
            try:
                through.append((query, store.read(query, timeout=0.5).rows))
            except (QueryTimeoutError, QueryMemoryError):
                pass
            except QueryError as error:
                through.append((query, str(error)))
            if time.monotonic() - started > 6.0:
                through.append((query, "took too long"))
            assert values(store, COUNT) == [6], "the store answers after it"
    assert not through, "\n".join(f"{query:.80} -> {what!r:.200}" for query, what in through)
    assert 50 < peak.megabytes < MEGABYTES + query_process.BESIDE


def test_a_query_over_the_memory_says_so(store: Store) -> None:
    with pytest.raises(QueryMemoryError, match="more memory"):
        store.read(DOUBLING, timeout=20)
    with pytest.raises(QueryMemoryError, match="more memory"):
        store.read("UNWIND range(1, 1000) AS x RETURN range(1, 100000)", timeout=60)
    assert values(store, COUNT) == [6]


def test_the_memory_is_bounded_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MEMORY_VARIABLE, raising=False)
    assert 128 <= memory_bound() <= 2048


def test_nothing_that_ran_over_its_time_runs_on(store: Store) -> None:
    before = engines()
    with pytest.raises(QueryTimeoutError, match=r"0\.3 s"):
        store.read(ENGINE_BOMBS[1], timeout=0.3)
    assert soon(lambda: not any(alive(pid) for pid in before - engines()))
    slow = "[a IN range(1, 100000) WHERE any(b IN range(1, 100000) WHERE a * b = -1)]"
    with pytest.raises(QueryTimeoutError, match=r"0\.3 s"):
        list(store.stream(f"UNWIND range(1, 9) AS x RETURN x, {slow} AS y", timeout=0.3, rows=1))
    assert values(store, COUNT) == [6]


def test_the_process_is_kept_for_the_next_query_and_the_next_store(
    store: Store, tmp_path: Path
) -> None:
    values(store, COUNT)
    (mine,) = engines()
    with pytest.raises(QueryTimeoutError):
        store.read(ENDLESS, timeout=0.3)
    values(store, COUNT)
    assert engines() == {mine}, "the engine heeds the clock where it can"
    store.close()
    other = open_store(tmp_path / "other.ckb")
    other.write(nodes("Feature", feature(0)))
    assert values(other, COUNT) == [1]
    assert engines() == {mine}
    other.close()


def test_a_process_that_died_is_replaced(store: Store) -> None:
    values(store, COUNT)
    for pid in engines():
        os.kill(pid, signal.SIGKILL)
    # A process is gone when all its threads are, which is later than its first one.
    assert soon(lambda: all(one._process.poll() is not None for one in query_process._every))
    assert values(store, COUNT) == [6]


def test_an_engine_that_dies_during_a_query_is_an_error_of_the_query(store: Store) -> None:
    values(store, COUNT)
    killer = threading.Timer(1.0, lambda: [os.kill(pid, signal.SIGKILL) for pid in engines()])
    killer.start()
    with pytest.raises(QueryMemoryError):
        store.read(ENDLESS, timeout=10)
    assert values(store, COUNT) == [6]


def test_without_its_user_the_process_ends_and_leaves_no_file(place: Path, tmp_path: Path) -> None:
    code = """
import os, tempfile, threading, time
tempfile.tempdir = sys.argv[2]
from circuitkb.stores.embedded import query_process
store = open_store(sys.argv[1])
values(store, "RETURN 1")
print(*[p._process.pid for p in query_process._every], flush=True)
store.read("UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b "
           "WITH a, b WHERE a * b = -1 RETURN 1", timeout=50)
"""
    process = start(code, place, tmp_path)
    assert process.stdout is not None
    engine = int(process.stdout.readline())
    time.sleep(0.2)
    assert alive(engine)
    process.kill()
    process.communicate(timeout=60)
    assert soon(lambda: not alive(engine))
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_well_leaves_no_file(place: Path, tmp_path: Path) -> None:
    code = """
import tempfile
tempfile.tempdir = sys.argv[2]
store = open_store(sys.argv[1])
values(store, "RETURN 1")
print("as it should")
"""
    process = start(code, place, tmp_path)
    assert process.communicate(timeout=60) == ("as it should\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_forked_process_asks_an_engine_of_its_own(store: Store) -> None:
    values(store, COUNT)
    mine = engines()

    def ask(answers: Any) -> None:
        answers.put((values(store, COUNT), engines()))

    context = multiprocessing.get_context("fork")
    answers: Any = context.SimpleQueue()
    child = context.Process(target=ask, args=(answers,))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    found, theirs = answers.get()
    assert found == [6]
    assert not theirs & mine
    assert soon(lambda: not any(alive(pid) for pid in theirs))
    assert values(store, COUNT) == [6]
    assert engines() == mine


def test_many_streams_at_once_leave_one_process_for_the_next(store: Store) -> None:
    streams = [store.stream("UNWIND range(1, 30) AS x RETURN x", rows=10) for _ in range(3)]
    for _ in range(3):
        for stream in streams:
            assert len(next(stream).rows) == 10
    assert len(engines()) == 3
    for stream in streams:
        assert list(stream) == []
    assert len(engines()) == query_process.KEPT


def test_temporary_folders_go_with_their_process(store: Store) -> None:
    values(store, COUNT)
    store.close()
    made = [Path(process._directory) for process in query_process._every]
    assert all(folder.parent == Path(tempfile.gettempdir()) for folder in made)
    for process in list(query_process._every):
        process.kill()
    assert not any(folder.exists() for folder in made)
    query_process._idle.clear()

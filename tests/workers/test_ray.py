"""Tasks done by a Ray cluster of two nodes on this machine, begun and ended here: it takes 25 s."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.errors import WorkerError
from circuitkb.schema.progress import Progress, silent
from circuitkb.workers.choosing import workers_for
from circuitkb.workers.tasks import Done, Task
from tests.workers.exported import contents
from tests.workers.test_processes import NET, always_killed, killed_once


def test_a_cluster_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        where = f"127.0.0.1:{nobody.getsockname()[1]}"
        workers = workers_for(f"ray:{where}", 2, lambda: tmp_path)
        with pytest.raises(WorkerError, match=rf"^There is no Ray cluster at {where}: .*$"):
            next(workers.map([Task("a", always_killed, None)], [silent]))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module", autouse=True)
def only_this_machine() -> Iterator[None]:
    """Let Ray, which reads it when it is imported, keep to 127.0.0.1, and tell nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Two nodes with a processor each."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80_000_000, "node_ip_address": "127.0.0.1"}
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        made.add_node(**node)
        made.wait_for_nodes()
        yield made.address
    finally:
        made.shutdown()


def where_it_ran(seconds: float, progress: Progress) -> Done:
    from time import sleep

    import ray

    sleep(seconds)  # so that no node takes two
    return Done(None, (ray.get_runtime_context().get_node_id(), os.getpid()))


def test_both_nodes_work_and_the_dead_are_replaced(cluster: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    tasks = [Task("a", where_it_ran, 1.0), Task("b", where_it_ran, 1.0)]
    tasks += [Task("once", killed_once, tmp_path / "marker"), Task("never", always_killed, None)]
    results = workers_for(f"ray:{cluster}", 4, lambda: folder).map(tasks, [silent] * 4)
    ran = [next(results).said for _ in range(2)]
    assert len({node for node, _ in ran}) == 2
    assert os.getpid() not in {process for _, process in ran}
    assert next(results) == Done(None, "done")
    with pytest.raises(WorkerError, match=r"^never: the worker died twice"):
        next(results)
    assert list(folder.iterdir()) == []


def test_networks_are_loaded_as_one_process_loads_them(cluster: str, tmp_path: Path) -> None:
    sources = []
    for seed, name in enumerate(("one", "two")):
        (tmp_path / f"{name}.py").write_text(NET.format(seed=seed))
        sources.append(f"{tmp_path / name}.py:net")
    found: list[Any] = []
    for workers in (1, f"ray:{cluster}"):
        with ckb.open(tmp_path / f"{len(found)}.ckb") as kb:
            assert [report.created for report in kb.load(sources, workers=workers)] == [True] * 2
            found.append(contents(kb))
    assert found[0] == found[1]

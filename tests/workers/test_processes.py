"""Tasks done by processes: in order, with rows as files, and again where a process died.

Each pool takes about a second of a processor to begin; those tests that load networks, three.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import circuitkb as ckb
from circuitkb.errors import ObservationError, WorkerError
from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent, together
from circuitkb.schema.registry import PluginWarning
from circuitkb.schema.responses import ARRAYS, Responses
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table
from circuitkb.workers.choosing import workers_for
from circuitkb.workers.tasks import Done, Here, Task
from tests.workers.exported import contents


def rows(number: int) -> GraphRows:
    """A model with one layer, one unit, one kernel and responses."""
    model = f"m{number}"
    units = np.zeros((1, 1), np.int32)
    kernel = np.full((1, 1, 1, 1, 1), number, np.float32)
    answers = np.full((1, 2), number, np.float16)
    return GraphRows(
        nodes={
            "Model": node_table("Model", {"id": [model], "fingerprint": ["f"], "source": ["x"]}),
            "Layer": node_table(
                "Layer",
                {
                    "id": [f"{model}/a"],
                    "model": [model],
                    "name": ["a"],
                    "position": [0],
                    "channels": [1],
                },
            ),
        },
        relations=[
            Relations(
                "IN_MODEL",
                "Layer",
                "Model",
                relation_table("IN_MODEL", {"source": [f"{model}/a"], "target": [model]}),
            )
        ],
        kernels={model: [Connection("c0", "a", "a", "direct", units, units, kernel)]},
        responses={
            model: Responses(
                "b", ("s", "t"), (("a", 1),), *[answers + i for i in range(4)], {"seed": number}
            )
        },
    )


def made(number: int, progress: Progress) -> Done:
    progress("making", 0.5)
    return Done(rows(number), os.getpid())


def refused(what: str, progress: Progress) -> Done:
    warnings.warn("a plugin fails", PluginWarning, stacklevel=1)
    raise ObservationError(what)


def killed_once(marker: Path, progress: Progress) -> Done:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Done(None, "done")


def always_killed(_: object, progress: Progress) -> Done:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def warned(_: object, progress: Progress) -> Done:
    warnings.warn("a plugin fails", PluginWarning, stacklevel=1)
    return Done(None, None)


Map = Callable[[list[Task]], Iterator[Done]]


@pytest.fixture
def by_two(tmp_path: Path) -> Map:
    def results(tasks: list[Task]) -> Iterator[Done]:
        workers = workers_for(2, len(tasks), lambda: tmp_path)
        return workers.map(tasks, [silent] * len(tasks))

    return results


def test_rows_come_back_as_they_were_in_the_order_asked(by_two: Map, tmp_path: Path) -> None:
    processes = []
    for number, (found, process) in enumerate(by_two([Task("m", made, n) for n in range(6)])):
        wanted = rows(number)
        assert found is not None
        assert found.nodes == wanted.nodes
        assert [vars(item) for item in found.relations] == [vars(item) for item in wanted.relations]
        (connection,) = found.kernels[f"m{number}"]
        assert connection.kernel.item() == number
        answers, given = found.responses[f"m{number}"], wanted.responses[f"m{number}"]
        assert answers.header() == given.header()
        assert all(np.array_equal(getattr(answers, a), getattr(given, a)) for a in ARRAYS)
        processes.append(process)
    assert os.getpid() not in processes
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_a_worker_is_that_of_one_process(by_two: Map, tmp_path: Path) -> None:
    tasks = [Task("a", made, 0), Task("b", refused, "b sees nothing"), Task("c", made, 2)]
    results = by_two(tasks)
    assert next(results).rows is not None
    with pytest.raises(ObservationError, match=r"^b sees nothing$"):
        next(results)
    assert list(tmp_path.iterdir()) == []


def test_a_warning_of_a_worker_is_heard(by_two: Map) -> None:
    with pytest.warns(PluginWarning, match="a plugin fails"):
        list(by_two([Task("a", warned, None), Task("b", warned, None)]))


def test_the_task_of_a_killed_worker_is_repeated_once(
    by_two: Map, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    marker = tmp_path_factory.mktemp("marker") / "killed"
    tasks = [
        Task("first", killed_once, marker),
        Task("second", made, 1),
        Task("third", always_killed, None),
        Task("fourth", made, 3),
    ]
    results = by_two(tasks)
    assert next(results) == Done(None, "done")
    assert next(results).rows is not None
    with pytest.raises(WorkerError, match=r"^third: the worker died twice.*\n.*--workers 1"):
        next(results)
    assert list(tmp_path.iterdir()) == []


BEGUN = """
import os, sys, time
from pathlib import Path
from circuitkb.schema.progress import silent
from circuitkb.workers.choosing import workers_for
from circuitkb.workers.tasks import Task

def wait(folder, progress):
    (folder / str(os.getpid())).touch()
    time.sleep(60)

folder = Path(sys.argv[1])
tasks = [Task("a", wait, folder), Task("b", wait, folder)]
list(workers_for(2, 2, lambda: folder).map(tasks, [silent] * 2))
"""


def test_workers_end_with_the_process_that_began_them(tmp_path: Path) -> None:
    begun = subprocess.Popen([sys.executable, "-c", BEGUN, str(tmp_path)])
    until(lambda: len(workers_in(tmp_path)) == 2)
    begun.kill()
    begun.wait()
    until(lambda: not any(psutil.pid_exists(pid) for pid in workers_in(tmp_path)))


def workers_in(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_one_task_is_done_here_and_nonsense_is_refused(tmp_path: Path) -> None:
    assert isinstance(workers_for(8, 1, lambda: tmp_path), Here)
    assert isinstance(workers_for(1, 9, lambda: tmp_path), Here)
    assert isinstance(workers_for(None, 9, lambda: tmp_path, worth=False), Here)
    for wrong in ("many", "0", 0, "-1", "ray:"):
        with pytest.raises(WorkerError, match="a number from 1"):
            workers_for(wrong, 2, lambda: tmp_path)


def test_progress_of_several_grows_from_nothing_to_all() -> None:
    said: list[float] = []
    one, other = together(lambda doing, done: said.append(done), 2)
    one("a", 0.5)
    other("b", 1.0)
    one("a", 0.25)
    one("a", 1.0)
    assert said == [0.25, 0.75, 0.75, 1.0]


NET = """
import torch
from torch import nn

def net():
    torch.manual_seed({seed})
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU()), (3, 9, 9)
"""


@pytest.mark.slow
def test_several_networks_are_loaded_as_one_process_loads_them(tmp_path: Path) -> None:
    sources = []
    for seed, name in enumerate(("one", "two")):
        (tmp_path / f"{name}.py").write_text(NET.format(seed=seed))
        sources.append(f"{tmp_path / name}.py:net")
    found: list[Any] = []
    for workers in (1, 2):
        with ckb.open(tmp_path / f"{workers}.ckb") as kb:
            reports = kb.load([*sources, sources[0]], workers=workers)
            assert [r.name for r in reports] == ["one", "two", "one"]
            assert [r.created for r in reports] == [True, True, False]
            found.append(contents(kb))
    assert found[0] == found[1]
    assert not (tmp_path / "2.ckb/unfinished").exists()


def test_several_are_observed_searched_and_matched_as_by_one_process(tmp_path: Path) -> None:
    names = ["one", "two", "three"]
    for seed, name in enumerate(names):
        network = planted_network(unions=3, size=45, taps=3, seed=seed)
        write_onnx(network, tmp_path / f"{name}.onnx", any_size=False)
    found: list[Any] = []
    for workers in (1, 2):
        with ckb.open(tmp_path / f"{workers}.ckb") as kb:
            kb.load([str(tmp_path / f"{name}.onnx") for name in names], workers=workers)
            observed = kb.observe(names, workers=workers, pixels=(0, 1))
            assert [(r.model, r.created) for r in observed] == [(name, True) for name in names]
            again = kb.observe(names[:2], workers=workers, pixels=(0, 1))
            assert [r.created for r in again] == [False, False]
            for by in ("kernels", "responses"):
                searched = kb.find(by=by, workers=workers)
                assert [item.model for item in searched.models] == sorted(names)
            matched = kb.match("one", "two", "three", workers=workers)
            assert [(r.first, r.second) for r in matched] == list(combinations(names, 2))
            found.append(contents(kb))
    assert found[0] == found[1]

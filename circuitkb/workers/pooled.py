"""Tasks given to several workers: some ahead, results in order, and a dead worker's task again."""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from circuitkb.schema.errors import WorkerError
from circuitkb.schema.progress import Progress
from circuitkb.schema.registry import PluginWarning
from circuitkb.stores.disk.files import disk_errors
from circuitkb.stores.disk.unfinished import SUFFIX, held, prefix, remove_left_behind
from circuitkb.workers.handing_over import pass_on, rows_in, run_into
from circuitkb.workers.tasks import Done, Task

AHEAD = 2
"""Tasks for each worker that are given before their results are taken: bounds the disk's use."""

_LOOK = 0.2  # seconds between two looks at how far the workers are
_OURS = re.compile(
    r"\d+/(?:progress|rows\.json|\d+\.arrow|(?:kernels|responses|pictures)/[a-z0-9][a-z0-9._-]*)"
)


class Pool(Protocol):
    """A library's workers.

    Attributes
    ----------
    count
        How many there are.
    died
        What the future of a task raises whose worker died.
    """

    count: int
    died: tuple[type[BaseException], ...]

    def submit(self, run: Callable[..., Any], *given: Any) -> Future[Any]:
        """Let a worker call a function."""

    def renew(self) -> None:
        """Make it usable again where a worker died; tasks that it loses by that end as dead."""

    def close(self) -> None:
        """Let the workers go: nothing is left to do."""

    def kill(self) -> None:
        """End the workers at once."""


@dataclass(eq=False)
class _Given:
    task: Task
    folder: Path
    progress: Progress
    future: Future[Any] = field(default_factory=Future)
    is_lost: bool = False


class Pooled:
    """Workers of a pool.

    Parameters
    ----------
    pool
        Makes the pool.
    folder
        Where they hand over files; every worker can write there.
    """

    def __init__(self, pool: Callable[[], Pool], folder: Path) -> None:
        self._make = pool
        self._folder = folder

    def map(self, tasks: Iterable[Task], progress: Sequence[Progress]) -> Iterator[Done]:
        """Give what each task gives, in their order."""
        with _folder(self._folder) as folder:
            pool = self._make()
            try:
                yield from self._results(pool, folder, zip(tasks, progress, strict=False))
                pool.close()
            except BaseException:
                pool.kill()
                raise

    def _results(
        self, pool: Pool, folder: Path, tasks: Iterable[tuple[Task, Progress]]
    ) -> Iterator[Done]:
        upcoming = (
            _Given(task, folder / str(number), tell) for number, (task, tell) in enumerate(tasks)
        )
        given: deque[_Given] = deque()
        while True:
            for item in islice(upcoming, AHEAD * pool.count - len(given)):
                item.future = pool.submit(run_into, item.task, item.folder)
                given.append(item)
            if not given:
                return
            first = given[0]
            _wait(first, given)
            if _died(first, pool) and not first.is_lost:
                _repeat(given, pool)
                continue
            if first.is_lost:
                raise _lost(first.task)
            has_rows, said, warned = first.future.result()
            for text in warned:
                warnings.warn(text, PluginWarning, stacklevel=2)
            yield Done(rows_in(first.folder) if has_rows else None, said)
            shutil.rmtree(first.folder, ignore_errors=True)
            given.popleft()


def _wait(item: _Given, others: Iterable[_Given]) -> None:
    """Wait for one, and tell how far all of them are."""
    while not item.future.done():
        wait([item.future], timeout=_LOOK, return_when=FIRST_COMPLETED)
        for each in others:
            pass_on(each.folder, each.progress)


def _died(item: _Given, pool: Pool) -> bool:
    return item.future.done() and isinstance(item.future.exception(), pool.died)


def _repeat(given: Iterable[_Given], pool: Pool) -> None:
    """Give again what dead workers had: what had begun one by one, so that who dies is known.

    One that has the machine to itself has more memory, too. One that dies again stays dead.
    """
    pool.renew()
    dead = [item for item in given if _died(item, pool) and not item.is_lost]
    begun = [item for item in dead if item.folder.exists()]
    for item in begun:
        shutil.rmtree(item.folder)
        item.future = pool.submit(run_into, item.task, item.folder)
        _wait(item, [item])
        if _died(item, pool):
            item.is_lost = True
            pool.renew()
    for item in dead:
        if item not in begun:
            item.future = pool.submit(run_into, item.task, item.folder)


def _lost(task: Task) -> WorkerError:
    return WorkerError(
        f"{task.name}: the worker died twice, as one does that is killed or finds no memory; "
        "nothing of it was written.\nGive the command again, with --workers 1 (workers=1) if "
        "memory is short: what is done already stays."
    )


@contextmanager
def _folder(place: Path) -> Iterator[Path]:
    """Give an empty folder for what is handed over; what killed processes left goes first."""
    target = place / "rows"
    with disk_errors(place):
        remove_left_behind(target, own=lambda name: _OURS.fullmatch(name) is not None)
        made = Path(tempfile.mkdtemp(prefix=prefix(target), suffix=SUFFIX, dir=place))
    try:
        with held(made):
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)

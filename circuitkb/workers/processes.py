"""Processes of this machine, by loky: they are no forks, and do not run the user's program anew."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from loky import ProcessPoolExecutor
from loky.process_executor import ShutdownExecutorError

# Python's own process that tidies up after others speaks of those that were killed.
sys.warnoptions.append("ignore:resource_tracker")

_LOOK = 1.0  # seconds between two looks at who began a process


class Processes:
    """So many processes; see :class:`~circuitkb.workers.pooled.Pool`.

    Parameters
    ----------
    count
        How many.
    threads
        That each may use; as many as this process if not given.
    """

    died: tuple[type[BaseException], ...] = (BrokenProcessPool, ShutdownExecutorError)

    def __init__(self, count: int, threads: int | None) -> None:
        self.count = count
        self._environment = {
            "PYTHONWARNINGS": "ignore",  # of others' code: no news to a user
            # Threads of several processes on the same cores: one that waits must not hold a core.
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
        }
        if threads is not None:
            self._environment["OMP_NUM_THREADS"] = str(threads)
        self._executor = self._begin()

    def _begin(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.count, env=self._environment, initializer=_end_with, initargs=(os.getpid(),)
        )

    def submit(self, run: Callable[..., Any], *given: Any) -> Future[Any]:
        """Let a process call a function."""
        found: Future[Any] = self._executor.submit(run, *given)
        return found

    def renew(self) -> None:
        """Begin anew: with one process all are lost."""
        self.kill()
        self._executor = self._begin()

    def close(self) -> None:
        """Let the processes go: nothing is left to do."""
        self._executor.shutdown(wait=True)

    def kill(self) -> None:
        """End the processes at once."""
        self._executor.shutdown(wait=True, kill_workers=True)


def _end_with(parent: int) -> None:
    """End this process soon after the one that began it, however that ends."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=watch, name="circuitkb parent", daemon=True).start()

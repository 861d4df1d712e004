"""One thread for one query: engines want all calls from it, and the clock is seen meanwhile."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Self, TypeVar

from circuitkb.stores.querying.errors import timed_out

T = TypeVar("T")

GRACE = 1.0
"""Seconds that an engine gets to notice its own time limit before its thread is left behind."""


class TimedWorker:
    """Calls functions in a thread of its own, until the time of all of them is over.

    Parameters
    ----------
    timeout
        Seconds for all calls together, and for what happens between them.
    told
        The seconds that an error names; ``timeout`` if not given.

    Attributes
    ----------
    lost
        Whether a call did not come back in time; the thread may still be busy with it.
    """

    def __init__(self, timeout: float, *, told: float | None = None) -> None:
        self.timeout = timeout if told is None else told
        self.lost = False
        self._end = time.monotonic() + timeout
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="circuitkb stream", daemon=True)
        self.thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._work.put(None)
        if not self.lost:
            self.thread.join(GRACE)

    def call(self, function: Callable[[], T], *, closing: bool = False) -> T:
        """Return what the function returns in the worker's thread, or raise what it raises.

        Raises
        ------
        QueryTimeoutError
            The time is over; a ``closing`` call gets the grace alone, whatever is left.
        """
        done = threading.Event()
        outcome: list[T] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                outcome.append(function())
            except BaseException as error:
                failure.append(error)
            finally:
                done.set()

        self._work.put(run)
        left = GRACE if closing else max(self._end - time.monotonic(), 0) + GRACE
        if not done.wait(left):
            self.lost = True
            raise timed_out(self.timeout)
        if failure:
            raise failure[0]
        if not closing and time.monotonic() > self._end:
            raise timed_out(self.timeout)
        return outcome[0]

    def _run(self) -> None:
        while (function := self._work.get()) is not None:
            function()


def taken(source: Any, rows: int) -> list[Any]:
    """Return the next ``rows`` items of an iterator, fewer at its end."""
    found = []
    for item in source:
        found.append(item)
        if len(found) == rows:
            break
    return found

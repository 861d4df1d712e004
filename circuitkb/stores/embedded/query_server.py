"""What runs in a process of its own: the engine, asked by the process that started it.

A query that does not stop can then be ended with its process, and what it takes is not taken from
its user's. Requests come over standard input, one at a time, and replies go over standard output.
Where the other side has gone, this process ends at once, in the middle of a query too.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO

from circuitkb.schema.hiding import hidden
from circuitkb.stores.embedded.engine import (
    arcadedb,
    empty_graph,
    engine_error,
    fault_of,
    open_for_reading,
)
from circuitkb.stores.embedded.messages import packed, receive
from circuitkb.stores.embedded.records import records
from circuitkb.stores.embedded.values import plain, with_paths

ROWS = 2_000
"""Rows in one message."""

_TRIES = 20  # to remove its folder
_MOST_SAID = 100_000  # characters of what the engine says went wrong


class QueryServer:
    """Answers requests about one graph at a time.

    Parameters
    ----------
    directory
        A folder of its own.
    replies
        Where the answers go.
    """

    def __init__(self, directory: Path, replies: BinaryIO) -> None:
        self._directory = directory
        self._replies = replies
        self._database: Any = None
        self._view: Path | None = None
        self._results: Any = None
        self._rows: Iterator[Any] = iter(())
        self._next: Any = None
        self._columns: tuple[str, ...] | None = None
        self._paths = False

    def answer(self, request: tuple[Any, ...]) -> None:
        """Do what is asked, and say how it went; nothing that goes wrong ends the process."""
        verb, *given = request
        try:
            reply = getattr(self, f"_{verb}")(*given)
        except Exception as error:
            reply = _failure(error)
            with suppress(Exception):
                self._end()
        self._send(reply)

    def _open(self, graph: str | None, timeout: float) -> tuple[Any, ...]:
        self._close()
        self._view = Path(tempfile.mkdtemp(prefix="view-", dir=self._directory))
        found = empty_graph() if graph is None else Path(graph)
        self._database = open_for_reading(found, self._view, timeout=timeout)
        return ("done",)

    def _close(self) -> tuple[Any, ...]:
        self._end()
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._view is not None:
            shutil.rmtree(self._view, ignore_errors=True)
            self._view = None
        return ("done",)

    def _begin(
        self,
        cypher: str,
        parameters: dict[str, Any],
        columns: tuple[str, ...] | None,
        paths: bool,
        rows: int | None,
        alone: bool,
    ) -> tuple[Any, ...]:
        """Begin a query, and send its first rows as :meth:`_take` does.

        ``columns`` as its text names them, ``paths`` where it may give some; ``alone`` where no
        more rows than the first are wanted.
        """
        self._end()
        bound = (parameters,) if parameters else ()
        self._results = self._database.query("opencypher", cypher, *bound)
        self._rows = iter(self._results)
        self._next = next(self._rows, None)
        self._columns, self._paths = columns, paths
        reply = self._take(rows)
        if alone:
            self._end()
        return reply

    def _take(self, rows: int | None) -> tuple[Any, ...]:
        """Send up to ``rows`` further rows; the reply has the columns and whether that was all."""
        left = sys.maxsize if rows is None else rows
        while left and self._next is not None:
            found: list[dict[str, Any]] = []
            while self._next is not None and len(found) < min(left, ROWS):
                found.append(self._next.to_dict())
                self._next = next(self._rows, None)
            self._send_rows(found)
            left -= len(found)
        ended = self._next is None
        if ended:
            self._end()
        return ("done", self._columns, ended)

    def _end(self) -> tuple[Any, ...]:
        """Drop a query's further rows."""
        results, self._results, self._rows, self._next = self._results, None, iter(()), None
        if results is not None:
            results.close()
        return ("done",)

    def _send_rows(self, found: list[dict[str, Any]]) -> None:
        if self._columns is None or set(self._columns) != set(found[0]):
            self._columns = tuple(found[0])
        names = self._columns
        rows = [tuple(plain(record.get(name)) for name in names) for record in found]
        if self._paths:
            rows = with_paths(rows, lambda numbers: records(self._database, numbers))
        self._send(("rows", rows))

    def _send(self, message: tuple[Any, ...]) -> None:
        self._replies.write(packed(message))
        self._replies.flush()


def _failure(error: Exception) -> tuple[Any, ...]:
    """Return an error as a message: what the engine says, or the kind of ours."""
    if isinstance(error, engine_error()):
        fault = fault_of(error)
        kinds, text = list(fault.kinds), fault.text[:_MOST_SAID]
        return ("fault", fault.kind, fault.message[:_MOST_SAID], kinds, text)
    if isinstance(error, MemoryError):
        return ("memory",)
    if isinstance(error, RecursionError) or "too deeply" in str(error):
        return ("deep",)
    if isinstance(error, json.JSONDecodeError):
        return ("unreadable",)
    return ("broken", f"{type(error).__name__}: {error}"[:_MOST_SAID])


def main(directory: str) -> None:
    """Answer requests until the other side hangs up."""
    own = Path(directory)
    tempfile.tempdir = directory  # what the engine leaves behind goes with this folder
    _stand_back()
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    source = sys.stdin.buffer

    def listen() -> None:
        while (request := receive(source)) is not None:
            requests.put(request)
        for _ in range(_TRIES):  # the engine may just be making another file
            shutil.rmtree(own, ignore_errors=True)
            if not own.exists():
                break
            time.sleep(0.05)
        os._exit(0)

    # Nothing but messages may go where replies go.
    with closing(os.fdopen(os.dup(1), "wb")) as replies:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.close(silence)
        listening = threading.Thread(target=listen, name="circuitkb requests", daemon=True)
        listening.start()
        with hidden("numpy"):  # the engine's package takes its arrays; nobody sends any from here
            arcadedb()
        server = QueryServer(own, replies)
        with suppress(BrokenPipeError):
            while True:
                server.answer(requests.get())
        listening.join()  # whoever asked has gone


def _stand_back() -> None:
    """Leave Ctrl-C to the other process, and be the first to go where memory runs out."""
    if os.name == "posix":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        import resource

        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")
    else:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

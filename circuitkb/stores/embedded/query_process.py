"""A process of its own that asks the engine, as it is seen from the process that started it.

Started when the first query comes and kept for the next ones. It is killed where a query runs over
its time or its memory, or where whoever waits is interrupted; the next query gets another one.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal

from circuitkb.schema.errors import QueryError, QueryTimeoutError, StoreError
from circuitkb.schema.limits import names_a_limit
from circuitkb.stores.embedded.faults import Fault
from circuitkb.stores.embedded.memory import memory_bound
from circuitkb.stores.embedded.messages import packed, receive_packed, unpacked
from circuitkb.stores.querying.errors import out_of_memory, timed_out, too_deep

PATIENCE = 60.0
"""Seconds that a process gets to start and to open a graph."""

KEPT = 1
"""Processes that wait for the next graph once theirs was closed."""

BESIDE = 512
"""Megabytes that a process may take beside the engine's bound: rows on their way, and Python."""

_LOOK = 0.05  # seconds between two looks at the memory
_MEGABYTE = 2**20
_STATM = Path("/proc/self/statm")
_START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from circuitkb.stores.embedded.query_server import main; main(sys.argv[2])"
)


class EngineFaultError(Exception):
    """What the engine says went wrong with a query; see :class:`~.faults.Fault`."""

    def __init__(self, fault: Fault) -> None:
        # Of a limit of the machine the engine speaks in a cause alone.
        super().__init__(fault.text if names_a_limit(fault.text) else fault.message)
        self.fault = fault


class QueryProcess:
    """One process, one graph at a time, one request at a time.

    Attributes
    ----------
    usable
        Whether it can still be asked.
    """

    def __init__(self) -> None:
        self.most = memory_bound() * _MEGABYTE
        self._owner = os.getpid()
        self._directory = tempfile.mkdtemp(prefix="circuitkb-")
        places = [place or str(Path.cwd()) for place in sys.path]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, json.dumps(places), self._directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._busy = False
        self._lock = threading.Lock()
        self._killed_for: Literal["", "time", "memory"] = ""
        _every.add(self)

    @property
    def usable(self) -> bool:
        """Whether it lives, is ours and waits for a request."""
        return self._owner == os.getpid() and not self._busy and self._process.poll() is None

    def call(
        self, *request: Any, seconds: float, stated: float | None = None
    ) -> tuple[Any, list[Any]]:
        """Send a request; return the last reply, without its first word, and the rows before it.

        Parameters
        ----------
        request
            A verb of :class:`~.query_server.QueryServer` and what it takes.
        seconds
            After which the process is killed.
        stated
            The time limit that an error names; ``seconds`` if not given.

        Raises
        ------
        EngineFaultError
            The engine refused or failed, and goes on.
        QueryTimeoutError, QueryError
            The process was killed, or died.
        """
        rows: list[Any] = []
        self._busy = True
        try:
            with self._watched(seconds):
                self._write(packed(request))
                reply = self._reply(rows)
        except BaseException:
            self.kill()
            raise
        if reply is None:
            self.kill()
            raise self._why(seconds if stated is None else stated)
        verb, *given = reply
        if verb in ("memory", "unreadable"):
            self.kill()
            raise out_of_memory()
        self._busy = False
        if verb == "done":
            return given, rows
        if verb == "deep":
            raise too_deep()
        if verb == "fault":
            kind, message, kinds, text = given
            if "OutOfMemoryError" in kinds:
                self.kill()  # what an engine does after that is anybody's guess
                raise out_of_memory()
            raise EngineFaultError(Fault(kind, message, tuple(kinds), text))
        raise StoreError(f"The engine failed: {given[0]}")

    def _write(self, message: bytes) -> None:
        with suppress(BrokenPipeError):  # it died: the reply tells
            stdin = self._process.stdin
            assert stdin is not None
            stdin.write(message)
            stdin.flush()

    def _reply(self, rows: list[Any]) -> Any:
        """Gather rows until another reply comes; None where the process ended."""
        source: BinaryIO = self._process.stdout  # type: ignore[assignment]
        size = 0
        while (body := receive_packed(source)) is not None:
            size += len(body)
            if size > self.most:
                raise out_of_memory()
            message = unpacked(body)
            if message[0] != "rows":
                return message
            rows += message[1]
        return None

    @contextmanager
    def _watched(self, seconds: float) -> Iterator[None]:
        """Kill the process where the block takes longer, or the process more memory than it may."""
        done = threading.Event()
        end = time.monotonic() + seconds

        def watch() -> None:
            while not done.wait(min(_LOOK, max(end - time.monotonic(), 0))):
                reason = self._over(end)
                with self._lock:
                    if reason and not done.is_set():
                        self._killed_for = reason
                        self._process.kill()
                        return

        thread = threading.Thread(target=watch, name="circuitkb clock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._lock:
                done.set()

    def _over(self, end: float) -> Literal["", "time", "memory"]:
        if time.monotonic() >= end:
            return "time"
        return "memory" if resident(self._process.pid) > self.most + BESIDE * _MEGABYTE else ""

    def _why(self, seconds: float) -> QueryError:
        if self._killed_for == "time":
            return timed_out(seconds)
        # Else the system ended it, which it does where memory runs out.
        return out_of_memory()

    def kill(self) -> None:
        """End the process at once and remove what it had on the disk; safe to repeat."""
        _every.discard(self)
        if self._owner != os.getpid():
            return
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was to be sent
                    stream.close()
        self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def leave_to_its_owner(self) -> None:
        """Forget it in a process that was forked from its owner."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError), Path(os.devnull).open("r+b") as nothing:
                    os.dup2(nothing.fileno(), stream.fileno())  # closed, it may be another file's
        self._process.returncode = 0  # else it is waited for


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds; 0 where this system does not say."""
    try:
        text = _STATM.with_name("statm") if pid == os.getpid() else Path(f"/proc/{pid}/statm")
        return int(text.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


_every: weakref.WeakSet[QueryProcess] = weakref.WeakSet()
_idle: list[QueryProcess] = []
_guard = threading.Lock()


def take() -> QueryProcess:
    """Return a process that no graph is open in: one that waits, or a new one."""
    with _guard:
        while _idle:
            process = _idle.pop()
            if process.usable and process.most == memory_bound() * _MEGABYTE:
                return process
            process.kill()
    return QueryProcess()


def prepare() -> None:
    """Start a process for the first query, unless one waits; what goes wrong, that query tells."""
    with _guard, suppress(OSError, StoreError):
        if not _idle:
            _idle.append(QueryProcess())


def give_back(process: QueryProcess) -> None:
    """Let others have a process, once its graph is closed, or end it."""
    if process.usable:
        try:
            process.call("close", seconds=PATIENCE)
        except (EngineFaultError, QueryError, QueryTimeoutError, StoreError):
            process.kill()
    with _guard:
        if process.usable and len(_idle) < KEPT:
            _idle.append(process)
            return
    process.kill()


@atexit.register
def _end_all() -> None:
    for process in list(_every):
        process.kill()


def _after_fork() -> None:
    global _guard
    _guard = threading.Lock()
    _idle.clear()
    for process in list(_every):
        process.leave_to_its_owner()
    _every.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

"""A small write: one transaction of the engine in the state that counts, while nobody reads it.

The engine works in a folder of its own, ``writing``, in which the files of pages are links to those
of the state and all else is a copy, so its log and whatever it makes beside pages stay apart. Bytes
and time depend on what is written alone. :mod:`.settling` says what makes it whole.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from circuitkb.stores.changes import Changes
from circuitkb.stores.disk.files import sync
from circuitkb.stores.disk.own_files import is_file, write_new
from circuitkb.stores.embedded.checksums import CHECKSUMS, Checksums
from circuitkb.stores.embedded.engine import engine_error, open_to_log
from circuitkb.stores.embedded.expected import added
from circuitkb.stores.embedded.generations import (
    BEFORE,
    WRITING,
    Generation,
    locked_alone,
    locks_are_kept,
)
from circuitkb.stores.embedded.read_only import Graph
from circuitkb.stores.embedded.redo_log import is_page_file
from circuitkb.stores.embedded.settling import LOG, NOTE, clear, settle, unfinished
from circuitkb.stores.embedded.touched import check_touched
from circuitkb.stores.embedded.transaction import transact

MOST_ROWS = 2_000
"""Rows that are written in place in any store."""

BYTES_FOR_A_ROW = 15_000
"""Bytes of a state that are copied in the time that a row takes in place."""

ROWS_IN_MEMORY = 50_000
"""Rows that are written in place at most: a transaction is held in memory until it ends."""

WAIT_FOR_READERS = 2.0
"""Seconds that a write waits until nobody reads the state; then it changes a copy."""

_ROOM = 64_000_000
"""Bytes that stay free: a log without room for its pages could only be finished later."""

_SCHEMA = "schema.json"


class InPlace(Graph):
    """The state that counts, open to be compared with and then, perhaps, changed.

    Made by :func:`to_change`. Nothing is changed before :meth:`write`. Whoever has it holds the
    right to write to the store.
    """

    def __init__(
        self, generation: Generation, checksums: Checksums, database: Any, before: os.stat_result
    ) -> None:
        super().__init__(database)
        self.generation = generation
        self._checksums = checksums
        self._before = before
        self._open = True

    def close(self) -> None:
        """Let go of the engine and remove what it worked with; safe to repeat."""
        if self._open:
            self._close_engine()
            _leave_no_trace(self.generation, self._before)

    def _close_engine(self) -> None:
        self._open = False
        self._database.close()

    def takes(self, changes: Changes) -> bool:
        """Whether the changes are few enough, and for the graph alone."""
        if changes.arrays:
            return False
        rows = sum(table.num_rows for table in changes.nodes.values()) + len(changes.updates)
        rows += sum(item.table.num_rows for item in changes.relations)
        most = MOST_ROWS + self.generation.size() // BYTES_FOR_A_ROW
        return bool(rows <= min(most, ROWS_IN_MEMORY))

    def write(self, changes: Changes) -> bool:
        """Make the changes; return whether they are made, and not left to a copy.

        They are left where readers keep the state, or the disk has little room.

        Raises
        ------
        StoreDamagedError
            A part that would be written anew is not what was written; nothing was changed.
        StoreError, OSError
            Nothing was changed, or the write is finished by whoever opens the store next.
        """
        path = self.generation.path
        if shutil.disk_usage(path).free < changes.room + _ROOM:
            return False
        with locked_alone(self.generation, wait=WAIT_FOR_READERS) as alone:
            if not alone:
                return False
            check_touched(self.generation, self._checksums, changes)
            closed = False
            try:
                self._begin(changes)
                transact(changes, self, self._database)
            finally:
                try:
                    self._close_engine()
                    closed = True
                finally:
                    try:
                        settle(self.generation, closed=closed)
                    except OSError as error:
                        raise unfinished(path.parent, error) from error
        return True

    def _begin(self, changes: Changes) -> None:
        """Write down what is to come, keep the logs, and let the state not count meanwhile."""
        folder = self.generation.path / WRITING
        counts = dict(added(changes) + Counter(self._checksums.counts))
        write_new(folder / NOTE, json.dumps({"counts": counts}))
        sync(folder / NOTE)
        for number, log in enumerate(sorted(folder.glob("*.wal"))):
            (folder / f"{LOG}{number}").hardlink_to(log)
        sync(folder)
        (self.generation.path / CHECKSUMS).rename(folder / BEFORE)
        sync(folder)
        sync(self.generation.path)


def to_change(generation: Generation) -> InPlace | None:
    """Open a state to compare with and to change in place; None where only a copy can be changed.

    So it is for states of older versions, without checksums or with other types, and where the
    system has no locks, or the file system no second names for a file.

    Raises
    ------
    StoreDamagedError
        The engine cannot open it.
    """
    checksums = generation.checksums()
    if checksums is None or not locks_are_kept():
        return None
    clear(generation)
    folder, before = generation.path / WRITING, generation.path.stat()
    try:
        folder.mkdir()
        linked = all(_give(generation.graph / name, folder) for name in _names(checksums))
    except (FileExistsError, FileNotFoundError):  # somebody else's folder, a missing file
        linked = False
    database = None
    try:
        if linked:
            database = open_to_log(folder)
            if _same(folder / _SCHEMA, generation.graph / _SCHEMA):
                return InPlace(generation, checksums, database, before)
            database.close()
    except engine_error():  # whoever opens it to read says what is wrong
        if database is not None:
            with suppress(engine_error()):
                database.close()
    except BaseException:
        _leave_no_trace(generation, before)
        raise
    _leave_no_trace(generation, before)
    return None


def _leave_no_trace(generation: Generation, before: os.stat_result) -> None:
    """Remove what the engine worked with; the state is in everything as it was."""
    clear(generation)
    with suppress(OSError):
        os.utime(generation.path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _names(checksums: Checksums) -> Iterator[str]:
    for name in checksums.files:
        folder, _, file = name.rpartition("/")
        if folder == "graph" and file != "configuration.json":
            yield file


def _give(source: Path, folder: Path) -> bool:
    """Give the engine a file: pages as they are, all else as a copy; return whether it worked."""
    if not is_file(source):
        return False
    if is_page_file(source.name) and source.suffix != ".dict":
        try:
            os.link(source, folder / source.name)
        except OSError:
            return False
    else:
        shutil.copyfile(source, folder / source.name)
    return True


def _same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()

"""The directory of an embedded knowledge base: generations that never change, and a pointer.

::

    zoo.ckb/
    ├── store.json          name of the format, its version, the version that made it
    ├── CURRENT             name of the generation that counts; replaced in one step
    ├── generation-7/
    │   ├── graph/          an ArcadeDB database, closed
    │   ├── kernels.json    model -> file in kernels/
    │   ├── responses.json  model -> file in responses/
    │   └── lease           readers hold a shared lock on it
    ├── kernels/            safetensors, named by content
    ├── responses/          safetensors, named by content
    ├── unfinished/         a folder for each work that goes on, or was interrupted
    └── write.lock          held by the one writer

A write copies the current generation, changes the copy, brings it to the disk and only then moves
the pointer. Whatever kills it before that leaves a generation that nobody points to, which the
next writer removes. A generation stays as long as a reader leases it. Unfinished work is no part of
a state: nobody but those who do it touches it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

from circuitkb.schema.definition import FORMAT_VERSION
from circuitkb.schema.errors import (
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreVersionError,
)
from circuitkb.stores.array_files import ARRAY_KINDS, ArrayKind
from circuitkb.stores.disk import bring_to_disk, copy_graph, disk_errors, megabytes, sync
from circuitkb.stores.workspaces import UNFINISHED, checked_name, workspace

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

FORMAT_NAME = "circuitkb"
WAIT_FOR_WRITER = 5.0
"""Seconds that a writer waits for another one."""

_LOOSE = {"write.lock", "store.json.new", "CURRENT.new"}
_GENERATION = re.compile(r"generation-[1-9][0-9]*")


@dataclass(frozen=True)
class Generation:
    """One state of a knowledge base, in a directory that does not change any more."""

    path: Path

    @property
    def number(self) -> int:
        """Its place in the order of writes, from 1."""
        return int(self.path.name.rpartition("-")[2])

    @property
    def graph(self) -> Path:
        """The database."""
        return self.path / "graph"

    @property
    def lease_file(self) -> Path:
        """What its readers lock."""
        return self.path / "lease"

    def files(self, kind: ArrayKind) -> dict[str, str]:
        """Return the name of the file of kernels, or of responses, for each model."""
        path = self.path / f"{kind}.json"
        if kind == "responses" and not path.exists():  # from before there were any
            return {}
        found: dict[str, str] = json.loads(path.read_text())
        return found

    def name_files(self, kind: ArrayKind, files: dict[str, str]) -> None:
        """Say where the arrays of each model are, in a generation that does not count yet."""
        text = json.dumps(files, indent=1, sort_keys=True)
        (self.path / f"{kind}.json").write_text(text)

    def size(self) -> int:
        """Return the bytes of the graph."""
        return sum(item.stat().st_size for item in self.graph.iterdir())


class Lease:
    """Keeps a generation from being removed until it is let go."""

    def __init__(self, generation: Generation, file: IO[bytes]) -> None:
        self.generation = generation
        self._file = file

    def close(self) -> None:
        """Let go; safe to repeat."""
        self._file.close()


class StoreDirectory:
    """Where the generations of one knowledge base lie; see the module for the layout."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def arrays(self, kind: ArrayKind) -> Path:
        """Return the directory of the files of kernels, or of responses."""
        return self.path / kind

    def workspace(self, name: str) -> Path:
        """Return the folder of unfinished work of that name, made if it is missing.

        Raises
        ------
        IdError
            The name is none that a model could have.
        StoreError
            Something else is here, or the disk cannot be written.
        """
        checked_name(name)
        self.check()
        return workspace(self.path, name)

    def check(self) -> bool:
        """Return whether a knowledge base is here that this version can read.

        Raises
        ------
        StoreVersionError
            It has another format version.
        StoreError
            Something else is here.
        """
        if not self.path.exists():
            return False
        if not self.path.is_dir():
            raise StoreError(
                f"{self.path} is a file, and a knowledge base is a directory: "
                f"choose another path, as in zoo.ckb."
            )
        card = self.path / "store.json"
        if not card.exists():
            if {item.name for item in self.path.iterdir()} <= _LOOSE | {UNFINISHED}:
                return False
            raise StoreError(
                f"{self.path} holds other files and is no knowledge base: choose another path."
            )
        try:
            about = json.loads(card.read_text())
            name, found, made_by = about["format"], about["version"], about["circuitkb"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{card} is damaged: load the sources again into a new path."
            ) from error
        if name != FORMAT_NAME or found != FORMAT_VERSION:
            raise StoreVersionError(
                f"{self.path} has format version {found} (written by circuitkb {made_by}); "
                f"circuitkb {_own_version()} reads version {FORMAT_VERSION}.\n"
                f"Use the circuitkb that wrote it, or load its sources again into a new path."
            )
        return True

    def current(self) -> Generation | None:
        """Return the generation that counts, or None in a knowledge base that was never written."""
        try:
            name = (self.path / "CURRENT").read_text().strip()
        except FileNotFoundError:
            return None
        if not _GENERATION.fullmatch(name):
            raise self._damaged()
        return Generation(self.path / name)

    def lease(self) -> Lease | None:
        """Lease the generation that counts; None where there is none."""
        for _ in range(100):  # a writer may move on between the pointer and the lock
            generation = self.current()
            if generation is None:
                return None
            try:
                file = generation.lease_file.open("rb")
            except FileNotFoundError:
                continue
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_SH)
            if generation.lease_file.exists():
                return Lease(generation, file)
            file.close()
        raise self._damaged()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the right to write, making the directory where there is none.

        Raises
        ------
        StoreBusyError
            Another process keeps it.
        """
        from filelock import FileLock, Timeout

        self.check()
        with disk_errors(self.path):
            there = self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / "write.lock", timeout=WAIT_FOR_WRITER)
            try:
                lock.acquire()
            except Timeout:
                raise StoreBusyError(
                    f"Another process is writing to {self.path}: try again when it is done."
                ) from None
            try:
                if not self.check():
                    card = {"format": FORMAT_NAME, "version": FORMAT_VERSION}
                    self._replace("store.json", json.dumps(card | {"circuitkb": _own_version()}))
                yield
            except BaseException:
                if self.current() is None:
                    self._forget(with_directory=not there)
                raise
            finally:
                lock.release()

    def _forget(self, *, with_directory: bool) -> None:
        """Leave nothing of a first write that failed."""
        for name in (*_LOOSE, "store.json"):
            (self.path / name).unlink(missing_ok=True)
        for kind in ARRAY_KINDS:
            shutil.rmtree(self.arrays(kind), ignore_errors=True)
        if with_directory:
            with suppress(OSError):
                self.path.rmdir()

    @contextmanager
    def next_generation(self, empty: Path, room: int) -> Iterator[Generation]:
        """Give a copy of the current generation; it counts when the block ends without an error.

        Parameters
        ----------
        empty
            Database to start from, where there is no generation yet.
        room
            Bytes that will be added, about; asked of the disk before anything is copied.
        """
        current = self.current()
        self.clean()
        room += current.size() if current else 0
        free = shutil.disk_usage(self.path).free
        if room > free:
            raise StoreFullError(
                f"The write needs about {megabytes(room)} at {self.path}, where "
                f"{megabytes(free)} are free; nothing was changed."
            )
        number = current.number + 1 if current else 1
        staged = Generation(self.path / f"generation-{number}")
        try:
            staged.path.mkdir()
            staged.lease_file.touch()
            for kind in ARRAY_KINDS:
                staged.name_files(kind, current.files(kind) if current else {})
            copy_graph(current.graph if current else empty, staged.graph)
            yield staged
            bring_to_disk(staged.path)
            self.publish(staged)
        finally:  # removes the staged one too, unless it counts by now
            self.clean()

    def publish(self, generation: Generation) -> None:
        """Make ``generation`` the one that counts."""
        self._replace("CURRENT", generation.path.name)

    def clean(self) -> None:
        """Remove generations that neither count nor are read, and arrays that none refers to."""
        current = self.current()
        for path in self.path.glob("generation-*"):
            if current is None or path != current.path:
                _remove_unless_leased(Generation(path))
        for kind in ARRAY_KINDS:
            kept: set[str] = set()
            for path in self.path.glob("generation-*"):
                with suppress(OSError, ValueError):
                    kept |= set(Generation(path).files(kind).values())
            for path in self.arrays(kind).glob("*"):
                if path.name not in kept:
                    with suppress(OSError):  # Windows: somebody has it mapped
                        path.unlink()

    def _damaged(self) -> StoreError:
        return StoreError(
            f"{self.path} is damaged: CURRENT names no state that is there. "
            f"Load its sources again into a new path."
        )

    def _replace(self, name: str, text: str) -> None:
        unfinished = self.path / f"{name}.new"
        with unfinished.open("w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path / name)
        sync(self.path)


def _remove_unless_leased(generation: Generation) -> None:
    try:
        with generation.lease_file.open("rb") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                generation.lease_file.unlink()
    except FileNotFoundError:
        pass
    except OSError:
        return
    shutil.rmtree(generation.path, ignore_errors=True)


def _own_version() -> str:
    try:
        return version("circuitkb")
    except PackageNotFoundError:
        return "unknown"

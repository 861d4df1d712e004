"""The directory of an embedded knowledge base: generations, and a pointer to the one that counts.

::

    zoo.ckb/
    ├── store.json          name of the format, its version, the version that made it
    ├── CURRENT             name of the generation that counts; replaced in one step
    ├── generation-7/       see :mod:`.generations`
    ├── kernels/            safetensors, named by content
    ├── responses/          safetensors, named by content
    ├── pictures/           safetensors, named by content
    ├── unfinished/         a folder for each work that goes on, or was interrupted
    └── write.lock          held by the one writer

A small write changes the current generation while nobody reads it; see :mod:`.in_place`. Any other
copies it, changes the copy, brings it to the disk and only then moves the pointer. Whatever kills
that before leaves a generation that nobody points to, which the next writer removes. A generation
stays as long as a reader leases it. Unfinished work is no part of a state: nobody but those who do
it touches it.

Generations without a valid pointer are a damaged store, not an empty one: nothing is removed then.
Until its first write counts, ``store.json`` says so.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from circuitkb.schema.errors import (
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreVersionError,
)
from circuitkb.stores.arrays.array_files import ARRAY_KINDS, ArrayKind
from circuitkb.stores.disk.files import bring_to_disk, disk_errors, megabytes
from circuitkb.stores.disk.own_files import (
    is_folder,
    raise_unless_damage,
    read_text,
    refuse_unlike,
    replace_text,
)
from circuitkb.stores.disk.workspaces import UNFINISHED, checked_name, workspace
from circuitkb.stores.embedded.cleaning import is_unfinished_note, remove_notes, remove_unneeded
from circuitkb.stores.embedded.copies import Staged
from circuitkb.stores.embedded.generations import (
    Generation,
    Lease,
    damaged,
    generations_in,
    is_generation_name,
    leased,
    locked_alone,
)
from circuitkb.stores.embedded.settling import settle, unfinished

FORMAT_NAME = "circuitkb"
VERSION = 3
"""Version of what lies in the directory. Before 3, every weight had all of its properties."""

WAIT_FOR_WRITER = 30.0
"""Seconds that a writer waits for another one."""

CARD, CURRENT, LOCK = "store.json", "CURRENT", "write.lock"
_OF_NO_STATE = {LOCK, UNFINISHED, f"{CARD}.new", f"{CURRENT}.new"}
_READ = (2, VERSION)
_UNWRITTEN = {"written": False}
_TRIES = 100


class StoreDirectory:
    """Where the generations of one knowledge base lie; see the module for the layout."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def arrays(self, kind: ArrayKind) -> Path:
        """Return the directory of the files of a kind."""
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
        StoreDamagedError
            States of one are here, and nothing that says what they are.
        StoreError
            Something else is here, or a link where the store has files of its own.
        """
        if not self.path.exists():
            return False
        if not self.path.is_dir():
            raise StoreError(
                f"{self.path} is a file, and a knowledge base is a directory: "
                f"choose another path, as in zoo.ckb."
            )
        names = self._plain_names()
        if CARD not in names:
            if any(is_folder(found.graph) for found in generations_in(self.path)):
                raise damaged(self.path, f"{CARD} is missing")
            if all(name in _OF_NO_STATE or is_unfinished_note(name) for name in names):
                return False
            raise StoreError(
                f"{self.path} holds other files and is no knowledge base: choose another path."
            )
        about = self._card()
        if about is None:
            raise damaged(self.path, f"{CARD} is not what was written")
        if about["format"] != FORMAT_NAME or about["version"] not in _READ:
            raise StoreVersionError(
                f"{self.path} has format version {about['version']} (written by circuitkb "
                f"{about['circuitkb']}); circuitkb {_own_version()} reads versions "
                f"{' and '.join(map(str, _READ))}.\n"
                f"Use the circuitkb that wrote it, or load its sources again into a new path."
            )
        return True

    def _plain_names(self) -> list[str]:
        """Return what is in the directory, after refusing links in the place of own files."""
        with disk_errors(self.path):
            names = [item.name for item in self.path.iterdir()]
        for name in names:
            if name in (CARD, CURRENT, LOCK):
                refuse_unlike(self.path / name, folder=False)
            elif name in (*ARRAY_KINDS, UNFINISHED) or is_generation_name(name):
                refuse_unlike(self.path / name, folder=True)
        return names

    def _card(self) -> dict[str, Any] | None:
        """Return what the store says of itself; None where it is missing or damaged."""
        try:
            about = json.loads(read_text(self.path / CARD))
        except (OSError, ValueError, RecursionError) as error:
            raise_unless_damage(error, self.path / CARD)
            return None
        if not isinstance(about, dict) or not {"format", "version", "circuitkb"} <= set(about):
            return None
        return about

    def current(self) -> Generation | None:
        """Return the generation that counts, or None in a knowledge base that was never written.

        Raises
        ------
        StoreDamagedError
            There are generations, and no pointer to one of them.
        """
        before: object = self
        for _ in range(_TRIES):  # a writer may move on between two looks
            try:
                name = read_text(self.path / CURRENT).strip()
            except FileNotFoundError:
                name = ""
                if not generations_in(self.path) or (self._card() or {}).get("written") is False:
                    return None
            except (OSError, ValueError) as error:
                raise_unless_damage(error, self.path / CURRENT)
                name = "?"
            generation = Generation(self.path / name)
            if is_generation_name(name) and generation.is_there:
                return generation
            if name == before:
                break
            before = name
        if not name:
            raise damaged(self.path, f"{CURRENT}, which names the state that counts, is missing")
        if is_generation_name(name) and is_folder(generation.path):
            raise generation.damaged("lease is missing")
        raise damaged(self.path, f"{CURRENT} names no state that is there")

    def lease(self) -> Lease | None:
        """Lease the generation that counts; None where there is none."""
        for _ in range(_TRIES):  # a writer may move on between the pointer and the lock
            generation = self.current()
            if generation is None:
                return None
            lease = leased(generation)
            if lease is None:
                continue
            if not generation.is_interrupted:
                return lease
            lease.close()
            self._settle(generation)
        raise damaged(self.path, "the lease of its state cannot be locked")

    def settle(self) -> None:
        """Finish or take back what a killed writer left; the caller has the right to write.

        Whoever does it already has ended by then.

        Raises
        ------
        StoreDamagedError
            It cannot be told which generation counts.
        StoreError
            The disk is full, or cannot be written.
        """
        lease = self.lease()
        if lease:
            lease.close()

    def _settle(self, generation: Generation) -> None:
        """Finish or take back a write in place whose writer was killed."""
        try:
            with locked_alone(generation, wait=WAIT_FOR_WRITER) as alone:
                if not alone:
                    raise busy(self.path)
                if generation.is_interrupted:
                    settle(generation)
        except OSError as error:
            raise unfinished(self.path, error) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the right to write, making the directory where there is none.

        Raises
        ------
        StoreBusyError
            Another process keeps it.
        StoreDamagedError, StoreError
            As :meth:`check`.
        """
        self.check()
        with disk_errors(self.path):
            there = self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            with self.locked():
                first = False
                try:
                    first = not self.check()
                    if first:
                        self.write_card(_UNWRITTEN)
                    self.settle()
                    yield
                except BaseException:
                    if first and not os.path.lexists(self.path / CURRENT):
                        self._forget(with_directory=not there)
                    raise

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other writers away, whatever the state of the store.

        Raises
        ------
        StoreBusyError
            Another process keeps it.
        """
        from filelock import FileLock, Timeout

        refuse_unlike(self.path / LOCK, folder=False)
        lock = FileLock(self.path / LOCK, timeout=WAIT_FOR_WRITER)
        try:
            lock.acquire()
        except Timeout:
            raise busy(self.path) from None
        try:
            yield
        finally:
            lock.release()

    def write_card(self, more: dict[str, Any]) -> None:
        """Write ``store.json``."""
        card = {"format": FORMAT_NAME, "version": VERSION, "circuitkb": _own_version()}
        replace_text(self.path / CARD, json.dumps(card | more) + "\n")

    def takes_short_weights(self) -> None:
        """Say in ``store.json`` that weights may be one number, before there is such a one.

        A circuitkb that does not know them must not read the store any more.
        """
        about = self._card()
        if about is not None and about["version"] != VERSION:
            self.write_card({"written": False} if about.get("written") is False else {})

    def _forget(self, *, with_directory: bool) -> None:
        """Leave nothing of a first write that failed, whose generation is gone by now."""
        for name in (CARD, LOCK):
            (self.path / name).unlink(missing_ok=True)
        for kind in ARRAY_KINDS:
            with suppress(OSError):
                self.arrays(kind).rmdir()
        if with_directory:
            with suppress(OSError):
                self.path.rmdir()

    @contextmanager
    def next_generation(self, empty: Path, room: int) -> Iterator[Staged]:
        """Give a copy of the current generation; it counts when the block ends without an error.

        The block seals it when all changes are in.

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
        place = self._free_place(current.number + 1 if current else 1)
        staged = Staged(place, current, empty)
        try:
            staged.copy()
            yield staged
            bring_to_disk(place.path)
            self.publish(place)
        finally:  # removes the staged one too, unless it counts by now
            self.clean()

    def _free_place(self, number: int) -> Generation:
        while os.path.lexists(self.path / f"generation-{number}"):
            number += 1
        return Generation(self.path / f"generation-{number}")

    def publish(self, generation: Generation) -> None:
        """Make ``generation`` the one that counts."""
        replace_text(self.path / CURRENT, generation.path.name + "\n")
        if (self._card() or _UNWRITTEN).get("written") is False:
            self.write_card({})

    def clean(self) -> None:
        """Remove generations that neither count nor are read, and arrays that only they named.

        Raises
        ------
        StoreDamagedError
            Nobody can tell which generation counts; nothing was removed.
        """
        current = self.current()
        remove_unneeded(self.path, generations_in(self.path), current)
        remove_notes(self.path)


def busy(path: Path) -> StoreBusyError:
    """Return the error of a store that somebody else writes to."""
    return StoreBusyError(f"Another process is writing to {path}: try again when it is done.")


def _own_version() -> str:
    try:
        return version("circuitkb")
    except PackageNotFoundError:
        return "unknown"

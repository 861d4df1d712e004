"""One state of an embedded knowledge base, in a directory that changes only while nobody reads it.

::

    generation-7/
    ├── graph/          an ArcadeDB database, closed
    ├── kernels.json    model -> file in kernels/
    ├── responses.json  model -> file in responses/
    ├── pictures.json   key of a batch -> file in pictures/
    ├── checksums.json  what was written: sizes, sums, counts; older versions wrote none
    ├── lease           readers hold a shared lock on it, who changes it one of his own
    └── writing/        only while it is changed in place; see :mod:`.settling`
"""

from __future__ import annotations

import json
import os
import re
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from circuitkb.schema.errors import StoreDamagedError
from circuitkb.stores.arrays.array_files import ArrayKind, is_array_name
from circuitkb.stores.disk.own_files import (
    is_file,
    is_folder,
    raise_unless_damage,
    read_text,
    write_new,
)
from circuitkb.stores.embedded.checksums import CHECKSUMS, Checksums, read_checksums

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

_SEALED = f"{CHECKSUMS}\n"
"""What the lease says of a generation that gets checksums before it counts."""

WRITING = "writing"
BEFORE = "before.json"
"""Where the checksums lie in :data:`WRITING` while the state is changed."""

_LOOK = 0.003
_OWN_READERS = 0.25
_NAME = re.compile(r"generation-[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class Generation:
    """One state of a knowledge base, in a directory of its own."""

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

    @property
    def is_there(self) -> bool:
        """Whether it is whole, as far as names tell; the lease is the first that goes."""
        return is_folder(self.path) and is_file(self.lease_file)

    @property
    def is_interrupted(self) -> bool:
        """Whether a write in place began and is not settled; tells only whoever holds the lease."""
        if os.path.lexists(self.path / CHECKSUMS):
            return False
        return is_folder(self.path / WRITING) and is_file(self.path / WRITING / BEFORE)

    def edition(self) -> tuple[int, ...]:
        """Return what is another one after each write in place; empty for an older version's."""
        try:
            about = (self.path / CHECKSUMS).stat()
        except FileNotFoundError:
            return ()
        return about.st_ino, about.st_mtime_ns, about.st_size

    def make(self) -> None:
        """Make its directory, with nothing in it but the lease."""
        self.path.mkdir()
        write_new(self.lease_file, _SEALED)

    def files(self, kind: ArrayKind) -> dict[str, str]:
        """Return the name of the file of each value of a kind, by its key: a model, or a batch.

        Raises
        ------
        StoreDamagedError
            It does not say so any more.
        """
        path = self.path / f"{kind}.json"
        if kind != "kernels" and not path.exists():  # from before there were any
            return {}
        try:
            named: dict[str, str] = json.loads(read_text(path))
            wrong = [name for name in named.values() if not is_array_name(name)]
        except FileNotFoundError:
            raise self.damaged(f"{path.name} is missing") from None
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise_unless_damage(error, path)
            raise self.damaged(f"{path.name} is not what was written") from error
        if wrong:
            raise self.damaged(f"{path.name} names {wrong[0]!r}, which no store wrote")
        return named

    def checksums(self) -> Checksums | None:
        """Return what this state was when it was made; None if an older version made it.

        Raises
        ------
        StoreDamagedError
            They are missing, or damaged themselves.
        """
        try:
            found = read_checksums(self.path)
            sealed = found is None and read_text(self.lease_file) == _SEALED
        except (OSError, ValueError) as error:
            raise_unless_damage(error, self.path / CHECKSUMS)
            raise self.damaged(f"{CHECKSUMS} is not what was written") from error
        if sealed:
            raise self.damaged(f"{CHECKSUMS} is missing")
        return found

    def name_files(self, kind: ArrayKind, files: dict[str, str]) -> None:
        """Say where the arrays of each model are, in a generation that does not count yet."""
        text = json.dumps(files, indent=1, sort_keys=True)
        (self.path / f"{kind}.json").write_text(text)

    def size(self) -> int:
        """Return the bytes of the graph."""
        return sum(item.stat().st_size for item in self.graph.iterdir())

    def damaged(self, what: str) -> StoreDamagedError:
        """Return the error that says what of this state is not as it was written."""
        return damaged(self.path.parent, f"{self.path.name}/{what}")

    def damaged_beside(self, what: str) -> StoreDamagedError:
        """Return the error that says what of its arrays is not as it was written."""
        return damaged(self.path.parent, what)


class Lease:
    """Keeps a generation from being removed until it is let go."""

    def __init__(self, generation: Generation, file: IO[bytes]) -> None:
        self.generation = generation
        self._file = file
        with _guard:
            _held[generation.path] += 1

    def close(self) -> None:
        """Let go; safe to repeat."""
        with _guard:
            if not self._file.closed:
                _held[self.generation.path] -= 1
                self._file.close()


_held: Counter[Path] = Counter()
_guard = threading.Lock()


def is_generation_name(name: str) -> bool:
    """Return whether a directory of that name may be a generation.

    Examples
    --------
    >>> is_generation_name("generation-7"), is_generation_name("generation-07")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


def generations_in(store: Path) -> list[Generation]:
    """Return what has the name of a generation and is a directory, oldest first."""
    try:
        paths = [path for path in store.iterdir() if is_generation_name(path.name)]
    except FileNotFoundError:
        return []
    found = [Generation(path) for path in paths if is_folder(path)]
    return sorted(found, key=lambda generation: generation.number)


def leased(generation: Generation) -> Lease | None:
    """Lease a generation; None where it is not there, or is being removed."""
    try:
        file = _opened(generation.lease_file)
    except OSError as error:
        raise_unless_damage(error, generation.lease_file)
        return None
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_SH)
    if is_file(generation.lease_file):
        return Lease(generation, file)
    file.close()
    return None


@contextmanager
def locked_alone(generation: Generation, *, wait: float = 0.0) -> Iterator[bool]:
    """Give whether nobody reads a generation, and keep it so until the block ends.

    Parameters
    ----------
    wait
        Seconds to wait for readers to end; less where they are in this process, which may be the
        one that waits.
    """
    try:
        file = _opened(generation.lease_file)
    except FileNotFoundError:  # the rest of one that is being removed
        yield True
        return
    except OSError:
        yield False
        return
    with file:
        if wait and _held[generation.path]:
            wait = min(wait, _OWN_READERS)
        end = time.monotonic() + wait
        while not (alone := _lock(file)) and time.monotonic() < end:
            time.sleep(_LOOK)
        yield alone


def _lock(file: IO[bytes]) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def locks_are_kept() -> bool:
    """Return whether this system lets a writer wait for the readers of a state."""
    return fcntl is not None


def damaged(store: Path, what: str) -> StoreDamagedError:
    """Return the error of a store that is not as it was written."""
    return StoreDamagedError(
        f"{store} is damaged: {what}. Nothing was changed; see what can be done with: "
        f"circuitkb check --repair --kb {store}"
    )


def _opened(path: Path) -> IO[bytes]:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path} is no file.")
    return file

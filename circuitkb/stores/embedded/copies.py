"""The next state of a store while it is made: a checked copy of the last one, changed, sealed.

Damage must not be copied on and then pass for what was written. So each file is read once more
after it was copied, and compared with the checksums of the state that it comes from. When all
changes are in, only the files that the engine wrote since are read for their new checksums.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from circuitkb.stores.arrays.array_files import ARRAY_KINDS
from circuitkb.stores.disk.files import copy_file
from circuitkb.stores.disk.own_files import write_new
from circuitkb.stores.embedded.checksums import CHECKSUMS, Checksums, FileSums, difference, sums_of
from circuitkb.stores.embedded.generations import Generation

_EARLIER = 10_000_000_000
"""Nanoseconds: more than the clock of any file system leaves out."""


@dataclass(frozen=True)
class _Copied:
    """A copied file, before anything changed it."""

    sums: FileSums
    changed: int


class Staged:
    """A generation that does not count yet.

    Parameters
    ----------
    generation
        Its place, where nothing is.
    source
        The generation to copy; None to start from ``empty``, a closed database.
    """

    def __init__(self, generation: Generation, source: Generation | None, empty: Path) -> None:
        self.generation = generation
        self._source = source
        self._empty = empty
        self._before = source.checksums() if source else Checksums({}, {}, {})
        self._copied: dict[str, _Copied] = {}

    def copy(self) -> None:
        """Make the generation, with all that the last one held.

        Raises
        ------
        StoreDamagedError
            A file of the last one is not what was written.
        """
        source = self._source
        self.generation.make()
        for kind in ARRAY_KINDS:
            self.generation.name_files(kind, source.files(kind) if source else {})
        self.generation.graph.mkdir()
        folder = source.graph if source else self._empty
        if source and self._before:
            names = [name.partition("/")[2] for name in self._before.files if "/" in name]
        else:
            names = [item.name for item in folder.iterdir()]
        for name in sorted(names):
            try:
                self._copy_file(folder / name)
            except FileNotFoundError:
                if source is None:
                    raise
                raise source.damaged(f"graph/{name} is missing") from None

    def _copy_file(self, origin: Path) -> None:
        target = self.generation.graph / origin.name
        copy_file(origin, target)
        sums = sums_of(target)
        name = f"graph/{origin.name}"
        if self._source and self._before:
            wrong = difference(sums, self._before.files[name])
            if wrong:
                raise self._source.damaged(f"{name} {wrong}")
        # In the past, so that whatever the engine writes from now on changes it.
        about = target.stat()
        changed = min(origin.stat().st_mtime_ns, about.st_mtime_ns - _EARLIER)
        os.utime(target, ns=(about.st_atime_ns, changed))
        self._copied[name] = _Copied(sums, target.stat().st_mtime_ns)

    def seal(self, counts: Mapping[str, int], written: Collection[str] = ()) -> None:
        """Write down the checksums of all that is in it now, and how much there is of each kind.

        Parameters
        ----------
        counts
            Nodes of each label, relations of each name.
        written
            Files of arrays that were written for it, as ``kernels/NAME``.
        """
        place = self.generation.path
        paths = [*self.generation.graph.iterdir(), *place.glob("*.json")]
        files = {path.relative_to(place).as_posix(): path for path in sorted(paths)}
        known = self._before.arrays if self._before else {}
        arrays: dict[str, FileSums] = {}
        for kind in ARRAY_KINDS:
            for name in {f"{kind}/{file}" for file in self.generation.files(kind).values()}:
                if name in known and name not in written:
                    arrays[name] = known[name]
                elif (place.parent / name).exists():
                    arrays[name] = sums_of(place.parent / name)
        sums = {name: self._sums_now(name, path) for name, path in files.items()}
        write_new(place / CHECKSUMS, Checksums(sums, arrays, counts).to_text())

    def _sums_now(self, name: str, path: Path) -> FileSums:
        copied = self._copied.get(name)
        about = path.stat()
        if copied and (about.st_size, about.st_mtime_ns) == (copied.sums.size, copied.changed):
            return copied.sums
        return sums_of(path)

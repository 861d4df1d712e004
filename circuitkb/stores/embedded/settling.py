"""What a write in place leaves when it ends, however it ends: finished, or as if it never began.

While a state is changed in place, its checksums lie in ``writing/before.json`` and not where they
count, so no version of circuitkb takes the half of a write for a state. The engine's log in the
same folder says how far it came: with the transaction in it, all pages are brought to what the log
says, the blocks that it names get new sums, and the checksums come back with them in one step;
without, they come back as they were. Both may be repeated, at any moment and by anybody who has
the state for himself.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from circuitkb.schema.errors import StoreError, StoreFullError
from circuitkb.stores.disk.files import says_full, sync
from circuitkb.stores.disk.own_files import is_file, read_text, remove_own, write_new
from circuitkb.stores.embedded.checksums import (
    BLOCK,
    CHECKSUMS,
    Checksums,
    FileSums,
    block_sum,
    sums_of,
)
from circuitkb.stores.embedded.cleaning import is_own
from circuitkb.stores.embedded.generations import BEFORE, WRITING, Generation
from circuitkb.stores.embedded.redo_log import PageChange, PageFile, changes_in, page_files

NOTE = "note.json"
"""What a write brings, beside what the log says: how much of each kind there is with it."""

LOG = "log-"
"""What the names of the engine's logs begin with, under which they stay until all is done."""

BESIDE = ("statistics.json", "last-tx-id.bin")
"""What the engine writes anew when it closes a database, beside its pages."""

_AFTER = "after.json"


def settle(generation: Generation, *, closed: bool = False) -> None:
    """Finish or take back a write that began; the caller has the state for himself.

    Parameters
    ----------
    closed
        Whether the engine closed the database, so that what it wrote beside the pages is whole.

    Raises
    ------
    StoreDamagedError
        What is on the disk is neither the state before the write nor on its way from there.
    OSError
        The disk is full, or cannot be written.
    """
    folder = generation.path / WRITING
    if generation.is_interrupted:
        logs = sorted(path for path in folder.glob(f"{LOG}*") if is_file(path))
        changes = changes_in(path.read_bytes() for path in logs)
        if changes:
            try:
                after = _finished(generation, changes, closed=closed)
            except (OSError, ValueError, KeyError) as error:
                if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                    raise
                what = f"{WRITING} does not fit the rest of it ({error})"
                raise generation.damaged(what) from error
            after.replace(generation.path / CHECKSUMS)
        else:
            (folder / BEFORE).replace(generation.path / CHECKSUMS)
        sync(generation.path)
    clear(generation)


def unfinished(store: Path, error: OSError) -> StoreError:
    """Return the error of a write in place that is whole in its log and not on the disk."""
    if says_full(error):
        return StoreFullError(
            f"The disk of {store} is full, and a write that began there is not finished: make room "
            f"and open the store. Nothing is lost."
        )
    return StoreError(
        f"A write to {store} was interrupted, and it cannot be finished "
        f"({error.strerror or error}): open the store once where it can be written."
    )


def clear(generation: Generation) -> None:
    """Remove what a write in place no longer needs."""
    remove_own(generation.path / WRITING, lambda name: is_own(f"{WRITING}/{name}"))


def _finished(generation: Generation, changes: list[PageChange], *, closed: bool) -> Path:
    """Bring everything to the disk; return the file of the new checksums."""
    folder = generation.path / WRITING
    before = Checksums.from_text(read_text(folder / BEFORE))
    files = page_files(generation.graph)
    by_file: defaultdict[int, list[PageChange]] = defaultdict(list)
    for change in changes:
        by_file[change.file].append(change)
    sums = dict(before.files)
    for number, in_file in by_file.items():
        file = files[number]
        name = f"graph/{file.path.name}"
        sums[name] = _brought(file, in_file, sums[name])
    names = [files[number].path.name for number in by_file]
    _beside(generation, names, closed=closed)
    for name in BESIDE:
        if is_file(generation.graph / name):
            sums[f"graph/{name}"] = sums_of(generation.graph / name)
    # The engine learns new names of properties in transactions of its own, before the one that
    # counts; such a name alone is no write.
    counts = before.counts
    if any(not name.endswith(".dict") for name in names):
        counts = json.loads(read_text(folder / NOTE))["counts"]
    after = folder / _AFTER
    after.unlink(missing_ok=True)
    write_new(after, Checksums(sums, before.arrays, counts).to_text())
    # Readers tell states by this time.
    about, earlier = after.stat(), (folder / BEFORE).stat().st_mtime_ns
    os.utime(after, ns=(about.st_atime_ns, max(about.st_mtime_ns, earlier + 1)))
    sync(after)
    return after


def _brought(file: PageFile, changes: Iterable[PageChange], before: FileSums) -> FileSums:
    """Bring the changes of a file to the disk, as far as they are not there; return its sums."""
    blocks: set[int] = set()
    with file.path.open("r+b", buffering=0) as stream:
        for change in changes:
            start = change.page * file.page
            content = os.pread(stream.fileno(), file.page, start)
            wanted = change.apply(content.ljust(file.page, b"\0"))
            if wanted != content:
                _write_all(stream.fileno(), wanted, start)
            blocks.update(range(start // BLOCK, -(-(start + file.page) // BLOCK)))
        os.fsync(stream.fileno())
        size = os.fstat(stream.fileno()).st_size
        blocks.update(range(before.size // BLOCK, -(-size // BLOCK)))
        found = {
            number: block_sum(os.pread(stream.fileno(), BLOCK, number * BLOCK))
            for number in blocks
            if number * BLOCK < size
        }
    return before.changed(size, found)


def _write_all(descriptor: int, content: bytes, place: int) -> None:
    done = 0
    while done < len(content):
        done += os.pwrite(descriptor, memoryview(content)[done:], place + done)


def _beside(generation: Generation, changed: Iterable[str], *, closed: bool) -> None:
    """Take over what the engine says of the changed files, or forget what it said of them."""
    folder = generation.path / WRITING
    if closed:
        for name in BESIDE:
            if is_file(folder / name):
                sync(folder / name)
                (folder / name).replace(generation.graph / name)
        return
    place = generation.graph / BESIDE[0]
    if is_file(place):
        try:
            said: dict[str, Any] = json.loads(read_text(place))
        except ValueError:
            said = {}
        forgotten = {name.partition(".")[0] for name in changed}
        known = {name: about for name, about in said.items() if name not in forgotten}
        new = folder / BESIDE[0]
        new.unlink(missing_ok=True)
        write_new(new, json.dumps(known))
        sync(new)
        new.replace(place)

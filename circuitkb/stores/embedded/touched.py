"""What a small write would write anew, looked at before: damage must not get a new checksum.

The engine reads a page, changes some bytes and writes the page. Which pages of old rows it takes
can be told beforehand: those of the records that are changed or joined, and the first and the last
of every file of the kinds that are written. Other pages it may take are those in which the many
relations of one node go on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pyarrow.compute as pc

from circuitkb.stores.changes import Changes
from circuitkb.stores.disk.own_files import raise_unless_damage
from circuitkb.stores.embedded.checksums import BLOCK, Checksums, wrong_block
from circuitkb.stores.embedded.generations import Generation
from circuitkb.stores.embedded.redo_log import PageFile, page_files

_RECORDS_IN_A_PAGE = 2_048


def check_touched(generation: Generation, checksums: Checksums, changes: Changes) -> None:
    """Hold what changes would write anew against the checksums.

    Raises
    ------
    StoreDamagedError
        Some of it is not what was written.
    """
    files = page_files(generation.graph)
    kinds = {*changes.nodes, *(one.type for one in changes.updates)}
    for item in changes.relations:
        kinds |= {item.name, item.source_label, item.target_label}
    pages: defaultdict[int, set[int]] = defaultdict(set)
    for number, file in files.items():
        if file.path.name.partition("_0")[0] in kinds or file.path.suffix == ".dict":
            size = file.path.stat().st_size
            pages[number] |= {0, max(0, size - 1) // file.page}
    for record in _records(changes):
        bucket, _, position = record.removeprefix("#").partition(":")
        pages[int(bucket)].add(int(position) // _RECORDS_IN_A_PAGE)
    for number, own in pages.items():
        if number in files:
            _check(generation, checksums, files[number], own)


def _records(changes: Changes) -> Iterator[str]:
    """Give the engine's numbers of the old records that are changed or joined."""
    for one in changes.updates:
        yield one.record
    for item in changes.relations:
        for end, label in (("source", item.source_label), ("target", item.target_label)):
            known = changes.records[label]
            for name in pc.unique(item.table[end]).to_pylist():
                if name in known:
                    yield known[name]


def _check(generation: Generation, checksums: Checksums, file: PageFile, pages: set[int]) -> None:
    name = f"graph/{file.path.name}"
    expected = checksums.files[name]
    blocks = {
        block
        for page in pages
        for block in range(page * file.page // BLOCK, -(-(page + 1) * file.page // BLOCK))
        if block * BLOCK < expected.size
    }
    try:
        wrong = wrong_block(file.path, expected, sorted(blocks))
    except OSError as error:
        raise_unless_damage(error, file.path)
        raise generation.damaged(f"{name} cannot be read ({error.strerror or error})") from error
    if wrong is not None:
        raise generation.damaged(f"{name} {wrong}")

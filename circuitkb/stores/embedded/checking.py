"""The files of an embedded store, all of them compared with what was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from circuitkb.schema.errors import StoreDamagedError
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.arrays.array_files import AGAIN, ARRAY_KINDS
from circuitkb.stores.disk.files import megabytes
from circuitkb.stores.disk.workspaces import UNFINISHED
from circuitkb.stores.embedded.checksums import damage
from circuitkb.stores.embedded.cleaning import is_own, is_unfinished_note
from circuitkb.stores.embedded.directory import CARD, CURRENT, LOCK, StoreDirectory
from circuitkb.stores.embedded.generations import Generation, generations_in
from circuitkb.stores.embedded.verifying import array_damage, loose_relations
from circuitkb.stores.findings import Finding

REPAIR = "circuitkb check --repair"
_AGAIN = {kind: f"circuitkb {again}, again" for kind, again in AGAIN.items()} | {
    "kernels": "circuitkb load SOURCE, again"
}
_MOST_NAMED = 20
_OLD = "no checksums: made by an older version; they are taken at the next write"


def check_files(path: Path, progress: Progress = silent) -> Iterator[Finding]:
    """Look at every file of a store.

    Raises
    ------
    StoreVersionError, StoreError
        It is none that this version reads.
    """
    directory = StoreDirectory(path)
    try:
        if not directory.check():
            yield Finding("directory", "", "nothing was written yet")
            return
    except StoreDamagedError as error:
        yield _refused(CARD, error)
    try:
        lease = directory.lease()
    except StoreDamagedError as error:
        yield _refused(CURRENT, error)
        yield from others(path, None)
        return
    if lease is None:
        yield Finding(CURRENT, "", "nothing was written yet")
        return
    with closing(lease):
        yield Finding(CURRENT, lease.generation.path.name, "whole")
        yield from check_state(lease.generation, progress)
        yield from others(path, lease.generation)


def _refused(part: str, error: StoreDamagedError) -> Finding:
    found = str(error).partition(" is damaged: ")[2].partition(". Nothing was changed")[0]
    return Finding(part, "", found, REPAIR, damage=True)


def check_state(generation: Generation, progress: Progress = silent) -> Iterator[Finding]:
    """Look at every file of one state, and at the arrays that it names."""
    name = generation.path.name
    try:
        checksums = generation.checksums()
        named = {kind: generation.files(kind) for kind in ARRAY_KINDS}
    except StoreDamagedError as error:
        yield _refused(name, error)
        return
    if checksums is None:
        files = f"{len(list(generation.graph.glob('*'))):,} files"
        loose = list(loose_relations(generation))
        for said in loose:
            yield Finding(f"{name}/graph", "", said, REPAIR, damage=True)
        if not loose:
            yield Finding(name, files, _OLD)
    else:
        total = sum(item.size for item in checksums.files.values()) or 1
        done, wrong = 0, []
        for place, expected in sorted(checksums.files.items()):
            progress(f"{name}/{place}", 0.9 * done / total)
            found = damage(generation.path / place, expected)
            done += expected.size
            if found:
                wrong.append(Finding(f"{name}/{place}", "", found, REPAIR, damage=True))
        looked_at = f"{len(checksums.files):,} files, {megabytes(total)}"
        if not wrong:
            yield Finding(name, looked_at)
        yield from wrong[:_MOST_NAMED]
        if len(wrong) > _MOST_NAMED:
            more = f"{len(wrong) - _MOST_NAMED:,} more files are not what was written"
            yield Finding(name, looked_at, more, REPAIR, damage=True)
    for kind in ARRAY_KINDS:
        models: dict[str, list[str]] = {}
        for model, file in named[kind].items():
            models.setdefault(file, []).append(model)
        wrong = []
        for number, (file, owners) in enumerate(sorted(models.items())):
            progress(f"{kind} of {', '.join(owners)}", 0.9 + 0.1 * number / len(models))
            sums = checksums.arrays.get(f"{kind}/{file}") if checksums else None
            found = array_damage(generation, kind, file, sums) or (
                array_damage(generation, kind, file, None)
            )
            if found:
                owned = f"{found}; {kind} of {', '.join(owners)}"
                wrong.append(Finding(f"{kind}/{file}", "", owned, _AGAIN[kind], damage=True))
        yield from wrong
        if not wrong:
            yield Finding(kind, f"{len(models):,} files")


def others(path: Path, current: Generation | None) -> Iterator[Finding]:
    """Name what is in the directory and is no part of the state that counts."""
    states = generations_in(path)
    named: set[str] = set()
    for state in states:
        for kind in ARRAY_KINDS:
            try:
                named |= {f"{kind}/{name}" for name in state.files(kind).values()}
            except StoreDamagedError:
                continue
    left = [f"{s.path.name}" for s in states if s != current and s.graph.exists()]
    if current is not None and left:
        remedy = "nothing: the next write removes what nobody reads"
        yield Finding(
            "earlier states", ", ".join(left), "not part of the state that counts", remedy
        )
    known = {CARD, CURRENT, LOCK, UNFINISHED, *ARRAY_KINDS, *(state.path.name for state in states)}
    strange = sorted(i.name for i in path.iterdir() if i.name not in known)
    strange = [name for name in strange if not is_unfinished_note(name)]
    for kind in ARRAY_KINDS:
        there = sorted((path / kind).glob("*"))
        strange += [f"{kind}/{item.name}" for item in there if f"{kind}/{item.name}" not in named]
    for state in states:
        inside = [*state.path.glob("*"), *state.graph.glob("*")]
        paths = (item.relative_to(state.path).as_posix() for item in inside if item.is_file())
        strange += [f"{state.path.name}/{name}" for name in sorted(paths) if not is_own(name)]
    if strange:
        more = f" and {len(strange) - 5:,} more" if len(strange) > 5 else ""
        found = ", ".join(strange[:5]) + more
        yield Finding(
            "other files",
            f"{len(strange):,} files",
            f"not the store's: {found}",
            "nothing: they stay",
        )

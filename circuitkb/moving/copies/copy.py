"""A copy of a knowledge base, or of some models of it, from one store into another.

The source is read once into a :class:`~circuitkb.moving.copies.snapshot.Snapshot`; the target is
compared with its hashes; each model that is not there whole goes over in one write, so that it is
there whole or not at all; what belongs to no model or joins several follows in a last one; and the
target is read back and compared with the hashes again. So a copy that was interrupted goes on where
it stopped when it is made again, and a finished one writes nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import numpy as np

from circuitkb.annotations.resolving import resolve
from circuitkb.moving.copies.annotations import accept_records
from circuitkb.moving.copies.digests import Digest, Found, Kind, Marks, compared, tables_of
from circuitkb.moving.copies.report import CopiedKind, CopyReport
from circuitkb.moving.copies.snapshot import Snapshot
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import (
    ModelConflictError,
    NotFoundError,
    StoreBusyError,
    StoreError,
)
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.base import Store
from circuitkb.stores.disk.files import disk_errors
from circuitkb.stores.model_identity import Identity

READING, LOOKING, WRITING = 0.35, 0.45, 0.8
"""Shares of a copy that are done when each of its steps is."""

ATTEMPTS = 3
"""Times that a target is read back while others write to it."""


def copy(
    source: Store,
    target: Store,
    models: Sequence[str] | None = None,
    *,
    dry_run: bool = False,
    progress: Progress = silent,
) -> CopyReport:
    """Copy everything, or some models with all that is said of them, into another store.

    What the target holds besides stays, and is no difference: other models, what others said,
    properties that the source lacks. A property that both have takes the source's value.

    In memory are at most one model's rows, the ids of all nodes, and 20 bytes for each row; a
    snapshot of the rows lies in the directory for temporary files meanwhile.

    Parameters
    ----------
    source, target
        Two different stores.
    models
        Names of models; all models and everything else if not given.
    dry_run
        Whether to look only, and write nothing.
    progress
        Called with what is being done and how far it is.

    Returns
    -------
    CopyReport
        Counts and hashes of every kind, as the target was read back.

    Raises
    ------
    NotFoundError
        The source has no such model.
    ModelConflictError
        The target holds other weights under the name of a model; nothing was written.
    StoreBusyError
        A store was changed while it was read.
    StoreError
        Source and target are the same, or what was read back differs.
    """
    start = perf_counter()
    _check_places(source, target)
    _check_models(source, target, models)
    with tempfile.TemporaryDirectory(prefix="circuitkb-copy-") as folder:
        snapshot = _taken(source, models, Path(folder), progress)
        digests = snapshot.digests
        before = _held(target, models, snapshot, within(progress, READING, LOOKING))
        after, written = before, []
        if not dry_run and any(not found.same.all() for found in before.values()):
            written = _write(snapshot, before, target, within(progress, LOOKING, WRITING))
            resolve(target)
            after = _held(target, models, snapshot, within(progress, WRITING, 1.0))
            _check_arrived(snapshot, after, source, target)
    progress(f"{target.address}: verified", 1.0)
    return CopyReport(
        source.address,
        target.address,
        tuple(snapshot.models),
        tuple(written),
        dry_run,
        tuple(
            CopiedKind(
                *kind,
                rows=len(digest),
                copied=int((~before[kind].same).sum()),
                there=int(after[kind].same.sum()),
                hash=digest.hash,
                there_hash=after[kind].hash,
            )
            for kind, digest in digests.items()
            if len(digest)
        ),
        perf_counter() - start,
    )


def _check_places(source: Store, target: Store) -> None:
    places = [store.address for store in (source, target)]
    if any("://" in place for place in places):
        same = places[0].rstrip("/") == places[1].rstrip("/")
    else:
        real = [Path(place).expanduser().resolve() for place in places]
        same = real[0] == real[1]
    if same:
        raise StoreError(f"{places[0]} cannot be copied onto itself: name another knowledge base.")


def _check_models(source: Store, target: Store, models: Sequence[str] | None) -> None:
    here, there = _identities(source), _identities(target)
    for name in models or ():
        if name not in here:
            near = did_you_mean(name, here) if here else " It is empty."
            raise NotFoundError(f"No model {name!r} in {source.address}.{near}")
    for name in here if models is None else models:
        one, other = here[name], there.get(name, here[name])
        if other.fingerprint != one.fingerprint:
            difference = (
                f"has other weights in {target.address} ({other.fingerprint[:12]}) than in "
                f"{source.address} ({one.fingerprint[:12]})"
            )
        elif one.computes_another(other):
            difference = (
                f"is another network with the same weights in {target.address} than in "
                f"{source.address}"
            )
        else:
            continue
        raise ModelConflictError(
            f"{name!r} {difference}: nothing was copied. Copy other models with --model, or load "
            "one of the two under another name."
        )


def _identities(store: Store) -> dict[str, Identity]:
    cypher = (
        "MATCH (m:Model) RETURN m.id AS id, m.fingerprint AS fingerprint, "
        "m.computation AS computation ORDER BY id"
    )
    return {row[0]: Identity(*row[1:]) for row in store.read(cypher, limit=None).rows}


def _taken(
    source: Store, models: Sequence[str] | None, folder: Path, progress: Progress
) -> Snapshot:
    doing, expected, rows = f"Reading {source.address}", _expected(source, models), 0
    snapshot = Snapshot(folder)
    progress(doing, 0.0)
    try:
        for piece in source.export(models):
            with disk_errors(folder):
                snapshot.add(piece)
            rows += sum(piece.counts().values())
            progress(doing, READING * min(rows / expected, 1.0))
    except StoreBusyError as error:
        raise StoreBusyError(
            f"{source.address} was changed while it was being copied: give the command again."
        ) from error
    return snapshot


def _expected(source: Store, models: Sequence[str] | None) -> int:
    """Return about how many rows will come: features with their layers, and edges."""
    cypher = (
        "MATCH (m:Model) WHERE $models IS NULL OR m.id IN $models "
        "RETURN coalesce(m.features, 0) AS features, coalesce(m.edges_kept, m.edges, 0) AS edges"
    )
    chosen = None if models is None else list(models)
    rows = source.read(cypher, {"models": chosen}, limit=None).rows
    # What a graph says of itself may be anything: progress must go forward all the same.
    counts = (2 * max(int(features), 0) + max(int(edges), 0) for features, edges in rows)
    return max(1, sum(counts))


def _held(
    target: Store,
    models: Sequence[str] | None,
    snapshot: Snapshot,
    progress: Progress,
) -> dict[Kind, Found]:
    """Return what the target holds of the rows that were read from the source."""
    found = _compared(target, models, snapshot.digests, progress)
    accept_records(snapshot, found, target)
    return found


def _compared(
    target: Store,
    models: Sequence[str] | None,
    digests: Mapping[Kind, Digest],
    progress: Progress,
) -> dict[Kind, Found]:
    expected = sum(map(len, digests.values())) or 1

    def reported() -> Iterator[GraphRows]:
        rows = 0
        for piece in target.export(models):
            yield piece
            rows += sum(piece.counts().values())
            progress(f"Comparing {target.address}", min(rows / expected, 1.0))

    for _ in range(ATTEMPTS - 1):
        with suppress(StoreBusyError):
            return compared(digests, reported())
    return compared(digests, reported())


def _write(
    snapshot: Snapshot, before: Mapping[Kind, Found], target: Store, progress: Progress
) -> list[str]:
    """Write every model that is not there whole, then the rest; return the models' names."""
    covered = {kind: np.zeros(len(found.same), bool) for kind, found in before.items()}
    written = []
    steps = len(snapshot.models) + 1
    for step, model in enumerate(snapshot.models):
        doing = f"Writing {model} ({step + 1} of {steps - 1})"
        progress(doing, step / steps)
        rows = snapshot.of_model(model)
        if not _is_there(rows, snapshot.digests, before, covered):
            share = within(progress, step / steps, (step + 1) / steps, doing)
            target.write(rows, progress=share)
            written.append(model)
        del rows
    rest = snapshot.rest(covered)
    if not _is_there(rest, snapshot.digests, before, covered):
        progress("Writing what joins models", (steps - 1) / steps)
        target.write(rest)
    return written


def _is_there(
    rows: GraphRows,
    digests: Mapping[Kind, Digest],
    before: Mapping[Kind, Found],
    covered: dict[Kind, Marks],
) -> bool:
    """Return whether the target holds all of the rows, and mark them as covered."""
    there = True
    for kind, table in tables_of(rows):
        places = digests[kind].find(table)
        covered[kind][places] = True
        there = there and bool(before[kind].same[places].all())
    return there


def _check_arrived(
    snapshot: Snapshot, after: Mapping[Kind, Found], source: Store, target: Store
) -> None:
    for kind, found in after.items():
        digest = snapshot.digests[kind]
        if found.same.all() and found.hash == digest.hash:
            continue
        wrong = ~found.same
        missing = wrong & ~found.present
        what = "lacks" if missing.any() else "holds otherwise"
        example = snapshot.example(kind, missing if missing.any() else wrong)
        raise StoreError(
            f"{target.address} {what} {int(wrong.sum()):,} of {len(digest):,} {kind} of "
            f"{source.address}, as {example!r}: give the command again."
        )

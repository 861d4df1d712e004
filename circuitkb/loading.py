"""A load: is the model there already, under this name, with these weights? If not, write it."""

from __future__ import annotations

from time import perf_counter

from circuitkb.reports import LoadReport
from circuitkb.schema.errors import SourceError
from circuitkb.schema.progress import Progress
from circuitkb.stores.base import Store, other_weights

READING = 0.6
"""Share of a load that reading and composing takes; writing takes the rest."""


def load(
    store: Store,
    source: str,
    *,
    name: str | None,
    keep: int,
    architecture: str | None,
    progress: Progress,
) -> LoadReport:
    """Load a source; see :meth:`circuitkb.knowledge_base.KnowledgeBase.load`."""
    from circuitkb.loaders import open_source

    if isinstance(keep, bool) or keep < 1:
        raise SourceError(f"keep is {keep!r}: it is a number of inputs from 1.")
    start = perf_counter()
    loadable = open_source(source, name=name, architecture=architecture)
    there = store.read(
        "MATCH (m:Model {id: $id}) RETURN m.fingerprint AS fingerprint, m.keep AS keep",
        {"id": loadable.name},
    ).rows
    if there:
        fingerprint, stored_keep = there[0]
        if fingerprint != loadable.fingerprint:
            raise other_weights(loadable.name, fingerprint, loadable.fingerprint)
        return LoadReport(loadable.name, False, stored_keep, keep, seconds=perf_counter() - start)

    def reading(doing: str, done: float) -> None:
        progress(doing, READING * done)

    rows = loadable.rows(keep=keep, progress=reading)
    progress(f"{loadable.name}: writing", READING)
    store.write(rows)
    progress(f"{loadable.name}: loaded", 1.0)
    kept = rows.nodes["Model"].column("keep").to_pylist()[0]
    seconds = perf_counter() - start
    return LoadReport(loadable.name, True, kept, keep, rows.counts(), seconds)

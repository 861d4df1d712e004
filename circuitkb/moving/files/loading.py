"""A folder of Parquet into a store: checked whole, then written in as few writes as memory allows.

A folder of up to :data:`ROWS_AT_ONCE` nodes and relations is one write. A larger one is a write for
each model, with all that speaks of it, and one for what joins models or belongs to none: a model is
there whole or not at all, and loading the folder again goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import pyarrow.compute as pc

from circuitkb.moving.files.about import About, check_files, checked_about
from circuitkb.moving.files.pieces import counts_in
from circuitkb.moving.files.tables import FolderTables, columns_of
from circuitkb.moving.releases.hashes import check_sums, is_release
from circuitkb.results.reports import LoadReport
from circuitkb.schema.definition import NODES
from circuitkb.schema.errors import ModelConflictError
from circuitkb.schema.progress import Progress, within
from circuitkb.schema.tables import GraphRows, Relations
from circuitkb.stores.arrays.formats import load_beside
from circuitkb.stores.base import Store
from circuitkb.stores.belonging import ALL_ENDS, OWNED, Ends, Part, belonging
from circuitkb.stores.model_identity import Identity

ROWS_AT_ONCE = 1_000_000
"""Nodes and relations that one write takes: 2.3 GB of memory with the embedded store."""

_CHECKING = 0.1


Write = Callable[[GraphRows, Progress], None]


def load_folder(store: Store, write: Write, folder: Path, progress: Progress) -> LoadReport:
    """Write all that ``circuitkb export parquet`` wrote.

    Parameters
    ----------
    store
        Where it goes.
    write
        Writes rows into it.
    folder
        Where it is.
    progress
        Called with what is being done and how far it is.

    Raises
    ------
    SourceError
        The folder is not what was exported; nothing was written.
    StoreVersionError
        Another version wrote it.
    ModelConflictError
        A model of it is there with other weights; nothing was written.
    """
    start = perf_counter()
    checking = within(progress, 0.0, _CHECKING)
    sums = check_sums(folder, checking) if is_release(folder) else {}
    about = checked_about(folder)
    files = {
        name: record for name, record in about.files.items() if sums.get(name) != record.sha256
    }
    check_files(folder, files, checking)
    tables = FolderTables(folder, list(about.files))
    tables.check_ends()
    models = _identities(tables)
    arrays = _arrays(folder, about)
    rows = store.read("MATCH (m:Model) RETURN m.id, m.fingerprint, m.computation", limit=None).rows
    there = {str(model): Identity(*identity) for model, *identity in rows}
    for model, identity in models.items():
        other = there.get(model, identity)
        if other.fingerprint != identity.fingerprint:
            difference = (
                f"with other weights ({other.fingerprint[:12]}, not {identity.fingerprint[:12]})"
            )
        elif other.computes_another(identity):
            difference = "as another network with the same weights"
        else:
            continue
        raise ModelConflictError(
            f"{model!r} is here already {difference}: load {folder} into another knowledge base, "
            "with --kb."
        )
    before = counts_in(store)
    writes = _writes(tables, list(models), arrays)
    for number, (doing, piece) in enumerate(writes):
        _write(write, doing, piece, number, len(writes), progress)
    progress("loaded", 1.0)
    added = {kind: count - before[kind] for kind, count in counts_in(store).items()}
    return LoadReport(
        str(folder),
        created=any(added.values()) or not models.keys() <= there.keys(),
        keep=None,
        asked_keep=None,
        counts={kind: count for kind, count in added.items() if count},
        seconds=perf_counter() - start,
        models={model: model not in there for model in models},
    )


def _write(write: Write, doing: str, rows: _Lazy, number: int, of: int, progress: Progress) -> None:
    share = (1 - _CHECKING) / of
    begun = _CHECKING + number * share
    step = within(progress, begun, begun + share, f"{doing}: {{}}")
    step("reading", 0.0)
    write(rows.read(), step)


class _Lazy:
    """Rows that are read when their turn comes."""

    def __init__(self, parts: Iterable[Part], arrays: GraphRows) -> None:
        self._parts = parts
        self._arrays = arrays

    def read(self) -> GraphRows:
        """Return them, with the arrays that belong to them."""
        nodes: dict[str, list[pa.Table]] = {}
        relations: dict[Ends, list[pa.Table]] = {}
        for part in self._parts:
            if isinstance(part, tuple):
                nodes.setdefault(part[0], []).append(part[1])
            else:
                ends = part.name, part.source_label, part.target_label
                relations.setdefault(ends, []).append(part.table)
        return replace(
            self._arrays,
            nodes={label: pa.concat_tables(found) for label, found in nodes.items()},
            relations=[
                Relations(*ends, pa.concat_tables(found)) for ends, found in relations.items()
            ],
        )


def _writes(
    tables: FolderTables, models: Sequence[str], arrays: GraphRows
) -> list[tuple[str, _Lazy]]:
    if tables.rows() <= ROWS_AT_ONCE or len(models) < 2:
        return [("everything", _Lazy(_everything(tables), arrays))]
    writes = [
        (model, _Lazy(belonging(tables, [model]), _chosen(arrays, model.__eq__)))
        for model in models
    ]
    others = _chosen(arrays, lambda model: model not in models)
    return [*writes, ("what joins models", _Lazy(_between_models(tables), others))]


def _everything(tables: FolderTables) -> Iterator[Part]:
    for node in NODES:
        for table in tables.nodes(node.label, columns_of(node.label), None):
            yield node.label, table
    for ends in ALL_ENDS:
        for table in tables.relations(ends, columns_of(ends[0]), None):
            yield Relations(*ends, table)


def _between_models(tables: FolderTables) -> Iterator[Part]:
    """Give what belongs to no model, or joins two; what is there already changes nothing."""
    for node in NODES:
        if node.label not in OWNED:
            for table in tables.nodes(node.label, columns_of(node.label), None):
                yield node.label, table
    owners = {label: tables.owners(label) for label in sorted(OWNED)}
    for ends in ALL_ENDS:
        name, source, target = ends
        inside = source in OWNED and target in OWNED
        for table in tables.relations(ends, columns_of(name), None):
            if inside:
                one, other = (
                    owners[label][1].take(pc.index_in(table[end], owners[label][0]))
                    for end, label in (("source", source), ("target", target))
                )
                table = table.filter(pc.not_equal(one, other))
            if table.num_rows:
                yield Relations(*ends, table)


def _identities(tables: FolderTables) -> dict[str, Identity]:
    return {
        row["id"]: Identity.of(row)
        for table in tables.nodes("Model", ["id", "fingerprint", "computation"], None)
        for row in table.to_pylist()
    }


def _arrays(folder: Path, about: About) -> GraphRows:
    """Return what lies beside the graph, mapped into memory."""
    return load_beside(folder / name for name in about.files if name.endswith(".safetensors"))


def _chosen(arrays: GraphRows, choose: Callable[[str], bool]) -> GraphRows:
    return GraphRows(
        kernels={model: found for model, found in arrays.kernels.items() if choose(model)},
        responses={model: found for model, found in arrays.responses.items() if choose(model)},
        pictures={key: found for key, found in arrays.pictures.items() if choose(found.model)},
    )

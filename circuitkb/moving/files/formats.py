"""The formats that a knowledge base can be written in, by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from circuitkb.moving.files.folder import check_target, whole_folder
from circuitkb.moving.files.pieces import pieces_of
from circuitkb.results.result import Result
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import QueryError, SchemaError
from circuitkb.schema.progress import Progress
from circuitkb.schema.tables import GraphRows
from circuitkb.stores import known_names
from circuitkb.stores.base import Store
from circuitkb.stores.disk.whole_file import whole_file


@dataclass(frozen=True)
class Format:
    """A format: what it is good for, and what writes pieces of an export into an empty folder."""

    name: str
    description: str
    write: Callable[[Iterable[GraphRows], Path, Progress], dict[str, int]]
    next_step: str
    """What to do with the folder; ``{folder}`` stands for it."""


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes
    ----------
    format
        Name of the format.
    folder
        The folder, as an absolute path.
    counts
        Rows by label and relation.
    files, bytes
        Files in the folder, and their size.
    seconds
        How long it took.
    next_step
        What to do with it.
    """

    format: str
    folder: Path
    counts: dict[str, int]
    files: int
    bytes: int
    seconds: float
    next_step: str

    def to_result(self) -> Result:
        """Return a row for each label and relation that has any."""
        rows = tuple((kind, count) for kind, count in self.counts.items() if count)
        return Result(("kind", "rows"), rows, seconds=self.seconds)

    @property
    def message(self) -> str:
        """One line that says it."""
        return (
            f"{self.folder}: {sum(self.counts.values()):,} nodes and relations in {self.files} "
            f"files, {self.bytes / 1e6:,.1f} MB, in {self.seconds:.1f} s."
        )


def _parquet(pieces: Iterable[GraphRows], folder: Path, progress: Progress) -> dict[str, int]:
    from circuitkb.moving.files.parquet_folder import write_parquet

    return write_parquet(pieces, folder, progress)


def _neo4j_admin(pieces: Iterable[GraphRows], folder: Path, progress: Progress) -> dict[str, int]:
    from circuitkb.moving.files.neo4j_admin import write_import_files

    return write_import_files(pieces, folder, progress)


GRAPHS = {
    "graphml": "GraphML, for igraph, Gephi, Cytoscape, yEd, networkx",
    "gexf": "GEXF, for Gephi",
    "json": "node-link JSON, for networkx and d3",
}
"""Formats of one file, for graph libraries and viewers."""

FORMATS = {
    item.name: item
    for item in (
        Format(
            "parquet",
            "Parquet and safetensors: lossless, for backups, DuckDB, polars or another circuitkb",
            _parquet,
            "circuitkb load {folder}",
        ),
        Format(
            "neo4j-admin",
            "CSV for Neo4j's offline import, with the command to run",
            _neo4j_admin,
            "see {folder}/README.txt",
        ),
    )
}


def known_format(name: str) -> Format:
    """Return the format of a name.

    Raises
    ------
    SchemaError
        There is none; names those that there are.

    Examples
    --------
    >>> known_format("parkuet")
    Traceback (most recent call last):
    circuitkb.schema.errors.SchemaError: 'parkuet' is not a format. Did you mean 'parquet'?
    """
    if name not in FORMATS:
        raise SchemaError(f"{name!r} is not a format.{did_you_mean(name, [*FORMATS, *GRAPHS])}")
    return FORMATS[name]


def export(
    store: Store,
    format: str,
    directory: str | os.PathLike[str],
    *,
    models: Sequence[str] | None,
    max_rank: int | None,
    force: bool,
    progress: Progress,
) -> ExportReport:
    """Write a store into files; see :meth:`circuitkb.kb.knowledge_base.KnowledgeBase.export`."""
    start = perf_counter()
    if format in GRAPHS:
        return _export_graph(store, format, directory, models or (), max_rank, force, progress)
    if max_rank is not None:
        raise QueryError(
            f"A bound on the rank is for {', '.join(GRAPHS)}: {format} has all weights."
        )
    chosen = known_format(format)
    target = Path(directory).expanduser().resolve()
    check_target(target, force=force)
    if models is not None:
        known_names.check_models(store, models)
        models = list(dict.fromkeys(models))
    with whole_folder(target, force=force) as folder:
        counts = chosen.write(pieces_of(store, models, progress), folder, progress)
    files = [path for path in target.rglob("*") if path.is_file()]
    progress("exported", 1.0)
    return ExportReport(
        chosen.name,
        target,
        counts,
        len(files),
        sum(path.stat().st_size for path in files),
        perf_counter() - start,
        chosen.next_step.format(folder=target),
    )


def _export_graph(
    store: Store,
    format: str,
    target: str | os.PathLike[str],
    models: Sequence[str],
    max_rank: int | None,
    force: bool,
    progress: Progress,
) -> ExportReport:
    from circuitkb.moving.files.graph_files import write_graph

    start = perf_counter()
    if max_rank is not None and max_rank < 1:
        raise QueryError(f"max_rank is {max_rank!r}: it is a rank from 1.")
    known_names.check_models(store, models)
    file = Path(target).expanduser().resolve()
    with whole_file(file, overwrite=force) as unfinished:
        counts = write_graph(store, models, max_rank, format, unfinished, progress)
    progress("exported", 1.0)
    size = file.stat().st_size
    step = f"open {file} in a program that reads {GRAPHS[format]}"
    return ExportReport(format, file, counts, 1, size, perf_counter() - start, step)

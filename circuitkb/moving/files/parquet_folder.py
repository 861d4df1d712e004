"""A knowledge base as a folder of Parquet and safetensors files: lossless, and read by anything.

::

    DIR/
    ├── circuitkb.json                   format, version, counts, sha256 of every file
    ├── nodes/LABEL.parquet              a column for each property
    ├── relations/NAME.parquet           source, source_label, target, target_label, properties
    ├── kernels/MODEL.safetensors        all kernels of a model, as a store keeps them
    ├── responses/MODEL.safetensors      what its units answered, likewise
    └── pictures/HASH.safetensors        batches of pictures, each of which says its key

Every label and every relation of the schema has its file, be it empty, so that a query on the
folder never misses one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from circuitkb.moving.files.folder import checksum, write_about
from circuitkb.schema.definition import FORMAT_VERSION, NODES, RELATIONS
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.provenance import tool
from circuitkb.schema.tables import GraphRows, Relations, node_schema, relation_schema
from circuitkb.stores.arrays.array_files import ARRAY_KINDS
from circuitkb.stores.arrays.formats import save_beside

FORMAT = "circuitkb-parquet"
VERSION = 1
"""Version of the layout; a folder of another one is refused."""

ENDS = ("source_label", "target_label")
"""Columns of a file of relations beside those of its table: which labels it joins."""

ROWS_IN_A_GROUP = 131_072
"""Rows that are held before they are written; readers take them group by group too."""

_DICTIONARY_BYTES = 8 << 20


def relation_file_schema(name: str) -> pa.Schema:
    """Return the columns of a file of relations.

    Examples
    --------
    >>> relation_file_schema("IN_LAYER").names
    ['source', 'source_label', 'target', 'target_label']
    """
    source, target, *properties = relation_schema(name)
    first, second = (pa.field(end, pa.string(), nullable=False) for end in ENDS)
    return pa.schema([source, first, target, second, *properties])


def write_parquet(
    pieces: Iterable[GraphRows],
    folder: Path,
    progress: Progress = silent,
    *,
    ordered: bool = False,
) -> dict[str, int]:
    """Write the pieces of an export into an empty folder; return the rows of each kind.

    Memory is bounded by a piece and by :data:`ROWS_IN_A_GROUP` rows of each kind. The same pieces
    in the same order make the same bytes; ``ordered``, in any order.
    """
    for name in ("nodes", "relations", *ARRAY_KINDS):
        (folder / name).mkdir()
    files: dict[str, dict[str, Any]] = {}
    with _Tables(folder) as tables:
        for piece in pieces:
            for label, table in piece.nodes.items():
                tables.add(f"nodes/{label}.parquet", table)
            for item in piece.relations:
                tables.add(f"relations/{item.name}.parquet", _with_labels(item))
            save_beside(folder, piece)
    if ordered:
        for number, name in enumerate(tables.rows):
            progress(f"sorting {name}", number / len(tables.rows))
            _sort(folder, name)
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    for number, path in enumerate(written):
        name = path.relative_to(folder).as_posix()
        files[name] = {"bytes": path.stat().st_size, "sha256": checksum(path)}
        if name in tables.rows:
            files[name]["rows"] = tables.rows[name]
        progress("checksums", number / len(written))
    counts = {Path(name).stem: rows for name, rows in tables.rows.items()}
    about = {
        "format": FORMAT,
        "version": VERSION,
        "schema_version": FORMAT_VERSION,
        "made_by": tool(),
        "nodes": {node.label: counts[node.label] for node in NODES},
        "relations": {relation.name: counts[relation.name] for relation in RELATIONS},
        "files": files,
    }
    write_about(folder, about)
    return counts


def _with_labels(item: Relations) -> pa.Table:
    """Return a table of relations with the labels of both ends beside their ids."""
    columns = {name: item.table[name] for name in item.table.column_names}
    for end, label in zip(ENDS, (item.source_label, item.target_label), strict=True):
        columns[end] = pa.repeat(label, item.table.num_rows)
    schema = relation_file_schema(item.name)
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _writer(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        # Numbers seldom repeat: looking for it takes most of the time and gains nothing.
        use_dictionary=[f.name for f in schema if pa.types.is_string(f.type)],
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
    )


def _sort(folder: Path, name: str) -> None:
    """Write a file again with its rows in order."""
    from circuitkb.moving.files.sorting import sorted_rows  # which needs DuckDB

    file, again = folder / name, folder / f"{name}.sorted"
    schema = pq.read_schema(file)
    with _writer(again, schema) as writer:
        for table in sorted_rows(file, name, schema, ROWS_IN_A_GROUP):
            writer.write_table(table, row_group_size=ROWS_IN_A_GROUP)
    again.replace(file)


class _Tables:
    """Parquet files that grow by rows; leaving the block writes what is held and ends them."""

    def __init__(self, folder: Path) -> None:
        self._schemas = {f"nodes/{node.label}.parquet": node_schema(node.label) for node in NODES}
        self._schemas |= {
            f"relations/{relation.name}.parquet": relation_file_schema(relation.name)
            for relation in RELATIONS
        }
        self.rows = dict.fromkeys(self._schemas, 0)
        self._held: dict[str, list[pa.Table]] = {name: [] for name in self._schemas}
        self._writers = {
            name: _writer(folder / name, schema) for name, schema in self._schemas.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                for name in self._writers:
                    self._write(name, all_of_it=True)
        finally:
            for writer in self._writers.values():
                writer.close()

    def add(self, name: str, table: pa.Table) -> None:
        """Add rows to the file of that name, whose columns they have."""
        self.rows[name] += table.num_rows
        self._held[name].append(table)
        if sum(held.num_rows for held in self._held[name]) >= ROWS_IN_A_GROUP:
            self._write(name, all_of_it=False)

    def _write(self, name: str, *, all_of_it: bool) -> None:
        """Write what is held, in groups that do not depend on how it came in pieces."""
        held = pa.concat_tables(self._held[name] or [self._schemas[name].empty_table()])
        ready = held.num_rows if all_of_it else held.num_rows // ROWS_IN_A_GROUP * ROWS_IN_A_GROUP
        if ready:
            self._writers[name].write_table(held.slice(0, ready), row_group_size=ROWS_IN_A_GROUP)
        self._held[name] = [held.slice(ready)] if ready < held.num_rows else []

"""The files of Neo4j's offline import: ``neo4j-admin database import full``, 5.26 and later.

::

    DIR/
    ├── README.txt                       what to run, in order
    ├── import.args                      the arguments of neo4j-admin
    ├── after-import.cypher              only where the importer cannot say all (see below)
    ├── circuitkb.json                   format, version, counts
    ├── nodes/LABEL.csv                  and LABEL.header.csv
    ├── relations/NAME.SOURCE.TARGET.csv and its .header.csv
    └── arrays/UUID/                     what lies beside the graph, as the server store keeps it

What was found out about the importer, and is tested with it: text in quotes is kept to the last
character, NUL and lone carriage returns included; nothing between commas is null, ``""`` is empty
text; infinity is written in Java's words; numbers come back bit for bit. It drops lists without
elements, and those with one empty text look the same: a few lines of Cypher set them afterwards,
the last of which makes the node by which circuitkb knows a database of its own, so that a forgotten
step shows at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from circuitkb.moving.files.folder import write_about
from circuitkb.moving.files.neo4j_admin_steps import Leftover, arguments, cypher_after, instructions
from circuitkb.schema.definition import (
    FORMAT_VERSION,
    NODES,
    RELATIONS,
    Property,
    node_type,
    relation_type,
)
from circuitkb.schema.errors import CapabilityError
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.provenance import tool
from circuitkb.schema.tables import GraphRows, Relations, node_schema, relation_schema
from circuitkb.stores.arrays.array_files import ARRAY_KINDS
from circuitkb.stores.arrays.formats import FORMATS, beside
from circuitkb.stores.server.marker import ARRAYS, MARKER, marker_properties

FORMAT = "circuitkb-neo4j-admin"
VERSION = 1

DELIMITER = "\x1f"
"""Between the elements of a list, unless an element holds it: the unit separator of ASCII."""

ROWS_AT_ONCE = 65_536
"""Rows that one thread turns into text."""

LONGEST_INDEXED = 8_000
"""Bytes of a text that has an index; Neo4j's limit is a little above."""

_TYPES = {
    "string": "string",
    "integer": "long",
    "float": "double",
    "boolean": "boolean",
    "strings": "string[]",
}
_OPTIONS = pacsv.WriteOptions(include_header=False, quoting_style="needed", batch_size=16_384)
_LINE_FEED, _CARRIAGE_RETURN = b"\n\r"


def write_import_files(
    pieces: Iterable[GraphRows], folder: Path, progress: Progress = silent
) -> dict[str, int]:
    """Write the pieces of an export into an empty folder; return the rows of each kind.

    Memory is bounded by a piece.
    """
    marker = marker_properties()
    for name in ("nodes", "relations"):
        (folder / name).mkdir()
    arrays = folder / "arrays" / str(marker["uuid"])
    names: dict[str, dict[str, str]] = {}
    with _Files(folder) as files:
        for piece in pieces:
            for label, table in piece.nodes.items():
                files.add_nodes(label, table)
            for item in piece.relations:
                files.add_relations(item)
            for kind, key, value in beside(piece):
                name = FORMATS[kind].file_name(value)
                arrays.mkdir(parents=True, exist_ok=True)
                FORMATS[kind].save(arrays / kind, name, value)
                names.setdefault(key, {})[kind] = name
        files.add_arrays(names)
        if not files.leftovers:
            files.add_marker(marker)
    progress("instructions", 0.99)
    _write(
        folder,
        "import.args",
        arguments(files.nodes, files.relations, files.longest, breaks=files.breaks),
    )
    if files.leftovers:
        _write(folder, "after-import.cypher", cypher_after(files.leftovers, MARKER, marker))
    _write(
        folder,
        "README.txt",
        instructions(str(marker["uuid"]), after=bool(files.leftovers), arrays=bool(names)),
    )
    write_about(
        folder,
        {
            "format": FORMAT,
            "version": VERSION,
            "schema_version": FORMAT_VERSION,
            "made_by": tool(),
            "uuid": marker["uuid"],
            "nodes": {node.label: files.rows[node.label] for node in NODES},
            "relations": {relation.name: files.rows[relation.name] for relation in RELATIONS},
        },
    )
    return files.rows


def _write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8", newline="\n")


class _Files:
    """CSV files that grow by rows, their headers apart.

    Attributes
    ----------
    nodes, relations
        For each file, relative to the folder, its label or its relation.
    rows
        Rows of each kind.
    leftovers
        Lists that the importer would lose, and the nodes that they belong to.
    longest
        Bytes of the longest text.
    breaks
        Whether any text goes over several lines.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, pa.NativeFile] = {}
        # Arrow releases the interpreter while it works, so that threads gain.
        self._workers = ThreadPoolExecutor(os.cpu_count())
        self.nodes: dict[str, str] = {}
        self.relations: dict[str, str] = {}
        self.rows = dict.fromkeys([n.label for n in NODES] + [r.name for r in RELATIONS], 0)
        self.leftovers: list[Leftover] = []
        self.longest = 0
        self.breaks = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.shutdown(cancel_futures=True)
        for file in self._open.values():
            file.close()

    def add_nodes(self, label: str, table: pa.Table) -> None:
        """Add nodes of a label."""
        properties = node_type(label).properties
        header = [f"id:ID({label})", *map(_column, properties[1:])]
        self.nodes[f"nodes/{label}"] = label
        self.rows[label] += table.num_rows
        _check_indexed(label, table)
        for name in (p.name for p in properties if p.type == "strings"):
            self.leftovers += _lost(label, name, table)
        self._add(f"nodes/{label}", header, table.select(node_schema(label).names))

    def add_relations(self, item: Relations) -> None:
        """Add relations between two labels."""
        name = f"relations/{item.name}.{item.source_label}.{item.target_label}"
        properties = relation_type(item.name).properties
        ends = [f":START_ID({item.source_label})", f":END_ID({item.target_label})"]
        self.relations[name] = item.name
        self.rows[item.name] += item.table.num_rows
        table = item.table.select(relation_schema(item.name).names)
        self._add(name, [*ends, *map(_column, properties)], table)

    def add_arrays(self, beside: dict[str, dict[str, str]]) -> None:
        """Add the nodes that say which file beside the graph belongs to which model or batch."""
        if beside:
            models = sorted(beside)
            columns = {"model": models} | {
                kind: [beside[model].get(kind) for model in models] for kind in ARRAY_KINDS
            }
            table = pa.table({name: pa.array(v, pa.string()) for name, v in columns.items()})
            self.nodes[f"nodes/{ARRAYS}"] = ARRAYS
            header = [f"model:ID({ARRAYS})", *(f"{kind}:string" for kind in ARRAY_KINDS)]
            self._add(f"nodes/{ARRAYS}", header, table)

    def add_marker(self, marker: dict[str, Any]) -> None:
        """Add the node by which circuitkb knows a database of its own."""
        first, *others = marker
        header = [f"{first}:ID({MARKER})"]
        header += [f"{n}:{'long' if isinstance(marker[n], int) else 'string'}" for n in others]
        self.nodes[f"nodes/{MARKER}"] = MARKER
        self._add(f"nodes/{MARKER}", header, pa.table({n: [v] for n, v in marker.items()}))

    def _add(self, name: str, header: list[str], table: pa.Table) -> None:
        if name not in self._open:
            _write(self._folder, f"{name}.header.csv", ",".join(header) + "\n")
            self._open[name] = pa.OSFile(str(self._folder / f"{name}.csv"), "wb")
        slices = [
            table.slice(start, ROWS_AT_ONCE) for start in range(0, table.num_rows, ROWS_AT_ONCE)
        ]
        for part in self._workers.map(_as_csv, slices):
            self._open[name].write(part.text)
            self.longest = max(self.longest, part.longest)
            self.breaks = self.breaks or part.breaks


class _Part(NamedTuple):
    """Rows as CSV, the bytes of their longest text, and whether one goes over several lines."""

    text: pa.Buffer
    longest: int
    breaks: bool


def _as_csv(table: pa.Table) -> _Part:
    printable = pa.table([_printable(column) for column in table.columns], table.column_names)
    texts = [column for column in printable.columns if pa.types.is_string(column.type)]
    sink = pa.BufferOutputStream()
    pacsv.write_csv(printable, sink, _OPTIONS)
    return _Part(
        sink.getvalue(),
        max((pc.max(pc.binary_length(column)).as_py() or 0 for column in texts), default=0),
        any(map(_has_breaks, texts)),
    )


def _column(item: Property) -> str:
    return f"{item.name}:{_TYPES[item.type]}"


def _check_indexed(label: str, table: pa.Table) -> None:
    """Refuse a text that an index of Neo4j cannot take: opening the database would fail."""
    for item in node_type(label).properties:
        if not item.indexed or item.type != "string":
            continue
        long = pc.greater(pc.binary_length(table[item.name]), LONGEST_INDEXED)
        if pc.any(long).as_py():
            node = table["id"].filter(long)[0].as_py()
            raise CapabilityError(
                f"{label}.{item.name} of {node[:80]!r} has more than {LONGEST_INDEXED:,} bytes, "
                "which Neo4j cannot index: shorten it, or use export parquet."
            )


def _printable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as the importer reads it."""
    if pa.types.is_list(column.type):
        sayable = pc.if_else(_unsayable(column), pa.scalar(None, column.type), column)
        return pc.binary_join(sayable, DELIMITER)
    if pa.types.is_floating(column.type) and pc.any(pc.is_inf(column)).as_py():
        infinite = pc.if_else(pc.greater(column, 0), "Infinity", "-Infinity")
        return pc.if_else(pc.is_inf(column), infinite, column.cast(pa.string()))
    return column


def _unsayable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return which lists the importer would lose or change; null stays null."""
    joined = pc.binary_join(column, DELIMITER)
    separators = pc.count_substring(joined, DELIMITER)
    within = pc.not_equal(pc.add(separators, 1), pc.list_value_length(column))
    return pc.or_(within, pc.equal(pc.binary_length(joined), 0))


def _lost(label: str, name: str, table: pa.Table) -> list[Leftover]:
    """Return the lists of a property that :func:`_printable` leaves out."""
    lost = table.select(["id", name]).filter(_unsayable(table[name])).to_pylist()
    ids: dict[tuple[str, ...], list[str]] = {}
    for row in lost:
        ids.setdefault(tuple(row[name]), []).append(row["id"])
    return [Leftover(label, name, value, found) for value, found in ids.items()]


def _has_breaks(column: pa.ChunkedArray) -> bool:
    """Return whether a text holds a line feed or a carriage return.

    Looks at the bytes of the texts as they lie in memory: far quicker than a look at each text.
    """
    for chunk in column.chunks:
        _, offsets, texts = chunk.buffers()
        if texts is None or not len(chunk):
            continue
        places = np.frombuffer(offsets, np.int32)
        first, last = places[chunk.offset], places[chunk.offset + len(chunk)]
        found = np.frombuffer(texts, np.uint8)[first:last]
        if ((found == _LINE_FEED) | (found == _CARRIAGE_RETURN)).any():
            return True
    return False

"""What a write would change: rows compared with the graph as it is, before anything is touched.

The answer tells whether a write is needed at all, finds every mistake in the rows, and lets what
is all new go the fast way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from circuitkb.schema.definition import relation_type
from circuitkb.schema.errors import SchemaError
from circuitkb.schema.pictures import model_of
from circuitkb.schema.records import RECORDED, kept
from circuitkb.schema.tables import GraphRows, Relations, node_schema, relation_schema
from circuitkb.stores.arrays.array_files import ArrayKind
from circuitkb.stores.arrays.formats import FORMATS, beside
from circuitkb.stores.model_identity import Identity, check_layers, check_same
from circuitkb.stores.property_rows import property_rows
from circuitkb.stores.stored_graph import StoredGraph

_EMPTY_DATABASE = 8_000_000
_MOST_CODES = 2**62
_MINUS_ZERO = -(2**63)  # the bits of -0.0


@dataclass(frozen=True)
class Update:
    """Properties to set on one node or relation; ``record`` is the engine's number of it."""

    type: str
    record: str
    properties: dict[str, Any]


@dataclass
class Changes:
    """Everything that a write has to do.

    ``arrays`` gives by kind, and by the key of each, the name of a file beside the graph and what
    is to stand in it; ``records`` knows the old nodes that new ones join.
    """

    nodes: dict[str, pa.Table] = field(default_factory=dict)
    relations: list[Relations] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    arrays: dict[ArrayKind, dict[str, tuple[str, Any]]] = field(default_factory=dict)
    records: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether the store holds all of it already."""
        return not (self.nodes or self.relations or self.updates or self.arrays)

    @property
    def room(self) -> int:
        """Bytes that the changes will take on the disk, about."""
        tables = [*self.nodes.values(), *(item.table for item in self.relations)]
        beside = sum(
            int(array.nbytes)
            for kind, _, _, value in self.files()
            for array in FORMATS[kind].arrays(value)
        )
        return _EMPTY_DATABASE + 2 * sum(int(table.nbytes) for table in tables) + beside

    def files(self) -> Iterator[tuple[ArrayKind, str, str, Any]]:
        """Give the files beside the graph: the kind, the key, the name, what is to stand in it."""
        for kind, found in self.arrays.items():
            for key, (name, value) in found.items():
                yield kind, key, name, value


def changes_of(
    rows: GraphRows, graph: StoredGraph, files: Mapping[ArrayKind, Mapping[str, str]]
) -> Changes:
    """Compare ``rows`` with a graph; ``files`` names what lies beside it, by key.

    Raises
    ------
    SchemaError
        Rows that do not fit the schema, an id twice in a table, an end that is nowhere, responses
        or pictures of a model that is nowhere.
    ModelConflictError
        A model that is there has other weights, or computes something else with them.
    """
    changes = Changes()
    unsure: set[str] = set()
    for label, given in rows.nodes.items():
        _compare_nodes(label, given, graph, changes, unsure)
    _compare_layers(rows.nodes.get("Layer"), unsure, graph)
    grouped: dict[tuple[str, str, str], list[pa.Table]] = {}
    for item in rows.relations:
        table = _conformed(item.table, relation_schema(item.name), item.name)
        grouped.setdefault((item.name, item.source_label, item.target_label), []).append(table)
    for (name, source, target), tables in grouped.items():
        together = Relations(name, source, target, pa.concat_tables(tables).combine_chunks())
        _compare_relations(together, graph, changes)
    _find_ends("Responses", "Model", rows.responses, graph, changes)
    _find_ends("Pictures", "Model", map(model_of, rows.pictures), graph, changes)
    for kind, key, value in beside(rows):
        name = FORMATS[kind].file_name(value)
        if files[kind].get(key) != name:
            changes.arrays.setdefault(kind, {})[key] = name, value
    return changes


def _compare_nodes(
    label: str, given: pa.Table, graph: StoredGraph, changes: Changes, unsure: set[str]
) -> None:
    """Collect what is new and what is different; models of which one side says too little."""
    table = _conformed(given, node_schema(label), label)
    ids = table["id"]
    if pc.count_distinct(ids).as_py() < len(ids):
        counts = pc.value_counts(ids).to_pylist()
        twice = next(item["values"] for item in counts if item["counts"] > 1)
        raise SchemaError(f"The id {twice!r} stands twice among the {label} nodes to write.")
    columns = _given(table)
    recorded = label in RECORDED and "state" in columns
    if recorded:
        columns = list(dict.fromkeys([*columns, "state", "records"]))
    if label == "Model":
        columns = list(dict.fromkeys([*columns, "computation"]))
    stored = {row["id"]: row for row in graph.nodes(label, ids.to_pylist(), columns)}
    changes.records.setdefault(label, {}).update(
        (key, str(row["record"])) for key, row in stored.items()
    )
    old = pc.is_in(ids, pa.array(list(stored), pa.string()))
    for row in property_rows(table.filter(old)):
        before = stored[row["id"]]
        if label == "Model" and not check_same(row["id"], Identity.of(before), Identity.of(row)):
            unsure.add(row["id"])
        _update(label, before, kept(before, row) if recorded else row, changes)
    new = table.filter(pc.invert(old))
    if new.num_rows:
        changes.nodes[label] = new


def _compare_layers(given: pa.Table | None, models: set[str], graph: StoredGraph) -> None:
    """Compare models by their layers, where nothing else tells what they compute."""
    if given is None or not models:
        return
    layers = [row for row in given.to_pylist() if row["model"] in models]
    columns = ["id", "model", "name", "kind", "channels", "height", "width"]
    stored = list(graph.nodes("Layer", [row["id"] for row in layers], columns))
    for model in sorted(models):
        sides = ([row for row in side if row["model"] == model] for side in (stored, layers))
        check_layers(model, *sides)


def _compare_relations(item: Relations, graph: StoredGraph, changes: Changes) -> None:
    kind = relation_type(item.name)
    key = ("source", "target", *kind.key)
    table = _merged(item.table, key)
    joins_old = []
    for end, label in (("source", item.source_label), ("target", item.target_label)):
        ids = pc.unique(table[end])
        _find_ends(item.name, label, ids.to_pylist(), graph, changes)
        old = [i for i in ids.to_pylist() if i in changes.records[label]]
        joins_old.append(pc.is_in(table[end], pa.array(old, pa.string())))
    perhaps = pc.and_(*joins_old)
    candidates = table.filter(perhaps)
    new = [table.filter(pc.invert(perhaps)) if candidates.num_rows else table]
    if candidates.num_rows:
        stored = _stored_relations(replace(item, table=candidates), graph)
        unseen = []
        for index, row in enumerate(property_rows(candidates)):
            found = stored.get(tuple(row.get(name) for name in key))
            if found is None:
                unseen.append(index)
            else:
                _update(item.name, found, row, changes)
        new.append(candidates.take(pa.array(unseen, pa.int64())))
    fresh = pa.concat_tables(new)
    if fresh.num_rows:
        changes.relations.append(
            Relations(item.name, item.source_label, item.target_label, fresh.combine_chunks())
        )


def _given(table: pa.Table) -> list[str]:
    """Return the columns in which anything stands: no other one is worth reading."""
    return [name for name in table.column_names if table[name].null_count < table.num_rows]


def _update(name: str, stored: Mapping[str, Any], row: Mapping[str, Any], changes: Changes) -> None:
    different = {key: value for key, value in row.items() if stored[key] != value}
    if different:
        changes.updates.append(Update(name, str(stored["record"]), different))


def _find_ends(
    name: str, label: str, ids: Iterable[str], graph: StoredGraph, changes: Changes
) -> None:
    known = changes.records.setdefault(label, {})
    new = changes.nodes.get(label)
    here = set(new["id"].to_pylist()) if new is not None else set()
    wanted = [i for i in ids if i not in here and i not in known]
    known.update((row["id"], str(row["record"])) for row in graph.nodes(label, wanted, ["id"]))
    for i in wanted:
        if i not in known:
            raise SchemaError(
                f"{name}: no {label} has the id {i!r}, neither in the store nor in the rows."
            )


def _stored_relations(item: Relations, graph: StoredGraph) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return what starts where a row of ``item`` does, by its ends and key."""
    key = relation_type(item.name).key
    columns = dict.fromkeys([*key, *_given(item.table.drop_columns(["source", "target"]))])
    starts = pc.unique(item.table["source"]).to_pylist()
    return {
        (row["source"], row["target"], *(row[name] for name in key)): row
        for row in graph.relations_from(item, starts, list(columns))
    }


def _merged(table: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Return a table in which a relation stands once; what a later row gives wins."""
    if _is_set(table.select(list(key))):
        return table
    together: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in table.to_pylist():
        whole = together.setdefault(tuple(row[name] for name in key), row)
        whole.update((name, value) for name, value in row.items() if value is not None)
    return pa.Table.from_pylist(list(together.values()), schema=table.schema)


def _is_set(table: pa.Table) -> bool:
    """Whether no row stands twice.

    Arrow's own grouping copies all texts, and takes twice the memory of what is to be written.

    Examples
    --------
    >>> _is_set(pa.table({"a": [1, 1], "b": [None, "x"]}))
    True
    >>> _is_set(pa.table({"a": [1, 1], "b": [None, None]}))
    False
    """
    codes, kinds = np.zeros(table.num_rows, np.int64), 1
    for column in table.columns:
        pieces = column.dictionary_encode().unify_dictionaries().chunks
        if not pieces:
            return True
        null = len(pieces[0].dictionary)
        more = [piece.indices.fill_null(null).to_numpy() for piece in pieces]
        if kinds * (null + 1) > _MOST_CODES:
            together = pa.array(codes).dictionary_encode()
            codes, kinds = together.indices.to_numpy().astype(np.int64), len(together.dictionary)
        codes = codes * (null + 1) + np.concatenate(more)
        kinds *= null + 1
    return bool(pc.count_distinct(pa.array(codes)).as_py() == table.num_rows)


def _conformed(table: pa.Table, schema: pa.Schema, what: str) -> pa.Table:
    """Return a table with exactly the columns of ``schema``; NaN is absent, -0.0 is 0.0."""
    unknown = sorted(set(table.column_names) - set(schema.names))
    if unknown:
        raise SchemaError(f"{what} has no property {', '.join(map(repr, unknown))}.")
    columns = []
    for item in schema:
        if item.name not in table.column_names:
            column = pa.chunked_array([pa.nulls(table.num_rows, item.type)])
        else:
            try:
                column = table[item.name].cast(item.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise SchemaError(f"{what}.{item.name}: {error}") from error
        if pa.types.is_floating(item.type):
            column = _plain_numbers(column)
        if pa.types.is_list(item.type) and pc.list_flatten(column).null_count:
            raise SchemaError(f"{what}.{item.name}: a list holds a null.")
        if not item.nullable and column.null_count:
            raise SchemaError(f"{what}.{item.name} is required and missing in some row.")
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema).combine_chunks()


def _plain_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers in which NaN is absent and -0.0 is 0.0; the column itself if it is so.

    Neo4j says of a stored -0.0 that it is below 0; 0.0 is the same number.

    Examples
    --------
    >>> _plain_numbers(pa.chunked_array([[-0.0, float("nan"), None, 1.0]])).to_pylist()
    [0.0, None, None, 1.0]
    """
    if pc.any(pc.is_nan(column)).as_py():
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if any(pc.any(pc.equal(c.view(pa.int64()), _MINUS_ZERO)).as_py() for c in column.chunks):
        column = pc.add(column, 0.0)
    return column

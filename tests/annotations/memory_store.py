"""A store in dictionaries: what merging asks of one, without an engine.

It takes rows as a store promises to: properties that are given are set, relations are a set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from circuitkb.annotations.merging import MergeCounts, merge_rows
from circuitkb.schema.definition import node_type, relation_type
from circuitkb.schema.records import canonical_record, kept
from circuitkb.schema.tables import GraphRows, Relations

Row = dict[str, Any]


class MemoryStore:
    """A graph; ``imported`` merges records into it."""

    def __init__(self) -> None:
        self.graph: dict[str, dict[str, Row]] = {}
        self.relations: dict[tuple[Any, ...], Row] = {}

    def write(self, rows: GraphRows) -> None:
        for label, table in rows.nodes.items():
            nodes = self.graph.setdefault(label, {})
            for row in table.to_pylist():
                there = nodes.setdefault(row["id"], dict.fromkeys(_columns(label)))
                if label == "Annotation" and there["id"] is not None:
                    row = kept(there, row)
                there.update((name, value) for name, value in row.items() if value is not None)
        for item in rows.relations:
            for row in item.table.to_pylist():
                key = relation_type(item.name).key
                ends = (item.name, item.source_label, row["source"], item.target_label)
                self.relations[(*ends, row["target"], *(row[name] for name in key))] = row

    def imported(self, records: Iterable[Row]) -> MergeCounts:
        rows, counts = merge_rows([canonical_record(record) for record in records], self)
        self.write(rows)
        return counts

    def content(self) -> Any:
        """Return all there is, to be compared."""
        return self.graph, set(self.relations)

    def state(self, id: str) -> str:
        return str(self.graph["Annotation"][id]["state"])

    def nodes(self, label: str, ids: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
        there = self.graph.get(label, {})
        return (_chosen(there[id], columns) for id in ids if id in there)

    def nodes_with(
        self, label: str, property: str, values: Sequence[str], columns: Sequence[str]
    ) -> Iterator[Row]:
        for row in list(self.graph.get(label, {}).values()):
            if row[property] in values:
                yield _chosen(row, columns)

    def relations_from(
        self, item: Relations, starts: Sequence[str], columns: Sequence[str]
    ) -> Iterator[Row]:
        raise NotImplementedError

    def all_nodes(
        self, label: str, columns: Sequence[str], models: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        raise NotImplementedError

    def all_relations(
        self,
        name: str,
        source: str,
        target: str,
        columns: Sequence[str],
        models: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        raise NotImplementedError


def _columns(label: str) -> list[str]:
    return [item.name for item in node_type(label).properties]


def _chosen(row: Row, columns: Sequence[str]) -> Row:
    return {"record": row["id"], **{name: row[name] for name in columns}}

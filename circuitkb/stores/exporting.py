"""Everything in a graph as rows, in pieces of a size that fits into memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow as pa

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.tables import GraphRows, Relations, node_schema, relation_schema

from .stored_graph import StoredGraph

ROWS_IN_A_PIECE = 500_000
_BATCH = 20_000


def exported(graph: StoredGraph) -> Iterator[GraphRows]:
    """Give nodes before the relations that join them, at most ``ROWS_IN_A_PIECE`` rows a piece."""
    nodes: dict[str, list[pa.Table]] = {}
    relations: list[Relations] = []
    rows = 0
    for part in _parts(graph):
        count = (part[1] if isinstance(part, tuple) else part.table).num_rows
        if rows and rows + count > ROWS_IN_A_PIECE:
            yield _piece(nodes, relations)
            nodes, relations, rows = {}, [], 0
        rows += count
        if isinstance(part, tuple):
            nodes.setdefault(part[0], []).append(part[1])
        else:
            relations.append(part)
    if rows:
        yield _piece(nodes, relations)


def _piece(nodes: dict[str, list[pa.Table]], relations: list[Relations]) -> GraphRows:
    return GraphRows(
        nodes={label: pa.concat_tables(tables) for label, tables in nodes.items()},
        relations=relations,
    )


def _parts(graph: StoredGraph) -> Iterator[tuple[str, pa.Table] | Relations]:
    for node in NODES:
        rows = graph.all_nodes(node.label, [p.name for p in node.properties])
        for table in _tables(rows, node_schema(node.label)):
            yield node.label, table
    for relation in RELATIONS:
        columns = [p.name for p in relation.properties]
        for source, target in relation.endpoints:
            rows = graph.all_relations(relation.name, source, target, columns)
            for table in _tables(rows, relation_schema(relation.name)):
                yield Relations(relation.name, source, target, table)


def _tables(rows: Iterator[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.Table]:
    while batch := list(islice(rows, _BATCH)):
        yield pa.Table.from_pylist(batch, schema=schema)

"""Everything in a graph as rows, in pieces of a size that fits into memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow as pa

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.tables import GraphRows, Relations, node_schema, relation_schema

from .read_only import ReadOnlyGraph

ROWS_IN_A_PIECE = 500_000
_BATCH = 20_000


def exported(graph: ReadOnlyGraph) -> Iterator[GraphRows]:
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


def _parts(graph: ReadOnlyGraph) -> Iterator[tuple[str, pa.Table] | Relations]:
    for node in NODES:
        listed = ", ".join(f"`{p.name}`" for p in node.properties)
        rows = graph.select(f"SELECT {listed} FROM `{node.label}`")
        for table in _tables(rows, node_schema(node.label)):
            yield node.label, table
    for relation in RELATIONS:
        listed = "".join(f", r.`{p.name}` AS `{p.name}`" for p in relation.properties)
        for source, target in relation.endpoints:
            rows = graph.match(
                f"MATCH (a:`{source}`)-[r:`{relation.name}`]->(b:`{target}`) "
                f"RETURN a.id AS source, b.id AS target{listed}"
            )
            for table in _tables(rows, relation_schema(relation.name)):
                yield Relations(relation.name, source, target, table)


def _tables(rows: Iterator[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.Table]:
    while batch := list(islice(rows, _BATCH)):
        yield pa.Table.from_pylist(batch, schema=schema)

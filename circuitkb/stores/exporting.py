"""Everything in a graph as rows, or everything of some models, in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.tables import GraphRows, Relations
from circuitkb.stores.belonging import Ends, Part, belonging
from circuitkb.stores.stored_graph import StoredGraph

ROWS_IN_A_PIECE = 500_000


def exported(graph: StoredGraph, models: Sequence[str] | None = None) -> Iterator[GraphRows]:
    """Give nodes before the relations that join them, at most ``ROWS_IN_A_PIECE`` rows a piece.

    With ``models``, only what belongs to them (:mod:`circuitkb.stores.belonging`).
    """
    tables = _Tables(graph)
    yield from _pieces(_everything(tables) if models is None else belonging(tables, models))


def _pieces(parts: Iterable[Part]) -> Iterator[GraphRows]:
    nodes: dict[str, list[pa.Table]] = {}
    relations: list[Relations] = []
    rows = 0
    for part in parts:
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


def _everything(tables: _Tables) -> Iterator[Part]:
    for node in NODES:
        for table in tables.nodes(node.label, [p.name for p in node.properties], None):
            yield node.label, table
    for relation in RELATIONS:
        columns = [p.name for p in relation.properties]
        for source, target in relation.endpoints:
            for table in tables.relations((relation.name, source, target), columns, None):
                yield Relations(relation.name, source, target, table)


class _Tables:
    """A stored graph as :class:`circuitkb.stores.belonging.Tables`."""

    def __init__(self, graph: StoredGraph) -> None:
        self._graph = graph

    def nodes(
        self, label: str, columns: Sequence[str], models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        return self._graph.all_nodes(label, columns, models)

    def relations(
        self, ends: Ends, columns: Sequence[str], models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        return self._graph.all_relations(*ends, columns, models)

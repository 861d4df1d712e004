"""The graph on a server as writing and exporting ask for it, within one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from circuitkb.schema.records import Record
from circuitkb.schema.tables import Relations
from circuitkb.stores import stored_graph
from circuitkb.stores.stored_graph import listed, of_models

if TYPE_CHECKING:
    from neo4j import ManagedTransaction, Transaction

_CHUNK = 5_000


class ServerGraph:
    """One transaction's view; see :class:`circuitkb.stores.stored_graph.StoredGraph`."""

    def __init__(self, transaction: Transaction | ManagedTransaction) -> None:
        self._transaction = transaction

    def nodes(self, label: str, ids: Sequence[str], columns: Sequence[str]) -> Iterator[Record]:
        """Give ``record`` and the columns, ``id`` among them, of those of the nodes that exist."""
        text = (
            f"UNWIND $ids AS wanted MATCH (n:`{label}` {{id: wanted}}) "
            f"RETURN elementId(n) AS record{listed('n', columns)}"
        )
        for start in range(0, len(ids), _CHUNK):
            yield from self._rows(text, ids=list(ids[start : start + _CHUNK]))

    def nodes_with(
        self, label: str, property: str, values: Sequence[str], columns: Sequence[str]
    ) -> Iterator[Record]:
        """Give the columns of the nodes whose indexed ``property`` has one of the values."""
        text = (
            f"UNWIND $values AS wanted MATCH (n:`{label}` {{`{property}`: wanted}}) "
            f"RETURN elementId(n) AS record{listed('n', columns)}"
        )
        return self._rows(text, values=list(values))

    def relations_from(
        self, item: Relations, starts: Sequence[str], columns: Sequence[str]
    ) -> Iterator[Record]:
        """Give relations with the name and labels of ``item`` that start at the given ids."""
        text = stored_graph.relations_from(item, columns)
        for start in range(0, len(starts), _CHUNK):
            yield from self._rows(text, ids=list(starts[start : start + _CHUNK]))

    def all_nodes(
        self, label: str, columns: Sequence[str], models: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Give the columns of every node of a label, or of those that name one of the models."""
        text = f"MATCH (n:`{label}`){of_models(models, n=label)} RETURN {listed('n', columns)[2:]}"
        schema = stored_graph.node_columns(label, columns)
        return stored_graph.tables_of(self._rows(text, models=models), schema)

    def all_relations(
        self,
        name: str,
        source: str,
        target: str,
        columns: Sequence[str],
        models: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        """Give ``source``, ``target`` and the columns of every relation between two labels.

        With ``models``, only those of which each end whose label names a model names one of these.
        """
        text = stored_graph.all_relations(name, source, target, columns, models)
        schema = stored_graph.relation_columns(name, columns)
        rows = self._rows(text, models=models)
        named = (dict(zip(schema.names, row["v"], strict=True)) for row in rows)
        return stored_graph.tables_of(named, schema)

    def _rows(self, text: str, **parameters: Any) -> Iterator[Record]:
        found = self._transaction.run(text, parameters)
        names = found.keys()
        for row in found:
            yield dict(zip(names, row.values(), strict=True))

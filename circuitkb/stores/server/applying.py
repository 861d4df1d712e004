"""Changes as statements: new nodes, new relations, changed properties, in batches of rows.

Relations go as lists of values, column by column known from the schema: half the bytes of maps, and
the properties stand in the text of the statement, which the server plans once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from circuitkb.schema.definition import RELATIONS
from circuitkb.schema.errors import StoreError
from circuitkb.schema.tables import Relations
from circuitkb.stores.changes import Changes, Update
from circuitkb.stores.one_ahead import one_ahead
from circuitkb.stores.property_rows import property_rows, value_lists
from circuitkb.stores.server.arrays import refer
from circuitkb.stores.server.faults import no_memory, out_of_memory

if TYPE_CHECKING:
    from neo4j import ManagedTransaction, Transaction

ROWS_AT_ONCE = 5_000

_RELATIONS = {item.name for item in RELATIONS}


@dataclass(frozen=True)
class WriteStatement:
    """A text with its parameters, for ``rows`` rows."""

    text: str
    parameters: dict[str, Any]
    rows: int

    def run(self, transaction: Transaction | ManagedTransaction) -> int:
        """Run it and return how many nodes and relations it made.

        Raises
        ------
        StoreFullError
            The server had too little memory. The driver takes this for passing, and would try
            for as long as it may.
        """
        from neo4j.exceptions import Neo4jError

        try:
            counters = transaction.run(self.text, self.parameters).consume().counters
        except Neo4jError as error:
            if out_of_memory(error):
                raise no_memory() from error
            raise
        return counters.nodes_created + counters.relationships_created


def slices(table: pa.Table) -> Iterator[pa.Table]:
    """Give the rows of a table, ``ROWS_AT_ONCE`` at a time."""
    for start in range(0, table.num_rows, ROWS_AT_ONCE):
        yield table.slice(start, ROWS_AT_ONCE)


def create_nodes(label: str, table: pa.Table) -> WriteStatement:
    """Return what makes the nodes of a table."""
    text = f"UNWIND $rows AS row CREATE (n:`{label}`) SET n = row"
    return WriteStatement(text, {"rows": property_rows(table)}, table.num_rows)


def create_relations(
    item: Relations, source: str, target: str, **parameters: Any
) -> WriteStatement:
    """Return what makes relations between nodes that are there.

    Parameters
    ----------
    item
        The rows.
    source, target
        Patterns of the ends, in which ``row[0]`` and ``row[1]`` are their ids.
    parameters
        What the patterns refer to.
    """
    given = [c for c in item.table.column_names if item.table[c].null_count < item.table.num_rows]
    names = ["source", "target", *(c for c in given if c not in ("source", "target"))]
    listed = ", ".join(f"`{name}`: row[{place}]" for place, name in enumerate(names) if place > 1)
    text = (
        f"UNWIND $rows AS row MATCH {source} MATCH {target} "
        f"CREATE (a)-[:`{item.name}` {{{listed}}}]->(b)"
    )
    rows = value_lists(item.table.select(names))
    return WriteStatement(text, {"rows": rows, **parameters}, len(rows))


def by_id(variable: str, label: str, place: int) -> str:
    """Return the pattern of a node whose id stands at ``place`` of a row."""
    return f"({variable}:`{label}` {{id: row[{place}]}})"


def node_statements(changes: Changes) -> Iterator[WriteStatement]:
    """Give what makes the new nodes."""
    for label, table in changes.nodes.items():
        for part in slices(table):
            yield create_nodes(label, part)


def relation_statements(relations: Iterable[Relations]) -> Iterator[WriteStatement]:
    """Give what makes new relations between nodes with their labels."""
    for item in relations:
        for part in slices(item.table):
            piece = Relations(item.name, item.source_label, item.target_label, part)
            yield create_relations(
                piece, by_id("a", item.source_label, 0), by_id("b", item.target_label, 1)
            )


def update_statements(updates: Iterable[Update]) -> Iterator[WriteStatement]:
    """Give what sets changed properties."""
    kinds: dict[bool, list[list[Any]]] = {True: [], False: []}
    for update in updates:
        kinds[update.type in _RELATIONS].append([update.record, update.properties])
    for is_relation, rows in kinds.items():
        pattern = "()-[n]->()" if is_relation else "(n)"
        text = f"UNWIND $rows AS row MATCH {pattern} WHERE elementId(n) = row[0] SET n += row[1]"
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            yield WriteStatement(text, {"rows": part}, len(part))


def run_all(
    transaction: Transaction | ManagedTransaction, statements: Iterable[WriteStatement]
) -> None:
    """Run statements, each made while the last one runs."""
    for statement in one_ahead(statements):
        statement.run(transaction)


def make_all(
    transaction: Transaction | ManagedTransaction, statements: Iterable[WriteStatement]
) -> None:
    """Run statements that make one node or relation for each row.

    Raises
    ------
    StoreError
        A node that a relation was to join is gone.
    """
    for statement in one_ahead(statements):
        if statement.run(transaction) != statement.rows:
            raise StoreError(
                "Somebody removed nodes from the knowledge base meanwhile; nothing was changed."
            )


def refer_to_arrays(transaction: Transaction | ManagedTransaction, changes: Changes) -> None:
    """Let the graph refer to the files beside it that the changes bring."""
    for kind, key, name, _ in changes.files():
        refer(transaction, kind, key, name)

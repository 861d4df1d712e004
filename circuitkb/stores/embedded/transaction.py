"""Changes in one transaction of the engine, and the proof that they are in it before it counts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from circuitkb.schema.tables import Relations
from circuitkb.stores.changes import Changes
from circuitkb.stores.embedded.bulk import check_values, lost, update
from circuitkb.stores.embedded.engine import engine_error
from circuitkb.stores.embedded.pointwise_tables import taken_apart
from circuitkb.stores.embedded.read_only import Graph
from circuitkb.stores.property_rows import property_rows

_ROWS_AT_ONCE = 1_000
ENDS = "WHERE elementId(a) = row.source AND elementId(b) = row.target "


def transact(changes: Changes, graph: Graph, database: Any) -> None:
    """Make all changes in a database, or none; ``graph`` asks the same database.

    Raises
    ------
    StoreError
        The engine did not take every row; nothing was changed.
    """
    database.begin()
    try:
        records = {label: dict(known) for label, known in changes.records.items()}
        for label, table in changes.nodes.items():
            database.insert_many(label, property_rows(table))
            names = table["id"].to_pylist()
            made = graph.numbers(label, names)
            if len(made) != len(names):
                raise lost(label)
            records.setdefault(label, {}).update(made)
        for item in changes.relations:
            _join(item, records, database)
        for one in changes.updates:
            update(one, database)
        check_values(changes.updates, graph)
    except BaseException:
        with suppress(engine_error()):
            database.rollback()
        raise
    database.commit()


def _join(item: Relations, records: Mapping[str, Mapping[str, str]], database: Any) -> None:
    """Add relations, all new."""
    text = (
        "UNWIND $rows AS row MATCH (a), (b) "
        f"{ENDS}"
        f"CREATE (a)-[r:`{item.name}`]->(b) SET r += row.properties RETURN count(r) AS n"
    )
    sources, targets = records[item.source_label], records[item.target_label]
    for start in range(0, item.table.num_rows, _ROWS_AT_ONCE):
        table = item.table.slice(start, _ROWS_AT_ONCE)
        ends = zip(table["source"].to_pylist(), table["target"].to_pylist(), strict=True)
        own = taken_apart(item.name, table.drop_columns(["source", "target"]))
        rows = [
            {"source": sources[a], "target": targets[b], "properties": properties}
            for (a, b), properties in zip(ends, property_rows(own), strict=True)
        ]
        with database.command("opencypher", text, {"rows": rows}) as results:
            made = sum(int(row.to_dict()["n"]) for row in results)
        if made != len(rows):
            raise lost(item.name)

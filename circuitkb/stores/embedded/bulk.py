"""Changes into a database that nobody else sees yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from circuitkb.schema.errors import StoreError
from circuitkb.stores.changes import Changes, Update
from circuitkb.stores.embedded.edge_loading import load_relations, shortcut
from circuitkb.stores.embedded.engine import open_for_writing
from circuitkb.stores.embedded.pointwise import IN_CYPHER, NUMBER, WEIGHT, following
from circuitkb.stores.embedded.read_only import Graph
from circuitkb.stores.property_rows import property_rows
from circuitkb.stores.property_text import property_text

_UPDATES_IN_A_COMMIT = 20_000
_ROWS_IN_A_COMMIT = 1_000  # larger ones take longer to join nodes that have many relations
_EDGES_BUFFERED = 20_000  # with 100,000 the engine takes a quarter more time, and memory


def apply(changes: Changes, graph: Path) -> None:
    """Make the changes in the database in ``graph``."""
    with closing(open_for_writing(graph)) as database:
        _add(changes, database)
        _update(changes, database)


def _add(changes: Changes, database: Any) -> None:
    edges = sum(item.table.num_rows for item in changes.relations)
    if not (edges or changes.nodes):
        return
    # Without the engine's write-ahead log: the whole database is thrown away if anything fails.
    with database.graph_batch(
        expected_edge_count=edges,
        batch_size=_EDGES_BUFFERED,
        commit_every=_ROWS_IN_A_COMMIT,
        use_wal=False,
        light_edges=False,
        bidirectional=True,
    ) as batch:
        records = {label: dict(known) for label, known in changes.records.items()}
        for label, table in changes.nodes.items():
            names = table["id"].to_pylist()
            made = _load_nodes(batch, label, table)
            records.setdefault(label, {}).update(zip(names, made, strict=True))
        load_relations(batch, changes.relations, records)


def _load_nodes(batch: Any, label: str, table: pa.Table) -> list[str]:
    """Add nodes, a transaction's worth at a time; return the engine's number of each."""
    send = shortcut(batch, "create_vertices")
    made: list[str] = []
    for start in range(0, table.num_rows, _ROWS_IN_A_COMMIT):
        rows = table.slice(start, _ROWS_IN_A_COMMIT)
        if send is None:
            made += batch.create_vertices(label, property_rows(rows))
        else:
            text = f'{{"type": {json.dumps(label)}, "rows": {property_text(rows)}}}'
            made += send(text)["rids"]
    return made


def _update(changes: Changes, database: Any) -> None:
    if not changes.updates:
        return
    database.begin()
    for done, one in enumerate(changes.updates, 1):
        update(one, database)
        if done % _UPDATES_IN_A_COMMIT == 0:
            database.commit()
            database.begin()
    database.commit()


def update(one: Update, database: Any) -> None:
    """Set properties in a transaction that is open."""
    given = one.properties
    if one.type == WEIGHT and not IN_CYPHER.keys().isdisjoint(given):
        given = {**_following(one.record, database), **given}
    text = f"UPDATE `{one.type}` MERGE :given WHERE @rid = :record"
    database.command("sql", text, {"given": given, "record": one.record}).close()


def _following(record: str, database: Any) -> dict[str, Any]:
    """Return what a weight needs that is no longer one number."""
    with database.query("sql", f"SELECT `{NUMBER}` AS n FROM {record}") as results:
        number = next((result.get("n") for result in results), None)
    return {} if number is None else {**following(number), NUMBER: None}


def check_values(updates: Sequence[Update], graph: Graph) -> None:
    """Ask a graph whether every property has the value that it was given.

    Raises
    ------
    StoreError
        One has another.
    """
    alike: dict[tuple[str, ...], dict[str, Update]] = {}
    for one in updates:
        alike.setdefault((one.type, *one.properties), {})[one.record] = one
    for (kind, *names), alone in alike.items():
        stored = graph.values_of(alone, names)
        for record, one in alone.items():
            if stored.get(record) != one.properties:
                raise lost(kind)


def lost(what: str) -> StoreError:
    """Return the error of rows that the engine took and did not write."""
    return StoreError(
        f"The engine did not bring every row to the disk ({what}); nothing was changed. "
        f"Its log tells why, if ARCADEDB_LOG_DIR names a directory for it."
    )

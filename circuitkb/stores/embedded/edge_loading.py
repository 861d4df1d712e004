"""Many relations into the engine at once: written as JSON in one thread while it reads another.

The package's own ``new_edges`` walks through every value in Python before it writes the JSON, and
the engine waits meanwhile. Here the JSON is made column by column, by a thread ahead, and handed to
the same entry point. Should the package not have that entry point, its public method is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from circuitkb.schema.tables import Relations
from circuitkb.stores.one_ahead import one_ahead
from circuitkb.stores.property_rows import Rows, property_rows
from circuitkb.stores.property_text import property_text

RELATIONS_AT_ONCE = 2_000
"""With 10,000 the engine takes a tenth more time, since it keeps more of what it has read."""


def load_relations(
    batch: Any, relations: Iterable[Relations], records: Mapping[str, Mapping[str, str]]
) -> None:
    """Add relations to an open graph batch of the engine.

    Parameters
    ----------
    batch
        What ``database.graph_batch()`` gave.
    relations
        All new; both ends are known.
    records
        For each label, the engine's number of each node by its id.
    """

    send = shortcut(batch, "new_edges")

    def ends(item: Relations) -> tuple[list[str], list[str]]:
        source, target = records[item.source_label], records[item.target_label]
        starts, goals = item.table["source"].to_pylist(), item.table["target"].to_pylist()
        return [source[i] for i in starts], [target[i] for i in goals]

    def rows(item: Relations) -> tuple[list[str], str, list[str], list[Rows]]:
        starts, goals = ends(item)
        return starts, item.name, goals, property_rows(_properties(item))

    def text(item: Relations) -> str:
        starts, goals = ends(item)
        head = json.dumps({"type": item.name, "src": starts, "dst": goals})
        return f'{head[:-1]}, "props": {property_text(_properties(item))}}}'

    if send is None:
        for made in one_ahead(map(rows, _pieces(relations))):
            batch.new_edges(*made)
    else:
        for written in one_ahead(map(text, _pieces(relations))):
            send(written)


def _properties(item: Relations) -> pa.Table:
    return item.table.drop_columns(["source", "target"])


def shortcut(batch: Any, verb: str) -> Callable[[str], dict[str, Any]] | None:
    """Return what hands JSON to the engine, or None where the package has no such entry point."""
    try:
        from arcadedb._native.extras import NativeGraphBatch, _call
    except ImportError:
        return None
    if not isinstance(batch, NativeGraphBatch):
        return None

    def send(text: str) -> dict[str, Any]:
        reply: dict[str, Any] = _call(
            f"Failed: {verb}", "arcadedb_n_gb", batch._gb, verb.encode(), text.encode()
        )
        return reply

    return send


def _pieces(relations: Iterable[Relations]) -> Iterator[Relations]:
    for item in relations:
        for start in range(0, item.table.num_rows, RELATIONS_AT_ONCE):
            table = item.table.slice(start, RELATIONS_AT_ONCE)
            yield Relations(item.name, item.source_label, item.target_label, table)

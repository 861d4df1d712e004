"""Many relations into the engine at once: written as JSON in one thread while it reads another.

The package's own ``new_edges`` walks through every value in Python before it writes the JSON, and
the engine waits meanwhile. Here the JSON is made column by column, by a thread ahead, and handed to
the same entry point. Should the package not have that entry point, its public method is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import pyarrow as pa

from circuitkb.schema.tables import Relations
from circuitkb.stores.embedded.lookup import Lookup
from circuitkb.stores.embedded.pointwise import WEIGHT
from circuitkb.stores.embedded.pointwise_tables import taken_apart
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

    numbers = {
        label: Lookup(
            pa.array(list(known), pa.string()), pa.array(list(known.values()), pa.string())
        )
        for label, known in records.items()
    }
    weights: list[Iterator[_Piece]] = []
    others: list[Iterator[_Piece]] = []
    for item in relations:
        (weights if item.name == WEIGHT else others).append(_pieces(item, numbers))
    # In one flush with others, 14,000 weights take three times as long where millions are.
    _send(batch, chain.from_iterable(weights))
    if weights and others:
        batch.flush()
    # A node that has some of each kind is then written once for all of them.
    turns = zip_longest(*others)
    _send(batch, (piece for turn in turns for piece in turn if piece is not None))


def _send(batch: Any, pieces: Iterator[_Piece]) -> None:
    send = shortcut(batch, "new_edges")
    if send is None:
        for made in one_ahead(map(_rows, pieces)):
            batch.new_edges(*made)
    else:
        for written in one_ahead(map(_text, pieces)):
            send(written)


@dataclass(frozen=True)
class _Piece:
    """Some relations of a kind: the numbers of their ends, and their properties."""

    name: str
    starts: pa.Array
    goals: pa.Array
    properties: pa.Table


def _pieces(item: Relations, numbers: Mapping[str, Lookup]) -> Iterator[_Piece]:
    starts = numbers[item.source_label].of(item.table["source"])
    goals = numbers[item.target_label].of(item.table["target"])
    properties = taken_apart(item.name, item.table.drop_columns(["source", "target"]))
    for start in range(0, item.table.num_rows, RELATIONS_AT_ONCE):
        parts = (whole.slice(start, RELATIONS_AT_ONCE) for whole in (starts, goals, properties))
        yield _Piece(item.name, *parts)


def _rows(piece: _Piece) -> tuple[list[str], str, list[str], list[Rows]]:
    rows = property_rows(piece.properties)
    return piece.starts.to_pylist(), piece.name, piece.goals.to_pylist(), rows


def _text(piece: _Piece) -> str:
    starts, goals = (
        '"' + '","'.join(each.to_pylist()) + '"' for each in (piece.starts, piece.goals)
    )
    return (
        f'{{"type": {json.dumps(piece.name)}, "src": [{starts}], "dst": [{goals}], '
        f'"props": {property_text(piece.properties)}}}'
    )


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

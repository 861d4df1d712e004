"""What every format asks of a store: its pieces in order, and how far they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.progress import Progress
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.base import Store

_PATIENCE = 600.0


def counts_in(store: Store) -> dict[str, int]:
    """Return the number of nodes and relations in a store, by label and name."""
    counts = {node.label: _count(store, f"(n:`{node.label}`)") for node in NODES}
    for relation in RELATIONS:
        counts[relation.name] = sum(
            _count(store, f"(:`{source}`)-[n:`{relation.name}`]->(:`{target}`)")
            for source, target in relation.endpoints
        )
    return counts


def _count(store: Store, pattern: str) -> int:
    answer = store.read(f"MATCH {pattern} RETURN count(n)", timeout=_PATIENCE)
    return int(answer.rows[0][0])


def pieces_of(
    store: Store, models: Sequence[str] | None, progress: Progress
) -> Iterator[GraphRows]:
    """Give what a store exports, and tell how far it is.

    How much of the store some models are shows only at the end: the share told is one of all.
    """
    total = max(1, sum((store.recorded_counts() or counts_in(store)).values()))
    seen = 0
    progress("reading the graph", 0.0)
    for piece in store.export(models):
        seen += sum(piece.counts().values())
        beside = [*piece.kernels, *piece.responses, *piece.pictures]
        doing = f"{beside[0]}: arrays" if beside else f"{seen:,} rows"
        yield piece
        progress(doing, min(0.99, seen / total))

"""Tables of weights, kept between questions: reading all kernels of a network takes seconds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from circuitkb.patterns.edge_table import EdgeTable, Numbering, edge_table
from circuitkb.stores.base import Store

MOST = 100_000_000
"""Weights that are kept at most; the ones longest unused go first."""


@dataclass
class KeptTables:
    """The tables that questions needed last, by the weights of the models that they are of."""

    _tables: OrderedDict[tuple[tuple[str, str], ...], tuple[Numbering, dict[str, EdgeTable]]] = (
        field(default_factory=OrderedDict)
    )

    def take(
        self,
        store: Store,
        models: Mapping[str, str],
        columns: Collection[str],
        max_rank: int | None,
    ) -> tuple[Numbering, list[EdgeTable]]:
        """Return the weights of some models, with these columns and up to this rank.

        ``models`` gives the fingerprint of each: weights cannot change under it, so tables that
        are here are used where they have all of it.
        """
        key = tuple(models.items())
        if key not in self._tables:
            connections = {model: store.kernels(model) for model in models}
            self._tables[key] = Numbering.of(connections), {}
        self._tables.move_to_end(key)
        numbering, kept = self._tables[key]
        for model in models:
            if model not in kept or not kept[model].has(columns, max_rank):
                wanted = set(columns)
                rank = max_rank
                if model in kept:  # what was asked for before will be asked for again
                    wanted |= set(kept[model].table.column_names) - {"source", "target"}
                    if kept[model].max_rank is None:
                        rank = None
                kept[model] = edge_table(
                    store.kernels(model), numbering, model, columns=wanted, max_rank=rank
                )
        self._drop(key)
        return numbering, [kept[model] for model in models]

    def _drop(self, newest: tuple[tuple[str, str], ...]) -> None:
        while self._size() > MOST and len(self._tables) > 1:
            oldest = next(key for key in self._tables if key != newest)
            del self._tables[oldest]

    def _size(self) -> int:
        return sum(len(t.table) for _, kept in self._tables.values() for t in kept.values())

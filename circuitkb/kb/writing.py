"""What the verbs of a knowledge base that write stand on: its store, and the one way to write."""

from __future__ import annotations

from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.base import Store


class Writing:
    """Gives a knowledge base the way in which its verbs write."""

    store: Store

    def _write(self, rows: GraphRows, progress: Progress = silent) -> None:
        """Write rows whole or not at all, and join to them the annotations that waited for them."""
        from circuitkb.annotations.resolving import resolve

        self.store.write(rows, progress)
        resolve(self.store)

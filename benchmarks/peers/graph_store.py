"""A store of circuitkb as a peer: the embedded one, or a Neo4j server."""

from __future__ import annotations

from collections.abc import Iterable

from circuitkb.schema.tables import GraphRows
from circuitkb.stores import Store, open_store

from .questions import COLUMNS, UNIONS, Question, Rows


class GraphStore:
    """Writes model after model, as a lab loads them, and asks in Cypher.

    Parameters
    ----------
    address
        Path or URL.
    patience
        Seconds that a query may run.
    """

    def __init__(self, address: str, patience: float = 600) -> None:
        self._address = address
        self._patience = patience
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The store, opened at its first use."""
        if self._store is None:
            self._store = open_store(self._address)
        return self._store

    def load(self, pieces: Iterable[GraphRows]) -> None:
        """Write each piece whole."""
        for rows in pieces:
            self.store.write(rows)

    def open(self) -> None:
        """Open the store and count its models."""
        self.store.read("MATCH (m:Model) RETURN count(m) AS models")

    def answer(self, question: Question) -> Rows:
        """Return the rows of a question, of the union question those columns that are compared."""
        given = self.store.read(
            question.cypher, question.parameters, timeout=self._patience, limit=None
        )
        if question.name != UNIONS:
            return given.rows
        places = [given.columns.index(name) for name in COLUMNS]
        return [tuple(row[place] for place in places) for row in given.rows]

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

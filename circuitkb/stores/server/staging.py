"""Large writes: in many transactions that nobody sees, and a last one that shows all of it.

One transaction for a million relations would need gigabytes of the server's memory. So new nodes
are made with the label ``CircuitKBUnfinished`` in place of their own, the relations between them
(and to known nodes) after them, batch by batch. The last transaction gives the nodes their labels.
Until then no pattern that names a label meets any of it.

A node ``CircuitKBWrite`` keeps how far the write is; its id is the hash of what is written. Each
batch moves it on in its own transaction, so a batch is never done twice, and the same write begun
again goes on where it stopped. What nobody goes on with is removed by a later write.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from circuitkb.schema.errors import StoreBusyError
from circuitkb.schema.progress import Progress
from circuitkb.schema.tables import Relations
from circuitkb.stores.changes import Changes
from circuitkb.stores.one_ahead import one_ahead
from circuitkb.stores.property_rows import property_rows
from circuitkb.stores.server import applying
from circuitkb.stores.server.applying import WriteStatement, by_id, create_relations, slices
from circuitkb.stores.server.marker import UNFINISHED, WRITE

if TYPE_CHECKING:
    from neo4j import ManagedTransaction, Session

LEASE = 30.0
"""Seconds without a sign of life after which somebody else may go on with a write."""

FORGOTTEN = 3_600.0
"""Seconds without a sign of life after which a later write removes what was begun."""

_KEY = "circuitkb_key"
_NODES_AT_ONCE = 500


class Lost(Exception):
    """Somebody else went on with this write, or removed it."""


class StagedWrite:
    """One large write on its way.

    Parameters
    ----------
    changes
        What is to be written; the new nodes and whatever joins them are staged here.
    """

    def __init__(self, changes: Changes) -> None:
        self._nodes = changes.nodes
        self._new = {label: table["id"] for label, table in changes.nodes.items()}
        self._relations = [part for item in changes.relations for part in self._split(item)]
        self.id = _digest(self._nodes, [item for item, *_ in self._relations])
        self._token = str(uuid4())
        tables = [*self._nodes.values(), *(item.table for item, *_ in self._relations)]
        self._rows = sum(table.num_rows for table in tables)

    @property
    def ids(self) -> dict[str, set[str]]:
        """The ids of the nodes that are staged, by label."""
        return {label: set(ids.to_pylist()) for label, ids in self._new.items()}

    def direct(self, relations: list[Relations]) -> list[Relations]:
        """Return those relations that join known nodes only, and so are not staged."""
        return [
            part
            for item in relations
            for part, source, target in self._cut(item)
            if not (source or target)
        ]

    def run(self, session: Session, progress: Progress, doing: str) -> None:
        """Bring every batch to the server that is not there yet.

        Raises
        ------
        StoreBusyError
            Another process is writing the same.
        Lost
            Another one went on with it, or removed it.
        """
        done = self._begin(session)
        rows = 0
        try:
            for number, statement in enumerate(one_ahead(self._batches())):
                if number >= done:
                    session.execute_write(self._step, number, statement)
                rows += statement.rows
                progress(doing, rows / self._rows)
        except BaseException:
            self._release(session)
            raise

    def is_there(self, transaction: ManagedTransaction) -> bool:
        """Return whether it is still on its way."""
        text = f"MATCH (w:{WRITE} {{id: $id}}) RETURN w.id"
        return transaction.run(text, id=self.id).single() is not None

    def show(self, transaction: ManagedTransaction) -> None:
        """Give the staged nodes their labels; part of the last transaction.

        Raises
        ------
        Lost
            Another one went on with it, or removed it.
        """
        text = f"MATCH (w:{WRITE} {{id: $id, token: $token}}) DELETE w RETURN count(*) AS n"
        if transaction.run(text, id=self.id, token=self._token).single(strict=True)["n"] != 1:
            raise Lost
        for label, table in self._nodes.items():
            shown = transaction.run(
                f"MATCH (n:{UNFINISHED}) WHERE n.{_KEY} STARTS WITH $prefix "
                f"SET n:`{label}` REMOVE n:{UNFINISHED}, n.{_KEY} RETURN count(*) AS n",
                prefix=self._prefix(label),
            ).single(strict=True)["n"]
            if shown != table.num_rows:
                raise Lost

    def abandon(self, session: Session) -> None:
        """Remove what was staged, unless somebody else goes on with it."""
        text = f"MATCH (w:{WRITE} {{id: $id, token: $token}}) SET w.done = -1 RETURN 1"
        if session.execute_write(
            lambda transaction: transaction.run(text, id=self.id, token=self._token).single()
        ):
            _remove(session, self.id)

    def _release(self, session: Session) -> None:
        """Let whoever writes the same go on at once, if the server can still be told."""
        from neo4j.exceptions import DriverError, Neo4jError

        text = f"MATCH (w:{WRITE} {{id: $id, token: $token}}) SET w.token = ''"
        with suppress(DriverError, Neo4jError):
            session.run(text, id=self.id, token=self._token).consume()

    def _begin(self, session: Session) -> int:
        """Return how many batches are done, once nobody else does them."""
        until = time.monotonic() + LEASE + 5
        waited = False
        while True:
            done = session.execute_write(self._take)
            if done is not None:
                if done < 0 or (waited and done == 0):  # half removed, or written by the other one
                    raise Lost
                return int(done)
            waited = True
            if time.monotonic() > until:
                raise StoreBusyError(
                    "Another process is writing the same just now: wait until it is done."
                )
            time.sleep(0.5)

    def _take(self, transaction: ManagedTransaction) -> int | None:
        row = transaction.run(
            f"MERGE (w:{WRITE} {{id: $id}}) "
            "ON CREATE SET w.token = $token, w.done = 0, w.renewed = timestamp() "
            "WITH w, w.token IN [$token, ''] OR timestamp() - w.renewed > $lease AS mine "
            "SET w.token = CASE WHEN mine THEN $token ELSE w.token END, "
            "w.renewed = CASE WHEN mine THEN timestamp() ELSE w.renewed END "
            "RETURN mine, w.done AS done",
            id=self.id,
            token=self._token,
            lease=int(LEASE * 1000),
        ).single(strict=True)
        return row["done"] if row["mine"] else None

    def _step(
        self, transaction: ManagedTransaction, number: int, statement: WriteStatement
    ) -> None:
        row = transaction.run(
            f"MATCH (w:{WRITE} {{id: $id, token: $token}}) WITH w, w.done AS done "
            "SET w.renewed = timestamp(), "
            "w.done = CASE WHEN done > $number THEN done ELSE $number + 1 END RETURN done",
            id=self.id,
            token=self._token,
            number=number,
        ).single()
        if row is None:
            raise Lost
        if row["done"] <= number:  # else it is done: the answer to its commit was lost
            made = statement.run(transaction)
            if made != statement.rows:
                raise Lost

    def _batches(self) -> Iterator[WriteStatement]:
        for label, table in self._nodes.items():
            text = (
                f"UNWIND $rows AS row CREATE (n:{UNFINISHED}) "
                f"SET n = row, n.{_KEY} = $prefix + row.id"
            )
            for part in slices(table):
                given = {"rows": property_rows(part), "prefix": self._prefix(label)}
                yield WriteStatement(text, given, part.num_rows)
        for item, new_source, new_target in self._relations:
            source = _staged("a", 0) if new_source else by_id("a", item.source_label, 0)
            target = _staged("b", 1) if new_target else by_id("b", item.target_label, 1)
            prefixes = [self._prefix(item.source_label), self._prefix(item.target_label)]
            for part in slices(item.table):
                piece = Relations(item.name, item.source_label, item.target_label, part)
                yield create_relations(piece, source, target, prefixes=prefixes)

    def _split(self, item: Relations) -> Iterator[tuple[Relations, bool, bool]]:
        return (cut for cut in self._cut(item) if cut[1] or cut[2])

    def _cut(self, item: Relations) -> Iterator[tuple[Relations, bool, bool]]:
        """Give the rows of ``item`` by which of their ends are new."""
        ends = (("source", item.source_label), ("target", item.target_label))
        of_source, of_target = (
            pc.is_in(item.table[end], self._new[label].combine_chunks())
            if label in self._new
            else pa.chunked_array([pa.repeat(False, item.table.num_rows)])
            for end, label in ends
        )
        for source in (True, False):
            for target in (True, False):
                chosen = pc.and_(pc.equal(of_source, source), pc.equal(of_target, target))
                table = item.table.filter(chosen)
                if table.num_rows:
                    found = Relations(item.name, item.source_label, item.target_label, table)
                    yield found, source, target

    def _prefix(self, label: str) -> str:
        return f"{self.id}/{label}/"


def _staged(variable: str, place: int) -> str:
    return f"({variable}:{UNFINISHED} {{{_KEY}: $prefixes[{place}] + row[{place}]}})"


def _remove(session: Session, write: str) -> None:
    """Remove everything that a write has staged."""
    prefix = f"{write}/"
    text = (
        f"MATCH (n:{UNFINISHED}) WHERE n.{_KEY} STARTS WITH $prefix "
        "WITH n LIMIT $limit DETACH DELETE n RETURN count(*) AS n"
    )
    while session.execute_write(
        lambda transaction: transaction.run(text, prefix=prefix, limit=_NODES_AT_ONCE).single(
            strict=True
        )["n"]
    ):
        pass
    session.run(f"MATCH (w:{WRITE} {{id: $id}}) DELETE w", id=write).consume()


def remove_forgotten(session: Session) -> None:
    """Remove what writes have staged that nobody went on with for long."""
    text = (
        f"MATCH (w:{WRITE}) WHERE timestamp() - w.renewed > $age "
        "SET w.token = '', w.done = -1, w.renewed = timestamp() RETURN w.id AS id"
    )
    found: list[str] = session.execute_write(
        lambda transaction: [row["id"] for row in transaction.run(text, age=int(FORGOTTEN * 1000))]
    )
    for write in found:
        _remove(session, write)


def _digest(nodes: dict[str, pa.Table], relations: list[Relations]) -> str:
    digest = hashlib.sha256(str(applying.ROWS_AT_ONCE).encode())  # batches are counted

    def add(what: Any, table: pa.Table) -> None:
        digest.update(repr(what).encode())
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table.combine_chunks())
        digest.update(sink.getvalue())

    for label, table in nodes.items():
        add(label, table)
    for item in relations:
        add((item.name, item.source_label, item.target_label), item.table)
    return digest.hexdigest()[:32]

"""A write on a server: whole or not at all, once, whoever else writes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from circuitkb.schema.errors import (
    ModelConflictError,
    SchemaError,
    StoreBusyError,
    StoreUnreachableError,
)
from circuitkb.schema.progress import Progress
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.arrays.formats import beside
from circuitkb.stores.changes import Changes, changes_of
from circuitkb.stores.server import arrays
from circuitkb.stores.server.address import ServerAddress
from circuitkb.stores.server.applying import (
    make_all,
    node_statements,
    refer_to_arrays,
    relation_statements,
    run_all,
    update_statements,
)
from circuitkb.stores.server.arrays import Files
from circuitkb.stores.server.faults import server_errors
from circuitkb.stores.server.graph import ServerGraph
from circuitkb.stores.server.marker import Marker, take_turn
from circuitkb.stores.server.staging import Lost, StagedWrite, remove_forgotten
from circuitkb.stores.stored_graph import StoredGraph

if TYPE_CHECKING:
    from neo4j import ManagedTransaction, Session

ROWS_IN_A_TRANSACTION = 20_000
"""Nodes and relations that one transaction makes; more of them are staged.

A relation with 13 properties takes 6 kB of the server's heap until it is committed.
"""

_ATTEMPTS = 10
_COMMITS = 3

Result = TypeVar("Result")

Made = Callable[[StoredGraph], GraphRows]
"""What makes the rows to write, of the graph as it is."""


class Writer:
    """Writes rows through one session.

    Parameters
    ----------
    session
        Open for writing.
    address, directory
        Where the graph is, for messages; where its arrays are.
    rows_in_a_transaction
        Larger writes are staged.
    """

    def __init__(
        self,
        session: Session,
        address: ServerAddress,
        directory: Path,
        rows_in_a_transaction: int = ROWS_IN_A_TRANSACTION,
    ) -> None:
        self._session = session
        self._address = address
        self._directory = directory
        self._most = rows_in_a_transaction

    def write(self, made: Made, progress: Progress) -> None:
        """Take all the rows that ``made`` makes of the graph, or none.

        It is called again where others wrote between its look at the graph and the write; see
        :meth:`circuitkb.stores.base.Store.write` and ``merge``.
        """
        doing = f"Writing to {self._address.text}"
        progress(doing, 0.0)
        with server_errors(self._address):
            remove_forgotten(self._session)
            for _ in range(_ATTEMPTS):
                seen, before, rows, changes = self._session.execute_read(self._compare, made)
                self._restore(rows, changes, before)
                if changes.nothing:
                    break
                arrays.save(changes, self._directory)
                if self._attempt(made, seen, changes, progress, doing):
                    after = self._session.execute_read(arrays.files_of)
                    arrays.clean(self._directory, before, after)
                    break
            else:
                raise StoreBusyError(
                    f"Others write the same to {self._address.text} all the time; nothing of this "
                    f"was written. Try again when they are done."
                )
        progress(doing, 1.0)

    def _attempt(
        self, made: Made, seen: int, changes: Changes, progress: Progress, doing: str
    ) -> bool:
        """Return whether the write took place; if not, others were quicker."""
        tables = [*changes.nodes.values(), *(item.table for item in changes.relations)]
        if sum(table.num_rows for table in tables) <= self._most:
            self._once(lambda transaction: self._small(transaction, made, seen, changes))
            return True
        staged = StagedWrite(changes)
        try:
            with server_errors(self._address):
                staged.run(self._session, progress, doing)
                self._once(lambda tx: self._large(tx, made, seen, changes, staged))
        except Lost:
            staged.abandon(self._session)
            return False
        except (ModelConflictError, SchemaError):  # by what another wrote meanwhile
            staged.abandon(self._session)
            raise
        except StoreUnreachableError as error:
            raise StoreUnreachableError(
                f"{error}\nNothing of the write can be seen. Run it again to go on where it ended."
            ) from error
        self._look_anew()
        return True

    def _look_anew(self) -> None:
        """Let the server count what its indexes hold, and forget plans made for another graph.

        It does so by itself, but some time later: until then, a question that was planned for an
        almost empty graph may take hundreds of times as long.
        """
        from neo4j.exceptions import DriverError, Neo4jError

        with suppress(DriverError, Neo4jError):  # a help, no part of the write
            self._session.run("CALL db.prepareForReplanning($seconds)", seconds=60).consume()

    def _compare(
        self, transaction: ManagedTransaction, made: Made
    ) -> tuple[int, Files, GraphRows, Changes]:
        row = transaction.run("MATCH (m:CircuitKB) RETURN m.writes AS writes").single(strict=True)
        files = arrays.files_of(transaction)
        graph = ServerGraph(transaction)
        rows = made(graph)
        return row["writes"], files, rows, changes_of(rows, graph, files)

    def _restore(self, rows: GraphRows, changes: Changes, before: Files) -> None:
        """Write the files that the graph refers to already, if they are not in this directory."""
        absent = Changes()
        for kind, key, value in beside(rows):
            if key not in changes.arrays.get(kind, {}):
                absent.arrays.setdefault(kind, {})[key] = before[kind][key], value
        arrays.save(absent, self._directory)

    def _small(
        self, transaction: ManagedTransaction, made: Made, seen: int, changes: Changes
    ) -> None:
        now = self._newest(transaction, made, seen, changes)
        make_all(transaction, node_statements(now))
        make_all(transaction, relation_statements(now.relations))
        run_all(transaction, update_statements(now.updates))
        refer_to_arrays(transaction, now)

    def _large(
        self,
        transaction: ManagedTransaction,
        made: Made,
        seen: int,
        changes: Changes,
        staged: StagedWrite,
    ) -> None:
        now = self._newest(transaction, made, seen, changes)
        if now.nothing and not staged.is_there(transaction):
            return  # it was shown before, and the answer to that commit was lost
        new = {label: set(table["id"].to_pylist()) for label, table in now.nodes.items()}
        if new != staged.ids:
            raise Lost
        staged.show(transaction)
        make_all(transaction, relation_statements(staged.direct(now.relations)))
        run_all(transaction, update_statements(now.updates))
        refer_to_arrays(transaction, now)

    def _newest(
        self, transaction: ManagedTransaction, made: Made, seen: int, changes: Changes
    ) -> Changes:
        """Take the turn; compare again if somebody wrote since ``changes`` were found."""
        marker: Marker = take_turn(transaction, self._address)
        if marker.writes == seen:
            return changes
        files = arrays.files_of(transaction)
        graph = ServerGraph(transaction)
        again = changes_of(made(graph), graph, files)
        arrays.save(again, self._directory)
        return again

    def _once(self, work: Callable[[Any], Result]) -> Result:
        """Run a transaction that may be run again: where the answer to its commit was lost."""
        from neo4j.exceptions import IncompleteCommit

        for _ in range(_COMMITS - 1):
            try:
                return self._session.execute_write(work)
            except IncompleteCommit:
                continue
        return self._session.execute_write(work)

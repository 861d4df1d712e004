"""The store on a Neo4j server; see :class:`circuitkb.stores.base.Store` for the verbs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitkb.schema.errors import StoreAccessError, StoreBusyError
from circuitkb.schema.kernels import Connection
from circuitkb.schema.pictures import Pictures, model_of
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import Responses
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.arrays.array_files import ARRAY_KINDS, ArrayKind
from circuitkb.stores.arrays.formats import FORMATS, of_kind
from circuitkb.stores.arrays.kernel_files import KernelFile
from circuitkb.stores.arrays.picture_files import load as load_pictures
from circuitkb.stores.arrays.response_files import load as load_responses
from circuitkb.stores.base import (
    DEFAULT_LIMIT,
    DEFAULT_TIMEOUT,
    Answer,
    Capability,
    Merge,
    missing,
)
from circuitkb.stores.disk.workspaces import checked_name, workspace
from circuitkb.stores.exporting import exported
from circuitkb.stores.findings import Finding
from circuitkb.stores.server import marker
from circuitkb.stores.server.address import ServerAddress
from circuitkb.stores.server.arrays import arrays_directory, check_arrays, files_of, path_of
from circuitkb.stores.server.connection import connect
from circuitkb.stores.server.faults import server_errors
from circuitkb.stores.server.graph import ServerGraph
from circuitkb.stores.server.reading import ask, pieces
from circuitkb.stores.server.writing import ROWS_IN_A_TRANSACTION, Made, Writer

if TYPE_CHECKING:
    from neo4j import Session


class ServerStore:
    """A knowledge base in one database of a Neo4j server.

    Any number of processes read and write. Writes take place one after the other, each whole or
    not at all; a reader sees what was finished before each of its queries began.

    Parameters
    ----------
    address
        As in ``bolt://ada@host:7687/zoo``.
    create
        Whether an empty database is an empty knowledge base, and not an error.
    arrays
        Directory of what lies beside the graph; else what ``CIRCUITKB_ARRAYS`` names, else the
        user's.
    rows_in_a_transaction
        Larger writes are staged; less takes less of the server's memory.

    Raises
    ------
    StoreNotFoundError, StoreVersionError, StoreUnreachableError, StoreAccessError, StoreError
    """

    def __init__(
        self,
        address: str,
        *,
        create: bool,
        arrays: Path | None = None,
        rows_in_a_transaction: int = ROWS_IN_A_TRANSACTION,
    ) -> None:
        self._address = ServerAddress.parse(address)
        self._arrays = arrays
        self._rows = rows_in_a_transaction
        self._driver = connect(self._address)
        try:
            with server_errors(self._address), self._session() as session:
                self._marker = marker.look(session, self._address)
                if self._marker is None and not create:
                    raise missing(address)
                self._labels = session.execute_read(marker.labels)
                if self._marker is not None and self._marker.statements != marker.statements():
                    with suppress(StoreAccessError), server_errors(self._address):
                        self._marker = marker.ensure(session, self._address)
        except BaseException:
            self._driver.close()
            raise

    @property
    def address(self) -> str:
        """URL, as the user gave it."""
        return self._address.text

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this engine can do."""
        return frozenset({Capability.CONCURRENT_WRITERS, Capability.LONG_POSITIONS})

    def ensure_schema(self) -> None:
        """Make the marker, constraints and indexes, if they are not there.

        Raises
        ------
        StoreAccessError
            The user may not.
        """
        with server_errors(self._address), self._session() as session:
            self._marker = marker.ensure(session, self._address)

    def write(self, rows: GraphRows, progress: Progress = silent) -> None:
        """Take all rows, and what lies beside the graph, or none; safe to repeat.

        A large write goes in many transactions, unseen until the last one: interrupted, it goes on
        where it stopped when the same rows are written again.

        Raises
        ------
        SchemaError
            Rows that do not fit the schema or each other.
        ModelConflictError
            A model is there under the same name with other weights.
        StoreUnreachableError, StoreAccessError, StoreBusyError, StoreFullError, StoreError
            Nothing of it can be seen.
        """
        self._write(lambda graph: rows, progress)

    def merge(self, merge: Merge, progress: Progress = silent) -> None:
        """Take all rows of a merge, or none; all its pieces are in memory at once.

        They are made anew where others wrote since, under the lock that lets nobody else write.

        Raises
        ------
        SchemaError, StoreUnreachableError, StoreAccessError, StoreBusyError, StoreError
            As :meth:`write`.
        """
        self._write(lambda graph: merge.rows(graph, 0, merge.pieces), progress)

    def _write(self, made: Made, progress: Progress) -> None:
        directory = self._directory()
        with server_errors(self._address), self._session() as session:
            Writer(session, self._address, directory, self._rows).write(made, progress)

    def read(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int | None = DEFAULT_LIMIT,
    ) -> Answer:
        """Run a query that may only read, within a time (seconds) and a number of rows.

        Raises
        ------
        CypherError, QueryRefusedError, QueryTimeoutError, StoreUnreachableError
        """
        with server_errors(self._address):
            return ask(
                self._session,
                cypher,
                parameters,
                timeout=timeout,
                limit=limit,
                labels=self._labels,
            )

    def stream(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        rows: int = DEFAULT_LIMIT,
    ) -> Iterator[Answer]:
        """Give all rows of a query that may only read, ``rows`` at a time.

        See :meth:`circuitkb.stores.base.Store.stream`.
        """
        with server_errors(self._address):
            yield from pieces(
                self._session,
                cypher,
                parameters,
                timeout=timeout,
                rows=rows,
                labels=self._labels,
            )

    def kernels(self, model: str) -> Sequence[Connection]:
        """Return the kernels of a model, memory-mapped; none for a model that has none."""
        path = self._file("kernels", model)
        return KernelFile(path) if path else ()

    def responses(self, model: str) -> Responses | None:
        """Return what a model answered to stimuli, memory-mapped; None if it was not observed."""
        path = self._file("responses", model)
        return load_responses(path) if path else None

    def pictures(self, key: str) -> Pictures | None:
        """Return the batch of pictures under a key, memory-mapped; None if there is none."""
        path = self._file("pictures", key)
        return load_pictures(path) if path else None

    def picture_keys(self, model: str) -> list[str]:
        """Return the keys of all batches of pictures that are about a model, in order."""
        with server_errors(self._address), self._session() as session:
            files = session.execute_read(files_of)
        return sorted(key for key in files["pictures"] if model_of(key) == model)

    def _file(self, kind: ArrayKind, model: str) -> Path | None:
        with server_errors(self._address), self._session() as session:
            files = session.execute_read(files_of)
        return path_of(self._directory(), files[kind], kind, model) if files[kind] else None

    def workspace(self, name: str) -> Path:
        """Return a folder for unfinished work, ``unfinished/NAME`` in the directory of the arrays.

        Raises
        ------
        IdError
            The name is none that a model could have.
        """
        checked_name(name)
        return workspace(self._directory(), name)

    def export(self, models: Sequence[str] | None = None) -> Iterator[GraphRows]:
        """Give everything in the store, or everything about some models, in pieces to write.

        Raises
        ------
        StoreBusyError
            Somebody wrote meanwhile; what was given may come from two states.
        """
        with server_errors(self._address), self._session() as session:
            transaction = session.begin_transaction()
            before = marker.read_marker(transaction)
            files = files_of(transaction)
            yield from exported(ServerGraph(transaction), models)
            if marker.read_marker(transaction) != before:
                raise StoreBusyError(
                    f"Somebody wrote to {self.address} while it was read: read it again."
                )
            transaction.close()
        chosen = None if models is None else set(models)
        for kind in ARRAY_KINDS:
            for key in sorted(files[kind]):
                if chosen is None or model_of(key) in chosen:
                    path = self._file(kind, key)
                    if path is not None:
                        yield of_kind(kind, key, FORMATS[kind].load(path))

    def check_files(self, progress: Progress = silent) -> Iterator[Finding]:
        """Compare every file of arrays with its name; those of the graph are the server's own."""
        with server_errors(self._address), self._session() as session:
            files = session.execute_read(files_of)
        yield from check_arrays(self._directory(), files, progress)

    def recorded_counts(self) -> Mapping[str, int] | None:
        """Return None: the server keeps no record beside the graph."""
        return None

    def close(self) -> None:
        """Close the connections; safe to repeat."""
        self._driver.close()

    def _session(self, **settings: Any) -> Session:
        # What this object wrote, it reads, whichever member of a cluster answers.
        bookmarks = self._driver.execute_query_bookmark_manager
        return self._driver.session(
            database=self._address.database, bookmark_manager=bookmarks, **settings
        )

    def _directory(self) -> Path:
        """Return the directory of the arrays, making the knowledge base if there is none yet."""
        if self._marker is None:
            self.ensure_schema()
        found = self._marker
        if found is None:
            raise missing(self.address)
        return arrays_directory(found.uuid, self._arrays)

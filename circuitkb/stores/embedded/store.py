"""The embedded store: a knowledge base in a directory, on ArcadeDB, without a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.arrays.array_files import ArrayKind
from circuitkb.stores.base import (
    DEFAULT_LIMIT,
    DEFAULT_TIMEOUT,
    Answer,
    Capability,
    Merge,
    missing,
)
from circuitkb.stores.disk.files import disk_errors
from circuitkb.stores.embedded.directory import StoreDirectory
from circuitkb.stores.embedded.generations import Generation
from circuitkb.stores.embedded.glancing import (
    Glances,
    State,
    look_at,
    look_at_arrays,
    queried,
    state_of,
)
from circuitkb.stores.embedded.queried import QueriedGraph, UserQuery
from circuitkb.stores.findings import Finding
from circuitkb.stores.querying.errors import check_limit, check_rows, check_timeout
from circuitkb.stores.stored_graph import StoredGraph

if TYPE_CHECKING:  # what writes needs Arrow and NumPy, which a question does not wait for
    from circuitkb.schema.kernels import Connection
    from circuitkb.schema.pictures import Pictures
    from circuitkb.schema.responses import Responses
    from circuitkb.schema.tables import GraphRows
    from circuitkb.stores.embedded.merging import Merging


class EmbeddedStore:
    """A knowledge base in a directory; see :class:`circuitkb.stores.base.Store` for the verbs.

    One writer at a time, in any process; any number of readers, each of which sees one whole
    state, and at every read the newest. A store that was never written reads as an empty one and
    is not on the disk yet. Reads of one object take turns; open another one to read in parallel.

    Raises
    ------
    StoreNotFoundError, StoreVersionError, StoreError
    """

    def __init__(self, path: Path, *, address: str, create: bool) -> None:
        self._address = address
        self._directory = StoreDirectory(path)
        if not self._directory.check() and not create:
            raise missing(address)
        self._graph: QueriedGraph | None = None
        self._state: State | None = None
        self._glances = Glances()
        self._turn = threading.RLock()

    @property
    def address(self) -> str:
        """Path, as the user gave it."""
        return self._address

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this engine can do."""
        return frozenset(
            {Capability.SNAPSHOT_READS, Capability.NOTHING_BESIDE, Capability.CHECKSUMS}
        )

    def ensure_schema(self) -> None:
        """Make the store on the disk, if it is not there."""
        self._merging().ensure_schema()

    def write(self, rows: GraphRows, progress: Progress = silent) -> None:
        """Take all rows, and what lies beside the graph, or none; safe to repeat.

        What the store holds already costs a comparison. A few rows are one transaction in the
        current state, while nobody reads it. Otherwise that is copied, changed, read back from
        the disk, and takes its place in one step.

        Raises
        ------
        SchemaError
            Rows that do not fit the schema or each other.
        StoreBusyError, StoreFullError, StoreError
            Nothing was changed.
        """
        self.merge(_Whole(rows), progress)

    def merge(self, merge: Merge, progress: Progress = silent) -> None:
        """Take all rows of a merge, or none, with one of its pieces in memory at a time.

        Raises
        ------
        SchemaError, StoreBusyError, StoreFullError, StoreError
            As :meth:`write`.
        """
        self._merging().merge(merge, f"Writing to {self._address}", progress)

    def _merging(self) -> Merging:
        from circuitkb.stores.embedded.merging import Merging

        return Merging(self._directory, self._glances)

    def read(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int | None = DEFAULT_LIMIT,
    ) -> Answer:
        """Run a query that may only read, within a time (seconds) and a number of rows.

        The columns are those of its last RETURN, in order; those of ``RETURN *`` are known only
        where there is a row. Dates come as ISO 8601 text, paths as lists.

        Raises
        ------
        CypherError
            It is no Cypher, or a parameter is missing; ``position`` is the spot where known.
        QueryRefusedError
            It would change something, read a file or the network, or call what may do so.
        QueryTimeoutError, QueryMemoryError
            It ran longer than ``timeout``, or took more memory than it may; it does not run on.
        """
        check_timeout(timeout)
        limit = check_limit(limit)
        query = UserQuery(cypher, parameters, timeout)
        with self._turn, self._leased() as newest:
            graph = self._open(newest, timeout)
            query.asked_of(graph.labels)
            try:
                return replace(graph.ask(query, limit=limit), cypher=query.cypher)
            finally:
                if graph.lost:
                    self._close()

    def stream(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        rows: int = DEFAULT_LIMIT,
    ) -> Iterator[Answer]:
        """Give all rows of a query that may only read, ``rows`` at a time, of one state.

        See :meth:`circuitkb.stores.base.Store.stream`. Others may read and write meanwhile.
        """
        check_timeout(timeout)
        rows = check_rows(rows)
        query = UserQuery(cypher, parameters, timeout)
        with self._leased() as newest:
            if newest:
                look_at(newest)
            with closing(queried(newest, timeout=timeout)) as graph:
                query.asked_of(graph.labels)
                for piece in graph.pieces(query, rows=rows):
                    yield replace(piece, cypher=query.cypher)

    def kernels(self, model: str) -> Sequence[Connection]:
        """Return the kernels of a model, memory-mapped; none for a model that has none."""
        from circuitkb.stores.arrays.kernel_files import KernelFile

        with self._file("kernels", model) as path:
            return KernelFile(path) if path else ()

    def responses(self, model: str) -> Responses | None:
        """Return what a model answered to stimuli, memory-mapped; None if it was not observed."""
        from circuitkb.stores.arrays.response_files import load

        with self._file("responses", model) as path:
            return load(path) if path else None

    def pictures(self, key: str) -> Pictures | None:
        """Return the batch of pictures under a key, memory-mapped; None if there is none."""
        from circuitkb.stores.arrays.picture_files import load

        with self._file("pictures", key) as path:
            return load(path) if path else None

    def picture_keys(self, model: str) -> list[str]:
        """Return the keys of all batches of pictures that are about a model, in order."""
        from circuitkb.schema.pictures import model_of

        with self._leased() as newest:
            keys = newest.files("pictures") if newest else {}
        return sorted(key for key in keys if model_of(key) == model)

    @contextmanager
    def _file(self, kind: ArrayKind, model: str) -> Iterator[Path | None]:
        """Give the file under a key, which stays for as long as the block takes to open it."""
        with self._leased() as newest:
            name = newest.files(kind).get(model) if newest else None
            if newest and name:
                look_at_arrays(newest, kind, name)
            yield self._directory.arrays(kind) / name if name else None

    def workspace(self, name: str) -> Path:
        """Return a folder for unfinished work, ``unfinished/NAME`` in the store's directory.

        It survives crashes and later writes; whoever finishes removes it.

        Raises
        ------
        IdError
            The name is none that a model could have.
        StoreError
            The disk cannot be written.
        """
        return self._directory.workspace(name)

    def export(self, models: Sequence[str] | None = None) -> Iterator[GraphRows]:
        """Give everything in the store, or everything about some models, in pieces to write.

        All pieces come from one state, whatever is written meanwhile; all of it is compared with
        its checksums first.

        Raises
        ------
        StoreDamagedError
            Something is not what was written.
        """
        from circuitkb.stores.embedded.verifying import verified

        with self._leased() as newest:
            if newest:
                yield from verified(newest, models)

    def check_files(self, progress: Progress = silent) -> Iterator[Finding]:
        """Compare every file with its checksums, and every file of arrays with its name."""
        from circuitkb.stores.embedded.checking import check_files

        return check_files(self._directory.path, progress)

    def recorded_counts(self) -> Mapping[str, int] | None:
        """Return how much of each kind was written; None in a state of an older version."""
        with self._leased() as newest:
            if newest is None:
                return {}
            checksums = newest.checksums()
        return checksums.counts if checksums else None

    def close(self) -> None:
        """Close the engine; safe to repeat."""
        with self._turn:
            self._close()

    @contextmanager
    def _leased(self) -> Iterator[Generation | None]:
        """Keep the newest state from being changed or removed while it is read."""
        lease = self._directory.lease()
        with closing(lease) if lease else nullcontext():
            yield lease.generation if lease else None

    def _open(self, newest: Generation | None, timeout: float) -> QueriedGraph:
        """Return the newest state, which is leased, open with this time limit."""
        state = state_of(newest) if newest else None
        graph = self._graph
        if graph is None or graph.lost or state != self._state or graph.timeout != timeout:
            self._close()
            with disk_errors(self._directory.path):
                if newest:
                    self._glances.look(newest)
                self._graph = graph = queried(newest, timeout=timeout)
                self._state = state
        return graph

    def _close(self) -> None:
        if self._graph is not None:
            self._graph.close()
        self._graph = None


class _Whole:
    """Rows that depend on nothing: a merge of one piece."""

    pieces = 1

    def __init__(self, rows: GraphRows) -> None:
        self._rows = rows

    def rows(self, graph: StoredGraph, first: int, last: int) -> GraphRows:
        """Return them."""
        return self._rows

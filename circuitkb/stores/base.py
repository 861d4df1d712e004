"""What a knowledge-base store is: a few verbs and a list of capabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from circuitkb.schema.errors import StoreNotFoundError
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.findings import Finding
from circuitkb.stores.stored_graph import StoredGraph

if TYPE_CHECKING:  # else asking imports Arrow and NumPy: half of what a question at a prompt takes
    from circuitkb.schema.kernels import Connection
    from circuitkb.schema.pictures import Pictures
    from circuitkb.schema.responses import Responses
    from circuitkb.schema.tables import GraphRows

DEFAULT_TIMEOUT = 30.0
"""Seconds that a query may run."""

DEFAULT_LIMIT = 10_000
"""Rows that a query may return."""


class Capability(Enum):
    """What one engine can do and another cannot; tests ask here instead of skipping."""

    SNAPSHOT_READS = "readers see the state before a write until the write is whole"
    CONCURRENT_WRITERS = "several processes may write at once"
    CHECKSUMS = "every file of a state has checksums, which a check reads"
    LONG_POSITIONS = (
        "integers that a query computes have 64 bits as positions, lengths and numbers of rows too"
    )
    NOTHING_BESIDE = "the graph holds the knowledge base alone: no nodes of the store's own"


@dataclass(frozen=True)
class Answer:
    """Rows that a read gave: ``columns`` in the order asked for, ``rows`` as plain values.

    Nodes and relations come as dictionaries of their properties. ``truncated`` says that the
    row limit cut more rows off, ``cypher`` is the text that the engine got.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool
    seconds: float
    cypher: str = ""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary for each row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def missing(address: str) -> StoreNotFoundError:
    """Return the error that says how to make a knowledge base at ``address``."""
    return StoreNotFoundError(
        f"There is no knowledge base at {address}. "
        f"Make one: circuitkb load published:inceptionv1 --kb {address}"
    )


class Merge(Protocol):
    """Rows that depend on what is in the graph already.

    They may be asked for more than once, of a graph that others changed meanwhile: what counts is
    the last time. Each piece sees what the pieces before it wrote, unless both are asked for at
    once.
    """

    @property
    def pieces(self) -> int:
        """How many pieces there are, each small enough for the memory."""

    def rows(self, graph: StoredGraph, first: int, last: int) -> GraphRows:
        """Return the rows of pieces ``first`` to ``last``, the last one not included."""


class Store(Protocol):
    """A place that keeps one knowledge base."""

    @property
    def address(self) -> str:
        """Path or URL, as the user gave it."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this engine can do."""

    def ensure_schema(self) -> None:
        """Make the types, constraints and indexes of the schema, if they are not there."""

    def write(self, rows: GraphRows, progress: Progress = silent) -> None:
        """Take all rows, kernels, responses and pictures, or none; safe to repeat.

        A node whose id is there already has its given properties set; a relation that is there
        already (same name, ends and key properties) likewise; others are made. Kernels and
        responses of a model take the place of those it had, pictures of those under their key.

        Raises
        ------
        SchemaError
            Rows that do not fit the schema, an end that is nowhere, responses or pictures of a
            model that is nowhere.
        ModelConflictError
            A model is there under the same name with other weights; nothing was changed.
        """

    def merge(self, merge: Merge, progress: Progress = silent) -> None:
        """Take all rows of a merge, or none, with nobody writing between its look and its write.

        Raises
        ------
        SchemaError
            As :meth:`write`.
        """

    def read(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int | None = DEFAULT_LIMIT,
    ) -> Answer:
        """Run a query that may only read, within a time and a number of rows.

        Raises
        ------
        CypherError, QueryRefusedError, QueryTimeoutError
        """

    def stream(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        rows: int = DEFAULT_LIMIT,
    ) -> Iterator[Answer]:
        """Give all rows of a query that may only read, ``rows`` at a time, in bounded memory.

        At least one piece comes, so that the columns are known. All pieces are of one state of the
        graph. ``timeout`` is for all of them together, with what the caller does in between. Who
        does not want the rest closes the iterator, or forgets it.

        Raises
        ------
        CypherError, QueryRefusedError, QueryTimeoutError
        """

    def kernels(self, model: str) -> Sequence[Connection]:
        """Return the kernels of a model, memory-mapped."""

    def responses(self, model: str) -> Responses | None:
        """Return what a model answered to stimuli, or None where it was not observed.

        The arrays are memory-mapped and read-only.
        """

    def pictures(self, key: str) -> Pictures | None:
        """Return the batch of pictures under a key, ``MODEL/NAME``, or None where there is none.

        The arrays are memory-mapped and read-only, and each is made when it is asked for.
        """

    def picture_keys(self, model: str) -> list[str]:
        """Return the keys of all batches of pictures that are about a model, in order."""

    def workspace(self, name: str) -> Path:
        """Return a folder on the store's disk for unfinished work of that name.

        It is made if it is missing, and survives crashes and later writes; whoever finishes
        removes it. The name is one that a model could have.

        Raises
        ------
        IdError
            It is not.
        """

    def export(self, models: Sequence[str] | None = None) -> Iterator[GraphRows]:
        """Give everything in the store, in pieces that :meth:`write` takes, in this order.

        Parameters
        ----------
        models
            Give only these models: them, what carries their name (layers, features, circuits,
            imports), what speaks of any of it (evidence, trials, annotations, and through them
            annotators, labels and claims), every relation between what is given, and their
            kernels, responses and pictures.
        """

    def check_files(self, progress: Progress = silent) -> Iterator[Finding]:
        """Look at every file of the store's own, and at the arrays of every model."""

    def recorded_counts(self) -> Mapping[str, int] | None:
        """Return how many nodes and relations of each kind were written, if that is known."""

    def close(self) -> None:
        """Close the engine."""

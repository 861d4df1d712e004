"""Every error that circuitkb raises on purpose.

They live in the lowest room so that loaders and queries can raise them; users import them from
:mod:`circuitkb.errors`, where the tree is drawn. A message is one or two lines: it names the
thing and says what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class CircuitKBError(Exception):
    """Anything that circuitkb refuses or cannot do; the command line exits with 2."""


class IdError(CircuitKBError, ValueError):
    """A text that is no id of the asked kind."""


class SchemaError(CircuitKBError, ValueError):
    """A label, relation or property that the schema does not have, or rows that do not fit it."""


class PluginError(CircuitKBError):
    """What another package adds to circuitkb cannot be used."""


class SourceError(CircuitKBError):
    """Something outside that cannot be read: a base for what loaders raise."""


class UnknownSourceError(SourceError):
    """A SOURCE that names nothing known."""


class MissingExtraError(SourceError):
    """An optional package is needed and not installed."""


class CheckpointError(SourceError):
    """A weights file that is unsafe, unreadable, or does not fit its architecture."""


class TraceError(SourceError):
    """A network that cannot be traced."""


class PublishedDataError(SourceError):
    """A folder of published circuits that breaks its own format."""


class AnnotationFileError(SourceError):
    """A file of annotations that cannot be read at all."""


class AnnotationError(CircuitKBError):
    """Annotations that are refused; nothing of their import was written.

    ``rejections`` has file, line and reason of each, as far as they were kept; ``report`` has
    everything that is known of the import.
    """

    def __init__(
        self, message: str, *, rejections: Sequence[tuple[str, int, str]] = (), report: Any = None
    ) -> None:
        super().__init__(message)
        self.rejections = tuple(rejections)
        self.report = report


class ClaimError(CircuitKBError):
    """Claims that are refused, or cannot be read; nothing was written."""


class WorkerError(CircuitKBError):
    """A worker that died twice over the same work, or a cluster that is not there."""


class ServingError(CircuitKBError):
    """Pages that cannot be served where they should be."""


class AccessError(ServingError):
    """A form that no page of this server sent."""


class ReleaseError(CircuitKBError):
    """A release that cannot be made as it was asked for; nothing was written."""


class ObservationError(CircuitKBError):
    """A model that cannot be shown stimuli, or responses that cannot be compared."""


class TrialError(CircuitKBError):
    """An edit of a network that cannot be made, or run."""


class ProofError(CircuitKBError):
    """A statement that cannot be read, encoded or decided as it was asked for."""


class StoreError(CircuitKBError):
    """A base for what knowledge-base stores raise."""


class StoreNotFoundError(StoreError):
    """There is no knowledge base at the address."""


class StoreVersionError(StoreError):
    """The knowledge base was written by another version of the format."""


class StoreDamagedError(StoreError):
    """Files of the store are not as it wrote them; nothing was changed."""


class StoreBusyError(StoreError):
    """Another process is writing."""


class StoreFullError(StoreError):
    """The disk has no room for the write; nothing was changed."""


class StoreUnreachableError(StoreError):
    """The server of the knowledge base does not answer."""


class StoreAccessError(StoreError):
    """The server refuses this user, or what the user wanted to do."""


class CapabilityError(StoreError):
    """This kind of store cannot do what was asked."""


class ModelConflictError(StoreError):
    """Other weights stand under the same model name."""


class QueryError(CircuitKBError):
    """A base for questions that cannot be answered as they stand."""


class CypherError(QueryError):
    """The text is no valid Cypher for this store; ``position`` is the offset where known."""

    def __init__(self, message: str, *, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class QueryRefusedError(QueryError):
    """The query would write, read a file, or leave the knowledge base."""


class QueryTimeoutError(QueryError):
    """The query ran longer than allowed."""


class QueryMemoryError(QueryError):
    """The query needs more memory than the engine may take."""


class UnknownQuestionError(QueryError):
    """The catalogue has no such question, or the sentence fits several."""


class NotFoundError(QueryError):
    """A model, layer, feature or circuit that is not in this knowledge base."""

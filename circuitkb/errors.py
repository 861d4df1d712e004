"""Every error that circuitkb raises on purpose, in one tree.

::

    CircuitKBError
    ├── IdError                  a text that is no id
    ├── SchemaError              a label, relation or property that does not exist
    ├── PluginError              what another package adds cannot be used
    ├── SourceError              something outside that cannot be read
    │   ├── UnknownSourceError   a SOURCE that names nothing known
    │   ├── MissingExtraError    an optional package is needed
    │   ├── CheckpointError      a weights file: unsafe, unreadable, or of another network
    │   ├── TraceError           a network that cannot be traced
    │   ├── PublishedDataError   a folder of published circuits that breaks its format
    │   └── AnnotationFileError  a file of annotations that cannot be read at all
    ├── AnnotationError          annotations that are refused, each with its line and reason
    ├── ClaimError               claims that are refused, each with its line and reason
    ├── WorkerError              a worker that died twice, or a cluster that is not there
    ├── ServingError             pages that cannot be served there
    │   └── AccessError          a form that no page of this server sent
    ├── ReleaseError             a release that cannot be made as it was asked for
    ├── ObservationError         a model that cannot be shown stimuli
    ├── TrialError               an edit that cannot be made, or run
    ├── ProofError               a statement that cannot be read or encoded
    ├── StoreError
    │   ├── StoreNotFoundError   no knowledge base at the address
    │   ├── StoreVersionError    written by another version of the format
    │   ├── StoreDamagedError    files of the store are not as it wrote them
    │   ├── StoreBusyError       another process is writing
    │   ├── StoreFullError       no room on the disk; nothing was changed
    │   ├── StoreUnreachableError  the server does not answer
    │   ├── StoreAccessError     the server refuses this user
    │   ├── CapabilityError      this kind of store cannot do it
    │   └── ModelConflictError   other weights under the same name
    └── QueryError
        ├── CypherError          no valid Cypher
        ├── QueryRefusedError    would write, or read a file
        ├── QueryTimeoutError    ran longer than allowed
        ├── QueryMemoryError     needs more memory than the engine may take
        ├── UnknownQuestionError no such question in the catalogue
        └── NotFoundError        no such model, layer, feature or circuit

They are defined in ``schema/errors.py``, below everything that raises them.
"""

from circuitkb.schema.errors import (
    AccessError,
    AnnotationError,
    AnnotationFileError,
    CapabilityError,
    CheckpointError,
    CircuitKBError,
    ClaimError,
    CypherError,
    IdError,
    MissingExtraError,
    ModelConflictError,
    NotFoundError,
    ObservationError,
    PluginError,
    ProofError,
    PublishedDataError,
    QueryError,
    QueryMemoryError,
    QueryRefusedError,
    QueryTimeoutError,
    ReleaseError,
    SchemaError,
    ServingError,
    SourceError,
    StoreAccessError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreNotFoundError,
    StoreUnreachableError,
    StoreVersionError,
    TraceError,
    TrialError,
    UnknownQuestionError,
    UnknownSourceError,
    WorkerError,
)

__all__ = [
    "AccessError",
    "AnnotationError",
    "AnnotationFileError",
    "CapabilityError",
    "CheckpointError",
    "CircuitKBError",
    "ClaimError",
    "CypherError",
    "IdError",
    "MissingExtraError",
    "ModelConflictError",
    "NotFoundError",
    "ObservationError",
    "PluginError",
    "ProofError",
    "PublishedDataError",
    "QueryError",
    "QueryMemoryError",
    "QueryRefusedError",
    "QueryTimeoutError",
    "ReleaseError",
    "SchemaError",
    "ServingError",
    "SourceError",
    "StoreAccessError",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "StoreFullError",
    "StoreNotFoundError",
    "StoreUnreachableError",
    "StoreVersionError",
    "TraceError",
    "TrialError",
    "UnknownQuestionError",
    "UnknownSourceError",
    "WorkerError",
]

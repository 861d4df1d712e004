"""A graph-database knowledge base of the circuits inside neural networks.

>>> import circuitkb as ckb
>>> ckb.FeatureId.parse("inceptionv1/mixed4b:418").unit
418

Names load when they are first used, so that ``import circuitkb`` answers at once. The errors that
a caller is likely to catch are here too; :mod:`circuitkb.errors` has and draws all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuitkb import errors
    from circuitkb.checking.check import check
    from circuitkb.kb.knowledge_base import KnowledgeBase
    from circuitkb.kb.opening import open
    from circuitkb.motifs.transforms import mirror
    from circuitkb.motifs.union import Union
    from circuitkb.queries.lists.predicates import (
        above,
        at_least,
        at_most,
        below,
        between,
        containing,
        ending_with,
        missing,
        near,
        one_of,
        starting_with,
    )
    from circuitkb.queries.patterns.pattern import Pattern, edge, feature
    from circuitkb.results.result import Result
    from circuitkb.schema.errors import (
        AnnotationError,
        CircuitKBError,
        ClaimError,
        IdError,
        MissingExtraError,
        ModelConflictError,
        NotFoundError,
        ObservationError,
        PluginError,
        ProofError,
        QueryError,
        QueryTimeoutError,
        ReleaseError,
        SchemaError,
        ServingError,
        SourceError,
        StoreBusyError,
        StoreError,
        StoreNotFoundError,
        TrialError,
        UnknownQuestionError,
        WorkerError,
    )
    from circuitkb.schema.ids import FeatureId

    __version__: str

__all__ = [
    "AnnotationError",
    "CircuitKBError",
    "ClaimError",
    "FeatureId",
    "IdError",
    "KnowledgeBase",
    "MissingExtraError",
    "ModelConflictError",
    "NotFoundError",
    "ObservationError",
    "Pattern",
    "PluginError",
    "ProofError",
    "QueryError",
    "QueryTimeoutError",
    "ReleaseError",
    "Result",
    "SchemaError",
    "ServingError",
    "SourceError",
    "StoreBusyError",
    "StoreError",
    "StoreNotFoundError",
    "TrialError",
    "Union",
    "UnknownQuestionError",
    "WorkerError",
    "__version__",
    "above",
    "at_least",
    "at_most",
    "below",
    "between",
    "check",
    "containing",
    "edge",
    "ending_with",
    "errors",
    "feature",
    "mirror",
    "missing",
    "near",
    "one_of",
    "open",
    "starting_with",
]

_PREDICATES = (
    "above at_least at_most below between containing ending_with missing near one_of starting_with"
)

_ERRORS = [name for name in __all__ if name.endswith("Error")]

_HOME = {
    "FeatureId": "circuitkb.schema.ids",
    "KnowledgeBase": "circuitkb.kb.knowledge_base",
    "Pattern": "circuitkb.queries.patterns.pattern",
    "Result": "circuitkb.results.result",
    "Union": "circuitkb.motifs.union",
    "check": "circuitkb.checking.check",
    "edge": "circuitkb.queries.patterns.pattern",
    "feature": "circuitkb.queries.patterns.pattern",
    "mirror": "circuitkb.motifs.transforms",
    "open": "circuitkb.kb.opening",
    **dict.fromkeys(_ERRORS, "circuitkb.schema.errors"),
    **dict.fromkeys(_PREDICATES.split(), "circuitkb.queries.lists.predicates"),
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("circuitkb.errors")
    if name == "__version__":
        from importlib.metadata import version

        return version("circuitkb")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'circuitkb' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""A graph-database knowledge base of the circuits inside neural networks.

>>> import circuitkb as ckb
>>> ckb.FeatureId.parse("inceptionv1/mixed4b:418").unit
418

Names load when they are first used, so that ``import circuitkb`` answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuitkb import errors
    from circuitkb.discovery.transforms import mirror
    from circuitkb.discovery.union import Union
    from circuitkb.knowledge_base import KnowledgeBase
    from circuitkb.opening import open
    from circuitkb.results import Result
    from circuitkb.schema.ids import FeatureId

    __version__: str

__all__ = [
    "FeatureId",
    "KnowledgeBase",
    "Result",
    "Union",
    "__version__",
    "errors",
    "mirror",
    "open",
]

_HOME = {
    "FeatureId": "circuitkb.schema.ids",
    "KnowledgeBase": "circuitkb.knowledge_base",
    "Result": "circuitkb.results",
    "Union": "circuitkb.discovery.union",
    "mirror": "circuitkb.discovery.transforms",
    "open": "circuitkb.opening",
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

"""Annotations that wait for what they refer to, once more of it is there."""

from __future__ import annotations

from circuitkb.annotations.merging import merge_rows
from circuitkb.schema.records import AWAITED
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.base import Store
from circuitkb.stores.stored_graph import StoredGraph

_WAITING = """\
MATCH (a:Annotation) WHERE a.awaiting IN $awaited
RETURN a.id AS id LIMIT 1"""


class _Waiting:
    """A merge of no records: only those that wait are looked at again."""

    pieces = 1

    def rows(self, graph: StoredGraph, first: int, last: int) -> GraphRows:
        return merge_rows((), graph)[0]


def resolve(store: Store) -> None:
    """Join annotations to what they waited for, as far as it is there now.

    Called after anything that brings models or circuits. What still waits goes on waiting.
    """
    counts = store.recorded_counts()
    if counts is not None and not counts.get("Annotation"):
        return  # what is known without a question needs none
    if store.read(_WAITING, {"awaited": AWAITED}).rows:
        store.merge(_Waiting())

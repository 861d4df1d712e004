"""The kernels between two features, out of the arrays of their whole layers."""

from __future__ import annotations

from circuitkb.queries.lists.conditions import Mention
from circuitkb.results.reports import Kernel
from circuitkb.schema.ids import FeatureId
from circuitkb.stores import known_names
from circuitkb.stores.base import Store


def kernels_between(store: Store, source: str | FeatureId, target: str | FeatureId) -> list[Kernel]:
    """Return the kernels; see :meth:`circuitkb.kb.knowledge_base.KnowledgeBase.kernels`."""
    ends = [FeatureId.parse(end) if isinstance(end, str) else end for end in (source, target)]
    known_names.check(store, (Mention("feature", str(end)) for end in ends))
    first, second = ends
    if first.model != second.model:
        return []
    found = (
        (connection, connection.find(first.unit, second.unit))
        for connection in store.kernels(first.model)
        if (connection.source, connection.target) == (first.layer, second.layer)
    )
    return [
        Kernel(connection.key, connection.origin, values)
        for connection, values in found
        if values is not None
    ]

"""Nodes and relations as they are given to users, by every engine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuitkb.schema.records import Record


@cache
def _orders() -> dict[str, dict[str, int]]:
    # The process that reads waits for the definition only where a row has a node or relation.
    from circuitkb.schema.definition import NODES, RELATIONS

    kinds = {item.label: item.properties for item in NODES}
    kinds |= {item.name: item.properties for item in RELATIONS}
    return {
        kind: {p.name: place for place, p in enumerate(properties)}
        for kind, properties in kinds.items()
    }


def in_the_schema(kind: str) -> bool:
    """Return whether the schema has such nodes or relations.

    Examples
    --------
    >>> in_the_schema("Feature"), in_the_schema("WEIGHT"), in_the_schema("Neuron")
    (True, True, False)
    """
    return kind in _orders()


def in_order_of_schema(kind: str, properties: Mapping[str, Any]) -> Record:
    """Return the properties of a node or relation in the order of the schema.

    Examples
    --------
    >>> in_order_of_schema("Annotator", {"type": "human", "id": "ada"})
    {'id': 'ada', 'type': 'human'}
    """
    order = _orders().get(kind, {})
    return {
        name: properties[name]
        for name in sorted(properties, key=lambda name: order.get(name, len(order)))
    }

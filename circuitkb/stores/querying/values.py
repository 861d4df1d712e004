"""Nodes and relations as they are given to users, by every engine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.records import Record


@cache
def _order(kind: str) -> dict[str, int]:
    kinds = {item.label: item.properties for item in NODES}
    kinds |= {item.name: item.properties for item in RELATIONS}
    return {p.name: place for place, p in enumerate(kinds.get(kind, ()))}


def in_order_of_schema(kind: str, properties: Mapping[str, Any]) -> Record:
    """Return the properties of a node or relation in the order of the schema.

    Examples
    --------
    >>> in_order_of_schema("Annotator", {"type": "human", "id": "ada"})
    {'id': 'ada', 'type': 'human'}
    """
    order = _order(kind)
    return {
        name: properties[name]
        for name in sorted(properties, key=lambda name: order.get(name, len(order)))
    }

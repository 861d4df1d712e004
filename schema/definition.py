"""The one definition of the graph: its nodes, its relations and their properties.

Stores make their constraints from it, loaders their tables, `circuitkb schema` its printout and
queries their list of allowed names, so these cannot drift apart.
"""

from __future__ import annotations

from circuitkb.schema.errors import SchemaError
from circuitkb.schema.node_types import NODES
from circuitkb.schema.properties import NodeType, Property, PropertyType, RelationType, did_you_mean
from circuitkb.schema.relation_types import RELATIONS

__all__ = [
    "FORMAT_VERSION",
    "NODES",
    "RELATIONS",
    "NodeType",
    "Property",
    "PropertyType",
    "RelationType",
    "did_you_mean",
    "node_type",
    "relation_type",
]

FORMAT_VERSION = 2
"""Version of the graph's format; a store written under another one is refused."""

_NODES = {item.label: item for item in NODES}
_RELATIONS = {item.name: item for item in RELATIONS}


def node_type(label: str) -> NodeType:
    """Return the node type called ``label``; raises :class:`SchemaError` with near matches.

    Examples
    --------
    >>> node_type("Feature").properties[0].name
    'id'
    >>> node_type("Featur")
    Traceback (most recent call last):
    circuitkb.schema.errors.SchemaError: 'Featur' is not a node label. Did you mean 'Feature'?
    """
    if label in _NODES:
        return _NODES[label]
    raise SchemaError(f"{label!r} is not a node label.{did_you_mean(label, _NODES)}")


def relation_type(name: str) -> RelationType:
    """Return the relation type called ``name``; raises :class:`SchemaError` with near matches.

    Examples
    --------
    >>> relation_type("MEMBER_OF").endpoints
    (('Feature', 'Circuit'),)
    """
    if name in _RELATIONS:
        return _RELATIONS[name]
    raise SchemaError(f"{name!r} is not a relation.{did_you_mean(name, _RELATIONS)}")

"""The one definition of the graph: its nodes, its relations and their properties.

Stores make their constraints from it, loaders their tables, `circuitkb schema` its printout and
queries their list of allowed names, so these cannot drift apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace

from circuitkb.schema.errors import SchemaError
from circuitkb.schema.near_matches import did_you_mean
from circuitkb.schema.node_types import BUILT_IN
from circuitkb.schema.properties import NodeType, Property, PropertyType, RelationType
from circuitkb.schema.registry import PluginWarning, Registry
from circuitkb.schema.relation_types import BUILT_IN_RELATIONS

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

ADDED: Registry[NodeType] = Registry("circuitkb.node_types", "node type", NodeType, {})
"""Kinds of nodes that other packages add."""


def _nodes() -> Iterator[NodeType]:
    """Yield ours, and those of other packages whose label nobody has."""
    yield from BUILT_IN
    ours = {item.label for item in BUILT_IN}
    others: set[str] = set()
    for item in ADDED:
        if item.label in ours | others:
            whose = "circuitkb and another package" if item.label in ours else "two packages"
            text = f"The node type {item.label!r} is of {whose}: the first of them counts."
            warnings.warn(text, PluginWarning, stacklevel=2)
        else:
            others.add(item.label)
            yield item


def _relations(nodes: tuple[NodeType, ...]) -> Iterator[RelationType]:
    """Yield ours, with the ends that kinds of nodes add, then those that come with them."""
    labels = {node.label for node in nodes}
    found = {item.name: item for item in BUILT_IN_RELATIONS}
    for node in nodes:
        for item in node.relations:
            known = found.get(item.name, replace(item, endpoints=()))
            ends = [pair for pair in item.endpoints if labels.issuperset(pair)]
            if len(ends) < len(item.endpoints):
                text = (
                    f"{item.name} of the node type {node.label!r} joins labels that are not there."
                )
                warnings.warn(text, PluginWarning, stacklevel=2)
            both = tuple(dict.fromkeys((*known.endpoints, *ends)))
            found[item.name] = replace(known, endpoints=both)
    yield from found.values()


NODES = tuple(_nodes())
RELATIONS = tuple(_relations(NODES))

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

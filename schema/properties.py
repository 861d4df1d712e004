"""What the definition of the graph is made of: properties, kinds of nodes, kinds of relations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from circuitkb.schema.errors import SchemaError
from circuitkb.schema.near_matches import did_you_mean

PropertyType = Literal["string", "integer", "float", "boolean", "strings"]


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a node or a relation.

    ``period`` is set for angles: values that differ by it mean the same.
    """

    name: str
    type: PropertyType
    description: str
    required: bool = False
    indexed: bool = False
    period: float | None = None


@dataclass(frozen=True, slots=True)
class NodeType:
    """A kind of node.

    Attributes
    ----------
    label, description
        Its name, and what it is.
    own
        What it says about itself whatever is installed; the first is ``id``, which is unique.
    relations
        Relations that come with it. One whose name is there already adds ends to that one.
    further
        Gives the properties that installed packages add, when they are first asked for.
    """

    label: str
    description: str
    own: tuple[Property, ...]
    relations: tuple[RelationType, ...] = ()
    further: Callable[[], tuple[Property, ...]] = tuple

    def __post_init__(self) -> None:
        names = [item.name for item in self.own]
        for name in (self.label, *names):
            if not (name.isascii() and name.isidentifier()):
                raise SchemaError(f"{name!r} is no name for a kind of node or a property.")
        if names[:1] != ["id"] or len(set(names)) < len(names):
            raise SchemaError(f"{self.label}: properties start with 'id', and each stands once.")

    @property
    def properties(self) -> tuple[Property, ...]:
        """All properties."""
        return (*self.own, *self.further())

    def property(self, name: str) -> Property:
        """Return the property called ``name``; raises :class:`SchemaError` with near matches."""
        return _pick(self.properties, name, f"a property of {self.label}")


@dataclass(frozen=True, slots=True)
class RelationType:
    """A kind of relation; ``endpoints`` lists the (source, target) labels it may join.

    Two relations are the same one when their name, their ends and the properties in ``key``
    agree: between two features there may be several weights, one for each connection.
    """

    name: str
    description: str
    endpoints: tuple[tuple[str, str], ...]
    properties: tuple[Property, ...] = ()
    key: tuple[str, ...] = ()

    def property(self, name: str) -> Property:
        """Return the property called ``name``; raises :class:`SchemaError` with near matches."""
        return _pick(self.properties, name, f"a property of {self.name}")


def _pick(properties: Iterable[Property], name: str, what: str) -> Property:
    by_name = {item.name: item for item in properties}
    if name in by_name:
        return by_name[name]
    raise SchemaError(f"{name!r} is not {what}.{did_you_mean(name, by_name)}")


def identity(text: str) -> Property:
    """Return the ``id`` of a kind of nodes."""
    return Property("id", "string", text, required=True, indexed=True)


def given(
    name: str,
    type_: PropertyType,
    text: str,
    *,
    required: bool = False,
    indexed: bool = False,
    period: float | None = None,
) -> Property:
    """Return a property that nodes or relations of a kind may have."""
    return Property(name, type_, text, required, indexed, period)

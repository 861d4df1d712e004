"""Expressions of Cypher: their text, and what they are worth by a function of our own.

Conditions have three truth values: true, false, and null for what is not known.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.stores.fuzz.worlds import World

Row = Mapping[str, Any]
"""What each variable stands for: a node, an edge, a list of edges, a plain value or null."""

Truth = bool | None


@dataclass(frozen=True)
class Expression:
    """A text, the variables in it, and its value for a row.

    ``mixed`` says that OR or XOR joins conditions on several variables, one of them no comparison.
    """

    text: str
    names: frozenset[str]
    value: Callable[[World, Row], Any]
    mixed: bool = False


def variable(name: str) -> Expression:
    return Expression(name, frozenset([name]), lambda world, row: row[name])


def prop(name: str, key: str) -> Expression:
    """A property of a node or an edge; of nothing it is null."""

    def value(world: World, row: Row) -> Any:
        return None if row[name] is None else row[name].properties.get(key)

    return Expression(f"{name}.{key}", frozenset([name]), value)


def constant(text: str, value: Any) -> Expression:
    return Expression(text, frozenset(), lambda world, row: value)


def combined(
    text: str, function: Callable[..., Any], *parts: Expression, strict: bool = True
) -> Expression:
    """An expression made of others: ``{}`` in the text are theirs.

    It is null if any part is, unless it is not ``strict``.
    """

    def value(world: World, row: Row) -> Any:
        found = [part.value(world, row) for part in parts]
        return None if strict and None in found else function(*found)

    names = frozenset().union(*(part.names for part in parts))
    mixed = any(part.mixed for part in parts)
    return Expression(text.format(*(part.text for part in parts)), names, value, mixed)


SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def compare(left: Expression, sign: str, right: Expression) -> Expression:
    return combined(f"{{}} {sign} {{}}", SIGNS[sign], left, right)


def within(value: Any, several: list[Any]) -> Truth:
    """``value IN several`` for a value that is not null: a null in the list may be equal."""
    if any(other is not None and other == value for other in several):
        return True
    return None if None in several else False


def negation(one: Truth) -> Truth:
    return None if one is None else not one


def both(one: Truth, other: Truth) -> Truth:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def either(one: Truth, other: Truth) -> Truth:
    return negation(both(negation(one), negation(other)))


def one_of_two(one: Truth, other: Truth) -> Truth:
    return None if one is None or other is None else one is not other


def every(truths: Iterable[Truth]) -> Truth:
    found: Truth = True
    for truth in truths:
        found = both(found, truth)
    return found


def some(truths: Iterable[Truth]) -> Truth:
    return negation(every(map(negation, truths)))


def exactly_one(truths: Iterable[Truth]) -> Truth:
    """What ``single(...)`` says: two that hold are too many, whatever is not known."""
    found = list(truths)
    if found.count(True) > 1:
        return False
    return None if None in found else found.count(True) == 1

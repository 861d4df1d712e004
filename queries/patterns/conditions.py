"""What the text of a pattern says of properties, as conditions of features and of weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.lists.features import Features
from circuitkb.queries.lists.predicates import compare
from circuitkb.queries.patterns.language import (
    Bound,
    Comparison,
    Parsed,
    Reference,
    Step,
    said_at,
)
from circuitkb.schema.definition import node_type, relation_type
from circuitkb.schema.errors import QueryError
from circuitkb.schema.properties import Property

OPERATORS = ("=", "<>", "<", "<=", ">", ">=")
"""How two properties may compare."""


def narrowed_feature(wanted: Features, name: str, bounds: Iterable[Bound]) -> Features:
    """Return what a feature must be, with what the text says of it.

    Examples
    --------
    >>> bound = Bound(Reference("a", "layer"), "=", "conv1")
    >>> narrowed_feature(Features(), "a", [bound]) == Features(layer="conv1")
    True
    """
    for bound in bounds:
        if bound.of.part != name:
            continue
        with said_at(bound.place):
            wanted = _with(wanted, bound)
    return wanted


def narrowed_weight(wanted: Any, step: Step, bounds: Iterable[Bound], *, absent: bool) -> Any:
    """Return what a weight must be, with what the text says of it.

    Examples
    --------
    >>> bound = Bound(Reference(Step("a", "b"), "rank"), "<", 5)
    >>> narrowed_weight(Edges(), Step("a", "b"), [bound], absent=False).max_rank
    4
    """
    for bound in bounds:
        if bound.of.part == step and bound.absent == absent:
            with said_at(bound.place):
                wanted = _ranked(wanted, bound) or wanted.where(
                    bound.of.name, bound.operator, bound.value
                )
    return wanted


def _with(wanted: Features, bound: Bound) -> Features:
    what, value = bound.of.name, bound.value
    if what == "label":
        added = Features(label=compare(bound.operator, value))
        return added if wanted == Features(limit=wanted.limit) else wanted & added
    if (
        what in ("model", "layer", "id")
        and bound.operator == "="
        and isinstance(value, str)
        and getattr(wanted, what) is None
    ):
        named: dict[str, Any] = {what: value}
        return replace(wanted, **named)  # names are what a search starts from
    return wanted.where(what, bound.operator, value)


def _ranked(edges: Edges, bound: Bound) -> Edges | None:
    """Return the weights up to a rank: a search reads no others."""
    rank = bound.value
    if bound.of.name != "rank" or bound.operator not in ("<", "<=") or type(rank) is not int:
        return None
    most = rank if bound.operator == "<=" else rank - 1
    if most < 1:
        return None
    return replace(edges, max_rank=most if edges.max_rank is None else min(most, edges.max_rank))


def compared(parsed: Parsed, where: Iterable[tuple[str, str, str]]) -> tuple[Comparison, ...]:
    """Return the comparisons of the text and those that are given beside it.

    Raises
    ------
    QueryError
        One of a part that is not there, or of properties that cannot be compared so.
    SchemaError
        No such property; the message has near matches.
    """
    found = [*parsed.comparisons, *(_given(parsed, item) for item in where)]
    for comparison in found:
        with said_at(comparison.place):
            _check(comparison)
    return tuple(dict.fromkeys(found))


def _check(comparison: Comparison) -> None:
    """Raise where two properties cannot be compared so."""
    if comparison.operator not in OPERATORS:
        raise QueryError(f"'{comparison}': two properties are {', '.join(OPERATORS)}.")
    one, other = property_of(comparison.left), property_of(comparison.right)
    kinds = {_kind(one), _kind(other)}
    if len(kinds) > 1 or "list" in kinds:
        raise QueryError(
            f"'{comparison}': {one.name} is a {_kind(one)}, {other.name} a {_kind(other)}, so "
            "they cannot be compared."
        )
    if comparison.operator not in ("=", "<>") and kinds != {"number"}:
        raise QueryError(
            f"'{comparison}': {one.name} is a {_kind(one)}, which can only be = or <> another."
        )


def property_of(reference: Reference) -> Property:
    """Return the property that is referred to, by the schema."""
    if isinstance(reference.part, str):
        return node_type("Feature").property(reference.name)
    return relation_type(reference.part.relation).property(reference.name)


def _given(parsed: Parsed, item: Any) -> Comparison:
    if not (isinstance(item, tuple) and [type(part) for part in item] == [str, str, str]):
        raise QueryError(f"where has {item!r}: write ('a.orientation', '>', 'b.orientation').")
    left, operator, right = item
    operator = {"==": "=", "!=": "<>"}.get(str(operator), str(operator))
    one, other = (_reference(parsed, text) for text in (left, right))
    return Comparison(one, operator, other)


def _reference(parsed: Parsed, text: str) -> Reference:
    part, dot, name = text.partition(".")
    if not dot:
        raise QueryError(f"where has {text!r}: write a part and a property, as 'a.orientation'.")
    return parsed.reference(part, name)


def _kind(owner: Property) -> str:
    kinds = {"string": "text", "boolean": "truth value", "strings": "list"}
    return kinds.get(owner.type, "number")

"""What all lists of things share: conditions on properties, bound parameters, a row limit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import QueryError

from .statement import Statement

DEFAULT_LIMIT = 10_000

_OPERATORS: Mapping[str, str] = {
    "=": "=",
    "<>": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "in": "IN",
    "contains": "CONTAINS",
    "starts with": "STARTS WITH",
    "ends with": "ENDS WITH",
}


class Condition(NamedTuple):
    """A property compared with a value."""

    name: str
    operator: str
    value: Any


class Mention(NamedTuple):
    """A name that a value relies on: ``kind`` is model, layer, feature, label, motif or origin."""

    kind: str
    name: str
    model: str | None = None


class Parameters(dict[str, Any]):
    """Values by parameter name; a name that is taken gets a number."""

    def bind(self, name: str, value: Any) -> str:
        """Keep the value and return how the text refers to it."""
        key, count = name, 1
        while key in self:
            count += 1
            key = f"{name}_{count}"
        self[key] = value
        return f"${key}"


@dataclass(frozen=True, kw_only=True)
class Criteria(ABC):
    """What all lists share: further conditions on properties, and a bound on the rows."""

    conditions: tuple[Condition, ...] = ()
    limit: int | None = DEFAULT_LIMIT

    owner: ClassVar[Any]
    """The node or relation whose properties :meth:`where` compares."""

    def __post_init__(self) -> None:
        if self.limit is not None and (isinstance(self.limit, bool) or self.limit < 0):
            raise QueryError(f"limit is {self.limit!r}: it is a number of rows from 0, or None.")

    @abstractmethod
    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""

    @abstractmethod
    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""

    def where(self, name: str, operator: str, value: Any) -> Self:
        """Return the list narrowed to rows whose property compares so with ``value``.

        Parameters
        ----------
        name
            A property of the node or relation, as ``circuitkb schema`` lists them.
        operator
            ``= <> < <= > >= in contains``, ``starts with`` or ``ends with``.
        value
            What it is compared with; never part of the text.

        Raises
        ------
        SchemaError
            No such property; the message has near matches.
        QueryError
            No such operator.

        Examples
        --------
        >>> from circuitkb.queries.criteria import Features
        >>> print(Features().where("left_out_l1", ">", 2.5).to_cypher().parameters)
        {'left_out_l1': 2.5, 'limit': 10000}
        >>> Features().where("left_out", ">", 2.5)
        Traceback (most recent call last):
        circuitkb.schema.errors.SchemaError: 'left_out' is not a property of Feature. ...
        """
        self.owner.property(name)
        if operator not in _OPERATORS:
            raise QueryError(f"{operator!r} is no operator.{did_you_mean(operator, _OPERATORS)}")
        return replace(self, conditions=(*self.conditions, Condition(name, operator, value)))

    def limited(self, limit: int | None) -> Self:
        """Return the list bounded to ``limit`` rows, or unbounded for None."""
        return replace(self, limit=limit)

    def compare(self, variable: str, parameters: Parameters) -> list[str]:
        """Return the conditions in Cypher, on what ``variable`` stands for."""
        return [
            f"{variable}.{name} {_OPERATORS[operator]} {parameters.bind(name, value)}"
            for name, operator, value in self.conditions
        ]

    def row_bound(self, parameters: Parameters) -> str:
        """Return the ``LIMIT``."""
        # One row more than asked for tells the reader whether rows were cut off.
        return "" if self.limit is None else f" LIMIT {parameters.bind('limit', self.limit)} + 1"


def where_clause(conditions: Iterable[str]) -> str:
    """Return the ``WHERE`` that asks for all of them, or nothing."""
    text = "\n  AND ".join(conditions)
    return f"WHERE {text}\n" if text else ""

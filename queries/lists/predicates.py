"""What a value must be: predicates that compose, and become Cypher or SQL with bound values.

A predicate is about one property, which it learns of when it is used:
``Features().where(orientation=near(45, 15) | near(135, 15))``. What has no value at all fulfils
neither a predicate nor its negation; :func:`missing` asks for just that.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import QueryError
from circuitkb.schema.properties import Property

Bind = Callable[[Any], str]
"""Keeps a value and returns how the text refers to it."""

Language = Literal["cypher", "sql"]

# Without toString, Neo4j 5.26 may look such texts up in an index that cannot answer it.
_TEXTS: Mapping[Language, Mapping[str, str]] = {
    "cypher": {
        "in": "{0} IN {1}",
        "contains": "toString({0}) CONTAINS {1}",
        "starts with": "{0} STARTS WITH {1}",
        "ends with": "toString({0}) ENDS WITH {1}",
    },
    "sql": {
        "in": "list_contains({1}, {0})",
        "contains": "contains({0}, {1})",
        "starts with": "starts_with({0}, {1})",
        "ends with": "ends_with({0}, {1})",
    },
}
_ORDER = ("=", "<>", "<", "<=", ">", ">=")
OPERATORS = (*_ORDER, "in", "contains", "starts with", "ends with")

_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int, float),
    "float": (int, float),
    "boolean": (bool,),
    "strings": (str,),
}


class Predicate(ABC):
    """A condition on the value of a property.

    Predicates combine with ``&``, ``|`` and ``~``.
    """

    @property
    def exact(self) -> Any:
        """The one value that fulfils it; None where others do as well."""
        return None

    @abstractmethod
    def text(self, subject: str, owner: Property, bind: Bind, language: Language = "cypher") -> str:
        """Return the condition on ``subject``, which stands for a value of the property.

        Raises
        ------
        QueryError
            The property cannot be compared so.
        """

    def __and__(self, other: Predicate) -> Predicate:
        return _Joined("AND", (self, _taken(other)))

    def __or__(self, other: Predicate) -> Predicate:
        return _Joined("OR", (self, _taken(other)))

    def __invert__(self) -> Predicate:
        return _Not(self)


@dataclass(frozen=True)
class _Comparison(Predicate):
    operator: str
    value: Any

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise QueryError(
                f"{self.operator!r} is no operator.{did_you_mean(self.operator, OPERATORS)}"
            )

    @property
    def exact(self) -> Any:
        """The value that it asks for, if it asks for one."""
        return self.value if self.operator == "=" else None

    def text(self, subject: str, owner: Property, bind: Bind, language: Language = "cypher") -> str:
        if self.operator == "in":
            values = [_checked(item, owner) for item in self.value]
            return _TEXTS[language]["in"].format(subject, bind(values))
        value = _checked(self.value, owner)
        if owner.type == "strings":
            if self.operator != "contains":
                raise QueryError(f"{owner.name} is a list: only 'contains' can be asked of it.")
            return f"{bind(value)} IN {subject}"
        if self.operator in _ORDER:
            return f"{subject} {self.operator} {bind(value)}"
        if owner.type != "string":
            raise QueryError(f"{owner.name} is no text, so {self.operator!r} cannot be asked.")
        return _TEXTS[language][self.operator].format(subject, bind(value))


@dataclass(frozen=True)
class _Near(Predicate):
    value: float
    tolerance: float

    def text(self, subject: str, owner: Property, bind: Bind, language: Language = "cypher") -> str:
        if owner.type not in ("float", "integer"):
            raise QueryError(f"{owner.name} is no number, so nothing is near it.")
        period = owner.period
        value = self.value if period is None else self.value % period
        difference = f"abs({subject} - {bind(float(value))})"
        if period is not None:
            half = period / 2
            difference = f"{half} - abs({half} - {difference})"
        return f"{difference} <= {bind(float(self.tolerance))}"


@dataclass(frozen=True)
class _Missing(Predicate):
    def text(self, subject: str, owner: Property, bind: Bind, language: Language = "cypher") -> str:
        return f"{subject} IS NULL"


@dataclass(frozen=True)
class _Joined(Predicate):
    word: str
    parts: tuple[Predicate, ...]

    def text(self, subject: str, owner: Property, bind: Bind, language: Language = "cypher") -> str:
        joined = f" {self.word} ".join(
            part.text(subject, owner, bind, language) for part in self.parts
        )
        return f"({joined})"


@dataclass(frozen=True)
class _Not(Predicate):
    part: Predicate

    def text(self, subject: str, owner: Property, bind: Bind, language: Language = "cypher") -> str:
        return f"NOT ({self.part.text(subject, owner, bind, language)})"


def compare(operator: str, value: Any) -> Predicate:
    """Return the predicate of an operator written as text, as in ``compare(">=", 2)``.

    Raises
    ------
    QueryError
        No such operator.
    """
    return _Comparison(operator, tuple(value) if operator == "in" else value)


def as_predicate(wanted: Any) -> Predicate:
    """Return a predicate as it is, and any other value as one that asks for just this value."""
    return wanted if isinstance(wanted, Predicate) else _Comparison("=", wanted)


def near(value: float, tolerance: float) -> Predicate:
    """Return the predicate of numbers at most ``tolerance`` from ``value``.

    Angles of lines count round the half circle: 175 degrees is 10 from 5.

    Examples
    --------
    >>> from circuitkb.queries.lists.criteria import Features
    >>> Features().where(orientation=near(45, 15)).to_cypher().parameters
    {'orientation': 45.0, 'orientation_2': 15.0, 'limit': 10000}
    """
    for number in (value, tolerance):
        _number(number)
    if tolerance < 0:
        raise QueryError(f"A tolerance of {tolerance!r}: it is a number from 0.")
    return _Near(value, tolerance)


def above(value: float) -> Predicate:
    """Return the predicate of numbers above ``value``."""
    return _Comparison(">", _number(value))


def below(value: float) -> Predicate:
    """Return the predicate of numbers below ``value``."""
    return _Comparison("<", _number(value))


def at_least(value: float) -> Predicate:
    """Return the predicate of numbers from ``value`` on."""
    return _Comparison(">=", _number(value))


def at_most(value: float) -> Predicate:
    """Return the predicate of numbers up to ``value``."""
    return _Comparison("<=", _number(value))


def between(least: float, most: float) -> Predicate:
    """Return the predicate of numbers from ``least`` to ``most``, both included."""
    return at_least(least) & at_most(most)


def one_of(*values: Any) -> Predicate:
    """Return the predicate of values that are one of these."""
    if not values:
        raise QueryError("one_of() without values: nothing could be one of them.")
    return _Comparison("in", values)


def containing(text: str) -> Predicate:
    """Return the predicate of texts with ``text`` in them, or of lists that hold it."""
    return _Comparison("contains", text)


def starting_with(text: str) -> Predicate:
    """Return the predicate of texts that start so."""
    return _Comparison("starts with", text)


def ending_with(text: str) -> Predicate:
    """Return the predicate of texts that end so."""
    return _Comparison("ends with", text)


def missing() -> Predicate:
    """Return the predicate of properties without a value; ``~missing()`` asks for any value."""
    return _Missing()


def _taken(other: Any) -> Predicate:
    if isinstance(other, Predicate):
        return other
    raise QueryError(f"{other!r} is no predicate: write near(45, 15), at_least(2), one_of('a').")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise QueryError(f"{value!r} is no finite number.")
    return value


def _checked(value: Any, owner: Property) -> Any:
    """Return the value if the property can have it."""
    if value is None:
        raise QueryError(f"{owner.name} = None is true of nothing: ask missing() instead.")
    kinds = _KINDS[owner.type]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        what = {"string": "a text", "strings": "a text", "boolean": "true or false"}
        raise QueryError(
            f"{owner.name} is {value!r}: it must be {what.get(owner.type, 'a number')}."
        )
    if isinstance(value, float):
        _number(value)
    return value

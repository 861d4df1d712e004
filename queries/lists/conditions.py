"""What all lists of things share: conditions on properties, bound parameters, a row limit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from circuitkb.queries.lists.predicates import Predicate, as_predicate, compare
from circuitkb.queries.lists.statement import Statement
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import QueryError, SchemaError
from circuitkb.schema.properties import NodeType, Property, RelationType

DEFAULT_LIMIT = 10_000


class Condition(NamedTuple):
    """A property and what its value must be."""

    owner: Property
    wanted: Predicate


class Mention(NamedTuple):
    """A name that a value relies on: ``kind`` is model, layer, feature, label, motif or origin."""

    kind: str
    name: str
    model: str | None = None


class Parameters(dict[str, Any]):
    """Values by parameter name; a name that is taken gets a number.

    It gives out variables likewise, so that no subquery takes a name that is in use outside.
    """

    def __init__(self) -> None:
        super().__init__()
        self._variables: Counter[str] = Counter()

    def bind(self, name: str, value: Any) -> str:
        """Keep the value and return how the text refers to it."""
        key, count = name, 1
        while key in self:
            count += 1
            key = f"{name}_{count}"
        self[key] = value
        return f"${key}"

    def binder(self, name: str) -> Callable[[Any], str]:
        """Return what binds values under this name."""
        return lambda value: self.bind(name, value)

    def variable(self, name: str) -> str:
        """Return a variable that nothing in the text has yet.

        Examples
        --------
        >>> parameters = Parameters()
        >>> parameters.variable("s"), parameters.variable("s")
        ('s', 's_2')
        """
        self._variables[name] += 1
        count = self._variables[name]
        return name if count == 1 else f"{name}_{count}"


@dataclass(frozen=True, kw_only=True)
class Criteria(ABC):
    """What all lists share: further conditions on properties, and a bound on the rows."""

    conditions: tuple[Condition, ...] = ()
    limit: int | None = DEFAULT_LIMIT

    def __post_init__(self) -> None:
        if self.limit is not None and (isinstance(self.limit, bool) or self.limit < 0):
            raise QueryError(f"limit is {self.limit!r}: it is a number of rows from 0, or None.")

    @property
    @abstractmethod
    def owner(self) -> NodeType | RelationType:
        """The node or relation whose properties :meth:`where` compares."""

    @abstractmethod
    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""

    @abstractmethod
    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""

    def where(
        self,
        name: str | None = None,
        operator: str | None = None,
        value: Any = None,
        /,
        **properties: Any,
    ) -> Self:
        """Return the list narrowed to rows whose properties are so.

        Parameters
        ----------
        name, operator, value
            A property, how it is compared (``= <> < <= > >= in contains``, ``starts with``,
            ``ends with``), and with what.
        properties
            Properties by name, as ``circuitkb schema`` lists them, with the value that each must
            have or a predicate such as ``near(45, 15)``. No value is ever part of the text.

        Raises
        ------
        SchemaError
            No such property; the message has near matches.
        QueryError
            No such operator, or a value that the property cannot have.

        Examples
        --------
        >>> from circuitkb.queries.lists.criteria import Features
        >>> print(Features().where("left_out_l1", ">", 2.5).to_cypher().parameters)
        {'left_out_l1': 2.5, 'limit': 10000}
        >>> from circuitkb.queries.lists.predicates import missing
        >>> print(Features().where(unit=3, basis=missing()).to_cypher().text.splitlines()[1:3])
        ['WHERE f.unit = $unit', '  AND f.basis IS NULL']
        >>> Features().where(left_out=2.5)
        Traceback (most recent call last):
        circuitkb.schema.errors.SchemaError: 'left_out' is not a property of Feature. ...
        """
        added = [
            Condition(self._property(given), as_predicate(wanted))
            for given, wanted in properties.items()
        ]
        if name is not None:
            if operator is None:
                raise QueryError(
                    f"where({name!r}): say how it is compared, as in '=', and with what."
                )
            added.insert(0, Condition(self._property(name), compare(operator, value)))
        for condition in added:  # what cannot be compared is refused here, not when it runs
            condition.wanted.text("x", condition.owner, lambda _: "$x")
        return replace(self, conditions=(*self.conditions, *added))

    def limited(self, limit: int | None) -> Self:
        """Return the list bounded to ``limit`` rows, or unbounded for None."""
        return replace(self, limit=limit)

    def compare(self, variable: str, parameters: Parameters, prefix: str = "") -> list[str]:
        """Return the conditions in Cypher, on what ``variable`` stands for."""
        return [
            wanted.text(
                f"{variable}.{owner.name}", owner, parameters.binder(f"{prefix}{owner.name}")
            )
            for owner, wanted in self.conditions
        ]

    def named(
        self, names: Mapping[str, Any], variable: str, parameters: Parameters, prefix: str = ""
    ) -> list[str]:
        """Return conditions on properties that are parameters of the list itself."""
        return [
            as_predicate(wanted).text(
                f"{variable}.{name}",
                self.owner.property(name),
                parameters.binder(f"{prefix}{name}"),
            )
            for name, wanted in names.items()
            if wanted is not None
        ]

    def row_bound(self, parameters: Parameters) -> str:
        """Return the ``LIMIT``."""
        # One row more than asked for tells the reader whether rows were cut off.
        return "" if self.limit is None else f" LIMIT {parameters.bind('limit', self.limit)} + 1"

    def _property(self, name: str) -> Property:
        try:
            return self.owner.property(name)
        except SchemaError:
            own = {item.name for item in self.owner.properties} | self.parameters()
            what = getattr(self.owner, "label", None) or getattr(self.owner, "name", "")
            raise SchemaError(
                f"{name!r} is not a property of {what}.{did_you_mean(name, own)}"
            ) from None

    @classmethod
    def of(cls, **conditions: Any) -> Self:
        """Return the list with these parameters, and properties as :meth:`where` takes them.

        Examples
        --------
        >>> from circuitkb.queries.lists.criteria import Features
        >>> Features.of(layer="mixed4b", unit=3) == Features(layer="mixed4b").where(unit=3)
        True
        """
        own = {name: conditions.pop(name) for name in cls.parameters() if name in conditions}
        return cls(**own).where(**conditions)

    @classmethod
    def parameters(cls) -> set[str]:
        """Return what the list takes by name beside properties."""
        hidden = {"conditions", "owner"}
        return {name for name in cls.__dataclass_fields__ if name[0] != "_"} - hidden


def where_clause(conditions: Iterable[str]) -> str:
    """Return the ``WHERE`` that asks for all of them, or nothing."""
    text = "\n  AND ".join(conditions)
    return f"WHERE {text}\n" if text else ""


def exists(pattern: str, conditions: Iterable[str] = ()) -> str:
    """Return the condition that the pattern is there, with all that must hold of it.

    Examples
    --------
    >>> exists("(a)-[w:WEIGHT]->(b)", ["w.rank = 1"])
    'EXISTS { MATCH (a)-[w:WEIGHT]->(b) WHERE w.rank = 1 }'
    """
    return f"EXISTS {{ MATCH {f'{pattern} {where_clause(conditions)}'.strip()} }}"

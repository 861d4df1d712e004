"""Clauses beside MATCH, whole queries, and what they answer by brute force."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Protocol

from tests.stores.contents import Record
from tests.stores.fuzz.logic import Expression, Row
from tests.stores.fuzz.patterns import LARGEST, TooManyRowsError
from tests.stores.fuzz.worlds import Edge, Node, World


class Clause(Protocol):
    """What turns rows into rows."""

    @property
    def text(self) -> str:
        """The clause in Cypher."""

    def follow(self, world: World, rows: list[Row]) -> list[Row]:
        """Return the rows after it."""


@dataclass(frozen=True)
class Unwind:
    """A list that becomes rows."""

    name: str
    listed: Expression

    @property
    def text(self) -> str:
        return f"UNWIND {self.listed.text} AS {self.name}"

    def follow(self, world: World, rows: list[Row]) -> list[Row]:
        return [
            {**row, self.name: item} for row in rows for item in self.listed.value(world, row) or []
        ]


@dataclass(frozen=True)
class Aggregate:
    """A function over the values of a group that are not null; ``over`` None counts the rows."""

    text: str
    fold: Callable[[list[Any]], Any]
    over: Expression | None = None
    distinct: bool = False

    def of(self, world: World, group: list[Row]) -> Any:
        if self.over is None:
            return self.fold(list(group))
        found = [self.over.value(world, row) for row in group]
        known = [value for value in found if value is not None]
        return self.fold(list({identity(v): v for v in known}.values()) if self.distinct else known)


@dataclass(frozen=True)
class Column:
    """A column of WITH or RETURN; the lists in it may come ``in_any_order``."""

    alias: str
    value: Expression | Aggregate
    in_any_order: bool = False

    @property
    def text(self) -> str:
        return self.alias if self.value.text == self.alias else f"{self.value.text} AS {self.alias}"


@dataclass(frozen=True)
class Projection:
    """A WITH or RETURN clause; ``order`` lists columns, True for those that go down."""

    word: str
    columns: Sequence[Column]
    distinct: bool = False
    order: Sequence[tuple[str, bool]] = ()
    skip: Expression | None = None
    limit: Expression | None = None
    where: Expression | None = None

    @property
    def text(self) -> str:
        listed = ", ".join(column.text for column in self.columns)
        parts = [self.word + (" DISTINCT" if self.distinct else ""), listed]
        if self.order:
            keys = ", ".join(name + (" DESC" if down else "") for name, down in self.order)
            parts.append(f"ORDER BY {keys}")
        parts += [f"SKIP {self.skip.text}"] if self.skip else []
        parts += [f"LIMIT {self.limit.text}"] if self.limit else []
        parts += [f"WHERE {self.where.text}"] if self.where else []
        return " ".join(parts)

    def follow(self, world: World, rows: list[Row]) -> list[Row]:
        grouped = any(isinstance(column.value, Aggregate) for column in self.columns)
        made = self._groups(world, rows) if grouped else [self._one(world, row) for row in rows]
        if self.distinct:
            made = list({identity(tuple(row.values())): row for row in made}.values())
        for name, down in reversed(self.order):
            made = in_order(made, itemgetter(name), down)
        if self.skip:
            made = made[self.skip.value(world, {}) :]
        if self.limit:
            made = made[: self.limit.value(world, {})]
        where = self.where
        return [row for row in made if where is None or where.value(world, row) is True]

    def _one(self, world: World, row: Row) -> Record:
        return {
            column.alias: column.value.value(world, row)
            for column in self.columns
            if isinstance(column.value, Expression)
        }

    def _groups(self, world: World, rows: list[Row]) -> list[Row]:
        groups: dict[Hashable, tuple[Row, list[Row]]] = {}
        for row in rows:
            keys = self._one(world, row)
            groups.setdefault(identity(tuple(keys.values())), (keys, []))[1].append(row)
        if not groups and all(isinstance(column.value, Aggregate) for column in self.columns):
            groups[()] = {}, []
        return [
            {
                column.alias: column.value.of(world, group)
                if isinstance(column.value, Aggregate)
                else keys[column.alias]
                for column in self.columns
            }
            for keys, group in groups.values()
        ]


def identity(value: Any) -> Hashable:
    """Return what is equal for values that are the same to DISTINCT."""
    if isinstance(value, list | tuple):
        return tuple(map(identity, value))
    if isinstance(value, dict):
        return tuple(sorted((key, identity(item)) for key, item in value.items()))
    return type(value).__name__, value


@dataclass(frozen=True)
class Call:
    """A subquery for each row, of one part or of several that UNION ALL joins."""

    names: Sequence[str]
    parts: Sequence[Sequence[Clause]]

    @property
    def text(self) -> str:
        inside = " UNION ALL ".join(" ".join(c.text for c in part) for part in self.parts)
        return f"CALL ({', '.join(self.names)}) {{ {inside} }}"

    def follow(self, world: World, rows: list[Row]) -> list[Row]:
        return [
            {**row, **found}
            for row in rows
            for part in self.parts
            for found in _follow(part, world, [{name: row[name] for name in self.names}])
        ]


def _follow(clauses: Sequence[Clause], world: World, rows: list[Row]) -> list[Row]:
    for clause in clauses:
        rows = clause.follow(world, rows)
        if len(rows) > LARGEST:
            raise TooManyRowsError
    return rows


@dataclass(frozen=True)
class Query:
    """A query with its parameters."""

    clauses: Sequence[Clause]
    parameters: Record = field(default_factory=dict)

    @property
    def text(self) -> str:
        return " ".join(clause.text for clause in self.clauses)

    @property
    def last(self) -> Projection:
        found = self.clauses[-1]
        if not isinstance(found, Projection):
            raise TypeError("a query ends with RETURN")
        return found

    def answer(self, world: World) -> list[tuple[Any, ...]]:
        """Return the rows that a store should give, in plain values."""
        rows = _follow(self.clauses, world, [{}])
        return [tuple(map(plain, row.values())) for row in rows]


def plain(value: Any) -> Any:
    """Return a value as stores give it: nodes and edges as dictionaries of their properties."""
    if isinstance(value, Node | Edge):
        return dict(value.properties)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def in_order(items: list[Any], key: Callable[[Any], Any], down: bool = False) -> list[Any]:
    """Sort as Cypher does: null is larger than anything."""
    known = [item for item in items if key(item) is not None]
    unknown = [item for item in items if key(item) is None]
    known.sort(key=key, reverse=down)
    return [*unknown, *known] if down else [*known, *unknown]

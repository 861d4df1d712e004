"""Random expressions of Cypher over the variables of a query."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from tests.stores.contents import Record
from tests.stores.fuzz.logic import (
    SIGNS,
    Expression,
    Truth,
    both,
    combined,
    compare,
    constant,
    either,
    every,
    exactly_one,
    negation,
    one_of_two,
    prop,
    some,
    variable,
    within,
)
from tests.stores.fuzz.needs import Need
from tests.stores.fuzz.worlds import Edge, World

PROPERTIES = {
    "Feature": ["id", "layer", "unit", "bias", "basis", "answers"],
    "Layer": ["id", "position"],
    "Circuit": ["id", "motif", "origin", "score"],
    "WEIGHT": ["sum", "rank", "path", "connection", "l1", "positive"],
    "TRANSFORMS_TO": ["group", "parameter", "score"],
    "WEIGHT|TRANSFORMS_TO": ["sum", "path", "score", "group"],
    "MEMBER_OF": ["role", "side"],
}
"""The properties that queries speak of, by label, relation or relations."""

IDENTITY = {
    "Feature": ["id"],
    "Layer": ["id"],
    "Circuit": ["id"],
    "WEIGHT": ["connection", "sum", "rank"],
    "TRANSFORMS_TO": ["group", "parameter"],
    "WEIGHT|TRANSFORMS_TO": ["connection", "group", "parameter"],
    "MEMBER_OF": ["role"],
}

EDGES = "list of WEIGHT"
"""The kind of a variable of variable length."""


@dataclass
class Writer:
    """Draws what a query says of a world.

    ``scope`` holds the kind of each variable, ``optional`` those that may be null, ``needs`` what
    the query asks of an engine.
    """

    rng: random.Random
    world: World
    scope: dict[str, str] = field(default_factory=dict)
    parameters: Record = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    needs: set[Need] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def fresh(self, letter: str) -> str:
        """Return a name that no other variable has."""
        return f"{letter}{next(self.numbers)}"

    def inside(self) -> Writer:
        """Return a writer for a subquery: it sees what is in scope, and keeps its own variables."""
        return replace(self, scope=dict(self.scope))

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def names(self, *, of: Callable[[str], bool] = lambda kind: kind in PROPERTIES) -> list[str]:
        """Return the variables in scope whose kind is wanted."""
        return [name for name, kind in self.scope.items() if of(kind)]

    def given(self, value: Any) -> Expression:
        """Write a value as a parameter or into the text."""
        if self.chance(0.5):
            name = f"p{len(self.parameters)}"
            self.parameters[name] = value
            return constant(f"${name}", value)
        return constant(literal(value), value)

    def some_value(self, kind: str, key: str) -> Any:
        """Return a value that this property has somewhere."""
        records = [r for one in kind.split("|") for r in self.world.records.get(one, ())]
        found = [record[key] for record in records if key in record]
        return self.rng.choice(found) if found else "none"

    def property(self, name: str | None = None) -> tuple[Expression, str, str]:
        """Return a property of a variable, with the variable's kind and the property's name."""
        name = name or self.rng.choice(self.names())
        kind = self.scope[name]
        key = self.rng.choice(PROPERTIES[kind])
        return prop(name, key), kind, key

    def condition(self, name: str | None = None, *, deep: bool = True) -> Expression:
        """Return a random condition on what is in scope, or on one variable."""
        if name is None and self.chance(0.25):
            return self.condition_between()
        lists = self.names(of=lambda kind: kind == EDGES)
        if name is None and lists and self.chance(0.5):
            return self.condition_on_list(self.rng.choice(lists))
        if deep and self.chance(0.25):
            return self.joined(name)
        return self.condition_on_property(name)

    def joined(self, name: str | None) -> Expression:
        one, other = (self.condition(name, deep=False) for _ in range(2))
        pair: list[tuple[str, Callable[[Truth, Truth], Truth]]] = [
            ("({} OR {})", either),
            ("({} AND {})", both),
            ("({} XOR {})", one_of_two),
            ("NOT ({} OR {})", lambda x, y: negation(either(x, y))),
            ("NOT ({} AND {})", lambda x, y: negation(both(x, y))),
        ]
        if self.chance(0.2):
            return combined("NOT ({})", negation, one, strict=False)
        text, function = self.rng.choice(pair)
        found = combined(text, function, one, other, strict=False)
        several = len(found.names) > 1 and text != "({} AND {})"
        return replace(found, mixed=several and not all(map(self.compares, (one, other))))

    def compares(self, condition: Expression) -> bool:
        """Whether a condition compares something, and is no property alone nor about a list."""
        lists = any(self.scope.get(name) == EDGES for name in condition.names)
        return " " in condition.text and not lists

    def condition_on_property(self, name: str | None) -> Expression:
        left, kind, key = self.property(name)
        value, draw = self.some_value(kind, key), self.rng.random()
        if draw < 0.12:
            if self.chance(0.5):
                return combined("{} IS NULL", lambda x: x is None, left, strict=False)
            return combined("{} IS NOT NULL", lambda x: x is not None, left, strict=False)
        if draw < 0.27:
            several = [self.some_value(kind, key) for _ in range(2)]
            several += [None] if self.chance(0.15) else []
            return combined("{} IN {}", within, left, self.given(several))
        if draw < 0.33:
            instead = self.given(value)
            filled = combined(
                "coalesce({}, {})", lambda x, y: y if x is None else x, left, instead, strict=False
            )
            return compare(filled, self.rng.choice(["=", "<>"]), self.given(value))
        if isinstance(value, bool):
            return left if self.chance(0.5) else compare(left, "=", self.given(value))
        if isinstance(value, str):
            if draw < 0.5:
                word, test = self.rng.choice(
                    [
                        ("STARTS WITH", str.startswith),
                        ("ENDS WITH", str.endswith),
                        ("CONTAINS", str.__contains__),
                    ]
                )
                piece = value[: self.rng.randint(1, 4)] if word[0] == "S" else value[-1:]
                return combined(f"{{}} {word} {{}}", test, left, self.given(piece))
            return compare(left, self.rng.choice(["=", "=", "<>", "<", ">="]), self.given(value))
        if draw < 0.42:
            return compare(combined("abs({})", abs, left), "<=", self.given(abs(value)))
        if draw < 0.48:
            return compare(combined("{} * 2", lambda x: x * 2, left), ">", self.given(value))
        if draw < 0.55:
            # A whole number against one with a fraction.
            bound = value + 0.5 if isinstance(value, int) else int(value)
            return compare(left, self.rng.choice(["<", ">="]), self.given(bound))
        return compare(left, self.rng.choice(list(SIGNS)), self.given(value))

    def condition_between(self) -> Expression:
        """Return a condition on two variables of one kind, or else on one."""
        name = self.rng.choice(self.names())
        kind = self.scope[name]
        others = [other for other in self.names(of=lambda k: k == kind) if other != name]
        if not others:
            return self.condition_on_property(name)
        other = self.rng.choice(others)
        if self.chance(0.25):
            sign = self.rng.choice(["=", "<>"])
            return compare(variable(name), sign, variable(other))
        keys = [key for key in PROPERTIES[kind] if key != "answers"]
        key, sign = self.rng.choice(keys), self.rng.choice(["<", "<", "<>", "=", ">="])
        return compare(prop(name, key), sign, prop(other, key))

    def condition_on_list(self, name: str) -> Expression:
        """Return a condition on the edges of a part of variable length."""
        if self.chance(0.2):
            size = self.given(self.rng.randint(0, 3))
            return compare(
                combined("size({})", len, variable(name)), self.rng.choice(["=", ">", "<="]), size
            )
        inner = replace(self, scope={"w": "WEIGHT"})
        test = inner.condition_on_property("w")
        word, fold = self.rng.choice(
            [
                ("all", every),
                ("all", every),
                ("any", some),
                ("single", exactly_one),
                ("none", lambda truths: negation(some(truths))),
            ]
        )
        return Expression(
            f"{word}(w IN {name} WHERE {test.text})",
            frozenset([name]),
            lambda world, row: (
                None
                if row[name] is None
                else fold(test.value(world, {"w": edge}) for edge in row[name])
            ),
        )

    def computed(self) -> Expression:
        """Return something to give: a property, a condition, or what is made of them."""
        draw = self.rng.random()
        lists = self.names(of=lambda kind: kind == EDGES)
        if lists and draw < 0.6:
            return self.computed_from_list(self.rng.choice(lists))
        if draw < 0.6:
            return self.property()[0]
        if draw < 0.75:
            found = self.condition()
            return combined("({})", lambda x: x, found)
        if draw < 0.85:
            left, kind, key = self.property()
            return combined(
                "coalesce({}, {})",
                lambda x, y: y if x is None else x,
                left,
                self.given(self.some_value(kind, key)),
                strict=False,
            )
        test, (one, *_), (other, *_) = self.condition(), self.property(), self.property()
        return combined(
            "CASE WHEN {} THEN {} ELSE {} END",
            lambda truth, x, y: x if truth else y,
            test,
            one,
            other,
            strict=False,
        )

    def computed_from_list(self, name: str) -> Expression:
        edges = variable(name)

        parts: list[tuple[str, Callable[[list[Edge]], Any]]] = [
            ("size({})", len),
            ("[w IN {} | w.sum]", lambda found: [w.properties["sum"] for w in found]),
            (
                "[w IN {} WHERE w.path IS NOT NULL | w.path]",
                lambda found: [w.properties["path"] for w in found if "path" in w.properties],
            ),
            (
                "reduce(t = 0, w IN {} | t + w.rank)",
                lambda found: sum(w.properties["rank"] for w in found),
            ),
        ]
        text, function = self.rng.choice(parts)
        return combined(text, function, edges)


def literal(value: Any) -> str:
    """Return a value as Cypher text.

    >>> literal([1, None, True, "it"])
    "[1, null, true, 'it']"
    """
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {literal(item)}" for key, item in value.items()) + "}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)

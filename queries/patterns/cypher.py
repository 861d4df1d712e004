"""A pattern as Cypher: one clause for each arrow, from the feature that is known best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from circuitkb.queries.lists.conditions import Parameters, exists, where_clause
from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.lists.reaching import on_relation
from circuitkb.queries.lists.statement import Statement
from circuitkb.queries.patterns.conditions import property_of
from circuitkb.queries.patterns.language import Comparison, Reference, Step
from circuitkb.queries.patterns.pattern import Pattern


def statement(pattern: Pattern) -> Statement:
    """Return the text and its parameters, over the weights that the graph keeps.

    Examples
    --------
    >>> print(statement(Pattern("a +> u <+ b")).text.splitlines()[0])
    MATCH (n_a:Feature)-[w:WEIGHT]->(n_u:Feature)
    """
    parameters = Parameters()
    scope = _Scope(pattern, parameters, "")
    clauses = scope.clauses(outermost=True)
    weights = dict(scope.weights)
    ranks = {
        f"rank_{step.source}_{step.target}": f"min({weights[step]}.rank)"
        for step in pattern.parsed.present
        if step in weights
    }
    # The smallest rank also makes one row of parallel weights.
    given = [f"{scope.names[name]}.id AS `{name}`" for name in pattern.names]
    given += [f"{value} AS `{name}`" for name, value in ranks.items()]
    bound = "" if pattern.limit is None else f" LIMIT {parameters.bind('limit', pattern.limit)} + 1"
    order = ", ".join(f"`{name}`" for name in pattern.names)
    distinct = "" if ranks else "DISTINCT "
    return Statement(
        f"{clauses}RETURN {distinct}{', '.join(given)}\nORDER BY {order}{bound}", parameters
    )


class _Scope:
    """One use of a pattern, with variables of its own."""

    def __init__(
        self,
        pattern: Pattern,
        parameters: Parameters,
        suffix: str,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.pattern = pattern
        self.parameters = parameters
        self.names = names or {
            name: parameters.variable(f"n_{name}{suffix}") for name, _ in pattern.features
        }
        self.weights: list[tuple[Step, str]] = []

    def clauses(self, *, outermost: bool, start: str | None = None) -> str:
        """Return the ``MATCH`` clauses; ``start`` is a feature that the text around binds."""
        order = _order(self.pattern, start)
        text = ""
        anchor = start
        if outermost:
            ends = order[0][0].ends
            anchor = next((n for n in ends if self.pattern.feature(n).is_anchored), None)
            if anchor is not None:
                wanted = self.pattern.feature(anchor)
                text = wanted.anchor(self.names[anchor], self.parameters, f"{anchor}_")
        bound = [] if anchor is None else [anchor]
        compared: list[Comparison] = []
        conditions = [] if anchor is None else self._of_feature(anchor, anchored=outermost)
        for place, (step, wanted) in enumerate(order):
            arrow, on_step = self._arrow(step, wanted, bound)
            conditions += on_step
            for name in step.ends:
                if name not in bound:
                    conditions += self._of_feature(name)
                    conditions += self._apart(name, bound)
                    bound.append(name)
            conditions += self._compared(compared, bound)
            if place == len(order) - 1:
                conditions += self._absent()
                conditions += self._counterparts() if outermost else []
            text += f"MATCH {arrow}\n{where_clause(conditions)}"
            conditions = []
        return text

    def _arrow(self, step: Step, wanted: Any, bound: Sequence[str]) -> tuple[str, list[str]]:
        ends = [f"({self.names[name]}{'' if name in bound else ':Feature'})" for name in step.ends]
        left, right = "", ">"
        # The engine goes from the left, so what is bound or known best stands there.
        if self._worth(step.source, bound) < self._worth(step.target, bound):
            ends, left, right = ends[::-1], "<", ""
        if isinstance(wanted, Edges):
            weight = self.parameters.variable("w")
            self.weights.append((step, weight))
            arrow = f"{ends[0]}{left}-[{weight}:WEIGHT]-{right}{ends[1]}"
            return arrow, wanted.on_weight(weight, self.parameters)
        relation = self.parameters.variable("r")
        arrow = f"{ends[0]}-[{relation}:{step.relation}]-{ends[1]}"
        return arrow, on_relation(wanted, relation, self.parameters)

    def _worth(self, name: str, bound: Sequence[str]) -> int:
        return 4 if name in bound else self.pattern.feature(name).selectivity

    def _of_feature(self, name: str, *, anchored: bool = False) -> list[str]:
        wanted = self.pattern.feature(name)
        return wanted.matches(self.names[name], self.parameters, f"{name}_", anchored=anchored)

    def _apart(self, name: str, others: Sequence[str]) -> list[str]:
        found = []
        for other in others:
            apart = self.pattern.apart(name, other)
            if apart is not None:
                one, how, two = apart
                found.append(f"{self.names[one]}.id {how} {self.names[two]}.id")
        return found

    def _compared(self, done: list[Comparison], bound: Sequence[str]) -> list[str]:
        """Return the comparisons whose parts are all bound by now, each once."""
        weights = dict(self.weights)

        def place(of: Reference) -> str | None:
            if isinstance(of.part, str):
                return self.names[of.part] if of.part in bound else None
            return weights.get(of.part)

        found = []
        for comparison in self.pattern.comparisons:
            left, right = place(comparison.left), place(comparison.right)
            if comparison not in done and left and right:
                done.append(comparison)
                of, to = property_of(comparison.left).name, property_of(comparison.right).name
                found.append(f"{left}.{of} {comparison.operator} {right}.{to}")
        return found

    def _absent(self) -> list[str]:
        found = []
        for step, wanted in self.pattern.absent:
            inner = _Scope(self.pattern, self.parameters, "", self.names)
            arrow, conditions = inner._arrow(step, wanted, self.pattern.names)
            for name in step.ends:
                if name not in self.pattern.names:
                    # A feature that only 'not' names is any other one.
                    conditions += self._of_feature(name)
                    conditions += self._apart(name, self.pattern.names)
            found.append(f"NOT {exists(arrow, conditions)}")
        return found

    def _counterparts(self) -> list[str]:
        wanted = self.pattern.counterparts
        if wanted is None:
            return []
        other = _Scope(self.pattern, self.parameters, "_too")
        mine, theirs = self.names[wanted.name], other.names[wanted.name]
        relation = self.parameters.variable("r")
        inner = other.clauses(outermost=False, start=wanted.name).strip().replace("\n", "\n    ")
        q = self.parameters.bind("max_q", wanted.max_q)
        # Not COUNT { ... }: one of the engines cannot add to it in a condition.
        return [
            f"size(COLLECT {{ MATCH ({mine})-[{relation}:ANALOGOUS_TO]-({theirs}:Feature)\n"
            f"    WHERE {relation}.q <= {q} AND {theirs}.model <> {mine}.model AND EXISTS {{\n"
            f"    {inner} }}\n"
            f"    RETURN DISTINCT {theirs}.model AS model }}) + 1 >= "
            f"{self.parameters.bind('models', wanted.least)}"
        ]


def _order(pattern: Pattern, start: str | None) -> list[tuple[Step, Any]]:
    """Return the arrows so that each joins on to those before it."""
    rest = list(pattern.present)
    known = {name: pattern.feature(name).selectivity for name in pattern.names}
    bound = {start} if start else set()
    order: list[tuple[Step, Any]] = []
    while rest:
        item = min(rest, key=lambda item: _cost(item[0], frozenset(bound), known))
        rest.remove(item)
        order.append(item)
        bound |= set(item[0].ends)
    return order


def _cost(step: Step, bound: frozenset[str], known: Mapping[str, int]) -> tuple[Any, ...]:
    return (
        bool(bound) and bound.isdisjoint(step.ends),
        not bound.issuperset(step.ends),  # an arrow between known features only narrows
        -max(known[name] for name in step.ends),
        step.relation == "WEIGHT",  # transforms and analogies are few
    )

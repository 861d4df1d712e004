"""A pattern as SQL over tables of weights, features and relations, for DuckDB."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from circuitkb.patterns.edge_table import COLUMNS
from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.patterns.language import Step
from circuitkb.queries.patterns.pattern import Pattern
from circuitkb.schema.errors import QueryError

EDGES = "edges"
"""Name of the table of all weights."""


@dataclass
class Relational:
    """The statements that answer a pattern.

    Attributes
    ----------
    tables
        Statements that narrow the weights down for each arrow, by the table that they make.
    joined
        What comes after SELECT ...: tables, and how they hang together.
    columns
        Expression of each column of the answer, by its name.
    parameters
        Values by name.
    """

    tables: dict[str, str] = field(default_factory=dict)
    joined: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: Any) -> str:
        """Keep a value and return how the text refers to it."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"

    def used_in(self, text: str) -> dict[str, Any]:
        """Return the values that a text refers to: DuckDB takes no others."""
        names = set(re.findall(r"\$(\w+)", text))
        return {name: value for name, value in self.parameters.items() if name in names}


def weight_columns(pattern: Pattern) -> set[str]:
    """Return the properties of weights that the pattern asks about.

    Raises
    ------
    QueryError
        One that only the weights of the graph have.
    """
    found = set()
    for step, wanted in pattern.on_steps:
        if not isinstance(wanted, Edges):
            continue
        for condition in wanted.conditions:
            if condition.owner.name not in COLUMNS:
                raise QueryError(
                    f"'{step}': {condition.owner.name} is known of the weights that the graph "
                    "keeps alone; ask with over='graph'."
                )
            found.add(condition.owner.name)
        if wanted.sign:
            found.add("sum")
    return found


def highest_rank(pattern: Pattern) -> int | None:
    """Return the rank up to which weights are needed, or None for all."""
    ranks = [wanted.max_rank for _, wanted in pattern.on_steps if isinstance(wanted, Edges)]
    return None if None in ranks else max((r for r in ranks if r is not None), default=0)


def relational(
    pattern: Pattern, narrowed: Mapping[str, str], relations: Mapping[Step, str], *, parallel: bool
) -> Relational:
    """Return the statements for a pattern.

    Parameters
    ----------
    pattern
        What is wanted.
    narrowed
        For features with conditions: the table of their numbers, one column ``number``.
    relations
        For transforms and analogies: the table of pairs, ``source`` and ``target``, both ways.
    parallel
        Whether several weights may join the same features.
    """
    made = Relational()
    places: dict[str, str] = {}
    tables, conditions = [], []
    made_tables: dict[tuple[Any, ...], str] = {}
    for number, (step, wanted) in enumerate(pattern.present):
        alias = f"e{number}"
        table = _table(made, made_tables, step, wanted, narrowed, relations, parallel)
        tables.append(f"{table} {alias}")
        for name, end in zip(step.ends, ("source", "target"), strict=True):
            if name in places:
                conditions.append(f"{alias}.{end} = {places[name]}")
            else:
                places[name] = f"{alias}.{end}"
        if step.relation == "WEIGHT":
            made.columns[f"rank_{step.source}_{step.target}"] = f"{alias}.rank"
    conditions += _apart(pattern, places)
    for number, (step, wanted) in enumerate(pattern.absent):
        alias = f"n{number}"
        table = _table(made, made_tables, step, wanted, narrowed, relations, parallel)
        inner = []
        for name, end in zip(step.ends, ("source", "target"), strict=True):
            if name in places:
                inner.append(f"{alias}.{end} = {places[name]}")
            else:
                inner += [f"{alias}.{end} <> {place}" for place in places.values()]
        conditions.append(f"NOT EXISTS (FROM {table} {alias} WHERE {' AND '.join(inner)})")
    made.joined = f"FROM {', '.join(tables)}"
    made.joined += f" WHERE {' AND '.join(conditions)}" if conditions else ""
    made.columns = {name: places[name] for name in pattern.names} | made.columns
    return made


def _table(
    made: Relational,
    known: dict[tuple[Any, ...], str],
    step: Step,
    wanted: Any,
    narrowed: Mapping[str, str],
    relations: Mapping[Step, str],
    parallel: bool,
) -> str:
    """Return the table of what one arrow may be, made once for arrows that ask for the same."""
    ends = tuple(narrowed.get(name) for name in step.ends)
    weight = isinstance(wanted, Edges)
    what = (wanted.min_rank, wanted.max_rank, wanted.sign, wanted.conditions) if weight else step
    key = (what, ends)
    if key in known:
        return known[key]
    conditions = _on_weight(made, wanted) if weight else []
    conditions += [
        f"{end} IN (FROM {table})"
        for end, table in zip(("source", "target"), ends, strict=True)
        if table
    ]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    origin = EDGES if weight else relations[step]
    known[key] = f"step{len(known)}"
    if weight and parallel:
        made.tables[known[key]] = (
            f"SELECT source, target, min(rank) AS rank FROM {origin}{where} GROUP BY source, target"
        )
    else:
        columns = "source, target, rank" if weight else "DISTINCT source, target"
        made.tables[known[key]] = f"SELECT {columns} FROM {origin}{where}"
    return known[key]


def _on_weight(made: Relational, wanted: Edges) -> list[str]:
    found = []
    if wanted.min_rank is not None:
        found.append(f"rank >= {made.bind(wanted.min_rank)}")
    if wanted.max_rank is not None:
        found.append(f"rank <= {made.bind(wanted.max_rank)}")
    if wanted.sign:
        found.append('"sum" > 0' if wanted.sign in ("+", "positive") else '"sum" < 0')
    for condition in wanted.conditions:
        found.append(
            condition.wanted.text(f'"{condition.owner.name}"', condition.owner, made.bind, "sql")
        )
    return found


def _apart(pattern: Pattern, places: Mapping[str, str]) -> list[str]:
    found = []
    names = pattern.names
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            pair = next((p for p in pattern.unordered if {*p} == {one, other}), None)
            if pair:  # numbers are in the order of the ids
                found.append(f"{places[pair[0]]} < {places[pair[1]]}")
            else:
                found.append(f"{places[one]} <> {places[other]}")
    return found

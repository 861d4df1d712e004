"""A pattern as SQL over tables of weights, features and relations, for DuckDB."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from circuitkb.patterns.edge_table import COLUMNS
from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.patterns.language import Step
from circuitkb.queries.patterns.pattern import Pattern
from circuitkb.schema.errors import QueryError

EDGES = "edges"
"""Name of the table of all weights."""

VALUES = "compared"
"""Name of the table of properties of features: ``number``, and what is compared."""


@dataclass
class Relational:
    """The statements that answer a pattern.

    Attributes
    ----------
    tables
        Statements that narrow the weights down for each arrow, by the table that they make.
    joined
        What comes after SELECT ...: tables, and how they hang together.
    grouped
        What comes after the last condition where parallel weights are compared one by one.
    columns
        Expression of each column of the answer, by its name.
    parameters
        Values by name.
    """

    tables: dict[str, str] = field(default_factory=dict)
    joined: str = ""
    grouped: str = ""
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
                    "keeps alone; ask with .over('graph')."
                )
            found.add(condition.owner.name)
        if wanted.sign:
            found.add("sum")
    for reference in (r for c in pattern.comparisons for r in (c.left, c.right)):
        if isinstance(reference.part, str):
            continue
        if reference.name not in COLUMNS:
            raise QueryError(
                f"'{reference.part}': {reference.name} is known of the weights that the graph "
                "keeps alone; ask with .over('graph')."
            )
        found.add(reference.name)
    return found


def compared_of(pattern: Pattern, part: str | Step | None = None) -> tuple[str, ...]:
    """Return the properties of a part that are compared, or of all features."""
    references = [r for c in pattern.comparisons for r in (c.left, c.right)]
    chosen = (
        r.name for r in references if r.part == part or (part is None and isinstance(r.part, str))
    )
    return tuple(sorted(set(chosen)))


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
    places: dict[str | Step, str] = {}
    values: dict[str, str] = {}
    tables, conditions = [], []
    made_tables: dict[tuple[Any, ...], str] = {}
    for number, (step, wanted) in enumerate(pattern.present):
        alias = f"e{number}"
        columns = compared_of(pattern, step)
        table = _table(made, made_tables, step, wanted, narrowed, relations, parallel, columns)
        tables.append(f"{table} {alias}")
        places[step] = alias
        for name, end in zip(step.ends, ("source", "target"), strict=True):
            if name in places:
                conditions.append(f"{alias}.{end} = {places[name]}")
            else:
                places[name] = f"{alias}.{end}"
        if step.relation == "WEIGHT":
            made.columns[f"rank_{step.source}_{step.target}"] = f"{alias}.rank"
    conditions += _apart(pattern, places)
    for number, name in enumerate(n for n in pattern.names if compared_of(pattern, n)):
        tables.append(f"{VALUES} v{number}")
        conditions.append(f"v{number}.number = {places[name]}")
        values[name] = f"v{number}"
    for comparison in pattern.comparisons:
        left, right = (
            f'{values[of.part] if isinstance(of.part, str) else places[of.part]}."{of.name}"'
            for of in (comparison.left, comparison.right)
        )
        conditions.append(f"{left} {comparison.operator} {right}")
    for number, (step, wanted) in enumerate(pattern.absent):
        alias = f"n{number}"
        table = _table(made, made_tables, step, wanted, narrowed, relations, parallel)
        inner = []
        for name, end in zip(step.ends, ("source", "target"), strict=True):
            if name in places:
                inner.append(f"{alias}.{end} = {places[name]}")
            else:
                others = {**places, name: f"{alias}.{end}"}
                inner += [_held(pattern, name, other, others) for other in pattern.names]
        inner = [condition for condition in inner if condition]
        conditions.append(f"NOT EXISTS (FROM {table} {alias}{_where(inner)})")
    made.joined = f"FROM {', '.join(tables)}"
    made.joined += _where(conditions)
    given = {name: places[name] for name in pattern.names}
    if parallel and any(
        not isinstance(r.part, str) for c in pattern.comparisons for r in (c.left, c.right)
    ):
        made.grouped = f" GROUP BY {', '.join(given.values())}"
        made.columns = {name: f"min({rank})" for name, rank in made.columns.items()}
    made.columns = given | made.columns
    return made


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _table(
    made: Relational,
    known: dict[tuple[Any, ...], str],
    step: Step,
    wanted: Any,
    narrowed: Mapping[str, str],
    relations: Mapping[Step, str],
    parallel: bool,
    columns: Sequence[str] = (),
) -> str:
    """Return the table of what one arrow may be, made once for arrows that ask for the same.

    It has further ``columns`` where they are compared, and then each parallel weight.
    """
    ends = tuple(narrowed.get(name) for name in step.ends)
    weight = isinstance(wanted, Edges)
    what = (wanted.min_rank, wanted.max_rank, wanted.sign, wanted.conditions) if weight else step
    key = (what, ends, columns)
    if key in known:
        return known[key]
    conditions = _on_weight(made, wanted) if weight else []
    conditions += [
        f"{end} IN (FROM {table})"
        for end, table in zip(("source", "target"), ends, strict=True)
        if table
    ]
    where = _where(conditions)
    origin = EDGES if weight else relations[step]
    known[key] = f"step{len(known)}"
    if weight and parallel and not columns:
        made.tables[known[key]] = (
            f"SELECT source, target, min(rank) AS rank FROM {origin}{where} GROUP BY source, target"
        )
    else:
        chosen = "source, target, rank" if weight else "DISTINCT source, target"
        chosen += "".join(f', "{name}"' for name in columns if name != "rank")
        made.tables[known[key]] = f"SELECT {chosen} FROM {origin}{where}"
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


def _apart(pattern: Pattern, places: Mapping[str | Step, str]) -> list[str]:
    names = pattern.names
    found = (
        _held(pattern, one, other, places)
        for number, one in enumerate(names)
        for other in names[number + 1 :]
    )
    return [condition for condition in found if condition]


def _held(pattern: Pattern, one: str, other: str, places: Mapping[str | Step, str]) -> str:
    """Return how two features must differ, if they must: numbers are in the order of the ids."""
    apart = pattern.apart(one, other)
    return f"{places[apart[0]]} {apart[1]} {places[apart[2]]}" if apart else ""

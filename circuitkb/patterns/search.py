"""Answers to patterns over every weight: candidates from the graph, joins by DuckDB.

What a feature must be and which features are images or analogues of one another is asked of the
graph; the weights are read from the kernels. So the answer is that of the graph's own engine
wherever the graph keeps every weight that the pattern asks about.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circuitkb.patterns.edge_table import EdgeTable, Numbering
from circuitkb.patterns.joining import joining_database, time_limit
from circuitkb.patterns.kept_tables import KeptTables
from circuitkb.patterns.permuted import PermutedCount, Permuting
from circuitkb.patterns.relational import (
    EDGES,
    VALUES,
    Relational,
    compared_of,
    highest_rank,
    relational,
    weight_columns,
)
from circuitkb.queries.lists.conditions import Parameters, where_clause
from circuitkb.queries.lists.features import Features
from circuitkb.queries.lists.predicates import Predicate
from circuitkb.queries.lists.reaching import on_relation
from circuitkb.queries.patterns.language import Step
from circuitkb.queries.patterns.pattern import Pattern, on_analogy
from circuitkb.results.result import Result
from circuitkb.schema.definition import node_type
from circuitkb.stores.base import Store
from circuitkb.stores.querying.errors import check_timeout, timed_out

if TYPE_CHECKING:
    import duckdb

MEMORY = "2GB"
"""What DuckDB may hold in memory beside the weights; more goes to a temporary folder."""

FIRST_PART = 256
"""A search starts with one of this many parts of the features, so that a bound is soon reached."""


@dataclass(frozen=True)
class Searched:
    """What a search read."""

    models: tuple[str, ...]
    edges: int
    sql: str


def models_of(store: Store, pattern: Pattern) -> dict[str, str]:
    """Return the models that a match can be in, with their fingerprints.

    They are those that it names, or all.
    """
    text = "MATCH (m:Model) RETURN m.id AS id, m.fingerprint AS fingerprint ORDER BY id"
    every = dict(store.read(text, limit=None).rows)
    # A feature that only 'not' names says nothing of where the others are.
    wanted = [pattern.feature(name).model for name in pattern.names]
    named = {model for model in wanted if isinstance(model, str)}
    across = any(step.relation == "ANALOGOUS_TO" for step, _ in pattern.on_steps)
    if pattern.counterparts is not None or across or not named:
        return every
    return {model: weights for model, weights in every.items() if model in named}


def search(
    store: Store,
    tables: KeptTables,
    pattern: Pattern,
    *,
    timeout: float,
    limit: int | None,
) -> Result:
    """Return the matches of a pattern among all weights, in the order of the ids of its features.

    Raises
    ------
    QueryError
        A condition on something that only the weights of the graph have.
    QueryTimeoutError
        It ran longer than ``timeout`` seconds.
    """
    check_timeout(timeout)
    started = time.perf_counter()
    models = models_of(store, pattern)
    if not models:
        return Result(pattern.columns, (), notes=(note(Searched((), 0, "")),))
    with _prepared(store, tables, pattern, models, timeout) as prepared:
        database, made, numbering, searched = prepared
        rows: list[tuple[Any, ...]] = []
        ids = numbering.ids
        for part in _parts(len(numbering)):
            room = None if limit is None else limit + 1 - len(rows)
            text, values = _selected(made, pattern, part, room)
            found: pa.Table = database.sql(text, params=values).to_arrow_table()
            columns = [found.column(name) for name in found.column_names]
            named = [
                ids.take(column.combine_chunks()) if place < len(pattern.names) else column
                for place, column in enumerate(columns)
            ]
            rows += zip(*(column.to_pylist() for column in named), strict=True)
            if limit is not None and len(rows) > limit:
                break
        truncated = limit is not None and len(rows) > limit
    return Result(
        pattern.columns,
        tuple(rows[:limit] if truncated else rows),
        truncated,
        seconds=time.perf_counter() - started,
        notes=(note(searched),),
    )


def count(store: Store, tables: KeptTables, pattern: Pattern, *, timeout: float) -> int:
    """Return how many matches there are among all weights, without listing them."""
    check_timeout(timeout)
    models = models_of(store, pattern)
    if not models:
        return 0
    with _prepared(store, tables, pattern, models, timeout) as (database, made, _, _):
        return _count(database, made)


def _count(database: duckdb.DuckDBPyConnection, made: Relational) -> int:
    matches = f"{made.joined}{made.grouped}"
    text = f"SELECT count(*) {'FROM (SELECT 1 ' + matches + ')' if made.grouped else matches}"
    row = database.execute(text).fetchone()
    return int(row[0]) if row else 0


def count_permuted(
    store: Store, tables: KeptTables, pattern: Pattern, *, draws: int, seed: int, timeout: float
) -> PermutedCount:
    """Return how many matches there are, and how many with weights permuted, some times.

    Raises
    ------
    QueryTimeoutError
        It ran longer than ``timeout`` seconds in all.
    """
    check_timeout(timeout)
    ends = time.perf_counter() + timeout
    models = models_of(store, pattern)

    rank = highest_rank(pattern)
    permuting: list[Permuting] = []

    def counted(permute: bool) -> int:
        left = ends - time.perf_counter()
        if left <= 0:
            raise timed_out(timeout)

        def exchanged(edges: Sequence[EdgeTable]) -> Sequence[EdgeTable]:
            if not permuting:
                random = np.random.default_rng(seed)
                permuting.extend(Permuting(table, rank, random) for table in edges)
            return [one() for one in permuting]

        change = exchanged if permute else None
        with _prepared(store, tables, pattern, models, left, change) as (database, made, _, _):
            return _count(database, made)

    if not models:
        return PermutedCount(0, (0,) * draws)
    return PermutedCount(counted(permute=False), tuple(counted(permute=True) for _ in range(draws)))


def plan(store: Store, tables: KeptTables, pattern: Pattern, *, timeout: float) -> str:
    """Return the SQL of the join, and DuckDB's plan for it."""
    models = models_of(store, pattern)
    with _prepared(store, tables, pattern, models, timeout) as prepared:
        database, made, numbering, searched = prepared
        text, values = _selected(made, pattern, (0, len(numbering)), None)
        (_, steps), *_ = database.execute(f"EXPLAIN {text}", values).fetchall()
        return f"{searched.sql}\n\n{steps}"


def note(searched: Searched) -> str:
    """Return what a reader must know of the answer."""
    return (
        f"Over all {searched.edges:,} weights of {', '.join(searched.models) or 'no model'}, "
        "kept by the graph or not."
    )


@contextmanager
def _prepared(
    store: Store,
    tables: KeptTables,
    pattern: Pattern,
    models: Mapping[str, str],
    timeout: float,
    change: Callable[[Sequence[EdgeTable]], Sequence[EdgeTable]] | None = None,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Relational, Numbering, Searched]]:
    """Give a database with a table for each arrow, which ends when its time is over.

    ``change`` gives other weights for those of the models.
    """
    started = time.perf_counter()
    columns = weight_columns(pattern) | (set() if change is None else {"connection"})
    pattern = pattern.limited(None)
    edges: Sequence[EdgeTable]
    numbering, edges = tables.take(store, models, columns, highest_rank(pattern))
    if change is not None:
        edges = change(edges)
    with joining_database(MEMORY) as (database, _):
        database.execute("SET enable_external_access = false")
        left = timeout - (time.perf_counter() - started)
        if left <= 0:
            raise timed_out(timeout)
        with time_limit(database, left, timeout):
            database.register(EDGES, _joined(edges, columns))
            made = relational(
                pattern,
                _narrowed(store, database, pattern, numbering),
                _relations(store, database, pattern, numbering),
                parallel=any(table.parallel for table in edges),
            )
            compared = compared_of(pattern)
            if compared:
                database.register(VALUES, _values(store, numbering, models, compared))
            for name, text in made.tables.items():
                database.execute(f"CREATE TEMP TABLE {name} AS {text}", made.used_in(text))
            if pattern.counterparts is not None:
                _bound_by_models(store, database, made, pattern, numbering)
            total = sum(table.edges for table in edges)
            sql = "\n".join(
                [
                    *(f"{name}: {text}" for name, text in made.tables.items()),
                    f"SELECT {', '.join(made.columns.values())} {made.joined}{made.grouped}",
                ]
            )
            yield database, made, numbering, Searched(tuple(models), total, sql)


def _joined(edges: Sequence[EdgeTable], columns: set[str]) -> pa.Table:
    names = ["source", "target", "rank", "l1", *sorted(columns - {"rank", "l1"})]
    return pa.concat_tables([table.table.select(names) for table in edges])


def _narrowed(
    store: Store, database: duckdb.DuckDBPyConnection, pattern: Pattern, numbering: Numbering
) -> dict[str, str]:
    """Make a table of the numbers that each feature with conditions can have."""
    found: dict[str, str] = {}
    known: dict[Features, str] = {}
    for name, wanted in pattern.features:
        numbers = _by_place(numbering, wanted)
        if numbers is not None and len(numbers) == len(numbering):
            continue
        if wanted not in known:
            known[wanted] = f"feature{len(known)}"
            if numbers is None:
                numbers = numbering.look_up(_candidates(store, wanted))
            database.execute(f"CREATE TEMP TABLE {known[wanted]} (number INTEGER)")
            database.register("given", pa.table({"number": numbers}))
            database.execute(f"INSERT INTO {known[wanted]} FROM given")
            database.unregister("given")
        found[name] = known[wanted]
    return found


def _by_place(numbering: Numbering, wanted: Features) -> NDArray[np.int32] | None:
    """Return the numbers of features that model and layer alone choose; None for any other.

    To ask the graph for the ids of a whole model takes longer than most joins.
    """
    if replace(wanted, model=None, layer=None) != Features(limit=wanted.limit):
        return None
    if isinstance(wanted.model, Predicate) or isinstance(wanted.layer, Predicate):
        return None
    return numbering.within(wanted.model, wanted.layer)


def _values(
    store: Store, numbering: Numbering, models: Mapping[str, str], names: Sequence[str]
) -> pa.Table:
    """Return the values of some properties of features, by number; features without any apart."""
    owner = node_type("Feature")
    kinds = {"string": pa.string(), "boolean": pa.bool_(), "integer": pa.int64()}
    given = ", ".join(f"f.{name} AS {name}" for name in names)
    valued = " OR ".join(f"f.{name} IS NOT NULL" for name in names)
    text = (
        f"MATCH (f:Feature)\nWHERE f.model IN $models AND ({valued})\nRETURN f.id AS id_, {given}"
    )
    rows = store.read(text, {"models": list(models)}, limit=None).rows
    ids, *columns = zip(*rows, strict=True) if rows else [()] * (1 + len(names))
    arrays = {
        name: pa.array(column, kinds.get(owner.property(name).type, pa.float64()))
        for name, column in zip(names, columns, strict=True)
    }
    table = pa.table({"number": numbering.places(ids), **arrays})
    return table.filter(table["number"].is_valid())


def _candidates(store: Store, wanted: Features) -> list[str]:
    parameters = Parameters()
    variable = parameters.variable("f")
    anchor = wanted.anchor(variable, parameters)
    conditions = where_clause(wanted.matches(variable, parameters, anchored=True))
    start = f"({variable}{'' if anchor else ':Feature'})"
    text = f"{anchor}MATCH {start}-[:IN_LAYER]->(:Layer)\n{conditions}"
    rows = store.read(f"{text}RETURN {variable}.id AS id", parameters, limit=None).rows
    return [row[0] for row in rows]


def _relations(
    store: Store, database: duckdb.DuckDBPyConnection, pattern: Pattern, numbering: Numbering
) -> dict[Step, str]:
    """Make a table of the pairs that each transform or analogy joins, both ways."""
    found: dict[Step, str] = {}
    for step, wanted in pattern.on_steps:
        if step.relation != "WEIGHT":
            found[step] = f"relation{len(found)}"
            _pairs(store, database, found[step], step.relation, wanted, numbering)
    return found


def _pairs(
    store: Store,
    database: duckdb.DuckDBPyConnection,
    name: str,
    relation: str,
    conditions: Any,
    numbering: Numbering,
) -> None:
    parameters = Parameters()
    where = where_clause(on_relation(conditions, "r", parameters))
    rows = store.read(
        f"MATCH (a:Feature)-[r:{relation}]->(b:Feature)\n{where}RETURN a.id AS a, b.id AS b",
        parameters,
        limit=None,
    ).rows
    places = {id: number for number, id in enumerate(numbering.ids.to_pylist())}
    pairs = [(places[a], places[b]) for a, b in rows if a in places and b in places]
    pairs += [(b, a) for a, b in pairs]
    database.execute(f"CREATE TEMP TABLE {name} (source INTEGER, target INTEGER)")
    if pairs:
        sources, targets = zip(*pairs, strict=True)
        database.register("given", pa.table({"source": sources, "target": targets}))
        database.execute(f"INSERT INTO {name} FROM given")
        database.unregister("given")


def _bound_by_models(
    store: Store,
    database: duckdb.DuckDBPyConnection,
    made: Relational,
    pattern: Pattern,
    numbering: Numbering,
) -> None:
    """Keep matches whose feature has counterparts in enough models that match too."""
    wanted = pattern.counterparts
    if wanted is None:
        return
    _pairs(store, database, "counterparts", "ANALOGOUS_TO", on_analogy(wanted.max_q), numbering)
    numbers = pa.array(range(len(numbering)), pa.int32())
    database.register("owners", pa.table({"number": numbers, "model": numbering.models}))
    place = made.columns[wanted.name]
    database.execute(
        f"CREATE TEMP TABLE matched AS SELECT DISTINCT {place} AS number {made.joined}"
    )
    database.execute(
        "CREATE TEMP TABLE enough AS SELECT mine.number FROM matched mine "
        "JOIN owners own ON own.number = mine.number "
        "LEFT JOIN (counterparts c JOIN matched m ON m.number = c.target "
        "JOIN owners o ON o.number = m.number) ON c.source = mine.number AND o.model <> own.model "
        "GROUP BY mine.number HAVING count(DISTINCT o.model) + 1 >= $least",
        {"least": wanted.least},
    )
    made.joined += f"{' AND' if ' WHERE ' in made.joined else ' WHERE'} {place} IN (FROM enough)"


def _parts(features: int) -> Iterator[tuple[int, int]]:
    """Give ranges of numbers, each twice as long as the one before."""
    start, size = 0, max(1, features // FIRST_PART)
    while start < features:
        yield start, min(start + size, features)
        start, size = start + size, size * 2


def _selected(
    made: Relational, pattern: Pattern, part: tuple[int, int], room: int | None
) -> tuple[str, dict[str, Any]]:
    first = made.columns[pattern.names[0]]
    given = ", ".join(f'{place} AS "{name}"' for name, place in made.columns.items())
    word = "AND" if " WHERE " in made.joined else "WHERE"
    order = ", ".join(f'"{name}"' for name in pattern.names)
    text = (
        f"SELECT {given} {made.joined} {word} {first} >= $first AND {first} < $last{made.grouped} "
        f"ORDER BY {order}{'' if room is None else ' LIMIT $room'}"
    )
    values = {"first": part[0], "last": part[1]} | ({} if room is None else {"room": room})
    return text, values

"""Random Cypher queries about motifs, each with its answer by brute force."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from .contents import Record
from .motifs import MOTIFS, Maker, Predicate, Step, World, bindings


@dataclass
class Query:
    """A question and what answers it."""

    text: str
    parameters: Record
    ordered: bool
    expected: list[tuple[Any, ...]]
    motif: str = ""


def query(rng: random.Random, world: World) -> Query:
    """Return a random query on a world with its answer."""
    maker = Maker(rng, world)
    motif = rng.choice(list(MOTIFS))
    steps, points, clauses = maker.pattern(MOTIFS[motif])
    wanted = rng.choice([0, 1, 1, 2, 2, 3])
    predicates = [maker.predicate(points, [s.name for s in steps]) for _ in range(wanted)]
    where = " AND ".join(p.text for p in predicates)
    shape = rng.choice(
        [_rows, _rows, _count, _distinct, _groups, _many, _page, _exists, _optional, _reach]
    )
    made = shape(maker, steps, points, clauses, predicates, f" WHERE {where}" if where else "")
    made.parameters, made.motif = maker.parameters, motif
    return made


def _match(clauses: list[list[str]]) -> str:
    return " ".join(f"MATCH {', '.join(parts)}" for parts in clauses)


def _all(maker: Maker, steps: list[Step], predicates: list[Predicate]) -> list[dict[str, Record]]:
    return list(bindings(maker.world, steps, predicates, {}))


def _identities(steps: list[Step], points: list[str]) -> list[tuple[str, str]]:
    return [(p, "id") for p in points] + [(s.name, "connection") for s in steps]


def _rows(*given: Any) -> Query:
    maker, steps, points, clauses, predicates, where = given
    columns = [*_identities(steps, points), (steps[-1].name, "sum"), (points[0], "basis")]
    listed = ", ".join(f"{name}.{prop} AS c{i}" for i, (name, prop) in enumerate(columns))
    expected = [
        tuple(found[name].get(prop) for name, prop in columns)
        for found in _all(maker, steps, predicates)
    ]
    return Query(f"{_match(clauses)}{where} RETURN {listed}", {}, False, expected)


def _count(*given: Any) -> Query:
    maker, steps, points, clauses, predicates, where = given
    found = _all(maker, steps, predicates)
    name = points[-1]
    expected = [(
        len(found),
        sum(item[name].get("bias") is not None for item in found),
        len({item[name]["layer"] for item in found}),
    )]  # fmt: skip
    text = f"count(*) AS n, count({name}.bias) AS b, count(DISTINCT {name}.layer) AS d"
    return Query(f"{_match(clauses)}{where} RETURN {text}", {}, False, expected)


def _distinct(*given: Any) -> Query:
    maker, steps, points, clauses, predicates, where = given
    first, last = points[0], points[-1]
    expected = {(f[first]["layer"], f[last].get("basis")) for f in _all(maker, steps, predicates)}
    text = f"DISTINCT {first}.layer AS a, {last}.basis AS b"
    return Query(f"{_match(clauses)}{where} RETURN {text}", {}, False, list(expected))


def _groups(*given: Any) -> Query:
    maker, steps, points, clauses, predicates, where = given
    key, name = points[-1], steps[0].name
    groups: dict[Any, list[Record]] = {}
    for found in _all(maker, steps, predicates):
        groups.setdefault(found[key].get("basis"), []).append(found[name])
    expected = [
        (
            basis,
            len(edges),
            min(e["sum"] for e in edges),
            max(e["sum"] for e in edges),
            sum(e["rank"] for e in edges),
            len({e.get("path") for e in edges} - {None}),
            sorted(e["path"] for e in edges if "path" in e),
        )
        for basis, edges in groups.items()
    ]
    text = (
        f"{key}.basis AS k, count(*) AS n, min({name}.sum) AS low, max({name}.sum) AS high, "
        f"sum({name}.rank) AS total, count(DISTINCT {name}.path) AS kinds, "
        f"collect({name}.path) AS paths"
    )
    return Query(f"{_match(clauses)}{where} RETURN {text}", {}, False, expected)


def _many(*given: Any) -> Query:
    maker, steps, points, clauses, predicates, where = given
    key = points[0]
    counts = Counter(found[key]["id"] for found in _all(maker, steps, predicates))
    least = maker.rng.randint(1, 3)
    text = f"WITH {key}, count(*) AS n WHERE n > {maker.value(least)} RETURN {key}.id AS i, n"
    expected = [(i, n) for i, n in counts.items() if n > least]
    return Query(f"{_match(clauses)}{where} {text}", {}, False, expected)


def _reach(*given: Any) -> Query:
    """What a chain of 1 to 3 edges reaches, no edge twice; the pattern is not used."""
    maker, world = given[0], given[0].world
    maker.parameters.clear()
    start = maker.rng.choice(list(world.features))
    least, most = maker.rng.choice([(1, 2), (1, 3), (2, 3), (3, 3)])
    limit = round(maker.rng.uniform(-1, 0.2), 2)
    ends: Counter[tuple[str, int]] = Counter()
    chains: list[tuple[Record, ...]] = [()]
    for length in range(1, most + 1):
        chains = [
            (*chain, edge)
            for chain in chains
            for edge in world.edges
            if edge["source"] == (chain[-1]["target"] if chain else start)
            and all(edge is not other for other in chain)
            and edge["sum"] > limit
        ]
        if length >= least:
            ends.update((chain[-1]["target"], length) for chain in chains)
    text = (
        f"MATCH p = (a:Feature {{id: {maker.value(start)}}})"
        f"-[ws:WEIGHT*{least}..{most}]->(b:Feature) "
        f"WHERE all(w IN ws WHERE w.sum > {maker.value(limit)}) "
        f"RETURN b.id AS i, length(p) AS l, count(*) AS n"
    )
    return Query(text, {}, False, [(*end, n) for end, n in ends.items()])


def _page(*given: Any) -> Query:
    maker, steps, points, clauses, predicates, where = given
    columns = [(steps[0].name, "sum"), *_identities(steps, points)]
    down = maker.rng.random() < 0.5
    every = [
        tuple(found[name].get(prop) for name, prop in columns)
        for found in _all(maker, steps, predicates)
    ]
    every.sort(key=lambda row: row[1:])
    every.sort(key=lambda row: row[0], reverse=down)
    skip, limit = maker.rng.randint(0, 3), maker.rng.randint(1, 8)
    listed = ", ".join(f"{name}.{prop} AS c{i}" for i, (name, prop) in enumerate(columns))
    order = ", ".join(f"c{i}{' DESC' if down and i == 0 else ''}" for i in range(len(columns)))
    return Query(
        f"{_match(clauses)}{where} RETURN {listed} ORDER BY {order} "
        f"SKIP {maker.value(skip)} LIMIT {maker.value(limit)}",
        {},
        True,
        every[skip : skip + limit],
    )


def _exists(*given: Any) -> Query:
    maker, steps, points, clauses, predicates, where = given
    start = points[0]
    inner = _match(clauses).replace(f"({start}:Feature)", f"({start})", 1)
    counts = Counter(found[start]["id"] for found in _all(maker, steps, predicates))
    form = maker.rng.choice(["EXISTS", "NOT EXISTS", "COUNT"])
    if form == "COUNT":
        least = maker.rng.randint(1, 4)
        test = f"COUNT {{ {inner}{where} }} >= {maker.value(least)}"
        expected = [(i,) for i in maker.world.features if counts[i] >= least]
    else:
        test = f"{form} {{ {inner}{where} }}"
        expected = [(i,) for i in maker.world.features if (counts[i] > 0) == (form == "EXISTS")]
    return Query(f"MATCH ({start}:Feature) WHERE {test} RETURN {start}.id", {}, False, expected)


def _optional(*given: Any) -> Query:
    maker, steps, points, clauses, predicates, where = given
    start, last = points[0], points[-1]
    parts = ", ".join(part for clause in clauses for part in clause)
    parts = parts.replace(f"({start}:Feature)", f"({start})", 1)
    steps = [Step(s.name, s.source, s.target, s.directed, 0) for s in steps]
    found: dict[str, list[Any]] = {}
    for item in _all(maker, steps, predicates):
        found.setdefault(item[start]["id"], []).append(item[last]["unit"])
    expected = [
        (i, len(found.get(i, ())), sum(found.get(i, ())), max(found.get(i, ()), default=None))
        for i in maker.world.features
    ]
    text = f"{start}.id AS i, count({last}) AS n, sum({last}.unit) AS s, max({last}.unit) AS m"
    if last == start:  # the variable is bound without the optional part as well
        name = steps[0].name
        text = text.replace(f"count({last})", f"count({name})")
        text = text.replace(f"sum({last}.unit) AS s, max({last}.unit) AS m", "0 AS s, 0 AS m")
        expected = [(i, n, 0, 0) for i, n, _, _ in expected]
    return Query(
        f"MATCH ({start}:Feature) OPTIONAL MATCH {parts}{where} RETURN {text}", {}, False, expected
    )

"""Random graphs, and motifs in them by trying every edge.

Nothing here knows how a store answers. A pattern has 1 to 6 edges in one or several MATCH clauses
(within one clause, no two of them stand for the same edge), and predicates with the three truth
values of Cypher.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from circuitkb.schema.tables import GraphRows

from .contents import Record, nodes, together, weights

Truth = bool | None

MOTIFS = {
    "edge": ["a>b"],
    "chain": ["a>b>c"],
    "fan in": ["a>u<b"],
    "fan out": ["a<u>b"],
    "two into one": ["a>u", "b>u"],
    "three into one": ["a>u<b", "c>u"],
    "long chain": ["a>b>c>d"],
    "diamond": ["a>b>d", "a>c>d"],
    "ring": ["a>b>d<c<a"],
    "cross": ["a>c", "b>d", "a>d", "b>c"],
    "triangle": ["a>b>c", "a>c"],
    "union": ["a>c>u<d", "a>d"],
    "union of pathways": ["a>c>u<d<b", "a>d", "b>c"],
    "chain into fan": ["a>b>u<c"],
    "there and back": ["a>b", "b>a"],
    "self": ["a>a"],
    "either way": ["a-b"],
    "either way twice": ["a-b-c"],
    "either way and on": ["a-b>c"],
}


@dataclass(frozen=True)
class World:
    """A graph: features by id, and edges between them, some of them side by side."""

    features: dict[str, Record]
    edges: tuple[Record, ...]

    def rows(self) -> GraphRows:
        return together(nodes("Feature", *self.features.values()), weights(*self.edges))


def world(rng: random.Random) -> World:
    layers, width = rng.randint(2, 4), rng.randint(2, 5)
    features = {}
    for layer in range(layers):
        for unit in range(width):
            record = {"id": f"m/l{layer}:{unit}", "model": "m", "layer": f"l{layer}", "unit": unit}
            if rng.random() < 0.7:
                record["bias"] = round(rng.uniform(-1, 1), 2)
            if rng.random() < 0.4:
                record["basis"] = rng.choice(["nmf", "pca"])
            features[record["id"]] = record
    names = list(features)
    if rng.random() < 0.7:
        pairs = [
            (a, b)
            for a in names
            for b in names
            if int(b[3]) == int(a[3]) + 1 and rng.random() < rng.choice([0.4, 0.8])
        ]
    else:
        pairs = [(rng.choice(names), rng.choice(names)) for _ in range(3 * len(names))]
    pairs += [rng.choice(pairs) for _ in range(rng.choice([0, 3, 6])) if pairs]
    seen: Counter[tuple[str, str]] = Counter()
    edges = []
    for source, target in pairs:
        number = seen[source, target]
        seen[source, target] += 1
        edge = {"source": source, "target": target, "connection": f"c{number}"}
        edge |= {"sum": round(rng.uniform(-1, 1), 3), "rank": rng.randint(1, 4)}
        if rng.random() < 0.6:
            edge["path"] = rng.choice(["direct", "residual"])
        edges.append(edge)
    return World(features, tuple(edges))


@dataclass(frozen=True)
class Step:
    """One edge of a pattern: ``name`` from ``source`` to ``target``; ``clause`` counts MATCHes."""

    name: str
    source: str
    target: str
    directed: bool
    clause: int


@dataclass(frozen=True)
class Predicate:
    """A condition on what variables stand for."""

    text: str
    names: frozenset[str]
    holds: Callable[[dict[str, Record]], Truth]


@dataclass
class Maker:
    rng: random.Random
    world: World
    parameters: Record = field(default_factory=dict)

    def value(self, value: Any) -> str:
        if self.rng.random() < 0.4:
            name = f"p{len(self.parameters)}"
            self.parameters[name] = value
            return f"${name}"
        return repr(value)

    def constant(self, of: str) -> Any:
        every: tuple[Record, ...] = (*self.world.features.values(), *self.world.edges)
        return self.rng.choice([record[of] for record in every if of in record] or ["none"])

    def comparison(self, name: str, properties: list[str]) -> Predicate:
        prop, kind = self.rng.choice(properties), self.rng.random()
        left = f"{name}.{prop}"
        value = self.constant(prop)
        ordered = isinstance(value, int | float)
        if kind < 0.12:
            negated = self.rng.random() < 0.5
            return Predicate(
                f"{left} IS {'NOT ' if negated else ''}NULL",
                frozenset([name]),
                lambda found: (found[name].get(prop) is None) != negated,
            )
        if kind < 0.27:
            several = [self.constant(prop) for _ in range(2)]
            return Predicate(
                f"{left} IN {self.value(several)}",
                frozenset([name]),
                lambda found: _known(found[name].get(prop), lambda x: x in several),
            )
        sign = self.rng.choice(["=", "<>", "<", ">", "<=", ">="] if ordered else ["=", "<>"])
        return Predicate(
            f"{left} {sign} {self.value(value)}",
            frozenset([name]),
            lambda found: _compare(sign, found[name].get(prop), value),
        )

    def predicate(self, points: list[str], steps: list[str]) -> Predicate:
        on_point = ["layer", "unit", "bias", "basis", "id"]
        on_step = ["sum", "rank", "path", "connection"]
        kind = self.rng.random()
        if kind < 0.35 and points:
            return self.comparison(self.rng.choice(points), on_point)
        if kind < 0.7:
            return self.comparison(self.rng.choice(steps), on_step)
        if kind < 0.85 and len(points) > 1:
            a, b = self.rng.sample(points, 2)
            prop, sign = self.rng.choice(["id", "unit", "bias"]), self.rng.choice(["<", "<>", "="])
            return Predicate(
                f"{a}.{prop} {sign} {b}.{prop}",
                frozenset([a, b]),
                lambda found: _compare(sign, found[a].get(prop), found[b].get(prop)),
            )
        one, other = (self.comparison(self.rng.choice(steps), on_step) for _ in range(2))
        if kind < 0.93:
            return Predicate(
                f"({one.text} OR {other.text})",
                one.names | other.names,
                lambda found: _either(one.holds(found), other.holds(found)),
            )
        return Predicate(
            f"NOT ({one.text})",
            one.names,
            lambda found: _known(one.holds(found), lambda x: not x),
        )

    def pattern(self, parts: list[str]) -> tuple[list[Step], list[str], list[list[str]]]:
        """Return steps, points, and for each clause the texts of its parts."""
        steps: list[Step] = []
        points: list[str] = []
        clauses: list[list[str]] = [[]]
        for part in parts:
            if clauses[-1] and self.rng.random() < 0.3:
                clauses.append([])
            names, signs = part[0::2], part[1::2]
            text = self.point(names[0], points)
            for left, sign, right in zip(names, signs, names[1:], strict=False):
                name = f"w{len(steps)}"
                source, target = (right, left) if sign == "<" else (left, right)
                steps.append(Step(name, source, target, sign != "-", len(clauses) - 1))
                before, after = ("<-", "-") if sign == "<" else ("-", "->" if sign == ">" else "-")
                text += f"{before}[{name}:WEIGHT]{after}{self.point(right, points)}"
            clauses[-1].append(text)
        return steps, points, clauses

    def point(self, name: str, points: list[str]) -> str:
        if name in points:
            return f"({name})"
        points.append(name)
        return f"({name}:Feature)"


def _known(value: Any, test: Callable[[Any], bool]) -> Truth:
    return None if value is None else test(value)


def _either(one: Truth, other: Truth) -> Truth:
    if one or other:
        return True
    return None if one is None or other is None else False


def _compare(sign: str, left: Any, right: Any) -> Truth:
    if left is None or right is None:
        return None
    return {
        "=": left == right,
        "<>": left != right,
        "<": left < right,
        ">": left > right,
        "<=": left <= right,
        ">=": left >= right,
    }[sign]


def bindings(
    world: World, steps: list[Step], predicates: list[Predicate], fixed: dict[str, Record]
) -> Iterator[dict[str, Record]]:
    """Give everything that the variables of a pattern can stand for, by trying every edge."""
    if not steps:
        yield fixed
        return
    step, rest = steps[0], steps[1:]
    # By identity: edges side by side may be alike in all but their key.
    used = {id(fixed[name]) for name in fixed if name.startswith(f"w{step.clause}.")}
    for edge in world.edges:
        if id(edge) in used:
            continue
        ends = {(edge["source"], edge["target"])}
        if not step.directed:
            ends.add((edge["target"], edge["source"]))
        for source, target in ends:
            found = dict(fixed)
            fits = True
            for name, end in ((step.source, source), (step.target, target)):
                node = world.features[end]
                fits = fits and found.setdefault(name, node) is node
            if not fits:
                continue
            found[step.name] = found[f"w{step.clause}.{step.name}"] = edge
            ready = [
                p for p in predicates if p.names <= found.keys() and not p.names <= fixed.keys()
            ]
            if all(p.holds(found) is True for p in ready):
                yield from bindings(world, rest, predicates, found)

"""Random graphs as stores with kernels, and motifs of them by trying all choices."""

from __future__ import annotations

import itertools
import operator
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa

from circuitkb.loaders.composition.summaries import strongest_inputs
from circuitkb.schema.kernels import Connection
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

LAYERS = ("x", "y")
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Edge = dict[str, Any]


@dataclass
class Graph:
    """Nodes and weights as plain records, and the same as a store takes them."""

    nodes: dict[str, dict[str, Any]]
    between: dict[tuple[str, str], list[Edge]]
    rows: GraphRows


def graph(source: Any, value: Mapping[Any, float | None] | None = None, model: str = "m") -> Graph:
    """Return a networkx graph as features (even nodes of layer y) and weights (``weight``).

    ``value`` is an orientation of each node, which must be a whole number.
    """
    ids = {n: f"{model}/{LAYERS[n % 2 == 0]}:{n // 2}" for n in source}
    given = value or {}
    nodes = {
        id: {
            "model": model,
            "layer": LAYERS[n % 2 == 0],
            "unit": n // 2,
            "orientation": given.get(n),
        }
        for n, id in ids.items()
    }
    units = max(n // 2 for n in source) + 1
    copies = max((len(source.get_edge_data(a, b)) for a, b in source.edges()), default=1)
    if not source.is_multigraph():
        copies = 1
    connections = []
    for one, other, copy in itertools.product(LAYERS, LAYERS, range(copies)):
        kernel = np.zeros((1, units, units, 1, 1), np.float32)
        for a, b in set(source.edges()):
            if (nodes[ids[a]]["layer"], nodes[ids[b]]["layer"]) != (one, other):
                continue
            data = source.get_edge_data(a, b)
            found = list(data.values()) if source.is_multigraph() else [data]
            if copy < len(found):
                kernel[0, b // 2, a // 2] = found[copy].get("weight", 1.0)
        whole = np.arange(units, dtype=np.int32).reshape(1, units)
        key = f"c{len(connections)}"
        connections.append(Connection(key, one, other, "direct", whole, whole, kernel))
    return Graph(nodes, _between(model, connections), _rows(model, nodes, connections, units))


def _between(model: str, connections: list[Connection]) -> dict[tuple[str, str], list[Edge]]:
    """Return the weights, ranked by l1, then by connection, then by source."""
    into: dict[str, list[Edge]] = {}
    for connection in connections:
        for out, inside in zip(*np.nonzero(connection.kernel[0, :, :, 0, 0]), strict=True):
            weight = float(connection.kernel[0, out, inside, 0, 0])
            source = f"{model}/{connection.source}:{inside}"
            into.setdefault(f"{model}/{connection.target}:{out}", []).append(
                {"source": source, "sum": weight, "l1": abs(weight)}
            )
    between: dict[tuple[str, str], list[Edge]] = {}
    for target, edges in into.items():
        for rank, edge in enumerate(sorted(edges, key=lambda e: -e["l1"]), 1):
            between.setdefault((edge["source"], target), []).append(edge | {"rank": rank})
    return between


def _rows(
    model: str, nodes: Mapping[str, Any], connections: list[Connection], units: int
) -> GraphRows:
    every = {
        f"{model}/{y}:{u}": {"model": model, "layer": y, "unit": u}
        for y in LAYERS
        for u in range(units)
    } | dict(nodes)
    kept = strongest_inputs(connections, model=model, keep=1000)
    records: dict[str, list[dict[str, Any]]] = {
        "Model": [{"id": model, "fingerprint": "0" * 64, "source": "test", "keep": 1000}],
        "Layer": [
            {"id": f"{model}/{y}", "model": model, "name": y, "position": p, "channels": units}
            for p, y in enumerate(LAYERS)
        ],
        "Feature": [{"id": id} | node for id, node in every.items()],
    }
    joined = {
        ("IN_LAYER", "Feature", "Layer"): [
            {"source": id, "target": f"{model}/{node['layer']}"} for id, node in every.items()
        ],
        ("IN_MODEL", "Layer", "Model"): [
            {"source": f"{model}/{y}", "target": model} for y in LAYERS
        ],
    }
    return GraphRows(
        nodes={label: node_table(label, rows_of(found)) for label, found in records.items()},
        relations=[
            Relations("WEIGHT", "Feature", "Feature", kept.weights),
            *(
                Relations(*what, relation_table(what[0], rows_of(found)))
                for what, found in joined.items()
            ),
        ],
        kernels={model: connections},
    )


def together(graphs: Iterable[Graph]) -> GraphRows:
    """Return the rows of several graphs, each a model of its own."""
    nodes: dict[str, list[pa.Table]] = {}
    relations: dict[tuple[str, str, str], list[pa.Table]] = {}
    kernels: dict[str, Any] = {}
    for found in graphs:
        for label, table in found.rows.nodes.items():
            nodes.setdefault(label, []).append(table)
        for item in found.rows.relations:
            key = item.name, item.source_label, item.target_label
            relations.setdefault(key, []).append(item.table)
        kernels |= found.rows.kernels
    return GraphRows(
        nodes={label: pa.concat_tables(tables) for label, tables in nodes.items()},
        relations=[Relations(*key, pa.concat_tables(t)) for key, t in relations.items()],
        kernels=kernels,
    )


def random_graph(seed: int) -> Graph:
    """Eight nodes, some joined to themselves and some by two weights, of few values."""
    rng = random.Random(seed)
    made: Any = nx.MultiDiGraph()
    made.add_nodes_from(range(8))
    for a, b in itertools.product(range(8), repeat=2):
        for _ in range(rng.choice((0, 0, 1, 1, 2)) if a != b else rng.choice((0, 1))):
            made.add_edge(a, b, weight=rng.choice((-1.5, -1.0, 0.5, 1.0, 2.0)))
    return graph(made, {n: rng.choice((None, 10.0, 20.0, 30.0)) for n in range(8)})


@dataclass(frozen=True)
class Arrow:
    """One arrow; ``sign`` and ``bounds`` (property, operator, value) are what it must be."""

    source: str
    target: str
    sign: str = "-"
    bounds: frozenset[tuple[str, str, Any]] = frozenset()
    name: str = ""
    absent: bool = False

    @property
    def ends(self) -> tuple[str, str]:
        return self.source, self.target

    def written(self, rng: random.Random) -> str:
        bounds = sorted(self.bounds)
        rng.shuffle(bounds)
        inside = ", ".join(f"{name} {how} {value}" for name, how, value in bounds)
        return (
            f"{'not ' if self.absent else ''}{self.source} {self.sign} {self.target}"
            f"{f' [{inside}]' if inside else ''}{f' as {self.name}' if self.name else ''}"
        )

    def takes(self, edge: Edge) -> bool:
        good = {"->": True, "+>": edge["sum"] > 0, "-|": edge["sum"] < 0}[self.sign]
        return good and all(OPERATORS[how](edge[name], value) for name, how, value in self.bounds)


@dataclass
class Motif:
    """A motif: its arrows, bounds of nodes, comparisons, and pairs that may be the same."""

    arrows: list[Arrow] = field(default_factory=list)
    bounds: list[tuple[str, str, str, Any]] = field(default_factory=list)
    comparisons: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    coincide: Callable[[str, str], bool] = lambda one, other: False
    ordered: Iterable[tuple[str, str]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(n for a in self.arrows if not a.absent for n in a.ends))

    @property
    def others(self) -> tuple[str, ...]:
        every = dict.fromkeys(n for a in self.arrows for n in a.ends)
        return tuple(n for n in every if n not in self.names)

    def text(self, rng: random.Random) -> str:
        """Return it as it is written, in any order."""
        lines = [arrow.written(rng) for arrow in self.arrows]
        rng.shuffle(lines)
        lines.sort(key=lambda line: line.startswith("not "))
        for name, what, how, value in self.bounds:
            written = f'"{value}"' if isinstance(value, str) else str(value)
            lines.append(f"{name}.{what} {how} {written}")
        lines += [f"{a}.{p} {how} {b}.{q}" for a, p, how, b, q in self.comparisons]
        return "\n".join(f"{line}{rng.choice(('', '  # as said'))}" for line in lines)

    def matches(self, graph: Graph, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Return every choice of nodes that fits, with the best ranks of its weights."""
        present = [a for a in self.arrows if not a.absent]
        fits = {
            name: [
                id
                for id, node in graph.nodes.items()
                if all(
                    node[what] is not None and OPERATORS[how](node[what], value)
                    for of, what, how, value in self.bounds
                    if of == name
                )
            ]
            for name in (*self.names, *self.others)
        }
        found = []
        for chosen in itertools.product(*(fits[name] for name in names)):
            at = dict(zip(names, chosen, strict=True))
            if any(
                at[one] == at[other] and not self.coincide(one, other)
                for one, other in itertools.combinations(names, 2)
            ):
                continue
            if any(at[a] > at[b] for a, b in self.ordered):
                continue
            ranks = self._ranks(graph, present, at)
            if ranks and not any(self._there(graph, a, at) for a in self.arrows if a.absent):
                found.append((*chosen, *ranks))
        return sorted(found)

    def _ranks(self, graph: Graph, present: list[Arrow], at: Mapping[str, str]) -> list[int]:
        choices = [[e for e in self._edges(graph, a, at) if a.takes(e)] for a in present]
        good = []
        for edges in itertools.product(*choices):
            of = {a.name: e for a, e in zip(present, edges, strict=True)}
            of |= {name: graph.nodes[id] for name, id in at.items()}
            values = [(of[a][p], how, of[b][q]) for a, p, how, b, q in self.comparisons]
            if all(
                None not in (one, other) and OPERATORS[how](one, other)
                for one, how, other in values
            ):
                good.append([edge["rank"] for edge in edges])
        return [min(column) for column in zip(*good, strict=True)] if good else []

    def _there(self, graph: Graph, arrow: Arrow, at: Mapping[str, str]) -> bool:
        free = [name for name in dict.fromkeys(arrow.ends) if name not in at]
        for chosen in itertools.product(graph.nodes, repeat=len(free)):
            new = dict(zip(free, chosen, strict=True))
            apart = all(
                id != other or self.coincide(name, known)
                for name, id in new.items()
                for known, other in at.items()
            )
            if apart and any(arrow.takes(e) for e in self._edges(graph, arrow, {**at, **new})):
                return True
        return False

    @staticmethod
    def _edges(graph: Graph, arrow: Arrow, at: Mapping[str, str]) -> list[Edge]:
        return graph.between.get((at[arrow.source], at[arrow.target]), [])

    def symmetries(self) -> list[dict[str, str]]:
        """Return all ways to exchange names that leave what is said the same."""
        every = (*self.names, *self.others)
        arrows = {a.name: a for a in self.arrows if a.name}
        turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}

        def said(to: Mapping[str, str]) -> set[Any]:
            def part(name: str) -> Any:
                return tuple(to[n] for n in arrows[name].ends) if name in arrows else to[name]

            found: set[Any] = {
                (a.absent, a.sign, a.bounds, to[a.source], to[a.target]) for a in self.arrows
            }
            found |= {(to[of], *rest) for of, *rest in self.bounds}
            for a, p, how, b, q in self.comparisons:
                found.add((part(a), p, how, part(b), q))
                found.add((part(b), q, turned.get(how, how), part(a), p))
            return found

        own = said({name: name for name in every})
        ways = (
            dict(zip(every, (*mine, *theirs), strict=True))
            for mine in itertools.permutations(self.names)
            for theirs in itertools.permutations(self.others)
        )
        return [to for to in ways if said(to) == own]


def random_motif(rng: random.Random, *, alike: bool = False) -> Motif:
    """Two to four nodes, joined; perhaps bounds, comparisons, and arrows that are not there.

    ``alike`` says the same of all arrows and seldom more, so that many have symmetries.
    """
    names = ["p", "q", "r", "s"][: rng.choice((2, 3, 3, 3, 4))]
    motif = Motif()
    said = _said(rng) if alike else None
    for number, name in enumerate(names[1:], 1):
        _join(rng, motif, rng.choice(names[:number]), name, said)
    for _ in range(rng.choice((0, 0, 1, 2))):
        _join(rng, motif, rng.choice(names), rng.choice(names), said)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        one, other = rng.choice(names), rng.choice([*names, "z"])
        for _ in range(3 if alike else 1):  # most often in both directions
            _join(rng, motif, one, other, said, absent=True)
    for name in names:
        if rng.random() < (0.05 if alike else 0.2):
            motif.bounds.append((name, "layer", "=", "x"))
        if rng.random() < (0.05 if alike else 0.15):
            motif.bounds.append((name, "orientation", rng.choice((">=", "<", "<>")), 20))
    if rng.random() < 0.4:
        one, other = rng.sample(names, 2)
        how = rng.choice(["=", "<>"] if alike else list(OPERATORS))
        motif.comparisons.append((one, "orientation", how, other, "orientation"))
    if rng.random() < (0.2 if alike else 0.5):
        arrows = [a.name for a in motif.arrows if a.name]
        one, other = rng.choice(arrows), rng.choice(arrows)
        how = rng.choice(["=", "<>"] if alike else list(OPERATORS))
        motif.comparisons.append((one, "l1", how, other, "l1" if alike else "sum"))
    return motif


def _said(rng: random.Random) -> tuple[str, list[tuple[str, str, Any]]]:
    bounds = rng.choice(([], [], [("l1", ">", 0.75)], [("sum", "<=", 1.0), ("l1", ">=", 1.0)]))
    return rng.choice(("->", "->", "+>", "-|")), bounds


def _join(
    rng: random.Random,
    motif: Motif,
    one: str,
    other: str,
    said: tuple[str, list[tuple[str, str, Any]]] | None,
    *,
    absent: bool = False,
) -> None:
    if rng.random() < 0.5:
        one, other = other, one
    if (one, other) in [a.ends for a in motif.arrows]:
        return
    sign, bounds = said or _said(rng)
    name = "" if absent else f"w{len(motif.arrows)}"
    motif.arrows.append(Arrow(one, other, sign, frozenset(bounds), name, absent))

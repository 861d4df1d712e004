"""Small networks with kernels, in stores and as plain records, and patterns by brute force."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from circuitkb.loaders.composition.summaries import strongest_inputs
from circuitkb.schema.kernels import Connection
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

LAYERS = ("a1", "b1", "c1")
UNITS = 4
KEEP = 5
"""Inputs that the graph keeps of each unit: fewer than it has."""


@dataclass
class World:
    """Everything that a pattern may ask about."""

    features: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: list[dict[str, Any]] = field(default_factory=list)
    mirrored: set[tuple[str, str]] = field(default_factory=set)
    analogous: set[tuple[str, str]] = field(default_factory=set)
    connections: dict[str, list[Connection]] = field(default_factory=dict)
    rows: GraphRows = field(default_factory=lambda: GraphRows(nodes={}, relations=[]))

    def __post_init__(self) -> None:
        self.between: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def index(self) -> None:
        for edge in self.edges:
            self.between.setdefault((edge["source"], edge["target"]), []).append(edge)


def make(seed: int) -> World:
    """Two networks of three layers, with parallel weights and a shortcut past the middle."""
    rng = random.Random(seed)
    numbers = np.random.default_rng(seed)
    world = World()
    relations: list[Relations] = []
    for model in ("one", "two"):
        for layer, unit in itertools.product(LAYERS, range(UNITS)):
            world.features[f"{model}/{layer}:{unit}"] = {
                "model": model,
                "layer": layer,
                "unit": unit,
                "orientation": rng.choice((None, rng.uniform(0, 180))),
                "labels": rng.sample(("Curves", "Dog Heads", "curve-like"), rng.choice((0, 1, 2))),
            }
        world.connections[model] = [
            _connection(numbers, key, source, target)
            for key, source, target in (
                ("c0", "a1", "b1"),
                ("c1", "a1", "b1"),
                ("c2", "b1", "c1"),
                ("c3", "a1", "c1"),
            )
        ]
        world.edges += _edges(model, world.connections[model])
        kept = strongest_inputs(world.connections[model], model=model, keep=KEEP)
        relations.append(Relations("WEIGHT", "Feature", "Feature", kept.weights))
    ids = list(world.features)
    pairs = [(a, b) for a, b in itertools.combinations(ids, 2)]
    same = [p for p in pairs if p[0].split(":")[0] == p[1].split(":")[0]]
    mirrors = [
        {"source": a, "target": b, "group": "mirror", "parameter": parameter, "q": q}
        for (a, b), parameter, q in (
            (pair, rng.choice((90.0, 0.0)), rng.choice((0.01, 0.05, 1.0)))
            for pair in rng.sample(same, 14)
        )
    ]
    world.mirrored = {
        (m["source"], m["target"]) for m in mirrors if m["q"] <= 0.05 and m["parameter"] == 90.0
    }
    across = [(a, b) for a, b in pairs if a.split("/")[0] != b.split("/")[0]]
    alike = [
        {"source": a, "target": b, "method": "m", "q": rng.choice((0.01, 0.05, 1.0))}
        for a, b in rng.sample(across, 30)
    ]
    world.analogous = {(m["source"], m["target"]) for m in alike if m["q"] <= 0.05}
    world.rows = _rows(world, relations, mirrors, alike)
    world.index()
    return world


def _connection(rng: np.random.Generator, key: str, source: str, target: str) -> Connection:
    units = np.arange(UNITS, dtype=np.int32).reshape(1, UNITS)
    kernel = rng.integers(-3, 4, (1, UNITS, UNITS, 1, 2)).astype(np.float32)
    kernel[rng.random((1, UNITS, UNITS)) < 0.35] = 0
    return Connection(key, source, target, "direct", units, units, kernel)


def _edges(model: str, connections: list[Connection]) -> Iterator[dict[str, Any]]:
    """Every weight, ranked in plain Python: by l1, then by connection, then by source unit."""
    into: dict[str, list[dict[str, Any]]] = {}
    for connection in connections:
        for out, inside in itertools.product(range(UNITS), range(UNITS)):
            values = connection.kernel[0, out, inside].ravel().tolist()
            if any(values):
                into.setdefault(f"{model}/{connection.target}:{out}", []).append(
                    {
                        "source": f"{model}/{connection.source}:{inside}",
                        "connection": connection.key,
                        "sum": sum(values),
                        "positive": sum(v for v in values if v > 0),
                        "l1": sum(map(abs, values)),
                    }
                )
    for target, found in into.items():
        found.sort(key=lambda e: -e["l1"])
        for rank, edge in enumerate(found, 1):
            yield edge | {"target": target, "rank": rank}


def _rows(
    world: World, weights: list[Relations], mirrors: list[Any], alike: list[Any]
) -> GraphRows:
    said = [(id, text) for id, f in world.features.items() for text in f["labels"]]
    texts = sorted({text for _, text in said})
    nodes: dict[str, list[dict[str, Any]]] = {
        "Model": [
            {
                "id": m,
                "fingerprint": m[0] * 64,
                "source": "test",
                "keep": KEEP,
                "edges": 60,
                "edges_kept": 40,
            }
            for m in world.connections
        ],
        "Layer": [
            {"id": f"{m}/{y}", "model": m, "name": y, "position": p, "channels": UNITS}
            for m in world.connections
            for p, y in enumerate(LAYERS)
        ],
        "Feature": [
            {"id": id} | {k: v for k, v in f.items() if k != "labels"}
            for id, f in world.features.items()
        ],
        "Label": [{"id": f"t:{text}", "text": text} for text in texts],
        "Annotation": [
            {"id": f"n{i}", "kind": "label", "text": text, "state": "live"}
            for i, (_, text) in enumerate(said)
        ]
        + [
            {"id": f"gone{i}", "kind": "label", "text": "Curves", "state": "retracted"}
            for i in range(len(world.features))
        ],
    }
    joined: list[tuple[str, str, str, list[dict[str, Any]]]] = [
        (
            "IN_LAYER",
            "Feature",
            "Layer",
            [
                {"source": id, "target": f"{f['model']}/{f['layer']}"}
                for id, f in world.features.items()
            ],
        ),
        (
            "IN_MODEL",
            "Layer",
            "Model",
            [{"source": f"{m}/{y}", "target": m} for m in world.connections for y in LAYERS],
        ),
        (
            "ANNOTATES",
            "Annotation",
            "Feature",
            [{"source": f"n{i}", "target": id} for i, (id, _) in enumerate(said)]
            + [{"source": f"gone{i}", "target": id} for i, id in enumerate(world.features)],
        ),
        (
            "USES",
            "Annotation",
            "Label",
            [{"source": f"n{i}", "target": f"t:{text}"} for i, (_, text) in enumerate(said)]
            + [{"source": f"gone{i}", "target": "t:Curves"} for i in range(len(world.features))],
        ),
        ("TRANSFORMS_TO", "Feature", "Feature", mirrors),
        ("ANALOGOUS_TO", "Feature", "Feature", alike),
    ]
    return GraphRows(
        nodes={label: node_table(label, rows_of(records)) for label, records in nodes.items()},
        relations=[
            *weights,
            *(
                Relations(name, source, target, relation_table(name, rows_of(records)))
                for name, source, target, records in joined
            ),
        ],
        kernels=world.connections,
    )


Check = Callable[[dict[str, Any]], bool]


@dataclass(frozen=True)
class Arrow:
    """One arrow as brute force reads it: its ends, and what a weight must be (or a relation)."""

    source: str
    target: str
    check: Check | None = None
    relation: str = "WEIGHT"
    absent: bool = False


def brute_force(
    world: World,
    arrows: list[Arrow],
    features: Mapping[str, Check],
    names: tuple[str, ...],
    unordered: tuple[tuple[str, str], ...] = (),
) -> list[tuple[Any, ...]]:
    """Try every choice of different features; return ids and the best ranks, in order."""
    present = [a for a in arrows if not a.absent]
    fits = {
        name: [id for id, f in world.features.items() if name not in features or features[name](f)]
        for name in {n for a in arrows for n in (a.source, a.target)}
    }
    found = []
    for chosen in itertools.product(*(fits[name] for name in names)):
        if len(set(chosen)) < len(chosen):
            continue
        at = dict(zip(names, chosen, strict=True))
        if any(at[one] >= at[other] for one, other in unordered):
            continue
        ranks = [_best(world, a, at) for a in present]
        if None in ranks:
            continue
        if any(_there(world, a, at, fits) for a in arrows if a.absent):
            continue
        weights = [r for r, a in zip(ranks, present, strict=True) if a.relation == "WEIGHT"]
        found.append((*chosen, *weights))
    return sorted(found)


def _best(world: World, arrow: Arrow, at: Mapping[str, str]) -> int | None:
    """Return the best rank of the weights that will do, 0 for a relation, or None."""
    pair = at[arrow.source], at[arrow.target]
    if arrow.relation != "WEIGHT":
        joined = world.mirrored if arrow.relation == "TRANSFORMS_TO" else world.analogous
        return 0 if pair in joined or pair[::-1] in joined else None
    good = [e["rank"] for e in world.between.get(pair, []) if not arrow.check or arrow.check(e)]
    return min(good, default=None)


def _there(
    world: World, arrow: Arrow, at: Mapping[str, str], fits: Mapping[str, list[str]]
) -> bool:
    free = [name for name in (arrow.source, arrow.target) if name not in at]
    choices = [fits[name] for name in free]
    for chosen in itertools.product(*choices):
        if (
            not set(chosen) & set(at.values())
            and _best(world, arrow, {**at, **dict(zip(free, chosen, strict=True))}) is not None
        ):
            return True
    return False

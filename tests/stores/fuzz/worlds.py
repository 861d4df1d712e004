"""Small random graphs of the real schema, with edges side by side.

A world is plain data: it knows no store. :meth:`World.rows` gives what a store writes,
:meth:`World.json` what a report holds and :func:`from_json` reads back.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from circuitkb.schema.tables import GraphRows
from circuitkb.stores.embedded.pointwise import following
from tests.stores.contents import Record, nodes, relations, together


@dataclass(frozen=True, eq=False)
class Node:
    """A node; two are the same only if they are the same object."""

    label: str
    properties: Record


@dataclass(frozen=True, eq=False)
class Edge:
    """An edge; edges side by side may be alike in all but their key."""

    kind: str
    source: Node
    target: Node
    properties: Record = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """A graph."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def touching(self) -> dict[Node, list[Edge]]:
        """The edges at each node; one that joins a node to itself stands there once."""
        found: dict[Node, list[Edge]] = {node: [] for node in self.nodes}
        for edge in self.edges:
            for end in dict.fromkeys((edge.source, edge.target)):
                found[end].append(edge)
        return found

    def without(self, gone: Iterable[Node | Edge]) -> World:
        """Return this world without some nodes, with the edges at them, and without some edges."""
        left_out = set(gone)
        return World(
            tuple(node for node in self.nodes if node not in left_out),
            tuple(e for e in self.edges if not left_out & {e, e.source, e.target}),
        )

    @cached_property
    def records(self) -> dict[str, list[Record]]:
        """All properties by label or relation; of relations with the ids of both ends."""
        found: dict[str, list[Record]] = {}
        for node in self.nodes:
            found.setdefault(node.label, []).append(node.properties)
        for edge in self.edges:
            ends = {"source": edge.source.properties["id"], "target": edge.target.properties["id"]}
            found.setdefault(edge.kind, []).append(ends | edge.properties)
        return found

    def rows(self) -> GraphRows:
        """Return what a store writes."""
        parts = []
        for label in dict.fromkeys(node.label for node in self.nodes):
            parts.append(nodes(label, *self.records[label]))
        for kind, source, target in dict.fromkeys(
            (edge.kind, edge.source.label, edge.target.label) for edge in self.edges
        ):
            parts.append(relations(kind, source, target, *self.records[kind]))
        return together(*parts)

    def json(self) -> str:
        """Return the graph as text, for a report; :func:`from_json` reads it."""
        kinds = {e.kind: [e.source.label, e.target.label] for e in self.edges}
        parts = [
            f"{json.dumps(name)}: [\n" + ",\n".join(map(json.dumps, records)) + "\n]"
            for name, records in self.records.items()
        ]
        return "{" + ",\n".join([*parts, f'"ends": {json.dumps(kinds)}']) + "}"


def from_json(text: str) -> World:
    """Return the graph that :meth:`World.json` wrote."""
    records: dict[str, list[Record]] = json.loads(text)
    ends: Any = records.pop("ends")
    made = tuple(
        Node(label, record)
        for label, found in records.items()
        if label not in ends
        for record in found
    )
    named = {(node.label, node.properties["id"]): node for node in made}
    edges = []
    for kind, (source, target) in ends.items():
        for record in records[kind]:
            properties = {k: v for k, v in record.items() if k not in ("source", "target")}
            at, to = named[source, record["source"]], named[target, record["target"]]
            edges.append(Edge(kind, at, to, properties))
    return World(made, tuple(edges))


def random_world(rng: random.Random) -> World:
    """Return a graph of 5 to 20 features in layers, in circuits, some mirrors of each other."""
    layers, width = rng.randint(2, 4), rng.randint(2, 5)
    model = Node("Model", {"id": "m", "fingerprint": "f", "source": "test"})
    places = [_layer(number, width) for number in range(layers)]
    features = [_feature(rng, place, unit) for place in places for unit in range(width)]
    circuits = [_circuit(rng, number) for number in range(rng.randint(1, 3))]
    edges = [
        *(Edge("IN_MODEL", place, model) for place in places),
        *(Edge("IN_LAYER", f, places[i // width]) for i, f in enumerate(features)),
        *_weights(rng, features, width),
        *_mirrors(rng, features),
        *_members(rng, features, circuits),
    ]
    return World((model, *places, *features, *circuits), tuple(edges))


def _layer(number: int, width: int) -> Node:
    record = {"id": f"m/l{number}", "model": "m", "name": f"l{number}", "channels": width}
    return Node("Layer", record | {"position": number})


def _feature(rng: random.Random, place: Node, unit: int) -> Node:
    layer = place.properties["name"]
    record = {"id": f"m/{layer}:{unit}", "model": "m", "layer": layer, "unit": unit}
    if rng.random() < 0.7:
        record["bias"] = round(rng.uniform(-1, 1), 2)
    if rng.random() < 0.4:
        record["basis"] = rng.choice(["nmf", "pca"])
    if rng.random() < 0.6:
        record["answers"] = rng.random() < 0.7
    return Node("Feature", record)


def _circuit(rng: random.Random, number: int) -> Node:
    record: Record = {"id": f"c{number}", "motif": rng.choice(["union", "curves"]), "model": "m"}
    record["origin"] = rng.choice(["found", "published"])
    if rng.random() < 0.6:
        record["score"] = round(rng.random(), 2)
    return Node("Circuit", record)


def _weights(rng: random.Random, features: list[Node], width: int) -> list[Edge]:
    """Layer to layer, or from anywhere to anywhere; some doubled, tripled, back or to itself."""
    pairs = []
    if rng.random() < 0.6:
        chance = rng.choice([0.3, 0.6])
        for i, source in enumerate(features):
            for j, target in enumerate(features):
                if j // width == i // width + 1 and rng.random() < chance:
                    pairs.append((source, target))
    if not pairs or rng.random() < 0.4:
        number = rng.randint(len(features) // 2, 2 * len(features))
        pairs += [(rng.choice(features), rng.choice(features)) for _ in range(number)]
    pairs += [rng.choice(pairs) for _ in range(rng.choice([0, 3, 6]))]
    pairs += [rng.choice(pairs)[::-1] for _ in range(rng.choice([0, 2]))]
    seen: Counter[tuple[Node, Node]] = Counter()
    edges = []
    for source, target in pairs:
        seen[source, target] += 1
        record: Record = {"connection": f"c{seen[source, target]}"}
        record |= {"sum": round(rng.uniform(-1, 1), 2) + 0.0, "rank": rng.randint(1, 4)}
        if rng.random() < 0.5:  # as the weights of kernels with one position have it
            record |= following(record["sum"])
        if rng.random() < 0.6:
            record["path"] = rng.choice(["direct", "residual"])
        edges.append(Edge("WEIGHT", source, target, record))
    return edges


def _mirrors(rng: random.Random, features: list[Node]) -> list[Edge]:
    edges = {}
    for _ in range(rng.randint(1, len(features))):
        source, target = rng.choice(features), rng.choice(features)
        record: Record = {"group": rng.choice(["mirror", "rotate"])}
        record |= {"parameter": rng.choice([0.0, 90.0]), "score": round(rng.random(), 2)}
        key = source, target, record["group"], record["parameter"]
        edges[key] = Edge("TRANSFORMS_TO", source, target, record)
    return list(edges.values())


def _members(rng: random.Random, features: list[Node], circuits: list[Node]) -> list[Edge]:
    edges = []
    for circuit in circuits:
        for feature in rng.sample(features, rng.randint(1, min(4, len(features)))):
            # Some take part twice, in two roles.
            for role in rng.choice([["case"], ["case"], ["union"], ["case", "union"]]):
                record: Record = {"role": role}
                if role == "case":
                    record["side"] = rng.randint(1, 2)
                edges.append(Edge("MEMBER_OF", feature, circuit, record))
    return edges

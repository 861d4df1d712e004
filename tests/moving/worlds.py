"""Random graphs over the whole schema, as plain records, and what belongs to a model by sets."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from circuitkb.schema.definition import NODES, RELATIONS, Property, node_type, relation_type
from circuitkb.schema.tables import (
    GraphRows,
    Relations,
    node_schema,
    node_table,
    relation_schema,
    relation_table,
    rows_of,
)
from circuitkb.stores.belonging import Ends

Record = dict[str, Any]

_SPEAK = ("ABOUT", "SUPPORTS", "REFUTES", "FROM", "ANNOTATES")
NAMED_BY_MODEL = ("Layer", "Feature", "Circuit", "Import")
MODELS = ("alex", "lite0", "lite1")
TEXTS = ["", "Ünïcödé 漢字 🧠", "a,b", 'quote " and \\', "nul \x00", "x" * 300]
NUMBERS = [0.0, -0.5, 1 / 3, -1e300, 5e-324, 2.0]


@dataclass
class World:
    """Records of nodes by label, and of relations by name and labels of their ends."""

    nodes: dict[str, list[Record]] = field(default_factory=dict)
    relations: dict[Ends, list[Record]] = field(default_factory=dict)

    def rows(self) -> GraphRows:
        return GraphRows(
            {
                label: node_table(label, rows_of(records))
                for label, records in self.nodes.items()
                if records
            },
            [
                Relations(*ends, relation_table(ends[0], rows_of(records)))
                for ends, records in self.relations.items()
                if records
            ],
        )

    def owner(self, label: str, id: str) -> str | None:
        """The model that a node names."""
        (record,) = (r for r in self.nodes[label] if r["id"] == id)
        return id if label == "Model" else record.get("model")

    def nodes_of(self, label: str, models: Sequence[str] | None) -> list[Record]:
        """Return what an engine gives: see ``StoredGraph.all_nodes``."""
        named = label == "Model" or label in NAMED_BY_MODEL
        if models is None or not named:
            return self.nodes[label]
        return [r for r in self.nodes[label] if self.owner(label, r["id"]) in models]

    def relations_of(self, ends: Ends, models: Sequence[str] | None) -> list[Record]:
        """Return what an engine gives: see ``StoredGraph.all_relations``."""
        _, source, target = ends
        kept = {end: {r["id"] for r in self.nodes_of(end, models)} for end in (source, target)}
        return [
            r
            for r in self.relations[ends]
            if r["source"] in kept[source] and r["target"] in kept[target]
        ]

    def part(self, models: Collection[str]) -> World:
        """Return what belongs to some models, node by node, until nothing more does."""
        kept = {
            (label, record["id"])
            for label in ("Model", *NAMED_BY_MODEL)
            for record in self.nodes[label]
            if (record["id"] if label == "Model" else record.get("model")) in models
        }
        owned = frozenset(kept)
        for record in self.nodes["Claim"]:
            subject = record.get("subject")
            if subject and (subject.partition("/")[0] in models or ("Circuit", subject) in owned):
                kept.add(("Claim", record["id"]))
        while True:
            more = set()
            for name, source, target, record in self.every_relation():
                start, end = (source, record["source"]), (target, record["target"])
                if name in _SPEAK and end in kept:
                    more.add(start)
                if (name in ("BY", "USES", "PART_OF") or target == "Claim") and start in kept:
                    more.add(end)
                if name == "SUPERSEDES" and (start in kept or end in kept):
                    more |= {start, end}
            if more <= kept:
                break
            kept |= more
        found = World(
            {
                label: [r for r in records if (label, r["id"]) in kept]
                for label, records in self.nodes.items()
            }
        )
        for name, source, target, record in self.every_relation():
            if {(source, record["source"]), (target, record["target"])} <= kept:
                found.relations.setdefault((name, source, target), []).append(record)
        return found

    def every_relation(self) -> Iterator[tuple[str, str, str, Record]]:
        for (name, source, target), records in self.relations.items():
            for record in records:
                yield name, source, target, record


@dataclass(frozen=True)
class InMemory:
    """A world that gives its rows as a stored graph's tables, in batches of a few."""

    world: World
    batch: int = 3

    def nodes(
        self, label: str, columns: Sequence[str], models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        records = self.world.nodes_of(label, models)
        yield from self._batches(records, node_schema(label), columns)

    def relations(
        self, ends: Ends, columns: Sequence[str], models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        records = self.world.relations_of(ends, models)
        names = ["source", "target", *columns]
        yield from self._batches(records, relation_schema(ends[0]), names)

    def _batches(
        self, records: list[Record], schema: pa.Schema, columns: Sequence[str]
    ) -> Iterator[pa.Table]:
        for start in range(0, len(records), self.batch):
            table = pa.Table.from_pylist(records[start : start + self.batch], schema=schema)
            yield table.select(columns)


def make(seed: int, *, most: int = 5) -> World:
    """Return a random world: every kind, most of them sparse, some with nothing to belong to."""
    rng = random.Random(seed)
    world = World()
    for node in NODES:
        count = len(MODELS) if node.label == "Model" else rng.randint(1, most)
        ids = MODELS if node.label == "Model" else [f"{node.label}{i} é" for i in range(count)]
        world.nodes[node.label] = [
            {"id": id} | _values(rng, node_type(node.label).properties[1:]) for id in ids
        ]
    for relation in RELATIONS:
        for source, target in relation.endpoints:
            chosen: dict[tuple[Any, ...], Record] = {}
            for _ in range(rng.choice([0, 0, 1, 2, most])):
                record = {
                    "source": rng.choice(world.nodes[source])["id"],
                    "target": rng.choice(world.nodes[target])["id"],
                } | _values(rng, relation.properties)
                key = ("source", "target", *relation_type(relation.name).key)
                chosen[tuple(record.get(name) for name in key)] = record
            world.relations[relation.name, source, target] = list(chosen.values())
    return world


def _values(rng: random.Random, properties: Sequence[Property]) -> Record:
    return {p.name: _value(rng, p) for p in properties if p.required or rng.random() < 0.4}


def _value(rng: random.Random, item: Property) -> Any:
    if item.name == "model":
        return rng.choice(MODELS)
    if item.name == "subject":
        return rng.choice([*MODELS, "lite0/mixed:3", "Circuit0 é", "Circuit1 é", "nobody", ""])
    if item.name == "parameter":  # a key: zero and minus zero would be one relation
        return rng.choice([0.0, 90.0])
    if item.type == "string":
        return rng.choice(TEXTS)
    if item.type == "integer":
        return rng.choice([0, -1, 2**53 + 1, 2**62])
    if item.type == "float":
        return rng.choice(NUMBERS)
    if item.type == "boolean":
        return rng.choice([True, False])
    return rng.choice([["a", "b"], ["a, b"], [""]])

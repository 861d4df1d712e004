"""Labels that the schema implies are added, and change no answer (30 s, of which Neo4j 15)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import pytest

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.errors import CypherError
from circuitkb.schema.properties import Property
from circuitkb.stores.base import Store
from circuitkb.stores.embedded import queried
from circuitkb.stores.querying.cypher_text import tokens_of
from circuitkb.stores.querying.labelling import labelled
from circuitkb.stores.querying.rewriting import Rewritten
from circuitkb.stores.server import reading
from tests.stores.contents import nodes, relations, together
from tests.stores.factories import FACTORIES, Factory


def sent(text: str) -> str:
    return labelled(text, tokens_of(text)).text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "MATCH (a)-[w:WEIGHT]->(b:Feature {id: $u}) RETURN a.id",
            "MATCH (a:Feature)-[w:WEIGHT]->(b:Feature {id: $u}) RETURN a.id",
        ),
        (
            "match ( a {id: '(x)-[:BY]->(y)'} ) <- [ :`IN_LAYER` ] - ( ) return a",
            "match ( a:Layer {id: '(x)-[:BY]->(y)'} ) <- [ :`IN_LAYER` ] - (:Feature ) return a",
        ),
        (
            "MATCH (`a b` WHERE `a b`.unit > 1)-[:WEIGHT|:TRANSFORMS_TO {rank: $r}]-(b $map)",
            "MATCH (`a b`:Feature WHERE `a b`.unit > 1)-[:WEIGHT|:TRANSFORMS_TO {rank: $r}]-"
            "(b:Feature $map)",
        ),
        (
            "MATCH (a /* (a) */) // (b)-[:BY]->(c)\n-[:WEIGHT*..3]->(b) RETURN a",
            "MATCH (a:Feature /* (a) */) // (b)-[:BY]->(c)\n-[:WEIGHT*..3]->(b:Feature) RETURN a",
        ),
        (
            "MATCH p = shortestPath((a)-[:WEIGHT*]->(b)) RETURN p",
            "MATCH p = shortestPath((a:Feature)-[:WEIGHT*]->(b:Feature)) RETURN p",
        ),
        (
            "MATCH (x)-[:ANALOGOUS_TO]-(c:Circuit) RETURN x",
            "MATCH (x:Circuit)-[:ANALOGOUS_TO]-(c:Circuit) RETURN x",
        ),
        (
            "MATCH (n)-[:ANNOTATES]->(t)<-[:MEMBER_OF]-(f) RETURN n",
            "MATCH (n:Annotation)-[:ANNOTATES]->(t:Circuit)<-[:MEMBER_OF]-(f:Feature) RETURN n",
        ),
        (
            "MATCH (f:Feature) WHERE EXISTS { (f)-[:WEIGHT]->(g) } AND ()-[:BY]->(f) RETURN f",
            "MATCH (f:Feature) WHERE EXISTS { (f)-[:WEIGHT]->(g:Feature) } AND "
            "(:Annotation)-[:BY]->(f) RETURN f",
        ),
        (
            "MATCH (a)-[:BY]->() RETURN a UNION MATCH (a)-[:WEIGHT]->() RETURN a",
            "MATCH (a:Annotation)-[:BY]->(:Annotator) RETURN a UNION "
            "MATCH (a:Feature)-[:WEIGHT]->(:Feature) RETURN a",
        ),
        (
            "CALL { OPTIONAL MATCH (a)-[:WEIGHT]->(b) RETURN a } RETURN a",
            "CALL { OPTIONAL MATCH (a:Feature)-[:WEIGHT]->(b:Feature) RETURN a } RETURN a",
        ),
        (
            "MATCH (n) WHERE n.id STARTS WITH 'a' AND (n)-[:WEIGHT]->(m) RETURN n",
            "MATCH (n) WHERE n.id STARTS WITH 'a' AND (n)-[:WEIGHT]->(m:Feature) RETURN n",
        ),
    ],
)
def test_a_node_gets_the_label_that_its_relations_imply(written: str, expected: str) -> None:
    assert sent(written) == expected
    assert sent(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "MATCH ()-[w:WEIGHT]->() RETURN count(w)",  # counted faster as it is
        "MATCH (a)-[w]->(b)-->(c)--(d) RETURN a",
        "MATCH (a)-[:weight]->(b), (c)-[:NO_SUCH]->(d) RETURN a",
        "MATCH (a)-[:WEIGHT*0..2]->(b) RETURN a",
        "MATCH (a)-[:WEIGHT*0]->(b) RETURN a",
        "MATCH (a)-[:WEIGHT&X]->(b), (c)-[:!WEIGHT]->(d), (e)-[:$(t)]->(f) RETURN a",
        "MATCH (a)-[:WEIGHT]->{1,3}(b), (c)-[:WEIGHT]->+(d) RETURN a",
        "MATCH (a)-[:ABOUT]->(b), (c)-[:MEMBER_OF|ABOUT]-(d) RETURN a",
        "MATCH (a:Feature|Circuit)-[:WEIGHT]->(b IS Feature) RETURN a",
        "MATCH (a:Feature) WITH a AS b OPTIONAL MATCH (b)-[:WEIGHT]->(b) RETURN b",
        "UNWIND $nodes AS n MATCH (n)-[:WEIGHT]->(n) RETURN n",
        "CALL db.labels() YIELD label MATCH (label)-[:WEIGHT]->(label) RETURN label",
        "MATCH (a:Feature) RETURN [(a)-[:WEIGHT]->(b) | b.id], COUNT { (x)-[:WEIGHT]->(a) }",
        "MATCH (a:Feature) RETURN EXISTS { MATCH (x)-[:WEIGHT]->(a) } ORDER BY a.id",
        "MATCH (a:Feature) WITH COUNT { (x)-[:WEIGHT]->(a) } AS n RETURN n",
        "RETURN '(a)-[:WEIGHT]->(b)' AS t // MATCH (a)-[:WEIGHT]->(b)",
        "MATCH (a)-[:WEIGHT]->(b RETURN a",
        "MATCH (a)-[:WEIGHT]->(b]) RETURN a",
        "MATCH (a)-[:WEIGHT]->",
        "MATCH (a)-[:",
        "MATCH (",
        "MATCH (a)-[:WEIGHT]->(b) RETURN \\u0061",
    ],
)
def test_what_implies_nothing_for_certain_is_left(text: str) -> None:
    assert sent(text) == text


ERRORS = [
    ("MATCH (a)-[w:WEIGHT]->(b) RETRUN a", "RETRUN"),
    ("MATCH (a)-[:BY]->(b)\nMATCH (c)-[:BY]->(d) WHERE c.id = z.y RETURN a", "z"),
    ("MATCH (a)-[:WEIGHT]->(b {id: '😀'}) WHERE a.unit = , RETURN 1", ", RETURN"),
    ("MATCH (a)-[:WEIGHT]->(b) RETURN a.id, no_such(b) AS c", "no_such"),
]


class Edge(NamedTuple):
    kind: str
    source: str
    target: str


class Graph(NamedTuple):
    """Ids of nodes by label, and relations of every kind between every pair of labels."""

    ids: dict[str, list[str]]
    edges: list[Edge]

    @property
    def label(self) -> dict[str, str]:
        return {id: label for label, ids in self.ids.items() for id in ids}


def filled(properties: tuple[Property, ...], number: int) -> dict[str, Any]:
    values = {"string": f"s{number}", "integer": number, "float": number / 2, "boolean": True}
    return {p.name: values[p.type] for p in properties if p.required and p.name != "id"}


def random_graph(rng: random.Random) -> Graph:
    ids = {node.label: [f"{node.label}{n}" for n in range(3)] for node in NODES}
    edges = {
        Edge(kind.name, rng.choice(ids[source]), rng.choice(ids[target]))
        for kind in RELATIONS
        for source, target in kind.endpoints
        for _ in range(rng.randint(1, 4))
    }
    return Graph(ids, sorted(edges))


def write(store: Store, graph: Graph) -> None:
    numbers = count()
    parts = []
    for node in NODES:
        ids = graph.ids[node.label]
        records = [{"id": id} | filled(node.properties, next(numbers)) for id in ids]
        parts.append(nodes(node.label, *records))
    for kind in RELATIONS:
        key = {p.name: "k" for p in kind.properties if p.name in kind.key and p.type == "string"}
        key |= {p.name: 1.0 for p in kind.properties if p.name in kind.key and p.type == "float"}
        for ends in kind.endpoints:
            found = [
                {"source": e.source, "target": e.target} | filled(kind.properties, 1) | key
                for e in graph.edges
                if e.kind == kind.name and (graph.label[e.source], graph.label[e.target]) == ends
            ]
            parts.append(relations(kind.name, *ends, *found))
    store.write(together(*parts))


class Chain(NamedTuple):
    """A drawn pattern: nodes as name and label, hops as kinds, direction and longest length."""

    names: list[str]
    labels: list[str | None]
    hops: list[tuple[tuple[str, ...], str, int]]

    @property
    def text(self) -> str:
        text = self.node(0)
        for place, (kinds, sign, most) in enumerate(self.hops, start=1):
            left, right = {">": ("-", "->"), "<": ("<-", "-"), "-": ("-", "-")}[sign]
            text += f"{left}[:{'|'.join(kinds)}{'*..2' * (most > 1)}]{right}{self.node(place)}"
        return text

    def node(self, place: int) -> str:
        label = self.labels[place]
        return f"({self.names[place]}{'' if label is None else ':' + label})"

    def fitting(self, graph: Graph, given: dict[str, str]) -> Iterator[dict[str, str]]:
        """Give what fits, every relation tried; no relation twice."""
        yield from self._from(graph, 0, given, frozenset(), None)

    def _from(
        self, graph: Graph, place: int, row: dict[str, str], used: frozenset[Edge], at: str | None
    ) -> Iterator[dict[str, str]]:
        for id in [at] if at is not None else graph.label:
            name, label = self.names[place], self.labels[place]
            if row.get(name, id) != id or label not in (None, graph.label[id]):
                continue
            found = row | {name: id} if name else row
            if place == len(self.hops):
                yield found
                continue
            for walked, end in self._walks(graph, *self.hops[place], used, id):
                yield from self._from(graph, place + 1, found, walked, end)

    def _walks(
        self,
        graph: Graph,
        kinds: tuple[str, ...],
        sign: str,
        most: int,
        used: frozenset[Edge],
        at: str,
    ) -> Iterator[tuple[frozenset[Edge], str]]:
        for edge in graph.edges:
            ends = {edge.target} if sign in ">-" and edge.source == at else set()
            ends |= {edge.source} if sign in "<-" and edge.target == at else set()
            for end in ends if edge.kind in kinds and edge not in used else ():
                yield used | {edge}, end
                if most > 1:
                    yield from self._walks(graph, kinds, sign, 1, used | {edge}, end)


def random_chain(rng: random.Random, names: list[str], hops: int) -> Chain:
    """Draw a chain that fits somewhere as often as not."""
    found = [rng.choice(RELATIONS) for _ in range(hops)]
    drawn = []
    for kind in found:
        others = [k for k in RELATIONS if k.endpoints[0] == kind.endpoints[0]]
        kinds = {kind.name, rng.choice(others).name} if rng.random() < 0.3 else {kind.name}
        drawn.append((tuple(sorted(kinds)), rng.choice("><-"), rng.choice([1, 1, 1, 2])))
    chosen = [rng.choice(names) for _ in range(hops + 1)]
    labels: list[str | None] = []
    for place, name in enumerate(chosen):
        near = found[min(place, hops - 1)].endpoints
        label = rng.choice([*rng.choice(near)]) if rng.random() < 0.25 else None
        labels.append(None if name and name in chosen[:place] else label)
    return Chain(chosen, labels, drawn)


def drawn(rng: random.Random, graph: Graph) -> tuple[str, Counter[tuple[Any, ...]]]:
    """Return a query, and its rows by brute force."""
    names = ["a", "b", "c", "", "", "d"]
    first = random_chain(rng, [*names, "a"], rng.randint(1, 2))
    rows = list(first.fitting(graph, {}))
    shape = rng.choice(["plain", "optional", "exists", "predicate", "again", "counted"])
    text = f"MATCH {first.text}"
    if shape in ("optional", "again"):
        second = random_chain(rng, ["a", "b", "e"], 1)
        new = [name for name in dict.fromkeys(second.names) if name not in first.names]
        text += f" {'OPTIONAL ' * (shape == 'optional')}MATCH {second.text}"
        joined = []
        for row in rows:
            found = list(second.fitting(graph, row))
            joined += found or ([row | dict.fromkeys(new)] if shape == "optional" else [])
        rows = joined
    elif shape != "plain":
        known = [name for name in first.names if name]
        other = random_chain(rng, [*known, ""] if shape == "predicate" else [*known, "", "z"], 1)
        inner = {
            "exists": f"EXISTS {{ MATCH {other.text} }}",
            "predicate": other.text,
            "counted": f"COUNT {{ {other.text} }} > 1",
        }[shape]
        least = 2 if shape == "counted" else 1
        text += f" WHERE {inner}"
        rows = [row for row in rows if len(list(other.fitting(graph, row))) >= least]
    matched = text.partition(" WHERE ")[0]
    columns = [name for name in ("a", "b", "c", "d", "e") if f"({name}" in matched]
    given = ", ".join(f"{name}.id AS {name}" for name in columns) or "1 AS one"
    return f"{text} RETURN {given}", Counter(
        tuple(row[name] for name in columns) or (1,) for row in rows
    )


READING = [factory for factory in FACTORIES if not factory.only_writes]
QUERIES = {"embedded": 150, "neo4j": 40}


@pytest.mark.parametrize("factory", READING, ids=lambda factory: factory.name)
def test_rows_are_the_same_with_labels_and_without(
    factory: Factory, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patterns are drawn; their rows are also found by trying every relation."""
    rng = random.Random(7)
    graph = random_graph(rng)
    with factory.held(tmp_path) as store:
        write(store, graph)
        changed = answered = 0
        for _ in range(QUERIES.get(factory.name, 40)):
            text, expected = drawn(rng, graph)
            if expected.total() > 3_000:
                continue
            given = store.read(text, limit=None)
            assert Counter(given.rows) == expected, given.cypher
            changed += given.cypher != text
            answered += bool(given.rows)
            with monkeypatch.context() as patch:
                for module in (queried, reading):
                    patch.setattr(module, "labelled", lambda text, _: Rewritten(text, text))
                plain = store.read(text, limit=None)
            assert plain.cypher == text
            assert Counter(plain.rows) == expected, text
        assert changed > 15
        assert answered > 5
        for text, spot in ERRORS:
            with pytest.raises(CypherError) as caught:
                store.read(text)
            assert caught.value.position == text.rindex(spot)
            assert labelled(text, tokens_of(text)).edits
            assert ":Feature" not in str(caught.value)

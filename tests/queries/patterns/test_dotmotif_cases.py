"""Motifs and host graphs of DotMotif's own tests, with the counts that it expects (6 s).

What it calls an attribute of an edge is the sum of a weight here, and a radius of a node its
orientation. One of its counts differs, as :data:`DIFFERENT` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import networkx as nx
import pytest

import circuitkb as ckb
from circuitkb.queries.patterns.pattern import Pattern
from tests.queries.patterns.motif_graphs import Graph, graph, together
from tests.stores.factories import Factory

RING = {"ab": 1.0, "bc": 1.0, "ca": 1.0}
TWO_RINGS = {"xy": 1, "yz": 10, "zx": 5, "za": 5, "ab": 1, "bc": 10, "ca": 5}
STEEP = {"ab": 1, "bc": 0.5, "cd": 0.25}
CYCLE = "A -> B\nB -> C\nC -> A"
LARGER = "larger(A, B) {\n  A.orientation > B.orientation\n}\nlarger(A, B)\nA -> B"
DESCENDING = """
descending(a, b, c) {
    a -> b as Edge1
    b -> c as Edge2
    Edge1.sum > Edge2.sum
}
descending(a, b, c)
descending(b, c, d)
"""
NESTED = """
a(a1, b1) { b1 -> a1; a1 -> b1 as ab }
b(a2, b2) { a(a2, b2) }
c(a3, b3) { b(a3, b3) }
c(A, B)
"""
EQUAL = "A -> B as A_B\nA -> C as A_C\nA_B.sum == A_C.sum"
UNEQUAL = EQUAL.replace("==", "!=")

CASES: list[tuple[str, dict[str, float], dict[str, float], str, dict[str, Any], int]] = [
    ("one edge", {"xy": 1}, {}, "A->B", {}, 1),
    ("two edges", {"xy": 1, "xz": 1}, {}, "A->B", {}, 2),
    ("an open ring", {"xy": 1, "yz": 1}, {}, CYCLE, {}, 0),
    ("a ring", RING, {}, CYCLE, {}, 3),
    ("a ring, one of each symmetry", RING, {}, CYCLE, {"unordered": True}, 1),
    ("two attributes", {"zx": 10, "xy": 1, "yz": 5}, {}, "A->B [sum==10, l1==10]", {}, 1),
    ("none heavy", {"xy": 1, "yz": 10, "zx": 5}, {}, "A -> B [sum>=11]", {}, 0),
    ("two heavy", TWO_RINGS, {}, "A -> B [sum>=7]", {}, 2),
    ("two rings", TWO_RINGS, {}, "A -> B [sum>=7]\nB -> C\nC -> A", {}, 2),
    ("both", {"yx": 7, "yz": 7}, {}, "A -> B [sum>=7]", {}, 2),
    ("all of three", {"xy": 10, "yz": 9, "zx": 8}, {}, "A -> B [sum>=7]", {}, 3),
    ("four", {"xy": 10, "yz": 9, "zx": 8, "zc": 7, "zd": 1}, {}, "A -> B [sum>=7]", {}, 4),
    ("fan in", {"xz": 1, "yz": 1}, {}, "A -> C\nB -> C", {}, 2),
    ("fan in, a pair", {"xz": 1, "yz": 1}, {}, "A -> C\nB -> C", {"unordered": [("A", "B")]}, 1),
    ("fan in, one", {"xz": 1, "yz": 1}, {}, "A -> C\nB -> C", {"unordered": True}, 1),
    ("smaller", RING, {"a": 5, "b": 10}, "A -> B\nA.orientation > B.orientation", {}, 0),
    ("larger", RING, {"a": 25, "b": 10}, "A -> B\nA.orientation > B.orientation", {}, 1),
    ("twice", RING, {"a": 25, "b": 10, "c": 5}, "A->B; A.orientation > B.orientation", {}, 2),
    ("macro, smaller", RING, {"a": 5, "b": 10}, LARGER, {}, 0),
    ("macro, larger", RING, {"a": 15, "b": 10}, LARGER, {}, 1),
    ("macro, twice", RING, {"a": 15, "b": 10, "c": 10}, LARGER.replace(">", ">=", 1), {}, 2),
    ("equal edges", {"ab": 1, "ac": 1}, {}, EQUAL, {}, 2),
    ("no equal edges", {"ab": 1, "ac": 2}, {}, EQUAL, {}, 0),
    ("no other edges", {"ab": 1, "ac": 1}, {}, UNEQUAL, {}, 0),
    ("other edges", {"ab": 1, "ac": 2}, {}, UNEQUAL, {}, 2),
    ("two of three alike", {"ab": 1, "ac": 2, "ad": 2}, {}, EQUAL.replace("==", "="), {}, 2),
    (
        "a chain of comparisons",
        {"ab": 1, "bc": 1, "cd": 1},
        {},
        "A -> B as ab\nB -> C as bc\nC -> D as cd\n\nab.l1 >= bc.l1\nbc.l1 >= cd.l1",
        {},
        1,
    ),
    (
        "two properties",
        {"ac": 2, "bc": 2, "cd": 1},
        {},
        "B -> C as bc\nC -> D as cd\nbc.l1 > cd.sum",
        {},
        2,
    ),
    (
        "a bound in a macro",
        STEEP,
        {},
        "descending(a, b) {\n  a -> b as Edge1\n  Edge1.sum >= 1\n}\n\ndescending(x, y)",
        {},
        1,
    ),
    ("names in a macro", STEEP | {"dc": 1, "cb": 2, "ba": 2}, {}, DESCENDING, {}, 1),
    ("macros in macros", {"ab": 1, "ba": 0.5}, {}, NESTED, {"unordered": True}, 1),
    (
        "a macro's edge",
        {"ab": -1, "ba": 1},
        {},
        NESTED.replace("as ab", "as ab; ab.l1 > ab.sum"),
        {},
        1,
    ),
]

DIFFERENT = {"macros in macros, each way": ({"ab": 1, "ba": 0.5}, NESTED, 1, 2)}
"""Host, motif, its count and ours: a match is one assignment of names, so a pair of two arrows is
found twice unless ``unordered``. DotMotif 0.18.0 itself finds it twice."""


@pytest.fixture(scope="module")
def kb(kind: Factory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    """All hosts, each a model of its own."""
    hosts = [(edges, values) for _, edges, values, *_ in CASES]
    hosts += [(edges, {}) for edges, *_ in DIFFERENT.values()]
    with kind.held(tmp_path_factory.mktemp("store")) as store:
        graphs = [host(*given, f"m{place}") for place, given in enumerate(hosts)]
        store.write(together([*graphs, graph(WIDE, {n: n % 5 for n in WIDE}, "wide")]))
        yield ckb.KnowledgeBase(store)


def host(edges: dict[str, float], values: dict[str, float], model: str) -> Graph:
    made: Any = nx.DiGraph()
    number = {name: n for n, name in enumerate("abcdxyz")}
    made.add_weighted_edges_from((number[e[0]], number[e[1]], w) for e, w in edges.items())
    return graph(made, {number[name]: value for name, value in values.items()}, model)


def counts(kb: ckb.KnowledgeBase, model: str, text: str, **given: Any) -> set[int]:
    here = {name: ckb.feature(model=model) for name in Pattern(text).names}
    query = kb.pattern(text, limit=None, **given, **here)
    return {query.over("graph").count(), query.over("all").count()}


@pytest.mark.parametrize("place", range(len(CASES)), ids=[name for name, *_ in CASES])
def test_a_motif_of_the_suite_has_the_count_of_the_suite(place: int, kb: ckb.KnowledgeBase) -> None:
    _, _, _, text, given, expected = CASES[place]
    assert counts(kb, f"m{place}", text, **given) == {expected}


@pytest.mark.parametrize("place", range(len(DIFFERENT)), ids=list(DIFFERENT))
def test_a_count_differs_where_the_meaning_does(place: int, kb: ckb.KnowledgeBase) -> None:
    _, text, theirs, ours = list(DIFFERENT.values())[place]
    assert counts(kb, f"m{len(CASES) + place}", text) == {ours}
    assert theirs != ours


WIDE: Any = nx.gnp_random_graph(20, 0.25, seed=3, directed=True)
DIAMOND = "V -> S; V -> P; S -> E; P -> E"
ALIKE: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "induced chain": ("A -> B; B -> C; not B -> A; not C -> B; not A -> C; not C -> A", "", None),
    "ring of three": ("A -> B; B -> C; C -> A", "", None),
    "ring of four": ("A -> B; B -> C; C -> D; D -> A", "", None),
    "typed diamond": (DIAMOND, "SP", None),
    "diamond": (DIAMOND, "", None),
    "fan out": ("A -> B; A -> C", "", None),
    "fan out, compared": ("A -> B; A -> C", "", ("B", "C")),
    "pair with shared input": ("A -> B; B -> A; C -> A; C -> B", "", None),
}


@pytest.mark.parametrize("name", list(ALIKE))
def test_one_of_each_symmetry_is_what_networkx_finds_by_the_symmetries_of_the_motif(
    name: str, kb: ckb.KnowledgeBase
) -> None:
    text, typed, compared = ALIKE[name]
    motif: Any = nx.DiGraph()
    absent = []
    for clause in text.split("; "):
        *negated, one, _, other = clause.split()
        absent += [(one, other)] if negated else []
        motif.add_edges_from([] if negated else [(one, other)])
    layers = {one: "xy"[place] for place, one in enumerate(typed)}
    matcher: Any = nx.algorithms.isomorphism.DiGraphMatcher

    def fits(at: dict[str, int]) -> bool:
        return (
            not any(WIDE.has_edge(at[one], at[other]) for one, other in absent)
            and all("yx"[at[n] % 2] == layer for n, layer in layers.items())
            and (not compared or at[compared[0]] % 5 > at[compared[1]] % 5)
        )

    found = matcher(WIDE, motif).subgraph_monomorphisms_iter()
    every = sum(fits({n: node for node, n in mapping.items()}) for mapping in found)
    ways = sum(
        all((to[one], to[other]) in absent for one, other in absent)
        and all(layers.get(to[n]) == layers.get(n) for n in motif)
        and (not compared or tuple(to[n] for n in compared) == compared)
        for to in matcher(motif, motif).isomorphisms_iter()
    )
    said = [text, *(f'{n}.layer = "{layer}"' for n, layer in layers.items())]
    said += [f"{compared[0]}.orientation > {compared[1]}.orientation"] if compared else []
    assert counts(kb, "wide", "\n".join(said), unordered=True) == {every // ways}
    assert every // ways > 0
    assert every % ways == 0

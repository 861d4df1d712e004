"""What motifs say: comparisons, macros, self edges, nodes that coincide, one of each symmetry.

The graph's way, the way over all weights and brute force give the same. 15 s.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.errors import QueryError, SchemaError
from circuitkb.queries.patterns.cypher import statement
from circuitkb.queries.patterns.pattern import Pattern
from tests.queries.patterns.motif_graphs import Motif, random_graph, random_motif
from tests.seeds import seeds
from tests.stores.factories import Factory

GRAPH = random_graph(0)
CASES = 60


@pytest.fixture(scope="module")
def kb(kind: Factory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    with kind.held(tmp_path_factory.mktemp("store")) as store:
        store.write(GRAPH.rows)
        yield ckb.KnowledgeBase(store)


def case(seed: int) -> tuple[Motif, Pattern]:
    """Return a random motif, by itself and as a pattern of the same meaning."""
    rng = random.Random(seed)
    motif = random_motif(rng)
    how = rng.random()
    given: dict[str, Any] = {}
    pair = tuple(rng.sample(motif.names, 2))
    if how < 0.2:
        motif.coincide, given = lambda one, other: True, {"may_coincide": True}
    elif how < 0.4:
        motif.coincide = lambda one, other: {one, other} == set(pair)
        given = {"may_coincide": [pair]}
    if 0.1 < how < 0.3:
        motif.ordered, given["unordered"] = [pair], [pair]
    return motif, Pattern(motif.text(rng), limit=None, **given)


@pytest.mark.parametrize("seed", seeds(CASES, at_first=20))
def test_a_random_motif_has_the_matches_of_brute_force_in_both_ways(
    seed: int, kb: ckb.KnowledgeBase
) -> None:
    motif, pattern = case(seed)
    named = motif.matches(GRAPH, pattern.names)
    order = [f"rank_{a.source}_{a.target}" for a in motif.arrows if not a.absent]
    width = len(pattern.names)
    for weights in ("graph", "all"):
        query = kb.pattern(pattern).over(weights)
        found = query.run()
        places = [found.columns.index(name) for name in order]
        rows = [(*row[:width], *(row[p] for p in places)) for row in found.rows]
        assert rows == named, (weights, pattern.text)
        assert query.count() == len(named)


def test_the_random_motifs_say_all_there_is_to_say() -> None:
    busy = ""
    for seed in range(CASES):
        motif, pattern = case(seed)
        if motif.matches(GRAPH, pattern.names):
            busy += f"{pattern.text} {pattern.may_coincide}\n"
            busy += "self\n" if any(a.source == a.target for a in motif.arrows) else ""
    for part in (".l1 ", ".orientation ", "self", "True", "not ", "#", "] as", "(("):
        assert part in busy, part


@pytest.mark.parametrize("seed", seeds(CASES, at_first=20))
def test_of_matches_that_differ_by_a_symmetry_one_is_given(
    seed: int, kb: ckb.KnowledgeBase
) -> None:
    rng = random.Random(seed)
    motif = random_motif(rng, alike=True)
    pattern = Pattern(motif.text(rng), unordered=True, limit=None)
    names = pattern.names
    every = {row[: len(names)] for row in motif.matches(GRAPH, names)}
    ways = {tuple(to[name] for name in names) for to in motif.symmetries()}
    classes = {frozenset(tuple(row[names.index(n)] for n in way) for way in ways) for row in every}
    assert sum(map(len, classes)) == len(every)
    for weights in ("graph", "all"):
        found = {row[: len(names)] for row in kb.pattern(pattern).over(weights).run().rows}
        assert found <= every
        assert all(len(found & alike) == 1 for alike in classes), (weights, pattern.text)


def test_many_of_the_motifs_that_are_alike_have_symmetries() -> None:
    motifs = [random_motif(random.Random(seed), alike=True) for seed in range(CASES)]
    moved = [
        motif
        for motif in motifs
        if any(to[name] != name for to in motif.symmetries() for name in motif.names)
    ]
    assert len(moved) >= 8
    assert any(motif.comparisons for motif in moved)
    assert any(arrow.absent for motif in moved for arrow in motif.arrows)


SAME = [
    ("a -> b\nb -> c", "step(x, y) { x -> y }\nstep(a, b)\nstep(b, c)"),
    (
        "a -> b; b -> c",
        "step(x, y) { x -> y }; two(x, y, z) { step(x, y); step(y, z) }; two(a, b, c)",
    ),
    ("a +> b [l1 > 1]", "# of a\n\na +> b [l1 > 1] # above 1; a -> c"),
    ("a -> b as w; w.l1 >= 1.5; b.layer = 'x'", 'a -> b [l1 >= 1.5] as v; b.layer == "x"'),
    ("a -> b; a.orientation > b.orientation", "a -> b; b.orientation < a.orientation"),
    ("a -> b; a.unit != b.unit", "a -> b; b.unit <> a.unit"),
    ("a -> b [rank <= 2]", "a -> b [rank < 3]"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_ways_to_say_a_thing_mean_the_same(one: str, other: str, kb: ckb.KnowledgeBase) -> None:
    answers = {
        kb.pattern(text, limit=None).over(weights).run().rows
        for text in (one, other)
        for weights in ("graph", "all")
    }
    assert len(answers) == 1
    assert answers.pop()


def test_properties_may_be_compared_beside_the_text(kb: ckb.KnowledgeBase) -> None:
    text = kb.pattern("a -> b as w; a.orientation > b.orientation; w.l1 > w.sum").run()
    where = [("a.orientation", ">", "b.orientation"), ("w.l1", ">", "w.sum")]
    assert kb.pattern("a -> b as w", where=where).run().rows == text.rows
    assert text.rows


def test_values_go_to_the_engine_as_parameters() -> None:
    text = 'a -> b [l1 > 0.75]\na.layer = "x\' OR 1=1 //"'
    made = statement(Pattern(text))
    assert "OR 1=1" not in made.text
    assert "0.75" not in made.text
    assert "x' OR 1=1 //" in made.parameters.values()


REFUSED = [
    (
        "a -> b\na.orientaton > 3",
        "line 2, column 1: 'orientaton' is not a property of Feature. Did",
    ),
    ("a -> b [l3 > 4]", "column 9: 'l3' is not a property of WEIGHT"),
    ("a -> b\na.layer > b.layer", "line 2, column 1: 'a.layer > b.layer': layer is a text"),
    ("a -> b as w; a.unit > w.path", "column 14: 'a.unit > a -> b.path': unit is a number, path"),
    ("a -> b\n\nc.layer = 'x'", "line 3, column 1: 'c.layer' is compared, but no feature"),
    ("a -> b; a.unit > v.l1", "column 18: 'v.l1' is compared, but no feature"),
    ("a -> b; a.layer = 5", "column 9: layer is 5: it must be a text"),
    ("a -> b [rank <= 1e400]", "column 9: inf is no finite number"),
    ("a -> b\na.layer contains b.layer", "line 2, column 1: 'a.layer contains b.layer': two"),
    ("t(a, b) { a -> c }\nt(a, b)", "line 2, column 1: the macro 't' names 'c', which is none"),
    ("tw(a, b) { a -> b }\nt(a, b)", "no macro 't' is defined above its use. Did you mean 'tw'"),
    ("t(a, b) { a -> b }\nt(a)", "line 2, column 1: the macro 't' takes 2 names (a, b), not 1"),
    ("t(a, a) { a -> b }\nt(a, a)", "the macro 't' has an argument twice"),
    ("t(a, b) { a -> b }\nt(a, b) { b -> a }", "line 2, column 1: the macro 't' is defined twice"),
    ("t(a, b) { t(a, b) }\nt(a, b)", "with its macros put in, it has more than 200 parts"),
    ("a -> b as w; b -> c as w", "column 14: two weights get the name 'w'"),
    ("a -> b; not b -> a as w", "'as w' names a weight that is not there"),
    ("a -> b -> c as w", "'as' takes one arrow"),
    ("a ~ b as w", "'a ~ b' is no weight"),
    ("a -> b; a.layer = x", "a text stands in quotes"),
    ("a -> b; not b -> a [l1 > 1]; not b -> a", "'not b -> a' stands twice"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_cannot_be_meant_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises((QueryError, SchemaError)) as refused:
        Pattern(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"where": ["a.unit > b.unit"]}, "write ('a.orientation', '>', 'b.orientation')"),
        ({"where": [("a", ">", "b.unit")]}, "write a part and a property"),
        ({"where": [("a.unit", "~", "b.unit")]}, "two properties are ="),
        ({"may_coincide": [("a", "c")]}, "no feature 'c'"),
        ({"may_coincide": [("a", "a")]}, "is no pair of names"),
        ({"unordered": True, "may_coincide": True}, "name the pairs"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError) as refused:
        Pattern("a -> b", **given)
    assert message in str(refused.value)

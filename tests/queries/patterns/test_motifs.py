"""What motifs say: comparisons, macros, self edges, nodes that coincide, one of each symmetry.

The graph's way, the way over all weights and brute force give the same. 12 s.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.queries.patterns.pattern import Pattern
from tests.queries.patterns.motif_graphs import Motif, random_graph, random_motif
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


@pytest.mark.parametrize("seed", range(CASES))
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
    for part in (".l1 ", ".orientation ", "self", "True", "not ", "#", "] as", "('p'"):
        assert part in busy, part


@pytest.mark.parametrize("seed", range(CASES))
def test_of_matches_that_differ_by_a_symmetry_one_is_given(
    seed: int, kb: ckb.KnowledgeBase
) -> None:
    rng = random.Random(seed)
    motif = random_motif(rng)
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

"""The brute force of the fuzz, held against closed forms and matrix products."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.stores.fuzz import logic
from tests.stores.fuzz.clauses import Aggregate, Column, Projection, Query
from tests.stores.fuzz.logic import Expression, compare, constant, prop, variable
from tests.stores.fuzz.patterns import Match, Step
from tests.stores.fuzz.projections import COUNT
from tests.stores.fuzz.worlds import Edge, Node, World, from_json, random_world


def graph(nodes: int, pairs: Sequence[tuple[int, int]]) -> World:
    """A world of features 0, 1, ... and weights, numbered in their order."""
    features = tuple(Node("Feature", {"id": f"n{i}", "unit": i}) for i in range(nodes))
    edges = (
        Edge("WEIGHT", features[a], features[b], {"connection": f"c{i}", "rank": i})
        for i, (a, b) in enumerate(pairs)
    )
    return World(features, tuple(edges))


def complete(nodes: int) -> World:
    """Every two nodes joined in both directions."""
    return graph(nodes, list(itertools.permutations(range(nodes), 2)))


def line(nodes: int) -> World:
    return graph(nodes, [(i, i + 1) for i in range(nodes - 1)])


def matrix(world: World) -> NDArray[np.int64]:
    """The number of edges between every two nodes."""
    order = {node: i for i, node in enumerate(world.nodes)}
    found = np.zeros((len(order), len(order)), dtype=np.int64)
    for edge in world.edges:
        found[order[edge.source], order[edge.target]] += 1
    return found


def forward(nodes: int, edges: int, seed: int) -> World:
    """A random graph without rings, some of its edges side by side."""
    rng = random.Random(seed)
    starts = [rng.randrange(nodes - 1) for _ in range(edges)]
    return graph(nodes, [(a, min(a + rng.choice([1, 1, 2]), nodes - 1)) for a in starts])


def match(*steps: Step, where: tuple[Expression, ...] = (), optional: bool = False) -> Match:
    labels: dict[str, str | None] = {}
    for step in steps:
        labels |= {step.source: "Feature", step.target: "Feature"}
    return Match((), steps, labels, where=where, optional=optional)


def weight(ends: str, length: tuple[int, int] | None = None, **others: Any) -> Step:
    """A relation between two variables of one letter: ``weight("ab")``."""
    return Step(f"w_{ends}", ("WEIGHT",), ends[0], ends[1], length=length, **others)


def fits(world: World, *clauses: Match) -> int:
    """How many rows some clauses give."""
    query = Query([*clauses, Projection("RETURN", [Column("n", COUNT)])])
    return int(query.answer(world)[0][0])


@pytest.mark.parametrize("nodes", [2, 3, 4, 5])
def test_walks_in_a_complete_graph_take_no_edge_twice(nodes: int) -> None:
    n, world = nodes, complete(nodes)
    assert fits(world, match(weight("ab"))) == n * (n - 1)
    assert fits(world, match(weight("ab", (2, 2)))) == n * (n - 1) ** 2
    # Of all walks of three, those there, back, and there again take an edge twice.
    assert fits(world, match(weight("ab", (3, 3)))) == n * (n - 1) ** 3 - n * (n - 1)


@pytest.mark.parametrize(("least", "most"), [(1, 1), (1, 3), (2, 2), (0, 2), (3, 9)])
def test_a_line_has_as_many_paths_of_a_length_as_it_has_places_for_them(
    least: int, most: int
) -> None:
    nodes = 7
    expected = sum(max(nodes - length, 0) for length in range(least, most + 1))
    assert fits(line(nodes), match(weight("ab", (least, most)))) == expected


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_walks_between_two_nodes_are_a_power_of_the_matrix(seed: int, length: int) -> None:
    """Without rings no walk can take an edge twice."""
    world = forward(7, 14, seed)
    power = np.linalg.matrix_power(matrix(world), length)
    clause = match(weight("ab", (length, length)))
    found = np.zeros_like(power)
    for row in clause.follow(world, [{}]):
        found[row["a"].properties["unit"], row["b"].properties["unit"]] += 1
    assert power.any()
    assert np.array_equal(found, power)


@pytest.mark.parametrize("seed", range(5))
def test_motifs_are_sums_over_the_matrix(seed: int) -> None:
    world = forward(7, 14, seed)
    a = matrix(world)
    paths, squares = a @ a, a.sum(axis=0) ** 2 - a.sum(axis=0)
    assert fits(world, match(weight("ab"), weight("bc"))) == paths.sum()
    assert fits(world, match(weight("au"), weight("bu"))) == squares.sum()
    assert fits(world, match(weight("au")), match(weight("bu"))) == (a.sum(axis=0) ** 2).sum()
    assert fits(world, match(weight("ab"), weight("bc"), weight("ac"))) == (paths * a).sum()
    # Two ways from a to d: any two that share no edge. Ways that share one part from it through
    # edges side by side.
    every = sum(
        len({e1, e2, e3, e4}) == 4
        for e1, e2 in itertools.product(world.edges, repeat=2)
        if e1.target is e2.source
        for e3, e4 in itertools.product(world.edges, repeat=2)
        if e3.target is e4.source and e3.source is e1.source and e4.target is e2.target
    )
    diamond = match(weight("ab"), weight("bd"), weight("ac"), weight("cd"))
    assert fits(world, diamond) == every


@pytest.mark.parametrize("side_by_side", [1, 2, 3, 4])
def test_edges_side_by_side_are_different_edges(side_by_side: int) -> None:
    n, world = side_by_side, graph(2, [(0, 1)] * side_by_side)
    assert fits(world, match(weight("ab"))) == n
    assert fits(world, match(weight("au"), weight("bu"))) == n * (n - 1)
    assert fits(world, match(weight("au")), match(weight("bu"))) == n * n


def test_either_way_counts_an_edge_from_both_ends_and_one_to_itself_once() -> None:
    either = weight("ab", directed=False)
    assert fits(graph(2, [(0, 1)]), match(either)) == 2
    assert fits(graph(1, [(0, 0)]), match(either)) == 1
    leaves = 5
    star = graph(leaves + 1, [(0, i) for i in range(1, leaves + 1)])
    assert fits(star, match(either)) == 2 * leaves
    assert fits(star, match(weight("ab", (2, 2), directed=False))) == leaves * (leaves - 1)
    # Euler: a ring of n can be walked whole from each node in both directions, but no further.
    ring = graph(4, [(i, (i + 1) % 4) for i in range(4)])
    assert fits(ring, match(weight("ab", (4, 4), directed=False))) == 8
    assert fits(ring, match(weight("ab", (5, 9), directed=False))) == 0


def test_a_list_of_relations_follows_the_text() -> None:
    world = line(4)
    forwards, backwards = (
        [
            [edge.properties["rank"] for edge in row["w_ab"]]
            for row in match(weight("ab", (3, 3), backwards=back)).follow(world, [{}])
        ]
        for back in (False, True)
    )
    assert forwards == [[0, 1, 2]]
    assert backwards == [[2, 1, 0]]


@pytest.mark.parametrize("seed", range(5))
def test_an_optional_part_that_is_missing_leaves_one_row_of_nulls(seed: int) -> None:
    world = forward(8, 7, seed)
    leaving = matrix(world).sum(axis=1)
    start = Match((), (), {"a": "Feature"})
    part = match(weight("ab"), optional=True)
    assert 0 in leaving
    assert fits(world, start, part) == np.maximum(leaving, 1).sum()
    without = [row for row in part.follow(world, start.follow(world, [{}])) if row["b"] is None]
    assert len(without) == (leaving == 0).sum()
    # What is null fits nowhere, wherever it stands.
    assert fits(world, start, part, match(weight("cb"))) == sum(
        matrix(world).sum(axis=0)[edge.target.properties["unit"]] for edge in world.edges
    )


def test_conditions_keep_the_rows_for_which_they_are_true_and_not_those_unknown() -> None:
    world = graph(4, [])
    for i, bias in enumerate([None, 1.0, 2.0, 3.0]):
        world.nodes[i].properties.update({} if bias is None else {"bias": bias})
    above = compare(prop("a", "bias"), ">", constant("1.5", 1.5))
    below = logic.combined("NOT {}", logic.negation, above, strict=False)
    kept = [Match((), (), {"a": "Feature"}, where=(one,)) for one in (above, below)]
    assert [fits(world, clause) for clause in kept] == [2, 1]


TRUTHS: list[logic.Truth] = [False, None, True]


@pytest.mark.parametrize(("one", "other"), list(itertools.product(TRUTHS, TRUTHS)))
def test_three_truth_values_follow_kleene(one: logic.Truth, other: logic.Truth) -> None:
    """False, unknown, true as 0, 1, 2: AND is the least, OR the largest, NOT two minus."""
    x, y = TRUTHS.index(one), TRUTHS.index(other)
    assert logic.both(one, other) is TRUTHS[min(x, y)]
    assert logic.either(one, other) is TRUTHS[max(x, y)]
    assert logic.negation(one) is TRUTHS[2 - x]
    # Exactly one of them: one and not the other, or the other and not the one.
    assert logic.one_of_two(one, other) is TRUTHS[max(min(x, 2 - y), min(2 - x, y))]
    assert logic.every([one, other]) is logic.both(one, other)
    assert logic.some([one, other]) is logic.either(one, other)
    assert logic.exactly_one([one, other]) is (
        False if one and other else logic.one_of_two(one, other)
    )


def test_nothing_is_all_and_none_but_not_any_or_a_single_one() -> None:
    assert (logic.every([]), logic.some([]), logic.exactly_one([])) == (True, False, False)


def test_null_may_be_in_a_list_that_holds_null() -> None:
    assert logic.within(1, [2, 1]) is True
    assert logic.within(1, [2, 3]) is False
    assert logic.within(1, [2, None]) is None
    assert logic.within(1, [None, 1]) is True


def values(*given: Any) -> list[dict[str, Any]]:
    return [{"v": value} for value in given]


def test_null_comes_last_going_up_and_first_going_down() -> None:
    column = [Column("v", variable("v"))]
    rows = values(2, None, 1, None, 3)
    nowhere = World((), ())
    up, down = (
        [row["v"] for row in Projection("WITH", column, order=[("v", way)]).follow(nowhere, rows)]
        for way in (False, True)
    )
    assert up == [1, 2, 3, None, None]
    assert down == up[::-1]


def test_a_page_is_a_slice() -> None:
    rows = values(*range(10))
    made = Projection(
        "RETURN",
        [Column("v", variable("v"))],
        order=[("v", True)],
        skip=constant("2", 2),
        limit=constant("3", 3),
    )
    assert made.follow(World((), ()), rows) == values(7, 6, 5)


def test_aggregates_leave_nulls_out_and_null_is_a_group() -> None:
    rows = [{"k": k, "v": v} for k, v in [("a", 1), ("a", None), (None, 3), ("a", 1), (None, None)]]
    over = variable("v")
    made = Projection(
        "RETURN",
        [
            Column("k", variable("k")),
            Column("rows", COUNT),
            Column("known", Aggregate("count(v)", len, over)),
            Column("kinds", Aggregate("count(DISTINCT v)", len, over, distinct=True)),
            Column("sum", Aggregate("sum(v)", sum, over)),
        ],
    )
    assert [tuple(row.values()) for row in made.follow(World((), ()), rows)] == [
        ("a", 3, 2, 1, 2),
        (None, 2, 1, 1, 3),
    ]


def test_of_no_rows_there_is_one_count_but_no_group() -> None:
    key, counted = Column("k", variable("k")), Column("n", COUNT)
    nowhere = World((), ())
    assert Projection("RETURN", [counted]).follow(nowhere, []) == [{"n": 0}]
    assert Projection("RETURN", [key, counted]).follow(nowhere, []) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_world_is_read_back_from_a_report(seed: int) -> None:
    world = random_world(random.Random(seed))
    again = from_json(world.json())
    assert again.records == world.records
    assert [e.kind for e in again.edges] == sorted(
        (e.kind for e in world.edges), key=list(world.records).index
    )

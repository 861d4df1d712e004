"""Analogous circuits: parts that correspond, joined in the same way."""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.matching.circuits import CircuitMatches
from circuitkb.matching.match import match
from circuitkb.matching.parts import PartedCircuit
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.responses import Responses
from tests.matching.two_models import responses
from tests.matching.wired_models import Circuits, random_wiring, wired

KIND = "analogous-unions"
COUNT = 40
DISTINCT = [(kind, kind) for kind in range(COUNT)]


def matched(
    first: tuple[Responses, Circuits], second: tuple[Responses, Circuits], **how: int
) -> CircuitMatches:
    found = match(first[0], second[0], circuits={KIND: (first[1], second[1])}, **how)
    return found.circuits[KIND]


def names(found: CircuitMatches) -> set[tuple[str, str]]:
    return {
        (found.first[one], found.second[other])
        for one, other in found.pairs[:, found.found].T.tolist()
    }


def test_circuits_that_join_analogous_parts_are_found() -> None:
    order = np.random.default_rng(1).permutation(COUNT).tolist()
    # The second model lacks ten of the first's circuits and has ten of its own.
    wiring = [(kind, kind) if kind < 30 else (kind + 50, kind + 50) for kind in order]
    found = matched(wired("m", 1, DISTINCT), wired("k", 2, wiring))
    assert names(found) == {(f"m-{kind}", f"k-{order.index(kind)}") for kind in range(30)}
    assert found.swapped == 0
    assert found.targets == found.case_pairs == (30, 30)
    assert found.q[found.found].max() <= 0.05
    assert found.p[found.found].max() < 0.1


def test_the_score_is_the_weakest_of_the_three_correlations() -> None:
    first, second = wired("m", 1, DISTINCT), wired("k", 2, DISTINCT, error=0.7)
    found = matched(first, second)
    units = len(first[0].after)
    full = np.corrcoef(first[0].after, second[0].after)[:units, units:]
    targets = np.arange(2 * COUNT, 3 * COUNT)
    sides = np.arange(0, 2 * COUNT, 2), np.arange(1, 2 * COUNT, 2)
    naive = np.minimum.reduce([full[np.ix_(part, part)] for part in (targets, *sides)])
    mutual = [
        (i, j)
        for i in range(COUNT)
        for j in range(COUNT)
        if naive[i, j] == naive[i].max() == naive[:, j].max()
    ]
    assert list(zip(*found.pairs.tolist(), strict=True)) == mutual
    np.testing.assert_allclose(found.score, [naive[pair] for pair in mutual], atol=1e-5)


def test_circuits_whose_sides_are_labelled_the_other_way_are_counted_and_no_matches() -> None:
    found = matched(wired("m", 1, DISTINCT), wired("k", 2, DISTINCT, swapped=range(8)))
    assert found.swapped == 8
    assert names(found) == {(f"m-{kind}", f"k-{kind}") for kind in range(8, COUNT)}


@pytest.mark.parametrize(
    ("targets", "pairs", "count"), [(12, 12, 60), (30, 10, 60), (6, 6, 60), (3, 3, 30)]
)
def test_the_same_parts_wired_at_random_are_found_at_the_rate(
    targets: int, pairs: int, count: int
) -> None:
    runs, wrong, above = 30, 0, 0
    for run in range(runs):
        first, second = (
            wired(name, seed, random_wiring(seed, targets, pairs, count))
            for name, seed in (("m", 1000 + run), ("k", 2000 + run))
        )
        found = matched(first, second)
        above += int(np.count_nonzero(found.score > 0.8))
        wrong += bool(found.found.any())
    assert above > 5 * runs
    assert wrong <= 0.1 * runs


def test_the_same_parts_wired_alike_are_found_among_many_copies() -> None:
    wiring = random_wiring(3, 20, 12, 60)
    found = matched(wired("m", 1, wiring), wired("k", 2, wiring))
    kinds = {pair: {wiring[int(name[2:])] for name in pair} for pair in names(found)}
    assert all(len(both) == 1 for both in kinds.values())
    assert len({next(iter(both)) for both in kinds.values()}) > 0.9 * len(set(wiring))


def test_a_circuit_with_a_member_that_cannot_be_compared_is_left_out() -> None:
    (one, circuits), second = wired("m", 1, DISTINCT), wired("k", 2, DISTINCT)
    values = one.after.astype(np.float64)
    values[0] = 1.0
    values[0, :3] = 9.0
    quiet = responses(values, one.shuffled_after.astype(np.float64), layers=one.layers)
    found = matched((quiet, circuits), second)
    assert found.left_out == (1, 0)
    assert names(found) == {(f"m-{kind}", f"k-{kind}") for kind in range(1, COUNT)}


def test_a_single_circuit_has_nothing_that_it_could_be_told_from_but_another_target() -> None:
    first, second = wired("m", 1, DISTINCT), wired("k", 2, DISTINCT)
    found = matched((first[0], first[1][:1]), (second[0], second[1][:1]))
    assert [null.name for null in found.nulls] == [
        "found cases with another unit of the target's layer"
    ]
    assert found.q.tolist() == pytest.approx([1 / (20 * found.nulls[0].drawn)])


def test_where_no_rewired_circuit_is_unlike_nothing_is_found() -> None:
    found = matched(wired("m", 1, [(0, 0)] * 30), wired("k", 2, [(0, 0)] * 30))
    assert (found.score > 0.8).any()
    assert (found.nulls, names(found)) == ((), set())


def test_no_circuits_in_one_model_are_no_matches() -> None:
    first, second = wired("m", 1, DISTINCT), wired("k", 2, DISTINCT)
    assert match(first[0], second[0], circuits={KIND: (first[1], [])}).circuits == {}


def test_the_same_seed_gives_the_same_and_blocks_do_not_matter() -> None:
    wiring = random_wiring(3, 20, 12, 60)
    first, second = wired("m", 1, wiring), wired("k", 2, wiring)
    once, other = matched(first, second, seed=4), matched(first, second, seed=4, block=300)
    np.testing.assert_array_equal(once.pairs, other.pairs)
    np.testing.assert_allclose(once.q, other.q)
    assert [null.above for null in once.nulls] == [null.above for null in other.nulls]


@pytest.mark.parametrize("feature", ["m/c:0", "m/b:40", "m/b@basis:0"])
def test_a_member_that_was_not_observed_is_named(feature: str) -> None:
    first, second = wired("m", 1, DISTINCT), wired("k", 2, DISTINCT)
    broken = [PartedCircuit.two_sided("m-x", feature, "m/a:0", "m/a:1")]
    with pytest.raises(ObservationError, match=f"{feature} was not observed"):
        match(first[0], second[0], circuits={KIND: (broken, second[1])})

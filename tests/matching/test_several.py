"""What several networks have: sets analogous two by two, against counts in plain loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain, combinations, product

import numpy as np
import pytest

from circuitkb.matching.match import match
from circuitkb.matching.several import Analogous, Several, _Graph, in_several
from circuitkb.schema.responses import Responses
from tests.matching.two_models import copies, noise, responses

Pair = tuple[str, str]


def pair(one: str, other: str, score: float = 0.9) -> Analogous:
    """Things are called as a2/x:7: network, layer, unit."""
    at = [name.partition(":")[0].split("/") for name in (one, other)]
    return Analogous(one, other, (at[0][0], at[1][0]), (at[0][1], at[1][1]), score)


def random_pairs(seed: int, networks: str, units: int, matched: int, agree: float) -> set[Pair]:
    """Matches of a unit with its namesake, or with any, each unit once in each other network."""
    rng = np.random.default_rng(seed)
    found = set()
    for one, other in combinations(networks, 2):
        left = rng.permutation(units)[:matched]
        right = np.where(rng.random(matched) < agree, left, -1)
        rest = rng.permutation(np.setdiff1d(np.arange(units), right))
        right[right < 0] = rest[: np.count_nonzero(right < 0)]
        found |= {
            (f"{one}/l{a % 3}:{a}", f"{other}/l{b % 3}:{b}")
            for a, b in zip(left.tolist(), right.tolist(), strict=True)
        }
    return found


def sets_by_hand(pairs: Iterable[Pair], networks: str) -> set[tuple[str, ...]]:
    """The largest sets of three things or more that are analogous two by two."""
    alike = {frozenset(one) for one in pairs}
    things = sorted(set(chain.from_iterable(pairs)))
    by_network = [[None, *(name for name in things if name[0] == each)] for each in networks]
    every = [
        frozenset(filter(None, choice))
        for choice in product(*by_network)
        if all(frozenset(two) in alike for two in combinations(filter(None, choice), 2))
    ]
    return {
        tuple(sorted(one)) for one in every if len(one) > 2 and not any(one < two for two in every)
    }


def joined_by_hand(pairs: Iterable[Pair]) -> Counter[tuple[int, bool]]:
    """For each set that pairs join: its networks, and whether it has two things of one."""
    parts: list[set[str]] = []
    for one in pairs:
        touched = [part for part in parts if part & set(one)]
        parts = [part for part in parts if part not in touched] + [set(one).union(*touched)]
    found: Counter[tuple[int, bool]] = Counter()
    for part in parts:
        networks = {name[0] for name in part}
        found[len(networks), len(part) > len(networks)] += 1
    return found


@pytest.mark.parametrize("seed", range(6))
def test_sets_are_those_of_plain_loops(seed: int) -> None:
    networks = "abcd"
    pairs = random_pairs(seed, networks, units=7, matched=6, agree=0.6)
    found = in_several([pair(*two) for two in pairs], networks, shuffled={}, draws=5)
    expected = sets_by_hand(pairs, networks)
    assert {tuple(sorted(one)) for one in found.sets} == expected
    assert expected
    for size in (3, 4):
        assert found.sizes[size] == sum(len(one) >= size for one in expected)
        for count in found.counts:
            if count.at_least == size:
                own = [one for one in expected if any(name[0] == count.network for name in one)]
                assert count.found == sum(len(one) >= size for one in own)
        joined = joined_by_hand(pairs)
        assert found.joined[size] == sum(n for (many, _), n in joined.items() if many >= size)
        assert found.split[size] == sum(
            n for (many, two), n in joined.items() if two and many >= size
        )
    of_choice = Counter(tuple(sorted({name[0] for name in one})) for one in expected)
    assert dict(found.shared) == dict(of_choice)
    for two, size in found.largest.items():
        assert size == max(len(one) for one in expected if set(two) <= set(one))


def test_a_thing_has_its_best_partner_where_networks_were_matched_both_ways_round() -> None:
    given = [
        pair("a/l:1", "b/l:1", 0.85),
        pair("b/l:2", "a/l:1", 0.95),
        pair("a/l:1", "c/l:1"),
        pair("b/l:1", "c/l:1"),
        pair("b/l:2", "c/l:2"),
    ]
    found = in_several(given, "abc", shuffled={}, draws=1)
    assert (found.sets, found.pairs) == ((), 4)


def test_exchanged_partners_keep_layers_and_the_number_of_partners() -> None:
    pairs = [pair(*two) for two in random_pairs(1, "abc", units=30, matched=20, agree=0.5)]
    graph = _Graph.of(pairs, "abc")
    other = graph.exchanged((1,), [0, 1])

    def said(one: _Graph) -> Counter[tuple[tuple[int, int], ...]]:
        ends = zip(one.network[one.pairs].T.tolist(), one.layer[one.pairs].T.tolist(), strict=True)
        return Counter(tuple(sorted(zip(*both, strict=True))) for both in ends)

    assert said(other) == said(graph)
    np.testing.assert_array_equal(
        np.bincount(other.pairs.ravel()), np.bincount(graph.pairs.ravel())
    )
    apart = (graph.network[graph.pairs] != 1).all(axis=0)
    np.testing.assert_array_equal(other.pairs[:, apart], graph.pairs[:, apart])
    assert (other.pairs != graph.pairs).any()
    # The partners of the network that is exchanged stay in the layers of the pair's other end.
    assert len(set(map(tuple, np.sort(other.pairs.T).tolist()))) == other.pairs.shape[1]


def test_networks_whose_matches_do_not_agree_have_sets_at_the_rate_of_chance() -> None:
    runs, wrong, above = 24, 0, 0
    for run in range(runs):
        pairs = random_pairs(run, "abc", units=24, matched=20, agree=0.0)
        found = in_several([pair(*two) for two in pairs], "abc", shuffled={}, draws=19)
        above += len(found.sets)
        wrong += max(one.q for one in found.counts if one.at_least == 3) <= 0.05
    assert above > 0.5 * runs
    assert wrong <= 0.1 * runs


def four_networks(shared: int = 40, others: int = 60) -> dict[str, Responses]:
    """Three networks that share units, in another order each, and one with nothing to share."""
    own = noise(1, shared)
    found = {}
    for seed, name in enumerate(("one", "two", "three", "other")):
        part = noise(50, shared) if name == "other" else copies(own, 10 + seed)
        values = np.concatenate([part, noise(20 + seed, others)])
        order = np.random.default_rng(seed).permutation(shared + others)
        found[name] = responses(values[order], noise(30 + seed, shared + others))
    return found


def matched(networks: dict[str, Responses]) -> list[Analogous]:
    given = []
    for one, other in combinations(networks, 2):
        features = match(networks[one], networks[other]).features
        for (a, b), score in zip(
            features.rows[:, features.found].T.tolist(),
            features.score[features.found].tolist(),
            strict=True,
        ):
            given.append(
                Analogous(f"{one}/a:{a}", f"{other}/a:{b}", (one, other), ("a", "a"), score)
            )
    return given


def in_all(networks: dict[str, Responses]) -> Several:
    return in_several(matched(networks), list(networks), shuffled={}, draws=39)


def test_units_that_three_networks_share_are_found_in_the_three_and_not_in_a_fourth() -> None:
    networks = four_networks()
    found = in_all(networks)
    assert dict(found.shared) == {("one", "two", "three"): 40}
    order = ("one", "two", "three")
    places = [np.argsort(np.random.default_rng(seed).permutation(100)) for seed in range(3)]
    planted = {
        tuple(f"{name}/a:{place[unit]}" for name, place in zip(order, places, strict=True))
        for unit in range(40)
    }
    assert {
        tuple(sorted(one, key=lambda name: order.index(name.split("/")[0]))) for one in found.sets
    } == planted
    counts = {one.network: one for one in found.counts if one.at_least == 3}
    assert all(counts[name].p == 1 / 40 and counts[name].q <= 0.05 for name in order)
    assert (counts["other"].found, counts["other"].p, counts["other"].q) == (0, 1.0, 1.0)


def test_a_network_with_shuffled_weights_is_in_no_set() -> None:
    networks = four_networks()
    real = networks["three"]
    null = real.shuffled_after.astype(np.float64)
    networks["three"] = responses(null, noise(99, len(null)))
    assert in_all(networks).sets == ()


def test_the_shuffled_network_takes_the_place_of_the_real_one_with_its_own_partners() -> None:
    real = [
        pair(f"{one}/l:{unit}", f"{other}/l:{unit}")
        for one, other in combinations("abc", 2)
        for unit in range(10)
    ]
    # Of three units with shuffled weights two have partners that go together.
    decoys = {
        "a": [
            pair(f"a/l:s{unit}", f"{other}/l:{unit + shift}")
            for unit in range(3)
            for other, shift in (("b", 0), ("c", int(unit == 2)))
        ],
        "b": [],
        "c": None,
    }
    found = in_several(real, "abc", shuffled=decoys, draws=19)
    counts = {one.network: one for one in found.counts}
    assert [counts[name].shuffled for name in "abc"] == [2, 0, None]
    assert [counts[name].found for name in "abc"] == [10, 10, 10]
    assert counts["a"].q == pytest.approx(max(3, 1 / 19 + counts["a"].exchanged) / 10)
    assert counts["b"].q == pytest.approx(max(1, 1 / 19 + counts["b"].exchanged) / 10)
    assert counts["a"].null_mean == max(2, counts["a"].exchanged)


def test_nothing_analogous_is_in_no_set() -> None:
    found = in_several([], "abc", shuffled={})
    assert (found.sets, found.sizes, found.joined) == ((), {3: 0}, {3: 0})

"""The controls of the search by measured answers, and the q-values they make."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, chisquare

from circuitkb.motifs.by_responses.controls import (
    NEAREST,
    find_permuted,
    matched_pairs,
    permuted_orders,
    permuted_weights,
)
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, couples
from circuitkb.motifs.by_responses.find import find_by_responses
from circuitkb.motifs.by_responses.related_pairs import against_shuffled, distinct
from circuitkb.motifs.by_responses.search import PairFinder, Pairs, Searched, search
from circuitkb.motifs.target_decoy import target_decoy_q
from circuitkb.motifs.union import Union
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from tests.motifs.measured_networks import (
    KINDS,
    Array,
    NaiveSearch,
    answers_of_pairs,
    answers_to_pairs,
    dense,
    mirror_of,
    null_network,
    responses_of,
    within,
)

COUPLES = 24
IMAGE = mirror_of(COUPLES)
UNION = Union(share=0.2, answers=0.3, mirrored=0.6).by_responses()


def searched(
    connections: list[Connection], responses: Responses
) -> tuple[Searched, CoupledResponses]:
    answers = coupled(responses.after, responses)
    return search(connections, answers, UNION), answers


def coupled(values: Array, responses: Responses) -> CoupledResponses:
    return CoupledResponses.of(values, responses.rows, *couples(IMAGE, len(IMAGE), "mirror"))


def two_layers(rng: np.random.Generator, targets: int) -> tuple[list[Connection], Responses]:
    a = answers_of_pairs(rng, 14, COUPLES, 0.2)
    b = answers_of_pairs(rng, 12, COUPLES, 0.2)
    c, _ = answers_to_pairs(rng, np.concatenate([a, b]), targets, COUPLES, 0.2)
    near, far = rng.normal(size=(targets, 14)), 0.3 * rng.normal(size=(targets, 12))
    connections = [dense(near, "c0", "a", "c"), dense(far, "c1", "b", "c")]
    return connections, responses_of({"a": a, "b": b, "c": c})


# Permuted weights


def test_an_order_permutes_flagged_places_evenly_and_leaves_the_others() -> None:
    edge = np.tile([True, False, True, True, False], (6000, 1))
    orders = permuted_orders(edge, np.random.default_rng(0))
    assert (orders[:, [1, 4]] == [1, 4]).all()
    counts = Counter(map(tuple, orders[:, [0, 2, 3]].tolist()))
    assert set(counts) == set(permutations((0, 2, 3)))
    assert chisquare(list(counts.values())).pvalue > 1e-3
    whole = permuted_orders(np.ones((500, 40), bool), np.random.default_rng(1))
    assert (np.sort(whole, axis=1) == np.arange(40)).all()
    assert len(np.unique(whole, axis=0)) == 500


def test_permuted_weights_give_the_hits_of_plain_shuffles() -> None:
    rng = np.random.default_rng(2)
    connections, responses = two_layers(rng, 6)
    found, answers = searched(connections, responses)
    ((layer, by_block),) = found.layers
    pairs = Pairs.join(list(by_block.values()))
    draws = 4000
    places = np.repeat(np.arange(len(layer.inputs.targets)), draws)
    hits, drawn = find_permuted(layer, answers, pairs, places, rng)
    ours = np.bincount(drawn // draws, minlength=len(layer.inputs.targets)) / draws

    plain = dict.fromkeys(answers.unit_of(int(row)) for row in layer.inputs.targets)
    totals = dict.fromkeys(plain, 0)
    repeats = 100
    for _ in range(repeats):
        shuffled = [
            dense(rng.permuted(c.kernel[0, :, :, 0, 0], axis=1), c.key, c.source, c.target)
            for c in connections
        ]
        for target, unit, *_ in NaiveSearch(shuffled, responses, IMAGE, UNION).hits:
            totals[target, unit] += 1
    naive = np.array(list(totals.values())) / repeats
    assert naive.sum() > 0.1
    assert ours == pytest.approx(naive, abs=5 * np.sqrt((naive + 0.02) / repeats).max())
    assert len(hits) == len(drawn)


def test_with_equal_spreads_chance_is_what_counting_gives() -> None:
    rng = np.random.default_rng(3)
    sources = answers_of_pairs(rng, 20, COUPLES, 0.01)
    sources /= np.delete(sources, np.s_[2 * COUPLES :], axis=1).std(axis=1, keepdims=True)
    target = sources[:1] + sources[1:2]
    responses = responses_of({"a": sources, "b": target})
    found, answers = searched([dense(rng.uniform(1, 2, (1, 20)))], responses)
    layer, by_block = found.layers[0]
    pairs = by_block["a", "a"]
    pairs = pairs.take((pairs.one == 0) & (pairs.other == 1))
    draws = 20000
    _, drawn = find_permuted(layer, answers, pairs, np.zeros(draws, int), rng)
    # The top 4 of 20 in equal spreads: both of one pair among them.
    expected = 4 * 3 / (20 * 19)
    assert len(drawn) / draws == pytest.approx(expected, abs=5 * np.sqrt(expected / draws))


def test_kernels_stay_in_their_layer() -> None:
    rng = np.random.default_rng(4)
    connections, responses = two_layers(rng, 40)
    strong = connections[0].kernel + 100
    connections[0] = dense(strong[0, :, :, 0, 0], "c0", "a", "c")
    found, answers = searched(connections, responses)
    decoys = permuted_weights(found, answers, UNION, rng)
    assert len(decoys.hits) > 20
    assert set(answers.layer_of(decoys.hits.one).tolist()) == {0}
    assert set(np.unique(decoys.draw)) <= set(range(UNION.permutations))


# Matched pairs


def test_matched_pairs_are_of_the_same_layers_about_as_alike_and_unrelated() -> None:
    rng = np.random.default_rng(5)
    connections, responses = two_layers(rng, 80)
    found, answers = searched(connections, responses)
    decoys = matched_pairs(found, answers, UNION, rng)
    naive = NaiveSearch(connections, responses, IMAGE, UNION)
    assert len(decoys.hits) > 10
    finder = PairFinder(UNION, answers)
    ((_, by_block),) = found.layers
    for one, other, same in zip(
        decoys.hits.one.tolist(), decoys.hits.other.tolist(), decoys.hits.corr.tolist(), strict=True
    ):
        ends = answers.unit_of(one), answers.unit_of(other)
        assert naive.correlation(*ends, True) < 0.3 + 1e-6
        assert naive.correlation(*ends, False) == pytest.approx(same, abs=1e-5)
        block = ends[0][0], ends[1][0]
        pairs = by_block[block]
        _, _, turned, alike = finder.block(*block)
        others = alike[(turned < 0.3) & UNION.corr(alike)]
        nearest = np.sort(np.abs(others[:, None] - pairs.corr), axis=0)
        limit = nearest[min(NEAREST, len(others)) - 1]
        assert (np.abs(same - pairs.corr) <= limit + 1e-5).any()


def test_matched_pairs_at_a_target_fulfil_everything_else() -> None:
    rng = np.random.default_rng(6)
    connections, responses = two_layers(rng, 80)
    found, answers = searched(connections, responses)
    hits = matched_pairs(found, answers, UNION, rng).hits
    naive = NaiveSearch(connections, responses, IMAGE, UNION)
    for place in range(len(hits)):
        layer, unit = answers.unit_of(int(hits.target[place]))
        inputs = naive.masses(layer, unit)
        strength = {name: m["excites"] * naive.spread(*name) for name, m in inputs.items()}
        ranked = sorted(strength, key=lambda name: -strength[name])[: int(0.2 * len(inputs))]
        assert answers.unit_of(int(hits.one[place])) in ranked
        assert answers.unit_of(int(hits.other[place])) in ranked
        assert within(UNION.invariance, naive.correlation((layer, unit), (layer, unit), True))


# Target and decoy


@given(
    scores=st.lists(st.floats(0, 1), max_size=30),
    decoys=st.lists(st.floats(0, 1), max_size=60),
    repetitions=st.integers(1, 20),
)
def test_q_is_the_least_share_at_any_looser_score(
    scores: list[float], decoys: list[float], repetitions: int
) -> None:
    q = target_decoy_q(np.array(scores), np.array(decoys), repetitions)
    for score, value in zip(scores, q, strict=True):
        shares = [
            (1 / repetitions + sum(d <= s for d in decoys) / repetitions)
            / sum(other <= s for other in scores)
            for s in scores
            if s >= score
        ]
        assert value == pytest.approx(min(1, *shares, 1))
    order = np.argsort(scores)
    assert (np.diff(q[order]) >= 0).all()
    assert ((q > 0) & (q <= 1)).all()


@pytest.mark.parametrize(("repetitions", "hits"), [(20, 1), (10, 2), (5, 4), (1, 20)])
def test_so_many_hits_without_a_decoy_pass_at_five_per_cent(repetitions: int, hits: int) -> None:
    none = np.empty(0)
    assert (target_decoy_q(np.arange(hits) / 100, none, repetitions) <= 0.05).all()
    assert not (target_decoy_q(np.arange(hits - 1) / 100, none, repetitions) <= 0.05).any()


@pytest.mark.parametrize("repetitions", [5, 20])
def test_hits_that_are_chance_rarely_pass(repetitions: int) -> None:
    rng = np.random.default_rng(repetitions)
    runs, passed = 2000, 0
    for _ in range(runs):
        count = rng.poisson(rng.choice([0.5, 3, 30]), repetitions + 1)
        hits, decoys = rng.random(count[0]), rng.random(count[1:].sum())
        passed += bool((target_decoy_q(hits, decoys, repetitions) <= 0.05).any())
    assert passed <= binom.ppf(0.999, runs, 0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_networks_without_unions_rarely_give_one(kind: str) -> None:
    motif = Union(share=0.1).by_responses()
    runs, passed, hits = 60, 0, 0
    for seed in range(runs):
        connections, responses = null_network(np.random.default_rng(100 + seed), kind)
        findings = find_by_responses(connections, responses, IMAGE, motif, model="m", seed=seed)
        assert findings.tested == 240
        passed += bool(findings.found)
        hits += findings.hits
    assert hits > 10, "chance must have been given a chance"
    # Where every finding is false, the false discovery rate is the share of runs with one.
    assert passed <= binom.ppf(0.99, runs, 0.05)


# Pairs of the shuffled network


def test_the_null_of_a_pair_is_the_best_partner_of_each_unit_of_its_layers() -> None:
    rng = np.random.default_rng(8)
    real = {"a": answers_of_pairs(rng, 12, COUPLES, 0.3), "b": answers_of_pairs(rng, 8, COUPLES, 1)}
    null = {"a": answers_of_pairs(rng, 12, COUPLES, 0.8), "b": answers_of_pairs(rng, 8, COUPLES, 1)}
    null["a"][3] = 0
    responses = responses_of(real, null)
    answers = coupled(responses.after, responses)
    shuffled = coupled(responses.shuffled_after, responses)
    one, other = np.array([0, 2, 1]), np.array([1, 3, 15])
    turned, same = answers.compare(one, other)
    pairs = Pairs(one, other, np.diag(turned), np.diag(same))
    found = against_shuffled(pairs, UNION, answers, shuffled)

    moving = np.arange(len(IMAGE)) != IMAGE

    def best(own: dict[str, Array], unit: tuple[str, int], partners: str) -> float | None:
        value, image = own[unit[0]][unit[1]][moving], own[unit[0]][unit[1]][IMAGE][moving]
        scores = [
            np.corrcoef(image, row)[0, 1]
            for place, row in enumerate(own[partners][:, moving])
            if value.std() > 0
            and row.std() > 0
            and (partners, place) != unit
            and np.corrcoef(value, row)[0, 1] < UNION.corr.high
        ]
        return max(scores, default=None)

    for place, layers in enumerate([("a", "a"), ("a", "a"), ("a", "b")]):
        scores = {}
        for name, own in (("real", real), ("null", null)):
            ends = {(layers[0], layers[1]), (layers[1], layers[0])}
            given = [best(own, (x, u), y) for x, y in sorted(ends) for u in range(len(own[x]))]
            scores[name] = np.array([score for score in given if score is not None])
        score = float(pairs.corr_image[place]) - 1e-6
        above = (scores["null"] >= score).sum()
        assert found.null_count[place] == len(scores["null"])
        assert found.null_mean[place] == pytest.approx(scores["null"].mean(), abs=1e-5)
        assert found.p[place] == pytest.approx((1 + above) / (1 + len(scores["null"])))
        looser = [s for s in [*scores["real"], score] if s <= score + 1e-5]
        shares = [
            (1 + (scores["null"] >= s - 1e-6).sum()) / max(1, (scores["real"] >= s - 1e-6).sum())
            for s in looser
        ]
        assert found.q[place] == pytest.approx(min(1.0, *shares))


def test_a_pair_counts_once_whichever_way_round_it_stands() -> None:
    one, other = np.array([3, 1, 3, 2]), np.array([1, 3, 2, 1])
    figures = np.arange(4, dtype=np.float32)
    found = distinct(Pairs(one, other, figures, figures))
    assert {frozenset(p) for p in zip(found.one.tolist(), found.other.tolist(), strict=True)} == {
        frozenset((1, 3)),
        frozenset((2, 3)),
        frozenset((1, 2)),
    }
    assert len(found) == 3

"""The search by measured answers: against plain loops, and what it reads of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitkb.errors import QueryError
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, couples
from circuitkb.motifs.by_responses.search import Searched, search
from circuitkb.motifs.motif import Between, Role
from circuitkb.motifs.pairs import PairMotif
from circuitkb.motifs.transforms import mirror
from circuitkb.motifs.union import Union
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from tests.motifs.measured_networks import (
    Array,
    Hit,
    NaiveSearch,
    answers_of_pairs,
    answers_to_pairs,
    dense,
    mirror_of,
    responses_of,
)

COUPLES = 24
IMAGE = mirror_of(COUPLES)

UNION = Union(mirrored=0.5, share=0.3, answers=0.1, invariant=0.2).by_responses()
OPPOSITION = PairMotif(
    name="opposition",
    of=mirror("up-down"),
    target="opposed",
    roles=(
        Role(name="for", response=Between(0.3)),
        Role(name="against", sign="inhibits", response=Between(high=0.9)),
    ),
    corr_image=Between(0.5),
    share=0.3,
)


def searched(
    connections: list[Connection], responses: Responses, motif: PairMotif
) -> tuple[Searched, CoupledResponses]:
    ends = couples(IMAGE, len(IMAGE), "mirror")
    answers = CoupledResponses.of(responses.after, responses.rows, *ends)
    return search(connections, answers, motif), answers


def hits_of(found: Searched, answers: CoupledResponses, motif: PairMotif) -> dict[Hit, Any]:
    hits, named = found.hits, {}
    for hit in range(len(hits)):
        layer, unit = answers.unit_of(int(hits.target[hit]))
        ends = [answers.unit_of(int(rows[hit])) for rows in (hits.one, hits.other)]
        named[layer, unit, ends[0], ends[1]] = int(hits.rank_one[hit]), int(hits.rank_other[hit])
    assert len(named) == len(hits), "no hit stands twice"
    return named


def unordered(hits: dict[Hit, Any]) -> dict[Any, Any]:
    return {
        (layer, unit, frozenset((one, other))): dict(zip((one, other), ranks, strict=True))
        for (layer, unit, one, other), ranks in hits.items()
    }


def network(rng: np.random.Generator) -> tuple[list[Connection], Responses]:
    """Two source layers and a third between, parallel and grouped edges, zeros, silent units."""
    a = answers_of_pairs(rng, 12, COUPLES, 0.2)
    b = answers_of_pairs(rng, 10, COUPLES, 0.2)
    c, _ = answers_to_pairs(rng, np.concatenate([a, b]), 9, COUPLES, 0.8)
    d = answers_of_pairs(rng, 8, COUPLES, 0.5)
    a[rng.integers(12)] = 1.5
    c[rng.integers(9)] = 0
    b[0] *= 0.001
    responses = responses_of({"a": a, "b": b, "c": c, "d": d})

    def kernels(*shape: int) -> Array:
        values = rng.normal(size=(*shape, 1, 2))
        values[rng.random(shape) < 0.15] = 0
        return values

    grouped = Connection(
        "c4",
        "a",
        "d",
        "residual",
        rng.permutation(8).reshape(2, 4).astype(np.int32),
        np.stack([rng.permutation(12)[:11] for _ in range(2)]).astype(np.int32),
        rng.normal(size=(2, 4, 11, 1, 1)).astype(np.float32),
    )
    depthwise = Connection(
        "c5",
        "c",
        "d",
        "direct",
        np.arange(8, dtype=np.int32)[:, None],
        np.arange(8, dtype=np.int32)[:, None],
        rng.normal(size=(8, 1, 1, 3, 3)).astype(np.float32),
    )
    pixels = dense(rng.normal(size=(9, 3)), "c6", "input", "c")
    connections = [
        dense(kernels(9, 12), "c0", "a", "c"),
        dense(kernels(9, 10), "c1", "b", "c", "residual"),
        dense(kernels(9, 12), "c2", "a", "c", "pooled"),
        dense(rng.normal(size=(10, 12)), "c3", "a", "b"),
        grouped,
        depthwise,
        pixels,
    ]
    return connections, responses


@pytest.mark.parametrize("motif", [UNION, OPPOSITION], ids=lambda motif: motif.name)
def test_hits_are_those_of_plain_loops(motif: PairMotif) -> None:
    count = 0
    for seed in range(20):
        connections, responses = network(np.random.default_rng(seed))
        found, answers = searched(connections, responses, motif)
        naive = NaiveSearch(connections, responses, IMAGE, motif)
        hits = hits_of(found, answers, motif)
        if motif.ordered:
            assert hits == naive.hits
        else:
            assert unordered(hits) == unordered(naive.hits)
        assert found.tested == len(naive.tested)
        count += len(hits)
    assert count > 30


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    ordered=st.booleans(),
    share=st.floats(0, 0.6),
    turned=st.floats(-0.5, 0.9),
    answer=st.floats(-0.5, 1.2),
)
def test_hits_are_those_of_plain_loops_whatever_the_settings(
    seed: int, ordered: bool, share: float, turned: float, answer: float
) -> None:
    role = Role(name="case", response=Between(answer))
    motif = PairMotif(
        name="any",
        of=mirror("left-right"),
        roles=(role, Role(name="other", sign="inhibits") if ordered else role),
        target="target",
        corr_image=Between(turned),
        corr=Between(high=0.8),
        invariance=Between(0.1),
        share=share,
    )
    connections, responses = network(np.random.default_rng(seed))
    found, answers = searched(connections, responses, motif)
    naive = NaiveSearch(connections, responses, IMAGE, motif)
    hits = hits_of(found, answers, motif)
    if ordered:
        assert hits == naive.hits
    else:
        assert unordered(hits) == unordered(naive.hits)


def test_both_correlations_and_the_invariance_are_those_of_the_answers() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, size=(7, len(IMAGE))).astype(np.float32)
    ends = couples(IMAGE, len(IMAGE), "mirror")
    answers = CoupledResponses.of(values, {"a": slice(0, 3), "b": slice(3, 7)}, *ends)
    moving = np.arange(len(IMAGE)) != IMAGE
    every = np.arange(7)
    turned, same = answers.compare(every, every)
    plain, image = values[:, moving], values[:, IMAGE][:, moving]
    expected = np.corrcoef(image, plain)[:7, 7:]
    assert turned == pytest.approx(expected, abs=1e-5)
    assert same == pytest.approx(np.corrcoef(plain), abs=1e-5)
    assert answers.invariance == pytest.approx(np.diag(expected), abs=1e-5)
    assert answers.spread == pytest.approx(plain.std(axis=1), rel=1e-5)


def strong_pair(rng: np.random.Generator) -> tuple[Array, Responses, tuple[int, int]]:
    """One unit that unites a mirrored pair among 40 inputs; weights are for the test to set."""
    sources = answers_of_pairs(rng, 40, COUPLES, 0.02)
    target, pair = answers_to_pairs(rng, sources, 1, COUPLES, 0.02)
    responses = responses_of({"a": sources, "b": target})
    one = 2 * int(pair[0])
    return rng.uniform(0.1, 0.5, (1, 40)), responses, (one, one + 1)


def pairs_found(found: Searched) -> set[frozenset[int]]:
    hits = found.hits
    return {frozenset(pair) for pair in zip(hits.one.tolist(), hits.other.tolist(), strict=True)}


PLAIN = Union(answers=0.5).by_responses()


def test_a_union_needs_both_of_its_edges_among_the_strongest() -> None:
    weights, responses, (one, other) = strong_pair(np.random.default_rng(1))
    weights[0, [one, other]] = 5
    assert frozenset((one, other)) in pairs_found(searched([dense(weights)], responses, PLAIN)[0])
    weights[0, other] = -5
    assert not pairs_found(searched([dense(weights)], responses, PLAIN)[0]) & {
        frozenset((one, other))
    }


def test_the_net_sign_is_not_asked() -> None:
    weights, responses, (one, other) = strong_pair(np.random.default_rng(2))
    kernels = np.stack([weights, np.zeros_like(weights)], axis=-1)[:, :, None]
    kernels[0, [one, other]] = [[5, -9]]
    assert kernels[0, one].sum() < 0
    found, _ = searched([dense(kernels)], responses, PLAIN)
    assert frozenset((one, other)) in pairs_found(found)


def test_parallel_edges_add_up() -> None:
    weights, responses, (one, other) = strong_pair(np.random.default_rng(3))
    strong = np.sort(weights[0])[-1]
    weights[0, [one, other]] = 0.1 * strong
    single, _ = searched([dense(weights)], responses, PLAIN)
    assert frozenset((one, other)) not in pairs_found(single)
    more = np.zeros_like(weights)
    more[0, [one, other]] = 9 * strong
    both, _ = searched([dense(weights), dense(more, "c1", path="residual")], responses, PLAIN)
    assert frozenset((one, other)) in pairs_found(both)
    layer, _ = both.layers[0]
    assert layer.inputs.mass["excites"][0, one] == pytest.approx(9.1 * strong, rel=1e-5)
    assert layer.inputs.count.tolist() == [40]


def test_strength_is_mass_times_spread() -> None:
    weights, responses, (one, other) = strong_pair(np.random.default_rng(4))
    weights[:] = 1
    louder = responses.after.copy()
    louder[[one, other]] *= 9
    loud = responses_of({"a": louder[:40], "b": louder[40:]})
    found, _ = searched([dense(weights)], loud, PLAIN)
    assert frozenset((one, other)) in pairs_found(found)
    assert set(found.hits.rank_one.tolist() + found.hits.rank_other.tolist()) <= {1, 2, 3, 4}


def test_inputs_of_another_group_are_no_inputs() -> None:
    rng = np.random.default_rng(5)
    sources = answers_of_pairs(rng, 40, COUPLES, 0.02)
    targets, pair = answers_to_pairs(rng, sources, 2, COUPLES, 0.02)
    targets[1] = targets[0]
    one = 2 * int(pair[0])
    responses = responses_of({"a": sources, "b": targets})
    rest = [unit for unit in range(40) if unit not in (one, one + 1)]
    groups = np.array([[one, one + 1, *rest[:18]], [one, *rest[18:37]]], np.int32)
    kernel = rng.uniform(0.1, 0.5, (2, 1, 20, 1, 1)).astype(np.float32)
    kernel[0, 0, :2] = kernel[1, 0, 0] = 5
    grouped = Connection("c0", "a", "b", "direct", np.array([[0], [1]], np.int32), groups, kernel)
    found, answers = searched([grouped], responses, PLAIN)
    targets_hit = {
        answers.unit_of(int(row))[1]
        for row, a, b in zip(found.hits.target, found.hits.one, found.hits.other, strict=True)
        if {int(a), int(b)} == {one, one + 1}
    }
    assert targets_hit == {0}
    assert found.layers[0][0].inputs.count.tolist() == [20, 20]


# What cannot be tested


def test_units_that_nothing_moves_are_neither_tested_nor_inputs() -> None:
    rng = np.random.default_rng(6)
    sources = answers_of_pairs(rng, 20, COUPLES, 0.1)
    targets, _ = answers_to_pairs(rng, sources, 6, COUPLES, 0.1)
    sources[:5], targets[0], targets[1] = 0, 2.5, 1e-3 * targets[1]
    responses = responses_of({"a": sources, "b": targets})
    found, answers = searched([dense(rng.normal(size=(6, 20)))], responses, PLAIN)
    assert found.tested == 4
    assert found.not_tested == {
        "answered too weakly to be measured": 1,
        "never answered to the battery": 1,
    }
    assert not answers.measurable[:5].any()
    assert {len(layer.inputs.sources) for layer, _ in found.layers} <= {15}


def test_what_cannot_be_tested_says_why() -> None:
    rng = np.random.default_rng(7)
    sources = answers_of_pairs(rng, 20, COUPLES, 0.1)
    responses = responses_of({"a": sources, "b": sources[:6], "c": sources[:4]})
    few = dense(rng.normal(size=(6, 9)))
    pixels = dense(rng.normal(size=(4, 30)), "c1", "input", "c")
    unseen = dense(rng.normal(size=(7, 20)), "c2", "a", "elsewhere")
    found, _ = searched([few, pixels, unseen], responses, PLAIN)
    assert found.tested == 0
    assert found.not_tested == {
        "fewer than 10 inputs that answer": 10,
        "their layer was not observed": 7,
    }
    assert len(found.hits) == 0


def test_zeros_are_no_edges() -> None:
    weights, responses, _ = strong_pair(np.random.default_rng(8))
    weights[0, 9:] = 0
    assert searched([dense(weights)], responses, PLAIN)[0].tested == 0
    weights[0, 9] = -1
    assert searched([dense(weights)], responses, PLAIN)[0].tested == 1


def test_scales_of_answers_do_not_matter() -> None:
    connections, responses = network(np.random.default_rng(9))
    found, answers = searched(connections, responses, UNION)
    tiny = responses_of(
        {name: 2**-10 * responses.after[own] for name, own in responses.rows.items()}
    )
    again, others = searched(connections, tiny, UNION)
    assert hits_of(again, others, UNION) == hits_of(found, answers, UNION) != {}


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([1, 2, 0, 3], "not its own inverse"),
        ([0, 1, 2, 3], "changes none"),
        ([1, 0, 2], "do not belong to these 4"),
        ([1, 1, 2, 3], "do not belong"),
    ],
)
def test_what_is_no_mirror_of_these_stimuli_is_refused(image: list[int], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        couples(np.array(image), 4, "mirror left-right")


@pytest.mark.parametrize(
    "wrong", [{"share": 1.5}, {"at_least": 0}, {"fdr": 1.0}, {"permutations": 0}]
)
def test_settings_of_a_motif_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    role = Role(name="case")
    with pytest.raises(QueryError, match=name):
        PairMotif(name="x", of=mirror("left-right"), roles=(role, role), target="t", **wrong)


@pytest.mark.parametrize("wrong", [{"invariant": 1.5}, {"permutations": 0}])
def test_settings_of_a_union_by_responses_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(QueryError, match=name):
        Union(**wrong)

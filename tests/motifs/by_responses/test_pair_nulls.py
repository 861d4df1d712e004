"""Pairs counted over all targets, against inputs permuted for all targets alike (3 s)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses
from circuitkb.motifs.by_responses.pair_nulls import PairCount, pair_counts
from circuitkb.motifs.by_responses.search import search
from circuitkb.motifs.union import Union
from circuitkb.observation.measures.nulls import corrected
from tests.motifs.measured_networks import (
    Array,
    NaiveSearch,
    answers_of_pairs,
    answers_to_pairs,
    dense,
    mirror_of,
    responses_of,
)

COUPLES = 40
IMAGE = mirror_of(COUPLES)
UNION = replace(Union().by_responses(), share=0.3)


def network(seed: int, targets: int = 40) -> tuple[Array, Array, Array]:
    """Weights at random, and 40 inputs in mirrored pairs, to one of which each target answers."""
    rng = np.random.default_rng(seed)
    sources = answers_of_pairs(rng, 40, COUPLES, 0.1)
    answers, _ = answers_to_pairs(rng, sources, targets, COUPLES, 0.1)
    return rng.normal(size=(targets, 40)), sources, answers


def counted(
    weights: Array, sources: Array, answers: Array, draws: int, seed: int = 5
) -> dict[tuple[int, int], PairCount]:
    responses = responses_of({"a": sources, "b": answers})
    first, second = np.arange(0, 2 * COUPLES, 2), np.arange(1, 2 * COUPLES, 2)
    coupled = CoupledResponses.of(responses.after, responses.rows, first, second)
    searched = search([dense(weights)], coupled, UNION)
    return pair_counts(searched, coupled, UNION, np.random.default_rng(seed), draws=draws)


def plain(weights: Array, sources: Array, answers: Array) -> Counter[tuple[int, ...]]:
    naive = NaiveSearch([dense(weights)], responses_of({"a": sources, "b": answers}), IMAGE, UNION)
    return Counter(tuple(sorted((one[1], other[1]))) for _, _, one, other in naive.hits)


def test_counts_are_those_of_plain_loops_with_the_inputs_as_they_are_and_permuted() -> None:
    weights, sources, answers = network(0)
    found = counted(weights, sources, answers, draws=1)
    order = np.random.default_rng(5).permutation(40)
    real, null = plain(weights, sources, answers), plain(weights[:, order], sources, answers)
    assert min(real.total(), null.total()) > 2
    assert {ends: count.targets for ends, count in found.items() if count.targets} == real
    assert {ends: count.null_mean for ends, count in found.items() if count.null_mean} == null


def test_p_counts_the_draws_and_q_corrects_over_all_pairs() -> None:
    weights, sources, answers = network(1)
    weights[:12, :2] += 4
    answers[:12] = sources[0] + sources[1]
    found = counted(weights, sources, answers, draws=499)
    assert found[0, 1].targets >= 12
    assert found[0, 1].p == 1 / 500
    assert found[0, 1].q < 0.05
    assert all(1 / 500 <= count.p <= 1 for count in found.values())
    assert [count.q for count in found.values()] == pytest.approx(
        corrected(np.array([count.p for count in found.values()]))
    )
    assert len(found) == 20


def test_copies_of_a_target_are_no_further_evidence() -> None:
    """Forty copies of a target that happens to take a pair: as likely as one of them."""
    weights, sources, answers = network(2)
    weights[:] = weights[0]
    weights[:, :2] = 9
    answers[:] = sources[0] + sources[1]
    found = counted(weights, sources, answers, draws=199)
    one = counted(weights[:1], sources, answers[:1], draws=199)
    assert (found[0, 1].targets, one[0, 1].targets) == (40, 1)
    assert found[0, 1].p == pytest.approx(one[0, 1].p, abs=0.05)
    assert found[0, 1].p > 0.02

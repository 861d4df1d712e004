"""A circuit survives where a search without the left out stimuli finds it (3 s)."""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, couples
from circuitkb.motifs.by_responses.find import find_by_responses
from circuitkb.motifs.by_responses.search import search
from circuitkb.motifs.by_responses.stability import draw_kept, survives
from circuitkb.motifs.pairs import PairMotif
from circuitkb.motifs.rows import found_rows
from circuitkb.motifs.union import Union
from tests.motifs.by_responses.test_search import IMAGE, OPPOSITION, UNION, network
from tests.motifs.measured_networks import mirror_of, null_network, plant


@pytest.mark.parametrize("motif", [UNION, OPPOSITION], ids=lambda motif: motif.name)
def test_what_survives_is_what_a_whole_search_of_the_other_stimuli_finds(motif: PairMotif) -> None:
    stays = goes = 0
    for seed in range(16):
        rng = np.random.default_rng(seed)
        connections, responses = network(rng)
        first, second = couples(IMAGE, len(IMAGE), "mirror")
        whole = CoupledResponses.of(responses.after, responses.rows, first, second)
        found = search(connections, whole, motif).hits
        found = found.take(rng.random(len(found)) < 0.7)
        kept = draw_kept(len(first), 8, rng)
        survived = survives(connections, whole, motif, found, kept)
        named = list(
            zip(*(rows.tolist() for rows in (found.target, found.one, found.other)), strict=True)
        )
        for deletion, stay in enumerate(kept):
            part = CoupledResponses.of(responses.after, responses.rows, first[stay], second[stay])
            again = search(connections, part, motif).hits
            good = again.take(again.score <= found.score.max(initial=0))
            ends = zip(good.target.tolist(), good.one.tolist(), good.other.tolist(), strict=True)
            expected = set(ends)
            assert survived[:, deletion].tolist() == [hit in expected for hit in named]
        stays += int(survived.sum())
        goes += int((~survived).sum())
    assert min(stays, goes) > 40, "both happen"


def test_each_deletion_leaves_out_a_tenth_of_the_couples_and_none_is_favoured() -> None:
    kept = draw_kept(491, 2_000, np.random.default_rng(0))
    assert kept.shape == (2_000, 442)
    assert (np.diff(kept, axis=1) > 0).all(), "each stays once"
    share = np.bincount(kept.ravel(), minlength=491) / 2_000
    assert np.abs(share - 0.9).max() < 0.035


def test_the_share_stands_with_the_circuit_and_the_same_seed_gives_it_again() -> None:
    rng = np.random.default_rng(5)
    connections, responses = null_network(rng, "independent")
    kernel = connections[0].kernel[0, :, :, 0, 0]
    after = responses.after
    plant(rng, kernel, after[:120], after[120:], range(12))
    motif, image = Union(share=0.1).by_responses(), mirror_of(24)
    findings = [
        find_by_responses(connections, responses, image, motif, model="m", seed=1) for _ in range(2)
    ]
    shares = [
        [c.figures["stability"] for target in one.found for c in target.circuits]
        for one in findings
    ]
    assert shares[0] == shares[1]
    assert len(shares[0]) > 2
    assert all(0 <= share <= 1 and round(50 * share, 9) % 1 == 0 for share in shares[0])
    rows = found_rows(findings[0])
    kept = rows.nodes["Circuit"]["stability"].to_pylist()
    assert sorted(kept) == sorted(shares[0])

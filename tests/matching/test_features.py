"""Analogous features: what is found, what is not, and what decides."""

from __future__ import annotations

import numpy as np
import pytest

from circuitkb.matching.bands import bands
from circuitkb.matching.depth import depth_agreement
from circuitkb.matching.match import match
from circuitkb.schema.errors import ObservationError
from tests.matching.two_models import (
    STIMULI,
    copies,
    found_pairs,
    noise,
    pairs,
    planted,
    responses,
    smooth,
)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_scaled_and_noisy_copies_are_found_and_nothing_else(
    dtype: type[np.float16] | type[np.float32],
) -> None:
    first, second, truth = planted(dtype=dtype)
    found = match(first, second)
    assert pairs(found) == truth
    features = found.features
    assert features.q[features.found].max() <= 0.05
    # No unit of either model comes near under the null; 100 units bound the share at 1/101.
    assert features.p[features.found].max() == pytest.approx(1 / 101)


def test_the_figures_are_those_of_a_plain_computation() -> None:
    shared, others = 50, 70
    first = np.concatenate([noise(1, shared), smooth(2, others)])
    second = np.concatenate([copies(first[:shared], 3, error=0.6), smooth(4, others)])
    null = smooth(5, shared + others), smooth(6, shared + others)
    found = match(responses(first, null[0]), responses(second, null[1])).features

    units = len(first)
    full = np.corrcoef(first, second)[:units, units:]
    against, of = (
        np.corrcoef(first, null[1])[:units, units:],
        np.corrcoef(null[0], second)[:units, units:],
    )

    def mutual(matrix: np.ndarray) -> list[tuple[int, int]]:  # type: ignore[type-arg]
        return [
            (i, j)
            for i in range(units)
            for j in range(units)
            if matrix[i, j] == matrix[i].max() == matrix[:, j].max()
        ]

    naive = mutual(full)
    assert list(zip(*found.pairs.tolist(), strict=True)) == naive
    score = np.array([full[i, j] for i, j in naive])
    np.testing.assert_allclose(found.score, score, atol=1e-5)
    decoys = [np.array([matrix[i, j] for i, j in mutual(matrix)]) for matrix in (against, of)]
    q = [
        max(
            min(
                min(1, (1 + np.sum(of_null >= s - 1e-6)) / np.sum(score >= s))
                for s in score[score <= mine]
            )
            for of_null in decoys
        )
        for mine in score
    ]
    np.testing.assert_allclose(found.q, q, atol=1e-9)
    p = [
        max(
            (1 + np.sum(against.max(axis=1) >= mine - 1e-6)) / (1 + units),
            (1 + np.sum(of.max(axis=0) >= mine - 1e-6)) / (1 + units),
        )
        for mine in score
    ]
    np.testing.assert_allclose(found.p, p, atol=1e-9)


def test_models_that_share_nothing_but_what_shuffled_ones_share_match_at_the_rate() -> None:
    runs, wrong, above = 60, 0, 0
    for run in range(runs):
        seeds = range(4 * run, 4 * run + 4)
        real, null, other, other_null = (smooth(seed, 120) for seed in seeds)
        found = match(responses(real, null), responses(other, other_null)).features
        above += int(np.count_nonzero(found.score > 0.8))
        wrong += bool(found.found.any())
    assert above > 20 * runs
    assert wrong <= 0.1 * runs


def test_a_match_that_its_own_control_equals_is_not_found() -> None:
    first, second, truth = planted()
    shuffled = noise(5, 100)
    shuffled[0] = copies(first.after[:1].astype(np.float64), 8, error=0.05)[0]
    against = responses(second.after.astype(np.float64), shuffled)
    assert found_pairs(first, against) == {pair for pair in truth if pair[0] != 0}


def test_shallow_layers_that_do_not_beat_their_control_do_not_hide_behind_deep_ones() -> None:
    sizes = [("shallow", 150), ("deep", 150)]
    deep = noise(1, 150)
    first = np.concatenate([smooth(2, 150), deep])
    second = np.concatenate([smooth(3, 150), copies(deep, 4)])
    null = (np.concatenate([smooth(seed, 150), noise(seed + 1, 150)]) for seed in (5, 7))
    one, other = (
        responses(real, shuffled, layers=sizes)
        for real, shuffled in zip((first, second), null, strict=True)
    )
    features = match(one, other).features
    above = features.rows[0][features.score > 0.8]
    assert np.count_nonzero(above < 150) > 20
    assert set(features.rows[0][features.found]) == set(range(150, 300))


@pytest.mark.parametrize("quiet", [False, True])
def test_a_unit_that_answers_to_three_stimuli_does_not_match(quiet: bool) -> None:
    first, second, truth = planted()
    values = [first.after.astype(np.float64), second.after.astype(np.float64)]
    unit, place = min(truth)
    for value, row in zip(values, (unit, place), strict=True):
        value[row] = 5.0 if quiet else 0.0
        value[row, 10:13] = 0.0 if quiet else 5.0
    one, other = (
        responses(value, each.shuffled_after.astype(np.float64))
        for value, each in zip(values, (first, second), strict=True)
    )
    found = match(one, other)
    assert pairs(found) == truth - {(unit, place)}
    assert len(found.features.first.rows) == 99


def test_silent_units_take_no_part() -> None:
    first, second, truth = planted()
    values = first.after.astype(np.float64)
    values[:10] = 3.0
    one = responses(values, first.shuffled_after.astype(np.float64))
    assert found_pairs(one, second) == {pair for pair in truth if pair[0] >= 10}


def test_stimuli_are_compared_by_their_ids_and_those_of_one_model_are_left_out() -> None:
    first, second, truth = planted()
    rng = np.random.default_rng(0)
    order = rng.permutation(STIMULI)[: STIMULI - 40]
    names = [second.stimuli[i] for i in order]
    fewer = responses(
        second.after[:, order].astype(np.float64),
        second.shuffled_after[:, order].astype(np.float64),
        stimuli=names,
    )
    found = match(first, fewer)
    assert found.stimuli == STIMULI - 40
    assert pairs(found) == truth


def test_the_order_of_stimuli_changes_nothing() -> None:
    first, second, _ = planted()
    order = np.random.default_rng(1).permutation(STIMULI)
    again = responses(
        second.after[:, order].astype(np.float64),
        second.shuffled_after[:, order].astype(np.float64),
        stimuli=[second.stimuli[i] for i in order],
    )
    one, other = (match(first, each).features for each in (second, again))
    for name in ("pairs", "score", "p", "q", "null_best"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_matching_twice_or_in_other_blocks_or_the_other_way_round_gives_the_same() -> None:
    first, second, _ = planted(shared=50, others=90)
    once = match(first, second).features
    for other in (match(first, second).features, match(first, second, block=700).features):
        for name in ("pairs", "found"):
            np.testing.assert_array_equal(getattr(once, name), getattr(other, name))
        for name in ("score", "p", "q", "null_best"):
            np.testing.assert_allclose(getattr(once, name), getattr(other, name), atol=1e-6)
    back = match(second, first).features
    order = np.argsort(back.pairs[1])
    np.testing.assert_array_equal(once.pairs, back.pairs[::-1, order])
    np.testing.assert_allclose(once.q, back.q[order])
    np.testing.assert_allclose(once.p, back.p[order])


def test_layers_that_take_no_part_match_nothing() -> None:
    sizes = [("input", 3), ("a", 57), ("output", 40)]
    first, second, _ = planted(shared=100, others=0, layers=sizes)
    values = first.after.astype(np.float64)
    same = responses(values, second.shuffled_after.astype(np.float64), layers=sizes)
    assert found_pairs(first, same) == {(i, i) for i in range(100)}
    assert found_pairs(first, same, layers=(["a"], ["a"])) == {(i, i) for i in range(3, 60)}


def test_depth_follows_the_order_given_and_not_that_of_the_responses() -> None:
    sizes = [("c", 50), ("a", 50), ("b", 50)]
    first = noise(1, 150)
    one = responses(first, noise(2, 150), layers=sizes)
    other = responses(copies(first, 3), noise(4, 150), layers=sizes)
    order = ["a", "b", "c"]
    agreeing = match(one, other, layers=(order, order)).features.depth
    assert (agreeing.correlation, agreeing.p) == (1.0, 0.001)
    opposed = match(one, other, layers=(order, order[::-1])).features.depth
    assert (opposed.correlation, opposed.p) == (-1.0, 1.0)


def test_depth_tells_nothing_of_few_matches_or_of_one_layer() -> None:
    assert depth_agreement(np.zeros(2), np.zeros(2), 0).correlation is None
    assert depth_agreement(np.zeros(9), np.arange(9.0), 0).correlation is None


def test_bands_cover_all_layers_once_and_each_is_full() -> None:
    rng = np.random.default_rng(0)
    for layers in range(1, 40):
        layer = rng.integers(0, layers, rng.integers(0, 500))
        found = bands(layer, layers)
        covered = [number for band in found for number in range(band.start, band.stop)]
        assert covered == list(range(layers))
        full = [np.count_nonzero(band.holds(layer)) >= 100 for band in found]
        assert all(full) or len(found) == 1


def test_other_batteries_few_stimuli_and_unknown_layers_are_refused() -> None:
    first, second, _ = planted()
    values = second.after.astype(np.float64)
    with pytest.raises(ObservationError, match=r"different batteries.*observe"):
        match(first, responses(values, values, battery="b2"))
    with pytest.raises(ObservationError, match="share 99 stimuli"):
        match(first, responses(values[:, :99], values[:, :99]))
    with pytest.raises(ObservationError, match="'b' was not observed"):
        match(first, second, layers=(None, ["b"]))


def test_progress_only_grows_and_ends_at_the_whole() -> None:
    first, second, _ = planted()
    said: list[float] = []
    match(first, second, block=1000, progress=lambda doing, done: said.append(done))
    assert said == sorted(said)
    assert said[-1] == 1

"""Classes against permuted classes: counted out by hand, calibrated, and blind to what is alike."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from circuitkb.observation.photographs import classes
from circuitkb.observation.photographs.classes import compare_classes, spread_of_means

LAYERS = [("a", 40), ("b", 60)]


def answers(pictures: int, seed: int = 0, units: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((pictures, units)).astype(np.float32)


def test_the_spread_of_a_mean_is_that_of_all_ways_to_draw() -> None:
    values = np.array([1.0, 4, 6, 7, 9, 30])
    values = (values - values.mean()) / values.std()
    drawn = [np.mean(values[list(order[:2])]) for order in permutations(range(6))]
    assert spread_of_means([2, 4])[0] == pytest.approx(np.std(drawn))


def test_p_is_the_share_of_all_permutations_that_reach_the_statistic() -> None:
    values = answers(6, units=12)
    groups = ["x", "x", "x", "y", "y", "y"]
    found = compare_classes(values, groups, [("a", 12)], seed=1)
    assert found is not None
    scores = (values - values.mean(0)) / values.std(0)

    def statistic(order: list[int]) -> np.ndarray:
        both = scores[order].reshape(2, 3, -1).mean(1) / spread_of_means([3, 3])[:, None]
        return np.asarray(both.max(0))

    every = np.array([statistic(list(order)) for order in permutations(range(6))])
    expected = (every >= every[0] - 1e-4).mean(0)
    np.testing.assert_allclose(found.p, expected, atol=0.06)
    np.testing.assert_allclose(found.statistic, every[0], rtol=1e-4)
    np.testing.assert_allclose(found.null_mean, every.mean(0), rtol=0.1)


def test_a_planted_preference_is_found_and_the_class_is_named() -> None:
    values, groups = answers(90), ["cat", "dog", "owl"] * 30
    values[1::3, :10] += 2.0
    found = compare_classes(values, groups, LAYERS, seed=0)
    assert found is not None
    assert found.beyond_chance[:10].all()
    assert [found.names[number] for number in found.chosen[:10]] == ["dog"] * 10
    assert found.beyond_chance[10:].mean() < 0.1
    assert found.by_chance <= 5
    by_hand = (values[1::3, 3].mean() - values[:, 3].mean()) / values[:, 3].std()
    assert found.means[3, 1] == pytest.approx(by_hand, rel=1e-4)


def test_without_a_preference_p_is_uniform_also_for_heavy_tails_and_uneven_classes() -> None:
    values = np.random.default_rng(3).standard_t(2, (80, 2_000)).astype(np.float32)
    groups = ["few"] * 4 + ["some"] * 16 + ["many"] * 60
    found = compare_classes(values, groups, [("a", 2_000)], seed=0)
    assert found is not None
    assert np.mean(found.p <= 0.05) == pytest.approx(0.05, abs=0.016)
    assert np.mean(found.p <= 0.5) == pytest.approx(0.5, abs=0.04)


def test_units_that_answer_alike_are_not_tested_and_pictures_without_a_class_do_not_count() -> None:
    values, groups = answers(40), ["x", "y"] * 20
    values[:, 5] = 3.0
    found = compare_classes(values, groups, LAYERS, seed=0)
    more = compare_classes(
        np.r_[values, 99 + answers(3)], [*groups, "", "", "lone"], LAYERS, seed=0
    )
    assert found is not None
    assert more is not None
    assert np.isnan(found.q[5])
    assert not found.beyond_chance[5]
    np.testing.assert_array_equal(found.p, more.p)


@pytest.mark.parametrize("groups", [[""] * 4, ["x"] * 4, ["x", "y", "z", "z"]])
def test_fewer_than_two_classes_are_not_compared(groups: list[str]) -> None:
    assert compare_classes(answers(4), groups, LAYERS, seed=0) is None


def test_much_work_is_done_with_fewer_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "WORK", 1.0)
    found = compare_classes(answers(20), ["x", "y"] * 10, LAYERS, seed=0)
    assert found is not None
    assert found.permutations == classes.FEWEST_PERMUTATIONS

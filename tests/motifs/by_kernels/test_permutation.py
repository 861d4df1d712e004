"""The nulls: deals are fair, p-values are those of full enumeration, and they hold their level."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from circuitkb.motifs.by_kernels.permutation import (
    among_all_units,
    among_own_inputs,
    draw_sets,
    sequential,
)
from circuitkb.motifs.by_kernels.similarity import Match, count_matches, standardise, with_images
from circuitkb.motifs.members import two_sides
from circuitkb.motifs.transforms import Mirror


def test_every_set_is_dealt_equally_often() -> None:
    draws = draw_sets(np.random.default_rng(0), 6, 3, 20_000)
    counts = Counter(tuple(sorted(row)) for row in draws.tolist())
    assert len(counts) == 20
    expected = 20_000 / 20
    chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_squared < 43.8  # 0.1% of a chi-squared with 19 degrees of freedom


@pytest.fixture
def kernels() -> np.ndarray:
    rng = np.random.default_rng(1)
    found = rng.normal(size=(14, 3, 3)).astype(np.float32)
    for one, other in ((0, 1), (0, 2), (3, 4), (5, 6)):
        found[other] = found[one, :, ::-1] + 0.05 * rng.normal(size=(3, 3))
    return found


def enumerate_p(kernels: np.ndarray, k: int, observed: int) -> float:
    vectors, turned = with_images(kernels, Mirror("left-right"))
    sets = np.array(list(combinations(range(len(kernels)), k)))
    counts = count_matches(vectors[sets], turned[sets], Match())
    return float((counts >= observed).mean())


@pytest.mark.parametrize("observed", [1, 2, 3])
def test_both_nulls_estimate_the_p_of_full_enumeration(kernels: np.ndarray, observed: int) -> None:
    exact = enumerate_p(kernels, 5, observed)
    assert 0 < exact < 1
    vectors, turned = with_images(kernels, Mirror("left-right"))
    counts = np.array([observed])
    for null in (
        among_all_units(
            counts, vectors, turned, 5, match=Match(), limit=50_000, rng=np.random.default_rng(2)
        ),
        among_own_inputs(
            counts,
            vectors[None],
            turned[None],
            5,
            match=Match(),
            limit=50_000,
            rng=np.random.default_rng(3),
        ),
    ):
        # Fifty draws at or above: a relative error of 1 / sqrt(50), taken three times.
        assert null.p[0] == pytest.approx(exact, rel=0.42)


def test_a_count_that_chance_never_reaches_has_the_least_p() -> None:
    null = sequential(np.array([5]), lambda active, n: np.zeros((len(active), n), np.int64), 7000)
    assert null.p[0] == pytest.approx(1 / 7001)
    assert null.draws[0] == 7000
    assert null.mean[0] == 0


def test_a_common_count_stops_early_at_the_exact_draw() -> None:
    def sample(active: np.ndarray, draws: int) -> np.ndarray:
        return np.tile(np.arange(draws) % 4 == 3, (len(active), 1)).astype(np.int64)

    null = sequential(np.array([1]), sample, 100_000)
    assert null.p[0] == pytest.approx(50 / 200)
    assert null.draws[0] == 1000


def test_p_values_of_dealt_sets_hold_their_level() -> None:
    """Sets that truly were dealt from the pool must rarely look special."""
    rng = np.random.default_rng(4)
    pool = rng.normal(size=(60, 3, 3)).astype(np.float32)
    pool[30:] = pool[:30, :, ::-1]
    vectors, turned = with_images(pool, Mirror("left-right"))
    p = []
    for _ in range(200):
        sets = draw_sets(rng, 60, 8, 5)
        observed = count_matches(vectors[sets], turned[sets], Match())
        p += among_all_units(
            observed, vectors, turned, 8, match=Match(), limit=2000, rng=rng
        ).p.tolist()
    for level in (0.01, 0.05, 0.2, 0.5):
        share = np.mean(np.array(p) <= level)
        assert share <= level + 3 * np.sqrt(level * (1 - level) / len(p))


def test_a_constant_kernel_is_like_nothing() -> None:
    flat = np.full((2, 5, 5), 0.1, np.float32)
    assert not standardise(flat).any()
    assert (
        count_matches(*(array[None] for array in with_images(flat, Mirror("left-right"))), Match())
        == 0
    )


def test_sides_that_cannot_be_coloured_follow_each_pair_s_own_mass() -> None:
    lean = {"a": -0.3, "b": 0.1, "c": 0.4, "x": 0.5, "y": -0.5}
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("x", "y")]
    assert two_sides(pairs, lean) == {
        ("a", "b"): ("a", "b"),
        ("b", "c"): ("b", "c"),
        ("c", "a"): ("a", "c"),
        ("x", "y"): ("y", "x"),
    }

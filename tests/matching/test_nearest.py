"""Mutual nearest neighbours, against the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from circuitkb.matching.nearest import Nearest, correlations, mutual_nearest


def sets(seed: int, rows: int, columns: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=(count, 12)).astype(np.float32) for count in (rows, columns)]
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in values)
    return one, other


def search(one: NDArray[np.float32], other: NDArray[np.float32], block: int) -> Nearest:
    return mutual_nearest(correlations(one, other, block=block), (len(one), len(other)))


@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(1, 30),
    columns=st.integers(1, 30),
    block=st.integers(1, 1000),
)
def test_the_pairs_are_those_that_a_double_loop_finds(
    seed: int, rows: int, columns: int, block: int
) -> None:
    one, other = sets(seed, rows, columns)
    full = [[float(np.dot(a.astype(float), b.astype(float))) for b in other] for a in one]
    naive = [
        (i, j)
        for i in range(rows)
        for j in range(columns)
        if full[i][j] == max(full[i]) and full[i][j] == max(row[j] for row in full)
    ]
    found = search(one, other, block)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == naive
    np.testing.assert_allclose(found.score, [full[i][j] for i, j in naive], atol=1e-5)
    np.testing.assert_allclose(found.first_best, [max(row) for row in full], atol=1e-5)
    np.testing.assert_allclose(found.second_best, np.max(full, axis=0), atol=1e-5)


@pytest.mark.parametrize("block", [1, 7, 100, 10**6])
def test_blocks_of_any_size_give_the_same_pairs(block: int) -> None:
    one, other = sets(3, 61, 47)
    found, whole = search(one, other, block), search(one, other, 10**9)
    np.testing.assert_array_equal(found.first, whole.first)
    np.testing.assert_array_equal(found.second, whole.second)
    np.testing.assert_allclose(found.score, whole.score, atol=1e-6)


def test_among_equals_the_lowest_number_wins_and_nobody_is_taken_twice() -> None:
    scores = np.array([[0.9, 0.9, 0.1], [0.9, 0.9, 0.1], [0.2, 0.2, 0.3]], np.float32)
    found = mutual_nearest([(0, scores[:2]), (2, scores[2:])], (3, 3))
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(0, 0), (2, 2)]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_has_no_neighbours(shape: tuple[int, int]) -> None:
    one, other = (np.zeros((count, 5), np.float32) for count in shape)
    found = search(one, other, 100)
    assert len(found.score) == 0
    assert (len(found.first_best), len(found.second_best)) == shape


def test_progress_only_grows_and_ends_at_the_whole() -> None:
    one, other = sets(0, 50, 20)
    said: list[float] = []
    for _ in correlations(one, other, block=100, progress=lambda doing, done: said.append(done)):
        pass
    assert said == sorted(said)
    assert said[-1] == 1
    assert len(said) == 10

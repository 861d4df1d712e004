"""What chance gives: the same count on kernels that were shuffled, and the p-value it makes.

Two nulls answer two doubts, and a unit must pass both:

- *among the strongest inputs of all units*: are kernels that go into different units as often
  mirrored? Every kernel in a draw was chosen by the same rule, so strength explains nothing.
- *among all inputs of the same unit*: has this unit mirrored pairs everywhere, since its kernels
  share a shape, or just among its strongest?

They are permutation tests, so a unit's own kernels take part in every draw. Leaving them out
would make a single pair look impossible (``docs/discovery.md`` has the measured rates).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.similarity import Match, blocks, count_matches
from circuitkb.schema.kernels import Floats

_ENOUGH = 50
"""Draws at or above the observed count after which a p-value is exact enough to stop."""

_FIRST_ROUND = 1000

Counts = NDArray[np.int64]
Sample = Callable[[NDArray[np.intp], int], Counts]
"""Given the tests still open and a number of draws, counts with axes (test, draw)."""


@dataclass(frozen=True, eq=False)
class Draws:
    """For each test: ``p``, the ``mean`` count under the null, and the number of ``draws``."""

    p: NDArray[np.float64]
    mean: NDArray[np.float64]
    draws: Counts


def draw_sets(rng: np.random.Generator, size: int, k: int, draws: int) -> NDArray[np.int32]:
    """Return ``draws`` sets of ``k`` different numbers below ``size``, each set equally likely.

    Floyd's method: ``k`` steps over all draws at once. Axes (draw, number).

    Examples
    --------
    >>> sorted(draw_sets(np.random.default_rng(0), 4, 4, 1)[0].tolist())
    [0, 1, 2, 3]
    """
    found = np.empty((draws, k), np.int32)
    for place, top in enumerate(range(size - k, size)):
        number = rng.integers(0, top + 1, draws, dtype=np.int32)
        taken = (found[:, :place] == number[:, None]).any(axis=1)
        found[:, place] = np.where(taken, top, number)
    return found


def sequential(observed: Counts, sample: Sample, limit: int) -> Draws:
    """Return p-values by drawing until each is known well enough, at most ``limit`` draws.

    Notes
    -----
    Besag & Clifford, Sequential Monte Carlo p-values, Biometrika 78 (1991): a test that has seen
    50 draws at or above its value after l draws stops with p = 50 / l; one that never does ends
    with (1 + draws at or above) / (1 + draws). Both are valid p-values.
    """
    tests = len(observed)
    above, draws = np.zeros(tests, np.int64), np.zeros(tests, np.int64)
    total, p = np.zeros(tests), np.ones(tests)
    active, done, size = np.arange(tests), 0, _FIRST_ROUND
    while len(active) and done < limit:
        size = min(size, limit - done)
        counts = sample(active, size)
        reached = above[active, None] + np.cumsum(counts >= observed[active, None], axis=1)
        stopped = reached[:, -1] >= _ENOUGH
        first = np.argmax(reached >= _ENOUGH, axis=1)
        p[active[stopped]] = _ENOUGH / (done + first[stopped] + 1)
        total[active] += counts.sum(axis=1)
        draws[active] += size
        above[active] = reached[:, -1]
        active = active[~stopped]
        done, size = done + size, 4 * size
    p[active] = (1 + above[active]) / (1 + draws[active])
    return Draws(p, np.divide(total, draws, out=np.zeros(tests), where=draws > 0), draws)


def among_all_units(
    observed: Counts,
    vectors: Floats,
    images: Floats,
    k: int,
    *,
    match: Match,
    limit: int,
    rng: np.random.Generator,
) -> Draws:
    """Test counts against ``k`` kernels drawn from the strongest inputs of all units.

    Parameters
    ----------
    observed
        Number of matching pairs of each unit that has ``k`` strongest inputs.
    vectors, images
        Standardised kernels of the strongest inputs of all units; axes (kernel, place).

    Returns
    -------
    Draws
        One value for each of ``observed``. Units share their draws.
    """
    values, back = np.unique(observed, return_inverse=True)

    def sample(active: NDArray[np.intp], draws: int) -> Counts:
        counts = np.empty(draws, np.int64)
        drawn = draw_sets(rng, len(vectors), k, draws)
        for part in blocks(draws, k * max(k, vectors.shape[1])):
            chosen = drawn[part]
            counts[part] = count_matches(vectors[chosen], images[chosen], match)
        return np.broadcast_to(counts, (len(active), draws))

    null = sequential(values, sample, limit)
    return Draws(null.p[back], null.mean[back], null.draws[back])


def among_own_inputs(
    observed: Counts,
    vectors: Floats,
    images: Floats,
    k: int,
    *,
    match: Match,
    limit: int,
    rng: np.random.Generator,
) -> Draws:
    """Test counts against ``k`` kernels drawn from all inputs of the same unit.

    Parameters
    ----------
    observed
        Number of matching pairs of each unit.
    vectors, images
        Standardised kernels of all inputs of each unit; axes (unit, kernel, place).
    """
    hits = match(vectors, images)
    size = vectors.shape[1]

    def sample(active: NDArray[np.intp], draws: int) -> Counts:
        counts = np.empty((len(active), draws), np.int64)
        drawn = draw_sets(rng, size, k, draws)
        one, other = np.triu_indices(k, 1)
        for part in blocks(draws, len(active) * max(1, len(one))):
            chosen = drawn[part]
            pairs = hits[active[:, None, None], chosen[:, one], chosen[:, other]]
            counts[:, part] = pairs.sum(axis=2)
        return counts

    return sequential(observed, sample, limit)

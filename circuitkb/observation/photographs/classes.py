"""Which class of pictures a unit answers to most, beside what permuted classes give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.measures.nulls import RATE, Doubles, corrected
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import rows_of_layers

PERMUTATIONS = 999
FEWEST_PERMUTATIONS = 199

WORK = 5e11
"""Multiplications from which there are fewer permutations: some ten seconds on two cores."""

MOST_CLASSES = 200
"""Classes that are compared; 4 bytes are kept for each and each unit."""

FEWEST_PICTURES = 2
"""Pictures of a class that is compared."""

_NUMBERS_AT_ONCE = 4_000_000

NULL_METHOD = "the same pictures with their classes permuted"


@dataclass(frozen=True, eq=False)
class ClassTest:
    """What the units of a model answer to classes of pictures.

    Attributes
    ----------
    names, counts
        The classes, and how many pictures each has.
    means
        Mean answer of each unit to each class, in standard deviations from its mean over all of
        them, axes (unit, class).
    chosen
        For each unit the class whose mean stands out most, for the number of its pictures.
    statistic
        By how many standard deviations of the mean of as many pictures drawn from all.
    null_mean
        Mean of that over permutations.
    p, q
        One-sided, and corrected over the units of the layer; NaN for units that answer alike to
        all.
    permutations
        How many.
    by_chance
        How many units one more permutation, in the place of the classes, lets pass the same test.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    means: Floats
    chosen: NDArray[np.int32]
    statistic: Floats
    null_mean: Floats
    p: Floats
    q: Floats
    permutations: int
    by_chance: int

    @property
    def beyond_chance(self) -> NDArray[np.bool_]:
        """Units that prefer a class beyond chance, axis (unit,)."""
        return self.q <= RATE


def spread_of_means(counts: Sequence[int]) -> Doubles:
    """Return the standard deviation of the mean of as many values, drawn without replacement.

    Parameters
    ----------
    counts
        Sizes of the classes, which together are all values; those have a standard deviation of 1.

    Examples
    --------
    >>> spread_of_means([2, 2]).round(3).tolist()
    [0.577, 0.577]
    """
    sizes = np.array(counts, float)
    total = sizes.sum()
    found: Doubles = np.sqrt((total - sizes) / (sizes * (total - 1)))
    return found


def comparable(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that can be compared, in order; none where that is fewer than two.

    Examples
    --------
    >>> comparable(["dog", "cat", "dog", "", "cat", "owl"]), comparable(["dog", "dog"])
    (('cat', 'dog'), ())
    """
    names, counts = np.unique([group for group in groups if group], return_counts=True)
    found = tuple(str(name) for name in names[counts >= FEWEST_PICTURES])
    return found if 2 <= len(found) <= MOST_CLASSES else ()


def compare_classes(
    largest: Floats,
    groups: Sequence[str],
    layers: Sequence[tuple[str, int]],
    *,
    seed: int,
    progress: Progress = silent,
) -> ClassTest | None:
    """Compare what units answer to classes of pictures; None where there are no two classes.

    The statistic is the largest over classes, so that any number of them is one test of a unit.

    Parameters
    ----------
    largest
        Largest value of each unit in each picture, axes (picture, unit).
    groups
        The class of each picture; empty for none.
    layers
        Name and number of units of each layer.
    seed
        Of the permutations.
    """
    names = comparable(groups)
    if not names:
        return None
    numbers = {name: number for number, name in enumerate(names)}
    inside = [place for place, group in enumerate(groups) if group in numbers]
    labels = np.array([numbers[groups[place]] for place in inside])
    counts = np.bincount(labels)
    spread = spread_of_means(counts.tolist())
    values = np.asarray(largest[inside], np.float32)
    mean, sd = values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)
    varies = sd > 1e-6 * np.maximum(1e-12, np.abs(mean))
    values -= mean.astype(np.float32)
    values /= np.where(varies, sd, 1).astype(np.float32)
    means = _means(labels[None], counts, values)[0].T
    scores = means / spread.astype(np.float32)
    chosen = scores.argmax(1)
    statistic = scores.max(1)
    work = values.size * len(names)
    count = int(np.clip(WORK / work, FEWEST_PERMUTATIONS, PERMUTATIONS))
    null = _Null(values, labels, counts, spread, np.random.default_rng(seed))
    first = null.draw(1)[0]
    reached, reached_first, total = null.compare(statistic, first, count, progress)
    q_first = _per_layer((1 + reached_first) / (1 + count), varies, layers)
    p = np.where(varies, (1 + reached) / (1 + count), np.nan)
    return ClassTest(
        names,
        tuple(counts.tolist()),
        means,
        chosen.astype(np.int32),
        np.where(varies, statistic, np.nan).astype(np.float32),
        np.where(varies, total / count, np.nan).astype(np.float32),
        p.astype(np.float32),
        _per_layer(p, varies, layers).astype(np.float32),
        count,
        int((q_first <= RATE).sum()),
    )


def _per_layer(p: Doubles, varies: NDArray[np.bool_], layers: Sequence[tuple[str, int]]) -> Doubles:
    """Return p corrected within each layer, over the units that could be tested."""
    q = np.full(len(p), np.nan)
    for rows in rows_of_layers(layers).values():
        tested = np.flatnonzero(varies[rows]) + rows.start
        q[tested] = corrected(p[tested])
    return q


def _means(labels: NDArray[np.intp], counts: NDArray[np.intp], values: Floats) -> Floats:
    """Return means by class for several ways to give classes, axes (way, class, unit)."""
    ways, pictures = labels.shape
    weights = np.zeros((ways, len(counts), pictures), np.float32)
    weights[np.arange(ways)[:, None], labels, np.arange(pictures)] = (1 / counts)[labels]
    flat = weights.reshape(-1, pictures) @ values
    found: Floats = flat.reshape(ways, len(counts), -1)
    return found


@dataclass(frozen=True, eq=False)
class _Null:
    """The largest score of each unit with classes permuted."""

    values: Floats
    labels: NDArray[np.intp]
    counts: NDArray[np.intp]
    spread: Doubles
    random: np.random.Generator

    def draw(self, ways: int) -> Floats:
        """Return it for some permutations, axes (permutation, unit)."""
        permuted = self.random.permuted(np.tile(self.labels, (ways, 1)), axis=1)
        means = _means(permuted, self.counts, self.values)
        means /= self.spread[:, None].astype(np.float32)
        largest: Floats = means.max(1)
        return largest

    def compare(
        self, statistic: Floats, other: Floats, count: int, progress: Progress
    ) -> tuple[Doubles, Doubles, Doubles]:
        """Return how often two statistics are reached, and the sum of the null."""
        reached, reached_other, total = np.zeros((3, len(statistic)))
        # So that equal sets of pictures count as equal in single precision.
        least, least_other = (side - 1e-5 * np.abs(side) - 1e-6 for side in (statistic, other))
        at_once = max(1, _NUMBERS_AT_ONCE // (len(self.counts) * len(statistic)))
        for done in range(0, count, at_once):
            progress("Permuting classes", done / count)
            drawn = self.draw(min(at_once, count - done))
            reached += (drawn >= least).sum(0)
            reached_other += (drawn >= least_other).sum(0)
            total += drawn.sum(0)
        return reached, reached_other, total

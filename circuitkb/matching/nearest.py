"""Mutual nearest neighbours between two sets, without the whole matrix of their scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from circuitkb.matching.responses import Floats, Rows
from circuitkb.schema.progress import Progress, silent

BLOCK = 2**24
"""Scores that are in memory at once: 64 MB."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """The best scores of two sets in each other.

    Attributes
    ----------
    first, second
        Mutual nearest neighbours: places in the first set, ascending, and in the second.
    score
        Of each such pair.
    first_best, second_best
        For each of a set, its highest score in the other; -inf where the other is empty.
    """

    first: Rows
    second: Rows
    score: Floats
    first_best: Floats
    second_best: Floats


def rows_at_once(columns: int, block: int = BLOCK) -> int:
    """Return how many rows of so many columns make a block.

    Examples
    --------
    >>> rows_at_once(4, block=10), rows_at_once(100, block=10)
    (2, 1)
    """
    return max(1, block // max(1, columns))


def correlations(
    first: Floats, second: Floats, *, block: int = BLOCK, progress: Progress = silent
) -> Iterator[tuple[int, Floats]]:
    """Give the correlations of all units of one set with all of another, some rows at a time.

    Parameters
    ----------
    first, second
        Axes (unit, stimulus), as in :class:`~circuitkb.matching.responses.UnitResponses`.
    block
        Most scores to hold at once.
    progress
        Called with the share that was given.

    Yields
    ------
    start, scores
        First row of the block; axes (unit of ``first``, unit of ``second``). The next block takes
        the place of this one.
    """
    step = rows_at_once(len(second), block)
    buffer = np.empty((min(step, len(first)), len(second)), np.float32)
    for start in range(0, len(first), step):
        rows = first[start : start + step]
        yield start, np.matmul(rows, second.T, out=buffer[: len(rows)])
        progress("Comparing responses", min(1.0, (start + step) / len(first)))


def mutual_nearest(blocks: Iterable[tuple[int, Floats]], shape: tuple[int, int]) -> Nearest:
    """Return the pairs of which neither member has a better partner.

    Parameters
    ----------
    blocks
        Scores of some of the first set with all of the second, and the place of the first row.
    shape
        Sizes of both sets.

    Notes
    -----
    Only maxima are kept. A pair is mutual where the best score of its row *is* the best score of
    its column: the same number, so no rounding can part them. Among equals the lowest number wins.

    Examples
    --------
    >>> scores = np.array([[0.9, 0.2], [0.8, 0.1]], np.float32)
    >>> found = mutual_nearest([(0, scores)], (2, 2))
    >>> found.first, found.second, found.first_best
    (array([0]), array([0]), array([0.9, 0.8], dtype=float32))
    """
    rows, columns = shape
    row_best = np.full(rows, -np.inf, np.float32)
    column_best = np.full(columns, -np.inf, np.float32)
    nearest = np.zeros(rows, np.intp)
    if rows and columns:
        for start, scores in blocks:
            place = slice(start, start + len(scores))
            nearest[place] = scores.argmax(axis=1)
            row_best[place] = np.take_along_axis(scores, nearest[place, None], axis=1)[:, 0]
            np.maximum(column_best, scores.max(axis=0), out=column_best)
        mutual = np.flatnonzero(row_best == column_best[nearest])
        mutual = np.sort(mutual[np.unique(nearest[mutual], return_index=True)[1]])
    else:
        mutual = np.zeros(0, np.intp)
    return Nearest(mutual, nearest[mutual], row_best[mutual], row_best, column_best)

"""Krippendorff's alpha as sums over units, so that resamples of units are a product of matrices.

Alpha is 1 - observed / expected disagreement (Krippendorff 2011, Computing Krippendorff's
Alpha-Reliability; Hayes and Krippendorff 2007). Units with fewer than two ratings count nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuitkb.annotations.comparing.ratings import Counts

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]

_NO_VARIATION = 1e-9
"""Share of all pairs of ratings below which their distances are rounding."""

_AT_ONCE = 4_000_000  # pairs of sets in memory at once


class YesNoSums:
    """Sums over units from which the nominal alpha of each of many concepts follows.

    With ``yes`` of ``m`` raters of a unit saying yes, alpha is 1 - (n - 1) A / (Y N): A is the sum
    of yes (m - yes) / (m - 1) over units, n, Y and N are all ratings, the yes and the no.

    Parameters
    ----------
    counts
        Ratings of single concepts.
    concepts
        How many concepts there are.
    """

    def __init__(self, counts: Counts, concepts: int) -> None:
        from scipy.sparse import csc_array

        self.rows = self.width = concepts
        shape = (len(counts.rated), concepts)
        pairable = counts.raters >= 2
        cell = (counts.unit, counts.concept)
        yes = np.where(pairable, counts.yes, 0).astype(np.float64)
        apart = yes * (counts.raters - yes) / np.maximum(counts.raters - 1, 1)
        # Beside the cells in which nobody spoke of the concept, all who rated the unit say no.
        self.base = np.where(counts.rated >= 2, counts.rated, 0).astype(np.float64)
        more = np.where(pairable, counts.raters, 0) - self.base[counts.unit]
        self.apart = csc_array((apart, cell), shape=shape)
        self.yes = csc_array((yes, cell), shape=shape)
        self.more = csc_array((more, cell), shape=shape)
        self.pairable = np.union1d(np.flatnonzero(self.base), counts.unit[pairable])
        changed = pairable.astype(np.int64) - (counts.rated[counts.unit] >= 2)
        self.pairable_of = np.bincount(
            counts.concept, weights=changed, minlength=concepts
        ) + np.count_nonzero(self.base)

    def alpha(self, weights: Floats) -> Floats:
        """Return alpha of each concept (rows) for each weighting of the units (columns)."""
        total: Floats = (weights @ self.base)[None, :] + np.asarray(self.more.T @ weights.T)
        yes: Floats = np.asarray(self.yes.T @ weights.T)
        with np.errstate(all="ignore"):
            expected = yes * (total - yes)
            apart: Floats = np.asarray(self.apart.T @ weights.T)
            found: Floats = 1 - (total - 1) * apart / expected
        found[expected <= 0] = np.nan
        return found


class Likeness:
    """How alike each two of many values are: 1 - their distance, which is symmetric.

    It is ``pairs + parts @ between @ parts.T``: where values are alike by what they have in
    common, a few parts say what would fill millions of pairs.

    Parameters
    ----------
    pairs
        Of values, sparse and symmetric.
    parts
        Which parts (columns) a value (row) has.
    between
        How alike two values are for having each of these parts, sparse and symmetric.

    Examples
    --------
    >>> from scipy.sparse import csr_array, eye_array
    >>> Likeness(eye_array(2).tocsr()).sums(np.array([[2.0, 1], [2, 3]])).tolist()
    [8.0, 10.0]
    """

    def __init__(
        self,
        pairs: csr_array,
        parts: csr_array | None = None,
        between: csr_array | None = None,
    ) -> None:
        from scipy.sparse import csr_array

        self._pairs = pairs
        self._parts = csr_array((pairs.shape[0], 0)) if parts is None else parts
        self._between = csr_array((0, 0)) if between is None else between
        # Of two equal halves of a symmetric matrix one is enough.
        self._half_pairs, self._half_between = _half(self._pairs), _half(self._between)

    def toarray(self) -> Floats:
        """Return it as a matrix of values by values."""
        whole = self._pairs + self._parts @ self._between @ self._parts.T
        return np.asarray(whole.toarray())

    def sums(self, counts: Floats) -> Floats:
        """Return, for each column of counts of values, the likeness of all pairs."""
        parts: Floats = np.asarray(self._parts.T @ counts)
        of_pairs: Floats = (counts * np.asarray(self._half_pairs @ counts)).sum(axis=0)
        of_parts: Floats = (parts * np.asarray(self._half_between @ parts)).sum(axis=0)
        return of_pairs + of_parts

    def sums_of_rows(self, counts: csr_array) -> Floats:
        """Return the same for each row of sparse counts."""
        parts = counts @ self._parts
        of_pairs = (counts @ self._half_pairs).multiply(counts).sum(axis=1)
        of_parts = (parts @ self._half_between).multiply(parts).sum(axis=1)
        found: Floats = np.asarray(of_pairs) + np.asarray(of_parts)
        return found


def _half(matrix: csr_array) -> csr_array:
    """Return a matrix with the same sums of pairs as a symmetric one, and half its entries."""
    from scipy.sparse import csr_array

    whole = matrix.tocoo()
    kept = whole.col >= whole.row
    row, column = whole.row[kept], whole.col[kept]
    return csr_array((whole.data[kept] * (1 + (column > row)), (row, column)), shape=matrix.shape)


class ValueSums:
    """Sums over units from which alpha over any values follows, with any distance of two values.

    Parameters
    ----------
    counts
        How many raters gave a unit (row) a value (column), sparse.
    likeness
        Of each two values, 1 of equal ones. What the literature calls the squared difference of a
        level of measurement is the distance here.

    Examples
    --------
    >>> from scipy.sparse import csr_array, eye_array
    >>> two_raters = csr_array(np.array([[2.0, 0], [1, 1], [0, 2]]))
    >>> ValueSums(two_raters, Likeness(eye_array(2).tocsr())).alpha(np.ones((1, 3))).round(4)
    array([[0.4444]])
    """

    def __init__(self, counts: csr_array, likeness: Likeness) -> None:
        rated = np.asarray(counts.sum(axis=1))
        paired = rated >= 2
        self.pairable = np.flatnonzero(paired)
        self.rows, self.width = 1, counts.shape[1]
        self.ratings: Floats = np.where(paired, rated, 0.0)
        self.likeness = likeness
        self.counts = counts.multiply(paired[:, None]).tocsr()
        alike = likeness.sums_of_rows(self.counts)
        self.apart: Floats = (self.ratings**2 - alike) / np.maximum(self.ratings - 1, 1)

    def alpha(self, weights: Floats) -> Floats:
        """Return alpha, one row, for each weighting of the units (columns)."""
        total = weights @ self.ratings
        alike = self.likeness.sums(self.counts.T @ weights.T)
        with np.errstate(all="ignore"):
            expected = total * total - alike
            found: Floats = 1 - (total - 1) * (weights @ self.apart) / expected
        found[expected <= _NO_VARIATION * total * total] = np.nan
        return found[None, :]


def masi_likeness(sets: Sequence[Sequence[int]], concepts: int) -> Likeness:
    """Return 1 - MASI distance of each two sets; sets that share nothing have 0.

    It is the share of their union that two sets share (Jaccard), times 1 where they are equal,
    2/3 where one holds the other, 1/3 where each has something of its own.

    Most sets that share anything share one concept, and then their sizes say the rest: pairs are
    kept of those alone that share more.

    Examples
    --------
    >>> masi_likeness([(0,), (0, 1), (1, 2), (3,)], 4).toarray().round(3).tolist()[1]
    [0.333, 1.0, 0.111, 0.0]
    """
    from scipy.sparse import csr_array

    size = np.array([len(one) for one in sets], dtype=np.int64)
    row = np.repeat(np.arange(len(sets)), size)
    column = np.array([concept for one in sets for concept in one], dtype=np.int64)
    has = csr_array((np.ones(len(row)), (row, column)), shape=(len(sets), concepts))
    # A part is a concept in sets of one size.
    parts, part = np.unique(size[row] * concepts + column, return_inverse=True)
    in_parts = csr_array((np.ones(len(row)), (row, part)), shape=(len(sets), len(parts)))
    of_concept = csr_array(
        (np.ones(len(parts)), (np.arange(len(parts)), parts % max(1, concepts))),
        shape=(len(parts), concepts),
    )
    between = (of_concept @ of_concept.T).tocoo()
    of_size = parts // max(1, concepts)
    alike = _masi(np.ones(between.nnz), of_size[between.row], of_size[between.col])
    kept = [np.empty((3, 0))]
    # Rows are multiplied a few at a time: most of what comes out shares one concept, and goes.
    piece = np.cumsum(has @ has.sum(axis=0)) // _AT_ONCE
    for start, end in pairwise([0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), len(sets)]):
        shared = (has[start:end] @ has.T).tocoo()
        more = shared.data > 1
        one, two, both = shared.row[more] + start, shared.col[more], shared.data[more]
        data = _masi(both, size[one], size[two]) - both * _masi(
            np.ones(len(both)), size[one], size[two]
        )
        kept.append(np.stack([one, two, data]))
    one, two, data = np.concatenate(kept, axis=1)
    pairs = csr_array(
        (data, (one.astype(np.int64), two.astype(np.int64))), shape=(len(sets), len(sets))
    )
    shape = (len(parts), len(parts))
    return Likeness(pairs, in_parts, csr_array((alike, (between.row, between.col)), shape=shape))


def _masi(shared: Floats, one: NDArray[np.int64], two: NDArray[np.int64]) -> Floats:
    """Return 1 - MASI distance of sets of these sizes that share so many."""
    held = (shared == one).astype(np.int64) + (shared == two)
    likeness: Floats = shared / (one + two - shared) * np.array([1 / 3, 2 / 3, 1.0])[held]
    return likeness

"""Krippendorff's alpha as sums over units, so that resamples of units are a product of matrices.

Alpha is 1 - observed / expected disagreement (Krippendorff 2011, Computing Krippendorff's
Alpha-Reliability; Hayes and Krippendorff 2007). Units with fewer than two ratings count nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuitkb.annotations.comparing.ratings import Counts

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]

_NO_VARIATION = 1e-9
"""Share of all pairs of ratings below which their distances are rounding."""


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

        self.concepts = concepts
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


class ValueSums:
    """Sums over units from which alpha over any values follows, with any distance of two values.

    Parameters
    ----------
    counts
        How many raters gave a unit (row) a value (column), sparse.
    likeness
        1 - distance of each two values, sparse and symmetric, 1 on its diagonal. What the
        literature calls the squared difference of a level of measurement is the distance here.

    Examples
    --------
    >>> from scipy.sparse import csr_array, eye_array
    >>> two_raters = csr_array(np.array([[2.0, 0], [1, 1], [0, 2]]))
    >>> ValueSums(two_raters, eye_array(2).tocsr()).alpha(np.ones((1, 3))).round(4)
    array([[0.4444]])
    """

    def __init__(self, counts: csr_array, likeness: csr_array) -> None:
        rated = np.asarray(counts.sum(axis=1))
        paired = rated >= 2
        self.pairable = np.flatnonzero(paired)
        self.ratings: Floats = np.where(paired, rated, 0.0)
        self.likeness = likeness
        self.counts = counts.multiply(paired[:, None]).tocsr()
        alike = np.asarray((self.counts @ likeness).multiply(self.counts).sum(axis=1))
        self.apart: Floats = (self.ratings**2 - alike) / np.maximum(self.ratings - 1, 1)

    def alpha(self, weights: Floats) -> Floats:
        """Return alpha, one row, for each weighting of the units (columns)."""
        total = weights @ self.ratings
        of_value = self.counts.T @ weights.T
        alike = (of_value * (self.likeness @ of_value)).sum(axis=0)
        with np.errstate(all="ignore"):
            expected = total * total - alike
            found: Floats = 1 - (total - 1) * (weights @ self.apart) / expected
        found[expected <= _NO_VARIATION * total * total] = np.nan
        return found[None, :]


def masi_likeness(sets: Sequence[Sequence[int]], concepts: int) -> csr_array:
    """Return 1 - MASI distance of each two sets, sparse: sets that share nothing have 0.

    It is the share of their union that two sets share (Jaccard), times 1 where they are equal,
    2/3 where one holds the other, 1/3 where each has something of its own.

    Examples
    --------
    >>> masi_likeness([(0,), (0, 1), (1, 2), (3,)], 4).toarray().round(3).tolist()[1]
    [0.333, 1.0, 0.111, 0.0]
    """
    from scipy.sparse import csr_array

    size = np.array([len(one) for one in sets], dtype=np.float64)
    row = np.repeat(np.arange(len(sets)), size.astype(np.int64))
    column = np.array([concept for one in sets for concept in one], dtype=np.int64)
    has = csr_array((np.ones(len(row)), (row, column)), shape=(len(sets), concepts))
    shared = (has @ has.T).tocoo()
    one, two, both = size[shared.row], size[shared.col], shared.data
    held = (both == one).astype(np.int64) + (both == two)
    data = both / (one + two - both) * np.array([1 / 3, 2 / 3, 1.0])[held]
    return csr_array((data, (shared.row, shared.col)), shape=(len(sets), len(sets)))

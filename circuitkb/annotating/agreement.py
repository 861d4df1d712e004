"""How far raters agree: Krippendorff's alpha with a bootstrap interval over units.

For one concept a rating is yes or no and alpha is nominal. Over all concepts a rating is the set of
concepts that a rater gives a unit, and two sets are as far apart as MASI says (Passonneau 2006).
The alpha of a concept comes from the package ``krippendorff``. Resamples, a thousand for each
concept, come from sums over units, which makes them a product of matrices; tests hold both against
each other.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.results import Result
from circuitkb.schema.errors import QueryError
from circuitkb.stores.base import Store

from .ratings import Counts, Ratings, ratings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Raters = Literal["human", "all"]

CONFIDENCE = 0.95
OVERALL = "(all concepts)"

DEFINED = 0.95
"""Share of the resamples in which alpha must be defined for an interval to be given."""

NOTES = (
    "One concept: nominal alpha over yes and no. All concepts: alpha over sets of concepts, with "
    "the distance MASI (Passonneau 2006).",
    "low and high: 95% percentile interval of a bootstrap that resamples whole units.",
)

_AT_ONCE = 4_000_000  # resampled units in memory at once


class Alpha(NamedTuple):
    """One row of a report.

    Attributes
    ----------
    concept
        The concept, or :data:`OVERALL`.
    raters
        Whose ratings: of humans alone, or of all.
    alpha, low, high
        Krippendorff's alpha and its 95% interval; None where they are undefined.
    units, pairable
        Units with any rating, and those with two or more of the concept (over all: of sets): alpha
        is computed from these.
    rater_count
        Raters that rated any unit, if only by disagreeing.
    given
        How many times the concept was given (over all: how many concepts were).
    why
        Why a figure is missing.
    """

    concept: str
    raters: Raters
    alpha: float | None
    low: float | None
    high: float | None
    units: int
    pairable: int
    rater_count: int
    given: int
    why: str | None


@dataclass(frozen=True)
class AgreementReport:
    """Alpha over all and for each concept, for humans and for all raters."""

    alphas: tuple[Alpha, ...]
    resamples: int
    seed: int
    seconds: float

    def overall(self, raters: Raters = "all") -> Alpha:
        """Return alpha over all concepts."""
        return next(a for a in self.alphas if a.concept == OVERALL and a.raters == raters)

    def to_result(self) -> Result:
        """Return one row for each concept and kind of raters; over all concepts first."""
        notes = (*NOTES, f"{self.resamples} resamples, seed {self.seed}.")
        return Result(Alpha._fields, tuple(map(tuple, self.alphas)), seconds=self.seconds,
                      notes=notes)  # fmt: skip


def agreement(
    store: Store,
    models: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> AgreementReport:
    """Return Krippendorff's alpha for each concept and over all, with bootstrap intervals.

    Parameters
    ----------
    store
        The knowledge base.
    models, layers
        Names to look in; all if not given.
    seed
        Of the resampling: the same seed and labels give the same interval.
    resamples
        How many; from 100.

    Raises
    ------
    QueryError
        Fewer than 100 resamples.

    References
    ----------
    Krippendorff (2011), Computing Krippendorff's Alpha-Reliability. Passonneau (2006), Measuring
    agreement on set-valued items (MASI).
    """
    if resamples < 100:
        raise QueryError(f"resamples is {resamples}: an interval needs 100 at least.")
    start = perf_counter()
    found = ratings(store, models, layers)
    alphas = [
        alpha
        for raters, part in (("human", found.humans()), ("all", found))
        for alpha in alphas_of(part, raters, seed=seed, resamples=resamples)  # type: ignore[arg-type]
    ]
    size = {alpha.concept: alpha.given for alpha in alphas if alpha.raters == "all"}
    alphas.sort(key=lambda a: (a.concept != OVERALL, -size[a.concept], a.concept, a.raters))
    return AgreementReport(tuple(alphas), resamples, seed, perf_counter() - start)


def alphas_of(found: Ratings, raters: Raters, *, seed: int, resamples: int) -> list[Alpha]:
    """Return alpha over all and for each concept that these raters gave or refused."""
    counts = found.counts()
    sums = _Sums(counts, len(found.concepts))
    sets = _Sets(found)
    both = np.unique(np.concatenate([sums.pairable, sets.pairable]))
    point = np.ones((1, len(found.units)))
    drawn = _resampled(both, len(found.units), sums, sets, seed, resamples)
    alpha = np.concatenate([sets.alpha(point), sums.alpha(point)])[:, 0]
    human = len(found.present)
    units = len(np.union1d(found.yes[:, 0], found.no[:, 0]))
    given = np.bincount(found.yes[:, 2], minlength=len(found.concepts))
    spoken = np.unique(counts.concept)
    rows = []
    for place, concept in [(0, OVERALL), *((i + 1, found.concepts[i]) for i in spoken.tolist())]:
        overall = place == 0
        pairable = len(sets.pairable) if overall else int(sums.pairable_of[place - 1])
        low, high = _interval(drawn[place])
        value = None if np.isnan(alpha[place]) else float(alpha[place])
        if value is not None and not overall:
            value = sums.by_library(place - 1)
        why = _why(human, pairable, value, low)
        if value is None:
            low = high = None
        rows.append(
            Alpha(concept, raters, value, low, high, units, pairable, human,
                  int((given > 0).sum()) if overall else int(given[place - 1]), why)
        )  # fmt: skip
    return rows


def _why(raters: int, pairable: int, alpha: float | None, low: float | None) -> str | None:
    if raters < 2:
        return "fewer than two raters"
    if not pairable:
        return "no unit has two ratings"
    if alpha is None:
        return "no variation: where two raters rated, all say the same"
    if low is None and pairable == 1:
        return "only one unit has two ratings: an interval needs several"
    if low is None:
        return "too rare for an interval: most resamples would have to vary"
    return None


def _interval(drawn: Floats) -> tuple[float | None, float | None]:
    """Return the percentile interval of resampled alphas, those without variation left out."""
    known = drawn[~np.isnan(drawn)]
    if len(known) < DEFINED * len(drawn) or len(known) == 0:
        return None, None
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _resampled(
    pairable: NDArray[np.int64], units: int, sums: _Sums, sets: _Sets, seed: int, resamples: int
) -> Floats:
    """Return alphas of resamples of units: one row over all, and one for each concept."""
    count = 1 + sums.concepts
    if len(pairable) < 2:
        return np.full((count, resamples), np.nan)
    from scipy.stats import bootstrap

    def statistic(drawn: NDArray[np.int64], axis: int = -1) -> Floats:
        drawn = np.atleast_2d(drawn)
        flat = drawn + units * np.arange(len(drawn))[:, None]
        weights = np.bincount(flat.ravel(), minlength=len(drawn) * units)
        table = weights.reshape(len(drawn), units).astype(np.float64)
        return np.concatenate([sets.alpha(table), sums.alpha(table)])

    # One draw of units serves all alphas: the statistic has a row for each, resamples last.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # resamples without variation are left out, and told
        found = bootstrap(
            (pairable,),
            statistic,
            n_resamples=resamples,
            batch=max(1, _AT_ONCE // units),
            vectorized=True,
            axis=-1,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    drawn: Floats = found.bootstrap_distribution
    return drawn


class _Sums:
    """Sums over units from which the nominal alpha of each concept follows.

    With ``yes`` of ``m`` raters of a unit saying yes, alpha is 1 - (n - 1) A / (Y N): A is the sum
    of yes (m - yes) / (m - 1) over units, n, Y and N are all ratings, the yes and the no.
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

    def by_library(self, concept: int) -> float:
        """Return alpha of one concept, which must be defined."""
        import krippendorff

        yes = self.yes[:, [concept]].toarray()[:, 0]
        raters = self.base + self.more[:, [concept]].toarray()[:, 0]
        pairable = raters >= 2
        counts = np.column_stack([raters - yes, yes])[pairable]
        return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))

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


class _Sets:
    """Sums over units from which alpha over sets of concepts follows."""

    def __init__(self, found: Ratings) -> None:
        from scipy.sparse import csr_array

        units = len(found.units)
        unit, value, members = _label_sets(found)
        self.likeness = masi_likeness(members, len(found.concepts))
        rated = np.bincount(unit, minlength=units)
        paired = rated[unit] >= 2
        unit, value = unit[paired], value[paired]
        self.pairable = np.flatnonzero(rated >= 2)
        ones = np.ones(len(unit))
        self.counts = csr_array((ones, (unit, value)), shape=(units, len(members)))
        m = np.where(rated >= 2, rated, 0).astype(np.float64)
        alike = (self.counts @ self.likeness).multiply(self.counts).sum(axis=1)
        self.ratings = m
        self.apart = (m * m - np.asarray(alike)) / np.maximum(m - 1, 1)

    def alpha(self, weights: Floats) -> Floats:
        """Return alpha, one row, for each weighting of the units (columns)."""
        total = weights @ self.ratings
        of_value = self.counts.T @ weights.T
        alike = (of_value * (self.likeness @ of_value)).sum(axis=0)
        with np.errstate(all="ignore"):
            expected = total * total - alike
            found: Floats = 1 - (total - 1) * (weights @ self.apart) / expected
        found[expected <= 1e-9 * total * total] = np.nan
        return found[None, :]


def _label_sets(found: Ratings) -> tuple[Any, Any, list[tuple[int, ...]]]:
    """Return unit and set (an index) of each rating, and what each set has."""
    sets: dict[tuple[int, int], list[int]] = {}
    for unit, rater, concept in found.yes.tolist():
        sets.setdefault((unit, rater), []).append(concept)
    number: dict[tuple[int, ...], int] = {}
    value = [number.setdefault(tuple(concepts), len(number)) for concepts in sets.values()]
    unit = np.array([unit for unit, _ in sets], dtype=np.int64)
    return unit, np.array(value, dtype=np.int64), list(number)


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

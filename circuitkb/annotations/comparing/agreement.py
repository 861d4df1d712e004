"""How far raters agree: Krippendorff's alpha with a bootstrap interval over units.

For one concept a rating is yes or no and alpha is nominal. Over all concepts a rating is the set of
concepts that a rater gives a unit, and two sets are as far apart as MASI says (Passonneau 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.annotations.comparing.ratings import Ratings, ratings
from circuitkb.annotations.comparing.reliability import Floats, ValueSums, YesNoSums, masi_likeness
from circuitkb.annotations.comparing.waiting import Raters, Waiting, labels_wait, waiting
from circuitkb.results.result import Result
from circuitkb.schema.errors import QueryError
from circuitkb.stores.base import Store

CONFIDENCE = 0.95
OVERALL = "(all concepts)"

DEFINED = 0.95
"""Share of the resamples in which alpha must be defined for an interval to be given."""

NOTES = (
    "One concept: nominal alpha over yes and no. All concepts: alpha over sets of concepts, with "
    "the distance MASI (Passonneau 2006).",
    "low and high: 95% percentile interval of a bootstrap that resamples whole units.",
)

_AT_ONCE = 2_000_000  # resampled units, or sets of concepts, in memory at once


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
    waiting
        Labels of the concept (over all: of any) that do not count yet: their model is not loaded.
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
    waiting: int = 0


@dataclass(frozen=True)
class AgreementReport:
    """Alpha over all and for each concept, for humans and for all raters."""

    alphas: tuple[Alpha, ...]
    resamples: int
    seed: int
    seconds: float
    notes: tuple[str, ...] = ()
    """What does not count yet, and which command brings it."""

    def overall(self, raters: Raters = "all") -> Alpha:
        """Return alpha over all concepts."""
        return next(a for a in self.alphas if a.concept == OVERALL and a.raters == raters)

    def to_result(self) -> Result:
        """Return one row for each concept and kind of raters; over all concepts first."""
        notes = (*self.notes, *NOTES, f"{self.resamples} resamples, seed {self.seed}.")
        return Result(
            Alpha._fields, tuple(map(tuple, self.alphas)), seconds=self.seconds, notes=notes
        )


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
    NotFoundError
        No such model or layer.

    References
    ----------
    Krippendorff (2011), Computing Krippendorff's Alpha-Reliability. Passonneau (2006), Measuring
    agreement on set-valued items (MASI).
    """
    if resamples < 100:
        raise QueryError(f"resamples is {resamples}: an interval needs 100 at least.")
    start = perf_counter()
    found = ratings(store, models, layers)
    alphas = alphas_of(found, "all", seed=seed, resamples=resamples)
    if set(found.types) <= {"human"}:
        alphas += [alpha._replace(raters="human") for alpha in alphas]
    else:
        alphas += alphas_of(found.humans(), "human", seed=seed, resamples=resamples)
    absent = waiting(store, models, layers)
    alphas = [_with_waiting(alpha, absent) for alpha in alphas]
    size = {alpha.concept: alpha.given for alpha in alphas if alpha.raters == "all"}
    alphas.sort(key=lambda a: (a.concept != OVERALL, -size[a.concept], a.concept, a.raters))
    return AgreementReport(tuple(alphas), resamples, seed, perf_counter() - start, absent.notes)


def _with_waiting(alpha: Alpha, absent: Waiting) -> Alpha:
    number = absent.count(None if alpha.concept == OVERALL else alpha.concept, alpha.raters)
    why = alpha.why and (f"{alpha.why}; {labels_wait(number)}" if number else alpha.why)
    return alpha._replace(waiting=number, why=why)


def alphas_of(found: Ratings, raters: Raters, *, seed: int, resamples: int) -> list[Alpha]:
    """Return alpha over all and for each concept that these raters gave or refused."""
    counts = found.counts()
    sums = YesNoSums(counts, len(found.concepts))
    sets = _sums_over_sets(found)
    both = np.unique(np.concatenate([sums.pairable, sets.pairable]))
    point = np.ones((1, len(found.units)))
    drawn = _resampled(both, len(found.units), [sets, sums], seed, resamples)
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
        why = _why(human, pairable, value, low)
        if value is None:
            low = high = None
        rows.append(
            Alpha(
                concept,
                raters,
                value,
                low,
                high,
                units,
                pairable,
                human,
                int((given > 0).sum()) if overall else int(given[place - 1]),
                why,
            )
        )
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
    pairable: NDArray[np.int64],
    units: int,
    sums: Sequence[ValueSums | YesNoSums],
    seed: int,
    resamples: int,
) -> Floats:
    """Return alphas of resamples of units: the rows of each of ``sums``, resamples in columns."""
    if len(pairable) < 2:
        return np.full((sum(each.rows for each in sums), resamples), np.nan)
    rng = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // max(units, *(each.width for each in sums)))
    found = []
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        drawn = pairable[rng.integers(0, len(pairable), (count, len(pairable)))]
        # Units in rows, so that products of matrices read them as they lie in memory.
        cells = drawn * count + np.arange(count)[:, None]
        times = np.bincount(cells.ravel(), minlength=units * count).reshape(units, count)
        weights = times.astype(np.float64).T
        found.append(np.concatenate([each.alpha(weights) for each in sums]))
    return np.concatenate(found, axis=1)


def _sums_over_sets(found: Ratings) -> ValueSums:
    """Return the sums from which alpha over sets of concepts follows."""
    from scipy.sparse import coo_array

    unit, value, members = _label_sets(found)
    shape = (len(found.units), len(members))
    counts = coo_array((np.ones(len(unit)), (unit, value)), shape=shape).tocsr()
    return ValueSums(counts, masi_likeness(members, len(found.concepts)))


def _label_sets(found: Ratings) -> tuple[Any, Any, list[tuple[int, ...]]]:
    """Return unit and set (an index) of each rating, and what each set has."""
    sets: dict[tuple[int, int], list[int]] = {}
    for unit, rater, concept in found.yes.tolist():
        sets.setdefault((unit, rater), []).append(concept)
    number: dict[tuple[int, ...], int] = {}
    value = [number.setdefault(tuple(concepts), len(number)) for concepts in sets.values()]
    unit = np.array([unit for unit, _ in sets], dtype=np.int64)
    return unit, np.array(value, dtype=np.int64), list(number)

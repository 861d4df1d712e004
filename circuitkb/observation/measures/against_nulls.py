"""A measure against its nulls: shuffled weights, and permuted labels where it has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.measures.measure import Doubles, Measure, Measured
from circuitkb.observation.measures.nulls import RATE, corrected, share_reached
from circuitkb.observation.measures.responsiveness import is_responsive
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.responses import ResponseArray, rows_of_layers

SHUFFLED = "units of the same layer in the network with shuffled weights"

Layers = tuple[tuple[str, int], ...]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shown:
    """What all units of one network responded to some stimuli.

    Attributes
    ----------
    stimuli
        What each column was a response to.
    before
        Responses before the nonlinearity, axes (unit, stimulus).
    """

    stimuli: Sequence[Stimulus]
    before: ResponseArray

    def __post_init__(self) -> None:
        if self.before.ndim != 2 or self.before.shape[1] != len(self.stimuli):
            raise ObservationError(
                f"Responses of shape {self.before.shape} are not to these {len(self.stimuli)} "
                "stimuli."
            )


@dataclass(frozen=True, eq=False)
class Measurement:
    """A measure of every unit of a model, with its nulls; arrays have the axis (unit,).

    Attributes
    ----------
    measure
        What was asked.
    measured
        The statistic, and what else the measure gives.
    testable
        Units that respond, and for which the statistic has a meaning.
    p_shuffled
        Share of the responsive units of the same layer with shuffled weights that reach the
        statistic; NaN where a unit is not testable.
    p_permuted
        Share of the permutations that do, likewise; None for a measure without them.
    q
        The larger p, corrected for false discovery over the testable units of the layer.
    shuffled_mean, permuted_mean
        Mean statistic under either null.
    shuffled_count, tested
        How many units with shuffled weights, and how many with real ones, the layer has.
    seed
        Of the permutations.
    beside
        Units that passed the measure which this one stands beside; None for one that stands alone.
    """

    measure: Measure
    measured: Measured
    testable: Flags
    p_shuffled: Doubles
    p_permuted: Doubles | None
    q: Doubles
    shuffled_mean: Doubles
    permuted_mean: Doubles | None
    shuffled_count: Counts
    tested: Counts
    seed: int
    beside: Flags | None = None

    @property
    def p(self) -> Doubles:
        """The larger p: every null must be beaten."""
        if self.p_permuted is None:
            return self.p_shuffled
        return np.maximum(self.p_shuffled, self.p_permuted)

    @property
    def passed(self) -> Flags:
        """Units that pass beyond every null, and what must be passed beside it."""
        passed: Flags = self.q <= RATE  # NaN, of units that were not tested, is not
        return passed if self.beside is None else passed & self.beside

    @property
    def shuffled_decides(self) -> Flags:
        """Units whose larger p is that of shuffled weights."""
        if self.p_permuted is None:
            return np.ones(len(self.p_shuffled), bool)
        decides: Flags = self.p_shuffled >= self.p_permuted
        return decides

    @property
    def null_mean(self) -> Doubles:
        """Mean statistic under the null that decides."""
        if self.permuted_mean is None:
            return self.shuffled_mean
        return np.where(self.shuffled_decides, self.shuffled_mean, self.permuted_mean)


@dataclass(frozen=True, kw_only=True)
class LayerCounts:
    """What became of the units of one layer that a measure tested.

    Attributes
    ----------
    tested, passed
        How many were tested, and beat every null.
    permuted, shuffled
        How many either null alone would have let pass; None where there is no such null.
    failed
        How many beat permuted labels alone, and did not pass.
    null_pool
        Units of shuffled copies that each was compared with; None where nothing says.
    strength
        Median of those that passed, as the words of the measure name it; None where there is none.
    """

    tested: int
    passed: int
    shuffled: int
    permuted: int | None = None
    failed: int = 0
    null_pool: int | None = None
    strength: float | None = None

    @classmethod
    def of(
        cls,
        passed: Flags,
        p_shuffled: Doubles,
        p_permuted: Doubles | None,
        strength: Doubles | None = None,
        null_pool: int | None = None,
    ) -> LayerCounts:
        """Count units; arrays have the axis (unit tested,)."""
        permuted = None if p_permuted is None else corrected(p_permuted) <= RATE
        return cls(
            tested=len(passed),
            passed=int(passed.sum()),
            shuffled=int((corrected(p_shuffled) <= RATE).sum()),
            permuted=None if permuted is None else int(permuted.sum()),
            failed=0 if permuted is None else int((permuted & ~passed).sum()),
            null_pool=null_pool,
            strength=None
            if strength is None or not passed.any()
            else round(float(np.median(strength[passed])), 4),
        )

    @property
    def fewest(self) -> int | None:
        """Units that must beat every shuffled unit before any can pass, as so many are tested."""
        if self.null_pool is None:
            return None
        return math.ceil(self.tested / (RATE * (1 + self.null_pool)))


def layer_counts(found: Measurement, layers: Layers) -> dict[str, LayerCounts]:
    """Return what became of the units of each layer that has some which were tested."""
    strength = found.measured.detail.get(found.measure.words.strength)
    counts = {}
    for name, rows in rows_of_layers(layers).items():
        units = np.arange(rows.start, rows.stop)[found.testable[rows]]
        if len(units):
            counts[name] = LayerCounts.of(
                found.passed[units],
                found.p_shuffled[units],
                None if found.p_permuted is None else found.p_permuted[units],
                None if strength is None else strength[units],
                int(found.shuffled_count[units[0]]),
            )
    return counts


def measure_against_nulls(
    measure: Measure,
    network: Shown,
    null: Sequence[Shown],
    *,
    layers: Layers,
    responsive: Flags,
    further: Mapping[str, Sequence[Shown]] | None = None,
    seed: int = 0,
) -> Measurement:
    """Measure every unit of a network and compare it with its nulls.

    Parameters
    ----------
    measure
        What is asked.
    network, null
        The responses of the network, and of any number of copies of it with shuffled weights, to
        the same stimuli or to those that the measure reads. No p can be below 1 / (1 + units in
        the pool), so a small layer cannot pass with one copy.
    layers
        Name and number of units of each layer, as the rows of the responses have them.
    responsive
        Which units of the network respond to its stimuli at all; others are not tested.
    further
        What further copies of some layers responded, by layer.
    seed
        Of the permutations of labels.

    Raises
    ------
    ObservationError
        Some responses are not finite, or the measure gives what is not of these units.
    """
    rows = rows_of_layers(layers)
    for shown in (network, *null):
        for name, units in rows.items():
            if not np.isfinite(shown.before[units]).all():
                raise ObservationError(
                    f"Some responses of layer {name!r} are not finite: observe the model again."
                )
    measured = _measured(measure, network)
    statistic = measured.statistic
    copies = [(shown.before, _statistic(measure, shown, network, rows)) for shown in null]
    beside = {name: _further(measure, shown) for name, shown in (further or {}).items() if shown}
    permuted = measured.permuted and measured.permuted(seed, measure.permutations)
    p_permuted, permuted_mean = permuted or (None, None)
    testable = responsive & ~np.isnan(statistic)
    p_shuffled, q, shuffled_mean = (np.full(len(statistic), np.nan) for _ in range(3))
    shuffled_count, tested = (np.zeros(len(statistic), np.int64) for _ in range(2))
    for name, units in rows.items():
        pool = np.concatenate(
            [
                *(drawn[units][is_responsive(before[units])] for before, drawn in copies),
                beside.get(name, np.empty(0)),
            ]
        )
        pool = pool[~np.isnan(pool)]
        here = testable[units]
        p_shuffled[units] = share_reached(statistic[units], pool)
        p = p_shuffled if p_permuted is None else np.maximum(p_shuffled, p_permuted)
        q[units][here] = corrected(p[units][here])
        shuffled_mean[units] = pool.mean() if len(pool) else np.nan
        shuffled_count[units] = len(pool)
        tested[units] = here.sum()
    return Measurement(
        measure=measure,
        measured=measured,
        testable=testable,
        p_shuffled=np.where(testable, p_shuffled, np.nan),
        p_permuted=None if p_permuted is None else np.where(testable, p_permuted, np.nan),
        q=q,
        shuffled_mean=shuffled_mean,
        permuted_mean=permuted_mean,
        shuffled_count=shuffled_count,
        tested=tested,
        seed=seed,
    )


def _statistic(
    measure: Measure, shown: Shown, network: Shown, rows: Mapping[str, slice]
) -> Doubles:
    """Return the statistic of a copy.

    One that was shown fewer stimuli is measured layer by layer: of a layer of one unit the last
    bits are others then, and stored evidence has these.
    """
    if len(shown.stimuli) == len(network.stimuli):
        return _measured(measure, shown).statistic
    parts = (Shown(shown.stimuli, shown.before[units]) for units in rows.values())
    return np.concatenate([_measured(measure, part).statistic for part in parts])


def _further(measure: Measure, copies: Sequence[Shown]) -> Doubles:
    """Return the statistics of further copies of a layer: of their units that respond."""
    responsive = np.concatenate([is_responsive(shown.before) for shown in copies])
    every = Shown(copies[0].stimuli, np.concatenate([shown.before for shown in copies]))
    drawn: Doubles = _measured(measure, every).statistic[responsive]
    return drawn


def _measured(measure: Measure, shown: Shown) -> Measured:
    """Measure units, and refuse what does not fit them before it can get into a graph."""
    measured = measure.of(shown.before, shown.stimuli)
    units = (len(shown.before),)
    arrays = {"the statistic": measured.statistic, **measured.properties, **measured.detail}
    for name, array in arrays.items():
        if np.shape(array) != units:
            raise ObservationError(
                f"The measure {measure.name!r} gives {name} of shape {np.shape(array)} for "
                f"{units[0]} units."
            )
    if measured.labels and len(measured.labels) != units[0]:
        raise ObservationError(
            f"The measure {measure.name!r} gives {len(measured.labels)} labels for {units[0]} "
            "units."
        )
    declared = {item.name for item in measure.properties}
    if set(measured.properties) != declared:
        raise ObservationError(
            f"The measure {measure.name!r} gives the properties {sorted(measured.properties)}, "
            f"where it declares {sorted(declared)}."
        )
    return measured

"""What a search by measured answers found, and what its controls gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

import numpy as np

from circuitkb.motifs.by_kernels.findings import Findings
from circuitkb.motifs.by_responses.controls import Decoys
from circuitkb.motifs.by_responses.coupled_responses import Rows
from circuitkb.motifs.by_responses.search import Hits
from circuitkb.motifs.motif import PairMotif


@dataclass(frozen=True)
class MeasuredCase:
    """One of the two inputs of a circuit.

    Attributes
    ----------
    feature, role, side
        Its id, its role in the motif, and 1 or 2: on side 1 the inputs answer more to the first
        members of the couples of stimuli, or to the stimuli that are said to be of side 1.
    weight
        Mass of its kernels into the target, of its role's sign, over all connections.
    spread
        Standard deviation of its answers to the stimuli that the transform changes.
    rank
        Place among the target's inputs by mass times spread, from 1.
    answer
        How the target answers to the stimuli that it answers to most, in standard deviations.
    """

    feature: str
    role: str
    side: int
    weight: float
    spread: float
    rank: int
    answer: float


@dataclass(frozen=True)
class MeasuredCircuit:
    """Two inputs that the transform relates, at one target.

    Attributes
    ----------
    cases
        That of side 1, then that of side 2.
    turned, same
        corr(A on transformed stimuli, B), corr(A, B).
    score
        Place of the weaker input among the target's inputs, as a share.
    q
        Share of hits as good that chance explains, by the worse of the two controls.
    """

    cases: tuple[MeasuredCase, MeasuredCase]
    turned: float
    same: float
    score: float
    q: float


@dataclass(frozen=True)
class MeasuredUnit:
    """One target that was found.

    Attributes
    ----------
    target
        Its id.
    inputs, strongest
        How many inputs it has, and how many of them count as strongest.
    invariance
        corr(target on transformed stimuli, target).
    hits
        Pairs that fulfil every criterion, whatever their q.
    null_mean, draws, p
        Mean count of hits when its own weights are permuted, how often they were, and how often
        that gave as many.
    circuits
        The pairs that passed, smallest q first.
    """

    target: str
    inputs: int
    strongest: int
    invariance: float
    hits: int
    null_mean: float
    draws: int
    p: float
    circuits: tuple[MeasuredCircuit, ...]

    @property
    def q(self) -> float:
        """The smallest q of its pairs."""
        return min(circuit.q for circuit in self.circuits)


@dataclass(frozen=True)
class RelatedPair:
    """Two features that the transform relates, with what the shuffled network gives."""

    one: str
    other: str
    score: float
    same: float
    null_mean: float
    null_count: int
    p: float
    q: float


@dataclass(frozen=True)
class Tally:
    """Hits, and the distinct units and pairs in them."""

    hits: int
    units: int
    pairs: int


def tally(hits: Hits, chosen: Rows) -> Tally:
    """Count some of the hits."""
    ends = np.sort(np.stack([hits.one[chosen], hits.other[chosen]]), axis=0)
    pairs = np.unique(ends, axis=1).shape[1]
    return Tally(len(chosen), len(np.unique(hits.target[chosen])), pairs)


def tallies(decoys: Decoys) -> tuple[Tally, ...]:
    """Count the hits of each repetition of a control."""
    return tuple(
        tally(decoys.hits, np.flatnonzero(decoys.draw == draw))
        for draw in range(decoys.repetitions)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuredFindings(Findings):
    """What a search by measured answers found in one model, and what it could not test.

    Attributes
    ----------
    motif, battery
        What was searched for, and the stimuli that were shown.
    all
        All hits, whatever their q.
    permuted, matched
        Hits of each repetition of the two controls: weights permuted, pairs replaced.
    found
        Targets with at least one pair that passed, smallest q first.
    related
        The distinct pairs of the circuits.
    spread
        Of each member and target: standard deviation of its answers to the whole battery.
    search_seconds, control_seconds
        Time of the search, and of the controls and p-values.
    """

    by: ClassVar[str] = "responses"

    motif: PairMotif
    battery: str
    all: Tally
    permuted: tuple[Tally, ...]
    matched: tuple[Tally, ...]
    found: tuple[MeasuredUnit, ...]
    related: tuple[RelatedPair, ...]
    spread: Mapping[str, float]
    search_seconds: float
    control_seconds: float

    @property
    def hits(self) -> int:
        """Pairs at targets that fulfil every criterion, whatever their q."""
        return self.all.hits

    @property
    def circuits(self) -> int:
        """Pairs at targets that passed, one circuit each."""
        return sum(len(unit.circuits) for unit in self.found)

    @property
    def pairs(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """The targets of each distinct pair, those of most targets first."""
        found: dict[tuple[str, str], list[str]] = {}
        for unit in self.found:
            for circuit in unit.circuits:
                one, other = sorted(case.feature for case in circuit.cases)
                found.setdefault((one, other), []).append(unit.target)
        order = sorted(found, key=lambda pair: (-len(found[pair]), pair))
        return {pair: tuple(found[pair]) for pair in order}

    def figures(self) -> dict[str, float]:
        """Return hits of the whole model, and what the controls give, by name."""
        found = {
            "hits": float(self.all.hits),
            "units": float(self.all.units),
            "pairs": float(self.all.pairs),
        }
        for name, draws in (("permuted", self.permuted), ("matched", self.matched)):
            if draws:
                for what in ("hits", "units", "pairs"):
                    found[f"{name}_{what}_mean"] = fmean(getattr(draw, what) for draw in draws)
                found[f"{name}_hits_max"] = float(max(draw.hits for draw in draws))
        found["found_pairs"] = float(len(self.related))
        return found

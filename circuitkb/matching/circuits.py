"""Analogous circuits: mutual nearest by the weakest of their parts, against rewired ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.matching.nearest import BLOCK, Nearest
from circuitkb.matching.parts import CircuitSearch, PartedCircuit, Parts, members_of
from circuitkb.matching.responses import Rows, UnitResponses
from circuitkb.matching.rewiring import Rewiring
from circuitkb.motifs.target_decoy import target_decoy_q
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import Responses

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

REPETITIONS = 20

NULLS = (
    "found targets with the cases of other circuits",
    "found cases with another unit of the target's layer",
)
GROUP_NULLS = (
    "parts of found groups with the others of another",
    "found groups with another unit of a member's layer in its place",
)


@dataclass(frozen=True, eq=False)
class WiringNull:
    """How many circuits match whose parts are real and whose wiring is not.

    Attributes
    ----------
    name
        How they were made.
    drawn
        Share of draws that count: those that are not alike to a found circuit of the same model.
        ``p`` and ``q`` take the others to match as often as these.
    above
        For each repetition, the mutual nearest pairs above the threshold.
    best
        For each circuit of the first model its highest score, averaged over repetitions.
    """

    name: str
    drawn: float
    above: tuple[int, ...]
    best: Doubles


@dataclass(frozen=True, eq=False)
class CircuitMatches:
    """All mutual nearest circuits of two models, and which of them are believable.

    Attributes
    ----------
    threshold, fdr, seed
        What was asked for.
    first, second
        Ids of the circuits compared.
    left_out
        For each model, circuits with a member that could not be compared.
    pairs
        Places in ``first`` and ``second``, axes (member, pair).
    score
        Of each pair: how well the parts agree that agree least. Parts of one unit agree as these
        two correlate; others as the member that has the worst best partner in the other part.
    null_mean
        Mean best score of the pair's first circuit under the null that does better there.
    p
        Share of repetitions in which it reached the score, counting the score; the larger null's.
    q
        Share of such pairs that the null explains; the larger null's.
    nulls
        Both nulls, made of the second model's circuits.
    swapped
        Mutual nearest pairs above the threshold when side 1 is compared with side 2. They are no
        matches; where there are many, sides do not mean the same in both models.
    targets, case_pairs
        For each model, distinct targets and distinct pairs of cases among the circuits found
        analogous.
    """

    threshold: float
    fdr: float
    seed: int
    first: tuple[str, ...]
    second: tuple[str, ...]
    left_out: tuple[int, int]
    pairs: Rows
    score: Doubles
    null_mean: Doubles
    p: Doubles
    q: Doubles
    nulls: tuple[WiringNull, ...]
    swapped: int
    targets: tuple[int, int]
    case_pairs: tuple[int, int]

    @property
    def found(self) -> Flags:
        """Pairs that count: above the threshold, and q."""
        return (self.score > self.threshold) & (self.q <= self.fdr)


def match_circuits(
    first: tuple[Responses, UnitResponses, Sequence[PartedCircuit]],
    second: tuple[Responses, UnitResponses, Sequence[PartedCircuit]],
    *,
    threshold: float = 0.8,
    fdr: float = 0.05,
    repetitions: int = REPETITIONS,
    seed: int = 0,
    block: int = BLOCK,
    progress: Progress = silent,
) -> CircuitMatches:
    """Return which circuits of two models join analogous parts.

    Parameters
    ----------
    first, second
        For each model its responses, the units compared (over the same stimuli), and the circuits
        found in it, all of one motif.
    threshold
        What the weakest of the parts must exceed.
    fdr
        False discovery rate.
    repetitions
        Draws from each null.
    seed
        Of the draws.
    block
        Scores in memory at once.
    progress
        Called with how far it is.

    Raises
    ------
    ObservationError
        A circuit has a member that was not observed.
    """
    parts = Parts.of([*first[2], *second[2]])
    one, other = (members_of(*each, parts) for each in (first, second))
    search = CircuitSearch(first[1].values, one.units, second[1].values, parts, block)
    found = search.nearest(other.units)
    swapped = np.zeros(0, np.bool_)
    if parts.swapped != parts.as_labelled:
        swapped = search.nearest(other.units, parts.swapped).score > threshold
    score = found.score.astype(np.float64)
    rewiring = Rewiring(
        other.units,
        second[1].layer,
        lambda drawn: search.best_among(drawn, other.units) > threshold,
        kept=parts.lead,
        pairs=parts.pairs,
    )
    controls = []
    ways = tuple(zip(NULLS if parts.pairs else GROUP_NULLS, rewiring.ways, strict=True))
    for number, (name, draw) in enumerate(ways if one.ids and other.ids else ()):
        drawn, decoys = 0, []
        for turn in range(repetitions):
            circuits = draw(np.random.default_rng([seed, number, turn]))
            drawn += len(circuits)
            decoys.append(search.nearest(circuits))
            done = (number * repetitions + turn + 1) / (len(ways) * repetitions)
            progress("Comparing circuits with rewired ones", done)
        if drawn:
            controls.append(
                _held(found, decoys, drawn / (repetitions * len(other.ids)), name, threshold)
            )
    # Without anything to compare it with, a match says nothing.
    nothing = np.ones((2, len(score)))
    p, q = np.max([(of.p, of.q) for of in controls], axis=0) if controls else nothing
    null_means = [of.null.best[found.first] for of in controls] or [np.full(len(score), np.nan)]
    kept = (score > threshold) & (q <= fdr)
    lead = parts.lead or one.units.shape[1]
    first_kept, second_kept = one.units[found.first[kept]], other.units[found.second[kept]]
    return CircuitMatches(
        threshold=threshold,
        fdr=fdr,
        seed=seed,
        first=one.ids,
        second=other.ids,
        left_out=(one.left_out, other.left_out),
        pairs=np.stack([found.first, found.second]),
        score=score,
        null_mean=np.max(null_means, axis=0),
        p=p,
        q=q,
        nulls=tuple(of.null for of in controls),
        swapped=int(np.count_nonzero(swapped)),
        targets=(_distinct(first_kept[:, :lead]), _distinct(second_kept[:, :lead])),
        case_pairs=(_distinct(first_kept[:, lead:]), _distinct(second_kept[:, lead:])),
    )


class _Held(NamedTuple):
    """A null, and what it says of every pair."""

    null: WiringNull
    p: Doubles
    q: Doubles


def _held(
    found: Nearest, decoys: Sequence[Nearest], share: float, name: str, threshold: float
) -> _Held:
    """Compare pairs with the circuits of one null, of which ``share`` count."""
    repetitions = len(decoys)
    score = found.score.astype(np.float64)
    best = np.stack([decoy.first_best for decoy in decoys]).astype(np.float64)
    above = tuple(int(np.count_nonzero(decoy.score > threshold)) for decoy in decoys)
    reached = np.count_nonzero(best[:, found.first] >= score, axis=0)
    chance = np.concatenate([decoy.score for decoy in decoys]).astype(np.float64)
    return _Held(
        WiringNull(name, share, above, best.clip(-1).mean(axis=0)),
        p=np.minimum(1, (1 + reached / share) / (1 + repetitions)),
        q=np.minimum(1, target_decoy_q(-score, -chance, repetitions) / share),
    )


def _distinct(units: Rows) -> int:
    return len(np.unique(units, axis=0)) if units.shape[1] else 0

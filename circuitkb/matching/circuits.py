"""Analogous circuits: mutual nearest by the weakest of three correlations, against rewired ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.matching.nearest import BLOCK, Nearest, mutual_nearest, rows_at_once
from circuitkb.matching.responses import Floats, Rows, UnitResponses
from circuitkb.matching.rewiring import Rewiring
from circuitkb.motifs.target_decoy import target_decoy_q
from circuitkb.schema.errors import NotFoundError, ObservationError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import Responses

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

REPETITIONS = 20

AS_LABELLED, SWAPPED = (1, 2), (2, 1)


@dataclass(frozen=True, slots=True)
class TwoSidedCircuit:
    """A found circuit: its id, and the feature ids of its target and of the cases of both sides."""

    id: str
    target: str
    side_1: str
    side_2: str


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
        The smallest of the three correlations of each pair.
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
    first: tuple[Responses, UnitResponses, Sequence[TwoSidedCircuit]],
    second: tuple[Responses, UnitResponses, Sequence[TwoSidedCircuit]],
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
        What the weakest of the three correlations must exceed.
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
    one, other = (_members(*each) for each in (first, second))
    search = _Search(first[1].values, one.units, second[1].values, block)
    found = search.nearest(other.units)
    swapped = search.nearest(other.units, SWAPPED).score > threshold
    score = found.score.astype(np.float64)
    rewiring = Rewiring(
        other.units,
        second[1].layer,
        lambda drawn: search.best_among(drawn, other.units) > threshold,
    )
    controls = []
    ways = (
        ("found targets with the cases of other circuits", rewiring.other_cases),
        ("found cases with another unit of the target's layer", rewiring.another_target),
    )
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
        targets=(_distinct(first_kept[:, :1]), _distinct(second_kept[:, :1])),
        case_pairs=(_distinct(first_kept[:, 1:]), _distinct(second_kept[:, 1:])),
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


@dataclass(frozen=True, eq=False)
class _Members:
    """Circuits that can be compared: ids, and places of their units, axes (circuit, member)."""

    ids: tuple[str, ...]
    units: Rows
    left_out: int


def _members(
    responses: Responses, units: UnitResponses, circuits: Sequence[TwoSidedCircuit]
) -> _Members:
    members = [(each.target, each.side_1, each.side_2) for each in circuits]
    rows = np.array([[row_of(responses, id_) for id_ in ids] for ids in members], np.intp)
    places = units.places(rows.reshape(-1, 3))
    comparable = np.flatnonzero((places >= 0).all(axis=1))
    compared = tuple(circuits[place].id for place in comparable.tolist())
    return _Members(compared, places[comparable], len(circuits) - len(compared))


def row_of(responses: Responses, feature: str) -> int:
    """Return the row of a feature in the responses of its model.

    Raises
    ------
    ObservationError
        It was not observed.
    """
    try:
        return responses.row(feature)
    except NotFoundError as error:
        model = FeatureId.parse(feature).model
        raise ObservationError(
            f"{feature} was not observed: observe {model} again, then search it again."
        ) from error


@dataclass(frozen=True, eq=False)
class _Search:
    """Comparisons of the first model's circuits with others."""

    values: Floats
    circuits: Rows
    other_values: Floats
    block: int

    def nearest(self, others: Rows, sides: tuple[int, int] = AS_LABELLED) -> Nearest:
        """Return the mutual nearest among circuits of the second model."""
        blocks = _scores(
            (self.values, self.circuits), (self.other_values, others), sides, self.block
        )
        return mutual_nearest(blocks, (len(self.circuits), len(others)))

    def best_among(self, drawn: Rows, found: Rows) -> Floats:
        """Return the highest score of each of some circuits among others, in the second model."""
        best = np.full(len(drawn), -np.inf, np.float32)
        one, other = (self.other_values, drawn), (self.other_values, found)
        for start, scores in _scores(one, other, AS_LABELLED, self.block):
            best[start : start + len(scores)] = scores.max(axis=1)
        return best


def _scores(
    one: tuple[Floats, Rows], other: tuple[Floats, Rows], sides: tuple[int, int], block: int
) -> Iterator[tuple[int, Floats]]:
    """Give the smallest correlation of the three pairs of members, some circuits at a time.

    ``one`` and ``other``: the responses of all units, and circuits by the places of their units.
    """
    parts = []
    for mine, theirs in zip((0, 1, 2), (0, *sides), strict=True):
        # Circuits share many of their members, so each correlation is made once.
        unit, row = np.unique(one[1][:, mine], return_inverse=True)
        other_unit, column = np.unique(other[1][:, theirs], return_inverse=True)
        parts.append((one[0][unit] @ other[0][other_unit].T, row, column))
    step = rows_at_once(len(other[1]), block)
    for start in range(0, len(one[1]), step):
        here = slice(start, start + step)
        scores: Floats = np.minimum.reduce(
            [matrix[row[here]][:, column] for matrix, row, column in parts]
        )
        yield start, scores


def _distinct(units: Rows) -> int:
    return len(np.unique(units, axis=0))

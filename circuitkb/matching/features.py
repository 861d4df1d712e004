"""Analogous features: mutual nearest neighbours by response, compared with shuffled weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from circuitkb.matching.bands import Band, bands
from circuitkb.matching.depth import DepthAgreement, depth_agreement
from circuitkb.matching.nearest import BLOCK, Nearest, correlations, mutual_nearest
from circuitkb.matching.responses import Floats, Rows, UnitResponses, unit_responses
from circuitkb.motifs.target_decoy import target_decoy_q
from circuitkb.observation.measures.nulls import share_reached
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.responses import Responses

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Layers = tuple[Sequence[str] | None, Sequence[str] | None]


@dataclass(frozen=True, eq=False)
class Control:
    """The same search with one model's weights shuffled.

    Attributes
    ----------
    shuffled
        1 or 2: the model whose weights were.
    compared
        Units of both that could be compared.
    score
        Of each pair of mutual nearest neighbours.
    layers, units
        Numbers of the layers of each pair's members, and their own in them, axes (member, pair).
    best
        For each compared unit of the model that was *not* shuffled, its highest score.
    depth
        Correlation of the relative depths of all pairs; None where it has no meaning.
    """

    shuffled: int
    compared: tuple[int, int]
    score: Doubles
    layers: Rows
    units: Rows
    best: Doubles
    depth: float | None

    def above(self, threshold: float) -> int:
        """Return how many pairs score above a threshold."""
        return int(np.count_nonzero(self.score > threshold))


@dataclass(frozen=True, eq=False)
class FeatureMatches:
    """All mutual nearest neighbours of two models, and which of them are believable.

    Attributes
    ----------
    threshold, fdr
        What was asked for.
    first, second
        The compared units of both models.
    pairs
        Places of the mutual nearest neighbours in ``first`` and ``second``, axes (member, pair).
    score
        Correlation of each pair.
    null_best
        The highest score of each member in the other model with shuffled weights, axes
        (member, pair).
    p
        Share of units in the member's band whose best score under the null is as high: the larger
        of the two members'.
    q
        Share of such pairs that the null explains: the largest over both controls and the bands
        of both members.
    controls
        Against the shuffled second model, then of the shuffled first.
    bands
        Of the first model, then of the second.
    depth
        Whether found pairs stand equally deep, which nothing in the search asks for.
    """

    threshold: float
    fdr: float
    first: UnitResponses
    second: UnitResponses
    pairs: Rows
    score: Doubles
    null_best: Doubles
    p: Doubles
    q: Doubles
    controls: tuple[Control, Control]
    bands: tuple[tuple[Band, ...], tuple[Band, ...]]
    depth: DepthAgreement

    @property
    def found(self) -> Flags:
        """Pairs that count: above the threshold, above both nulls of their own, and q."""
        own: Flags = self.score > self.null_best.max(axis=0)
        return own & (self.score > self.threshold) & (self.q <= self.fdr)

    @property
    def rows(self) -> Rows:
        """Rows of the pairs in the responses of their models, axes (member, pair)."""
        return np.stack([self.first.rows[self.pairs[0]], self.second.rows[self.pairs[1]]])

    @property
    def layers(self) -> Rows:
        """Numbers of the layers of the pairs, axes (member, pair)."""
        return np.stack([self.first.layer[self.pairs[0]], self.second.layer[self.pairs[1]]])


def match_features(
    first: Responses,
    second: Responses,
    columns: tuple[Rows, Rows],
    *,
    layers: Layers = (None, None),
    threshold: float = 0.8,
    fdr: float = 0.05,
    seed: int = 0,
    block: int = BLOCK,
    progress: Progress = silent,
) -> FeatureMatches:
    """Return the features of two models that respond alike.

    Parameters
    ----------
    first, second
        The responses of both models.
    columns
        Stimuli to compare, as :func:`~circuitkb.matching.responses.shared_stimuli` gives them.
    layers
        For each model the layers that take part, in order of computation: without the input and
        the output, which match by what they are made for. None for all.
    threshold
        Correlation that a match must exceed.
    fdr
        False discovery rate.
    seed
        Of the permutations that depth is compared with.
    block
        Scores in memory at once.
    progress
        Called with how far it is.
    """
    one = unit_responses(first.after, first, columns[0], layers[0])
    other = unit_responses(second.after, second, columns[1], layers[1])
    found = _nearest(one, other, block, progress, 0)
    shuffled = unit_responses(second.shuffled_after, second, columns[1], layers[1])
    against = _control(2, one, shuffled, _nearest(one, shuffled, block, progress, 1))
    shuffled = unit_responses(first.shuffled_after, first, columns[0], layers[0])
    of = _control(1, shuffled, other, _nearest(shuffled, other, block, progress, 2))
    pairs = np.stack([found.first, found.second])
    score = found.score.astype(np.float64)
    at = np.stack([one.layer[found.first], other.layer[found.second]])
    both = _bands(
        ((at, score), *((c.layers, c.score) for c in (against, of))), one, other, threshold
    )
    q = _q(score, at, (against, of), both, (len(one.rows), len(other.rows)))
    p = np.maximum(
        _p(score, at[0], one, against.best, both[0]), _p(score, at[1], other, of.best, both[1])
    )
    matches = FeatureMatches(
        threshold=threshold,
        fdr=fdr,
        first=one,
        second=other,
        pairs=pairs,
        score=score,
        null_best=np.stack([against.best[found.first], of.best[found.second]]),
        p=p,
        q=q,
        controls=(against, of),
        bands=both,
        depth=DepthAgreement.nothing(),
    )
    return _with_depth(matches, seed)


def _nearest(
    one: UnitResponses, other: UnitResponses, block: int, progress: Progress, turn: int
) -> Nearest:
    said = ("real with real", "real with shuffled", "shuffled with real")[turn]

    third = within(progress, turn / 3, (turn + 1) / 3, f"{{}}: {said}")
    blocks = correlations(one.values, other.values, block=block, progress=third)
    return mutual_nearest(blocks, (len(one.rows), len(other.rows)))


def _control(shuffled: int, one: UnitResponses, other: UnitResponses, found: Nearest) -> Control:
    best: Floats = found.first_best if shuffled == 2 else found.second_best
    return Control(
        shuffled=shuffled,
        compared=(len(one.rows), len(other.rows)),
        score=found.score.astype(np.float64),
        layers=np.stack([one.layer[found.first], other.layer[found.second]]),
        units=np.stack([one.unit[found.first], other.unit[found.second]]),
        best=best.astype(np.float64),
        depth=depth_agreement(one.depth[found.first], other.depth[found.second], 0).correlation,
    )


def _bands(
    pairs: Iterable[tuple[Rows, Doubles]],
    one: UnitResponses,
    other: UnitResponses,
    threshold: float,
) -> tuple[tuple[Band, ...], tuple[Band, ...]]:
    """Return the bands of both models; ``pairs`` has layers and scores, of all three searches."""
    above = np.concatenate([layers[:, score > threshold] for layers, score in pairs], axis=1)
    return bands(above[0], len(one.layers)), bands(above[1], len(other.layers))


def _q(
    score: Doubles,
    at: Rows,
    controls: tuple[Control, Control],
    both: tuple[tuple[Band, ...], tuple[Band, ...]],
    compared: tuple[int, int],
) -> Doubles:
    """Return the largest q of each pair, over both controls and the bands of both members."""
    q = np.zeros(len(score))
    for member, of_model in enumerate(both):
        for band in of_model:
            here = band.holds(at[member])
            for control in controls:
                decoys = control.score[band.holds(control.layers[member])]
                # A shuffled model with fewer units to offer gives fewer decoys by that alone.
                scarce = compared[control.shuffled - 1] / max(
                    1, control.compared[control.shuffled - 1]
                )
                chance = target_decoy_q(-score[here], -decoys, 1) * max(1.0, scarce)
                q[here] = np.maximum(q[here], np.minimum(1.0, chance))
    return q


def _p(
    score: Doubles, at: Rows, units: UnitResponses, best: Doubles, of_model: tuple[Band, ...]
) -> Doubles:
    """Return the share of units of each pair's band whose best score under the null is as high."""
    p = np.ones(len(score))
    for band in of_model:
        here = band.holds(at)
        p[here] = share_reached(score[here], best[band.holds(units.layer)])
    return p


def _with_depth(matches: FeatureMatches, seed: int) -> FeatureMatches:
    found = matches.found
    one = matches.first.depth[matches.pairs[0, found]]
    other = matches.second.depth[matches.pairs[1, found]]
    return replace(matches, depth=depth_agreement(one, other, seed))

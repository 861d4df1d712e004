"""How often a network with shuffled weights has pairs of units that a transform relates as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.motifs.by_responses.search import Pairs
from circuitkb.motifs.pairs import PairMotif
from circuitkb.motifs.target_decoy import target_decoy_q
from circuitkb.observation.measures.nulls import share_reached

Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RelatedPairs:
    """Pairs, each once, with their null; one value for each pair.

    Attributes
    ----------
    pairs
        The pairs.
    null_mean
        Mean of the best partners that units of the same two layers have in the shuffled network.
    null_count
        How many units that are.
    p
        Share of them whose best partner is as good, counting the pair.
    q
        Best partners as good in the shuffled network, for each in the real one, at most 1.
    """

    pairs: Pairs
    null_mean: Scores
    null_count: Rows
    p: Scores
    q: Scores


def best_partners(responses: CoupledResponses, motif: PairMotif, one: str, other: str) -> Scores:
    """Return corr(unit transformed, partner) of each measurable unit's best partner.

    Partners are units of the other layer (of the same one, if it is one) that are not alike:
    corr(unit, partner) is as the motif wants it. Units without any are left out.
    """
    mine, theirs = responses.measurable_rows(one), responses.measurable_rows(other)
    corr_image, corr = responses.compare(mine, theirs)
    corr_image[~motif.corr(corr)] = -np.inf
    if one == other:
        # A motif may allow partners that are alike; a unit is not its own partner even then.
        np.fill_diagonal(corr_image, -np.inf)
    best = corr_image.max(axis=1, initial=-np.inf)
    if one != other:
        best = np.concatenate([best, corr_image.max(axis=0, initial=-np.inf)])
    found: Scores = best[np.isfinite(best)].astype(np.float64)
    return found


def against_shuffled(
    pairs: Pairs,
    motif: PairMotif,
    responses: CoupledResponses,
    shuffled: CoupledResponses,
) -> RelatedPairs:
    """Compare pairs with what units of the same layers reach in the shuffled network.

    Parameters
    ----------
    pairs
        Each once, in any order.
    responses, shuffled
        Of the real network and of the one with shuffled weights.

    Notes
    -----
    ``p`` is often large: shuffled networks have units whose responses are mirror images, too. What
    they lack is the wiring, which :mod:`~circuitkb.motifs.by_responses.controls` tests.
    """
    size = len(pairs)
    mean, p, q = np.zeros(size), np.ones(size), np.ones(size)
    count = np.zeros(size, np.intp)
    blocks = np.stack([responses.layer_of(pairs.one), responses.layer_of(pairs.other)])
    names = list(responses.layers)
    for low, high in np.unique(np.sort(blocks, axis=0), axis=1).T.tolist():
        here = np.flatnonzero((np.sort(blocks, axis=0) == [[low], [high]]).all(axis=0))
        real = best_partners(responses, motif, names[low], names[high])
        null = best_partners(shuffled, motif, names[low], names[high])
        score = pairs.corr_image[here].astype(np.float64)
        mean[here] = null.mean() if len(null) else 0.0
        count[here] = len(null)
        p[here] = share_reached(score, null)
        q[here] = target_decoy_q(-real, -null, 1, at=-score)
    return RelatedPairs(pairs, mean, count, p, q)


def distinct(pairs: Pairs) -> Pairs:
    """Return each pair once, whichever way round it stands."""
    ends = np.sort(np.stack([pairs.one, pairs.other]), axis=0)
    _, first = np.unique(ends, axis=1, return_index=True)
    return pairs.take(np.sort(first))

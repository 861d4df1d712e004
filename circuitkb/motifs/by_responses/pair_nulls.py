"""How many targets a pair of inputs excites together, and how many chance gives.

Copies along a residual stream are no independent findings: where one target takes a pair, so do
its copies. So a pair counts as one, over all targets, and its null keeps the copies: in each draw
the units of every source layer are permuted once, for all targets of the model alike. Whoever had
similar kernels has them still, from other inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.motifs.by_responses.search import (
    LayerSearch,
    Pairs,
    Searched,
    both_ways,
    kth_largest,
)
from circuitkb.motifs.pairs import PairMotif
from circuitkb.observation.measures.nulls import corrected
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, silent

DRAWS = 499
"""Permutations of the inputs."""

Ends = tuple[int, int]


@dataclass(frozen=True)
class PairCount:
    """One related pair: how many targets it excites together, against its null.

    Attributes
    ----------
    targets
        Targets at which it fulfils every criterion.
    null_mean
        The same with permuted inputs, on average.
    p, q
        Share of the draws with as many, counting the pair; corrected for false discovery over all
        related pairs of the model that feed a common target.
    """

    targets: int
    null_mean: float
    p: float
    q: float


def pair_counts(
    searched: Searched,
    responses: CoupledResponses,
    motif: PairMotif,
    rng: np.random.Generator,
    progress: Progress = silent,
    *,
    draws: int = DRAWS,
) -> dict[Ends, PairCount]:
    """Return for each related pair that feeds a common target its count, against its null.

    Pairs are given by their rows, the smaller first. What a permuted input gives is multiplied
    with the spread of the one that gets it, as in
    :func:`~circuitkb.motifs.by_responses.controls.permuted_weights`.

    Memory: a few matrices of the targets and sources of one layer.
    """
    layers = [
        _Layer(layer, responses, both_ways(Pairs.join(list(by_block.values())), motif))
        for layer, by_block in searched.layers
    ]
    ends, place = _distinct([layer.pairs for layer in layers])
    if not len(ends):
        return {}
    rows = np.arange(len(responses.measurable))
    counts = np.zeros((1 + draws, len(ends)), np.intp)
    stops = np.cumsum([len(layer.pairs) for layer in layers])
    held = list(zip(layers, np.split(place, stops[:-1]), strict=True))
    units = [responses.measurable_rows(name) for name in responses.layers]
    for draw in range(1 + draws):
        progress("permuting inputs of all targets at once", draw / (1 + draws))
        given = rows.copy()
        for own in units if draw else ():
            given[own] = rng.permutation(own)
        for layer, pairs in held:
            np.add.at(counts[draw], pairs, layer.count(given))
    real, null = counts[0], counts[1:]
    p = (1 + (null >= real).sum(axis=0)) / (1 + draws)
    q = corrected(p)
    return {
        (int(one), int(other)): PairCount(
            int(real[pair]), float(null[:, pair].mean()), float(p[pair]), float(q[pair])
        )
        for pair, (one, other) in enumerate(ends)
    }


def _distinct(pairs: list[Pairs]) -> tuple[Rows, Rows]:
    """Return each pair of rows once, and for all the pairs given, in order, their places."""
    every = [np.stack([held.one, held.other], axis=1) for held in pairs]
    ends = np.sort(np.concatenate([np.empty((0, 2), np.intp), *every]), axis=1)
    found, place = np.unique(ends, axis=0, return_inverse=True)
    return found, place.ravel()


class _Layer:
    """One target layer, whose pairs are counted again and again."""

    def __init__(self, layer: LayerSearch, responses: CoupledResponses, pairs: Pairs) -> None:
        self.layer, self.pairs = layer, pairs
        ends = layer.columns(pairs.one), layer.columns(pairs.other)
        self.used, place = np.unique(np.concatenate(ends), return_inverse=True)
        self.ends = np.split(place, 2)
        sources = layer.inputs.sources
        response = responses.response_to(layer.inputs.targets, sources[self.used])
        self.answers = [role.response(response) for role in layer.motif.roles]
        # No target that answers to no pair as the motif asks can have one.
        both = [answers[:, end] for answers, end in zip(self.answers, self.ends, strict=True)]
        (targets,) = np.nonzero((both[0] & both[1]).any(axis=1))
        self.answers = [answers[targets] for answers in self.answers]
        self.strongest = layer.strongest[targets]
        self.mass = {sign: mass[targets] for sign, mass in layer.inputs.mass.items()}
        self.column = np.full(len(responses.measurable), -1, np.intp)
        self.column[sources] = np.arange(len(sources))

    def count(self, given: Rows) -> Rows:
        """Return at how many targets each pair fulfils every criterion.

        ``given`` names for each row of the model the one whose kernels it gets.
        """
        order = self.column[given[self.layer.inputs.sources]]
        fits = {sign: self._among_strongest(mass, order) for sign, mass in self.mass.items()}
        one, other = (
            (fits[role.sign] & answers)[:, end]
            for role, answers, end in zip(
                self.layer.motif.roles, self.answers, self.ends, strict=True
            )
        )
        found: Rows = np.count_nonzero(one & other, axis=0)
        return found

    def _among_strongest(self, mass: Floats, order: Rows) -> NDArray[np.bool_]:
        """Return which of the inputs used are among the strongest, axes (target, input)."""
        strength = mass.take(order, axis=1)
        strength *= self.layer.spread
        here = strength[:, self.used]
        found: NDArray[np.bool_] = (here >= kth_largest(strength, self.strongest)[:, None]) & (
            here > 0
        )
        return found

"""What chance gives in the same network: with weights permuted, and with pairs that are no mirrors.

Both keep everything but one thing:

- *Permuted weights* keep the units' responses, the related pairs and each target's kernels, and ask
  whether it matters which input has which kernel. Kernels are permuted among a target's inputs of
  one layer, then multiplied with the spread of the input that got them. (Permuted among all
  inputs, kernels of a layer with large weights would spread over the others; related pairs are
  mostly of one layer, and two of its units would be strong together less often than they are.)
- *Matched pairs* keep the weights, and ask whether it matters that the pair is related: each
  related pair is replaced with pairs of the same two layers that are about as alike as they are,
  each as unlike its own image, and not related. (Two inputs that the transform leaves alone are
  no match for a related pair, whose members it changes.) Hits repeat, since one pair may feed
  many targets; so do these.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.similarity import blocks
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.motifs.by_responses.search import (
    Hits,
    LayerSearch,
    PairFinder,
    Pairs,
    Searched,
    both_ways,
    feed_together,
)
from circuitkb.motifs.motif import Between
from circuitkb.motifs.pairs import PairMotif
from circuitkb.schema.progress import Progress, silent

UNRELATED = Between(high=0.3)
"""Correlation, under the transform, of pairs that are not related."""

NEAREST = 100
"""Pairs nearest in corr(A, B) from which the replacements of one pair are drawn."""

_ENOUGH = 1_000_000
"""Unrelated pairs of two layers that are enough to choose from."""


@dataclass(frozen=True, eq=False)
class Decoys:
    """Hits that a control gave; ``draw`` says for each which repetition gave it."""

    hits: Hits
    draw: Rows
    repetitions: int


def permuted_orders(edge: NDArray[np.bool_], rng: np.random.Generator) -> Rows:
    """Return for each row of flags an order that permutes the places of its flags, at random.

    Every order is equally likely but for ties among random numbers of 32 bits. Places without a
    flag stay.

    Examples
    --------
    >>> edge = np.array([[True, False, True, True]])
    >>> permuted_orders(edge, np.random.default_rng(0)).tolist()
    [[3, 1, 2, 0]]
    """
    rows, columns = edge.shape
    # Sorting random numbers that carry a column each is faster than a shuffle of every row.
    keys = rng.integers(0, 1 << 32, (rows, columns), dtype=np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(columns, dtype=np.uint64)
    whole = bool(edge.all())
    if not whole:
        keys[~edge] |= np.uint64(0xFFFFFFFF << 32)
    keys.sort(axis=1)
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.intp)
    if whole:
        return order
    held = np.cumsum(edge, axis=1)
    free = held[:, -1:] + np.cumsum(~edge, axis=1)
    return np.take_along_axis(order, np.where(edge, held, free) - 1, axis=1)


def _orders_by_layer(edge: NDArray[np.bool_], layer: Rows, rng: np.random.Generator) -> Rows:
    """Return the same, within each run of columns of one layer."""
    ends = [0, *(1 + np.flatnonzero(np.diff(layer))).tolist(), len(layer)]
    parts = [start + permuted_orders(edge[:, start:stop], rng) for start, stop in pairwise(ends)]
    return np.concatenate(parts, axis=1)


def find_permuted(
    layer: LayerSearch,
    responses: CoupledResponses,
    pairs: Pairs,
    targets: Rows,
    rng: np.random.Generator,
) -> tuple[Hits, Rows]:
    """Return the hits with permuted weights, and for each its place in ``targets``.

    Each place in ``targets`` gets a permutation of its own, also where a target stands there
    often; see :meth:`~circuitkb.motifs.by_responses.search.LayerSearch.find`.
    """
    found, places = [], [np.empty(0, np.intp)]
    origin = responses.layer_of(layer.inputs.sources)
    # Few numbers at a time stay in the processor's cache.
    for part in blocks(len(targets), 4 * len(layer.inputs.sources)):
        order = _orders_by_layer(layer.inputs.edge[targets[part]], origin, rng)
        given = layer.find(responses, pairs, targets[part], order)
        found.append(given.hits)
        places.append(given.place + part.start)
    return Hits.join(found), np.concatenate(places)


def permuted_weights(
    searched: Searched,
    responses: CoupledResponses,
    motif: PairMotif,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Decoys:
    """Search the whole model anew with permuted weights, ``motif.permutations`` times."""
    hits, draws = [], [np.empty(0, np.intp)]
    for step, (layer, by_block) in enumerate(searched.layers):
        progress(f"permuting weights into {layer.inputs.target}", step / len(searched.layers))
        pairs = both_ways(Pairs.join(list(by_block.values())), motif)
        size = len(layer.inputs.targets)
        targets = np.tile(np.arange(size), motif.permutations)
        found, place = find_permuted(layer, responses, pairs, targets, rng)
        hits.append(found)
        draws.append(place // size)
    return Decoys(Hits.join(hits), np.concatenate(draws), motif.permutations)


def matched_pairs(
    searched: Searched,
    responses: CoupledResponses,
    motif: PairMotif,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Decoys:
    """Search the whole model for unrelated pairs, ``motif.permutations`` for each related one.

    A pair whose layers hold no unrelated pair (a layer of a few units) is not replaced.
    """
    finder = PairFinder(motif, responses)
    dense: dict[tuple[str, str], tuple[Pairs, Rows]] = {}
    hits, draws = [], [np.empty(0, np.intp)]
    for step, (layer, by_block) in enumerate(searched.layers):
        progress(f"matching pairs into {layer.inputs.target}", step / len(searched.layers))
        whole = bool(layer.inputs.edge.all())
        parts, marks = [], []
        for block, pairs in by_block.items():
            if whole and block in dense:
                replaced, draw = dense[block]
            else:
                unrelated = _unrelated(finder, block, None if whole else layer, rng)
                replaced, draw = _replace(pairs, unrelated, motif.permutations, rng)
            if whole:
                # The same two layers may feed many others.
                dense[block] = replaced, draw
            parts.append(replaced)
            marks.append(draw)
        mark = np.concatenate(marks)
        decoys = both_ways(Pairs.join(parts), motif)
        found = layer.find(responses, decoys, np.arange(len(layer.inputs.targets)))
        hits.append(found.hits)
        draws.append(np.concatenate([mark, mark] if motif.ordered else [mark])[found.pair])
    return Decoys(Hits.join(hits), np.concatenate(draws), motif.permutations)


def _unrelated(
    finder: PairFinder,
    block: tuple[str, str],
    layer: LayerSearch | None,
    rng: np.random.Generator,
) -> Pairs:
    """Return unrelated pairs of two layers by corr(A, B); with a common target, if ``layer``."""
    mine, theirs, corr_image, corr = finder.block(*block)
    # As in related pairs: the transformed A is like B, so it is as unlike A itself as B is.
    one_sided, other_sided = (
        finder.motif.corr(finder.responses.invariance[rows]) for rows in (mine, theirs)
    )
    lopsided = one_sided[:, None] & other_sided[None]
    place = np.flatnonzero(UNRELATED(corr_image) & finder.motif.corr(corr) & lopsided)
    if len(place) > _ENOUGH:
        place = place[rng.integers(0, len(place), _ENOUGH)]
    one, other = np.unravel_index(place, corr_image.shape)
    pairs = Pairs(mine[one], theirs[other], corr_image[one, other], corr[one, other])
    if layer is not None:
        pairs = pairs.take(feed_together(layer, pairs))
    return pairs.take(np.argsort(pairs.corr, kind="stable"))


def _replace(
    pairs: Pairs, unrelated: Pairs, draws: int, rng: np.random.Generator
) -> tuple[Pairs, Rows]:
    """Return ``draws`` unrelated pairs for each pair, about as alike, and the draw of each."""
    window = min(NEAREST, len(unrelated))
    if not window:
        return unrelated, np.empty(0, np.intp)
    middle = np.searchsorted(unrelated.corr, pairs.corr)
    start = np.clip(middle - window // 2, 0, len(unrelated) - window)
    if window < draws:
        step = rng.integers(0, window, (len(pairs), draws))
    else:
        step = rng.random((len(pairs), window)).argsort(axis=1)[:, :draws]
    chosen = (start[:, None] + step).ravel()
    return unrelated.take(chosen), np.tile(np.arange(draws), len(pairs))

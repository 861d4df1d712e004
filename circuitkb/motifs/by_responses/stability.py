"""Whether a found circuit is there still when a tenth of the stimuli is left out.

A circuit stands on the stimuli of one battery; that it fulfils every criterion may hang on a few of
them. So a tenth of the couples of stimuli is left out, at random and many times, and all criteria
are asked anew: both correlations, the target's invariance, the target's response to what each
input responds to most, which inputs respond and which of them are strongest (the spreads change),
and that the weaker one stands no lower among the inputs than the worst pair that the search found.
What chance gives is not asked anew, so this says nothing of q.

Only found units are compared again; of all others no more is needed than their spread, which is a
product of squares with the deletions. ``docs/discovery.md`` has what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.similarity import blocks
from circuitkb.motifs.by_responses.coupled_responses import (
    WEAKEST,
    CoupledResponses,
    Rows,
    top_stimuli,
)
from circuitkb.motifs.by_responses.input_masses import LEAST_INPUTS, read_masses, usable
from circuitkb.motifs.by_responses.search import Hits, count_strongest
from circuitkb.motifs.pairs import PairMotif
from circuitkb.schema.kernels import Connection, Floats

DELETIONS = 50
"""How often a tenth of the stimuli is left out."""

_TENTH = 10

_Flags = NDArray[np.bool_]


def stability(
    connections: Sequence[Connection],
    responses: CoupledResponses,
    motif: PairMotif,
    found: Hits,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return for each found circuit the share of deletions that it survives.

    Parameters
    ----------
    connections
        All kernels of the model; those into found targets are read.
    responses, motif
        What was searched, and what for.
    found
        The circuits: the hits that passed.
    rng
        Draws the deletions.

    Examples
    --------
    >>> zeros = np.zeros((1, 4), np.float32)
    >>> responses = CoupledResponses.of(
    ...     zeros, {"a": slice(0, 1)}, np.array([0, 2]), np.array([1, 3]))
    >>> from circuitkb.motifs.union import Union
    >>> motif, rng = Union().by_responses(), np.random.default_rng(0)
    >>> stability([], responses, motif, Hits.join([]), rng).tolist()
    []
    """
    kept = draw_kept(responses.even.shape[1], DELETIONS, rng)
    shares: NDArray[np.float64] = survives(connections, responses, motif, found, kept).mean(axis=1)
    return shares


def draw_kept(couples: int, deletions: int, rng: np.random.Generator) -> Rows:
    """Return for each deletion the couples that stay, in order: nine in ten.

    Examples
    --------
    >>> draw_kept(20, 3, np.random.default_rng(0)).shape
    (3, 18)
    """
    stay = max(1, couples - max(1, round(couples / _TENTH)))
    order = rng.random((deletions, couples)).argsort(axis=1)
    kept: Rows = np.sort(order[:, :stay], axis=1)
    return kept


def survives(
    connections: Sequence[Connection],
    responses: CoupledResponses,
    motif: PairMotif,
    found: Hits,
    kept: Rows,
) -> _Flags:
    """Return which circuits each deletion leaves, axes (circuit, deletion).

    Parameters
    ----------
    connections, responses, motif, found
        As for :func:`stability`.
    kept
        Couples that stay, axes (deletion, couple), as :func:`draw_kept` makes them.
    """
    if not len(found):
        return np.zeros((0, len(kept)), bool)
    spread, measurable = _spreads(responses, kept)
    stays = measurable[found.target] & measurable[found.one] & measurable[found.other]
    stays &= _related(responses, motif, found, kept)
    worst = float(found.score.max())
    layer_of = responses.layer_of(found.target)
    for place in np.unique(layer_of).tolist():
        target = list(responses.layers)[place]
        into = usable([c for c in connections if c.target == target], responses)
        (here,) = np.nonzero(layer_of == place)
        stays[here] &= _strong(into, responses, motif, found.take(here), spread, measurable, worst)
    return stays


def _spreads(responses: CoupledResponses, kept: Rows) -> tuple[Floats, _Flags]:
    """Return each unit's spread over the stimuli that stay, and whether it responds enough.

    Axes (unit, deletion). The even parts add up to the mean, the squares of both to the variance.
    """
    units, couples = responses.even.shape
    among = np.zeros((couples, len(kept)), np.float32)
    among[kept, np.arange(len(kept))[:, None]] = 1 / kept.shape[1]
    spread = np.empty((units, len(kept)), np.float32)
    measurable = np.empty((units, len(kept)), bool)
    for rows in responses.layers.values():
        even, odd = responses.even[rows], responses.odd[rows]
        variance = (even * even + odd * odd) @ among - (even @ among) ** 2
        length = responses.spread[rows, None] * np.sqrt(np.float32(couples))
        spread[rows] = length * np.sqrt(np.maximum(variance, 0))
        whole = np.sqrt(np.mean(spread[rows].astype(np.float64) ** 2, axis=0))
        measurable[rows] = (spread[rows] > 0) & (spread[rows] > WEAKEST * whole)
    return spread, measurable


def _related(responses: CoupledResponses, motif: PairMotif, found: Hits, kept: Rows) -> _Flags:
    """Return whether the responses still relate the three units, axes (circuit, deletion)."""
    ends = np.concatenate([found.one, found.other])
    units, place = np.unique(np.concatenate([ends, found.target]), return_inverse=True)
    one, other, target = place.reshape(3, -1)
    cases, case = np.unique(ends, return_inverse=True)
    shown = responses.shown[cases][:, responses.stimuli].astype(np.float32)
    even, odd = responses.even[units], responses.odd[units]
    every = np.concatenate([even + odd, even - odd], axis=1)
    related = np.empty((len(found), len(kept)), bool)
    for deletion, first in enumerate(kept):
        stimuli = np.concatenate([first, first + even.shape[1]])
        own = every[:, stimuli]
        own -= own.mean(axis=1, keepdims=True)
        length = np.linalg.norm(own, axis=1, keepdims=True)
        own /= np.where(length > 0, length, 1)
        image = np.roll(own, len(first), axis=1)
        partner, response = own[other], own[target]
        fits = motif.corr_image(_products(image[one], partner))
        fits &= motif.corr(_products(own[one], partner))
        fits &= motif.invariance(_products(image, own))[target]
        top = np.sqrt(np.float32(len(stimuli))) * top_stimuli(shown[:, stimuli])
        for role, source in zip(motif.roles, np.split(case, 2), strict=True):
            fits &= role.response(_products(top[source], response))
        related[:, deletion] = fits
    return related


def _strong(
    into: Sequence[Connection],
    responses: CoupledResponses,
    motif: PairMotif,
    found: Hits,
    spread: Floats,
    measurable: _Flags,
    worst: float,
) -> _Flags:
    """Return whether both inputs are still strong, for circuits of one target layer.

    Axes (circuit, deletion). Memory: one number for each found target and source, a few blocks.
    """
    flags: _Flags = np.asarray(measurable.any(axis=1))
    flags[responses.layers[into[0].target]] = False
    flags[found.target] = True
    inputs = read_masses(into, replace(responses, measurable=flags), motif.signs)
    target = np.searchsorted(inputs.targets, found.target)
    column = {int(row): place for place, row in enumerate(inputs.sources)}
    ends = [np.array([column[int(row)] for row in rows]) for rows in (found.one, found.other)]
    # Axes (deletion, source).
    responds, gain = measurable[inputs.sources].T, spread[inputs.sources].T
    count = np.rint(inputs.edge[target].astype(np.float32) @ responds.T).astype(np.intp)
    strongest = count_strongest(motif, count)
    strong = count >= LEAST_INPUTS
    for part in blocks(len(found), responds.size):
        held, worse = np.arange(part.stop - part.start), np.zeros(count[part].shape, np.intp)
        for sign in motif.signs:
            mass = inputs.mass[sign][target[part], None]
            strength = np.where(responds, mass * gain, -1).astype(np.float32)
            for role, end in zip(motif.roles, ends, strict=True):
                if role.sign == sign:
                    own = strength[held, :, end[part]]
                    rank = 1 + (strength > own[:, :, None]).sum(axis=2)
                    strong[part] &= (rank <= strongest[part]) & (own > 0)
                    worse = np.maximum(worse, rank)
        strong[part] &= worse / np.maximum(1, count[part]) <= worst
    return strong


def _products(one: Floats, other: Floats) -> Floats:
    found: Floats = np.einsum("ij,ij->i", one, other)
    return found

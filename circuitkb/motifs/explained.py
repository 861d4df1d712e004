"""How much of what units answer the edges of found circuits explain, by the kept responses.

Where kernels cover one place, a unit's pre-activation is its bias and, over its inputs, the sum of
kernel times response. With some of the edges alone, all else held at its mean, it varies as the sum
over these does; unexplained is the variance of what that sum misses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.responses import Responses

DRAWS = 20
"""Times that other units are drawn."""

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Explained:
    """What edges into some units leave unexplained of the variance of these units' layers.

    Attributes
    ----------
    layers
        Those that have such a unit, in order, with the share of each that is left unexplained.
    units, targets, edges
        Units of these layers, those of them that the edges lead to, and the edges.
    left_out
        Units that the edges lead to in layers whose kernels cover several places, read poolings or
        are gated: there the kept responses do not tell what an edge gives.
    unexplained
        Share of the variance of all units of the layers, before the nonlinearity; above 1 where
        the edges alone move a unit otherwise than it moves.
    null
        The same with each unit's edges exchanged for those of another unit of its layer that have
        the same ranks there, by positive kernel times spread of the source; for each draw.
    """

    layers: Mapping[str, float]
    units: int
    targets: int
    edges: int
    left_out: int
    unexplained: float
    null: tuple[float, ...]


class _Chosen(NamedTuple):
    """Edges of one layer: place of the target in the layer, place of the source among sources."""

    target: Rows
    source: Rows


def explained(
    connections: Sequence[Connection],
    responses: Responses,
    edges: Mapping[int, Collection[int]],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Explained | None:
    """Return what edges explain of the layers that they lead into; None where none can be told.

    Memory: for one layer at a time, its kernels, and the responses of its inputs and its own.

    Parameters
    ----------
    connections, responses
        All kernels of the model, and what its units respond with.
    edges
        For the row of each target in the responses, those of its sources.
    draws, seed
        Of the null.

    Examples
    --------
    Unit 2 is the sum of units 0 and 1, which vary alike; unit 3 reads unit 1 alone:

    >>> after = np.array([[1, 0, 1, 0], [1, 1, 0, 0], [2, 1, 1, 0], [1, 1, 0, 0]], np.float32)
    >>> shown = Responses("b1", tuple("wxyz"), (("a", 2), ("b", 2)), *[after] * 4, {})
    >>> units = np.array([[0, 1]], np.int32)
    >>> kernel = np.array([1, 1, 0, 1], np.float32).reshape(1, 2, 2, 1, 1)
    >>> into = [Connection("c0", "a", "b", "direct", units, units, kernel)]
    >>> round(explained(into, shown, {2: [0]}).unexplained, 3)  # .25 of .5 + .25
    0.667
    """
    by_layer: dict[str, dict[int, Collection[int]]] = defaultdict(dict)
    for target, sources in edges.items():
        layer = next(name for name, rows in responses.rows.items() if target < rows.stop)
        by_layer[layer][target] = sources
    random = np.random.default_rng(seed)
    total, kept, drawn = 0.0, 0.0, np.zeros(draws)
    layers: dict[str, float] = {}
    units, count, left_out = 0, 0, 0
    for layer, own in sorted(by_layer.items(), key=lambda item: responses.rows[item[0]].start):
        into = [one for one in connections if one.target == layer]
        told = all(not one.spatial and not one.pooling and one.path != "gated" for one in into)
        if not told or not all(one.source in responses.rows for one in into):
            left_out += len(own)
            continue
        one = _Layer.of(layer, into, responses)
        chosen = one.chosen(own)
        variance, share = float(one.variance.sum()), one.explained_by(chosen)
        total, kept = total + variance, kept + share
        drawn += [one.explained_by(one.exchanged(chosen, random)) for _ in range(draws)]
        layers[layer] = 1 - share / variance if variance else 1.0
        units += len(one.variance)
        count += len(chosen.target)
    if not total:
        return None
    null = tuple((1 - drawn / total).tolist())
    targets = len(edges) - left_out
    return Explained(layers, units, targets, count, left_out, 1 - kept / total, null)


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer with its inputs: deviations from the mean, and net sums of kernels."""

    start: int
    sources: Rows
    weights: Floats
    seen: Floats
    before: Floats
    variance: NDArray[np.float64]

    @classmethod
    def of(cls, layer: str, into: Sequence[Connection], responses: Responses) -> _Layer:
        rows = responses.rows[layer]
        names = dict.fromkeys(one.source for one in into)
        parts = [np.arange(len(responses.after))[responses.rows[name]] for name in names]
        sources = np.concatenate(parts)
        place = np.full(len(responses.after), -1, np.intp)
        place[sources] = np.arange(len(sources))
        weights = np.zeros((rows.stop - rows.start, len(sources)), np.float32)
        for one in into:
            columns = place[responses.rows[one.source].start + one.source_units]
            for group, kernel in enumerate(one.kernel[..., 0, 0]):
                weights[np.ix_(one.target_units[group], columns[group])] += kernel
        before = _deviations(responses.before[rows])
        variance = np.square(before, dtype=np.float64).mean(axis=1)
        return cls(
            rows.start, sources, weights, _deviations(responses.after[sources]), before, variance
        )

    def chosen(self, edges: Mapping[int, Collection[int]]) -> _Chosen:
        """Return edges by their places; one that has no kernel gives nothing."""
        pairs = sorted({(target, source) for target, some in edges.items() for source in some})
        targets, sources = np.array(pairs, np.intp).reshape(-1, 2).T
        order = np.argsort(self.sources, kind="stable")
        places = np.searchsorted(self.sources, sources, sorter=order)
        there = self.sources[order[np.minimum(places, len(order) - 1)]] == sources
        return _Chosen(targets[there] - self.start, order[places[there]])

    def exchanged(self, chosen: _Chosen, random: np.random.Generator) -> _Chosen:
        """Return the edges of the same ranks of other units, one unit for each target."""
        targets, which = np.unique(chosen.target, return_inverse=True)
        rank = np.argsort(self._order[targets], axis=1)[which, chosen.source]
        other = random.permutation(len(self.variance))[: len(targets)][which]
        return _Chosen(other, self._order[other, rank])

    @cached_property
    def _order(self) -> Rows:
        """For each unit its sources, the strongest first."""
        strength = np.maximum(self.weights, 0) * self.seen.std(axis=1)
        return np.argsort(-strength, axis=1, kind="stable")

    def explained_by(self, chosen: _Chosen) -> float:
        """Return the variance that goes where each target is foretold from its edges alone."""
        targets, which = np.unique(chosen.target, return_inverse=True)
        told = np.zeros((len(targets), self.seen.shape[1]), np.float32)
        given = self.weights[chosen.target, chosen.source][:, None] * self.seen[chosen.source]
        np.add.at(told, which, given)
        missed = np.square(self.before[targets] - told, dtype=np.float64).mean(axis=1)
        return float((self.variance[targets] - missed).sum())


def _deviations(responses: NDArray[np.floating]) -> Floats:
    values = responses.astype(np.float32)
    found: Floats = values - values.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    return found

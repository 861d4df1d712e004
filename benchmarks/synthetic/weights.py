"""Edges of a made-up network: the strongest inputs of each unit, as a load keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circuitkb.schema.tables import relation_table

from .shape import Network, Units

SKIPPING = 1 / 3
"""Share of a unit's inputs that come from the layer before the last one."""

ONE_SIGNED = 0.15
"""Share of kernels without negative values, and of those without positive ones."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges of one network, by target and rank.

    Attributes
    ----------
    source, target, rank
        Ends, and place among the target's inputs from 1.
    skips
        Whether it comes from the layer before the last one.
    numbers
        The further properties of ``WEIGHT``, by name; NaN where there is none.
    """

    source: Units
    target: Units
    rank: NDArray[np.int64]
    skips: NDArray[np.bool_]
    numbers: Mapping[str, Floats]

    def table(self, network: Network) -> pa.Table:
        """Return the rows of ``WEIGHT``."""
        path = pa.array(["direct", "residual"]).take(pa.array(self.skips.astype(np.int64)))
        keys = pa.array([f"c{place:04d}" for place in range(2 * len(network.sizes))])
        key = 2 * network.layer[self.target] + self.skips
        columns: dict[str, Any] = {
            "source": network.named(self.source),
            "target": network.named(self.target),
            "rank": self.rank,
            "path": path,
            "connection": keys.take(pa.array(key)),
        }
        return relation_table("WEIGHT", columns | dict(self.numbers))


def strongest_edges(
    network: Network, count: int, planted: Mapping[int, Sequence[int]], rng: np.random.Generator
) -> Edges:
    """Return edges into all layers but the first, as evenly as possible over their units.

    Parameters
    ----------
    network
        Whose units they join.
    count
        How many.
    planted
        For some targets, units of the layer before that are their strongest inputs, and positive.
    rng
        Where the rest comes from.

    Raises
    ------
    ValueError
        A unit would need more inputs than the layers before have units.
    """
    into = np.cumsum([0, *network.sizes[1:]])
    ends = [round(count * int(done) / int(into[-1])) for done in into]
    parts = [
        _into_layer(network, layer, end - start, planted, rng)
        for layer, (start, end) in enumerate(pairwise(ends), 1)
    ]
    source, target, rank, skips, l1, share = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return Edges(source, target, rank, skips, _numbers(l1, share, rng))


def _into_layer(
    network: Network,
    layer: int,
    inputs: int,
    planted: Mapping[int, Sequence[int]],
    rng: np.random.Generator,
) -> tuple[NDArray[Any], ...]:
    """Return source, target, rank, skips, l1 and the positive share of it, by target and rank."""
    units, first = network.sizes[layer], network.starts[layer]
    most = -(-inputs // units)
    skipping = int(most * SKIPPING) if layer > 1 else 0
    sources = np.concatenate(
        [
            _distinct(network, layer - 1, (units, most - skipping), rng),
            _distinct(network, layer - 2, (units, skipping), rng),
        ],
        axis=1,
    )
    # The columns are the ranks: direct and skipping inputs take any of them.
    sources = np.take_along_axis(sources, np.argsort(rng.random(sources.shape), axis=1), axis=1)
    l1 = np.sort(rng.lognormal(0, 0.8, sources.shape), axis=1)[:, ::-1]
    share = rng.uniform(-ONE_SIGNED, 1 + ONE_SIGNED, sources.shape).clip(0, 1)
    for row in range(units):
        cases = planted.get(first + row, ())
        if cases:
            others = sources[row][~np.isin(sources[row], cases)]
            sources[row] = np.concatenate([cases, others])[:most]
            share[row, : len(cases)] = rng.uniform(0.85, 0.95, len(cases))
    ranks = np.arange(1, most + 1)
    full = np.arange(units) < inputs - units * (most - 1)  # the other units get one input less
    has = (ranks < most) | full[:, None]
    target = np.broadcast_to(first + np.arange(units)[:, None], has.shape)
    skips = sources < network.starts[layer - 1]
    rank = np.broadcast_to(ranks, has.shape)
    return tuple(values[has] for values in (sources, target, rank, skips, l1, share))


def _distinct(
    network: Network, layer: int, shape: tuple[int, int], rng: np.random.Generator
) -> Units:
    """Return for each row distinct units of a layer; a few units are in many rows."""
    count, pool = shape[1], network.sizes[layer]
    if count > pool:
        raise ValueError(
            f"{count} inputs from a layer of {pool} units: ask for fewer edges or more features."
        )
    if not count:
        return np.empty(shape, np.int64)
    steps = np.arange(count)
    # One draw from each of `count` strata, squared so that early places are met more often.
    place = (pool * ((steps + rng.random(shape)) / count) ** 2).astype(np.int64)
    place = np.maximum.accumulate(place - steps, axis=1) + steps
    place = np.minimum(place, pool - count + steps)
    found: Units = network.starts[layer] + rng.permutation(pool)[place]
    return found


def _numbers(l1: Floats, share: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """Return what a WEIGHT says of its kernel, in single precision as a load writes it."""
    positive, negative = l1 * share, l1 * (share - 1)
    l2 = l1 * rng.uniform(0.35, 0.9, len(l1))
    found = {
        "sum": positive + negative,
        "positive": positive,
        "negative": negative,
        "l1": l1,
        "l2": l2,
        "max_abs": l2 * rng.uniform(0.4, 0.9, len(l1)),
    }
    for sign, mass in (("positive", positive), ("negative", negative)):
        for axis in ("dy", "dx"):
            found[f"{sign}_{axis}"] = np.where(mass == 0, np.nan, rng.uniform(-1, 1, len(l1)))
    return {name: values.astype(np.float32).astype(np.float64) for name, values in found.items()}

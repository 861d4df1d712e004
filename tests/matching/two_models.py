"""Responses of two models that share what a test plants in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.matching.match import Matches, match
from circuitkb.schema.responses import Responses

Values = NDArray[np.float64]

STIMULI = 240


def responses(
    after: Values,
    shuffled: Values,
    *,
    layers: Sequence[tuple[str, int]] | None = None,
    stimuli: Sequence[str] | None = None,
    battery: str = "b1",
    dtype: type[np.float16] | type[np.float32] = np.float32,
) -> Responses:
    """Responses whose answers before the nonlinearity, which matching must not read, are noise."""
    count = after.shape[1]
    noise = np.random.default_rng(9).normal(size=after.shape)
    return Responses(
        battery,
        tuple(stimuli or (f"s{i:04}" for i in range(count))),
        tuple(layers or (("a", len(after)),)),
        *(each.astype(dtype) for each in (noise, after, noise, shuffled)),
        {},
    )


def noise(seed: int, units: int, stimuli: int = STIMULI) -> Values:
    return np.random.default_rng(seed).normal(size=(units, stimuli))


def smooth(seed: int, units: int, dimensions: int = 4, stimuli: int = STIMULI) -> Values:
    """Units that mix few shared patterns: chance gives many high correlations, in every model."""
    patterns = np.random.default_rng(77).normal(size=(dimensions, stimuli))
    weights = np.random.default_rng(seed).normal(size=(units, dimensions))
    return weights @ patterns + 0.05 * noise(seed + 10_000, units, stimuli)


def copies(values: Values, seed: int, error: float = 0.2) -> Values:
    """The same units as another network might have them: scaled, shifted, noisy."""
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.normal(0, 2, (len(values), 1)))
    return scale * (
        values + error * rng.normal(size=values.shape) + rng.normal(size=(len(values), 1))
    )


def pairs(found: Matches) -> set[tuple[int, int]]:
    """Rows of the features found analogous."""
    rows = found.features.rows[:, found.features.found]
    return set(zip(*rows.tolist(), strict=True))


def planted(
    seed: int = 0, shared: int = 60, others: int = 40, **how: Any
) -> tuple[Responses, Responses, set[tuple[int, int]]]:
    """Two models that share units in another order, and have others of their own."""
    rng = np.random.default_rng(seed)
    first = noise(seed + 1, shared + others)
    order = rng.permutation(shared + others)
    second = np.concatenate([copies(first[:shared], seed + 2), noise(seed + 3, others)])[order]
    total = shared + others
    place = {int(unit): row for row, unit in enumerate(order)}
    truth = {(unit, place[unit]) for unit in range(shared)}
    return (
        responses(first, noise(seed + 4, total), **how),
        responses(second, noise(seed + 5, total), **how),
        truth,
    )


def found_pairs(first: Responses, second: Responses, **how: Any) -> set[tuple[int, int]]:
    return pairs(match(first, second, **how))

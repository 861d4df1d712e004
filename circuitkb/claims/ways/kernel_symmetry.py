"""Whether kernels are images of one another: correlation of one, transformed, with another.

``symmetry`` names pairs of edges; ``family`` two rings of units in the order of their orientation:
if the kernel from source i to target j is turned, it should be that from source i + steps to
target j + steps. Null: random pairs of other kernels; of a family, its orders permuted. Stability:
every second pair; of fewer than four, the places as on a chess board.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitkb.claims.ways.edges import Edge, Kernels, halves
from circuitkb.claims.ways.way import DRAWS, Asked, NotTestableError, Run
from circuitkb.motifs.by_kernels.similarity import standardise
from circuitkb.observation.stimuli.symmetry import Symmetry, symmetry_named
from circuitkb.schema.errors import QueryError
from circuitkb.schema.kernels import Floats
from circuitkb.stores.base import Store

_FEWEST = 4
_ENOUGH = 5

Pair = tuple[Edge, Edge]


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Refuse a family whose steps lead back to where they begin."""
    if "steps" not in prediction:
        return
    sources, targets = prediction["sources"], prediction["targets"]
    if len(sources) != len(targets):
        raise QueryError("a family has as many sources as targets, each in order")
    if not prediction["steps"] % len(sources):
        raise QueryError("steps: so many lead back to the same unit")


def run(asked: Asked) -> Run:
    """Correlate the kernels of the pairs, of halves of them, and of the null."""
    kernels = Kernels(asked.store.kernels(asked.model))
    name = asked.prediction["transform"]
    transform = symmetry_named("identity" if name == "none" else name)
    return (_family if "steps" in asked.prediction else _pairs)(asked, kernels, transform)


def _pairs(asked: Asked, kernels: Kernels, transform: Symmetry) -> Run:
    pairs: list[Pair] = [tuple(pair) for pair in asked.prediction["pairs"]]
    own = [(kernels.of(one), kernels.of(other)) for one, other in pairs]
    shapes = {kernel.shape for pair in own for kernel in pair}
    if len(shapes) > 1 or min(next(iter(shapes))) < 2:
        raise NotTestableError("kernels of one place, or of different sizes, have no image")
    edges = [edge for pair in pairs for edge in pair]
    others = kernels.others(edges, next(iter(shapes)))
    if len(others) < _ENOUGH:
        raise NotTestableError("too few other kernels are known to compare with")
    rng = np.random.default_rng(0)
    plain = standardise(np.stack(others))
    images = standardise(np.stack([transform.apply(one) for one in others]))
    first = rng.integers(len(others), size=(DRAWS, len(own)))
    second = (first + rng.integers(1, len(others), size=first.shape)) % len(others)
    null = np.einsum("dpk,dpk->dp", images[first], plain[second]).mean(axis=1)
    values = np.array([_alike(transform, *pair) for pair in own])
    if len(own) >= _FEWEST:
        again = (values[::2].mean(), values[1::2].mean())
        stability = "every second pair"
    else:
        sides = [_divided(transform, *pair) for pair in own]
        again = tuple(np.mean(side) for side in zip(*sides, strict=True))
        stability = "black and white places of the kernels"
    return Run(
        float(values.mean()),
        tuple(float(value) for value in again),
        f"correlation of kernels, one {_said(asked)}",
        f"random pairs of {len(others)} other kernels, {DRAWS} times",
        stability,
        null=tuple(null.tolist()),
        detail={"values": [round(float(value), 6) for value in values]},
    )


def _family(asked: Asked, kernels: Kernels, transform: Symmetry) -> Run:
    sources, targets = asked.prediction["sources"], asked.prediction["targets"]
    steps, count = asked.prediction["steps"], len(sources)
    every = np.stack([np.stack([kernels.of((one, into)) for into in targets]) for one in sources])
    plain, images = standardise(every), standardise(transform.apply(every))
    rng = np.random.default_rng(0)

    def values(order: Any, other: Any) -> Floats:
        one = images[np.ix_(order, other)]
        next_ = plain[np.ix_(np.roll(order, -steps), np.roll(other, -steps))]
        found: Floats = np.einsum("ijk,ijk->ij", one, next_)
        return found

    ring = np.arange(count)
    own = values(ring, ring)
    null = [values(rng.permutation(count), rng.permutation(count)).mean() for _ in range(DRAWS)]
    return Run(
        float(own.mean()),
        (float(own[::2].mean()), float(own[1::2].mean())),
        f"correlation of kernels of a family, {_said(asked)} with their pair",
        f"orders of sources and targets permuted {DRAWS} times",
        "every second source",
        null=tuple(float(one) for one in null),
        detail={"kernels": int(every.shape[0] * every.shape[1])},
    )


def _said(asked: Asked) -> str:
    words = {"none": "as it is", "rotate": "turned", "mirror": "mirrored"}
    name, _, how = asked.prediction["transform"].partition(" ")
    return f"{words[name]} {how}".strip()


def _alike(transform: Symmetry, one: Floats, other: Floats) -> float:
    return float(standardise(transform.apply(one)) @ standardise(other))


def _divided(transform: Symmetry, one: Floats, other: Floats) -> Sequence[float]:
    """Return the correlation over the white places alone, and over the black ones."""
    image = transform.apply(one)
    white = halves(np.ones_like(image))[0] > 0
    found = []
    for side in (white, ~white):
        with np.errstate(invalid="ignore"):
            found.append(float(np.corrcoef(image[side], other[side])[0, 1]))
    return found

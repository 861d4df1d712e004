"""Signs and places of the kernels of named edges.

- ``excitation``: share of the kernel's absolute mass that is positive;
- ``net``: the net sum as a share of the absolute mass, from -1 to 1;
- ``dy``, ``dx``: rows below, columns right of the centre of the positive mass.

The value is the mean over the edges. Null of the first two: as many other kernels between the same
layers (of the whole model, where these are few); of the others the same kernels with their places
permuted. Stability: the edges in two halves; of fewer than four, the places of their kernels as the
black and the white squares of a chess board.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitkb.claims.ways.edges import Kernels, halves
from circuitkb.claims.ways.way import DRAWS, Asked, NotTestableError, Run
from circuitkb.loaders.composition.summaries import kernel_statistics
from circuitkb.schema.kernels import Floats
from circuitkb.stores.base import Store

_WORDS = {
    "excitation": "positive share of the kernels' mass",
    "net": "net sum of the kernels, as a share of their mass",
    "dy": "rows below the centre of the kernels' positive mass",
    "dx": "columns right of the centre of the kernels' positive mass",
}

_FEWEST = 4


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Nothing but the units, which are looked up."""


def run(asked: Asked) -> Run:
    """Measure the kernels, their halves and the null."""
    statistic, edges = asked.prediction["statistic"], asked.prediction["edges"]
    kernels = Kernels(asked.store.kernels(asked.model))
    own = [kernels.of(edge) for edge in edges]
    if statistic in ("dy", "dx") and all(kernel.size == 1 for kernel in own):
        raise NotTestableError("kernels of one place have no side")
    rng = np.random.default_rng(0)
    if statistic in ("dy", "dx"):
        draws = [[_shuffled(kernel, rng, DRAWS) for kernel in own]]
        null = np.mean([_values(statistic, one) for one in draws[0]], axis=0)
        control = f"the same kernels, their places permuted {DRAWS} times"
    else:
        shapes = {kernel.shape for kernel in own}
        others = [one for shape in shapes for one in kernels.others(edges, shape)]
        if len(others) < len(own):
            raise NotTestableError("too few other kernels are known to compare with")
        values = np.array([_value(statistic, one) for one in others])
        picked = rng.random((DRAWS, len(values))).argpartition(len(own) - 1, axis=1)[:, : len(own)]
        null = values[picked].mean(axis=1)
        control = f"as many of {len(others)} other kernels, {DRAWS} times"
    again: tuple[list[Floats], ...]
    if len(own) >= _FEWEST:
        again, stability = (own[::2], own[1::2]), "every second edge"
    else:
        parts = [halves(kernel) for kernel in own]
        again = tuple([part[side] for part in parts] for side in (0, 1))
        stability = "black and white places of the kernels"
        if all(kernel.size == 1 for kernel in own):
            again, stability = (own, own), "nothing to divide: one place"
    return Run(
        _mean(statistic, own),
        tuple(_mean(statistic, half) for half in again),
        _WORDS[statistic],
        control,
        stability,
        null=tuple(null.tolist()),
        detail={"edges": len(own), "values": [round(_value(statistic, one), 6) for one in own]},
    )


def _mean(statistic: str, kernels: Sequence[Floats]) -> float:
    return float(np.mean([_value(statistic, kernel) for kernel in kernels]))


def _value(statistic: str, kernel: Floats) -> float:
    return float(_values(statistic, kernel))


def _values(statistic: str, kernel: Floats) -> Any:
    found = kernel_statistics(kernel)
    if statistic in ("dy", "dx"):
        return found[f"positive_{statistic}"]
    which = "positive" if statistic == "excitation" else "sum"
    with np.errstate(invalid="ignore"):
        return found[which] / found["l1"]


def _shuffled(kernel: Floats, rng: np.random.Generator, draws: int) -> Floats:
    flat = np.broadcast_to(kernel.ravel(), (draws, kernel.size))
    found: Floats = rng.permuted(flat, axis=1).reshape(draws, *kernel.shape)
    return found

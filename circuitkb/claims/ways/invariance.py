"""How alike units answer to stimuli and to their mirror images, in all layers.

The correlation of a unit's answers with those to the mirrored stimuli; ``mean`` over the units that
respond, or its ``rise``: the mean in the later half of the layers less that in the earlier. Null of
the mean: the copy with shuffled weights, as many units drawn from it; of the rise: layers in
permuted order. Stability: units of even and of odd number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from circuitkb.claims.ways.way import DRAWS, Asked, NotTestableError, Run
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, couples
from circuitkb.observation.kept import images_under
from circuitkb.stores.base import Store


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Nothing: the schema names the mirrors."""


def run(asked: Asked) -> Run:
    """Correlate every unit with itself under the mirror."""
    responses = asked.store.responses(asked.model)
    if responses is None:
        raise NotTestableError(f"it was not observed: circuitkb observe {asked.model}")
    name = f"mirror {asked.prediction['mirror']}"
    image = images_under(responses, name)
    first, second = couples(image, len(responses.stimuli), name)
    own = CoupledResponses.of(responses.after, responses.rows, first, second)
    values, layer, odd = [], [], []
    for number, rows in enumerate(responses.rows.values()):
        units = np.arange(rows.start, rows.stop)
        some = own.measurable[rows]
        values.append(own.invariance[rows][some])
        layer.append(np.full(int(some.sum()), number))
        odd.append((units[some] - rows.start) % 2 == 1)
    value, where, is_odd = (np.concatenate(one) for one in (values, layer, odd))
    rng = np.random.default_rng(0)
    stability = "units of even and of odd number"
    if asked.prediction["statistic"] == "mean":
        copy = CoupledResponses.of(responses.shuffled_after, responses.rows, first, second)
        shuffled = copy.invariance[copy.measurable]
        null = rng.choice(shuffled, size=(DRAWS, min(len(value), 2_000))).mean(axis=1)
        return Run(
            float(value.mean()),
            (float(value[~is_odd].mean()), float(value[is_odd].mean())),
            f"mean correlation of units with themselves, {name}",
            f"units of the copy with shuffled weights, drawn {DRAWS} times",
            stability,
            null=tuple(null.tolist()),
            detail={"units": len(value)},
        )
    present, index = np.unique(where, return_inverse=True)
    every = np.ones(len(value), bool)

    def rise(order: Any, chosen: Any) -> float:
        late = order[index] >= len(present) // 2
        return float(value[late & chosen].mean() - value[~late & chosen].mean())

    ring = np.arange(len(present))
    return Run(
        rise(ring, every),
        (rise(ring, ~is_odd), rise(ring, is_odd)),
        f"mean correlation of units with themselves, {name}: later less earlier layers",
        f"layers in permuted order, {DRAWS} times",
        stability,
        null=tuple(rise(rng.permutation(len(present)), every) for _ in range(DRAWS)),
        detail={"units": len(value), "layers": len(present)},
    )

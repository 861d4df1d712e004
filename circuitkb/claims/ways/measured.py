"""How many units of a model pass a measure: ``share`` of those that respond, or how it rises.

``rise`` is the share in the later half of the layers less that in the earlier half. Null of the
share: units of the copy with shuffled weights that pass the same test; of the rise, layers in
permuted order. Stability: units of even and of odd number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from circuitkb.claims.ways.way import DRAWS, Asked, NotTestableError, Run
from circuitkb.schema.errors import QueryError
from circuitkb.schema.near_matches import did_you_mean
from circuitkb.schema.node_types import measures
from circuitkb.stores.base import Store

_UNITS = """\
MATCH (f:Feature {{model: $model}}) WHERE f.answers AND f.basis IS NULL
RETURN f.layer AS layer, f.unit AS unit, f.`{name}` IS NOT NULL AS passed"""

_LAYERS = "MATCH (y:Layer {model: $model}) RETURN y.name AS name ORDER BY y.position"

_SUMMARY = """\
MATCH (i:Import {kind: 'observe', model: $model}) RETURN i.summary AS summary ORDER BY i.id"""


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Refuse a measure that does not exist."""
    _measure(prediction["measure"])


def _measure(name: str) -> Any:
    known = {one.name: one for one in measures()}
    if name not in known:
        raise QueryError(f"there is no measure {name!r}.{did_you_mean(name, known)}")
    return known[name]


def run(asked: Asked) -> Run:
    """Count the units that pass, in all and in halves."""
    measure = _measure(asked.prediction["measure"])
    # The name of a property of the schema, not text of a file.
    text = _UNITS.format(name=measure.properties[0].name)
    rows = asked.store.read(text, {"model": asked.model}, limit=None).rows
    summaries = asked.store.read(_SUMMARY, {"model": asked.model}, limit=None).rows
    found = [json.loads(row[0]) for row in summaries]
    counted = next((one for one in found if measure.counted in one), None)
    if not rows or counted is None:
        raise NotTestableError(f"{measure.name} was not measured: circuitkb observe {asked.model}")
    layers = [row[0] for row in asked.store.read(_LAYERS, {"model": asked.model}, limit=None).rows]
    place = {name: index for index, name in enumerate(layers)}
    where = np.array([place[row[0]] for row in rows])
    odd = np.array([row[1] % 2 for row in rows], bool)
    passed = np.array([row[2] for row in rows], bool)
    if asked.prediction["statistic"] == "rise":
        return _rise(measure.name, where, odd, passed)
    return _share(asked, measure, odd, passed, int(counted[f"{measure.counted}_shuffled"]))


def _share(asked: Asked, measure: Any, odd: Any, passed: Any, shuffled: int) -> Run:
    units = len(passed)
    rng = np.random.default_rng(0)
    # One more than was seen: a copy in which none passed does not show that none ever would.
    rate = (shuffled + 1) / (units + 1)
    null = rng.binomial(units, rate, size=DRAWS) / units
    return Run(
        float(passed.mean()),
        (float(passed[~odd].mean()), float(passed[odd].mean())),
        f"share of the units that respond which pass {measure.name}",
        f"units of the copy with shuffled weights: {shuffled} of {units} pass",
        "units of even and of odd number",
        null=tuple(null.tolist()),
        detail={"passed": int(passed.sum()), "units": units, "shuffled": shuffled},
    )


def _rise(name: str, where: Any, odd: Any, passed: Any) -> Run:
    layers, index = np.unique(where, return_inverse=True)
    if len(layers) < 4:
        raise NotTestableError("it has fewer than four layers")

    def rise(order: Any, chosen: Any) -> float:
        late = order[index] >= len(layers) // 2
        one, other = passed[late & chosen], passed[~late & chosen]
        return float(one.mean() - other.mean())

    rng = np.random.default_rng(0)
    ring, every = np.arange(len(layers)), np.ones(len(passed), bool)
    null = tuple(rise(rng.permutation(len(layers)), every) for _ in range(DRAWS))
    return Run(
        rise(ring, every),
        (rise(ring, ~odd), rise(ring, odd)),
        f"share that passes {name} in the later half of the layers, less that in the earlier",
        f"layers in permuted order, {DRAWS} times",
        "units of even and of odd number",
        null=null,
        detail={"layers": len(layers)},
    )

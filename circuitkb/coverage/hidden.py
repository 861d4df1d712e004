"""What hides in the rest: units, and directions of what is left, that carry decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from circuitkb.loaders.activations.subsets.attribution import Attributed, Rest
from circuitkb.schema.ids import FeatureId
from circuitkb.stores.base import Store

UNITS, DIRECTIONS = 20, 10
"""So many are listed."""

_OF_A_LAYER = 3
"""Directions of each layer that are looked at: those along which most is left."""

_DRAWN = 20
"""Random directions that one is compared with."""

_KNOWN = """\
MATCH (f:Feature {model: $model}) WHERE f.basis IS NULL
OPTIONAL MATCH (f)-[:MEMBER_OF]->(c:Circuit)
WITH f, count(c) AS circuits
OPTIONAL MATCH (f)<-[about:ANNOTATES]-(a:Annotation {kind: 'label', state: 'live'})
WHERE about.role IS NULL
WITH f, circuits, count(a) AS labels
OPTIONAL MATCH (f)-[x:ANALOGOUS_TO]-(:Feature) WHERE x.q <= 0.05
WITH f, circuits, labels, count(x) AS analogues
WHERE circuits + labels + analogues > 0
RETURN f.layer AS layer, f.unit AS unit, circuits, labels, analogues"""


@dataclass(frozen=True)
class HiddenUnit:
    """A unit without label, circuit and analogue.

    Attributes
    ----------
    feature
        Its id.
    effect
        Mean size of its first-order effect on the lead of the network's answer.
    rank
        Among all units of its layer, from 1.
    of
        Units of the layer.
    layer_median
        Effect of the median unit of the layer.
    """

    feature: str
    effect: float
    rank: int
    of: int
    layer_median: float


@dataclass(frozen=True)
class HiddenDirection:
    """A direction along which chosen edges leave much of a layer's pre-activations.

    Attributes
    ----------
    layer
        The layer.
    left
        Share of what is left that lies along it.
    effect
        Mean size of its first-order effect on the lead, at a place.
    null
        The same along random directions, mean.
    units
        The units that it leans on most, with their parts in it.
    """

    layer: str
    left: float
    effect: float
    null: float
    units: tuple[tuple[str, float], ...]


def known_units(store: Store, model: str) -> dict[str, set[int]]:
    """Return the units that have a label, a circuit or an analogue, by layer."""
    found: dict[str, set[int]] = {}
    for layer, unit, *_ in store.read(_KNOWN, {"model": model}, limit=None, timeout=600.0).rows:
        found.setdefault(layer, set()).add(unit)
    return found


def hidden_units(
    model: str, effects: Mapping[str, np.ndarray], known: Mapping[str, set[int]], output: str
) -> list[HiddenUnit]:
    """Return the units with the largest effects of which nothing is known, largest first.

    Units of the output are left out: they are what is decided.

    Examples
    --------
    >>> effects = {"a": np.array([0.1, 0.5, 0.3]), "out": np.array([9.0])}
    >>> [(one.feature, one.rank) for one in hidden_units("m", effects, {"a": {1}}, "out")]
    [('m/a:2', 2), ('m/a:0', 3)]
    """
    found = []
    for layer, sizes in effects.items():
        if layer == output:
            continue
        order = np.argsort(-sizes, kind="stable")
        rank = np.empty(len(order), int)
        rank[order] = np.arange(1, len(order) + 1)
        median, own = float(np.median(sizes)), known.get(layer, set())
        few = [unit for unit in order.tolist() if unit not in own and sizes[unit] > 0][:UNITS]
        found += [
            HiddenUnit(
                str(FeatureId(model, layer, unit)),
                float(sizes[unit]),
                int(rank[unit]),
                len(sizes),
                median,
            )
            for unit in few
        ]
    return sorted(found, key=lambda one: (-one.effect, one.feature))[:UNITS]


def hidden_directions(
    model: str, found: Attributed, output: str, *, seed: int
) -> list[HiddenDirection]:
    """Return directions of what chosen edges leave that carry most of the decision."""
    random = np.random.default_rng(seed)
    every = [
        direction
        for layer, rest in found.rest.items()
        if layer != output and rest.values.any()
        for direction in _of_layer(model, layer, rest, random)
    ]
    return sorted(every, key=lambda one: -one.effect)[:DIRECTIONS]


def _of_layer(
    model: str, layer: str, rest: Rest, random: np.random.Generator
) -> Sequence[HiddenDirection]:
    values = rest.values.astype(np.float64)
    _, sizes, directions = np.linalg.svd(values, full_matrices=False)
    drawn = random.normal(size=(_DRAWN, values.shape[1]))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    null = float(_effects(rest, drawn).mean())
    count = min(_OF_A_LAYER, len(sizes))
    effects = _effects(rest, directions[:count])
    shares = sizes**2 / (sizes**2).sum()
    found = []
    for place in range(count):
        lean = np.argsort(-np.abs(directions[place]))[:3].tolist()
        units = tuple(
            (str(FeatureId(model, layer, unit)), round(float(directions[place, unit]), 3))
            for unit in lean
        )
        found.append(
            HiddenDirection(layer, float(shares[place]), float(effects[place]), null, units)
        )
    return found


def _effects(rest: Rest, directions: np.ndarray) -> np.ndarray:
    """Return mean sizes of first-order effects along directions."""
    both = (rest.values @ directions.T) * (rest.slopes @ directions.T)
    found: np.ndarray = np.abs(both).mean(axis=0)
    return found

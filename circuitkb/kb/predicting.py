"""What a knowledge base knows of a model that says what edits of it will change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.schema.responses import Responses
    from circuitkb.trials.effects import Effects


def effects_of(store: Store, model: str, responses: Responses) -> Effects:
    """Read all kernels, kinds of layers and biases of an observed model."""
    import numpy as np

    from circuitkb.trials.effects import Effects

    layers = store.read(
        "MATCH (l:Layer {model: $model}) RETURN l.name AS name, l.kind AS kind ORDER BY l.position",
        {"model": model},
        limit=None,
    )
    features = store.read(
        "MATCH (f:Feature {model: $model}) WHERE f.bias IS NOT NULL "
        "RETURN f.layer AS layer, f.bias AS bias ORDER BY f.layer, f.unit",
        {"model": model},
        limit=None,
    )
    biases: dict[str, list[float]] = {}
    for layer, bias in features.rows:
        biases.setdefault(layer, []).append(bias)
    units = dict(responses.layers)
    whole = {
        layer: np.array(values, np.float32)
        for layer, values in biases.items()
        if len(values) == units.get(layer)
    }
    return Effects(store.kernels(model), responses, dict(layers.rows), whole)

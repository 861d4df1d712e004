"""Two layers with responses to the battery in which some motif is planted, or chance alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.stimuli.battery import Battery, battery
from circuitkb.schema.kernels import Connection, ConnectionPath
from circuitkb.schema.responses import Responses
from tests.motifs.measured_networks import dense

SHOWN: Battery = battery(channels=1)
"""What was shown."""

PLACE = {item.id: place for place, item in enumerate(SHOWN.stimuli)}

Array = NDArray[Any]


def network(
    layers: dict[str, Array],
    weights: dict[tuple[str, str], Array],
    path: ConnectionPath = "direct",
) -> tuple[list[Connection], Responses]:
    """Return connections and responses of layers whose pre-activations are given.

    The shuffled copy answers at random, as strongly.
    """
    before = np.concatenate(list(layers.values())).astype(np.float32)
    rng = np.random.default_rng(99)
    null = (before.std(axis=1, keepdims=True) * rng.normal(size=before.shape)).astype(np.float32)
    arrays = [values for own in (before, null) for values in (own, own.clip(0))]
    sizes = tuple((name, len(own)) for name, own in layers.items())
    stimuli = tuple(item.id for item in SHOWN.stimuli)
    connections = [
        replace(dense(own, f"c{place}", source, target), path=path)
        for place, ((source, target), own) in enumerate(weights.items())
    ]
    return connections, Responses(SHOWN.name, stimuli, sizes, *arrays, {})


def random_network(seed: int, sources: int = 60, targets: int = 40) -> Any:
    """Return a network of two layers with random weights, whose second sums up the first."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(sources, len(PLACE)))
    weights = rng.normal(size=(targets, sources))
    return network({"a": first, "b": weights @ first.clip(0)}, {("a", "b"): weights})


def layers_of(sizes: dict[str, int]) -> Responses:
    """Return responses of layers in which nothing answers."""
    return network({name: np.zeros((size, len(PLACE))) for name, size in sizes.items()}, {})[1]

"""A small network with random weights, what it answers to noise, and what predicts its edits."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from circuitkb.loaders.activations.editing.network import EditedNetwork
from circuitkb.loaders.activations.reading import look
from circuitkb.loaders.composition.compose import compose
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import View
from circuitkb.schema.responses import Responses
from circuitkb.trials.effects import Effects

COUNT = 60


def shown(view: View, which: NDArray[np.intp]) -> NDArray[np.float32]:
    every = np.random.default_rng(0).standard_normal((COUNT, 3, view.rows, view.columns))
    return every.astype(np.float32)[which]


@cache
def made() -> tuple[Effects, EditedNetwork]:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 12, 1),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1, groups=12),
        nn.ReLU6(),
        nn.Conv2d(12, 16, 1),
        nn.SiLU(),
        nn.Conv2d(16, 12, 1),
        nn.ReLU(),
        nn.Conv2d(12, 8, 1),
    ).eval()
    example = torch.zeros(1, 3, 9, 9)
    network = Network(module, example, "made up", "random", "m", "m", "MIT", "nobody", "f")
    composed = compose(module, example)
    edited = EditedNetwork(network)
    (view,) = edited.views
    onlooker = look(network, view)
    before, after = (side.T.copy() for side in onlooker.responses(shown(view, np.arange(COUNT))))
    responses = Responses(
        "b",
        tuple(map(str, range(COUNT))),
        tuple(onlooker.units.items()),
        before,
        after,
        before,
        after,
        {"views": [{}]},
    )
    kinds = {layer.name: layer.kind for layer in composed.layers}
    biases = {layer.name: layer.bias for layer in composed.layers if layer.bias is not None}
    return Effects(composed.connections, responses, kinds, biases), edited

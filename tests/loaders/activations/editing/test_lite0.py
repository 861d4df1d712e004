"""Edges of EfficientNet-Lite0 taken away by hand: weights multiplied, maps subtracted in hooks.

An edge into an expansion goes through a projection and an expansion, each with its batch norm, and
through additions. Costs about two minutes.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from circuitkb.loaders.activations.editing.network import EditedNetwork
from circuitkb.loaders.activations.editing.runs import EditedRun, Images
from circuitkb.loaders.composition.compose import compose
from circuitkb.loaders.receptive_fields.views import View
from circuitkb.loaders.sources.opening import open_network
from circuitkb.trials.changes import Kernels
from circuitkb.trials.edits import Edit

READ = {
    "_blocks.5._swish": np.array([0, 7]),
    "_blocks.9._swish_1": np.arange(50),
    "_fc": np.arange(1000),
}
EDGES = [  # block of the source, its unit, the target's unit; the second goes through an addition
    (4, 215, 7),
    (3, 51, 7),
]


def shown(view: View, which: NDArray[np.intp]) -> NDArray[np.float32]:
    every = np.random.default_rng(0).standard_normal((6, 3, view.rows, view.columns))
    return every.astype(np.float32)[which]


def factor(norm: nn.Module) -> Tensor:
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    return norm.weight / torch.sqrt(norm.running_var + norm.eps)


def between(network: nn.Module, block: int, source: int, target: int) -> float:
    """Return the weight from a projected unit to an expanded one, by the weights themselves."""
    blocks = network.get_submodule("_blocks")
    assert isinstance(blocks, nn.ModuleList)
    project = blocks[block].get_submodule("_project_conv").weight
    expand = blocks[5].get_submodule("_expand_conv").weight
    assert isinstance(project, Tensor)
    assert isinstance(expand, Tensor)
    inner = factor(blocks[block].get_submodule("_bn2")) * project[:, source, 0, 0]
    last = factor(blocks[5].get_submodule("_bn0"))[target]
    return float(last * (expand[target, :, 0, 0] @ inner))


@torch.no_grad()
def by_hand(
    network: nn.Module, images: Tensor, block: int, source: int, target: int
) -> tuple[Tensor, Tensor]:
    """Return the pre-activations of the targets' layer, and the logits, with an edge taken away."""
    weight = between(network, block, source, target)
    seen: list[Tensor] = []
    kept: list[Tensor] = []

    def take_away(_: nn.Module, __: object, found: Tensor) -> Tensor:
        found = found.clone()
        found[:, target] -= weight * seen[0]
        kept.append(found.clone())
        return found

    def remember(_: nn.Module, given: tuple[Tensor]) -> None:
        seen.append(given[0][:, source].clone())

    handles = [
        network.get_submodule(f"_blocks.{block}._project_conv").register_forward_pre_hook(remember),
        network.get_submodule("_blocks.5._bn0").register_forward_hook(take_away),
    ]
    logits: Tensor = network(images)
    for handle in handles:
        handle.remove()
    return kept[0], logits


def assert_taken_away(
    network: nn.Module, edited: EditedNetwork, kernels: Kernels, shown: Images
) -> None:
    which = np.arange(6)
    edits = [
        Edit.parse(f"remove _blocks.{block}._swish_1:{source} into _blocks.5._swish:{target}")
        for block, source, target in EDGES
    ]
    runs = [EditedRun(kernels.changed(edit).kernels, [], which, READ) for edit in edits]
    (view,) = edited.views
    images = torch.from_numpy(np.asarray(shown(view, which)))
    row, column = view.places["_blocks.5._swish"].index
    for edge, found in zip(EDGES, edited.run(runs, shown), strict=True):
        before, logits = by_hand(network, images, *edge)
        scale = float(before.std())
        here = before[:, READ["_blocks.5._swish"], row, column].numpy()
        np.testing.assert_allclose(found.before[:, :2], here, atol=1e-4 * scale)
        np.testing.assert_allclose(
            found.after[:, 52:], logits.numpy(), atol=1e-4 * float(logits.std())
        )
        assert np.abs(found.before - found.base_before)[:, 1].max() > 1e-3 * scale


@pytest.mark.long
def test_edges_taken_away_by_hand_leave_the_same_network() -> None:
    network = open_network("efficientnet_lite0")
    kernels = Kernels(compose(network.module, network.example).connections)
    assert_taken_away(network.module, EditedNetwork(network), kernels, shown)

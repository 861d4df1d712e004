"""Early layers answer to the part of the image that they see as in the whole of it (2 s)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from circuitkb.loaders.activations.early_layers import EarlyLayers, early_layers
from circuitkb.loaders.activations.reading import Onlooker, look
from circuitkb.loaders.receptive_fields.views import plan_views
from tests.loaders.activations.test_reading import network_of, noise


def onlooker(module: nn.Module, side: int = 65) -> Onlooker:
    network = network_of(module, side=side)
    (view,) = plan_views(network.module, network.example)
    return look(network, view)


def strided() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3, 2, 1, groups=4),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 5, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(5, 5, 9, 4, 4),
        nn.ReLU(),
    )


@pytest.fixture(scope="module")
def whole() -> Onlooker:
    return onlooker(strided())


@pytest.fixture(scope="module")
def early(whole: Onlooker) -> EarlyLayers:
    found = early_layers(whole, ["1", "3", "5"])
    assert found is not None
    return found


def by_layer(whole: Onlooker, images: np.ndarray) -> dict[str, np.ndarray]:
    before, _ = whole.responses(images)
    ends = np.cumsum(list(whole.units.values()))[:-1]
    return dict(zip(whole.units, np.split(before, ends, axis=1), strict=True))


def test_they_answer_as_in_the_whole_image_whatever_is_around(
    whole: Onlooker, early: EarlyLayers
) -> None:
    images = noise(5, whole.view, seed=3)
    assert max(early.shape) <= 11
    for part in (early, early.wider(4), early.wider(1000)):
        found = part.before(part.of(images))
        assert list(found) == ["1", "3", "5"]
        for layer, answers in by_layer(whole, images).items():
            if layer in found:
                np.testing.assert_allclose(found[layer], answers, rtol=1e-5, atol=1e-5)


def test_a_copy_is_that_of_the_whole_network_where_all_of_the_image_calibrates_it(
    whole: Onlooker, early: EarlyLayers
) -> None:
    images = noise(whole.batch, whole.view, seed=4)
    (copy,) = whole.shuffled(images, seeds=[7])
    around = early.wider(1000)
    (weights,) = around.shuffled(around.of(images), [7])
    threads = torch.get_num_threads()
    found = early.with_network(weights).before(early.of(images))
    assert torch.get_num_threads() == threads
    for layer, answers in by_layer(copy, images).items():
        if layer in found:
            np.testing.assert_allclose(found[layer], answers, rtol=1e-3, atol=1e-4)


class Normed(nn.Module):
    """Its first layer depends on the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.act = nn.ReLU()
        self.norm = nn.InstanceNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.norm(self.first(x)))


@pytest.mark.parametrize(
    ("module", "layers"),
    [(strided(), []), (Normed(), ["act"]), (nn.Sequential(nn.Flatten(), nn.Linear(48, 4)), ["1"])],
)
def test_layers_that_need_the_whole_image_are_none(module: nn.Module, layers: list[str]) -> None:
    whole = onlooker(module, side=4 if layers == ["1"] else 65)
    assert early_layers(whole, layers) is None

"""Units answer to the part of the image that they see as they do to the whole of it.

Costs about six seconds of a processor.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from circuitkb.loaders.activations.cropped import Cropped
from circuitkb.loaders.activations.reading import look
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import plan_views
from tests.loaders.activations.test_reading import Uneven, network_of, noise
from tests.loaders.networks import with_live_batch_norms


class Tokens(nn.Module):
    """Patches that attend to one another, reshaped by the number of images."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, 8, 8, stride=8)
        self.act = nn.GELU()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.act(self.patches(x)).flatten(2).transpose(1, 2)
        mixed = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        found: torch.Tensor = self.head(torch.relu(tokens + mixed).mean(1))
        return found


def gated() -> nn.Module:
    from torchvision.models import mobilenet_v3_small

    torch.manual_seed(0)
    return with_live_batch_norms(mobilenet_v3_small(width_mult=0.5))


NETWORKS = {"uneven strides": Uneven, "tokens": Tokens, "gates": gated}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return network_of(NETWORKS[request.param](), side=64)


def test_every_layer_answers_to_what_it_sees_as_to_the_whole_image(network: Network) -> None:
    parts = []
    for view in plan_views(network.module, network.example):
        onlooker = look(network, view)
        images = noise(3, view, seed=5)
        before, _ = onlooker.responses(images)
        column = 0
        for layer, units in onlooker.units.items():
            cropped = Cropped.of(onlooker, layer)
            rows, columns = cropped.shown
            part = images[:, :, rows.start : rows.stop, columns.start : columns.stop]
            which = [0, units // 2, units - 1]
            found = cropped.answers(torch.from_numpy(part), which).detach().numpy()
            expected = before[np.arange(3), column + np.array(which)]
            assert found == pytest.approx(expected, rel=1e-4, abs=1e-4), layer
            parts.append(part.shape[2] / view.rows)
            column += units
    assert min(parts) < 0.5, "the first layers see little"


def test_what_lies_outside_of_what_is_seen_changes_nothing(network: Network) -> None:
    (view, *_) = plan_views(network.module, network.example)
    onlooker = look(network, view)
    layer = next(name for name in onlooker.units if name != "input")
    rows, columns = Cropped.of(onlooker, layer).seen
    images = noise(2, view, seed=6)
    images[1] = -7.0
    inside = slice(rows.start, rows.stop), slice(columns.start, columns.stop)
    images[1, :, inside[0], inside[1]] = images[0, :, inside[0], inside[1]]
    before, _ = onlooker.responses(images)
    start = list(onlooker.units).index(layer)
    first = sum(list(onlooker.units.values())[:start])
    own = before[:, first : first + onlooker.units[layer]]
    assert own[0] == pytest.approx(own[1], rel=1e-4, abs=1e-4)


def test_a_gradient_passes_a_rectifier_that_cuts_all_of_it_off_only_where_asked() -> None:
    module = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Conv2d(1, 1, 1, bias=False))
    with torch.no_grad():
        module[0].weight.fill_(2.0)
        module[0].bias.fill_(-5.0)
        module[2].weight.fill_(3.0)
    network = network_of(module, side=9, channels=1)
    (view,) = plan_views(network.module, network.example)
    cropped = Cropped.of(look(network, view), "2")
    image = torch.zeros(2, 1, *map(len, cropped.shown))
    image[1] = 4.0  # not cut off
    image.requires_grad_()
    slopes = []
    for redirect in (False, True):
        answers = cropped.answers(image, [0, 0], redirect=redirect)
        assert answers.tolist() == pytest.approx([0.0, 9.0])
        slopes.append(torch.autograd.grad(answers.sum(), image)[0].sum((1, 2, 3)).tolist())
    assert slopes == [[0.0, 6.0], [6.0, 6.0]]

"""Networks with random weights whose batch norms do something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

LARGE = {
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "lite1",
    "lite2",
    "mnasnet1_0",
    "regnet_y_400mf",
    "resnet50",
    "shufflenet_v2_x0_5",
    "swin_t",
    "vgg11_bn",
}
"""Names of networks that take seconds each; what they are made of, the others have too."""


def large_ones_long(names: Iterable[str]) -> list[Any]:
    """Return parameters for tests, of which those for large networks take long."""
    return [pytest.param(name, marks=pytest.mark.long if name in LARGE else ()) for name in names]


def image(size: int, channels: int = 3) -> Tensor:
    """One seeded noise image, (1, channel, row, column)."""
    return torch.randn(1, channels, size, size, generator=torch.Generator().manual_seed(1))


def with_live_batch_norms(network: nn.Module) -> nn.Module:
    """Give batch norms statistics other than 0 and 1, so that folding them is tested."""
    random = torch.Generator().manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            size = part.num_features
            part.running_mean = torch.randn(size, generator=random) * 0.3
            part.running_var = torch.rand(size, generator=random) + 0.5
            part.weight.data = torch.rand(size, generator=random) + 0.5
            part.bias.data = torch.randn(size, generator=random) * 0.3
    return network.eval()


def build(name: str) -> tuple[nn.Module, Tensor]:
    """Return a network by its torchvision name, or ``lite0`` to ``lite2``, and an image for it."""
    torch.manual_seed(0)
    if name.startswith("lite"):
        full = f"efficientnet-{name}"
        network: nn.Module = EfficientNet.from_name(full)
        return with_live_batch_norms(network), image(EfficientNet.get_image_size(full))
    if name == "vit_b_16":
        # Four of its twelve alike blocks: the same operations in a quarter of the time.
        sizes = {"num_heads": 12, "hidden_dim": 768, "mlp_dim": 3072}
        vit = torchvision.models.VisionTransformer(224, 16, num_layers=4, **sizes)
        return vit.eval(), image(224)
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network = getattr(torchvision.models, name)(weights=None, **options)
    return with_live_batch_norms(network), image(299 if name == "inception_v3" else 224)

"""Small networks drawn at random from everything that composition claims to be exact for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_ACTIVATIONS = (nn.ReLU, nn.SiLU, nn.ReLU6, nn.Tanh, nn.Hardswish, nn.ELU, nn.GELU, nn.LeakyReLU)


class Residual(nn.Module):
    """A bottleneck beside a way through."""

    def __init__(self, channels: int, draw: torch.Generator) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 1),
            nn.ReLU6(),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels),
            nn.ReLU(),
            nn.Conv2d(2 * channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.minus = bool(torch.randint(2, (), generator=draw))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.body(x) if self.minus else x + self.body(x)


class Branches(nn.Module):
    """Convolutions of three sizes, side by side, channels shuffled or turned round."""

    def __init__(self, channels: int, draw: torch.Generator) -> None:
        super().__init__()
        sizes = (1, 3, 5)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, 2, size, padding=size // 2), nn.BatchNorm2d(2))
            for size in sizes
        )
        self.flip = bool(torch.randint(2, (), generator=draw))

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([branch(x) for branch in self.branches], 1)
        if self.flip:
            return joined.flip(1)
        return nn.functional.channel_shuffle(joined, 3)


class Gated(nn.Module):
    """Squeeze and excite."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, 2, 1),
            nn.ReLU(),
            nn.Conv2d(2, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.squeeze(x)


def random_network(seed: int) -> tuple[nn.Module, int]:
    """Return a network with random weights and live batch norms, and the side of its images."""
    draw = torch.Generator().manual_seed(seed)

    def pick(*choices: int) -> int:
        return choices[int(torch.randint(len(choices), (), generator=draw))]

    torch.manual_seed(seed)
    size, channels = pick(7, 12, 17, 24), 3
    parts: list[nn.Module] = []
    for _ in range(pick(1, 2, 3)):
        wide, kernel, groups = pick(2, 4, 6, 8), pick(1, 2, 3, 5), pick(1, 2)
        groups = groups if channels % groups == wide % groups == 0 else 1
        padding = pick(0, kernel // 2, kernel - 1)
        dilation = pick(1, 2) if padding else 1
        conv = nn.Conv2d(
            channels,
            wide,
            kernel,
            stride=pick(1, 2),
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bool(pick(0, 1)),
        )
        parts += [conv, *([nn.BatchNorm2d(wide)] if pick(0, 1) else [])]
        channels = wide
        parts.append(_ACTIVATIONS[pick(*range(len(_ACTIVATIONS)))]())
        match pick(*range(7)):
            case 0:
                parts.append(nn.MaxPool2d(3, 2, 1, ceil_mode=bool(pick(0, 1))))
            case 1:
                parts += [Residual(channels, draw), nn.ReLU()]
            case 2:
                parts += [Branches(channels, draw), nn.SiLU()]
                channels = 6
            case 3:
                parts += [Gated(channels), nn.Conv2d(channels, 4, 1), nn.ReLU()]
                channels = 4
            case 4:
                parts += [nn.Conv2d(channels, 4, 1), nn.PixelUnshuffle(1), nn.ReLU()]
                channels = 4
            case _:
                pass
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3)]
    network = nn.Sequential(*parts)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            number = part.num_features
            part.running_mean = torch.randn(number, generator=draw)
            part.running_var = torch.rand(number, generator=draw) + 0.1
            part.weight.data = torch.randn(number, generator=draw)
            part.bias.data = torch.randn(number, generator=draw)
    return network.eval(), size

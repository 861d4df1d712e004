"""Small networks with planted circuits: what a search for circuits should find in them is known.

A network has three layers of features: ``filters`` (oriented, coloured and noisy ones),
``detectors`` (of lines, curves, corners and other shapes; most come with their mirror image) and
``targets``, each of which takes some detectors strongly. Some targets are unions of mirrored
detectors; the others are decoys.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from circuitkb.loaders.planted.detectors import (
    FIELD,
    FILTER_STRIDE,
    PlantedDetector,
    make_detectors,
)
from circuitkb.loaders.planted.filters import filter_bank
from circuitkb.loaders.planted.targets import PlantedTarget, TargetKind, make_targets
from circuitkb.schema.errors import SourceError

FILTERS, DETECTORS, BLOCK, TARGETS = "filters", "detectors", "block", "targets"
"""Names of the layers, in the network and in its ONNX file."""

_FILTER_PADDING = 3
_DETECTOR_STRIDE = 3
_DETECTOR_PADDING = 2


@dataclass(frozen=True, eq=False)
class Planted:
    """A network with planted circuits, and the truth about it.

    Attributes
    ----------
    module
        In evaluation mode; takes (batch, channel, row, column) of any size, values from -1 to 1
        with grey at 0, and returns the map of targets.
    detectors, targets
        What each unit was made for, in order of the units.
    input_shape
        Channels, rows and columns of the images that it is meant for.
    settings
        The arguments that it was made with.
    """

    module: nn.Module
    detectors: tuple[PlantedDetector, ...]
    targets: tuple[PlantedTarget, ...]
    input_shape: tuple[int, int, int]
    settings: dict[str, int | float]

    @property
    def kernel(self) -> NDArray[np.float32]:
        """The weights from detectors to targets, axes (target, detector, row, column)."""
        weight = self.module.get_parameter(f"{TARGETS}_convolution.weight")
        kernel: NDArray[np.float32] = weight.detach().numpy()
        return kernel

    def units(self, kind: TargetKind) -> frozenset[int]:
        """Return the targets of one kind.

        Examples
        --------
        >>> planted = planted_network(unions=3, seed=1)
        >>> len(planted.units("union")), len(planted.units("random"))
        (3, 12)
        """
        return frozenset(target.unit for target in self.targets if target.kind == kind)


def planted_network(
    *,
    unions: int = 12,
    one_sided: int = 12,
    false_unions: int = 12,
    symmetric: int = 12,
    random: int = 12,
    cases: Literal[1, 2] = 2,
    taps: Literal[1, 3] = 1,
    noise: float = 0.3,
    size: int = 127,
    channels: Literal[1, 3] = 3,
    seed: int = 0,
) -> Planted:
    """Make a network with planted unions of left-right mirrored detectors, and decoys.

    160 detectors: quartets of a detector, its twin (nearly the same shape) and the mirror image of
    each; symmetric ones; random ones. Their receptive field is 27 pixels; unit (r, c) of the map
    is centred on pixel (9 r + 4, 9 c + 4), which is the image's centre where ``size`` is 27 plus a
    multiple of 18, and four or five pixels off it at 127. Every target has a kernel of l2 norm 1,
    so that strong weights alone tell nothing. Units stand in random order.

    Parameters
    ----------
    unions, one_sided, false_unions, symmetric, random
        Numbers of targets of each kind (:class:`PlantedTarget`).
    cases
        Detectors on each side of a union: 2 (a detector and its twin) or 1. A single pair among
        the strongest 5% happens so often by chance that a test of permuted weights may not tell.
    taps
        Rows and columns of the kernels from detectors to targets.
    noise
        Of all planted kernels, relative to what was planted. For a detector, the standard
        deviation of what its noise weights put out over random images, divided by that of its
        planted kernel: at .3 mirrors still answer alike (correlation .97 in the median), at .45 a
        few per cent fall below .8. For a target, whose inputs have unit spread, the l2 norm of its
        noise weights (on all detectors) divided by that of its planted ones: at .3 and with four
        planted weights of 1, noise weights have standard deviation .047.
    size
        Rows and columns of the input, at least 27, or 45 where ``taps`` is 3.
    channels
        1 leaves out colours.
    seed
        Same seed, same network. torch's random state is neither used nor changed.

    Raises
    ------
    SourceError
        An argument is out of its range, or there is no target at all.

    Examples
    --------
    >>> planted = planted_network(unions=2, seed=0)
    >>> tuple(planted.module(torch.zeros(1, 3, 127, 127)).shape)
    (1, 50, 14, 14)
    >>> target = planted.targets[min(planted.units("union"))]
    >>> one, other = target.cases
    >>> planted.detectors[one[0]].shape == planted.detectors[other[0]].shape.mirrored
    True
    """
    counts: dict[TargetKind, int] = {
        "union": unions,
        "one-sided": one_sided,
        "false union": false_unions,
        "symmetric": symmetric,
        "random": random,
    }
    _check(counts, cases, taps, noise, size, channels)
    rng = np.random.default_rng(seed)
    bank = filter_bank(rng, channels)
    layer = make_detectors(rng, bank, noise)
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    shuffled = [kinds[place] for place in rng.permutation(len(kinds)).tolist()]
    targets, kernel, bias = make_targets(rng, layer, shuffled, cases=cases, taps=taps, noise=noise)
    settings = {name.replace(" ", "_").replace("-", "_"): n for name, n in counts.items()}
    return Planted(
        sequence(bank, layer.kernel, layer.bias, kernel, bias),
        layer.detectors,
        targets,
        (channels, size, size),
        {**settings, "cases": cases, "taps": taps, "noise": noise, "seed": seed},
    )


def sequence(
    bank: NDArray[np.float64],
    detectors: NDArray[np.float64],
    detectors_bias: NDArray[np.float64],
    targets: NDArray[np.float64],
    targets_bias: NDArray[np.float64],
) -> nn.Module:
    """Return the network of three layers with these kernels, in evaluation mode."""
    return nn.Sequential(_parts(bank, detectors, detectors_bias, targets, targets_bias)).eval()


class _Sum(nn.Module):
    """Adds two maps; a module, so that the operation has a name of its own."""

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return one + other


class ResidualNetwork(nn.Module):
    """Detectors come to the targets along a stream, to which a block of two layers adds.

    Parameters
    ----------
    bank, detectors, detectors_bias, targets, targets_bias
        As in :func:`sequence`; ``targets`` from the block's units.
    block, block_bias
        From detectors to units of the block, axes (unit, detector).
    stream
        From detectors to targets, axes (target, detector, row, column).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bank, one = filter_bank(rng, 1), np.ones((2, 2, 1, 1))
    >>> detectors, zeros = rng.normal(size=(2, len(bank), 7, 7)), np.zeros(2)
    >>> made = ResidualNetwork(bank, detectors, zeros, one, zeros, one[..., 0, 0], zeros, one)
    >>> tuple(made(torch.zeros(1, 1, 27, 27)).shape)
    (1, 2, 3, 3)
    """

    def __init__(
        self,
        bank: NDArray[np.float64],
        detectors: NDArray[np.float64],
        detectors_bias: NDArray[np.float64],
        targets: NDArray[np.float64],
        targets_bias: NDArray[np.float64],
        block: NDArray[np.float64],
        block_bias: NDArray[np.float64],
        stream: NDArray[np.float64],
    ) -> None:
        super().__init__()
        parts = list(_parts(bank, detectors, detectors_bias, targets, targets_bias).items())
        for name, part in parts[:4]:
            self.add_module(name, part)
        self.block_convolution = _convolution(block[:, :, None, None], block_bias, 1, 0)
        self.block = nn.ReLU()
        for name, part in parts[4:]:
            self.add_module(name, part)
        self.stream_convolution = _convolution(stream, None, 1, stream.shape[-1] // 2)
        self.sum = _Sum()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the map of targets."""
        known = self.get_submodule
        filters = known(FILTERS)(known(f"{FILTERS}_convolution")(image))
        stream = known(DETECTORS)(known(f"{DETECTORS}_convolution")(filters))
        added = known(f"{TARGETS}_convolution")(self.block(self.block_convolution(stream)))
        found: torch.Tensor = known(TARGETS)(self.sum(self.stream_convolution(stream), added))
        return found


def _parts(
    bank: NDArray[np.float64],
    detectors: NDArray[np.float64],
    detectors_bias: NDArray[np.float64],
    targets: NDArray[np.float64],
    targets_bias: NDArray[np.float64],
) -> OrderedDict[str, nn.Module]:
    parts = OrderedDict[str, nn.Module]()
    for name, weight, offset, stride, padding in (
        (FILTERS, bank, np.zeros(len(bank)), FILTER_STRIDE, _FILTER_PADDING),
        (DETECTORS, detectors, detectors_bias, _DETECTOR_STRIDE, _DETECTOR_PADDING),
        (TARGETS, targets, targets_bias, 1, targets.shape[-1] // 2),
    ):
        parts[f"{name}_convolution"] = _convolution(weight, offset, stride, padding)
        parts[name] = nn.ReLU()
    return parts


def _check(
    counts: dict[TargetKind, int], cases: int, taps: int, noise: float, size: int, channels: int
) -> None:
    smallest = FIELD + (taps - 1) * FILTER_STRIDE * _DETECTOR_STRIDE
    wrong = {
        "numbers of targets must not be negative": min(counts.values()) < 0,
        "there must be some target": sum(counts.values()) == 0,
        "cases must be 1 or 2": cases not in (1, 2),
        "taps must be 1 or 3": taps not in (1, 3),
        "channels must be 1 or 3": channels not in (1, 3),
        "noise must be a number from 0": not 0 <= noise < np.inf,
        f"size must be at least {smallest}": size < smallest,
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            raise SourceError(f"No network can be planted: {what}.")


def _convolution(
    weight: NDArray[np.float64], bias: NDArray[np.float64] | None, stride: int, padding: int
) -> nn.Module:
    outputs, inputs, side, _ = weight.shape
    with torch.random.fork_rng(devices=[]):
        convolution = nn.Conv2d(
            inputs, outputs, side, stride=stride, padding=padding, bias=bias is not None
        )
    given = {"weight": torch.from_numpy(weight)}
    if bias is not None:
        given["bias"] = torch.from_numpy(bias)
    convolution.load_state_dict(given)
    return convolution

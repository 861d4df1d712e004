"""The last steps of planting: a block over the detectors, numbers for all units, the module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from circuitkb.loaders.planted.benchmark.parts import Parts
from circuitkb.loaders.planted.benchmark.plans import Array
from circuitkb.loaders.planted.networks import (
    BLOCK,
    DETECTORS,
    ResidualNetwork,
    sequence,
)

Without = Literal["", "shuffled", "random"]
"""What is done to a network so that nothing is planted in it."""

Numbers = NDArray[np.int64]


class Layer(NamedTuple):
    """Kernels, biases, and responses to random images, axes (image, unit), of spread 1."""

    kernel: Array
    bias: Array
    responses: Array


class Places(NamedTuple):
    """The number of each unit in its network, by where it was added."""

    detectors: Numbers
    block: Numbers
    targets: Numbers

    def named(self, columns: Sequence[int]) -> list[str]:
        """Return detectors, and units of the block that count on from them, by their numbers.

        Examples
        --------
        >>> Places(np.array([1, 0]), np.array([0]), np.array([0])).named([0, 2])
        ['detectors:1', 'block:0']
        """
        last = len(self.detectors)
        found = [
            (DETECTORS, self.detectors[one]) if one < last else (BLOCK, self.block[one - last])
            for one in columns
        ]
        order = {DETECTORS: 0, BLOCK: 1}
        return [
            f"{layer}:{unit}" for layer, unit in sorted(found, key=lambda e: (order[e[0]], e[1]))
        ]


def emptied(rng: np.random.Generator, kernel: Array, without: Without) -> Array:
    """Return a kernel in which nothing is planted, of the same spread."""
    if without == "shuffled":
        return rng.permutation(kernel.ravel()).reshape(kernel.shape)
    if without == "random":
        return rng.normal(kernel.mean(), kernel.std(), size=kernel.shape)
    return kernel


def block_over(parts: Parts, noise: float, detectors: Layer, without: Without) -> Layer:
    """Return the units of a block, each with white noise of a share of its norm."""
    kernel = np.zeros((len(parts.block), len(parts.kernels)))
    for unit, taken in enumerate(parts.block):
        kernel[unit, list(taken)] = list(taken.values())
    if len(kernel):
        white = parts.rng.normal(size=kernel.shape) / np.sqrt(kernel.shape[1])
        kernel += noise * np.linalg.norm(kernel, axis=1, keepdims=True) * white
        kernel = emptied(parts.rng, kernel, without)
    before = detectors.responses @ kernel.T
    bias = -before.mean(axis=0)
    answered = np.maximum(before + bias, 0)
    gain = 1 / answered.std(axis=0)
    return Layer(kernel * gain[:, None], bias * gain, answered * gain)


def assembled(
    parts: Parts, detectors: Layer, block: Layer, kernel: Array, places: Places
) -> nn.Module:
    """Return the module; without units of a block there is no stream either."""
    # What comes to the targets, less its mean over random images.
    brought = np.concatenate([detectors.responses, block.responses], axis=1)
    offset = -kernel.sum(axis=(2, 3)) @ brought.mean(axis=0)
    first, middle, last = (each.argsort() for each in places)
    kernel, offset = kernel[last], offset[last]
    below = parts.bank, detectors.kernel[first], detectors.bias[first]
    if not len(middle):
        return sequence(*below, kernel[:, first], offset)
    return ResidualNetwork(
        *below,
        kernel[:, len(first) + middle],
        offset,
        block.kernel[middle][:, first],
        block.bias[middle],
        kernel[:, first],
    ).eval()

"""Kernels as what they make of the one place of a map whose responses are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.activations.editing.runs import KernelChange
from circuitkb.schema.kernels import Connection, Floats

if TYPE_CHECKING:
    from torch import Tensor

BESIDE = 0.3
"""What stands beside the place whose responses are kept, in terms of that place.

This number and :data:`circuitkb.trials.effects.HELD` are guesses that did well on 120 deletions in
EfficientNet-Lite0; what they get wrong is in the intervals.
"""


@dataclass(frozen=True, eq=False)
class Sums:
    """A connection whose kernels are summed: ``sums`` (group, out, in).

    ``l1`` bounds what a unit with one source can make of it.
    """

    source: str
    targets: NDArray[np.int32]
    sources: NDArray[np.int32]
    sums: Tensor
    l1: Tensor
    spatial: bool
    gated: bool

    @property
    def single(self) -> bool:
        """Whether each target has one source here, seen at several positions."""
        return self.spatial and self.sums.shape[1:] == (1, 1)


def summed(one: Connection) -> Sums:
    """Return a connection whose kernels are summed."""
    import torch

    kernel = np.asarray(one.kernel)
    return Sums(
        one.source,
        one.target_units,
        one.source_units,
        torch.from_numpy(_as_one_place(kernel, one.pooling)),
        torch.from_numpy(np.abs(kernel).sum(axis=(3, 4))),
        one.spatial,
        one.path == "gated",
    )


def weight(change: KernelChange) -> float:
    """Return what the change of a kernel makes of that place."""
    return float(_as_one_place(change.kernel, change.geometry.pooling))


def _as_one_place(kernel: Floats, pooling: Sequence[str]) -> Floats:
    """Return what kernels, axes (..., row, column), make of the place whose responses are kept."""
    middle = kernel[..., kernel.shape[-2] // 2, kernel.shape[-1] // 2]
    found: Floats = middle + np.float32(BESIDE) * (kernel.sum(axis=(-2, -1)) - middle)
    return found * np.float32(BESIDE) if "mean" in pooling else found

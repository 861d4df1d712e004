"""What kernels give at some positions of a map, from the definition of a connection alone.

The check of composed kernels relies on this, so it shares no code with the rules that make them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.kernels import Connection, Floats, Integers

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_GATHERED = 2**22
"""Values of the source that are looked at at once (16 MiB)."""

_NUMBERS = re.compile(r"\d+")
_MAX_POOLING = re.compile(r"max( \w+ ?\d+x\d+| \d+x\d+)+( ceil)?")

Places = NDArray[np.int64]


class UnknownPoolingError(Exception):
    """A pooling that this module does not know; caught inside this room."""


@dataclass(eq=False)
class Sums:
    """Sums of kernel values times activations, for some positions of a target's map.

    Attributes
    ----------
    values
        float32, axes (unit, row, column): over the chosen rows and columns.
    sizes
        float64, axes (unit,): bound of what was summed, by lengths of kernels and of what they see.
    """

    values: Floats
    sizes: NDArray[np.float64]

    @classmethod
    def of_bias(cls, bias: Floats, rows: int, columns: int) -> Sums:
        """Start with the constant part of each unit."""
        values = np.repeat(bias[:, None], rows * columns, axis=1)
        return cls(values.reshape(-1, rows, columns), np.abs(bias.astype(np.float64)))

    def add(self, connection: Connection, source: Floats, rows: Places, columns: Places) -> None:
        """Add what a connection gives at the chosen rows and columns.

        Parameters
        ----------
        source
            Activations of the source layer on its whole map, axes (unit, row, column).

        Raises
        ------
        UnknownPoolingError
            The connection goes through a pooling that is not known here.
        IndexError
            A unit of the connection is none of its layer.
        """
        source = pooled(source, connection.pooling)
        kernel, targets, sources = _flat(connection)
        sizes = np.zeros_like(self.sizes)
        for some, seen in _seen(connection, source, rows, columns):
            area = seen.shape[3] * seen.shape[4]
            for part in _slices(len(kernel), kernel.shape[2] * area):
                # Contiguous, or the product would not go through BLAS.
                patches = np.ascontiguousarray(seen[sources[part]])
                patches = patches.reshape(len(patches), -1, area)
                given = np.matmul(kernel[part], patches)
                units = targets[part].reshape(-1)
                block = given.reshape(len(units), seen.shape[3], seen.shape[4])
                if len(np.unique(units)) == len(units):
                    self.values[units, some] += block
                else:
                    np.add.at(self.values[:, some], units, block)
                longest = np.sqrt(np.einsum("gkp,gkp->gp", patches, patches).max(axis=1))
                lengths = np.sqrt(np.einsum("gok,gok->go", kernel[part], kernel[part]))
                np.maximum.at(sizes, units, (lengths * longest[:, None]).reshape(-1))
        self.sizes += sizes


def _flat(connection: Connection) -> tuple[Floats, Integers, Integers]:
    """Return kernels (group, out, what is seen), targets and sources; few groups where they can be.

    Groups that all read the same units are one.
    """
    targets, sources = connection.target_units, connection.source_units
    kernel = np.asarray(connection.kernel).reshape(*targets.shape, -1)
    if len(sources) > 1 and bool((sources == sources[:1]).all()):
        return kernel.reshape(1, targets.size, -1), targets.reshape(1, -1), sources[:1]
    return kernel, targets, sources


def pooled(source: Floats, steps: tuple[str, ...]) -> Floats:
    """Return activations (unit, row, column) after the poolings of a connection.

    Examples
    --------
    >>> pooled(np.arange(4, dtype=np.float32).reshape(1, 2, 2), ("mean",)).tolist()
    [[[1.5]]]
    """
    import torch

    found: Floats = pooled_maps(torch.from_numpy(np.ascontiguousarray(source))[None], steps)[
        0
    ].numpy()
    return found


def pooled_maps(maps: Tensor, steps: tuple[str, ...]) -> Tensor:
    """Return maps, axes (image, unit, row, column), after the poolings of a connection.

    Raises
    ------
    UnknownPoolingError
        One of them is not known.
    """
    from torch.nn import functional

    for step in steps:
        if step == "mean":
            maps = maps.mean(dim=(2, 3), keepdim=True)
        elif _MAX_POOLING.fullmatch(step):
            numbers = [int(number) for number in _NUMBERS.findall(step)]
            size, stride, padding, dilation = (numbers[i : i + 2] for i in (0, 2, 4, 6))
            ceil = step.endswith("ceil")
            maps = functional.max_pool2d(maps, size, stride, padding, dilation, ceil)
        else:
            raise UnknownPoolingError(step)
    return maps


def _seen(
    connection: Connection, source: Floats, rows: Places, columns: Places
) -> Iterator[tuple[slice, Floats]]:
    """Yield what kernels see, a few of the chosen rows at a time.

    Axes (source unit, kernel row, kernel column, row, column); zero outside of the map.
    """
    high, wide = connection.kernel.shape[3:]
    down, across = connection.stride or (1, 1)
    top, left = connection.offset or (0, 0)
    ys = down * rows + top + np.arange(high)[:, None]
    xs = across * columns + left + np.arange(wide)[:, None]
    inside_y, inside_x = (ys >= 0) & (ys < source.shape[1]), (xs >= 0) & (xs < source.shape[2])
    ys, xs = ys.clip(0, source.shape[1] - 1), xs.clip(0, source.shape[2] - 1)
    for some in _slices(len(rows), len(source) * high * wide * len(columns)):
        seen = source[:, ys[:, None, some, None], xs[None, :, None, :]]
        seen *= inside_y[:, None, some, None] & inside_x[None, :, None, :]
        yield some, seen


def _slices(count: int, values: int) -> Iterator[slice]:
    """Cut ``count`` things of so many values each into slices that are not too large."""
    step = max(1, LARGEST_GATHERED // max(values, 1))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))

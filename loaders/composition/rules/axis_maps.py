"""Linear maps along rows or along columns: poolings, padding, slices, resampling, broadcasting.

What such an operation does along one axis is a matrix. Composition holds one kernel for all
positions, so the matrix becomes the window of its middle row, moved on by a stride, and the list
of the positions where that is what the matrix says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from circuitkb.loaders.composition.exactness import Axis, behind_window, centre
from circuitkb.loaders.composition.kernel_algebra import convolve
from circuitkb.loaders.composition.linear_form import Part

_NEGLIGIBLE = 1e-9
"""Weights that differ by less are equal: rounding of the weights of a resampling."""


@dataclass(frozen=True)
class AxisMap:
    """One window along an axis, and where it holds.

    Position ``q`` of the result is the sum of ``weights[k]`` times position ``first + stride * q +
    k``, for the positions at which ``fits`` is true.
    """

    weights: tuple[float, ...]
    first: int
    stride: int
    fits: Axis

    @property
    def moves_only(self) -> bool:
        """Whether it reads one position as it is."""
        return self.weights == (1.0,)


def axis_map(matrix: NDArray[np.float64], stride: int | None = None) -> AxisMap:
    """Return the window of a matrix's middle row, with the stride at which most rows follow it.

    Parameters
    ----------
    matrix
        Axes (position of the result, position that it reads).
    stride
        Is tried first.

    Examples
    --------
    Means of two, where the last one has one position only:

    >>> axis_map(np.array([[.5, .5, 0, 0, 0], [0, 0, .5, .5, 0], [0, 0, 0, 0, 1]]))
    AxisMap(weights=(0.5, 0.5), first=0, stride=2, fits=(True, True, False))
    """
    length, read = matrix.shape
    middle = centre(length)
    (filled,) = np.nonzero(matrix[middle])
    start, end = (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, 1)
    weights = matrix[middle, start:end]
    nonzero = matrix != 0
    starts = np.where(nonzero.any(axis=1), nonzero.argmax(axis=1), -1)
    wanted = [stride] if stride is not None else []
    for one, other in ((middle, middle + 1), (middle - 1, middle)):
        if one >= 0 and other < length and min(starts[one], starts[other]) >= 0:
            wanted.append(int(starts[other] - starts[one]))
    best: tuple[int, int, NDArray[np.bool_]] | None = None
    for step in dict.fromkeys([*wanted, 1, 0]):
        if step < 0:
            continue
        place = start + step * (np.arange(length) - middle)[:, None] + np.arange(end - start)
        row, tap = np.nonzero((place >= 0) & (place < read))
        followed = np.zeros_like(matrix)
        followed[row, place[row, tap]] = weights[tap]
        same: NDArray[np.bool_] = np.all(np.abs(followed - matrix) <= _NEGLIGIBLE, axis=1)
        if best is None or same.sum() > best[0]:
            best = (int(same.sum()), step, same)
    _, step, fits = best if best is not None else (0, 1, np.zeros(length, bool))
    return AxisMap(tuple(weights.tolist()), start - step * middle, step, tuple(fits.tolist()))


def picking(places: Sequence[int], length: int) -> AxisMap:
    """Return the map whose position ``q`` is position ``places[q]`` of ``length``; -1 is zero."""
    matrix = np.zeros((len(places), length))
    row = np.arange(len(places))
    chosen = np.asarray(places)
    matrix[row[chosen >= 0], chosen[chosen >= 0]] = 1
    return axis_map(matrix)


def pooling(
    length: int,
    size: int,
    stride: int,
    padding: int,
    count: int,
    *,
    padded: bool,
    divided: bool = True,
) -> AxisMap:
    """Return the map of an average pooling with ``count`` windows.

    ``padded`` says whether padding counts in the divisor; ``divided`` whether there is one.
    """
    start = np.arange(count) * stride - padding
    end = np.minimum(start + size, length + padding)
    divisor = end - start
    matrix = np.zeros((count, length))
    place = np.arange(length)
    inside = (place >= np.maximum(start, 0)[:, None]) & (place < np.minimum(end, length)[:, None])
    if not padded:
        divisor = inside.sum(axis=1)
    matrix[inside] = 1
    if divided:
        matrix /= np.maximum(divisor, 1)[:, None]
    return axis_map(matrix, stride)


def adaptive(length: int, count: int) -> AxisMap:
    """Return the map of an adaptive average pooling to ``count`` positions."""
    start = np.arange(count) * length // count
    end = -(-(np.arange(count) + 1) * length // count)
    place = np.arange(length)
    matrix = ((place >= start[:, None]) & (place < end[:, None])).astype(float)
    return axis_map(matrix / matrix.sum(axis=1, keepdims=True))


def whole(length: int, weight: float) -> AxisMap:
    """Return the map to one position: the sum of all, times ``weight``."""
    return axis_map(np.full((1, length), weight))


def applied(part: Part, rows: AxisMap, columns: AxisMap, channels: int) -> list[Part]:
    """Compose a part with a map along rows and one along columns, the same for each channel."""
    size = (len(rows.fits), len(columns.fits))
    stride, first = (rows.stride, columns.stride), (rows.first, columns.first)
    if rows.moves_only and columns.moves_only:
        parts = [_moved(part, size, stride, first)]
    else:
        window = torch.outer(torch.tensor(rows.weights), torch.tensor(columns.weights))
        parts = convolve(
            part,
            window.expand(channels, 1, -1, -1),
            size=size,
            groups=channels,
            stride=stride,
            padding=(-first[0], -first[1]),
        )
    return [piece.narrowed(rows.fits, columns.fits) for piece in parts]


def _moved(
    part: Part, size: tuple[int, int], stride: tuple[int, int], first: tuple[int, int]
) -> Part:
    """Read the part's tensor at one place for each position, without touching the kernels."""

    def axis(number: int) -> Axis:
        return behind_window(
            part.exact[number],
            source=(part.source.rows, part.source.columns)[number],
            stride=part.stride[number],
            offset=part.offset[number],
            size=part.kernel.shape[number - 2],
            taps=1,
            spread=1,
            step=stride[number],
            first=first[number],
            length=size[number],
        )

    return replace(
        part,
        exact=(axis(0), axis(1)),
        stride=(part.stride[0] * stride[0], part.stride[1] * stride[1]),
        offset=(
            part.offset[0] + part.stride[0] * first[0],
            part.offset[1] + part.stride[1] * first[1],
        ),
    )

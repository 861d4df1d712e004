"""How alike kernels are, plain and transformed, and which pairs of them a motif may join."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.transforms import Transform
from circuitkb.schema.kernels import Floats

_BLOCK = 1 << 22
"""Numbers that one intermediate array may hold (16 MB in single precision)."""


def standardise(kernel: Floats) -> Floats:
    """Return kernels as vectors of mean 0 and length 1, so that a product is a correlation.

    Parameters
    ----------
    kernel
        Axes (..., row, column). A constant kernel becomes zeros: it is like nothing.

    Examples
    --------
    >>> standardise(np.array([[[3, 1]], [[2, 2]]], np.float32)).round(3).tolist()
    [[0.707..., -0.707...], [0.0, 0.0]]
    """
    flat = kernel.reshape(*kernel.shape[:-2], -1).astype(np.float64)
    flat = flat - flat.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(flat, axis=-1, keepdims=True)
    # What rounding leaves of a constant kernel is no shape.
    size = np.abs(kernel).max(axis=(-2, -1), initial=0)[..., None]
    some = length > 1e-6 * size
    unit: Floats = (np.where(some, flat, 0) / np.where(some, length, 1)).astype(np.float32)
    return unit


def similarities(vectors: Floats, images: Floats) -> tuple[Floats, Floats]:
    """Return the correlations of all pairs: transformed against plain, and plain against plain.

    Parameters
    ----------
    vectors, images
        Standardised kernels and their transforms, axes (..., kernel, place).

    Returns
    -------
    tuple
        Two arrays with axes (..., kernel, kernel), both symmetric for a transform that is its
        own inverse.
    """
    plain = vectors.swapaxes(-1, -2)
    return images @ plain, vectors @ plain


@dataclass(frozen=True)
class Match:
    """When two kernels are each other's transform, and neither alike nor opposed as they are.

    Attributes
    ----------
    mirrored
        corr(transform(A), B) is above this.
    same
        corr(A, B) is below this: otherwise both are one case.
    opposed
        corr(A, B) is above this: a kernel that is the other's negative needs no transform to
        explain it, and a unit whose kernels are one odd shape with both signs is full of them.
    """

    mirrored: float = 0.8
    same: float = 0.5
    opposed: float = -0.8

    def __call__(self, vectors: Floats, images: Floats) -> NDArray[np.bool_]:
        """Return which pairs match; axes (..., kernel, kernel), symmetric.

        Examples
        --------
        >>> kernels = np.array([[[4, 0, 1]], [[1, 0, 4]], [[4, 0, 1]]], np.float32)
        >>> vectors = standardise(kernels)
        >>> Match()(vectors, vectors[:, ::-1]).astype(int).tolist()
        [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
        """
        return self.holds(*similarities(vectors, images))

    def holds(self, across: Floats, plain: Floats) -> NDArray[np.bool_]:
        """Return where the correlations, transformed and plain, are those of a match."""
        return (across > self.mirrored) & (plain < self.same) & (plain > self.opposed)


def count_matches(vectors: Floats, images: Floats, match: Match) -> NDArray[np.int64]:
    """Return the number of matching pairs in each set of kernels.

    Parameters
    ----------
    vectors, images
        Axes (set, kernel, place).
    """
    sets, k, places = vectors.shape
    found = np.empty(sets, np.int64)
    for part in blocks(sets, k * max(k, places)):
        # No kernel matches itself: it is like itself.
        found[part] = match(vectors[part], images[part]).sum(axis=(1, 2)) // 2
    return found


def blocks(count: int, numbers_each: int) -> Iterator[slice]:
    """Yield slices of ``range(count)`` that keep an intermediate array small."""
    step = max(1, _BLOCK // max(1, numbers_each))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def with_images(kernel: Floats, transform: Transform) -> tuple[Floats, Floats]:
    """Return standardised kernels and their standardised transforms; axes (..., place)."""
    return standardise(kernel), standardise(transform.apply(kernel))

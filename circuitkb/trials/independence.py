"""Whether two measurements of the same stimuli are independent: HSIC with a permutation test.

The Hilbert-Schmidt independence criterion of Gretton and others (A kernel statistical test of
independence, NIPS 2007), with Gaussian kernels whose width is the median distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_SMALL = 1e-9
"""Share of the largest eigenvalue below which a direction of a kernel matrix is left out."""

_AT_ONCE = 2_000_000


def independence_p(
    one: Numbers, other: Numbers, permutations: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return HSIC of two measurements, and the share of permutations with as much, counting it.

    A measurement that never changes is independent of everything: p is 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> one = rng.normal(size=60)
    >>> independence_p(one, one**2, 199, rng)[1]
    0.005
    >>> independence_p(one, np.ones(60), 199, rng)[1]
    1.0
    """
    first, second = _centred_factor(one), _centred_factor(other)
    if not first.size or not second.size:
        return 0.0, 1.0
    count = len(one)
    found = _size(first, second[None])[0]
    reached = 0
    step = max(1, _AT_ONCE // second.size)
    for start in range(0, permutations, step):
        orders = rng.random((min(step, permutations - start), count)).argsort(axis=1)
        # Rounding must not let the same order count as less.
        reached += int((_size(first, second[orders]) >= found * (1 - 1e-9)).sum())
    return float(found) / (count - 1) ** 2, (1 + reached) / (1 + permutations)


def _size(first: Numbers, second: Numbers) -> Numbers:
    """Return the squared size of ``first.T @ each``: the trace of both kernel matrices' product."""
    found: Numbers = ((first.T @ second) ** 2).sum(axis=(1, 2))
    return found


def _centred_factor(values: Numbers) -> Numbers:
    """Return F, axes (stimulus, direction), with F F^T the centred kernel matrix.

    Eigenvalues of a Gaussian kernel of one number fall fast, so few directions are left.
    """
    distance = np.abs(values[:, None] - values[None])
    if not distance.any():
        return np.empty((len(values), 0))
    kernel = np.exp(-0.5 * (distance / np.median(distance[distance > 0])) ** 2)
    kernel -= kernel.mean(axis=0)
    kernel -= kernel.mean(axis=1, keepdims=True)
    size, direction = np.linalg.eigh((kernel + kernel.T) / 2)
    held = size > _SMALL * size[-1]
    found: Numbers = direction[:, held] * np.sqrt(size[held])
    return found

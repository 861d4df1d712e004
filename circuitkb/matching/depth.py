"""Whether matched units stand equally deep: a check that the search does not build in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 999


@dataclass(frozen=True, slots=True)
class DepthAgreement:
    """Correlation of the relative depths of matched units; None where it has no meaning.

    ``p`` is the share of random pairings of the same units, counting the real one, that agree as
    well; ``null_highest`` the best agreement among them.
    """

    correlation: float | None
    p: float | None
    null_highest: float | None

    @classmethod
    def nothing(cls) -> Self:
        """Return what there is to say of no matches."""
        return cls(None, None, None)


def depth_agreement(
    one: NDArray[np.float64], other: NDArray[np.float64], seed: int
) -> DepthAgreement:
    """Return how the relative depths of matched units agree, against random pairings of them.

    Examples
    --------
    >>> found = depth_agreement(np.linspace(0, 1, 50), np.linspace(0, 1, 50), seed=0)
    >>> found.correlation, found.p
    (1.0, 0.001)
    """
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return DepthAgreement.nothing()
    one, other = (
        (each - each.mean()) / np.linalg.norm(each - each.mean()) for each in (one, other)
    )
    rng = np.random.default_rng(seed)
    null = np.array([one @ rng.permutation(other) for _ in range(PERMUTATIONS)])
    real = float(one @ other)
    reached = 1 + int(np.count_nonzero(null >= real))
    return DepthAgreement(round(real, 6), reached / (1 + PERMUTATIONS), float(null.max()))

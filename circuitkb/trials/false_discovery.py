"""False discovery rate over many trials, most of which may well be true."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MIDDLE = 0.5
"""Share of p-values above it, of those that are null."""


def q_values(p: Sequence[float]) -> NDArray[np.float64]:
    """Return q for each p: that of Benjamini and Hochberg times the share of true nulls.

    The share is estimated by how many p lie above one half (Storey, Journal of the Royal
    Statistical Society B 2002, with the count one larger). With few controls the smallest p is
    large, and without the share no number of trials could pass.

    Examples
    --------
    >>> q_values([0.05] * 19 + [0.9]).round(3).tolist()[-2:]
    [0.011, 0.18]
    >>> q_values([0.05, 0.3, 0.6, 0.9]).round(2).tolist()
    [0.2, 0.6, 0.8, 0.9]
    """
    from scipy.stats import false_discovery_control

    given = np.asarray(p, np.float64)
    if not len(given):
        return given
    nulls = min(1.0, (1 + (given > MIDDLE).sum()) / (len(given) * (1 - MIDDLE)))
    found: NDArray[np.float64] = nulls * false_discovery_control(given)
    return found

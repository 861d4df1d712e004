"""How often a null reaches a measured value, and the correction for many units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

RATE = 0.05
"""False discovery rate within each layer."""


def share_reached(values: Doubles, null: Doubles) -> Doubles:
    """Return for each value the share of the null at or above it, counting the value itself.

    Parameters
    ----------
    values
        Any number of measured values.
    null
        Draws that they are all compared with.

    Returns
    -------
    array
        ``(1 + number at or above) / (1 + number of draws)``: never 0.

    Examples
    --------
    >>> share_reached(np.array([0.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0]))
    array([1.  , 0.75, 0.25])
    """
    below = np.searchsorted(np.sort(null), values, side="left")
    return (1 + len(null) - below) / (1 + len(null))


def corrected(p: Doubles) -> Doubles:
    """Return q: ``p`` corrected for false discovery over all of them (Benjamini and Hochberg).

    Units compared with one null pool share its luck. Benjamini-Hochberg still controls the
    rate, since such p-values depend on one another positively (Bates et al., Testing for outliers
    with conformal p-values, Annals of Statistics 2023).

    Examples
    --------
    >>> corrected(np.array([0.01, 0.02, 0.9]))
    array([0.03, 0.03, 0.9 ])
    """
    if not len(p):
        return p
    from scipy.stats import false_discovery_control

    q: Doubles = false_discovery_control(p)
    return q

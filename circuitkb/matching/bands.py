"""Bands of layers: chance is counted where it happens, since shallow units look more alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.matching.responses import Rows

SMALLEST = 100
"""Pairs above the threshold, real and of the controls together, that a band has at least."""


@dataclass(frozen=True, slots=True)
class Band:
    """Consecutive layers, by number; ``stop`` is not part of it."""

    start: int
    stop: int

    def holds(self, layer: Rows) -> NDArray[np.bool_]:
        """Return which layers, given by number, lie in it."""
        inside: NDArray[np.bool_] = (layer >= self.start) & (layer < self.stop)
        return inside


def bands(layer: Rows, layers: int, smallest: int = SMALLEST) -> tuple[Band, ...]:
    """Return bands of consecutive layers that hold at least ``smallest`` pairs each.

    Layers are joined from the first on until they are enough; what is left at the end joins the
    last band. Fewer pairs make one band.

    Parameters
    ----------
    layer
        Number of the layer of one member of each pair. Real pairs and those of controls must be
        counted alike: bands that real pairs alone shaped would favour them.
    layers
        Number of layers.

    Examples
    --------
    >>> bands(np.array([0, 0, 1, 2, 2, 3]), 5, smallest=2)
    (Band(start=0, stop=1), Band(start=1, stop=5))
    """
    found: list[Band] = []
    start = total = 0
    for number, count in enumerate(np.bincount(layer, minlength=layers).tolist()):
        total += count
        if total >= smallest:
            found.append(Band(start, number + 1))
            start, total = number + 1, 0
    if start < layers:
        found.append(Band(found.pop().start if found and total < smallest else start, layers))
    return tuple(found)

"""Circuits that were not found: real parts, joined at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .answers import Rows

TRIES = 10

Alike = Callable[[Rows], NDArray[np.bool_]]
"""Which of some circuits, axes (circuit, member), are alike to one that was found."""


@dataclass(frozen=True, eq=False)
class Rewiring:
    """Where the parts of random circuits come from.

    Attributes
    ----------
    circuits
        The found circuits: target, case of side 1, case of side 2; axes (circuit, member).
    layer
        Number of the layer of every compared unit.
    alike
        Tells which circuits are no chance: those that are alike to a found one of the same model.
        They are drawn again.
    """

    circuits: Rows
    layer: Rows
    alike: Alike

    def other_cases(self, rng: np.random.Generator) -> Rows:
        """Return found targets, each with both cases of another found circuit.

        Of one whose target stands in the same layer, so that the cases are as deep as the target's
        own; after ten tries of any one. Targets for which none is unlike are left out.
        """
        layer = self.layer[self.circuits[:, 0]]
        order = np.argsort(layer, kind="stable")
        ranked = layer[order]
        start, stop = (np.searchsorted(ranked, layer, side) for side in ("left", "right"))

        def draw(which: Rows, turn: int) -> Rows:
            low, high = (start, stop) if turn < TRIES else (0 * start, 0 * stop + len(order))
            donor = order[rng.integers(low[which], high[which])]
            return np.column_stack([self.circuits[which, 0], self.circuits[donor, 1:]])

        return self._until_unlike(draw, 2 * TRIES)

    def another_target(self, rng: np.random.Generator) -> Rows:
        """Return found cases, each pair with another unit of its target's layer."""
        order = np.argsort(self.layer, kind="stable")
        ranked = self.layer[order]
        layer = self.layer[self.circuits[:, 0]]
        start, stop = (np.searchsorted(ranked, layer, side) for side in ("left", "right"))

        def draw(which: Rows, turn: int) -> Rows:
            target = order[rng.integers(start[which], stop[which])]
            return np.column_stack([target, self.circuits[which, 1:]])

        return self._until_unlike(draw, TRIES)

    def _until_unlike(self, draw: Callable[[Rows, int], Rows], tries: int) -> Rows:
        drawn = self.circuits.copy()
        left = np.arange(len(drawn))
        for turn in range(tries):
            if not len(left):
                break
            drawn[left] = draw(left, turn)
            left = left[self.alike(drawn[left])]
        return np.delete(drawn, left, axis=0)

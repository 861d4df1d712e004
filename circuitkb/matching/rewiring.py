"""Circuits that were not found: real parts, joined at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.matching.responses import Rows

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

    Notes
    -----
    Draws that are alike to a found circuit are left out, and not drawn again: whoever counts
    matches among the rest divides by the share of draws that is left. Drawn again, the rest would
    be too few to show chance where the found circuits are most of those that there can be.
    """

    circuits: Rows
    layer: Rows
    alike: Alike

    def other_cases(self, rng: np.random.Generator) -> Rows:
        """Return found targets, each with both cases of another found circuit.

        Of one whose target stands in the same layer, so that the cases are as deep as its own;
        where there is none, of any.
        """
        layer = self.layer[self.circuits[:, 0]]
        order = np.argsort(layer, kind="stable")
        start, stop = _spans(layer[order], layer)
        alone = stop - start < 2
        start, stop = np.where(alone, 0, start), np.where(alone, len(order), stop)
        donor = order[rng.integers(start, stop)]
        return self._unlike(np.column_stack([self.circuits[:, 0], self.circuits[donor, 1:]]))

    def another_target(self, rng: np.random.Generator) -> Rows:
        """Return found cases, each pair with a random unit of its target's layer."""
        order = np.argsort(self.layer, kind="stable")
        start, stop = _spans(self.layer[order], self.layer[self.circuits[:, 0]])
        target = order[rng.integers(start, stop)]
        return self._unlike(np.column_stack([target, self.circuits[:, 1:]]))

    def _unlike(self, drawn: Rows) -> Rows:
        unlike: Rows = drawn[~self.alike(drawn)]
        return unlike


def _spans(ranked: Rows, wanted: Rows) -> tuple[Rows, Rows]:
    """Return where each wanted value begins and ends among ranked ones."""
    return np.searchsorted(ranked, wanted, "left"), np.searchsorted(ranked, wanted, "right")

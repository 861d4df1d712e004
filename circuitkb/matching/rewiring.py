"""Circuits that were not found: real parts, joined at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.matching.responses import Rows

Alike = Callable[[Rows], NDArray[np.bool_]]
"""Which of some circuits, axes (circuit, member), are alike to one that was found."""

Draw = Callable[[np.random.Generator], Rows]


@dataclass(frozen=True, eq=False)
class Rewiring:
    """Where the parts of random circuits come from.

    Attributes
    ----------
    circuits
        The found circuits: target, case of side 1, case of side 2, or the parts of a group; axes
        (circuit, member), -1 where others have more members.
    layer
        Number of the layer of every compared unit.
    alike
        Tells which circuits are no chance: those that are alike to a found one of the same model.
    kept
        How many members come first that have the role of a target; None where all have one role:
        then the first half of them is kept.
    pairs
        Whether the circuits are two cases of a target.

    Notes
    -----
    Draws that are alike to a found circuit are left out, and not drawn again: whoever counts
    matches among the rest divides by the share of draws that is left. Drawn again, the rest would
    be too few to show chance where the found circuits are most of those that there can be.
    """

    circuits: Rows
    layer: Rows
    alike: Alike
    kept: int | None = 1
    pairs: bool = True

    @property
    def ways(self) -> tuple[Draw, Draw]:
        """Both ways to draw circuits."""
        return self.other_cases, self.another_target if self.pairs else self.another_member

    def other_cases(self, rng: np.random.Generator) -> Rows:
        """Return found targets, each with both cases of another found circuit.

        Of one whose target stands in the same layer, so that the cases are as deep as its own;
        where there is none, of any. Of groups those of the first role take its place.
        """
        layer = self.layer[self._some[:, 0]]
        order = np.argsort(layer, kind="stable")
        start, stop = _spans(layer[order], layer)
        alone = stop - start < 2
        start, stop = np.where(alone, 0, start), np.where(alone, len(order), stop)
        donor = order[rng.integers(start, stop)]
        kept = self.kept
        if kept is None:
            half = (np.count_nonzero(self.circuits >= 0, axis=1) + 1) // 2
            own = np.arange(self.circuits.shape[1]) < half[:, None]
            return self._unlike(np.where(own, self.circuits, self.circuits[donor]))
        return self._unlike(np.column_stack([self.circuits[:, :kept], self.circuits[donor, kept:]]))

    def another_target(self, rng: np.random.Generator) -> Rows:
        """Return found cases, each pair with a random unit of its target's layer."""
        target = self._of_layer(self.circuits[:, 0], rng)
        return self._unlike(np.column_stack([target, self.circuits[:, 1:]]))

    def another_member(self, rng: np.random.Generator) -> Rows:
        """Return found groups, in each a random unit of the layer in the place of one member."""
        there = self.circuits >= 0
        place = np.where(there, rng.random(there.shape), 2).argmin(axis=1)
        circuit = np.arange(len(place))
        drawn = self.circuits.copy()
        drawn[circuit, place] = self._of_layer(drawn[circuit, place], rng)
        return self._unlike(drawn)

    def _of_layer(self, unit: Rows, rng: np.random.Generator) -> Rows:
        """Return a random compared unit of the layer of each."""
        order = np.argsort(self.layer, kind="stable")
        start, stop = _spans(self.layer[order], self.layer[unit])
        drawn: Rows = order[rng.integers(start, stop)]
        return drawn

    @property
    def _some(self) -> Rows:
        """The members of each circuit, those that are there first."""
        first = np.argsort(self.circuits < 0, axis=1, kind="stable")
        ranked: Rows = np.take_along_axis(self.circuits, first, axis=1)
        return ranked

    def _unlike(self, drawn: Rows) -> Rows:
        unlike: Rows = drawn[~self.alike(drawn)]
        return unlike


def _spans(ranked: Rows, wanted: Rows) -> tuple[Rows, Rows]:
    """Return where each wanted value begins and ends among ranked ones."""
    return np.searchsorted(ranked, wanted, "left"), np.searchsorted(ranked, wanted, "right")

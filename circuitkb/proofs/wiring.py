"""A model's layers, biases and kernels, as proofs read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import ProofError
from circuitkb.schema.kernels import Connection

Values = NDArray[np.float64]

CLIPS = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0), "output": (-math.inf, math.inf)}
"""Between which numbers a nonlinearity cuts off, for those that do nothing else."""


@dataclass(frozen=True)
class LayerShape:
    """A layer: its place in the order of computation, its nonlinearity, units, rows, columns."""

    position: int
    kind: str
    channels: int
    rows: int
    columns: int

    @property
    def centre(self) -> tuple[int, int]:
        """The place of the map at which kernels always hold."""
        return self.rows // 2, self.columns // 2


@dataclass(frozen=True, eq=False)
class Wiring:
    """All that proofs read of a model.

    Attributes
    ----------
    model
        Its name.
    layers
        By name.
    connections
        All of them, as a store gives them.
    biases
        Returns the constant part of every unit of a layer; NaN where it is not known.
    """

    model: str
    layers: Mapping[str, LayerShape]
    connections: Sequence[Connection]
    biases: Callable[[str], Values]
    _into: dict[str, list[Connection]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.connections:
            self._into.setdefault(one.target, []).append(one)

    def into(self, layer: str) -> list[Connection]:
        """Return the connections that lead into a layer.

        Raises
        ------
        ProofError
            There are none, or they do not hold everywhere they would have to.
        """
        found = self._into.get(layer, [])
        if not found:
            raise ProofError(f"{self.model}/{layer}: no kernels lead into it, so nothing is known.")
        for one in found:
            if one.path == "gated":
                raise ProofError(
                    f"{self.model}/{layer} reads {one.source} through a gate, so its kernels hold "
                    "near one image only: nothing can be proved of it."
                )
            if any(step != "mean" for step in one.pooling):
                raise ProofError(
                    f"{self.model}/{layer} reads {one.source} after {', '.join(one.pooling)}, "
                    "which cannot be encoded."
                )
            if one.stride is None or one.offset is None:
                raise ProofError(f"{self.model}: of a published circuit only some edges are known.")
        return found

    def clip(self, layer: str) -> tuple[float, float]:
        """Return between which numbers a layer's nonlinearity cuts off.

        Raises
        ------
        ProofError
            It does something else.
        """
        kind = self.layers[layer].kind
        if kind not in CLIPS:
            raise ProofError(
                f"{self.model}/{layer} ends in {kind}: only {' and '.join(sorted(CLIPS))} can be "
                "encoded. --box range encodes no nonlinearity."
            )
        return CLIPS[kind]

    def reading_place(
        self,
        layer: str,
        unit: int,
        target: str,
        place: tuple[int, int],
        shapes: Mapping[str, LayerShape] | None = None,
    ) -> tuple[int, int]:
        """Return the place of a unit's map on which the kernel from it into a target is centred.

        Where no kernel leads from one to the other, it is the place of the map that lies as the
        target's place does on its own.

        Parameters
        ----------
        shapes
            Of the maps, where the network is looked at in another size.
        """
        sizes = self.layers if shapes is None else shapes
        for one in self._into.get(target, ()):
            if one.source == layer and (one.source_units == unit).any() and not one.pooling:
                stride, offset = one.stride or (1, 1), one.offset or (0, 0)
                found = (
                    stride[axis] * place[axis] + offset[axis] + one.kernel.shape[3 + axis] // 2
                    for axis in (0, 1)
                )
                row, column = found
                shape = sizes[layer]
                return min(max(row, 0), shape.rows - 1), min(max(column, 0), shape.columns - 1)
        here, there = sizes[layer], sizes[target]
        return (
            int((place[0] + 0.5) * here.rows / there.rows),
            int((place[1] + 0.5) * here.columns / there.columns),
        )

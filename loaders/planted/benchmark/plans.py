"""What is planted, before units have their numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.planted.benchmark.parts import Parts

Array = NDArray[np.float64]

Layer = Literal["detectors", "block", "targets"]

Inputs = Mapping[int, Array]
"""Kernels of one target, axes (row, column), by its detectors; units of a block count on."""


@dataclass(frozen=True, eq=False)
class Plan:
    """One circuit, or one decoy.

    Attributes
    ----------
    targets
        What each of its targets takes.
    detectors
        Where the circuit is about detectors: which.
    """

    targets: tuple[Inputs, ...] = ()
    detectors: tuple[int, ...] = ()


@dataclass(frozen=True)
class PlantedKind:
    """A kind of circuit that networks are made with.

    Attributes
    ----------
    name
        As motifs are called.
    what
        What the circuit is, in a sentence.
    decoy
        What its decoys are.
    naive
        The criterion that decoys fulfil as the circuits do.
    about
        The layer of the units that an answer is about.
    units
        How many these are in a circuit.
    members
        The layers of the other units of a circuit, if it has any.
    count
        Those that a method which must be told is told.
    taps
        Rows and columns of the kernels of targets.
    channels, size
        Of the images.
    plant
        Draws so many circuits, and so many decoys.
    fillers
        Targets of nothing in particular, with weights as a circuit has.
    """

    name: str
    what: str
    decoy: str
    naive: str
    about: Layer
    units: int
    members: tuple[Layer, ...]
    count: int
    plant: Callable[[Parts, int], tuple[Sequence[Plan], Sequence[Plan]]]
    taps: int = 1
    channels: int = 1
    size: int = 27
    fillers: int = 12


def weights(inputs: Mapping[int, float]) -> Inputs:
    """Return kernels of one tap.

    Examples
    --------
    >>> weights({3: -1.0})
    {3: array([[-1.]])}
    """
    return {unit: np.array([[weight]]) for unit, weight in inputs.items()}

"""Targets with circuits that are known to be whole, and decoys that are known not to be.

:func:`plant_circuits` wires targets to detectors whose responses are known. Each target has two
mirrored cases, as strong bystanders (detectors that are silent wherever a case responds), and a
trace of all other detectors. On the stimuli of its cases a target is what its cases make it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.planted.detectors import PlantedDetector

Array = NDArray[np.float64]

_LEAST = 0.05
"""Spread of a detector that takes part, as a share of the root mean square of all."""


@dataclass(frozen=True)
class PlantedCircuit:
    """One target: the circuit that is there, and what is not.

    Attributes
    ----------
    unit
        Number of the target.
    sides
        Its cases, numbers of detectors, in two sides: the true circuit.
    bystanders
        Inputs as strong as the cases that are silent where these respond.
    idle
        The weakest of all inputs.
    """

    unit: int
    sides: tuple[tuple[int, ...], tuple[int, ...]]
    bystanders: tuple[int, ...]
    idle: int

    @property
    def edges(self) -> tuple[int, ...]:
        """Inputs of the true circuit."""
        return self.sides[0] + self.sides[1]

    @property
    def decoys(self) -> Mapping[str, tuple[int, ...]]:
        """Inputs of circuits that are wrong, by what is wrong with them.

        Examples
        --------
        >>> PlantedCircuit(0, ((1,), (2,)), (3, 4), 5).decoys
        {'a member exchanged': (1, 3), 'an idle edge added': (1, 2, 5), 'half': (1,)}
        """
        return {
            "a member exchanged": self.edges[:-1] + self.bystanders[:1],
            "an idle edge added": (*self.edges, self.idle),
            "half": self.sides[0],
        }


def plant_circuits(
    rng: np.random.Generator,
    detectors: Sequence[PlantedDetector],
    responses: Array,
    *,
    count: int,
    bystanders: int = 2,
    noise: float = 0.001,
) -> tuple[tuple[PlantedCircuit, ...], NDArray[np.float32]]:
    """Wire targets to detectors, by their responses to the stimuli that tests will show.

    Parameters
    ----------
    rng
        Draws cases, bystanders and noise.
    detectors
        As :class:`~circuitkb.loaders.planted.networks.Planted` has them.
    responses
        Of the detectors, axes (detector, stimulus).
    count
        Targets.
    bystanders
        Of each target, drawn from the six that are most silent.
    noise
        Strength of every other edge (weight times spread), relative to that of a case: standard
        deviation of normal draws.

    Returns
    -------
    circuits
        One for each target.
    kernel
        Weights, axes (target, detector). A case's and a bystander's weight times spread is 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> detectors = [PlantedDetector(0, "chiral", twin=1, mirrors=(2, 3))]
    >>> detectors += [PlantedDetector(unit, "random") for unit in range(1, 12)]
    >>> responses = np.eye(12).repeat(2, axis=1)
    >>> (circuit,), kernel = plant_circuits(rng, detectors, responses, count=1)
    >>> circuit.sides, kernel.shape
    (((0,), (2,)), (1, 12))
    """
    spread = responses.std(axis=1)
    loud = spread > _LEAST * np.sqrt(np.mean(spread**2))
    gain = 1 / np.where(loud, spread, np.inf)
    chosen = [d for d in detectors if d.kind == "chiral" and loud[[d.unit, d.mirrors[0]]].all()]
    energy = (responses**2).sum(axis=1)
    score = (responses - responses.mean(axis=1, keepdims=True)) * gain[:, None]
    circuits, kernel = [], noise * rng.normal(size=(count, len(responses))) * gain
    for unit in range(count):
        case = chosen[rng.integers(len(chosen))]
        edges = case.unit, case.mirrors[0]
        there = (score[list(edges)] > 1).any(axis=0)
        heard = (responses[:, there] ** 2).sum(axis=1) / np.where(loud, energy, 1)
        family = [unit for unit in (case.unit, case.twin, *case.mirrors) if unit is not None]
        heard[~loud] = heard[family] = np.inf
        silent = rng.permutation(np.argsort(heard, kind="stable")[:6])[:bystanders].tolist()
        kernel[unit, [*edges, *silent]] = gain[[*edges, *silent]]
        strength = np.abs(kernel[unit]) * spread
        weakest = int(np.argmin(np.where(strength > 0, strength, np.inf)))
        circuits.append(PlantedCircuit(unit, ((edges[0],), (edges[1],)), tuple(silent), weakest))
    return tuple(circuits), kernel.astype(np.float32)

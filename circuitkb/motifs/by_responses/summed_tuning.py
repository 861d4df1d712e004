"""Tuning of units to a direction, and of the weighted sums of their inputs, against chance.

Tuning is the first harmonic over directions, a complex number for each family: stimuli that differ
in their direction alone. A sum's power is compared with its expectation over permutations of the
inputs of each layer, which is known in closed form.

Memory: the weights into one layer, and a few complex numbers for each unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.motifs.by_responses.input_masses import InputMasses
from circuitkb.motifs.by_responses.weighted_inputs import net
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.responses import KeptArray

Complex = NDArray[np.complex64]
Doubles = NDArray[np.float64]


def harmonics(stimuli: Sequence[Stimulus], kinds: Sequence[str]) -> Complex:
    """Return the waves whose products with responses are tunings, axes (stimulus, family).

    Raises
    ------
    QueryError
        No stimulus of these kinds was shown.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> harmonics(battery().stimuli, ["arc", "curved edge"]).shape
    (1165, 16)
    """
    families: dict[tuple[Any, ...], list[int]] = {}
    for place, item in enumerate(stimuli):
        if item.kind in kinds:
            given = {name: own for name, own in item.parameters.items() if name != "direction"}
            families.setdefault((item.kind, *given.items()), []).append(place)
    if not families:
        raise QueryError(f"This observation shows no {' and no '.join(kinds)}.")
    found = np.zeros((len(stimuli), len(families)), np.complex64)
    for family, places in enumerate(families.values()):
        angles = np.deg2rad([stimuli[place].number("direction") for place in places])
        found[places, family] = np.exp(1j * angles) * np.sqrt(2) / len(places)
    return found


def mixed_angles(waves: Complex, rng: np.random.Generator) -> Complex:
    """Return the same with the directions of each family permuted."""
    found = np.zeros_like(waves)
    for family in range(waves.shape[1]):
        places = np.flatnonzero(waves[:, family])
        found[places, family] = waves[rng.permutation(places), family]
    return found


def tunings(
    responses: KeptArray, coupled: CoupledResponses, waves: Sequence[Complex]
) -> list[Complex]:
    """Return the tuning of all units to each of some waves, axes (unit, family); read once."""
    (shown,) = np.nonzero(np.any([own.any(axis=1) for own in waves], axis=0))
    sizes = np.cumsum([own.shape[1] for own in waves])[:-1]
    every = np.concatenate(waves, axis=1)[shown].copy().view(np.float32)
    found = np.zeros((len(coupled.spread), every.shape[1]), np.float32)
    for rows in coupled.layers.values():
        found[rows] = responses[rows][:, shown].astype(np.float32) @ every
    return np.split(found.view(np.complex64), sizes, axis=1)


def variation(responses: KeptArray, coupled: CoupledResponses, waves: Complex) -> Doubles:
    """Return the variance of all units over directions, on average over the families."""
    found = np.zeros(len(coupled.spread))
    families = [np.flatnonzero(waves[:, family]) for family in range(waves.shape[1])]
    for rows in coupled.layers.values():
        own = responses[rows].astype(np.float32)
        found[rows] = np.mean([own[:, places].var(axis=1) for places in families], axis=0)
    return found


class Sums(NamedTuple):
    """Of each unit: the sum's tuning, the power's gain over chance, and the cosine with its own."""

    drive: Complex
    gain: Doubles
    agreement: Doubles


class SummedTuning:
    """One target layer, whose inputs' tunings are added up as they are, and permuted."""

    def __init__(self, inputs: InputMasses, coupled: CoupledResponses, model: str) -> None:
        self.inputs, self.coupled, self.model = inputs, coupled, model
        self.weights = net(inputs)
        layer = coupled.layer_of(inputs.sources)
        self.parts = [np.flatnonzero(layer == one) for one in np.unique(layer)]

    def sums(self, tuning: Complex, order: Rows | None = None) -> Sums:
        """Add up the inputs' tuning, with the inputs in another order if one is given."""
        given = tuning[self.inputs.sources]
        drive = self.weights @ (given if order is None else given[order])
        power = np.square(np.abs(drive)).sum(axis=1, dtype=np.float64)
        chance = self._expected(given)
        gain = np.divide(power, chance, out=np.zeros_like(power), where=chance > 0)
        return Sums(drive, gain, _cosine(tuning[self.inputs.targets], drive))

    def modulation(self, tuning: Complex) -> Doubles:
        """Return how much the direction moves each unit, as a share of its spread."""
        targets = self.inputs.targets
        power = np.square(np.abs(tuning[targets])).mean(axis=1, dtype=np.float64)
        found: Doubles = np.sqrt(power) / self.coupled.spread[targets]
        return found

    def locked(self, tuning: Complex, variation: Doubles) -> Doubles:
        """Return the share of each unit's variance over directions that is its tuning's."""
        targets = self.inputs.targets
        power = np.square(np.abs(tuning[targets])).mean(axis=1, dtype=np.float64)
        whole = variation[targets]
        found: Doubles = np.divide(power, whole, out=np.zeros_like(power), where=whole > 0)
        return found

    def name(self, row: int) -> str:
        """Return the id of a unit."""
        return str(FeatureId(self.model, *self.coupled.unit_of(row)))

    def most_along(self, tuning: Complex, drive: Complex, place: int, sign: int) -> list[str]:
        """Return the inputs of a sign that add most to a unit's tuning, most first."""
        along = (tuning[self.inputs.sources] @ drive[place].conj()).real
        own = self.weights[place]
        added = np.where(np.sign(own) == sign, own * along, 0)
        order = np.argsort(-added, kind="stable")
        return [self.name(int(self.inputs.sources[one])) for one in order[: (added > 0).sum()]]

    def _expected(self, given: Complex) -> Doubles:
        """Return the mean power over all permutations of the inputs of each layer."""
        mean = np.zeros((len(self.weights), given.shape[1]), np.complex128)
        spread = np.zeros(len(self.weights))
        for part in self.parts:
            weights, tuning = self.weights[:, part].astype(np.float64), given[part]
            mean += weights.mean(axis=1)[:, None] * tuning.sum(axis=0)
            if len(part) > 1:
                around = np.square(np.abs(tuning - tuning.mean(axis=0))).sum()
                spread += weights.var(axis=1) * len(part) * around / (len(part) - 1)
        found: Doubles = np.square(np.abs(mean)).sum(axis=1) + spread
        return found


def _cosine(one: Complex, other: Complex) -> Doubles:
    shared = (one * other.conj()).sum(axis=1).real.astype(np.float64)
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: Doubles = np.divide(shared, length, out=np.zeros_like(shared), where=length > 0)
    return found

"""Units whose inputs' curve tunings add up to their own, beyond sums of other inputs.

Tuning is the first harmonic over directions, a complex number for each family (bright and dark arcs
and curved edges, of each radius). The sum's power is compared with its expectation over
permutations of the inputs of each layer, which is known in closed form.

Memory: the weights into one layer, of either sign, and a few complex numbers for each unit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.motifs.by_responses.input_masses import InputMasses
from circuitkb.motifs.by_responses.weighted_inputs import WeightedInputs, exchanged, net, plain
from circuitkb.motifs.curve_assembly import AssembledCurves
from circuitkb.motifs.group_findings import GroupFindings, Member
from circuitkb.motifs.tested_layers import Described, LayerTest, Statistic, findings_of
from circuitkb.observation.kept import battery_of
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import KeptArray, Responses

KINDS = ("arc", "curved edge")

Complex = NDArray[np.complex64]
Doubles = NDArray[np.float64]


def find_in_model(
    connections: Sequence[Connection],
    responses: Responses,
    motif: AssembledCurves,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> GroupFindings:
    """Search an observed model for curve assemblies, with both nulls.

    Parameters
    ----------
    connections
        All kernels of the model.
    responses, motif, model
        What units answer, what to look for, and the model's name, for the ids.
    seed
        Seed of the draws instead of the motif's own. The same seed gives the same findings.
    progress
        Called with how far the search is.

    Raises
    ------
    QueryError
        No curves were shown.
    """
    started = time.perf_counter()
    seed = motif.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    coupled = plain(responses)
    waves = harmonics(battery_of(responses).stimuli)
    tuning = _tunings(responses.after, coupled, waves)
    mixed = [_tunings(responses.after, coupled, mixed_rows(waves, rng)) for _ in range(motif.draws)]
    weighted = WeightedInputs(connections, coupled)
    tests = [
        _Layer(inputs, coupled, tuning, motif, model).test(mixed, rng)
        for inputs in weighted.layers(f"{model}: adding up the tuning to curves", progress)
    ]
    progress(f"{model}: searched", 1.0)
    return findings_of(
        motif,
        tests,
        connections,
        model=model,
        seed=seed,
        started=started,
        battery=responses.battery,
        not_tested=weighted.not_tested,
    )


def harmonics(stimuli: Sequence[Stimulus]) -> Complex:
    """Return the waves whose products with responses are tunings, axes (stimulus, family).

    Examples
    --------
    >>> from circuitkb.observation.stimuli.battery import battery
    >>> harmonics(battery().stimuli).shape
    (1165, 16)
    """
    families: dict[tuple[Any, ...], list[int]] = {}
    for place, item in enumerate(stimuli):
        if item.kind in KINDS:
            key = item.kind, item.number("polarity"), item.number("radius")
            families.setdefault(key, []).append(place)
    if not families:
        raise QueryError("This observation has no curves: observe with larger images.")
    found = np.zeros((len(stimuli), len(families)), np.complex64)
    for family, places in enumerate(families.values()):
        angles = np.deg2rad([stimuli[place].number("direction") for place in places])
        found[places, family] = np.exp(1j * angles) * np.sqrt(2) / len(places)
    return found


def mixed_rows(waves: Complex, rng: np.random.Generator) -> Complex:
    """Return the same with the directions of each family permuted."""
    found = np.zeros_like(waves)
    for family in range(waves.shape[1]):
        places = np.flatnonzero(waves[:, family])
        found[places, family] = waves[rng.permutation(places), family]
    return found


def _tunings(responses: KeptArray, coupled: CoupledResponses, waves: Complex) -> Complex:
    """Return the tuning of all units, axes (unit, family)."""
    found = np.zeros((len(coupled.spread), waves.shape[1]), np.complex64)
    (shown,) = np.nonzero(waves.any(axis=1))
    for rows in coupled.layers.values():
        found[rows] = responses[rows][:, shown].astype(np.float32) @ waves[shown]
    return found


class Sums(NamedTuple):
    """Of each unit: the sum's tuning, the power's gain over chance, and the cosine with its own."""

    drive: Complex
    gain: Doubles
    agreement: Doubles


class _Layer:
    """One target layer, whose inputs' tunings are added up as they are, and permuted."""

    def __init__(
        self,
        inputs: InputMasses,
        coupled: CoupledResponses,
        tuning: Complex,
        motif: AssembledCurves,
        model: str,
    ) -> None:
        self.inputs, self.coupled, self.motif, self.model = inputs, coupled, motif, model
        self.tuning = tuning
        self.weights = net(inputs)
        layer = coupled.layer_of(inputs.sources)
        self.parts = [np.flatnonzero(layer == one) for one in np.unique(layer)]

    def sums(self, tuning: Complex, order: Rows | None = None) -> Sums:
        """Add up the inputs' tuning, with the inputs in another order if one is given."""
        given = tuning[self.inputs.sources]
        own = tuning[self.inputs.targets]
        drive = self.weights @ (given if order is None else given[order])
        power = np.square(np.abs(drive)).sum(axis=1, dtype=np.float64)
        chance = self._expected(given)
        return Sums(
            drive,
            np.divide(power, chance, out=np.zeros_like(power), where=chance > 0),
            _cosine(own, drive),
        )

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

    def statistic(self, tuning: Complex) -> Statistic:
        """Return the gain, and which units fulfil every criterion."""
        motif, targets = self.motif, self.inputs.targets
        sums = self.sums(tuning)
        moved = np.sqrt(np.square(np.abs(tuning[targets])).mean(axis=1))
        fits = motif.selectivity(moved / self.coupled.spread[targets])
        fits &= motif.agreement(sums.agreement)
        return Statistic(sums.gain, fits & motif.gain(sums.gain))

    def permuted(self, order: Rows) -> Statistic:
        """Return the same of other sums. Their units' tuning is not known, so it is not asked."""
        gain = self.sums(self.tuning, order).gain
        return Statistic(gain, self.motif.gain(gain))

    def test(self, mixed: Sequence[Complex], rng: np.random.Generator) -> LayerTest:
        """Compare with both nulls."""
        real = self.sums(self.tuning)
        target = self.inputs.target
        orders = [exchanged(self.inputs, self.coupled, rng) for _ in range(self.motif.draws)]
        return LayerTest(
            target,
            self.statistic(self.tuning),
            {
                "permuted": Statistic.draws(self.permuted(one) for one in orders),
                "angles": Statistic.draws(map(self.statistic, mixed)),
            },
            lambda place: self.described(place, real),
        )

    def described(self, place: int, sums: Sums) -> Described:
        """Name the unit and the inputs that add most to its tuning, of either sign."""
        along = (self.tuning[self.inputs.sources] @ sums.drive[place].conj()).real
        added = self.weights[place] * along
        said = self._name(int(self.inputs.targets[place]))
        members = [Member(said, self.motif.target)]
        for role, sign in zip(self.motif.roles, (1, -1), strict=True):
            fits = np.where(np.sign(self.weights[place]) == sign, added, 0)
            for source in np.argsort(-fits, kind="stable")[: self.motif.named].tolist():
                if fits[source] > 0:
                    name = self._name(int(self.inputs.sources[source]))
                    members.append(Member(name, role.name))
        return Described(
            tuple(members),
            [(one.feature, said) for one in members[1:]],
            {"gain": round(float(sums.gain[place]), 2)},
            float(sums.agreement[place]),
        )

    def _name(self, row: int) -> str:
        return str(FeatureId(self.model, *self.coupled.unit_of(row)))


def _cosine(one: Complex, other: Complex) -> Doubles:
    shared = (one * other.conj()).sum(axis=1).real.astype(np.float64)
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: Doubles = np.divide(shared, length, out=np.zeros_like(shared), where=length > 0)
    return found

"""Units whose inputs' tunings to two cues of a boundary add up in one direction, beyond chance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.boundary import SummedCues
from circuitkb.motifs.by_responses.coupled_responses import Rows
from circuitkb.motifs.by_responses.summed_tuning import (
    Complex,
    SummedTuning,
    harmonics,
    mixed_angles,
    tunings,
    variation,
)
from circuitkb.motifs.by_responses.weighted_inputs import WeightedInputs, exchanged, plain
from circuitkb.motifs.group_findings import GroupFindings, Member
from circuitkb.motifs.tested_layers import Described, LayerTest, Statistic, findings_of
from circuitkb.observation.kept import battery_of
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import Responses

KINDS = ("high-low frequency", "edge")

Doubles = NDArray[np.float64]


class Cues(NamedTuple):
    """Tunings of all units to both kinds."""

    high_low: Complex
    edge: Complex


def find_in_model(
    connections: Sequence[Connection],
    responses: Responses,
    motif: SummedCues,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> GroupFindings:
    """Search an observed model for boundaries, with both nulls.

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
        One of both cues was not shown.
    """
    started = time.perf_counter()
    seed = motif.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    coupled = plain(responses)
    waves = [harmonics(battery_of(responses).stimuli, [kind]) for kind in KINDS]
    turned = [mixed_angles(own, rng) for _ in range(motif.draws) for own in waves]
    every = tunings(responses.after, coupled, [*waves, *turned])
    cues, *mixed = (Cues(*pair) for pair in zip(every[::2], every[1::2], strict=True))
    variations = [variation(responses.after, coupled, own) for own in waves]
    weighted = WeightedInputs(connections, coupled)
    tests = [
        _test(SummedTuning(inputs, coupled, model), cues, mixed, variations, motif, rng)
        for inputs in weighted.layers(f"{model}: adding up the cues of boundaries", progress)
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


def _test(
    layer: SummedTuning,
    cues: Cues,
    mixed: Sequence[Cues],
    variations: Sequence[Doubles],
    motif: SummedCues,
    rng: np.random.Generator,
) -> LayerTest:
    drives = [layer.sums(own).drive for own in cues]

    def both(cues: Cues, order: Rows | None = None) -> Statistic:
        sums = [layer.sums(own, order) for own in cues]
        gain = np.minimum(sums[0].gain, sums[1].gain)
        return Statistic(
            gain, motif.gain(gain) & motif.alignment(aligned(*(s.drive for s in sums)))
        )

    def selective(cues: Cues) -> Doubles:
        return np.minimum(*(layer.modulation(own) for own in cues))

    def statistic(cues: Cues) -> Statistic:
        found = both(cues)
        locked = [layer.locked(*own) for own in zip(cues, variations, strict=True)]
        fits = motif.selectivity(selective(cues)) & motif.locked(np.minimum(*locked))
        return found._replace(fits=found.fits & fits)

    def describe(place: int) -> Described:
        said = layer.name(int(layer.inputs.targets[place]))
        members = {said: Member(said, motif.target)}
        for role, own, drive in zip(motif.roles, cues, drives, strict=True):
            for name in layer.most_along(own, drive, place, 1)[: motif.named]:
                members.setdefault(name, Member(name, role.name))
        edges = [(name, said) for name in members if name != said]
        return Described(tuple(members.values()), edges, {}, float(selective(cues)[place]))

    orders = [exchanged(layer.inputs, layer.coupled, rng) for _ in range(motif.draws)]
    return LayerTest(
        layer.inputs.target,
        statistic(cues),
        {
            "permuted": Statistic.draws(both(cues, order) for order in orders),
            "angles": Statistic.draws(map(statistic, mixed)),
        },
        describe,
    )


def aligned(one: Complex, other: Complex) -> Doubles:
    """Return the cosine between two directions, each the mean over families, either way round.

    Examples
    --------
    >>> aligned(np.array([[1j]]), np.array([[-2j, 0j]])).tolist()
    [1.0]
    """
    first, second = one.mean(axis=1), other.mean(axis=1)
    length = np.abs(first) * np.abs(second)
    shared = np.abs((first * second.conj()).real).astype(np.float64)
    found: Doubles = np.divide(shared, length, out=np.zeros_like(shared), where=length > 0)
    return found

"""Units whose inputs' curve tunings add up to their own, beyond sums of other inputs.

Tuning is to bright and dark arcs and curved edges, of each radius
(:mod:`~circuitkb.motifs.by_responses.summed_tuning`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from circuitkb.motifs.by_responses.coupled_responses import Rows
from circuitkb.motifs.by_responses.summed_tuning import (
    Complex,
    SummedTuning,
    harmonics,
    mixed_angles,
    tunings,
)
from circuitkb.motifs.by_responses.weighted_inputs import WeightedInputs, exchanged, plain
from circuitkb.motifs.curve_assembly import AssembledCurves
from circuitkb.motifs.group_findings import GroupFindings, Member
from circuitkb.motifs.tested_layers import Described, LayerTest, Statistic, findings_of
from circuitkb.observation.kept import battery_of
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import Responses

KINDS = ("arc", "curved edge")


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
    waves = harmonics(battery_of(responses).stimuli, KINDS)
    turned = [mixed_angles(waves, rng) for _ in range(motif.draws)]
    tuning, *mixed = tunings(responses.after, coupled, [waves, *turned])
    weighted = WeightedInputs(connections, coupled)
    tests = [
        _test(SummedTuning(inputs, coupled, model), tuning, mixed, motif, rng)
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


def _test(
    layer: SummedTuning,
    tuning: Complex,
    mixed: Sequence[Complex],
    motif: AssembledCurves,
    rng: np.random.Generator,
) -> LayerTest:
    real = layer.sums(tuning)

    def statistic(tuning: Complex) -> Statistic:
        sums = layer.sums(tuning)
        fits = motif.selectivity(layer.modulation(tuning)) & motif.agreement(sums.agreement)
        return Statistic(sums.gain, fits & motif.gain(sums.gain))

    def permuted(order: Rows) -> Statistic:
        # Such sums have tunings of their own; that they make a unit tuned is not asked.
        gain = layer.sums(tuning, order).gain
        return Statistic(gain, motif.gain(gain))

    def describe(place: int) -> Described:
        said = layer.name(int(layer.inputs.targets[place]))
        members = [Member(said, motif.target)]
        for role, sign in zip(motif.roles, (1, -1), strict=True):
            names = layer.most_along(tuning, real.drive, place, sign)[: motif.named]
            members += [Member(name, role.name) for name in names]
        edges = [(one.feature, said) for one in members[1:]]
        figures = {"gain": round(float(real.gain[place]), 2)}
        return Described(tuple(members), edges, figures, float(real.agreement[place]))

    orders = [exchanged(layer.inputs, layer.coupled, rng) for _ in range(motif.draws)]
    return LayerTest(
        layer.inputs.target,
        statistic(tuning),
        {
            "permuted": Statistic.draws(map(permuted, orders)),
            "angles": Statistic.draws(map(statistic, mixed)),
        },
        describe,
    )

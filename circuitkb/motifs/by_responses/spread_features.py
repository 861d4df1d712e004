"""Clean features, and the units of a later layer that they are spread over.

Memory: the positive weights into one layer, and a few matrices of its units and sources.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, top_stimuli
from circuitkb.motifs.by_responses.input_masses import InputMasses
from circuitkb.motifs.by_responses.search import kth_largest
from circuitkb.motifs.by_responses.weighted_inputs import (
    WeightedInputs,
    net,
    permuted_by_layer,
    plain,
)
from circuitkb.motifs.group_findings import GroupFindings, Member
from circuitkb.motifs.superposition import SpreadFeature
from circuitkb.motifs.tested_layers import Described, LayerTest, Statistic, findings_of
from circuitkb.observation.kept import battery_of
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import Responses

Doubles = NDArray[np.float64]
_Flags = NDArray[np.bool_]


def find_in_model(
    connections: Sequence[Connection],
    responses: Responses,
    motif: SpreadFeature,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> GroupFindings:
    """Search an observed model for spread features, with both nulls.

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
    """
    started = time.perf_counter()
    seed = motif.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    coupled = plain(responses)
    clean = motif.clean(_cleanness(responses, coupled))
    weighted = WeightedInputs(connections, coupled)
    tests = [
        _Layer(inputs, coupled, clean, motif, model).test(rng)
        for inputs in weighted.layers(f"{model}: following features to many units", progress)
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


def _cleanness(responses: Responses, coupled: CoupledResponses) -> Floats:
    """Return for each unit the largest share of its ten best stimuli that are of one kind."""
    kinds = [item.kind for item in battery_of(responses).stimuli]
    among = np.array([[one == kind for kind in dict.fromkeys(kinds)] for one in kinds], np.float32)
    found = np.zeros(len(coupled.spread), np.float32)
    for layer in coupled.layers:
        rows = coupled.measurable_rows(layer)
        if len(rows):
            own = responses.after[coupled.layers[layer]].astype(np.float32)
            best = top_stimuli(own[rows - coupled.layers[layer].start])
            found[rows] = (best @ among).max(axis=1)
    return found


class _Layer:
    """One target layer, in which the units that each clean source is spread over are counted."""

    def __init__(
        self,
        inputs: InputMasses,
        coupled: CoupledResponses,
        clean: _Flags,
        motif: SpreadFeature,
        model: str,
    ) -> None:
        self.inputs, self.coupled, self.motif, self.model = inputs, coupled, motif, model
        self.clean = clean[inputs.sources]
        self.mass, self.net = inputs.mass["excites"], net(inputs)
        top = np.maximum(motif.at_least, (motif.share * inputs.count).astype(np.intp))
        self.strongest = np.minimum(top, inputs.count)
        self.spread = coupled.spread[inputs.sources]
        even, odd = coupled.even[inputs.sources], coupled.odd[inputs.sources]
        self.answers: Floats = np.concatenate([even + odd, even - odd], axis=1)
        self.best = top_stimuli(self.answers)
        self.unrelated = motif.unrelated(self.answers @ self.answers.T).astype(np.float32)

    def spread_over(self, mass: Floats, net: Floats) -> _Flags:
        """Return over which units each source is spread, axes (target, source).

        What the units answer is the sum of their inputs, so that it goes with the weights.
        """
        from scipy.sparse import csr_array

        strength = mass * self.spread
        strong = (strength >= kth_largest(strength, self.strongest)[:, None]) & (strength > 0)
        sums = (net * self.spread) @ self.answers
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        sums *= np.divide(1, length, out=np.zeros_like(length), where=length > 0)
        answers = self.motif.response(np.sqrt(np.float32(sums.shape[1])) * sums @ self.best.T)
        copies = ~self.motif.corr(sums @ self.answers.T)
        # A unit that answers to another strong input, unrelated to this one, is no detector of it.
        others = csr_array((strong & answers).astype(np.float32)) @ self.unrelated
        found: _Flags = strong & answers & (others > 0) & ~copies
        return found

    def shares(self, mass: Floats, net: Floats) -> Doubles:
        """Return the share of units that each source is spread over."""
        found: Doubles = self.spread_over(mass, net).mean(axis=0, dtype=np.float64)
        return found

    def statistic(self, share: Doubles) -> Statistic:
        """Return these shares, and which are hits."""
        return Statistic(share, self.motif.spread(share))

    def test(self, rng: np.random.Generator) -> LayerTest:
        """Compare with permuted weights, and with sources that are not clean."""
        draws = range(self.motif.draws)
        real = self.shares(self.mass, self.net)
        unclean = real[~self.clean]
        orders = (permuted_by_layer(self.inputs, self.coupled, rng) for _ in draws)
        permuted = (
            self.shares(*(np.take_along_axis(own, one, axis=1) for own in (self.mass, self.net)))
            for one in orders
        )
        size = int(self.clean.sum()) if len(unclean) else 0
        return LayerTest(
            self.inputs.target,
            self.statistic(real[self.clean]),
            {
                "permuted": Statistic.draws(self.statistic(one[self.clean]) for one in permuted),
                "unclean": Statistic.draws(
                    self.statistic(unclean[rng.integers(0, max(1, len(unclean)), size)])
                    for _ in draws
                ),
            },
            self.described,
        )

    def described(self, place: int) -> Described:
        """Name the feature and the units that it feeds most."""
        column = int(np.flatnonzero(self.clean)[place])
        (over,) = np.nonzero(self.spread_over(self.mass, self.net)[:, column])
        order = over[np.argsort(-self.mass[over, column], kind="stable")]
        feature = self._name(int(self.inputs.sources[column]))
        members = [Member(feature, self.motif.roles[0].name)]
        for unit in order[: self.motif.named].tolist():
            name = self._name(int(self.inputs.targets[unit]))
            members.append(Member(name, self.motif.target, weight=float(self.mass[unit, column])))
        edges = [(feature, one.feature) for one in members[1:]]
        return Described(tuple(members), edges, {"units": len(over)})

    def _name(self, row: int) -> str:
        return str(FeatureId(self.model, *self.coupled.unit_of(row)))

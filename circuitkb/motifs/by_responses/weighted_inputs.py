"""Weights into each layer beside the responses of its units and of their inputs, as they are.

For motifs that no transform of the stimuli relates: couples of stimuli are any two of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.motifs.by_responses.input_masses import (
    LEAST_INPUTS,
    InputMasses,
    most_inputs,
    read_masses,
    usable,
)
from circuitkb.motifs.by_responses.search import FEW, UNSEEN, WEAKLY
from circuitkb.motifs.motif import SIGNS
from circuitkb.schema.kernels import Connection, Floats, by_target
from circuitkb.schema.progress import Progress
from circuitkb.schema.responses import Responses


def plain(responses: Responses) -> CoupledResponses:
    """Return the responses to all stimuli (but the last of an odd number), to compare units."""
    even = np.arange(len(responses.stimuli) // 2 * 2)
    return CoupledResponses.of(responses.after, responses.rows, even[::2], even[1::2])


class WeightedInputs:
    """All layers whose units have inputs enough; ``not_tested`` says why others were left out.

    Parameters
    ----------
    connections, coupled
        All kernels of the model, and its responses.
    """

    def __init__(self, connections: Sequence[Connection], coupled: CoupledResponses) -> None:
        self.coupled = coupled
        self.not_tested: Counter[str] = Counter()
        self.into = by_target(connections)

    def layers(self, said: str, progress: Progress) -> Iterator[InputMasses]:
        """Yield the masses of either sign into each layer, of its units with inputs enough."""
        for place, (target, into) in enumerate(self.into.items()):
            progress(said, 0.95 * place / len(self.into))
            units = len(np.unique(np.concatenate([c.target_units.ravel() for c in into])))
            if target not in self.coupled.layers:
                self.not_tested[UNSEEN] += units
                continue
            into = usable(into, self.coupled)
            rows = self.coupled.measurable_rows(target)
            self.not_tested[WEAKLY] += units - len(rows)
            if most_inputs(into) < LEAST_INPUTS:
                self.not_tested[FEW] += len(rows)
                continue
            inputs = read_masses(into, self.coupled, SIGNS)
            enough = inputs.count >= LEAST_INPUTS
            self.not_tested[FEW] += int((~enough).sum())
            if enough.any():
                yield inputs.take(enough)


def exchanged(inputs: InputMasses, coupled: CoupledResponses, rng: np.random.Generator) -> Rows:
    """Return the places of the sources with those of each layer permuted, for all targets alike."""
    place = np.arange(len(inputs.sources))
    layer = coupled.layer_of(inputs.sources)
    for one in np.unique(layer):
        here = np.flatnonzero(layer == one)
        place[here] = rng.permutation(here)
    return place


def net(inputs: InputMasses) -> Floats:
    """Return the sums of kernels, axes (target, source)."""
    found: Floats = inputs.mass["excites"] - inputs.mass["inhibits"]
    return found


def permuted_by_layer(
    inputs: InputMasses, coupled: CoupledResponses, rng: np.random.Generator
) -> Rows:
    """Return the places of the sources, permuted within each layer for each target by itself."""
    place = np.broadcast_to(np.arange(len(inputs.sources)), inputs.edge.shape).copy()
    layer = coupled.layer_of(inputs.sources)
    for one in np.unique(layer):
        here = np.flatnonzero(layer == one)
        place[:, here] = rng.permuted(place[:, here], axis=1)
    return place

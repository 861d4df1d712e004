"""Models whose circuits join parts of a few kinds, wired alike or at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitkb.matching.parts import PartedCircuit
from circuitkb.schema.responses import Responses
from tests.matching.two_models import STIMULI, responses

Wiring = Sequence[tuple[int, int]]
"""For each circuit the kind of its target and the kind of its pair of cases."""

Circuits = list[PartedCircuit]


def wired(
    name: str, seed: int, wiring: Wiring, *, error: float = 0.25, swapped: Sequence[int] = ()
) -> tuple[Responses, Circuits]:
    """A model with one circuit for each entry; kinds answer alike in all models, but for noise.

    Layer ``a`` has the cases of all circuits, two by two; layer ``b`` their targets. The circuits
    in ``swapped`` have their sides labelled the other way round.
    """
    kinds = np.random.default_rng(5).normal(size=(3, 200, STIMULI))
    rng = np.random.default_rng(seed)
    count = len(wiring)
    targets = np.array([kinds[0, kind] for kind, _ in wiring])
    cases = np.array([kinds[1:, kind] for _, kind in wiring]).reshape(2 * count, STIMULI)
    after = np.concatenate([cases, targets])
    after += error * rng.normal(size=after.shape)
    found = responses(after, rng.normal(size=after.shape), layers=[("a", 2 * count), ("b", count)])
    circuits = []
    for place in range(count):
        sides = [2 * place, 2 * place + 1]
        if place in swapped:
            sides.reverse()
        cases_of = (f"{name}/a:{side}" for side in sides)
        circuits.append(PartedCircuit.two_sided(f"{name}-{place}", f"{name}/b:{place}", *cases_of))
    return found, circuits


def random_wiring(seed: int, targets: int, pairs: int, count: int) -> Wiring:
    rng = np.random.default_rng(seed)
    return list(
        zip(
            rng.integers(targets, size=count).tolist(),
            rng.integers(pairs, size=count).tolist(),
            strict=True,
        )
    )

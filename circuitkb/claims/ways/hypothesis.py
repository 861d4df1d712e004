"""Share of found circuits that pass a test of the circuit hypothesis (Shi and others, 2024).

Circuits are drawn evenly from those that the search found. Null: the level of 5% at which each test
passes or fails by chance, drawn as often. Stability: every second circuit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from circuitkb.claims.ways import found
from circuitkb.claims.ways.way import DRAWS, Asked, NotTestableError, Run
from circuitkb.schema.errors import QueryError
from circuitkb.stores.base import Store
from circuitkb.trials.hypotheses import hypotheses

CIRCUITS = 40
"""How many are tested, if a claim does not say."""

LEVEL = 0.05


def check(store: Store, model: str, prediction: Mapping[str, Any]) -> None:
    """Refuse a motif that does not exist."""
    found.check(store, model, {"of": "mirror left-right", **prediction})


def run(asked: Asked) -> Run:
    """Test some circuits, and count those that pass."""
    wanted = {"of": "mirror left-right", **asked.prediction}
    search = Asked(asked.kb, asked.model, asked.subject, wanted)
    found.search_of(search)
    circuits = [one["id"] for one in found.circuits_of(search)]
    few = min(len(circuits), asked.prediction.get("circuits", CIRCUITS))
    if few < 4:
        raise NotTestableError(f"{len(circuits)} circuits are too few")
    chosen = [circuits[place] for place in np.linspace(0, len(circuits) - 1, few).astype(int)]
    name, held, refused = asked.prediction["hypothesis"], [], 0
    for number, circuit in enumerate(chosen):
        asked.progress(f"{number + 1} of {few} circuits", number / few)
        try:
            held.append(hypotheses(asked.store, circuit)[name].held)
        except QueryError:  # kernels of several places
            refused += 1
    if len(held) < 4:
        raise NotTestableError(f"{refused} of {few} circuits have kernels of several places")
    passed = np.array(held, float)
    rng = np.random.default_rng(0)
    null = rng.binomial(len(passed), LEVEL, size=DRAWS) / len(passed)
    return Run(
        float(passed.mean()),
        (float(passed[::2].mean()), float(passed[1::2].mean())),
        f"share of {asked.prediction['motif']} circuits that pass the test of {name}",
        "tests at their level of 5%",
        "every second circuit",
        null=tuple(null.tolist()),
        detail={"circuits": len(passed), "refused": refused},
    )

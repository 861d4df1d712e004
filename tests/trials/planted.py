"""A planted network, observed, whose targets of each kind are tried."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import circuitkb as ckb
from circuitkb.kb.observe import stored_model
from circuitkb.kb.trying import Network, try_circuits
from circuitkb.loaders.planted.networks import DETECTORS, TARGETS, Planted, planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from circuitkb.motifs.union import UNION
from circuitkb.schema.progress import silent
from circuitkb.schema.responses import Responses
from circuitkb.trials.trial import CircuitOnTrial, Trial
from tests.stores.made_once import made_once

MODEL = "planted"

STRONGEST = 16
"""Inputs of a target among which decoys are drawn."""


@dataclass(frozen=True)
class Tried:
    """Circuits by what they are (``union`` or a kind of decoy), and their trials in that order."""

    kinds: tuple[str, ...]
    trials: tuple[Trial, ...]

    def outcomes(self, *kinds: str) -> list[str]:
        pairs = zip(self.kinds, self.trials, strict=True)
        return [trial.outcome for kind, trial in pairs if kind in kinds]


def observed(
    factory: pytest.TempPathFactory, place: Path, seed: int = 311
) -> tuple[Planted, ckb.KnowledgeBase]:
    """Load and observe a network whose unions have one case on each side: a copy, at ``place``."""
    planted = planted_network(cases=1, size=27, seed=seed)

    def make(folder: Path) -> None:
        file = write_onnx(planted, folder / f"{MODEL}.onnx", any_size=False)
        with ckb.open(folder / "kb.ckb") as kb:
            kb.load(file)
            kb.observe(MODEL, pixels=(-1, 1))

    made = made_once(factory, f"planted-{seed}", make)
    return planted, ckb.open(shutil.copytree(made / "kb.ckb", place))


def tried(planted: Planted, kb: ckb.KnowledgeBase, seed: int) -> Tried:
    """Try the planted unions, and decoys made of their targets' other inputs."""
    responses = kb.responses(MODEL)
    assert responses is not None
    kernels = kb.store.kernels(MODEL)
    named = dict(_named(planted, responses, kernels, np.random.default_rng(seed)))
    engine = UNION.by_responses().trial
    assert engine is not None
    trials = try_circuits(
        engine,
        list(named.values()),
        Network(stored_model(kb.store, MODEL)),
        kernels,
        responses,
        silent,
        kind="union",
        of="mirror left-right",
        seed=0,
    )
    return Tried(tuple(name.partition(" of ")[0] for name in named), tuple(trials))


def _named(
    planted: Planted, responses: Responses, kernels: object, rng: np.random.Generator
) -> Iterator[tuple[str, CircuitOnTrial]]:
    layers = [name for name, _ in responses.layers]
    (targets,) = (name for name in layers if name.startswith(TARGETS))
    (detectors,) = (name for name in layers if name.startswith(DETECTORS))
    (joined,) = (c for c in kernels if (c.source, c.target) == (detectors, targets))  # type: ignore[attr-defined]
    weights = np.asarray(joined.kernel)[0].sum(axis=(2, 3))

    def circuit(kind: str, unit: int, one: int, other: int) -> tuple[str, CircuitOnTrial]:
        name = f"{kind} of {unit}, {one} and {other}"
        cases = (f"{MODEL}/{detectors}:{one}", f"{MODEL}/{detectors}:{other}")
        return name, CircuitOnTrial(name, f"{MODEL}/{targets}:{unit}", cases)

    for target in planted.targets:
        strongest = np.argsort(-weights[target.unit])[:STRONGEST]
        rest = [int(row) for row in strongest if row not in {*target.cases[0], *target.cases[1]}]
        if target.kind == "union":
            for one, other in product(*target.cases):
                yield circuit("union", target.unit, one, other)
                yield circuit("one case exchanged", target.unit, one, int(rng.choice(rest)))
        elif target.kind == "one-sided":
            yield circuit("one-sided", target.unit, target.cases[0][0], int(rng.choice(rest)))
        elif target.kind == "random":
            one, other = rng.choice(strongest, 2, replace=False).tolist()
            yield circuit("random", target.unit, one, other)

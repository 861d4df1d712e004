"""Circuits that are planted on the detectors of a planted network, and decoys, tested.

Run as a program it counts how many pass; ``docs/trials.md`` shows them:

    python -m tests.trials.planted_hypotheses TARGETS
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import circuitkb as ckb
from circuitkb.loaders.planted.circuits import plant_circuits
from circuitkb.loaders.planted.detectors import PlantedDetector
from circuitkb.loaders.planted.networks import DETECTORS, TARGETS, planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from circuitkb.trials.contributions import contributions
from circuitkb.trials.hypotheses import Ablation, Hypotheses, examine, task

MODEL = "planted"


@contextmanager
def observed(folder: Path) -> Iterator[tuple[ckb.KnowledgeBase, tuple[PlantedDetector, ...]]]:
    """Give a knowledge base with a planted network that was observed (7 s of processor time)."""
    planted = planted_network(size=27, seed=3, unions=6, random=0)
    file = write_onnx(planted, folder / f"{MODEL}.onnx", any_size=False)
    with ckb.open(folder / "kb.ckb") as kb:
        kb.load(file)
        kb.observe(MODEL, pixels=(-1, 1))
        yield kb, planted.detectors


def examined(
    responses: Responses,
    detectors: tuple[PlantedDetector, ...],
    *,
    targets: int,
    noise: float = 0.001,
    ablation: Ablation = "median",
    seed: int = 0,
) -> dict[str, list[Hypotheses]]:
    """Return what comes out for true circuits and for decoys, on the task of the true circuit."""
    rng = np.random.default_rng(seed)
    after = responses.after[responses.rows[DETECTORS]].astype(np.float32)
    circuits, kernel = plant_circuits(rng, detectors, after, count=targets, noise=noise)
    before = kernel @ after
    every = [np.concatenate([after, before]), np.concatenate([after, np.maximum(before, 0)])]
    layers = (DETECTORS, len(after)), (TARGETS, targets)
    wired = Responses("planted", responses.stimuli, layers, *every, *every, {})
    units = (np.arange(count, dtype=np.int32)[None] for _, count in reversed(layers))
    edges = Connection("c0", DETECTORS, TARGETS, "direct", *units, kernel[None, :, :, None, None])
    found: dict[str, list[Hypotheses]] = defaultdict(list)
    for one in circuits:
        added = contributions([edges], wired, FeatureId(MODEL, TARGETS, one.unit))
        stimuli = task(wired, one.sides)
        for what, members in {"true": one.edges, **one.decoys}.items():
            found[what].append(examine(added, members, stimuli, ablation=ablation, seed=seed))
    return found


def main(targets: int) -> None:
    with TemporaryDirectory() as folder, observed(Path(folder)) as (kb, detectors):
        responses = kb.responses(MODEL)
        assert responses is not None
        for ablation in ("median", "mean"):
            for noise in (0.001, 0.005, 0.02):
                found = examined(
                    responses, detectors, targets=targets, noise=noise, ablation=ablation, seed=1
                )
                for what, tested in found.items():
                    held = {t.name: 0 for t in tested[0].tests}
                    for one in tested:
                        for test in one.tests:
                            held[test.name] += test.held
                    passed = sum(one.held for one in tested)
                    print(ablation, noise, what, passed, "of", len(tested), held)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Random layers without unions, of several kinds, and layers with planted ones.

Run as a program it measures how often the search finds something where nothing is, and how much
of what was planted it finds; ``docs/discovery.md`` shows the figures:

    python tests/motifs/kernel_families.py noise KIND INPUTS UNITS SIDE RUNS
    python tests/motifs/kernel_families.py nulls KIND INPUTS UNITS SIDE RUNS
    python tests/motifs/kernel_families.py planted INPUTS UNITS SIDE PLANTED CASES NOISE RUNS

``nulls`` counts the runs that find something where one null alone decides; ``other inputs`` leaves
the unit's strongest inputs out of the deal, which no permutation test may do.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import false_discovery_control

from circuitkb.motifs.by_kernels.candidates import find_candidates, null_pools
from circuitkb.motifs.by_kernels.find import find_by_kernels
from circuitkb.motifs.by_kernels.permutation import among_all_units, among_own_inputs
from circuitkb.motifs.by_kernels.similarity import Match, with_images
from circuitkb.motifs.findings import Findings
from circuitkb.motifs.union import Union
from circuitkb.schema.kernels import Connection

Kernels = NDArray[np.float64]
"""Axes (unit, input, row, column)."""

Truth = Mapping[int, frozenset[frozenset[int]]]
"""Planted pairs of inputs by unit."""


def noise(rng: np.random.Generator, kind: str, inputs: int, units: int, side: int) -> Kernels:
    """Return kernels without unions.

    ``independent``: white noise. ``smooth``: blurred noise. ``own shapes``: every kernel of a
    unit mixes three shapes of its own. ``strong shapes``: the few strong inputs of every unit mix
    six smooth shapes, the others are noise. ``own strong shapes N``: the strong ones mix N smooth
    shapes of the unit's own; the hardest, since neither strength nor unit explains the likeness.
    """
    white = rng.normal(size=(units, inputs, side, side))
    if kind == "independent":
        return white
    if kind == "smooth":
        return gaussian_filter(white, (0, 0, 0.7, 0.7))
    if kind == "own shapes":
        shapes = rng.normal(size=(units, 3, side, side))
        return _mix(rng, shapes, inputs) + 0.5 * white
    strong = (rng.random((units, inputs)) < 0.06)[:, :, None, None]
    if kind == "strong shapes":
        shapes = gaussian_filter(rng.normal(size=(6, side, side)), (0, 0.7, 0.7))
        shapes = np.broadcast_to(shapes, (units, *shapes.shape))
    else:
        count = int(kind.removeprefix("own strong shapes "))
        shapes = gaussian_filter(rng.normal(size=(units, count, side, side)), (0, 0, 1, 1))
        shapes /= shapes.std(axis=(2, 3), keepdims=True)
    return np.where(strong, 4 * _mix(rng, shapes, inputs), 0) + 0.3 * white


def _mix(rng: np.random.Generator, shapes: Kernels, inputs: int) -> Kernels:
    weights = rng.normal(size=(len(shapes), inputs, shapes.shape[1]))
    return np.einsum("uis,usyx->uiyx", weights, shapes)


def plant(
    rng: np.random.Generator, kernels: Kernels, *, planted: int, cases: int, error: float
) -> Truth:
    """Give ``planted`` units ``cases`` strong inputs of one shape and as many of its mirror image.

    ``error`` is the share of noise on each; kernels are changed in place.
    """
    units, inputs, side = kernels.shape[:3]
    truth = {}
    for unit in rng.choice(units, planted, replace=False).tolist():
        chosen = rng.choice(inputs, 2 * cases, replace=False)
        shape = one_sided(rng, side)
        for place, source in enumerate(chosen.tolist()):
            image = shape if place < cases else shape[:, ::-1]
            kernels[unit, source] = 4 * (image + error * rng.normal(size=(side, side)))
        truth[unit] = frozenset(
            frozenset((one, other))
            for one in chosen[:cases].tolist()
            for other in chosen[cases:].tolist()
        )
    return truth


def one_sided(rng: np.random.Generator, side: int) -> Kernels:
    """Return a random kernel of variance 1 that is neither like its mirror image nor opposed."""
    while True:
        shape = rng.normal(size=(side, side))
        shape = (shape - shape.mean()) / shape.std()
        if abs(np.mean(shape * shape[:, ::-1])) < 0.4:
            return shape


def layer(kernels: Kernels, key: str = "c0", source: str = "a", target: str = "b") -> Connection:
    """Return kernels with axes (unit, input, row, column) as one dense connection."""
    units, inputs = kernels.shape[:2]
    return Connection(
        key,
        source,
        target,
        "direct",
        np.arange(units, dtype=np.int32)[None],
        np.arange(inputs, dtype=np.int32)[None],
        kernels[None].astype(np.float32),
        (1, 1),
        (-1, -1),
    )


def find_unions(
    connections: Sequence[Connection], motif: Union | None = None, *, model: str, **settings: Any
) -> Findings:
    """Search for unions by kernels."""
    return find_by_kernels(connections, (motif or Union()).by_kernels(), model=model, **settings)


def found_pairs(findings: Findings) -> dict[int, set[frozenset[int]]]:
    """Return the pairs of inputs found at each unit, by their numbers."""
    return {
        int(test.target.rpartition(":")[2]): {
            frozenset(int(case.feature.rpartition(":")[2]) for case in circuit.cases)
            for circuit in test.circuits
        }
        for test in findings.found
    }


def _measure_noise(kind: str, inputs: int, units: int, side: int, runs: int) -> str:
    some = found = hits = 0
    for run in range(runs):
        connection = layer(noise(np.random.default_rng(run), kind, inputs, units, side))
        findings = find_unions([connection], model="m", seed=run)
        some += bool(findings.found)
        found += len(findings.found)
        hits += findings.hits
    return (
        f"{kind}, {inputs} inputs, {units} units, {side}x{side}: {some} of {runs} runs find "
        f"something; {found} of {runs * units} units; {hits} matching pairs"
    )


def _measure_nulls(kind: str, inputs: int, units: int, side: int, runs: int) -> str:
    motif = Union()
    match = Match()
    limit = 10_000
    names = ("all units", "own inputs", "other inputs", "all units and own inputs")
    some = dict.fromkeys(names, 0)
    for run in range(runs):
        rng = np.random.default_rng(run)
        connection = layer(noise(rng, kind, inputs, units, side))
        candidates, _, _ = find_candidates(
            [connection], motif.of, match, share=motif.share, at_least=motif.at_least
        )
        p: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
        for pool in null_pools(candidates):
            for item in (candidates[index] for index in pool.members):
                options = {"match": match, "limit": limit, "rng": rng}
                edges = item.inputs.start[item.place, None] + np.arange(inputs)
                own = with_images(item.inputs.kernels(edges), motif.of)
                others = [array[:, item.k :] for array in own]
                each = [
                    among_all_units(item.hits, pool.vectors, pool.images, item.k, **options).p,
                    among_own_inputs(item.hits, *own, item.k, **options).p,
                    among_own_inputs(item.hits, *others, item.k, **options).p,
                ]
                for name, values in zip(names, [*each, np.maximum(*each[:2])], strict=True):
                    p[name].append(values)
        for name, values in p.items():
            some[name] += bool((false_discovery_control(np.concatenate(values)) < motif.fdr).any())
    figures = ", ".join(f"{name} {count}" for name, count in some.items())
    return f"{kind}, {inputs} inputs, {units} units, {side}x{side}, {runs} runs: {figures}"


def _measure_planted(
    inputs: int, units: int, side: int, planted: int, cases: int, error: float, runs: int
) -> str:
    recalled = false = right = told = pairs = 0
    for run in range(runs):
        rng = np.random.default_rng(run)
        kernels = noise(rng, "independent", inputs, units, side)
        truth = plant(rng, kernels, planted=planted, cases=cases, error=error)
        found = found_pairs(find_unions([layer(kernels)], model="m", seed=run))
        recalled += len(found.keys() & truth.keys())
        false += len(found.keys() - truth.keys())
        told += sum(map(len, found.values()))
        pairs += sum(map(len, truth.values()))
        right += sum(len(truth.get(unit, frozenset()) & those) for unit, those in found.items())
    return (
        f"{inputs} inputs, {units} units, {side}x{side}, {planted} x ({cases}+{cases}), noise "
        f"{error}, {runs} runs: units {recalled}/{planted * runs}, false units {false}; "
        f"pairs right {right}/{told}, found {right}/{pairs}"
    )


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what in ("noise", "nulls"):
        measure = _measure_noise if what == "noise" else _measure_nulls
        line = measure(words[0], *map(int, words[1:]))
    else:
        *sizes, share, count = words
        line = _measure_planted(*map(int, sizes), float(share), int(count))
    sys.stdout.write(line + "\n")

"""Time of the search for unions by responses: against plain loops, and against reading kernels.

    python benchmarks/discovery.py

Composes both EfficientNet-Lites of the zoo, keeps their kernels memory-mapped in a temporary
store, and gives their units made-up responses, of which some are mirror images and some invariant:
the work is the same as with measured ones, and nothing needs to be observed. Prints, as ratios:

- the search against a naive loop over the pairs of inputs of one layer, which both must agree on;
- the search of both networks against reading all of their kernels once;
- the controls against the search.

It exits with 1 where a target is missed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

import circuitkb as ckb
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, couples
from circuitkb.motifs.by_responses.find import find_by_responses
from circuitkb.motifs.by_responses.search import Searched, search
from circuitkb.motifs.union import Union
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses

Result = TypeVar("Result")

MODELS = ("efficientnet_lite0", "efficientnet_lite1")
COUPLES, STILL = 490, 210
IMAGE = np.concatenate([np.arange(2 * COUPLES) ^ 1, 2 * COUPLES + np.arange(STILL)])
NAIVE_LAYER = "_blocks.10._swish"
MOST_SECONDS, LEAST_RATIO = 5.0, 50.0


def made_up(rng: np.random.Generator, connections: Sequence[Connection]) -> Responses:
    """Return responses of all units.

    Of each layer a quarter responds to one of forty patterns or to its mirror image, a quarter to
    both, alike to mirrored stimuli, and the others to something of their own.
    """
    sizes: dict[str, int] = {}
    for connection in connections:
        for layer, units in (
            (connection.source, connection.source_units),
            (connection.target, connection.target_units),
        ):
            sizes[layer] = max(sizes.get(layer, 0), 1 + int(units.max()))
    sizes.pop("input", None)
    patterns = rng.normal(size=(40, len(IMAGE))).clip(0) ** 2
    parts = []
    for size in sizes.values():
        own = rng.normal(size=(size, len(IMAGE))).clip(0) ** 2
        quarter, chosen = size // 4, rng.integers(0, len(patterns), size // 4)
        own[:quarter] = patterns[chosen] + 0.3 * own[:quarter]
        own[: quarter // 2] = own[: quarter // 2, IMAGE]
        both = patterns[chosen] + patterns[chosen][:, IMAGE]
        own[quarter : 2 * quarter] = both + 0.1 * own[quarter : 2 * quarter]
        parts.append(own.astype(np.float16))
    made = np.concatenate(parts)
    stimuli = tuple(f"s{place}" for place in range(len(IMAGE)))
    return Responses("made up", stimuli, tuple(sizes.items()), *[made] * 4, {})


def part(responses: Responses, layers: Sequence[str]) -> Responses:
    """Return the responses of some layers."""
    rows = np.concatenate([np.arange(len(responses.after))[responses.rows[n]] for n in layers])
    sizes = dict(responses.layers)
    chosen = responses.after[rows]
    named = tuple((name, sizes[name]) for name in layers)
    return Responses(responses.battery, responses.stimuli, named, *[chosen] * 4, {})


def fast(connections: Sequence[Connection], responses: Responses) -> Searched:
    ends = couples(IMAGE, len(IMAGE), "mirror left-right")
    coupled = CoupledResponses.of(responses.after, responses.rows, *ends)
    return search(connections, coupled, Union().by_responses())


def naive(connections: Sequence[Connection], responses: Responses) -> int:
    """Count hits into one layer of 1x1 kernels, target by target and pair by pair."""
    motif, moving = Union(), np.flatnonzero(np.arange(len(IMAGE)) != IMAGE)
    into = [c for c in connections if c.target == NAIVE_LAYER]
    plain: list[NDArray[np.float64]] = []
    image: list[NDArray[np.float64]] = []
    masses = np.concatenate([c.kernel[0, :, :, 0, 0].clip(0) for c in into], axis=1)
    for connection in into:
        for row in responses.after[responses.rows[connection.source]].astype(float):
            plain.append(row[moving])
            image.append(row[IMAGE][moving])
    spread = [row.std() for row in plain]
    hits = 0
    for unit, answer in enumerate(responses.after[responses.rows[NAIVE_LAYER]].astype(float)):
        own, mirrored = answer[moving], answer[IMAGE][moving]
        if np.corrcoef(own, mirrored)[0, 1] <= motif.invariant:
            continue
        strength = masses[unit] * spread
        count = max(motif.at_least, int(motif.share * len(strength)))
        strongest = [i for i in np.argsort(-strength)[:count].tolist() if strength[i] > 0]
        for place, one in enumerate(strongest):
            for other in strongest[place + 1 :]:
                if np.corrcoef(image[one], plain[other])[0, 1] <= motif.mirrored:
                    continue
                if np.corrcoef(plain[one], plain[other])[0, 1] >= motif.same:
                    continue
                z = [
                    (own[np.argsort(-plain[i])[:10]].mean() - own.mean()) / own.std()
                    for i in (one, other)
                ]
                hits += min(z) > motif.answers
    return hits


def read(connections: Sequence[Connection]) -> float:
    """Read every kernel once, as the search does."""
    return sum(float(np.maximum(c.kernel, 0).sum()) for c in connections)


def clock(work: Callable[[], Result], times: int = 1) -> tuple[float, Result]:
    """Return the least time of doing something, and the last result."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        spent.append(time.perf_counter() - start)
    return min(spent), result


def main() -> int:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, ckb.open(Path(folder) / "zoo.ckb") as kb:
        searching = reading = controls = 0.0
        for model in MODELS:
            kb.load(model)
            connections = kb.store.kernels(model)
            responses = made_up(rng, connections)
            # The best of three pays neither for the disk nor for the machine's other work.
            read_in, _ = clock(partial(read, connections), 3)
            search_in, _ = clock(partial(fast, connections, responses), 3)
            found = find_by_responses(
                connections, responses, IMAGE, Union().by_responses(), model=model
            )
            reading, searching = reading + read_in, searching + search_in
            controls += found.control_seconds
            print(
                f"{model:20} search {search_in:6.2f} s, {found.hits:,} hits among "
                f"{found.tested:,} tested; controls {found.control_seconds:6.2f} s"
            )
            if model == MODELS[0]:
                into = [c for c in connections if c.target == NAIVE_LAYER]
                layers = dict.fromkeys([c.source for c in into] + [NAIVE_LAYER])
                some = part(responses, list(layers))
        plain, expected = clock(partial(naive, into, some))
        quick, layer = clock(partial(fast, into, some), 3)
        print(f"{NAIVE_LAYER:20} search {quick:6.2f} s, plain loops {plain:6.2f} s")
        if len(layer.hits) != expected:
            raise SystemExit(f"They disagree: {len(layer.hits)} hits and {expected}.")
    print(f"search / reading     {searching / reading:6.1f} x")
    print(f"controls / search    {controls / searching:6.1f} x")
    targets = [
        (
            f"{expected} hits of one layer: plain loops take {plain / quick:.0f} times longer "
            f"(at least {LEAST_RATIO:g})",
            plain / quick >= LEAST_RATIO,
        ),
        (
            f"searching both takes {searching:.1f} s (at most {MOST_SECONDS:g})",
            searching <= MOST_SECONDS,
        ),
    ]
    for text, met in targets:
        print(f"{'met   ' if met else 'MISSED'} {text}")
    return 0 if all(met for _, met in targets) else 1


if __name__ == "__main__":
    sys.exit(main())

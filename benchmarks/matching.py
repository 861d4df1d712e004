"""Time and memory of matching two models: blocks with running maxima against whole matrices.

Run it from the repository: ``python benchmarks/matching.py [UNITS UNITS STIMULI]``. Both ways make
the three searches of a match (real with real, and each model with the other's shuffled copy) on
random responses, by default of the size of EfficientNet-Lite0 and -Lite1, each in a process of its
own. It checks that both give the same pairs, prints the ratio of the times and the most memory
that each held beyond the responses themselves, and exits with 1 where a target is missed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.matching.features import match_features
from circuitkb.schema.responses import Responses

LITES = (20_200, 25_576, 1_194)
LAYERS = 40
MOST_BYTES, MOST_RATIO = 1e9, 1.25


def observed(seed: int, units: int, stimuli: int) -> Responses:
    """Random responses in layers of equal size; half the units have a copy in the other model."""
    rng = np.random.default_rng(seed)
    sizes = [units // LAYERS + (layer < units % LAYERS) for layer in range(LAYERS)]
    shared = np.random.default_rng(99).standard_normal((units // 2, stimuli), np.float32)
    real = rng.standard_normal((units, stimuli), np.float32)
    real[: units // 2] = shared + 0.5 * real[: units // 2]
    shuffled = rng.standard_normal((units, stimuli), np.float32)
    arrays = [each.astype(np.float16) for each in (real, shuffled)]
    names = tuple(f"s{place}" for place in range(stimuli))
    layers = tuple((f"layer{place}", size) for place, size in enumerate(sizes))
    return Responses("random", names, layers, arrays[0], arrays[0], arrays[1], arrays[1], {})


def blocked(first: Responses, second: Responses, columns: tuple[Any, Any]) -> list[list[int]]:
    return match_features(first, second, columns).rows.tolist()


def whole(first: Responses, second: Responses, columns: tuple[Any, Any]) -> list[list[int]]:
    def standard(responses: NDArray[Any]) -> NDArray[np.float32]:
        values = responses.astype(np.float32)
        values -= values.mean(axis=1, keepdims=True)
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        return values

    def search(one: NDArray[Any], other: NDArray[Any]) -> list[list[int]]:
        scores = standard(one) @ standard(other).T
        best, back = scores.argmax(axis=1), scores.argmax(axis=0)
        mutual = np.flatnonzero(back[best] == np.arange(len(best)))
        return [mutual.tolist(), best[mutual].tolist()]

    search(first.after, second.shuffled_after)
    search(first.shuffled_after, second.after)
    return search(first.after, second.after)


def memory(what: str) -> int:
    """Return this process's resident bytes: ``VmRSS`` now, ``VmHWM`` at most."""
    found = re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0


def child(way: str, sizes: tuple[int, int, int]) -> None:
    first, second = (observed(seed, units, sizes[2]) for seed, units in enumerate(sizes[:2]))
    # Making the responses must not count: the mark is set back to what is held now.
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    columns = (np.arange(sizes[2]), np.arange(sizes[2]))
    start = perf_counter()
    pairs = {"blocked": blocked, "whole": whole}[way](first, second, columns)
    seconds = perf_counter() - start
    print(json.dumps([seconds, memory("VmHWM") - before, pairs]))


def measured(way: str, sizes: tuple[int, int, int]) -> tuple[float, int, list[list[int]]]:
    command = [sys.executable, __file__, way, *map(str, sizes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak, pairs = json.loads(done.stdout)
    return seconds, peak, pairs


def main(arguments: list[str]) -> int:
    if arguments and arguments[0] in {"blocked", "whole"}:
        one, other, stimuli = map(int, arguments[1:])
        child(arguments[0], (one, other, stimuli))
        return 0
    one, other, stimuli = map(int, arguments) if arguments else LITES
    sizes = (one, other, stimuli)
    print(f"{one:,} and {other:,} units, {stimuli:,} stimuli")
    found = {way: measured(way, sizes) for way in ("blocked", "whole")}
    for way, (seconds, peak, pairs) in found.items():
        print(f"{way:8} {seconds:6.1f} s  {peak / 1e6:8,.0f} MB  {len(pairs[0]):,} mutual pairs")
    ours, theirs = found["blocked"], found["whole"]
    ratio = ours[0] / theirs[0]
    print(f"time {ratio:.2f} of the whole matrices', memory {ours[1] / theirs[1]:.2f}")
    same = len(set(zip(*ours[2], strict=True)) ^ set(zip(*theirs[2], strict=True)))
    print(f"pairs that differ: {same}")
    return int(same > 2 or ours[1] > MOST_BYTES or ratio > MOST_RATIO)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

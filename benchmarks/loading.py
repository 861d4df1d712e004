"""Time and memory of loading a network: algebra against one backward pass for each unit.

Run it from the repository: ``python benchmarks/loading.py``. It composes EfficientNet-Lite0 twice
in one process, by algebra and by one-hot backward passes, checks that both give the same kernels,
and prints the ratio of the times; then it loads the network in a process of its own and prints
how long that took and the most memory it held. It exits with 1 where a target is missed.

The backward passes are given every help: they run only between neighbouring layers, on maps cut
to nine positions of the target, for 128 units at a time.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.composition import Composer
from circuitkb.loaders.network import Network
from circuitkb.loaders.sources import open_network
from circuitkb.loaders.summaries import strongest_inputs
from circuitkb.loaders.tracing import trace
from circuitkb.schema.kernels import Connection

MODEL = "efficientnet_lite0"
LEAST_RATIO, MOST_SECONDS, MOST_BYTES = 5.0, 15.0, 3e9
POSITIONS = 9
AT_A_TIME = 128

# A child's ru_maxrss starts at its parent's, so Linux is asked for the mark of the child itself.
_LOAD = f"""
import json, pathlib, re, resource, time
from circuitkb.loaders import open_source
start = time.perf_counter()
rows = open_source({MODEL!r}).rows()
seconds = time.perf_counter() - start
status = pathlib.Path("/proc/self/status")
if status.exists():
    peak = 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([seconds, peak, rows.counts()["WEIGHT"]]))
"""


@dataclass(frozen=True)
class Region:
    """The operations between the features of some layers and one pre-activation."""

    target: str
    sources: dict[str, Node]
    operations: tuple[Node, ...]
    output: Node

    def function(self, constants: dict[Node, Tensor]) -> Callable[..., Tensor]:
        def run(*features: Tensor) -> Tensor:
            values: dict[Node, object] = dict(constants)
            values.update(zip(self.sources.values(), features, strict=True))
            for node in self.operations:
                arguments = torch.fx.map_arg((node.args, node.kwargs), values.__getitem__)
                values[node] = node.target(*arguments[0], **arguments[1])  # type: ignore[operator]
            found = values[self.output]
            assert isinstance(found, Tensor)
            return found

        return run


def regions(composer: Composer) -> list[Region]:
    features = {output: name for name, (output, _) in composer.sites.items()}
    found = []
    for target, (_, before) in composer.sites.items():
        if before is None:
            continue
        needed: set[Node] = set()
        waiting = [before]
        while waiting:
            node = waiting.pop()
            # The output of the network is a site and its own pre-activation.
            if node in needed or (node in features and node is not before):
                continue
            if node.op == "call_function":
                needed.add(node)
                waiting += node.all_input_nodes
        operations = tuple(node for node in composer.network.operations() if node in needed)
        read = {argument for node in operations for argument in node.all_input_nodes}
        sources = {name: node for node, name in features.items() if node in read}
        found.append(Region(target, sources, operations, before))
    return found


def one_hot_kernels(region: Region, constants: dict[Node, Tensor]) -> dict[str, Tensor]:
    """Return kernels (target unit, source unit, row, column) by one backward pass a unit."""
    shape = region.output.meta["val"].shape
    inputs = []
    for node in region.sources.values():
        size = list(node.meta["val"].shape)
        if len(shape) == 4 and not any("view" in str(n.target) for n in region.operations):
            for axis in (2, 3):
                step = max(1, round(size[axis] / shape[axis]))
                size[axis] = min(size[axis], step * min(POSITIONS, shape[axis]))
        inputs.append(torch.zeros(size))
    output, backward = torch.func.vjp(region.function(constants), *inputs)
    centre = tuple(size // 2 for size in output.shape[2:])
    parts: list[list[Tensor]] = [[] for _ in inputs]
    for start in range(0, output.shape[1], AT_A_TIME):
        units = range(start, min(start + AT_A_TIME, output.shape[1]))
        seeds = torch.zeros((len(units), *output.shape))
        for row, unit in enumerate(units):
            seeds[(row, 0, unit, *centre)] = 1
        gradients = torch.vmap(lambda seed: backward(seed))(seeds)
        for part, gradient in zip(parts, gradients, strict=True):
            part.append(gradient[:, 0])
    return {name: torch.cat(part) for name, part in zip(region.sources, parts, strict=True)}


def disagreement(found: dict[str, Tensor], into: Sequence[Connection]) -> float:
    """Return the largest difference in the total l1 of a pair, relative to the largest l1."""
    worst = 0.0
    for source, gradients in found.items():
        by_gradient = gradients.abs().flatten(2).sum(2).double().numpy()
        by_algebra = np.zeros_like(by_gradient)
        for connection in into:
            if connection.source == source:
                strength = np.abs(connection.kernel).sum((3, 4), dtype=np.float64)
                for targets, sources, block in zip(
                    connection.target_units, connection.source_units, strength, strict=True
                ):
                    by_algebra[np.ix_(targets, sources)] += block
        worst = max(worst, float(np.abs(by_gradient - by_algebra).max() / by_gradient.max()))
    return worst


def compare(network: Network, every: int) -> tuple[float, float]:
    """Print both times; return the seconds of algebra and the ratio."""
    start, busy = time.perf_counter(), time.process_time()
    composer = Composer(trace(network.module, network.example))
    composition = composer.compose()
    composing, busy = time.perf_counter() - start, time.process_time() - busy
    start = time.perf_counter()
    summary = strongest_inputs(composition.connections, model="m", keep=64)
    summarising = time.perf_counter() - start
    print(f"algebra            {composing:7.1f} s for {summary.edges:,} edges", end="")
    print(f" ({busy:.1f} s of processor time)")
    print(f"summaries          {summarising:7.1f} s for {summary.weights.num_rows:,} kept edges")

    todo = regions(composer)
    chosen = todo[::every]
    spent, worst, pairs = 0.0, 0.0, 0
    sizes = {layer.name: layer.channels for layer in composition.layers}
    for region in chosen:
        start = time.perf_counter()
        found = one_hot_kernels(region, composer.network.constants)
        spent += time.perf_counter() - start
        pairs += sum(sizes[region.target] * sizes[name] for name in found)
        into = [c for c in composition.connections if c.target == region.target]
        worst = max(worst, disagreement(found, into))
    whole = sum(sizes[r.target] * sizes[name] for r in todo for name in r.sources)
    said = "" if every == 1 else f", extrapolated from {len(chosen)} of {len(todo)} layers by pairs"
    backward = spent * whole / pairs
    print(f"one-hot backward   {backward:7.1f} s for the same{said}")
    print(f"they differ by     {worst:7.1e} of the largest l1, at most")
    if not worst < 1e-4 or math.isnan(worst):
        raise SystemExit("The two ways do not give the same kernels.")
    return composing + summarising, backward / composing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--every", type=int, default=1, help="run the backward passes on every n-th layer only"
    )
    every = parser.parse_args().every
    seconds, ratio = compare(open_network(MODEL), every)
    done = subprocess.run([sys.executable, "-c", _LOAD], capture_output=True, text=True, check=True)
    loading, peak, kept = json.loads(done.stdout)
    print(f"open and load      {loading:7.1f} s, imports included, {kept:,} kept edges")
    targets = [
        (f"algebra is {ratio:.1f} times faster (at least {LEAST_RATIO:g})", ratio >= LEAST_RATIO),
        (f"composing and summaries take {seconds:.1f} s (at most {MOST_SECONDS:g})",
         seconds <= MOST_SECONDS),
        (f"a load holds {peak / 1e9:.2f} GB at its peak (less than {MOST_BYTES / 1e9:g})",
         peak < MOST_BYTES),
    ]  # fmt: skip
    for text, met in targets:
        print(f"{'met   ' if met else 'MISSED'} {text}")
    return 0 if all(met for _, met in targets) else 1


if __name__ == "__main__":
    sys.exit(main())

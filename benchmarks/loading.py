"""Time and memory of loading a network: algebra against one backward pass for each unit.

Run it from the repository: ``python benchmarks/loading.py``. It composes EfficientNet-Lite0 twice
in one process, by algebra and by one-hot backward passes, checks that both give the same kernels,
and prints the ratio of the times. Before that it loads the network in a process of its own and
prints how long that took and the most memory it held. It exits with 1 where a target is missed.

The backward passes are given every help: they run only between neighbouring layers, on maps cut
to nine positions of the target, for 128 units at a time.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.fx.node import map_arg

from circuitkb.loaders.composition.compose import Composer, compose
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.composition.summaries import strongest_inputs
from circuitkb.loaders.composition.tracing import trace
from circuitkb.loaders.sources.opening import open_network
from circuitkb.schema.kernels import Connection

Result = TypeVar("Result")

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
            values: dict[Node, Any] = dict(constants)
            values.update(zip(self.sources.values(), features, strict=True))
            for node in self.operations:
                arguments, keywords = map_arg((node.args, node.kwargs), values.__getitem__)
                values[node] = node.target(*arguments, **keywords)  # type: ignore[operator]
            result: Tensor = values[self.output]
            return result

        return run


def regions(composer: Composer) -> list[Region]:
    features = {site.after: name for name, site in composer.sites.items()}
    found = []
    for target, site in composer.sites.items():
        before = site.before
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
    output, backward, *_ = torch.func.vjp(region.function(constants), *inputs)
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


def clock(work: Callable[[], Result], times: int = 1) -> tuple[float, Result]:
    """Return the median time of doing something, and the last result."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent), result


def compare(network: Network) -> tuple[float, float]:
    """Print the times; return seconds by algebra, and how many times longer the other way takes."""
    # Importing the tracer takes longer than tracing.
    compose(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), torch.zeros(1, 3, 8, 8))

    # Short work is repeated, so that the machine's other work weighs less.
    tracing, traced = clock(lambda: trace(network.module, network.example), 3)
    algebra, composition = clock(lambda: Composer(traced).compose(), 3)
    composer = Composer(traced)
    composer.compose()
    connections = composition.connections
    summing, summary = clock(lambda: strongest_inputs(connections, model="m", keep=64), 3)
    backward, worst = 0.0, 0.0
    for region in regions(composer):
        seconds, found = clock(partial(one_hot_kernels, region, traced.constants))
        backward += seconds
        worst = max(
            worst, disagreement(found, [c for c in connections if c.target == region.target])
        )

    print(f"tracing            {tracing:7.2f} s, before either")
    print(f"algebra            {algebra:7.2f} s for {summary.edges:,} edges")
    print(
        f"one-hot backward   {backward:7.2f} s for the same, {backward / algebra:.0f} times longer"
    )
    print(f"summaries          {summing:7.2f} s for {summary.weights.num_rows:,} kept edges")
    print(f"the two differ by at most {worst:.1e} of a layer's largest l1")
    if not worst < 1e-4:
        raise SystemExit("The two ways do not give the same kernels.")
    return tracing + algebra + summing, (tracing + backward) / (tracing + algebra)


def main() -> int:
    done = subprocess.run([sys.executable, "-c", _LOAD], capture_output=True, text=True, check=True)
    loading, peak, kept = json.loads(done.stdout)
    print(f"open and load      {loading:7.2f} s, imports included, {kept:,} kept edges")
    seconds, ratio = compare(open_network(MODEL))
    targets = [
        (
            f"with tracing, algebra is {ratio:.1f} times faster (at least {LEAST_RATIO:g})",
            ratio >= LEAST_RATIO,
        ),
        (
            f"tracing, algebra and summaries take {seconds:.1f} s (at most {MOST_SECONDS:g})",
            seconds <= MOST_SECONDS,
        ),
        (
            f"a load holds {peak / 1e9:.2f} GB at its peak (less than {MOST_BYTES / 1e9:g})",
            peak < MOST_BYTES,
        ),
    ]
    for text, met in targets:
        print(f"{'met   ' if met else 'MISSED'} {text}")
    return 0 if all(met for _, met in targets) else 1


if __name__ == "__main__":
    sys.exit(main())

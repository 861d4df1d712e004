"""Small networks as proofs read them, and what they give, computed otherwise."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from scipy.optimize import linprog
from torch import nn

from circuitkb.loaders.composition.network import Network, network_rows
from circuitkb.loaders.sources.opening import open_module
from circuitkb.proofs.binding import Observed
from circuitkb.proofs.cone import Cone
from circuitkb.proofs.wiring import LayerShape, Values, Wiring

MODEL = "made-up"


def wired(module: nn.Module, shape: tuple[int, int, int]) -> tuple[Wiring, Network]:
    """Load a network without a store."""
    network = open_module(module.eval(), shape=shape)
    rows = network_rows(network, name=MODEL)
    layers = {
        row["name"]: LayerShape(
            row["position"], row["kind"], row["channels"], row["height"] or 1, row["width"] or 1
        )
        for row in rows.nodes["Layer"].to_pylist()
    }
    features = rows.nodes["Feature"].to_pylist()

    def biases(layer: str) -> Values:
        found = [row["bias"] for row in features if row["layer"] == layer]
        return np.array([np.nan if one is None else one for one in found], float)

    return Wiring(MODEL, layers, rows.kernels[MODEL], biases), network


UNOBSERVED = Observed(None, (0.0,), (1.0,))


def random_network(seed: int, clip: type[nn.Module] = nn.ReLU) -> nn.Module:
    """Return a network of 3x3 pixels, three units, two units and one."""
    torch.manual_seed(seed)
    layers = nn.Sequential(
        nn.Conv2d(1, 3, 3), clip(), nn.Conv2d(3, 2, 1), clip(), nn.Conv2d(2, 1, 1)
    )
    with torch.no_grad():
        for one in layers[::2]:
            one.weight.mul_(4)
    return layers


def smallest(cone: Cone, low: Values, high: Values, watched: Values, level: float) -> float:
    """Return the smallest target where a condition holds, by one linear program for each way in
    which the nonlinearities may stand; infinity where the condition never holds.

    It shares nothing with the encoding that is tested: no bounds, no binary numbers.
    """
    best = np.inf
    sides = [
        [
            (part, at, side)
            for side in ("off", "on", "over")
            if side != "over" or np.isfinite(part.high)
        ]
        for part, _ in cone.computed
        for at in range(len(part.index))
    ]
    for ways in product(*sides):
        # Every variable as an affine function of the box, given the sides.
        matrix = np.zeros((cone.size, cone.size + 1))
        for number in np.flatnonzero(cone.in_box):
            matrix[number, number] = 1
        rows, ends = [], []
        side_of = {(part.start, at): side for part, at, side in ways}
        for part, made in cone.computed:
            dense = made.matrix.toarray()
            for at in range(len(part.index)):
                pre = dense[at] @ matrix[: part.start]
                pre[-1] += made.bias[at]
                side = side_of[part.start, at]
                if side == "off":
                    rows.append(pre), ends.append(part.low)
                    matrix[part.start + at, -1] = part.low
                elif side == "on":
                    rows.append(-pre), ends.append(-part.low)
                    if np.isfinite(part.high):
                        rows.append(pre), ends.append(part.high)
                    matrix[part.start + at] = pre
                else:
                    rows.append(-pre), ends.append(-part.high)
                    matrix[part.start + at, -1] = part.high
        condition = watched @ matrix
        rows.append(-condition), ends.append(-level)
        target = cone.weights @ matrix
        box = cone.in_box
        found = linprog(
            target[:-1][box],
            A_ub=np.array([row[:-1][box] for row in rows]),
            b_ub=np.array([end - row[-1] for row, end in zip(rows, ends, strict=True)]),
            bounds=list(zip(low[box], high[box], strict=True)),
        )
        if found.status == 0:
            best = min(best, found.fun + target[-1] + cone.bias)
    return best

"""Check composed kernels against the network itself.

This is written from the definition of a Connection alone and shares no code with composition:
real activations go in, kernels are applied position by position, and what comes out is compared
with the pre-activation that the network computed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from circuitkb.loaders.composed import Composition
from circuitkb.loaders.composition import Composer
from circuitkb.loaders.tracing import trace
from circuitkb.schema.kernels import Connection


@dataclass
class LayerProof:
    """How well kernels reproduce one layer's pre-activation: |predicted - real| / |real|."""

    layer: str
    error: float
    gated: bool


def _map_of(tensor: Tensor, channels: int) -> Tensor:
    """Return (channel, row, column) of an activation in any of the layouts networks use."""
    value = tensor[0]
    if value.ndim == 1:
        return value[:, None, None]
    if value.ndim == 2:
        return value.T[:, :, None]
    if value.shape[0] != channels:
        value = value.permute(2, 0, 1)
    return value


def _pooled(activation: Tensor, connection: Connection) -> Tensor:
    for step in connection.pooling:
        if step == "mean":
            activation = activation.mean((1, 2), keepdim=True)
            continue
        numbers = [int(n) for n in re.findall(r"\d+", step)]
        size, stride, pad, dilation = (tuple(numbers[i : i + 2]) for i in (0, 2, 4, 6))
        activation = nn.functional.max_pool2d(
            activation[None], size, stride, pad, dilation, ceil_mode=step.endswith("ceil")
        )[0]
    return activation


def _windows(
    activation: Tensor, connection: Connection, positions: list[tuple[int, int]]
) -> Tensor:
    """Return what a kernel sees at each position, zero outside: (position, channel, row, col)."""
    rows, columns = connection.kernel.shape[3:]
    seen = torch.zeros(len(positions), activation.shape[0], rows, columns)
    assert connection.stride is not None
    assert connection.offset is not None
    for n, (y, x) in enumerate(positions):
        top = connection.stride[0] * y + connection.offset[0]
        left = connection.stride[1] * x + connection.offset[1]
        ys = slice(max(top, 0), min(top + rows, activation.shape[1]))
        xs = slice(max(left, 0), min(left + columns, activation.shape[2]))
        part = activation[:, ys, xs]
        to_y, to_x = ys.start - top, xs.start - left
        seen[n, :, to_y : to_y + part.shape[1], to_x : to_x + part.shape[2]] = part
    return seen


@torch.no_grad()
def prove(
    module: nn.Module, example: Tensor, image: Tensor | None = None
) -> tuple[Composition, list[LayerProof]]:
    """Compose a network and compare every layer whose paths are all composed."""
    network = trace(module, example)
    composer = Composer(network)
    composition = composer.compose()
    nodes = {
        node
        for site in composer.sites.values()
        for node in (site.after, site.before)
        if node is not None
    }
    real = network.run(example if image is None else image, nodes.__contains__)
    sizes = {layer.name: layer for layer in composition.layers}
    incoming: dict[str, list[Connection]] = {}
    for connection in composition.connections:
        incoming.setdefault(connection.target, []).append(connection)
    proofs = []
    for layer in composition.layers:
        before = composer.sites[layer.name].before
        if before is None or layer.bias is None:
            continue
        expected = _map_of(real[before], layer.channels)
        middle = (expected.shape[1] // 2, expected.shape[2] // 2)
        gated = any(connection.path == "gated" for connection in incoming.get(layer.name, []))
        # A layer norm's denominator is that of one position, so gated paths are exact only there.
        reach = 0 if gated else 1
        positions = [
            (y, x)
            for y in range(max(middle[0] - reach, 0), middle[0] + reach + 1)
            for x in range(max(middle[1] - reach, 0), middle[1] + reach + 1)
            if y < expected.shape[1] and x < expected.shape[2]
        ]
        predicted = torch.tensor(layer.bias)[None].repeat(len(positions), 1)
        for connection in incoming.get(layer.name, []):
            source = sizes[connection.source]
            node = composer.sites[source.name].after
            activation = _pooled(_map_of(real[node], source.channels), connection)
            seen = _windows(activation, connection, positions)
            into = torch.as_tensor(connection.source_units).long()
            out = torch.as_tensor(connection.target_units).long()
            kernel = torch.tensor(connection.kernel)
            given = torch.einsum("goiyx,pgiyx->pgo", kernel, seen[:, into])
            predicted.index_put_(
                (torch.arange(len(positions))[:, None, None], out[None]), given, accumulate=True
            )
        truth = torch.stack([expected[:, y, x] for y, x in positions])
        error = float((predicted - truth).norm() / truth.norm().clamp(min=1e-12))
        proofs.append(LayerProof(layer.name, error, gated))
    return composition, proofs

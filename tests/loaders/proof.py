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

from circuitkb.loaders.composition.compose import Composer
from circuitkb.loaders.composition.composed import Composition
from circuitkb.loaders.composition.sites import Site
from circuitkb.loaders.composition.tracing import trace
from circuitkb.schema.kernels import Connection


@dataclass
class LayerProof:
    """How well kernels reproduce one layer's pre-activation: |predicted - real| / |real|."""

    layer: str
    error: float
    gated: bool
    positions: int


def _map_of(tensor: Tensor, site: Site) -> Tensor:
    """Return (channel, row, column) of an activation in any of the layouts networks use."""
    value = tensor[0]
    if "c" in site.layout:
        value = value.movedim(site.layout.index("c") - 1, 0)
    return value.reshape(-1, *_size(site, tensor))


def _size(site: Site, tensor: Tensor) -> tuple[int, int]:
    if "y" in site.layout:  # a pooling reads a finer map than it makes
        return tensor.shape[site.layout.index("y")], tensor.shape[site.layout.index("x")]
    return (site.rows, site.columns) if site.layout in ("ntc", "nct", "nf") else (1, 1)


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


def _places(start: int, stride: int, offset: int, kernel: int, stop: int) -> Tensor:
    """Return which positions of the source each kernel reads, (target position, tap)."""
    return (torch.arange(start, stop) * stride + offset)[:, None] + torch.arange(kernel)


def _windows(
    activation: Tensor, connection: Connection, rows: tuple[int, int], columns: tuple[int, int]
) -> Tensor:
    """Return what a kernel sees, zero outside: (channel, row, column, kernel row, column)."""
    assert connection.stride is not None
    assert connection.offset is not None
    read = []
    for axis, (start, stop) in enumerate((rows, columns)):
        taps = connection.kernel.shape[3 + axis]
        place = _places(start, connection.stride[axis], connection.offset[axis], taps, stop)
        length = activation.shape[1 + axis]
        read.append((place.clamp(0, length - 1), (place >= 0) & (place < length)))
    (y, inside_y), (x, inside_x) = read
    seen = activation[:, y[:, None, :, None], x[None, :, None, :]]
    return seen * (inside_y[:, None, :, None] & inside_x[None, :, None, :])


@torch.no_grad()
def prove(
    module: nn.Module, example: Tensor, image: Tensor | None = None, *, whole: bool = False
) -> tuple[Composition, list[LayerProof]]:
    """Compose a network and compare every layer whose paths are all composed.

    ``whole`` compares at every position that is claimed exact, up to the border, and not only at
    the centre and around it.
    """
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
    incoming: dict[str, list[Connection]] = {}
    for connection in composition.connections:
        incoming.setdefault(connection.target, []).append(connection)
    proofs = []
    for layer in composition.layers:
        site = composer.sites[layer.name]
        if site.before is None or layer.bias is None:
            continue
        expected = _map_of(real[site.before], site)
        into = incoming.get(layer.name, [])
        top, bottom, left, right = layer.margin
        rows, columns = (top, expected.shape[1] - bottom), (left, expected.shape[2] - right)
        middle = (expected.shape[1] // 2, expected.shape[2] // 2)
        assert rows[0] <= middle[0] < rows[1], layer.name
        assert columns[0] <= middle[1] < columns[1], layer.name
        if not whole:
            rows = (max(rows[0], middle[0] - 1), min(rows[1], middle[0] + 2))
            columns = (max(columns[0], middle[1] - 1), min(columns[1], middle[1] + 2))
        predicted = torch.tensor(layer.bias)[:, None, None].repeat(
            1, rows[1] - rows[0], columns[1] - columns[0]
        )
        for connection in into:
            source = composer.sites[connection.source]
            activation = _pooled(_map_of(real[source.after], source), connection)
            seen = _windows(activation, connection, rows, columns)
            read = torch.as_tensor(connection.source_units).long()
            out = torch.as_tensor(connection.target_units).long()
            kernel = torch.tensor(connection.kernel)
            given = torch.einsum("goiyx,gipqyx->gopq", kernel, seen[read])
            predicted.index_put_((out,), given, accumulate=True)
        truth = expected[:, slice(*rows), slice(*columns)]
        error = float((predicted - truth).norm() / truth.norm().clamp(min=1e-12))
        gated = any(connection.path == "gated" for connection in into)
        proofs.append(LayerProof(layer.name, error, gated, truth.shape[1] * truth.shape[2]))
    return composition, proofs

"""The same network with its weights shuffled: what responses look like without what it learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.activations.folding import set_weights
from circuitkb.loaders.composition.rules.context import argument, operation_name
from circuitkb.loaders.composition.tracing import TracedNetwork, copied
from circuitkb.schema.progress import Progress, silent, within

WEIGHTED = ("conv2d", "linear")
"""Operations whose weights are shuffled, each with the output's channels as first axis."""

_NUMBERS_AT_ONCE = 2**22
"""Weights that are permuted together; a large linear layer would fill the memory at once."""

Moments = Mapping[str, tuple[Tensor, Tensor]]
"""Mean and standard deviation of each channel that a weighted operation gives, by its name."""


@torch.no_grad()
def moments(network: TracedNetwork, images: Tensor, *, progress: Progress = silent) -> Moments:
    """Return the moments of every operation with weights, over images and positions.

    ``images`` are as for :func:`shuffle`, ``progress`` is called with how far it is.
    """
    return {
        node.name: _moments(node, values)
        for node, values in _together(network, images, progress)
        if _is_weighted(network, node)
    }


@torch.no_grad()
def shuffle(
    network: TracedNetwork,
    images: Tensor,
    *,
    seed: int,
    wanted: Moments | None = None,
    progress: Progress = silent,
) -> TracedNetwork:
    """Return a network in which each unit's weights are permuted within its own kernel.

    A unit keeps the values of its weights, but neither which input nor which place they belong to.
    Then, operation by operation, each channel is scaled and shifted so that it has the mean and
    the spread over ``images`` that it has in the network itself: activity neither dies out nor
    grows from layer to layer, and what differs is what the arrangement of weights makes.

    Parameters
    ----------
    network
        Is not changed. Convolutions and linear layers are shuffled; what else it computes with
        (normalisations, position embeddings) stays.
    images
        One or more batches of the size that the network was traced with. All of their activity at
        one depth is in memory at once.
    seed
        Of the permutations: the same seed gives the same network.
    wanted
        What :func:`moments` gives for the same network and images, where it is known already.
    progress
        Called with how far it is.

    Notes
    -----
    Permuting whole layers instead would mix units with large and small weights, and is the easier
    null to beat. Matching moments is the job that batch norm does where it is trained anew.

    Examples
    --------
    >>> from circuitkb.loaders.composition.tracing import trace
    >>> layer = torch.nn.Conv2d(1, 2, 3, bias=False).eval()
    >>> image = torch.rand(1, 1, 8, 8)
    >>> network = trace(layer, image)
    >>> shuffled = shuffle(network, image, seed=0)
    >>> one, other = (n.run(image, lambda node: node in n.outputs) for n in (network, shuffled))
    >>> bool(torch.allclose(*(next(iter(v.values())).mean((0, 2, 3)) for v in (one, other)),
    ...                     atol=1e-5))
    True
    """
    if wanted is None:
        wanted = moments(network, images)
    generator = torch.Generator().manual_seed(seed)
    shuffled = copied(network)
    operations = list(shuffled.operations())
    kernels = {}
    for node in operations:
        if node.name in wanted:
            kernel, bias = _weights(shuffled, node)
            kernels[node] = kernel
            empty = torch.empty_like(kernel)  # laid out as the kernel is
            set_weights(shuffled.graph, shuffled.constants, node, empty, bias.clone())
    shuffled = replace(shuffled)

    # Weights are permuted when their operation is next: those of large linear layers, which come
    # last, are not yet there while the large maps of the first layers are.
    following: list[Node | None] = [*operations, None]
    matching = within(progress, 0.0, 1.0, "Shuffling weights")
    for (node, values), after in zip(_together(shuffled, images, matching), following, strict=True):
        if node in kernels:
            _match(shuffled, node, values, wanted[node.name])
        if after in kernels:
            _permute(kernels[after], generator, out=_weights(shuffled, after)[0])
    return shuffled


def _permute(kernel: Tensor, generator: torch.Generator, *, out: Tensor) -> None:
    """Write a kernel down with each unit's weights in an order of its own.

    It is the order of as many random numbers.
    """
    at_once = max(1, _NUMBERS_AT_ONCE // max(1, kernel[0].numel()))
    for part, there in zip(torch.split(kernel, at_once), torch.split(out, at_once), strict=True):
        values = part.flatten(1)
        order = torch.rand(values.shape, generator=generator).argsort(dim=1)
        there.copy_(values.gather(1, order).reshape(part.shape))


def _together(
    network: TracedNetwork, images: Tensor, progress: Progress
) -> Iterator[tuple[Node, list[Any]]]:
    """Run batches side by side, one operation at a time; yield their values at each node."""
    batches = torch.split(images, len(network.example))
    count = 1 + sum(1 for _ in network.operations())
    for place, items in enumerate(zip(*map(network.values, batches), strict=True)):
        progress("Measuring activity", place / count)
        yield items[0][0], [value for _, value in items]


def _is_weighted(network: TracedNetwork, node: Node) -> bool:
    return (
        node.op == "call_function"
        and operation_name(node) in WEIGHTED
        and node in network.dynamic
        and node.args[1] in network.constants
        and argument(node.args, 2) in (None, *network.constants)
    )


def _weights(network: TracedNetwork, node: Node) -> tuple[Tensor, Tensor]:
    kernel, bias = node.args[1], argument(node.args, 2)
    values = network.constants[kernel]  # type: ignore[index]
    return values, values.new_zeros(len(values)) if bias is None else network.constants[bias]


def _channels_last(node: Node, value: Tensor) -> Tensor:
    return value.movedim(1, -1) if operation_name(node) == "conv2d" else value


def _moments(node: Node, values: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel over images and positions."""
    counts, means, variances = [], [], []
    for value in values:
        flat = _channels_last(node, value).flatten(0, -2)
        mean = flat.mean(0)
        away = flat - mean
        counts.append(len(flat))
        means.append(mean.double())
        variances.append(away.mul_(away).mean(0).double())
    share = torch.tensor(counts, dtype=torch.float64)[:, None] / sum(counts)
    mean = (share * torch.stack(means)).sum(0)
    inside, between = torch.stack(variances), (torch.stack(means) - mean) ** 2
    return mean.float(), torch.sqrt((share * (inside + between)).sum(0)).float()


def _match(
    network: TracedNetwork, node: Node, values: Sequence[Tensor], wanted: tuple[Tensor, Tensor]
) -> None:
    """Set the moments of an operation's output, now and in its weights."""
    (mean, spread), (wanted_mean, wanted_spread) = _moments(node, values), wanted
    # A channel that does not vary has no scale; it is only shifted.
    varies = spread > 1e-6 * mean.abs().clamp_min(1e-12)
    factor = torch.where(varies, wanted_spread / torch.where(varies, spread, 1), 1)
    shift = wanted_mean - mean * factor
    for value in values:  # views of what later operations read
        _channels_last(node, value).mul_(factor).add_(shift)
    kernel, bias = _weights(network, node)
    kernel.mul_(factor.reshape(-1, *[1] * (kernel.ndim - 1)))
    bias.mul_(factor).add_(shift)

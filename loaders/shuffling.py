"""The same network with its weights shuffled: what answers look like without what it learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from .folding import copied, set_weights
from .rule_context import argument, operation_name
from .tracing import TracedNetwork

WEIGHTED = ("conv2d", "linear")
"""Operations whose weights are shuffled, each with the output's channels as first axis."""


@torch.no_grad()
def shuffle(network: TracedNetwork, images: Tensor, *, seed: int) -> TracedNetwork:
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

    Notes
    -----
    Permuting whole layers instead would mix units with large and small weights, and is the easier
    null to beat. Matching moments is the job that batch norm does where it is trained anew.

    Examples
    --------
    >>> from .tracing import trace
    >>> layer = torch.nn.Conv2d(1, 2, 3, bias=False).eval()
    >>> image = torch.rand(1, 1, 8, 8)
    >>> network = trace(layer, image)
    >>> shuffled = shuffle(network, image, seed=0)
    >>> one, other = (n.run(image, lambda node: node in n.outputs) for n in (network, shuffled))
    >>> bool(torch.allclose(*(next(iter(v.values())).mean((0, 2, 3)) for v in (one, other)),
    ...                     atol=1e-5))
    True
    """
    generator = torch.Generator().manual_seed(seed)
    batches = torch.split(images, len(network.example))
    wanted = {
        node.name: _moments(node, values)
        for node, values in _together(network, batches)
        if _is_weighted(network, node)
    }
    shuffled = copied(network)
    nodes = [node for node in shuffled.operations() if node.name in wanted]
    for node in nodes:
        kernel, bias = _weights(shuffled, node)
        flat = kernel.flatten(1)
        order = torch.rand(flat.shape, generator=generator).argsort(dim=1)
        permuted = _laid_out_as(kernel, flat.gather(1, order).reshape(kernel.shape))
        set_weights(shuffled.graph, shuffled.constants, node, permuted, bias.clone())
    shuffled = replace(shuffled)
    for node, values in _together(shuffled, batches):
        if node.name in wanted:
            _match(shuffled, node, values, wanted[node.name])
    return shuffled


def _together(
    network: TracedNetwork, batches: Sequence[Tensor]
) -> Iterator[tuple[Node, list[Any]]]:
    """Run batches side by side, one operation at a time; yield their values at each node."""
    for items in zip(*map(network.values, batches), strict=True):
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


def _laid_out_as(model: Tensor, values: Tensor) -> Tensor:
    laid_out = torch.empty_like(model)
    laid_out.copy_(values)
    return laid_out


def _channels_last(node: Node, value: Tensor) -> Tensor:
    return value.movedim(1, -1) if operation_name(node) == "conv2d" else value


def _moments(node: Node, values: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel over images and positions."""
    counts, means, variances = [], [], []
    for value in values:
        axis = 1 if operation_name(node) == "conv2d" else value.ndim - 1
        others = [place for place in range(value.ndim) if place != axis]
        variance, mean = torch.var_mean(value, dim=others, correction=0)
        counts.append(value.numel() / len(mean))
        means.append(mean.double())
        variances.append(variance.double())
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

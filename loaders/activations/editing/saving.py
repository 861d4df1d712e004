"""Edits as changed weights, where an edge is one convolution or one row of a linear map."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.activations.editing.runs import KernelChange
from circuitkb.loaders.composition.compose import find_sites
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.composition.rules.context import argument, operation_name, pair
from circuitkb.loaders.composition.tracing import TracedNetwork, trace
from circuitkb.schema.errors import TrialError

_NORMS = ("_native_batch_norm_legit_no_training", "batch_norm")
_SAME = ("dropout", "clone", "alias", "detach", "contiguous")
_ON_THE_WAY = {
    "conv2d": (
        *_SAME,
        "pad",
        "constant_pad_nd",
        "max_pool2d",
        "max_pool2d_with_indices",
        "getitem",
    ),
    "linear": (*_SAME, "mean", "adaptive_avg_pool2d", "flatten", "view", "reshape", "squeeze"),
}
"""What may stand between features and the operation that weighs them."""


class _Weighing(NamedTuple):
    """An operation that weighs features, and what its outputs are multiplied by afterwards."""

    node: Node
    factor: Tensor | None


@torch.no_grad()
def edited_weights(network: Network, changes: Sequence[KernelChange]) -> dict[str, Tensor]:
    """Return all weights of a network, changed so that they do what an edit does.

    Raises
    ------
    TrialError
        An edge is not one convolution or linear map, up to batch norm and additions.
    """
    traced = trace(network.module, network.example)
    sites = find_sites(traced)
    weights = {name: value.clone() for name, value in network.module.state_dict().items()}
    edges = Counter(_edge(change) for change in changes)
    for change in changes:
        before = sites[change.target].before if change.target in sites else None
        found = [
            one
            for one in (_weighings(traced, before, None) if before is not None else ())
            if _reads(traced, one.node) is sites[change.source].after
        ]
        if len(found) != 1 or edges[_edge(change)] > 1:
            raise TrialError(
                f"The edge from {change.source}:{change.source_unit} to {change.target}:"
                f"{change.target_unit} is not one convolution: it has no weights of its own to "
                "save. The edited network still runs exactly."
            )
        _apply(network, traced, found[0], change, weights)
    return weights


def save_edited(network: Network, changes: Sequence[KernelChange], path: Path) -> None:
    """Write the weights of the edited network as safetensors: whole, or not at all.

    Raises
    ------
    TrialError
        As :func:`edited_weights`.
    """
    from safetensors.torch import save_file

    weights = {name: value.contiguous() for name, value in edited_weights(network, changes).items()}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(weights, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _edge(change: KernelChange) -> tuple[str, int, str, int]:
    return change.source, change.source_unit, change.target, change.target_unit


def _weighings(network: TracedNetwork, node: Node, factor: Tensor | None) -> Iterator[_Weighing]:
    """Yield the operations whose outputs add up to a node, each with what multiplies them."""
    name = operation_name(node)
    if name in _ON_THE_WAY:
        yield _Weighing(node, factor)
    elif name == "add" and not node.kwargs:
        for read in node.all_input_nodes:
            if read in network.dynamic:
                yield from _weighings(network, read, factor)
    elif (node.target is getitem and node.args[1] == 0) or name in _SAME:
        yield from _weighings(network, node.all_input_nodes[0], factor)
    elif name in _NORMS and isinstance(node.args[0], Node):
        own = _factor(network.constants, node)
        if own is not None:
            both = own if factor is None else own * factor
            yield from _weighings(network, node.args[0], both)


def _factor(constants: Mapping[Node, Tensor], norm: Node) -> Tensor | None:
    args: list[Any] = list(norm.args)
    variance = constants.get(args[4])
    if variance is None:
        return None
    found = torch.rsqrt(variance + args[7 if operation_name(norm) == "batch_norm" else 6])
    scale = constants.get(args[1])
    return found if scale is None else found * scale


def _reads(network: TracedNetwork, weighing: Node) -> Node:
    """Return what an operation weighs, before paddings and poolings."""
    passed = _ON_THE_WAY[operation_name(weighing)]
    read = weighing.all_input_nodes[0]
    while operation_name(read) in passed and read in network.dynamic and read.op != "placeholder":
        read = read.all_input_nodes[0]
    return read


def _apply(
    network: Network,
    traced: TracedNetwork,
    weighing: _Weighing,
    change: KernelChange,
    weights: dict[str, Tensor],
) -> None:
    node, factor = weighing
    args: list[Any] = list(node.args)
    held = traced.constants.get(args[1])
    names = [
        name
        for name, value in network.module.state_dict().items()
        if held is not None and value.data_ptr() == held.data_ptr() and value.shape == held.shape
    ]
    if len(names) != 1 or len(args[1].users) != 1:
        raise TrialError(
            f"The weights into {change.target} are used at several places: an edit of one edge "
            "cannot be saved in them. The edited network still runs exactly."
        )
    weight = weights[names[0]]
    kernel = torch.from_numpy(change.kernel.copy())
    into = change.source_unit
    if weight.ndim == 4:
        down, across = pair(argument(node.args, 5, 1))
        kernel = kernel[::down, ::across]
        groups = argument(node.args, 6, 1)
        into -= change.target_unit // (len(weight) // groups) * weight.shape[1]
    place = weight[change.target_unit, into]
    if place.shape != kernel.shape and place.numel() != kernel.numel():
        raise TrialError(
            f"The edge from {change.source} to {change.target} has a kernel of another size than "
            "its weights: it cannot be saved. The edited network still runs exactly."
        )
    by = torch.tensor(1.0) if factor is None else factor[change.target_unit]
    if by == 0:
        raise TrialError(f"{change.target}:{change.target_unit} is multiplied by zero afterwards.")
    weight[change.target_unit, into] = place + (kernel / by).reshape(place.shape)

"""A traced network for images of another size or in batches, without tracing it anew.

Tracing takes a second or more, and what comes of it is mostly the same again: the same operations
on tensors of other shapes. So the graph is run on the new images beside the module itself, compared
part by part, and the shapes that it gives are noted; where they differ in anything, it is traced.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.utils._pytree import tree_leaves, tree_map_only

from circuitkb.loaders.composition.rules.context import operation_name
from circuitkb.loaders.composition.tracing import TracedNetwork, copied, trace
from circuitkb.loaders.sources.quiet import quiet

_CLOSE = 1e-5
"""Difference between two values that counts as rounding, in standard deviations of one of them."""

_SIZED = ("view", "reshape", "_unsafe_view", "expand")
"""Operations that are told the whole shape of their result, that of the batch first."""


def traced_for(network: TracedNetwork, module: nn.Module, images: Tensor) -> TracedNetwork:
    """Return a traced network for images of another shape.

    Parameters
    ----------
    network
        A trace of ``module``; is not changed.
    images
        Axes (image, channel, row, column). They are shown to the module and become ``example``:
        noise tells more than zeros do.

    Returns
    -------
    TracedNetwork
        What :func:`~circuitkb.loaders.composition.tracing.trace` gives.

    Raises
    ------
    TraceError
        If the network takes no such images.

    Examples
    --------
    >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()).eval()
    >>> traced = trace(module, torch.rand(1, 3, 8, 8))
    >>> tuple(traced_for(traced, module, torch.rand(5, 3, 9, 9)).outputs[0].meta["val"].shape)
    (5, 196)
    """
    alike = _with_sizes_for(network, images)
    return alike if _computes_what(module, alike, images) else trace(module, images)


def _with_sizes_for(network: TracedNetwork, images: Tensor) -> TracedNetwork:
    """Return the same graph with the sizes that its reshapings have for so many images."""
    before, now = len(network.example), len(images)
    alike = copied(network)
    if before != now:
        for node in alike.operations():
            if operation_name(node) in _SIZED:
                _enlarge(node, before, now)
    return replace(alike, example=images)


def _enlarge(node: Node, before: int, now: int) -> None:
    """Let a shape that begins with the number of images begin with the number that it is now."""
    shape = node.args[1]
    if isinstance(shape, list | tuple) and shape and shape[0] == before:
        node.args = (node.args[0], [now, *shape[1:]], *node.args[2:])


class _OtherwiseError(Exception):
    """A part of the module gives what the graph does not have where it ought to."""


def _computes_what(module: nn.Module, network: TracedNetwork, images: Tensor) -> bool:
    """Whether a graph computes what the module does: in every part without parts, and at the end.

    Both run side by side, so that no more than one value of each is kept. Every node of the graph
    is told the shape of its value.
    """
    steps = network.values(images)
    last: Any = None
    outputs: dict[Node, Any] = {}

    def step() -> None:
        nonlocal last
        following = next(steps, None)
        if following is None:
            raise _OtherwiseError
        node, last = following
        node.meta["val"] = tree_map_only(Tensor, _shape_alone, last)
        if node in network.outputs:
            outputs[node] = last

    def meet(_part: nn.Module, _given: Any, found: Any) -> None:
        for value in tree_leaves(found):
            while isinstance(value, Tensor) and not _same(last, value):
                step()

    hooks = [
        part.register_forward_hook(meet) for part in module.modules() if not any(part.children())
    ]
    try:
        with quiet(), torch.no_grad():
            found = [value for value in tree_leaves(module(images)) if isinstance(value, Tensor)]
            while len(outputs) < len(set(network.outputs)):
                step()
            for node, value in steps:
                node.meta["val"] = tree_map_only(Tensor, _shape_alone, value)
    except Exception:  # among them whatever the module says to images that it does not take
        return False
    finally:
        for hook in hooks:
            hook.remove()
    given = [outputs[node] for node in network.outputs]
    return len(given) == len(found) and all(map(_same, given, found))


def _shape_alone(value: Tensor) -> Tensor:
    """Return a tensor of the same shape and type that holds no values."""
    return torch.empty_like(value, device="meta")


def _same(one: Any, other: Tensor) -> bool:
    """Whether two values are the same but for rounding."""
    if not isinstance(one, Tensor) or one.shape != other.shape or one.dtype != other.dtype:
        return False
    if torch.equal(one, other):
        return True
    if not one.is_floating_point() or one.numel() < 2:
        return False
    return bool((one - other).abs().max() <= _CLOSE * other.std())

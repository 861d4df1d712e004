"""A network's steps, and what it reads of an image, as functions that gradients flow through."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node
from torch.fx.node import map_arg

from circuitkb.loaders.composition.rules.context import argument, operation_name
from circuitkb.loaders.composition.tracing import TracedNetwork
from circuitkb.loaders.sources.pixels import PixelRange

Values = dict[Node, Any]


@torch.no_grad()
def fixed_values(network: TracedNetwork) -> Values:
    """Return what does not depend on the image, computed once."""
    fixed: Values = dict(network.constants)
    for node in network.operations():
        if node not in network.dynamic:
            fixed[node] = network.value_of(node, fixed.__getitem__)
    return fixed


def computed(node: Node, values: Mapping[Node, Any]) -> Any:
    """Run one operation, without overwriting what it reads."""
    target: Any = node.target
    name = getattr(target, "__name__", "").partition(".")[0]
    if name.endswith("_") and not name.endswith("__"):
        target = getattr(torch.ops.aten, name.removesuffix("_")).default
    return target(
        *map_arg(node.args, values.__getitem__), **map_arg(node.kwargs, values.__getitem__)
    )


def redirected(node: Node, values: Mapping[Node, Any]) -> Any:
    """Run one operation, with a gradient where it cuts off all that an image gives it.

    Where nothing of an image passes a rectifier, what would come back from its bounds does.
    """
    bounds = _bounds(node)
    return (
        computed(node, values)
        if bounds is None
        else _clamp(values[node.all_input_nodes[0]], *bounds)
    )


def _bounds(node: Node) -> tuple[float, float] | None:
    """Return the bounds of a rectifier; None for any other operation."""
    name = operation_name(node).removesuffix("_")
    if name == "hardtanh":
        return argument(node.args, 1, -1.0), argument(node.args, 2, 1.0)
    return {"relu": (0.0, math.inf), "relu6": (0.0, 6.0)}.get(name)


class _Clamp(torch.autograd.Function):
    """Clamps values; its gradient is the real one, but for images where that is zero."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(values)
        ctx.bounds = low, high
        return values.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        (values,) = ctx.saved_tensors
        low, high = ctx.bounds
        inside = slope * ((values > low) & (values < high))
        # An ascent goes up the slope: from below the lower bound, down from above the upper one.
        back = slope * (((values <= low) & (slope > 0)) | ((values >= high) & (slope < 0)))
        alive = inside.flatten(1).any(1).reshape(-1, *[1] * (slope.ndim - 1))
        return torch.where(alive, inside, back), None, None


def _clamp(values: Tensor, low: float, high: float) -> Tensor:
    clamped: Tensor = _Clamp.apply(values, low, high)
    return clamped


def as_read(pixels: PixelRange) -> Callable[[Tensor], Tensor]:
    """Return :meth:`PixelRange.apply` for tensors."""
    black, white = (
        torch.tensor(side).reshape(1, -1, 1, 1) for side in (pixels.black, pixels.white)
    )
    order = list(pixels.order)

    def read(images: Tensor) -> Tensor:
        shown = images[:, order] if order else images
        return (shown * (white - black) + black).contiguous(memory_format=torch.channels_last)

    return read

"""ONNX operators that are brought to torch here, where onnx2torch has them not or not exactly.

Each becomes a small module of the torch functions that composition knows, with sizes and pads
worked out: they are fixed, since the image's size is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from circuitkb.loaders.sources.onnx.bounds import check_size
from circuitkb.loaders.sources.onnx.call import Applied, OnnxCall
from circuitkb.loaders.sources.onnx.resizing import resized
from circuitkb.loaders.sources.onnx.windows import (
    average_pool,
    convolution,
    max_pool,
    transposed_convolution,
)


def _pad(call: OnnxCall) -> nn.Module:
    image = call.image
    given = call.known(1, "pads") if call.version >= 11 else None
    pads = call.options.get("pads", call.options.get("paddings")) if given is None else given
    pads = [int(width) for width in (pads if pads is not None else [])]
    axes = call.known(3, "axes")
    places = [int(axis) % image.ndim for axis in axes] if axes is not None else range(image.ndim)
    places = list(places)
    if len(pads) != 2 * len(places):
        raise ValueError(f"it has {len(pads)} pads for {len(places)} axes")
    value = call.known(2, "value") if call.version >= 11 else call.options.get("value", 0.0)
    widths = [(0, 0)] * image.ndim
    for axis, first, last in zip(places, pads[: len(places)], pads[len(places) :], strict=True):
        widths[axis] = (first, last)
    return Applied(_Padding(image.shape, widths, call.word("mode", "constant"), float(value or 0)))


class _Padding:
    """Pads and crops, of the axes that need it only."""

    def __init__(
        self, shape: Sequence[int], widths: Sequence[tuple[int, int]], mode: str, value: float
    ) -> None:
        modes = {
            "constant": "constant",
            "reflect": "reflect",
            "edge": "replicate",
            "wrap": "circular",
        }
        if mode not in modes:
            raise ValueError(f"its mode is {mode}")
        sizes = [size + first + last for size, (first, last) in zip(shape, widths, strict=True)]
        if min(sizes) < 0:
            raise ValueError("it crops more than there is")
        check_size(sizes)
        self._value = value
        self._mode = modes[mode]
        # A negative pad takes away; nothing of what it takes is padded.
        self._cropped = {
            axis: (max(-first, 0), max(-last, 0))
            for axis, (first, last) in enumerate(widths)
            if min(first, last) < 0
        }
        added = [(max(first, 0), max(last, 0)) for first, last in widths]
        outer = next((axis for axis, both in enumerate(added) if any(both)), len(added))
        if self._mode != "constant" and outer < len(added):
            if outer < 2 or len(shape) - 2 not in (1, 2, 3):
                raise ValueError(f"it pads other axes than rows and columns in the mode {mode}")
            outer = 2
        self._widths = [width for both in reversed(added[outer:]) for width in both]

    def __call__(self, value: Tensor) -> Tensor:
        for axis, (first, last) in self._cropped.items():
            value = value.narrow(axis, first, value.shape[axis] - first - last)
        if not self._widths:
            return value
        if self._mode == "constant":
            return functional.pad(value, self._widths, "constant", self._value)
        return functional.pad(value, self._widths, self._mode)


def _split(call: OnnxCall) -> nn.Module:
    axis = int(call.options.get("axis", 0))
    length, pieces = call.image.shape[axis], int(call.options.get("num_outputs", call.outputs))
    given = call.options.get("split", call.known(1, "sizes") if len(call.arguments) > 1 else None)
    if given is None:
        size = -(-length // max(pieces, 1))
        given = [max(min(size, length - start * size), 0) for start in range(pieces)]
    sizes = [int(size) for size in given]
    if sum(sizes) != length or min(sizes, default=-1) < 0:
        raise ValueError(f"it splits {length} into {sizes}")
    return Applied(lambda value: torch.split(value, sizes, axis))


def _flatten(call: OnnxCall) -> nn.Module | None:
    return None if call.options.get("axis", 1) else Applied(lambda value: value.reshape(1, -1))


class _GroupNorm(nn.Module):
    def __init__(self, groups: int, weight: Tensor, bias: Tensor, eps: float) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self._groups, self._eps = groups, eps

    def forward(self, value: Tensor) -> Tensor:
        return functional.group_norm(value, self._groups, self.weight, self.bias, self._eps)


def _group_norm(call: OnnxCall) -> nn.Module:
    groups, channels = int(call.options["num_groups"]), call.image.shape[1]
    weight, bias = call.known(1, "factors"), call.known(2, "biases")
    if weight is None or bias is None or groups < 1 or channels % groups:
        raise ValueError(f"it has {groups} groups of {channels} channels")
    if call.version < 21:  # One factor for each group.
        weight, bias = (t.repeat_interleave(channels // groups) for t in (weight, bias))
    return _GroupNorm(groups, weight, bias, float(call.options.get("epsilon", 1e-5)))


def _space_to_depth(call: OnnxCall) -> nn.Module:
    size = int(call.options["blocksize"])
    images, channels, rows, columns = call.image.shape
    inner = (images, channels, rows // size, size, columns // size, size)
    outer = (images, channels * size * size, rows // size, columns // size)
    return Applied(lambda x: x.reshape(inner).permute(0, 3, 5, 1, 2, 4).reshape(outer))


def _depth_to_space(call: OnnxCall) -> nn.Module:
    size = int(call.options["blocksize"])
    images, channels, rows, columns = call.image.shape
    if call.word("mode", "DCR") != "DCR":
        return nn.PixelShuffle(size)
    inner = (images, size, size, channels // (size * size), rows, columns)
    outer = (images, channels // (size * size), rows * size, columns * size)
    return Applied(lambda x: x.reshape(inner).permute(0, 3, 4, 1, 5, 2).reshape(outer))


def _gelu(call: OnnxCall) -> nn.Module:
    return nn.GELU(call.word("approximate", "none"))


def _global_max_pool(call: OnnxCall) -> nn.Module:
    if call.image.ndim != 4:
        raise ValueError(f"its input has {call.image.ndim} axes")
    return nn.AdaptiveMaxPool2d(1)


def _clip(call: OnnxCall) -> nn.Module | None:
    if call.version < 11:
        return None
    low, high = (None if (v := call.known(n, "bounds")) is None else v.item() for n in (1, 2))
    if low is not None and high is not None:
        return None
    if low is None and high is None:
        return nn.Identity()
    return Applied(lambda value: torch.clamp(value, low, high))


Maker = Callable[[OnnxCall], nn.Module | None]

OPERATORS: dict[str, Maker] = {
    "Pad": _pad,
    "Resize": resized,
    "Upsample": resized,
    "Clip": _clip,
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "Split": _split,
    "GroupNormalization": _group_norm,
    "SpaceToDepth": _space_to_depth,
    "DepthToSpace": _depth_to_space,
    "Flatten": _flatten,
    "Gelu": _gelu,
    "Mish": lambda call: nn.Mish(),
    "Swish": lambda call: nn.SiLU() if call.options.get("alpha", 1.0) == 1.0 else None,
    "GlobalMaxPool": _global_max_pool,
    "ThresholdedRelu": lambda call: nn.Threshold(float(call.options.get("alpha", 1.0)), 0.0),
}
"""By the operator's name; None from one of them leaves the node to onnx2torch."""

WITH_THEIR_VERSION = frozenset(OPERATORS) - {
    "Clip",
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "Flatten",
    "DepthToSpace",
    "SpaceToDepth",
}
"""Those that are read as the file has them, whatever version the others are brought to."""

"""Resize and Upsample, exactly as ONNX defines them, for an input of known size.

Each axis is resized by itself: every place of the result reads one place of the input, or a
weighted sum of two. Where torch's own interpolation does the same it is used, since composition
knows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from circuitkb.loaders.sources.onnx.bounds import LONGEST_AXIS, check_size
from circuitkb.loaders.sources.onnx.call import Applied, OnnxCall

_Floats = NDArray[np.float64]


class _Picked(nn.Module):
    """Rows and columns by their numbers."""

    rows: Tensor
    columns: Tensor

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        # Not a weight of the network: it does not count in its fingerprint.
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, value: Tensor) -> Tensor:
        return value.index_select(2, self.rows).index_select(3, self.columns)


class _Weighted(_Picked):
    """Weighted sums of rows and of columns: two matrices, axes (after, before)."""

    def forward(self, value: Tensor) -> Tensor:
        return self.rows @ value @ self.columns.T


def resized(call: OnnxCall) -> nn.Module:
    """Return the module that resizes an input of the example's size.

    Raises
    ------
    ValueError
        The size depends on the image, or the way of resizing is not supported.
    """
    image = call.image
    if image.ndim != 4:
        raise ValueError(f"it resizes a tensor of {image.ndim} axes")
    sizes, scales = _sizes(call)
    if sizes[:2] != list(image.shape[:2]):
        raise ValueError("it resizes more than rows and columns")
    mode = call.word("mode", "nearest")
    old = call.kind == "Upsample" or call.version == 10
    way = "asymmetric" if old else call.word("coordinate_transformation_mode", "half_pixel")
    if call.options.get("antialias"):
        raise ValueError("it smooths while it resizes (antialias)")
    check_size(sizes)
    if min(sizes) < 1:
        raise ValueError("it leaves nothing")
    places = [_places(image.shape[axis], sizes[axis], scales[axis], way) for axis in (2, 3)]
    if mode == "nearest":
        rounding = "floor" if old else call.word("nearest_mode", "round_prefer_floor")
        return _nearest(image, sizes, places, rounding)
    if mode in ("linear", "bilinear"):
        return _linear(image, sizes, places)
    plain = call.options.get("cubic_coeff_a", -0.75) == -0.75
    if mode == "cubic" and plain and not call.options.get("exclude_outside"):
        return _cubic(image, sizes, places)
    raise ValueError(f"its mode is {mode}")


def _sizes(call: OnnxCall) -> tuple[list[int], list[float]]:
    """Return the size of each axis of the result, and what each is multiplied by."""
    shape = list(call.image.shape)
    place = 1 if call.kind == "Upsample" or call.version == 10 else 2
    scales: Any = call.options.get("scales")
    scales = call.known(place, "scales") if scales is None else scales
    sizes = call.known(3, "sizes") if place == 2 else None
    chosen = [int(axis) % 4 for axis in call.options.get("axes", range(4))]
    if sizes is not None:
        if call.word("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise ValueError("it keeps the ratio of rows to columns")
        found = list(shape)
        for axis, size in zip(chosen, sizes.tolist(), strict=True):
            found[axis] = int(size)
        return found, [size / before for size, before in zip(found, shape, strict=True)]
    if scales is None:
        raise ValueError("it has neither scales nor sizes")
    factors = [1.0] * 4
    for axis, factor in zip(chosen, np.asarray(scales, np.float64).tolist(), strict=True):
        factors[axis] = factor
    if not all(np.isfinite(factors)) or min(factors) <= 0 or max(factors) > LONGEST_AXIS:
        raise ValueError(f"its scales are {factors}")
    # In single precision, as the scales are given: 10 times .7 is 7.
    products = np.floor(np.array(shape, np.float32) * np.array(factors, np.float32))
    return [int(size) for size in products], factors


def _places(before: int, after: int, scale: float, way: str) -> _Floats:
    """Return where in the input each place of the result lies."""
    at = np.arange(after, dtype=np.float64)
    if way == "asymmetric":
        return at / scale
    if way == "align_corners":
        return at * (before - 1) / (after - 1) if after > 1 else at * 0
    if way == "tf_half_pixel_for_nn":
        return (at + 0.5) / scale
    if way == "pytorch_half_pixel" and after == 1:
        return at * 0
    if way in ("half_pixel", "pytorch_half_pixel"):
        return (at + 0.5) / scale - 0.5
    if way == "half_pixel_symmetric":
        offset = before / 2 * (1 - after / (scale * before))
        return offset + (at + 0.5) / scale - 0.5
    raise ValueError(f"its coordinates are {way}")


def _nearest(image: Tensor, sizes: list[int], places: list[_Floats], rounding: str) -> nn.Module:
    rounded: dict[str, Callable[[_Floats], _Floats]] = {
        "round_prefer_floor": lambda at: np.ceil(at - 0.5),
        "round_prefer_ceil": lambda at: np.floor(at + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
    if rounding not in rounded:
        raise ValueError(f"it rounds by {rounding}")
    chosen = []
    for axis, at in zip((2, 3), places, strict=True):
        # A place is a ratio of sizes: what is whole but for rounding errors is whole.
        exact = np.where(np.abs(at * 2 - np.round(at * 2)) < 1e-6, np.round(at * 2) / 2, at)
        chosen.append(np.clip(rounded[rounding](exact), 0, image.shape[axis] - 1).astype(np.int64))
    plain = [np.arange(sizes[a]) * image.shape[a] // sizes[a] for a in (2, 3)]
    size = (sizes[2], sizes[3])
    if all(np.array_equal(one, other) for one, other in zip(chosen, plain, strict=True)):
        return Applied(lambda value: functional.interpolate(value, size=size, mode="nearest"))
    return _Picked(*(torch.from_numpy(numbers) for numbers in chosen))


def _linear(image: Tensor, sizes: list[int], places: list[_Floats]) -> nn.Module:
    size = (sizes[2], sizes[3])
    corners = _same_as_torch(image, sizes, places)
    if corners is not None:
        return Applied(
            lambda value: functional.interpolate(
                value, size=size, mode="bilinear", align_corners=corners
            )
        )
    matrices = []
    for axis, at in zip((2, 3), places, strict=True):
        before = image.shape[axis]
        inside = np.clip(at, 0, before - 1)
        low = np.floor(inside).astype(np.int64)
        share = (inside - low).astype(np.float32)
        matrix = np.zeros((len(at), before), np.float32)
        number = np.arange(len(at))
        np.add.at(matrix, (number, low), 1 - share)
        np.add.at(matrix, (number, np.minimum(low + 1, before - 1)), share)
        matrices.append(torch.from_numpy(matrix))
    return _Weighted(*matrices)


def _cubic(image: Tensor, sizes: list[int], places: list[_Floats]) -> nn.Module:
    size = (sizes[2], sizes[3])
    corners = _same_as_torch(image, sizes, places)
    if corners is None:
        raise ValueError("it is cubic, with coordinates that torch does not have")
    return Applied(
        lambda value: functional.interpolate(
            value, size=size, mode="bicubic", align_corners=corners
        )
    )


def _same_as_torch(image: Tensor, sizes: list[int], places: list[_Floats]) -> bool | None:
    """Return whether torch must align corners to read the same places; None if it cannot."""
    for corners, way in ((False, "half_pixel"), (True, "align_corners")):
        theirs = [
            _places(image.shape[axis], sizes[axis], sizes[axis] / image.shape[axis], way)
            for axis in (2, 3)
        ]
        if all(np.allclose(a, b, atol=1e-6) for a, b in zip(places, theirs, strict=True)):
            return corners
    return None

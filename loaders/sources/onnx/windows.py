"""Convolutions and poolings of ONNX with their pads worked out.

``SAME_UPPER`` and ``SAME_LOWER`` say what size the result has; for an input of known size that is
so many rows and columns on each side, more of them on one side where their number is odd.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from circuitkb.loaders.composition.rules.context import pair
from circuitkb.loaders.sources.onnx.bounds import check_size
from circuitkb.loaders.sources.onnx.call import OnnxCall

Pads = tuple[tuple[int, int], ...]
"""Places before and behind, for each axis of positions."""


@dataclass(frozen=True)
class _Window:
    """Sizes of a window, one for each axis of positions."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pads
    inputs: tuple[int, ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """How many places each reaches over."""
        return tuple(d * (n - 1) + 1 for d, n in zip(self.dilation, self.size, strict=True))


def _window(call: OnnxCall, size: Sequence[int]) -> _Window:
    """Read a window's options; raise ValueError where they make no sense."""
    axes = len(size)
    stride = _option(call, "strides", axes, 1)
    dilation = _option(call, "dilations", axes, 1)
    widths = _option(call, "pads", 2 * axes, 0)
    if min((*size, *stride, *dilation), default=1) < 1:
        raise ValueError("a size, stride or dilation of its window is below 1")
    if call.image.ndim != axes + 2:
        raise ValueError(f"its input has {call.image.ndim} axes")
    pads = tuple(zip(widths[:axes], widths[axes:], strict=True))
    return _Window(tuple(size), stride, dilation, pads, tuple(call.image.shape[2:]))


def _option(call: OnnxCall, name: str, count: int, default: int) -> tuple[int, ...]:
    found = tuple(int(item) for item in call.options.get(name, [])) or (default,) * count
    if len(found) != count:
        raise ValueError(f"it has {len(found)} {name} instead of {count}")
    return found


def _padded(call: OnnxCall, window: _Window) -> _Window:
    """Return a window with explicit pads, as ``auto_pad`` asks for them."""
    mode = call.word("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return window
    if mode == "VALID":
        return replace(window, pads=((0, 0),) * len(window.size))
    pads = []
    for length, span, stride in zip(window.inputs, window.spans, window.stride, strict=True):
        total = max((-(-length // stride) - 1) * stride + span - length, 0)
        pads.append(_shared(total, mode))
    return replace(window, pads=tuple(pads))


def _shared(total: int, mode: str) -> tuple[int, int]:
    """Share out so many places between both sides."""
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"its auto_pad is {mode}")
    less, more = total // 2, total - total // 2
    return (less, more) if mode == "SAME_UPPER" else (more, less)


def _weights(call: OnnxCall) -> tuple[Tensor, Tensor | None, int]:
    weight, bias = call.known(1, "weights"), call.known(2, "biases")
    groups = int(call.options.get("group", 1))
    if weight is None or weight.ndim != call.image.ndim or weight.ndim not in (3, 4, 5):
        raise ValueError("its weights have other axes than its input")
    if groups < 1 or weight.shape[0] % groups:
        raise ValueError(f"it has {groups} groups for {weight.shape[0]} channels")
    size = tuple(call.options.get("kernel_shape", weight.shape[2:]))
    if size != tuple(weight.shape[2:]):
        raise ValueError(f"its kernel_shape {list(size)} is not that of its weights")
    return weight, bias, groups


def convolution(call: OnnxCall) -> nn.Module:
    """Conv: uneven pads stand in front of it."""
    weight, bias, groups = _weights(call)
    window = _padded(call, _window(call, weight.shape[2:]))
    if call.image.shape[1] != weight.shape[1] * groups:
        raise ValueError(
            f"it takes {weight.shape[1] * groups} channels and gets {call.image.shape[1]}"
        )
    sizes = [n + a + b for n, (a, b) in zip(window.inputs, window.pads, strict=True)]
    check_size([*call.image.shape[:2], *sizes])
    check_size([1, weight.shape[0], *_results(window, sizes)])
    even = all(before == behind >= 0 for before, behind in window.pads)
    kinds: tuple[Callable[..., nn.Module], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    with torch.device("meta"):
        made = kinds[len(window.size) - 1](
            weight.shape[1] * groups,
            weight.shape[0],
            window.size,
            window.stride,
            tuple(before for before, _ in window.pads) if even else 0,
            window.dilation,
            groups,
            bias is not None,
        )
    _give(made, weight, bias)
    return made if even else nn.Sequential(_Pad(window.pads, 0.0), made)


def _give(module: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
    module.register_parameter("weight", nn.Parameter(weight.clone()))
    module.register_parameter("bias", None if bias is None else nn.Parameter(bias.clone()))


def _results(window: _Window, sizes: Sequence[int]) -> list[int]:
    found = [
        (length - span) // stride + 1
        for length, span, stride in zip(sizes, window.spans, window.stride, strict=True)
    ]
    if min(found) < 1:
        raise ValueError("its window is larger than its input")
    return found


class _Pad(nn.Module):
    def __init__(self, pads: Pads, value: float) -> None:
        super().__init__()
        self._widths = [width for both in reversed(pads) for width in both]
        self._value = value

    def forward(self, value: Tensor) -> Tensor:
        return functional.pad(value, self._widths, "constant", self._value)


class _Times(nn.Module):
    """Each place of a map times a number."""

    factors: Tensor

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.register_buffer("factors", factors, persistent=False)

    def forward(self, value: Tensor) -> Tensor:
        return value * self.factors


class _Cropped(nn.Module):
    """A module, of whose result the first places of each axis are kept."""

    def __init__(self, inner: nn.Module, starts: Sequence[int], sizes: Sequence[int]) -> None:
        super().__init__()
        self.inner = inner
        self._places = tuple(
            slice(start, start + size) for start, size in zip(starts, sizes, strict=True)
        )

    def forward(self, value: Tensor) -> Tensor:
        found: Tensor = self.inner(value)[(..., *self._places)]
        return found


def max_pool(call: OnnxCall) -> nn.Module | None:
    """MaxPool with ``auto_pad``: what is padded never counts."""
    if call.outputs > 1 or call.options.get("storage_order"):
        raise ValueError("its places (Indices) are asked for")
    window = _window(call, _kernel(call))
    _check_pool(call, window)
    if call.word("auto_pad", "NOTSET") == "NOTSET" or len(window.size) != 2:
        return None
    return _pool(
        _padded(call, window),
        lambda w, around, up: nn.MaxPool2d(w.size, w.stride, around, w.dilation, False, up),
        float("-inf"),
    )


def average_pool(call: OnnxCall) -> nn.Module | None:
    """AveragePool with ``auto_pad`` or uneven pads."""
    window = _window(call, _kernel(call))
    _check_pool(call, window)
    if any(d != 1 for d in window.dilation):
        raise ValueError("its window has gaps (dilations)")
    mode = call.word("auto_pad", "NOTSET")
    if (mode == "NOTSET" and all(a == b for a, b in window.pads)) or len(window.size) != 2:
        return None
    window = _padded(call, window)
    counts_pads = bool(call.options.get("count_include_pad", 0))
    up = bool(call.options.get("ceil_mode", 0)) and mode == "NOTSET"
    if counts_pads:
        return nn.Sequential(_Pad(window.pads, 0.0), _average(window, 0, up, True))
    if up:
        raise ValueError("it has uneven pads and rounds sizes up")
    return _pool(
        window,
        lambda w, around, up: _average(w, around, up, False),
        None,
    )


def _average(window: _Window, around: Any, up: bool, counts_pads: bool) -> nn.Module:
    size, stride = pair(window.size), pair(window.stride)
    return nn.AvgPool2d(size, stride, around, up, counts_pads)


def _kernel(call: OnnxCall) -> tuple[int, ...]:
    return tuple(int(item) for item in call.options["kernel_shape"])


def _check_pool(call: OnnxCall, window: _Window) -> None:
    if min(min(both) for both in window.pads) < 0:
        raise ValueError("its pads are negative")
    sizes = [n + a + b for n, (a, b) in zip(window.inputs, window.pads, strict=True)]
    check_size([*call.image.shape[:2], *sizes])


def _pool(
    window: _Window,
    make: Callable[[_Window, tuple[int, ...], bool], nn.Module],
    outside: float | None,
) -> nn.Module:
    """Pool so that pads never count, though torch pads both sides alike.

    torch leaves out of each window what lies in the pads. So its pads may reach further than
    asked for, where windows that were not asked for are cut off again; and where its windows end
    too early they do reach the end with sizes rounded up.
    """
    padded = [n + a + b for n, (a, b) in zip(window.inputs, window.pads, strict=True)]
    wanted = _results(window, padded)
    front = tuple(before for before, _ in window.pads)
    both = tuple(max(widths) for widths in window.pads)
    for around, up in ((front, False), (front, True), (both, False)):
        more = [one - other for one, other in zip(around, front, strict=True)]
        starts = [width // stride for width, stride in zip(more, window.stride, strict=True)]
        if any(width % stride for width, stride in zip(more, window.stride, strict=True)) or any(
            2 * width > size for width, size in zip(around, window.size, strict=True)
        ):
            continue
        axes = zip(window.inputs, window.spans, window.stride, around, strict=True)
        made = [_pooled(length, span, stride, width, up) for length, span, stride, width in axes]
        given = [count - start for count, start in zip(made, starts, strict=True)]
        if given == wanted and not any(starts):
            return make(window, around, up)
        if all(one >= other for one, other in zip(given, wanted, strict=True)):
            return _Cropped(make(window, around, up), starts, wanted)
    none = (0,) * len(front)
    pad = _Pad(window.pads, 0.0 if outside is None else outside)
    if outside is not None:
        return nn.Sequential(pad, make(window, none, False))
    pool = make(window, none, False)
    there = pool(pad(torch.ones(1, 1, *window.inputs)))
    return nn.Sequential(pad, pool, _Times(1 / there))


def _pooled(length: int, span: int, stride: int, around: int, up: bool) -> int:
    """Return how many windows torch makes along an axis."""
    left = length + 2 * around - span
    found = (-(-left // stride) if up else left // stride) + 1
    # The last window must start inside of the input or of the pads in front.
    return found - 1 if up and (found - 1) * stride >= length + around else found


def transposed_convolution(call: OnnxCall) -> nn.Module:
    """ConvTranspose: uneven pads are cut off."""
    weight, bias, groups = _weights(call)
    window = _window(call, weight.shape[2:])
    if call.image.shape[1] != weight.shape[0]:
        raise ValueError(f"it takes {weight.shape[0]} channels and gets {call.image.shape[1]}")
    axes = len(window.size)
    added = list(_option(call, "output_padding", axes, 0))
    whole = [
        (length - 1) * stride + span
        for length, stride, span in zip(window.inputs, window.stride, window.spans, strict=True)
    ]
    mode = call.word("auto_pad", "NOTSET")
    sizes = list(_option(call, "output_shape", axes, 0))[-axes:]
    pads = list(window.pads)
    for axis in range(axes):
        if not any(sizes) and mode in ("NOTSET", "VALID"):
            pads[axis] = (0, 0) if mode == "VALID" else pads[axis]
            continue
        wanted = sizes[axis] or window.inputs[axis] * window.stride[axis]
        total = whole[axis] + added[axis] - wanted
        if total < 0:
            raise ValueError(f"its windows reach {wanted + total} places of {wanted}")
        pads[axis] = _shared(total, "SAME_LOWER" if mode != "SAME_UPPER" else mode)
    if min(min(both) for both in pads) < 0 or min(added) < 0:
        raise ValueError("its pads are negative")
    full = [size + more for size, more in zip(whole, added, strict=True)]
    check_size([1, weight.shape[1] * groups, *full])
    even = all(before == behind for before, behind in pads)
    left = [size - a - b for size, (a, b) in zip(full, pads, strict=True)]
    if min(left) < 1:
        raise ValueError("its pads leave nothing")
    kinds: tuple[Callable[..., nn.Module], ...] = (
        nn.ConvTranspose1d,
        nn.ConvTranspose2d,
        nn.ConvTranspose3d,
    )
    with torch.device("meta"):
        made = kinds[axes - 1](
            weight.shape[0],
            weight.shape[1] * groups,
            window.size,
            window.stride,
            tuple(before for before, _ in pads) if even else 0,
            tuple(added),
            groups,
            bias is not None,
            window.dilation,
        )
    _give(made, weight, bias)
    return made if even else _Cropped(made, [before for before, _ in pads], left)

"""What ``torch.export`` makes of the functions that plain networks call: operations of ATen."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch.fx import Node

BATCH_NORM = "_native_batch_norm_legit_no_training.default"
"""It has three results, of which one is read."""


class UnknownError(Exception):
    """Something of which it is not known here what ``torch.export`` makes of it."""


@dataclass(frozen=True)
class Call:
    """An operation of ATen, as in ``add.Tensor``.

    Attributes
    ----------
    args
        What it must be given.
    more
        What it may be given; what is usual is left out from the end, as PyTorch does.
    overwrites
        Whether the result takes the place of the first argument.
    """

    name: str
    args: tuple[Any, ...]
    more: tuple[Any, ...] = ()
    usual: tuple[Any, ...] = ()
    overwrites: bool = False

    @property
    def given(self) -> tuple[Any, ...]:
        """Return all arguments that are written down."""
        more = self.more
        while more and _alike(more[-1], self.usual[len(more) - 1]):
            more = more[:-1]
        return self.args + more


def _alike(one: Any, other: Any) -> bool:
    """Whether two numbers are the same: 1.0 is written down where 1 is usual."""
    return type(one) is type(other) and bool(one == other)


def _two(value: Any) -> list[int]:
    return [value] * 2 if isinstance(value, int) else list(value)


def _conv2d(
    read: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Call:
    if isinstance(padding, str):
        raise UnknownError
    more = (bias, _two(stride), _two(padding), _two(dilation), groups)
    return Call("conv2d.default", (read, weight), more, (None, [1, 1], [0, 0], [1, 1], 1))


def _linear(read: Node, weight: Node, bias: Node | None = None) -> Call:
    return Call("linear.default", (read, weight), (bias,), (None,))


def _on_values(name: str) -> Callable[..., Call]:
    def rule(read: Node, inplace: bool = False) -> Call:
        return Call(name, (read,), overwrites=inplace)

    return rule


def _hardtanh(
    read: Node, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Call:
    return Call("hardtanh.default", (read,), (min_val, max_val), (-1, 1), inplace)


def _leaky_relu(read: Node, negative_slope: float = 0.01, inplace: bool = False) -> Call:
    return Call("leaky_relu.default", (read,), (negative_slope,), (0.01,), inplace)


def _elu(read: Node, alpha: float = 1.0, inplace: bool = False) -> Call:
    return Call("elu.default", (read,), (alpha,), (1,), inplace)


def _gelu(read: Node, approximate: str = "none") -> Call:
    if approximate != "none":
        raise UnknownError
    return Call("gelu.default", (read,))


def _batch_norm(
    read: Node,
    running_mean: Node,
    running_var: Node,
    weight: Node,
    bias: Node,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Call:
    held = (weight, bias, running_mean, running_var)
    if training or not all(isinstance(one, Node) for one in held):
        raise UnknownError
    return Call(BATCH_NORM, (read, *held, momentum, eps))


def _of_two(name: str, *, overwrites: bool = False) -> Callable[..., Call]:
    def rule(one: Node, other: Node) -> Call:
        if not (isinstance(one, Node) and isinstance(other, Node)):
            raise UnknownError
        return Call(name, (one, other), overwrites=overwrites)

    return rule


def _dropout(read: Node, p: float = 0.5, training: bool = True, inplace: bool = False) -> Call:
    if training:
        raise UnknownError
    return Call("dropout", (read,))


def _stochastic_depth(read: Node, p: float, mode: str, training: bool = True) -> Call:
    return _dropout(read, p, training)


def _pad(read: Node, pad: Any, mode: str = "constant", value: float | None = None) -> Call:
    return Call("pad.default", (read, list(pad)), (mode, value), ("constant", None))


def _adaptive_avg_pool2d(read: Node, output_size: Any) -> Call:
    sizes = _two(output_size)
    if None in sizes:
        raise UnknownError
    return Call("adaptive_avg_pool2d.default", (read, sizes))


def _max_pool2d(
    read: Node,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Call:
    if return_indices:
        raise UnknownError
    more = (_two(stride or ()), _two(padding), _two(dilation), ceil_mode)
    usual: tuple[Any, ...] = ([], [0, 0], [1, 1], False)
    return Call("max_pool2d.default", (read, _two(kernel_size)), more, usual)


def _avg_pool2d(
    read: Node,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Call:
    more = (_two(stride or ()), _two(padding), ceil_mode, count_include_pad, divisor_override)
    usual: tuple[Any, ...] = ([], [0, 0], False, True, None)
    return Call("avg_pool2d.default", (read, _two(kernel_size)), more, usual)


def _cat(tensors: Any, dim: int = 0) -> Call:
    return Call("cat.default", (list(tensors),), (dim,), (0,))


def _mean(read: Node, dim: Any, keepdim: bool = False) -> Call:
    axes = [dim] if isinstance(dim, int) else list(dim)
    return Call("mean.dim", (read, axes), (keepdim,), (False,))


def _view(read: Node, *shape: Any) -> Call:
    sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
    return Call("view", (read, sizes))


def _flatten(read: Node, start_dim: int = 0, end_dim: int = -1) -> Call:
    return Call("flatten", (read, start_dim, end_dim))


_add, _mul = _of_two("add.Tensor"), _of_two("mul.Tensor")
_relu, _sigmoid = _on_values("relu.default"), _on_values("sigmoid.default")

FUNCTIONS: dict[Any, Callable[..., Call]] = {
    F.adaptive_avg_pool2d: _adaptive_avg_pool2d,
    F.avg_pool2d: _avg_pool2d,
    F.batch_norm: _batch_norm,
    F.conv2d: _conv2d,
    F.dropout: _dropout,
    F.elu: _elu,
    F.gelu: _gelu,
    F.hardsigmoid: _on_values("hardsigmoid.default"),
    F.hardswish: _on_values("hardswish.default"),
    F.hardtanh: _hardtanh,
    F.leaky_relu: _leaky_relu,
    F.linear: _linear,
    F.pad: _pad,
    F.relu: _relu,
    F.silu: _on_values("silu.default"),
    operator.add: _add,
    operator.iadd: _of_two("add.Tensor", overwrites=True),
    operator.mul: _mul,
    torch.add: _add,
    torch.cat: _cat,
    torch.flatten: _flatten,
    F.max_pool2d: _max_pool2d,
    torch.mean: _mean,
    torch.mul: _mul,
    torch.relu: _relu,
    torch.sigmoid: _sigmoid,
    "torchvision.ops.stochastic_depth.stochastic_depth": _stochastic_depth,
}
"""What the functions of PyTorch that plain networks call are as operations of ATen."""

METHODS: dict[Any, Callable[..., Call]] = {
    "add": _add,
    "flatten": _flatten,
    "mean": _mean,
    "mul": _mul,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "view": _view,
}

"""Nonlinearities of layers, as functions of pre-activations, which gradients flow through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Function = Callable[[Tensor], Tensor]

KNOTS = 4096
"""Stored responses that a nonlinearity without a formula here is read from."""


FORMULAS: dict[str, Function] = {
    "input": lambda x: x,
    "output": lambda x: x,
    "relu": torch.relu,
    "relu6": functional.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": functional.silu,
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "softmax": lambda x: torch.softmax(x, 0),
}
"""By the kind of a layer; units stand on the first axis."""


def nonlinearity(kind: str, before: NDArray[Any], after: NDArray[Any]) -> Function:
    """Return a layer's nonlinearity: its formula, or else what its stored responses show.

    Parameters
    ----------
    kind
        Of the layer.
    before, after
        Its stored responses.

    Examples
    --------
    >>> x = np.linspace(-3, 3, 601, dtype=np.float32)
    >>> nonlinearity("relu6", x, x)(torch.tensor([-1.0, 2, 9])).tolist()
    [0.0, 2.0, 6.0]
    >>> nonlinearity("squared", x, x**2)(torch.tensor([2.0])).numpy().round(3).tolist()
    [4.0]
    """
    if kind in FORMULAS:
        return FORMULAS[kind]
    some = np.linspace(0, before.size - 1, min(KNOTS, before.size)).astype(np.intp)
    low, high = before.argmin(), before.argmax()
    some = np.unique([*some, low, high])
    return between(*(np.asarray(side.reshape(-1)[some], np.float32) for side in (before, after)))


def between(before: NDArray[Any], after: NDArray[Any]) -> Function:
    """Return the function that joins known responses by straight lines, level outside of them.

    Examples
    --------
    >>> between(np.array([2.0, 0.0]), np.array([1.0, 0.0]))(torch.tensor([-1.0, 1, 3])).tolist()
    [0.0, 0.5, 1.0]
    """
    order = np.argsort(before, kind="stable")
    x, y = (torch.from_numpy(np.ascontiguousarray(side[order])) for side in (before, after))
    rise = x[1:] - x[:-1]
    slope = torch.where(rise > 0, (y[1:] - y[:-1]) / rise.where(rise > 0, 1), 0)
    slope = torch.cat([slope, slope.new_zeros(1)])

    def read(values: Tensor) -> Tensor:
        inside = values.to(x.dtype).clamp(x[0], x[-1])
        place = torch.searchsorted(x, inside.detach().contiguous(), right=True) - 1
        return y[place] + slope[place] * (inside - x[place])

    return read

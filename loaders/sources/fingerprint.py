"""The identity of a network's weights, whatever file they came from."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_COUNTERS = "num_batches_tracked"
"""Batch norm counts its training steps in this buffer; no output depends on it."""


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Return the sha256 of named tensors, as 64 hexadecimal digits.

    Parameters
    ----------
    tensors
        Parameters and persistent buffers by name, as ``module.state_dict()`` gives them once the
        weights are loaded; so a file's format, order, compression and wrapping do not count.
        Counters of training steps (``num_batches_tracked``) are left out.

    Notes
    -----
    Hashed are, by sorted name: the name, the data type, the shape, and the values in row-major
    order as little-endian bytes. Name and shape are ended by a zero byte, so no two different
    networks give the same stream. Strides, device and gradients do not count. What a network
    computes beside its tensors (its strides, its activations) is not part of its fingerprint.

    Examples
    --------
    >>> import torch
    >>> one = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
    >>> other = dict(reversed(one.items()))
    >>> fingerprint(one) == fingerprint(other)
    True
    >>> fingerprint(one) == fingerprint(one | {"bias": torch.ones(2)})
    False
    """
    found = hashlib.sha256()
    for name in sorted(tensors):
        if name.rpartition(".")[2] != _COUNTERS:
            tensor = tensors[name].detach()
            dtype = str(tensor.dtype).removeprefix("torch.")
            shape = "x".join(map(str, tensor.shape))
            found.update(f"{name}\0{dtype}\0{shape}\0".encode())
            found.update(_little_endian(tensor))
    return found.hexdigest()


def _little_endian(tensor: Tensor) -> bytes:
    import torch

    flat = tensor.cpu().contiguous().reshape(-1)
    width = flat.element_size() // (2 if flat.is_complex() else 1)
    values = flat.view(torch.uint8).numpy()
    if sys.byteorder == "big":
        values = values.reshape(-1, width)[:, ::-1].copy().reshape(-1)
    return values.tobytes()

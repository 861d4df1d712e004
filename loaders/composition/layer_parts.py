"""What composing gives a layer: the constant of its units, its connections, and where they hold."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from circuitkb.loaders.composition.exactness import centre, margin
from circuitkb.loaders.composition.linear_form import LinearForm, Part
from circuitkb.loaders.composition.rules.context import axis_of
from circuitkb.schema.kernels import Connection, ConnectionPath, Floats

SPILL_BYTES = 2**24
"""Kernel arrays of this size and more wait on disk for the store."""

_SAME_CONSTANT = 1e-6
"""Share of a constant's size by which it may change over a map and still count as the same."""


def _by_place(form: LinearForm) -> Tensor | None:
    """Return the constant of a form, axes (channel, row, column)."""
    if form.constant is None or form.layout is None:
        return None
    value = form.constant[0]
    if "c" in form.layout:
        value = value.movedim(form.layout.index("c") - 1, 0)
    return value.reshape(form.channels, form.rows, form.columns)


def constant_at_centre(form: LinearForm) -> Tensor | None:
    """Return the constant at the centre of the map, float32 (channels,)."""
    by_place = _by_place(form)
    if by_place is None:
        return None
    return by_place[:, centre(form.rows), centre(form.columns)].float().contiguous()


def layer_margin(form: LinearForm, parts: Sequence[Part]) -> tuple[int, int, int, int]:
    """Return the border within which the constant at the centre and the parts are not exact."""
    by_place = _by_place(form)
    if by_place is None:
        return (0, 0, 0, 0)
    middle = (centre(form.rows), centre(form.columns))
    at_middle = by_place[:, middle[0], middle[1]]
    near = _SAME_CONSTANT * float(by_place.abs().max())
    same = ((by_place - at_middle[:, None, None]).abs() <= near).all(0)
    rows = [margin(axis_of(same[:, middle[1]]))] + [margin(part.exact[0]) for part in parts]
    columns = [margin(axis_of(same[middle[0]]))] + [margin(part.exact[1]) for part in parts]
    top, bottom = (max(side) for side in zip(*rows, strict=True))
    left, right = (max(side) for side in zip(*columns, strict=True))
    inner = same[top : form.rows - bottom, left : form.columns - right]
    if not bool(inner.all()):
        top, bottom = middle[0], form.rows - middle[0] - 1
        inner = same[top : top + 1, left : form.columns - right]
        if not bool(inner.all()):
            left, right = middle[1], form.columns - middle[1] - 1
    return top, bottom, left, right


def connection(key: str, part: Part, target: str) -> Connection:
    """Return a part as the connection into a layer that stores keep."""
    path: ConnectionPath = "direct"
    if part.gated:
        path = "gated"
    elif part.source.pooling:
        path = "pooled"
    elif part.residual:
        path = "residual"
    return Connection(
        key=key,
        source=part.source.layer,
        target=target,
        path=path,
        target_units=part.targets.to(torch.int32).numpy(),
        source_units=part.sources.to(torch.int32).numpy(),
        kernel=_at_rest(part.kernel.float().contiguous().numpy()),
        stride=part.stride,
        offset=part.offset,
        pooling=part.source.pooling,
        margin=(*margin(part.exact[0]), *margin(part.exact[1])),
    )


def _at_rest(kernel: Floats) -> Floats:
    """Move a large kernel to an unnamed temporary file, so that memory holds few at a time."""
    if kernel.nbytes < SPILL_BYTES:
        return kernel
    with tempfile.TemporaryFile() as file:
        kernel.tofile(file)
        file.flush()
        mapped: Floats = np.memmap(file, dtype=np.float32, mode="r", shape=kernel.shape)
    return mapped

"""Views, permutations, slices and splits: which channel went where.

Instead of a rule for every way to move elements about, the operation itself runs on a tensor of
element numbers; if its result still has whole channels at their places, it was a selection of
channels, and the axes tell the layout.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from circuitkb.loaders.composition.linear_form import LinearForm, Part
from circuitkb.loaders.composition.rules.axis_maps import applied, picking

_LAYOUTS: dict[int, tuple[str, ...]] = {
    4: ("ncyx", "nyxc"),
    3: ("ntc", "nct"),
    2: ("nc", "nf"),
}

_MOST_KINDS = 64
"""Groups of channels with different positions that a rearrangement may make of a map."""


def element_numbers(form: LinearForm) -> Tensor | None:
    """Return which element (channel, row, column flattened) each entry of the tensor is."""
    if form.index is not None or form.layout is None:
        return form.index
    numbers = torch.arange(form.channels * form.rows * form.columns)
    by_axis = numbers.view(1, form.channels, form.rows, form.columns)
    match form.layout:
        case "ncyx":
            return by_axis
        case "nyxc":
            return by_axis.permute(0, 2, 3, 1)
        case "nct":
            return by_axis.flatten(2)
        case "ntc":
            return by_axis.flatten(2).transpose(1, 2)
        case _:
            return by_axis.flatten(1)


def rearranged(form: LinearForm, index: Tensor, constant: Tensor | None) -> LinearForm:
    """Return the form after its elements were moved: entry ``e`` is now element ``index[e]``.

    Where that is a selection of channels, or of rows and columns of whole channels, the result has
    a layout; otherwise it keeps the index, in case a later operation brings whole channels back.
    """
    for layout in _LAYOUTS.get(index.ndim, ()):
        gather = _whole_channels(form, index, layout)
        if gather is not None:
            return replace(
                form,
                channels=len(gather),
                layout=layout,
                parts=_selected(form, gather),
                constant=constant,
                index=None,
            )
    for layout in _LAYOUTS.get(index.ndim, ()):
        found = _picked(form, index, layout) if "c" in layout else None
        if found is not None:
            return replace(found, constant=constant)
    return replace(form, layout=None, index=index, constant=constant)


def _picked(form: LinearForm, index: Tensor, layout: str) -> LinearForm | None:
    """Return the form of some rows and columns of some channels, once or repeated; or None.

    Groups of channels may have rows and columns of their own, as where a map is folded into
    channels.
    """
    if index.shape[0] != 1 or not index.numel():
        return None
    numbers = index[0].movedim(layout.index("c") - 1, 0)
    size: tuple[int, int]
    if layout in ("ncyx", "nyxc"):
        size = (numbers.shape[1], numbers.shape[2])
    elif "t" in layout:
        # A list of positions has places of its own where it runs along one axis of the map.
        size = (1, numbers.shape[1]) if form.rows == 1 else (numbers.shape[1], 1)
    else:
        size = (1, 1)
    numbers = numbers.reshape(-1, *size)
    area = form.rows * form.columns
    channel, place = numbers // area, numbers % area
    row, column = place // form.columns, place % form.columns
    if bool((channel != channel[:, :1, :1]).any()):
        return None
    result = replace(
        form, channels=len(numbers), rows=size[0], columns=size[1], layout=layout, index=None
    )
    separate = bool((row == row[:, :, :1]).all() and (column == column[:, :1, :]).all())
    if not separate:
        return _unfollowed(form, result) if "t" in layout and _same(place) else None
    taken = torch.cat([row[:, :, 0], column[:, 0, :]], dim=1)
    kinds, kind = torch.unique(taken, dim=0, return_inverse=True)
    if len(kinds) > 1 and (
        layout not in ("ncyx", "nyxc")
        or len(kinds) > _MOST_KINDS
        or len(torch.unique(channel[:, 0, 0])) * len(kinds) != len(numbers)
        or form.channels == 1
    ):
        return None
    parts: list[Part] = []
    for number, chosen in enumerate(kinds.tolist()):
        rows = picking(chosen[: size[0]], form.rows)
        columns = picking(chosen[size[0] :], form.columns)
        # A channel that is none of this kind comes from nowhere.
        gather = torch.where(kind == number, channel[:, 0, 0], -1)
        for part in form.parts:
            for piece in part.take(gather):
                parts += applied(piece, rows, columns, len(numbers))
    return replace(result, parts=tuple(parts))


def _same(place: Tensor) -> bool:
    return bool((place == place[:1]).all())


def _unfollowed(form: LinearForm, result: LinearForm) -> LinearForm:
    return replace(result, parts=(), untracked=form.sources)


def _whole_channels(form: LinearForm, index: Tensor, layout: str) -> Tensor | None:
    """Return the channel that each new channel was, or None if they are not whole."""
    area = form.rows * form.columns
    if index.shape[0] != 1:
        return None
    if layout == "nf":
        flat = torch.arange(form.channels * area)
        return torch.arange(form.channels) if torch.equal(index[0], flat) else None
    axis = layout.index("c")
    by_channel = index[0].movedim(axis - 1, 0).flatten(1) if index.ndim > 2 else index[0][:, None]
    spatial = tuple(index[0].movedim(axis - 1, 0).shape[1:]) if index.ndim > 2 else ()
    expected = {
        "ncyx": (form.rows, form.columns),
        "nyxc": (form.rows, form.columns),
        "ntc": (area,),
        "nct": (area,),
        "nc": (),
    }[layout]
    if spatial != expected or by_channel.shape[1] != area:
        return None
    channel = by_channel[:, 0] // area
    if not torch.equal(by_channel, channel[:, None] * area + torch.arange(area)):
        return None
    # A channel that appears twice would need two targets for one: leave that unresolved.
    return channel if len(torch.unique(channel)) == len(channel) else None


def _selected(form: LinearForm, gather: Tensor) -> tuple[Part, ...]:
    if torch.equal(gather, torch.arange(form.channels)):
        return form.parts
    place = torch.full((form.channels,), -1)
    place[gather] = torch.arange(len(gather))
    moved = (part.select(place) for part in form.parts)
    return tuple(part for part in moved if part is not None)

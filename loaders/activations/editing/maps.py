"""What kernels give on the maps of a running network: at one place, and at all places.

Follows the definition of :class:`~circuitkb.schema.kernels.Connection` and nothing else: target
position ``p`` gets ``sum over k of kernel[k] * x[stride * p + offset + k]``, zero outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from circuitkb.loaders.activations.editing.runs import Geometry
from circuitkb.loaders.composition.sites import Site
from circuitkb.loaders.verification.kernel_sums import UnknownPoolingError, pooled_maps
from circuitkb.schema.errors import TrialError


def as_maps(value: Tensor, site: Site) -> Tensor:
    """Return a layer's value as maps, axes (image, unit, row, column); a view.

    Raises
    ------
    TrialError
        Its units have no maps.
    """
    layout = site.layout
    if "f" in layout:
        return value.view(len(value), -1, site.rows, site.columns)
    if "c" not in layout or not layout.startswith("n") or len(layout) != value.ndim:
        raise TrialError(f"The units of {site.layer} do not lie in maps: they cannot be edited.")
    moved = value.movedim(layout.index("c"), 1)
    if "t" in layout:
        return moved.view(*moved.shape[:2], site.rows, site.columns)
    return moved[:, :, None, None] if moved.ndim == 2 else moved


def position(site: Site, index: Sequence[int]) -> tuple[int, int]:
    """Return row and column of a place on a layer's map, given as views give it."""
    if len(index) == 2:
        return index[0], index[1]
    return divmod(index[0], site.columns) if index else (0, 0)


def after_pooling(maps: Tensor, steps: tuple[str, ...]) -> Tensor:
    """Return maps, axes (image, unit, row, column), after the poolings of a connection.

    Raises
    ------
    TrialError
        One of them is not known.
    """
    try:
        return pooled_maps(maps, steps)
    except UnknownPoolingError as error:
        raise TrialError(f"The pooling {error} cannot be run in an edited network.") from error


def windows(maps: Tensor, geometry: Geometry, place: tuple[int, int]) -> Tensor:
    """Return what kernels for one place of the target see, axes as ``maps``; zero outside.

    ``maps`` have the axes (image, unit, row, column) and went through the poolings.
    """
    seen = maps.new_zeros(*maps.shape[:2], geometry.rows, geometry.columns)
    inner: list[slice] = []
    outer: list[slice] = []
    for axis, size in enumerate((geometry.rows, geometry.columns)):
        first = geometry.stride[axis] * place[axis] + geometry.offset[axis]
        low = min(max(first, 0), maps.shape[2 + axis])
        high = max(low, min(first + size, maps.shape[2 + axis]))
        inner.append(slice(low - first, high - first) if high > low else slice(0, 0))
        outer.append(slice(low, high))
    seen[:, :, inner[0], inner[1]] = maps[:, :, outer[0], outer[1]]
    return seen


def sums_on(maps: Tensor, kernels: Tensor, geometry: Geometry, size: tuple[int, int]) -> Tensor:
    """Return what kernels give at every place of the targets' map, axes (map, row, column).

    Parameters
    ----------
    maps
        One for each kernel, axes (map, row, column), after the poolings.
    kernels
        Axes (map, row, column).
    size
        Rows and columns of the targets' map.

    Examples
    --------
    >>> import torch
    >>> maps = torch.arange(4.0).reshape(1, 2, 2)
    >>> sums_on(maps, torch.ones(1, 1, 2), Geometry(1, 2, offset=(0, -1)), (2, 2)).tolist()
    [[[0.0, 1.0], [2.0, 5.0]]]
    """
    found = functional.conv2d(
        fitted(maps, geometry, size)[None],
        kernels[:, None],
        stride=geometry.stride,
        groups=len(maps),
    )
    return found[0]


def fitted(maps: Tensor, geometry: Geometry, size: tuple[int, int]) -> Tensor:
    """Return maps padded with zeros, or cut, to what kernels read for a target's map of a size.

    The last two axes of ``maps`` are row and column.
    """
    sides: list[int] = []
    for axis in (1, 0):
        before = -geometry.offset[axis]
        kernel = geometry.columns if axis else geometry.rows
        needed = geometry.stride[axis] * (size[axis] - 1) + kernel
        sides += [before, needed - before - maps.shape[axis - 2]]
    return functional.pad(maps, sides) if any(sides) else maps  # negative sides cut off

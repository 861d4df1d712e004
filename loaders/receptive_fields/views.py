"""Where to look at a network: at which size of image, and at which position of each layer.

A stimulus must lie where a unit looks. A :class:`View` is one size of image with one centre, and
the layers that have a unit whose receptive field is centred exactly there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.fx import Node

from circuitkb.loaders.composition.compose import Site, find_sites
from circuitkb.loaders.composition.reference_image import pink_image
from circuitkb.loaders.composition.retracing import traced_for
from circuitkb.loaders.composition.rules.context import shape_of
from circuitkb.loaders.composition.tracing import TracedNetwork, trace
from circuitkb.loaders.receptive_fields.centres import Grid, aligned_size, best_centre, best_size
from circuitkb.loaders.receptive_fields.fields import (
    along_axes,
    centres,
    ends,
    longest_side,
    receptive_fields,
)
from circuitkb.loaders.receptive_fields.spans import ReceptiveField
from circuitkb.schema.errors import TraceError
from circuitkb.schema.progress import Progress, silent

MOST_VIEWS = 6
"""Views that a network may have; layers that would need more are read at the nearest position."""


@dataclass(frozen=True)
class ViewPlace:
    """Which position of a layer to read.

    Attributes
    ----------
    index
        Of the position in ``site.after``: (row, column) of a map, (token,) of a list of positions,
        () where there is neither.
    before
        The same in ``site.before``, whose grid is finer where a pooling makes the features; None
        for the input.
    off_centre
        Pixels between the view's centre and that of the unit's receptive field: 0 where it is
        exact, and where units have no place of their own (as after a mean over the map). NaN where
        the receptive field is unknown: the middle of the map is read then.
    side
        Pixels along the longer side of the receptive field; None for the whole image, or unknown.
    """

    index: tuple[int, ...]
    before: tuple[int, ...] | None
    off_centre: float
    side: int | None


@dataclass(frozen=True, eq=False)
class View:
    """One size of image with one centre, and the layers to be read in it.

    Attributes
    ----------
    rows, columns
        Size of the image in pixels.
    centre
        The pixel (row, column) on which stimuli are centred; half pixels lie between two.
    places
        For each layer, which position to read, in order of computation.
    network
        Traced at this size, with a batch of one.
    sites
        For the same layers, where they stand in ``network``.
    """

    rows: int
    columns: int
    centre: tuple[float, float]
    places: Mapping[str, ViewPlace]
    network: TracedNetwork
    sites: Mapping[str, Site]


def plan_views(
    module: nn.Module,
    example: Tensor,
    *,
    sizes: Literal["any", "native"] = "any",
    progress: Progress = silent,
) -> list[View]:
    """Plan how to look at every layer of a network, in few views.

    Where the network takes images of other sizes, a view's centre is the middle of its image, so
    that mirroring the image mirrors the stimulus; the size is the smallest such one that is not
    smaller than the example. Layers whose grids share no centre are divided over several views,
    deepest layers first. A layer that no view shows exactly is read at the nearest position; the
    input opens no view of its own.

    Parameters
    ----------
    module
        In evaluation mode; takes one image.
    example
        Image of the native size, axes (1, channel, row, column).
    sizes
        ``native`` keeps to the example's size.
    progress
        Called with how far it is, which nobody knows exactly: how many sizes are tried shows.

    Returns
    -------
    list of View
        Each layer that :func:`~circuitkb.loaders.composition.compose.find_sites` finds stands in
        exactly one of them.

    Raises
    ------
    TraceError
        If the network cannot be traced.

    Examples
    --------
    >>> import torch
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 5, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()
    >>> (view,) = plan_views(network, torch.zeros(1, 3, 32, 32))
    >>> view.rows, view.centre, view.places["1"]
    (35, (17.0, 17.0), ViewPlace(index=(5, 5), before=(5, 5), off_centre=0.0, side=5))
    """
    return _Planner(module, example, flexible=sizes == "any", progress=progress).plan()


def whole_view(module: nn.Module, example: Tensor) -> View:
    """Return the view of images of the example's size, with all layers, centred in the middle.

    Raises
    ------
    TraceError
        If the network cannot be traced.
    """
    sized = _Sized(trace(module, example))
    return _view(sized, sized.middle, list(sized.sites))


def frames(view: View) -> dict[str, NDArray[np.int64] | None]:
    """Return where the receptive field of each position of each layer lies in the image.

    Returns
    -------
    dict
        For each layer, pixels with the axes (position, 4): first row, first column, last row and
        last column, within the image; positions as :meth:`Site.map_of` gives them. Where a position
        has no place of its own (after a mean over the map) it is the whole image; None where the
        receptive field is unknown. What reaches all positions alike (gates, attention) does not
        count.
    """
    found = receptive_fields(view.network, {site.mapped for site in view.sites.values()})
    return {layer: _frames(found[site.mapped], site, view) for layer, site in view.sites.items()}


def _frames(field: ReceptiveField | None, site: Site, view: View) -> NDArray[np.int64] | None:
    if field is None or _is_flattened(site):
        return None
    low, high = (side.reshape(-1, 2) for side in ends(field, site.layout))
    last = np.array([view.rows - 1, view.columns - 1], float)
    placed = np.isfinite(low)
    first = np.where(placed, np.clip(low, 0, last), 0)
    until = np.where(placed, np.clip(high, 0, last), last)
    return np.concatenate([first, until], 1).astype(np.int64)


def sites_in(network: TracedNetwork, sites: Mapping[str, Site]) -> dict[str, Site]:
    """Return the same sites in another trace of their network, as with a larger batch.

    Raises
    ------
    TraceError
        If the other trace has other operations.
    """
    nodes: dict[tuple[str, object], Node] = {
        (node.name, node.target): node for node in network.graph.nodes
    }

    def same(node: Node) -> Node:
        found = nodes.get((node.name, node.target))
        if found is None:
            raise TraceError(
                f"The network computes otherwise for images of shape "
                f"{tuple(network.example.shape)}: its step {node.name!r} is missing there."
            )
        return found

    return {
        layer: replace(
            site,
            after=same(site.after),
            before=None if site.before is None else same(site.before),
        )
        for layer, site in sites.items()
    }


class _Sized:
    """A network traced at one size, and where its layers look there."""

    def __init__(self, network: TracedNetwork) -> None:
        self.network = network
        self.rows, self.columns = network.example.shape[2:]
        self.middle = ((self.rows - 1) / 2, (self.columns - 1) / 2)
        self.sites = find_sites(network)
        read = [node for site in self.sites.values() for node in (site.after, site.before) if node]
        self._fields = receptive_fields(network, set(read))

    def corresponds_to(self, other: _Sized) -> bool:
        """Whether it has the same operations and layers, with as many units, for one image."""
        return self._steps() == other._steps() and self._layers() == other._layers()

    def _steps(self) -> list[tuple[str, object]]:
        return [(node.name, node.target) for node in self.network.operations()]

    def _layers(self) -> list[tuple[object, ...]]:
        return [
            (name, site.layout, *(shape_of(site.after)[site.layout.index(axis)] for axis in "nc"))
            for name, site in self.sites.items()
            if "c" in site.layout
        ]

    def grids(self, layers: Iterable[str]) -> list[Grid]:
        """Return where layers have units with places of their own; others are left out."""
        return [grid for layer in layers if (grid := self._grid(layer)) is not None]

    def _grid(self, layer: str) -> Grid | None:
        site = self.sites[layer]
        field = self._fields[site.after]
        if field is None or _is_flattened(site):
            return None
        axes = along_axes(field)
        if not all(axis.placed for axis in axes):
            return None
        points = centres(field, site.layout).reshape(-1, 2)
        points = points[~np.isnan(points).any(1)]
        return Grid(layer, axes, (np.unique(points[:, 0]), np.unique(points[:, 1])))

    def place(self, layer: str, centre: tuple[float, float]) -> ViewPlace:
        """Return the position of a layer whose receptive field lies nearest to a pixel."""
        site = self.sites[layer]
        field = self._fields[site.after]
        index, off_centre = self._nearest(site.after, site, centre)
        before = None if site.before is None else self._nearest(site.before, site, centre)[0]
        return ViewPlace(index, before, off_centre, None if field is None else longest_side(field))

    def _nearest(
        self, node: Node, site: Site, centre: tuple[float, float]
    ) -> tuple[tuple[int, ...], float]:
        if _is_flattened(site):
            return (site.rows // 2, site.columns // 2), math.nan
        field = self._fields[node]
        shape = [
            size for size, axis in zip(shape_of(node), site.layout, strict=True) if axis in "yxt"
        ]
        if field is not None:
            distance = np.linalg.norm(centres(field, site.layout) - centre, axis=-1)
            if not np.isnan(distance).all():
                index = np.unravel_index(int(np.nanargmin(distance)), distance.shape)
                return tuple(int(place) for place in index), float(np.nanmin(distance))
        known = field is not None and math.prod(shape) == 1
        return tuple(size // 2 for size in shape), 0.0 if known else math.nan


def _is_flattened(site: Site) -> bool:
    """Whether a whole map is one axis of the tensor, as only an output can be."""
    return "f" in site.layout and site.rows * site.columns > 1


class _Planner:
    """Takes views for the deepest layers first, until every layer has one."""

    def __init__(
        self, module: nn.Module, example: Tensor, *, flexible: bool, progress: Progress
    ) -> None:
        self._module = module
        self._progress = progress
        self._tell(example.shape[2:], traced=0)
        self._native = _Sized(trace(module, example))
        self._size = (self._native.rows, self._native.columns)
        self._traced: dict[tuple[int, int], _Sized | None] = {self._size: self._native}
        self._flexible = flexible

    def plan(self) -> list[View]:
        grids = {
            grid.layer: grid
            for grid in reversed(self._native.grids(self._native.sites))
            if grid.layer != "input"
        }
        views: list[tuple[_Sized, tuple[float, float]]] = []
        layers: dict[str, int] = {}
        while grids and len(views) < MOST_VIEWS:
            found = self._next_view(list(grids.values()))
            if found is None:
                del grids[next(iter(grids))]
                continue
            for layer in list(grids):
                if found[0].place(layer, found[1]).off_centre == 0:
                    layers[layer] = len(views)
                    del grids[layer]
            views.append(found)
        views = views or [(self._native, self._native.middle)]
        for layer in self._native.sites:
            if layer not in layers:
                off = [sized.place(layer, centre).off_centre for sized, centre in views]
                layers[layer] = 0 if all(map(math.isnan, off)) else int(np.nanargmin(off))
        return [
            _view(sized, centre, [name for name in sized.sites if layers[name] == number])
            for number, (sized, centre) in enumerate(views)
        ]

    def _next_view(self, grids: list[Grid]) -> tuple[_Sized, tuple[float, float]] | None:
        """Return a size and a centre for the first of the layers, and as many others as can be."""
        seed = grids[0]
        if self._flexible:
            for size in (best_size(grids, seed, self._size), aligned_size(seed, self._size)):
                sized = self._at(size) if size is not None and self._flexible else None
                if sized is not None and sized.place(seed.layer, sized.middle).off_centre == 0:
                    return sized, sized.middle
        centre = best_centre(grids, seed, self._size)
        return None if centre is None else (self._native, centre)

    def _at(self, size: tuple[int, int]) -> _Sized | None:
        """Trace the network at another size; None if it takes none, or computes otherwise there."""
        if size not in self._traced:
            self._tell(size, traced=len(self._traced))
            image = pink_image(self._native.network.example.shape[1], *size)
            try:
                sized = _Sized(traced_for(self._native.network, self._module, image))
                same = sized.corresponds_to(self._native)
            except TraceError:  # that it takes no images of another size is an answer
                same = False
            self._traced[size] = sized if same else None
            self._flexible = same
        return self._traced[size]

    def _tell(self, size: Sequence[int], *, traced: int) -> None:
        """Say which size is traced; each takes half of what is left of the progress."""
        rows, columns = size
        self._progress(f"tracing for images of {rows} x {columns}", 1 - 0.5**traced)


def _view(sized: _Sized, centre: tuple[float, float], layers: list[str]) -> View:
    return View(
        sized.rows,
        sized.columns,
        centre,
        {layer: sized.place(layer, centre) for layer in layers},
        sized.network,
        {layer: sized.sites[layer] for layer in layers},
    )

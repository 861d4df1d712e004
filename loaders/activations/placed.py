"""A network run on one image, with numbers put in the place of what some features give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from circuitkb.loaders.activations.editing.maps import as_maps
from circuitkb.loaders.activations.functional import Values, computed, fixed_values
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.composition.sites import Site
from circuitkb.loaders.receptive_fields.views import View, whole_view
from circuitkb.schema.errors import TrialError


class Put(NamedTuple):
    """Numbers for some places of a layer's map, after its nonlinearity."""

    units: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]


class Read(NamedTuple):
    """A place of a layer that is read, before its nonlinearity or after."""

    layer: str
    unit: int
    row: int
    column: int
    before: bool = False


@dataclass(frozen=True, eq=False)
class PlacedNetwork:
    """A network in which single values can be set and read.

    Parameters
    ----------
    view
        The size of the image, and the traced network.
    sites
        Where layers stand in it.

    Examples
    --------
    >>> from torch import nn
    >>> from circuitkb.loaders.sources.opening import open_module
    >>> layers = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 1, 1))
    >>> _ = layers[2].weight.data.fill_(2.0), layers[2].bias.data.zero_()
    >>> placed = PlacedNetwork.of(open_module(layers.eval(), shape=(1, 9, 9)))
    >>> one = np.array([0])
    >>> put = Put(np.array([0, 1]), one.repeat(2), one.repeat(2), np.array([3.0, 4.0]))
    >>> found = placed.run(torch.zeros(1, 1, 9, 9), [Read("2", 0, 0, 0, True)], {"1": put})
    >>> found.tolist()
    [14.0]
    """

    view: View
    sites: Mapping[str, Site]

    @classmethod
    def of(cls, network: Network) -> PlacedNetwork:
        """Return a network at its native size."""
        view = whole_view(network.module, network.example)
        return cls(view, view.sites)

    @cached_property
    def _fixed(self) -> Values:
        return fixed_values(self.view.network)

    def run(self, image: Tensor, read: Sequence[Read], put: Mapping[str, Put]) -> Tensor:
        """Return what is read, in order; gradients reach the image where it wants them.

        Raises
        ------
        TrialError
            A layer is not there, or its units do not lie in maps.
        """
        sites, network = self.sites, self.view.network
        for layer in (*put, *(one.layer for one in read)):
            if layer not in sites:
                raise TrialError(f"The network has no layer {layer!r} that could be set or read.")
        at: dict[int, Tensor] = {}
        values: Values = {**self._fixed}
        nodes = (
            network.input,
            *(node for node in network.operations() if node in network.dynamic),
        )
        for node in nodes:
            value = image if node is network.input else computed(node, values)
            for number, one in enumerate(read):
                site = sites[one.layer]
                if one.before and site.before is node:
                    at[number] = as_maps(value, site)[0, one.unit, one.row, one.column]
            for layer, some in put.items():
                if sites[layer].after is node:
                    value = value.clone()
                    maps = as_maps(value, sites[layer])
                    maps[0, some.units, some.rows, some.columns] = torch.from_numpy(some.values).to(
                        value.dtype
                    )
            values[node] = value
            for number, one in enumerate(read):
                site = sites[one.layer]
                if site.after is node and (not one.before or site.before is None):
                    at[number] = as_maps(value, site)[0, one.unit, one.row, one.column]
            if len(at) == len(read):
                break
        return torch.stack([at[number] for number in range(len(read))])

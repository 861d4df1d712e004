"""How large a made-up knowledge base is, and the units of one of its networks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from circuitkb.schema.ids import content_hash

Units = NDArray[np.int64]
"""Units of a network, counted through all its layers from 0."""


@dataclass(frozen=True)
class Shape:
    """How large the knowledge base is.

    Attributes
    ----------
    features, edges
        In all models together; both are met exactly.
    models, layers
        Models, and layers of each; the last layer has three times the units of the first.
    unions
        Units of each model that unite planted couples of mirrored units: one or two couples,
        taken in turns.
    seed
        The same shape and seed give the same rows.

    Raises
    ------
    ValueError
        Too few features, layers or edges to hold that.
    """

    features: int = 100_000
    edges: int = 3_000_000
    models: int = 5
    layers: int = 14
    unions: int = 60
    seed: int = 0

    def __post_init__(self) -> None:
        if self.models < 1 or self.layers < 3 or self.unions < 0:
            raise ValueError("A shape has at least 1 model of 3 layers, and no negative number.")
        if self.features < 8 * self.models * self.layers:
            raise ValueError("A shape has at least 8 features in a layer, on average.")
        if self.edges < 6 * self.features:
            raise ValueError("A shape has at least 6 edges for each feature.")
        if self.unions * 6 * self.models > self.features:
            raise ValueError("At most one feature in 6 can unite others.")

    def models_in_it(self) -> list[Network]:
        """Return the models, without their edges."""
        return [
            Network(f"synthetic_{place}", self._layer_sizes(place), self.seed)
            for place in range(self.models)
        ]

    def edges_of(self, place: int) -> int:
        """Return how many edges the model at a place has."""
        return self.edges // self.models + (place < self.edges % self.models)

    def _layer_sizes(self, place: int) -> tuple[int, ...]:
        features = self.features // self.models + (place < self.features % self.models)
        growing = np.linspace(1, 3, self.layers)
        sizes = [int(features * part) for part in growing / growing.sum()]
        sizes[-1] += features - sum(sizes)
        return tuple(sizes)


@dataclass(frozen=True)
class Network:
    """A model's name and the units of its layers."""

    name: str
    sizes: tuple[int, ...]
    seed: int

    @property
    def fingerprint(self) -> str:
        """What stands for the weights."""
        return content_hash([self.name, self.sizes, self.seed]) * 2

    @property
    def units(self) -> int:
        """Number of units."""
        return sum(self.sizes)

    @cached_property
    def starts(self) -> list[int]:
        """The first unit of each layer, and the number of units."""
        return [0, *np.cumsum(self.sizes).tolist()]

    @cached_property
    def layers(self) -> list[str]:
        """Names of the layers."""
        return [f"blocks.{place}.act" for place in range(len(self.sizes))]

    @cached_property
    def layer(self) -> Units:
        """The layer of each unit, by place."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def unit(self) -> Units:
        """The number of each unit in its layer."""
        unit: Units = np.arange(self.units) - np.asarray(self.starts)[self.layer]
        return unit

    @cached_property
    def layer_names(self) -> pa.Array:
        """The layer of each unit, by name."""
        return pa.array(self.layers).take(pa.array(self.layer))

    @cached_property
    def ids(self) -> pa.Array:
        """The id of each unit."""
        layer = pc.binary_join_element_wise(self.name, self.layer_names, "/")
        return pc.binary_join_element_wise(layer, pa.array(self.unit).cast(pa.string()), ":")

    def named(self, units: Any) -> pa.Array:
        """Return the ids of some units."""
        return self.ids.take(pa.array(np.asarray(units, np.int64)))

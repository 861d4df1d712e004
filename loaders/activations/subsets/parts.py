"""What a run with chosen edges needs to know of a network."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from circuitkb.loaders.activations.editing.steps import Steps
from circuitkb.loaders.activations.functional import Values
from circuitkb.loaders.activations.subsets.edges import Chosen
from circuitkb.loaders.activations.subsets.kernels import ChosenKernels, Source
from circuitkb.loaders.activations.subsets.layers import Layer
from circuitkb.loaders.activations.subsets.live import Units


@dataclass(frozen=True, eq=False)
class Prepared:
    """Chosen edges, ready to be run.

    Attributes
    ----------
    chosen
        Those on a path from the input to the output.
    edges
        How many these are.
    kernels
        Of these, by target layer.
    units
        Of each layer those that are computed.
    live
        Of each layer those that are reached.
    """

    chosen: Chosen
    edges: int
    kernels: Mapping[str, Sequence[ChosenKernels]]
    units: Mapping[str, Tensor]
    live: Units


@dataclass(eq=False)
class Means:
    """What each unit gives on average, at each place.

    Attributes
    ----------
    before
        By layer, axes (unit, row, column).
    after
        By layer and poolings, likewise.
    """

    before: dict[str, Tensor] = field(default_factory=dict)
    after: dict[Source, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Parts:
    """A network, taken apart.

    Attributes
    ----------
    steps, fixed
        Its operations, and what of them does not depend on the image.
    layers
        Those with a pre-activation, in order of computation.
    counts
        Number of units of each layer, that of the input first.
    sources
        What is read: layers, as they are and after poolings.
    told
        Layers whose pre-activation is told by kernels alone.
    untold
        All kernels into each of the others.
    means
        What units give on average.
    """

    steps: Steps
    fixed: Values
    layers: Sequence[Layer]
    counts: Mapping[str, int]
    sources: Collection[Source]
    told: frozenset[str]
    untold: Mapping[str, Sequence[ChosenKernels]]
    means: Means

    @property
    def input(self) -> str:
        """Name of the layer of pixels."""
        return next(name for name, site in self.steps.sites.items() if site.before is None)

    @property
    def output(self) -> Layer:
        """The last layer."""
        return self.layers[-1]

    @property
    def whole(self) -> bool:
        """Whether kernels tell all, so that no other operation need be run."""
        return all(layer.name in self.told and layer.apart for layer in self.layers)

    def at(self, step: int, side: int) -> list[str]:
        """Return the layers whose pre-activation (0), or features (1), are there after a step."""
        found = self.steps.after if side else self.steps.before
        return [name for name, own in found.items() if own == step]

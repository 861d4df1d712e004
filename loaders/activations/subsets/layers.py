"""The layers of a network as a run with chosen edges sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.activations.editing.maps import as_maps
from circuitkb.loaders.activations.editing.steps import Steps
from circuitkb.loaders.activations.functional import Values, computed
from circuitkb.loaders.composition.sites import Site


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer.

    Attributes
    ----------
    name, site
        Its name, and where it stands.
    before, after
        Nodes of its pre-activation and of what it puts out.
    chain
        What is computed between, in order.
    shape
        Of the pre-activation, for a batch.
    alike
        Whether the nonlinearity is the same for all units and places, so that it can be computed
        for some of them.
    apart
        Whether it reads nothing but the pre-activation and what does not depend on the image.
    """

    name: str
    site: Site
    before: Node
    after: Node
    chain: tuple[Node, ...]
    shape: tuple[int, ...]
    alike: bool
    apart: bool

    def after_units(self, maps: Tensor, values: Values) -> Tensor:
        """Return what some units put out, by the maps of their pre-activations.

        Parameters
        ----------
        maps
            Axes (unit, image, row, column).
        values
            What does not depend on the image, and whatever else the nonlinearity reads.
        """
        return self.maps(self.run(self.value(maps), values))

    def run(self, value: Tensor, values: Values) -> Tensor:
        """Return what the nonlinearity makes of a pre-activation, laid out as the network does."""
        own: Values = {**values, self.before: value}
        for node in self.chain:
            own[node] = computed(node, own)
        found: Tensor = own[self.after]
        return found

    def maps(self, value: Tensor) -> Tensor:
        """Return a value of the layer as maps, axes (unit, image, row, column)."""
        return as_maps(value, self.site).transpose(0, 1)

    def value(self, maps: Tensor) -> Tensor:
        """Return maps, axes (unit, image, row, column), laid out as the network does."""
        if self.site.layout == "ncyx":
            return maps.transpose(0, 1)
        if self.site.layout == "nc":
            return maps[:, :, 0, 0].transpose(0, 1)
        found = maps.new_zeros(self.shape)
        as_maps(found, self.site).copy_(maps.transpose(0, 1))
        return found


def layers_of(steps: Steps, shapes: dict[Node, tuple[int, ...]]) -> list[Layer]:
    """Return the layers that have a pre-activation, in order of computation.

    Parameters
    ----------
    shapes
        Of the values of all nodes.
    """
    found = []
    for name in sorted(steps.after, key=lambda name: (steps.after[name], steps.before[name])):
        site, chain = steps.sites[name], steps.chains[name]
        if site.before is None:
            continue
        before = steps.nodes[steps.before[name]]
        ordered = tuple(node for node in steps.nodes if node in chain)
        inside = {read for node in ordered for read in node.all_input_nodes} - chain - {before}
        apart = not inside & steps.network.dynamic
        found.append(
            Layer(
                name,
                site,
                before,
                steps.nodes[steps.after[name]],
                ordered,
                shapes[before],
                apart and site.layout in ("ncyx", "nc") and _alike(steps, name, inside),
                apart,
            )
        )
    return found


def _alike(steps: Steps, layer: str, inside: Sequence[Node] | set[Node]) -> bool:
    constants = [steps.network.constants.get(node) for node in inside]
    return layer in steps.pointwise and all(
        value is not None and torch.numel(value) == 1 for value in constants
    )

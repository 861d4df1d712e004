"""A network that gradients flow through, as it is and edited, in one way of looking at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.activations.editing.maps import after_pooling, as_maps, sums_on
from circuitkb.loaders.activations.editing.plan import Group, groups_of
from circuitkb.loaders.activations.editing.runs import KernelChange
from circuitkb.loaders.activations.editing.steps import Steps
from circuitkb.loaders.activations.functional import Values, computed, fixed_values


class Seen(NamedTuple):
    """What units answer where they look.

    Attributes
    ----------
    before, after
        Of the network as it is, by layer, axes (unit, image).
    edited
        Of the edited network, the unit that is read, after its nonlinearity, axes (image,).
    """

    before: Mapping[str, Tensor]
    after: Mapping[str, Tensor]
    edited: Tensor


class Flow:
    """A network, run so that gradients reach the images.

    Parameters
    ----------
    steps
        The network in steps. Nothing overwrites what it reads here, and steps that both networks
        take alike are taken once.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    @property
    def batch(self) -> int:
        """Number of images that are run together."""
        return self._steps.batch

    def see(
        self,
        images: Tensor,
        layers: Collection[str],
        changes: Sequence[KernelChange],
        replaced: Sequence[tuple[str, int, float]],
        read: tuple[str, int],
    ) -> Seen:
        """Show at most a batch of images to a network and to its edited copy.

        Parameters
        ----------
        images
            What the network reads, axes (image, channel, row, column).
        layers
            Those of the network as it is that are wanted.
        changes
            Of kernels.
        replaced
            Layer, unit and the number that stands at every place of its map instead.
        read
            Layer and unit that are read of the edited network; what is edited comes before it.

        Raises
        ------
        TrialError
            Units cannot be edited.
        """
        steps = self._steps
        count = len(images)
        if count < steps.batch:
            images = torch.cat([images, images[-1:].expand(steps.batch - count, -1, -1, -1)])
        groups = groups_of(changes)
        first = min(
            [steps.before[group.target] for group in groups]
            + [steps.after[layer] for layer, _, _ in replaced]
        )
        last = max(steps.after[layer] for layer in (*layers, read[0]))
        base: Values = {**self._fixed, steps.nodes[0]: images}
        edited: Values | None = None
        apart: dict[Node, Values] = {}
        maps: dict[str, Tensor] = {}
        before: dict[str, Tensor] = {}
        after: dict[str, Tensor] = {}
        for step, node in enumerate(steps.nodes[: last + 1]):
            if step:
                base[node] = computed(node, base)
            if step == first:
                edited = dict(base)
            elif edited is not None:
                edited[node] = computed(node, {**edited, **apart.get(node, {})})
            for layer in self._before.get(step, ()):
                if layer in layers:
                    before[layer] = self._units(layer, base[node], 0)
                if edited is not None:
                    value = self._with_kernels(layer, edited[node], groups, maps)
                    if set(node.users) <= steps.chains[layer] or steps.after[layer] == step:
                        edited[node] = value
                    else:
                        for inside in steps.chains[layer]:
                            apart.setdefault(inside, {})[node] = value
            for layer in self._after.get(step, ()):
                if layer in layers:
                    after[layer] = self._units(layer, base[node], 1)
                now = base if edited is None else edited
                if edited is not None:
                    edited[node] = self._replaced(layer, edited[node], replaced)
                if any(group.source == layer for group in groups):
                    maps[layer] = as_maps(now[node], steps.sites[layer])
                if layer == read[0]:
                    found = self._units(layer, now[node], 1)[read[1], :count]
        return Seen(
            {layer: value[:, :count] for layer, value in before.items()},
            {layer: value[:, :count] for layer, value in after.items()},
            found,
        )

    @cached_property
    def _fixed(self) -> Values:
        """What does not depend on the image."""
        return fixed_values(self._steps.network)

    @cached_property
    def _before(self) -> dict[int, list[str]]:
        return _by_step(self._steps.before)

    @cached_property
    def _after(self) -> dict[int, list[str]]:
        return _by_step(self._steps.after)

    def _units(self, layer: str, value: Tensor, side: int) -> Tensor:
        """Return what a layer's units answer where they look, axes (unit, image)."""
        place = self._steps.view.places[layer]
        early = side == 0 and place.before is not None
        index = place.before if early and place.before is not None else place.index
        return self._steps.sites[layer].units(value, index).T

    def _with_kernels(
        self, layer: str, value: Tensor, groups: Sequence[Group], maps: Mapping[str, Tensor]
    ) -> Tensor:
        """Return a pre-activation to which the changes of kernels are added."""
        own = [group for group in groups if group.target == layer]
        if not own:
            return value
        value = value.clone()
        into = as_maps(value, self._steps.sites[layer])
        for group in own:
            seen = after_pooling(maps[group.source][:, group.source_units], group.geometry.pooling)
            size = into.shape[2], into.shape[3]
            moved = [sums_on(one, group.kernels, group.geometry, size) for one in seen]
            into.index_add_(1, group.target_units, torch.stack(moved))
        return value

    def _replaced(
        self, layer: str, value: Tensor, replaced: Sequence[tuple[str, int, float]]
    ) -> Tensor:
        own = [(unit, number) for name, unit, number in replaced if name == layer]
        if not own:
            return value
        value = value.clone()
        maps = as_maps(value, self._steps.sites[layer])
        for unit, number in own:
            maps[:, unit] = number
        return value


def _by_step(layers: Mapping[str, int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for layer, step in layers.items():
        found.setdefault(step, []).append(layer)
    return found

"""One batch of images, run with chosen edges of a network."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable

import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.activations.editing.maps import after_pooling
from circuitkb.loaders.activations.functional import Values, computed
from circuitkb.loaders.activations.subsets.kernels import Source
from circuitkb.loaders.activations.subsets.layers import Layer
from circuitkb.loaders.activations.subsets.parts import Parts, Prepared
from circuitkb.schema.errors import TrialError

Watch = Callable[[Layer, Tensor, Tensor | None], None]


class Run:
    """One batch of images run with chosen edges.

    Parameters
    ----------
    parts, prepared
        The network, and its chosen edges.
    batch
        As many images as the network takes at once.
    watch
        Called with each layer, the maps of its pre-activation and the value that it puts out; of
        the last one None.
    """

    def __init__(
        self, parts: Parts, prepared: Prepared, batch: Tensor, watch: Watch | None = None
    ) -> None:
        self._parts = parts
        self._prepared = prepared
        self._batch = batch
        self._watch = watch
        self._seen: dict[Source, Tensor] = {}
        wanted = {one.source for some in prepared.kernels.values() for one in some}
        self._wanted = wanted if parts.whole else {*parts.sources}
        self._befores: dict[str, Tensor] = {}
        self._give(parts.input, batch.transpose(0, 1))

    def last(self) -> Tensor:
        """Return the pre-activations of the last layer, axes (image, output)."""
        return self._whole() if self._parts.whole else self._with_the_rest()

    def _give(self, layer: str, maps: Tensor) -> None:
        """Keep what a layer gives above its mean, where somebody reads it."""
        units = self._prepared.units[layer]
        for key in self._wanted:
            if key[0] == layer:
                mean = self._parts.means.after[key]
                mean = mean if len(units) == len(mean) else mean[units]
                self._seen[key] = after_pooling(maps, key[1]) - mean[:, None]

    def _before(self, layer: Layer, base: Tensor) -> Tensor:
        for one in self._prepared.kernels.get(layer.name, ()):
            base = one.add_to(base, self._seen[one.source])
        return base

    def _mean(self, layer: Layer) -> Tensor:
        mean = self._parts.means.before[layer.name]
        units = self._prepared.units[layer.name]
        mean = mean if len(units) == len(mean) else mean[units]
        return mean[:, None].expand(-1, len(self._batch), -1, -1)

    def _whole(self) -> Tensor:
        """Run layer by layer: kernels tell all."""
        parts = self._parts
        for layer in parts.layers[:-1]:
            if len(self._prepared.units[layer.name]):
                before = self._before(layer, self._mean(layer))
                value = layer.run(layer.value(before), parts.fixed)
                if self._watch is not None:
                    self._watch(layer, before, value)
                self._give(layer.name, layer.maps(value))
        return self._last(self._before(parts.output, self._mean(parts.output)))

    def _last(self, before: Tensor) -> Tensor:
        if self._watch is not None:
            self._watch(self._parts.output, before, None)
        return before.transpose(0, 1).flatten(1)

    def _with_the_rest(self) -> Tensor:
        """Run operation by operation: what kernels do not tell is as the network computes it."""
        parts, steps = self._parts, self._parts.steps
        values: Values = {**parts.fixed, steps.nodes[0]: self._batch}
        instead: dict[Node, Values] = {}
        by_name = {layer.name: layer for layer in parts.layers}
        for step, node in enumerate(steps.nodes):
            if step:
                values[node] = computed(node, ChainMap(instead.get(node, {}), values))
            for layer in (by_name[name] for name in parts.at(step, 0) if name in by_name):
                before = self._before(layer, self._base(layer, values[node]))
                if layer is parts.output:
                    return self._last(before)
                value = layer.value(before)
                for inside in layer.chain:
                    instead.setdefault(inside, {})[node] = value
                self._befores[layer.name] = before
                if not layer.chain:
                    values[node] = value
            for layer in (by_name[name] for name in parts.at(step, 1) if name in by_name):
                values[node] = value = self._reached(layer, values[node])
                if self._watch is not None:
                    self._watch(layer, self._befores[layer.name], value)
                self._give(layer.name, layer.maps(value))
        raise TrialError("The network has no last layer.")

    def _base(self, layer: Layer, value: Tensor) -> Tensor:
        """Return what a layer's units get whatever edges are chosen."""
        if layer.name in self._parts.told:
            return self._mean(layer)
        found = layer.maps(value)
        for one in self._parts.untold.get(layer.name, ()):
            found = found - one.add_to(torch.zeros_like(found), self._seen[one.source])
        return found

    def _reached(self, layer: Layer, value: Tensor) -> Tensor:
        """Return what a layer puts out, with units that no edge reaches at their mean."""
        dead = ~self._prepared.live[layer.name]
        if layer.name not in self._parts.told or not dead.any():
            return value
        value = value.clone()
        mean = self._parts.means.after[layer.name, ()][torch.from_numpy(dead)]
        layer.maps(value)[torch.from_numpy(dead)] = mean[:, None]
        return value

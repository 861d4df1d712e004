"""What each edge and each unit does to the outputs, to first order, and what is left unexplained.

Edge attribution (Syed and others, 2023): the gradient of a goal with respect to the pre-activation
of an edge's target, times what the edge gives above its mean, over all places and images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from circuitkb.loaders.activations.editing.maps import after_pooling
from circuitkb.loaders.activations.editing.runs import Indices
from circuitkb.loaders.activations.subsets.edges import Chosen
from circuitkb.loaders.activations.subsets.kernels import ChosenKernels, Source, every
from circuitkb.loaders.activations.subsets.layers import Layer
from circuitkb.loaders.activations.subsets.one_batch import Run
from circuitkb.loaders.activations.subsets.parts import Prepared
from circuitkb.loaders.activations.subsets.running import SubNetwork
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, silent

PLACES = 4
"""Places of each map, drawn for each batch, at which the rest of a pre-activation is kept."""


@dataclass(frozen=True, eq=False)
class Rest:
    """What chosen edges leave of a layer's pre-activations, at drawn places.

    Attributes
    ----------
    values, slopes
        What is left, and the gradient of the goal there; axes (place, unit).
    places
        Of the whole map.
    """

    values: Floats
    slopes: Floats
    places: int


@dataclass(frozen=True, eq=False)
class Attributed:
    """First-order effects.

    Attributes
    ----------
    edges
        Size of each edge's mean effect on the goal, in the order of the edges' pairs.
    units
        By layer, each unit's mean size of effect on the goal.
    rest
        By layer, what chosen edges leave.
    """

    edges: Floats
    units: Mapping[str, Floats]
    rest: Mapping[str, Rest]


def attribute(
    sub: SubNetwork,
    goals: Floats,
    which: Indices,
    chosen: Chosen,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Attributed:
    """Return first-order effects on a goal.

    Memory: all maps of one batch and their gradients, kernels and theirs, and what is kept of the
    rest: 8 bytes for each image, unit and drawn place.

    Parameters
    ----------
    goals
        For each image the weights of the outputs whose sum is the goal, axes (image, output).
    which
        Numbers of these images.
    chosen
        What leaves a rest.
    seed
        Of the drawn places.
    """
    # Kernels that gradients flow to; they are the network's own, all of them.
    counts = sub.parts.counts
    kernels = [ChosenKernels.all_of(one, counts) for one in sub.edges.connections]
    into: dict[str, list[ChosenKernels]] = defaultdict(list)
    for one, own in zip(sub.edges.connections, kernels, strict=True):
        own.weight.requires_grad_()
        into[one.target].append(own)
    live = {name: np.ones(count, np.bool_) for name, count in counts.items()}
    prepared = Prepared(sub.edges.all(), sub.edges.count, into, every(counts), live)
    watching = _Watching(sub, chosen, np.random.default_rng(seed))
    for start, batch, count in sub.real.batches(which):
        progress("Attributing", start / len(which))
        watching.begin(batch, count)
        given = Run(sub.parts, prepared, batch, watching.see).last()
        wanted = torch.from_numpy(goals[start : start + count])
        (given[:count] * wanted).sum().backward()  # type: ignore[no-untyped-call]
        watching.end()
    progress("Attributing", 1.0)
    found = np.empty(sub.edges.pairs, np.float32)
    for place, (one, own) in enumerate(zip(sub.edges.connections, kernels, strict=True)):
        grown = own.weight.grad
        effect = torch.zeros_like(own.weight) if grown is None else own.weight.detach() * grown
        pairs = effect.reshape(*one.kernel.shape[:3], -1).sum(-1).abs() / len(which)
        found[sub.edges.of(place)] = pairs.reshape(-1).numpy()
    return Attributed(found, watching.units(len(which)), watching.rest())


class _Watching:
    """Sees the layers of one batch after the other."""

    def __init__(self, sub: SubNetwork, chosen: Chosen, random: np.random.Generator) -> None:
        self._parts = sub.parts
        self._kernels = sub.kernels_of(chosen)
        self._random = random
        self._effects: dict[str, Tensor] = {}
        self._kept: dict[str, tuple[list[Tensor], list[Tensor]]] = defaultdict(lambda: ([], []))

    def begin(self, batch: Tensor, count: int) -> None:
        self._count = count
        self._seen: dict[Source, Tensor] = {}
        self._layers: list[tuple[Layer, Tensor, Tensor | None, Tensor]] = []
        self._give(self._parts.input, batch.transpose(0, 1))

    def see(self, layer: Layer, before: Tensor, value: Tensor | None) -> None:
        before.retain_grad()
        area = before.shape[2] * before.shape[3]
        places = self._random.choice(area, min(PLACES, area), replace=False)
        with torch.no_grad():
            left = before.detach() - self._parts.means.before[layer.name][:, None]
            for one in self._kernels.get(layer.name, ()):
                left = one.add_to(left, -self._seen[one.source])
        drawn = torch.from_numpy(places)
        self._kept[layer.name][0].append(self._at(left, drawn))
        if value is not None:
            value.retain_grad()
            self._give(layer.name, layer.maps(value.detach()))
        self._layers.append((layer, before, value, drawn))

    def end(self) -> None:
        """Read the gradients."""
        for layer, before, value, drawn in self._layers:
            if before.grad is not None:
                self._kept[layer.name][1].append(self._at(before.grad, drawn))
            if value is None or value.grad is None:
                continue
            mean = self._parts.means.after[layer.name, ()][:, None]
            given = layer.maps(value.grad) * (layer.maps(value.detach()) - mean)
            effect = given.sum((2, 3))[:, : self._count].abs().sum(1)
            known = self._effects.get(layer.name)
            self._effects[layer.name] = effect if known is None else known + effect
        self._layers = []

    def units(self, images: int) -> dict[str, Floats]:
        return {name: (effect / images).numpy() for name, effect in self._effects.items()}

    def rest(self) -> dict[str, Rest]:
        found = {}
        for name, (values, slopes) in self._kept.items():
            if len(values) == len(slopes):
                area = self._parts.means.before[name][0].numel()
                found[name] = Rest(torch.cat(values).numpy(), torch.cat(slopes).numpy(), area)
        return found

    def _at(self, maps: Tensor, drawn: Tensor) -> Tensor:
        """Return maps at drawn places of all images that count, axes (image and place, unit)."""
        own = maps[:, : self._count].flatten(2)[:, :, drawn]
        return own.flatten(1).transpose(0, 1).clone()

    def _give(self, layer: str, maps: Tensor) -> None:
        for key in self._parts.sources:
            if key[0] == layer:
                mean = self._parts.means.after[key][:, None]
                self._seen[key] = after_pooling(maps, key[1]) - mean

"""A network run with chosen edges alone, all others at what they give on average.

The pre-activation of a target is its mean plus, over its chosen edges, kernel times what the source
gives above its mean; sources are those of the same run, layer by layer. Means are maps: each place
has its own. So all edges together give the network itself, and none of them its means. A unit that
no chosen edge reaches from the input gives its mean.

Where kernels do not tell all of a pre-activation (gates, borders, paths that are not composed), the
network's own operations give the rest, for whatever edges are chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from circuitkb.loaders.activations.editing.runs import Indices
from circuitkb.loaders.activations.editing.steps import Steps
from circuitkb.loaders.activations.subsets.edges import Chosen, Edges
from circuitkb.loaders.activations.subsets.kernels import (
    ChosenKernels,
    Source,
    every,
    source_of,
)
from circuitkb.loaders.activations.subsets.layers import layers_of
from circuitkb.loaders.activations.subsets.live import joined
from circuitkb.loaders.activations.subsets.one_batch import Run
from circuitkb.loaders.activations.subsets.parts import Parts, Prepared
from circuitkb.loaders.activations.subsets.real_maps import Maps, RealMaps, Shapes, Shown
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import View
from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.progress import Progress, silent

EXACT = 1e-4
"""Error of what kernels give, as a share of the largest difference between two images, above which
the network's own operations give the rest."""


class SubNetwork:
    """A network that runs with any of its edges.

    Parameters
    ----------
    network
        As it was opened.
    view
        How it is looked at: one way, with all layers.
    connections
        All its kernels.
    shown, which
        Images, and the numbers of those whose mean ablated edges give: two or more.

    Attributes
    ----------
    edges
        All of them, numbered.
    parts
        The network, taken apart.
    real
        Runs it as it is.

    Examples
    --------
    >>> from torch import nn
    >>> from circuitkb.loaders.composition.compose import compose
    >>> from circuitkb.loaders.receptive_fields.views import whole_view
    >>> from circuitkb.loaders.sources.opening import open_module
    >>> layers = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1)).eval()
    >>> network = open_module(layers, shape=(1, 4, 4))
    >>> images = np.random.default_rng(0).random((4, 1, 4, 4), np.float32)
    >>> kernels = compose(layers, network.example).connections
    >>> view, which = whole_view(layers, network.example), np.arange(4)
    >>> sub = SubNetwork(network, view, kernels, images.__getitem__, which)
    >>> all_edges = sub.outputs(sub.edges.all(), which)
    >>> own = layers(torch.from_numpy(images)).detach().flatten(1).numpy()
    >>> bool(np.allclose(all_edges, own, atol=1e-6))
    True
    """

    def __init__(
        self,
        network: Network,
        view: View,
        connections: Sequence[Connection],
        shown: Shown,
        which: Indices,
        *,
        progress: Progress = silent,
    ) -> None:
        steps = Steps.of(network, view)
        self.edges = Edges(connections)
        sources = dict.fromkeys(map(source_of, connections))
        sources |= dict.fromkeys((name, ()) for name in steps.sites)
        missing = {name for name, _ in sources} - {*steps.sites}
        if missing:
            raise TrialError(f"The network has no layer {min(missing)!r} now.")
        self._into: dict[str, list[int]] = {}
        for place, one in enumerate(connections):
            self._into.setdefault(one.target, []).append(place)
        self.real = RealMaps(steps, sources, shown)
        self.parts = self._taken_apart(steps, list(sources), which, progress)

    @torch.no_grad()
    def _taken_apart(
        self, steps: Steps, sources: list[Source], which: Indices, progress: Progress
    ) -> Parts:
        shapes: Shapes = {}
        ends = np.concatenate([which[:1], which[-1:]])
        one, other = (
            self.real.read(batch, shapes)
            for some in ends
            for _, batch, _ in self.real.batches(np.array([some]))
        )
        layers = layers_of(steps, shapes)
        counts = {name: len(maps) for (name, pooling), maps in one.after.items() if not pooling}
        counts = {name: counts[name] for name in sorted(counts, key=steps.after.__getitem__)}
        kernels = {
            layer.name: [
                ChosenKernels.all_of(self.edges.connections[place], counts)
                for place in self._into.get(layer.name, ())
            ]
            for layer in layers
        }
        gated = {
            connection.target for connection in self.edges.connections if connection.path == "gated"
        }
        told = frozenset(
            name
            for name, own in kernels.items()
            if name not in gated and _exact(name, own, one, other)
        )
        untold = {name: own for name, own in kernels.items() if name not in told}
        del one, other
        means = self.real.means(which, progress)
        return Parts(steps, self.real.fixed, layers, counts, sources, told, untold, means)

    def prepare(self, chosen: Chosen) -> Prepared:
        """Make a choice of edges ready to be run."""
        parts = self.parts
        output = parts.output.name
        known = {parts.input, *(name for name in parts.counts if name not in parts.told)}
        leads_to = output if parts.whole else None
        found, live = joined(self.edges, chosen, parts.counts, known=known, output=leads_to)
        units = every(parts.counts)
        for layer in parts.layers:
            if parts.whole and layer.alike and layer.name != output:
                units[layer.name] = torch.from_numpy(np.flatnonzero(live[layer.name]))
        kernels: dict[str, list[ChosenKernels]] = {}
        for one, mask in self.edges.masks(found):
            own = ChosenKernels.of(one, mask, units, parts.counts)
            if own is not None:
                kernels.setdefault(one.target, []).append(own)
        return Prepared(found, int(found.sum()), kernels, units, live)

    def outputs(self, chosen: Chosen, which: Indices, progress: Progress = silent) -> Floats:
        """Run some images; return the pre-activations of the last layer, axes (image, output)."""
        return self.run(self.prepare(chosen), which, progress)

    @torch.no_grad()
    def run(self, prepared: Prepared, which: Indices, progress: Progress = silent) -> Floats:
        """Do as :meth:`outputs`, with edges made ready."""
        found = []
        for start, batch, count in self.real.batches(which):
            progress("Running chosen edges", start / len(which))
            found.append(Run(self.parts, prepared, batch).last()[:count].numpy())
        return np.concatenate(found)

    @torch.no_grad()
    def real_outputs(self, which: Indices) -> Floats:
        """Return what the network itself gives, axes (image, output)."""
        found = []
        for _, batch, count in self.real.batches(which):
            name = self.parts.output.name
            maps = self.real.read(batch, output=name).before[name]
            found.append(maps.transpose(0, 1)[:count].flatten(1).numpy())
        return np.concatenate(found)

    @torch.no_grad()
    def missed(
        self, choices: Sequence[Chosen], which: Indices, progress: Progress = silent
    ) -> tuple[dict[str, float], list[dict[str, float]]]:
        """Return what chosen edges miss of each layer's pre-activations, their sources as they are.

        Returns
        -------
        tuple
            By layer, the sum of squares above the mean; and what of it each choice misses.
        """
        means = self.parts.means
        kernels = [self.kernels_of(chosen) for chosen in choices]
        total = dict.fromkeys((layer.name for layer in self.parts.layers), 0.0)
        missed = [dict(total) for _ in choices]
        for start, batch, count in self.real.batches(which):
            progress("Comparing layers", start / len(which))
            maps = self.real.read(batch)
            for key, seen in maps.after.items():
                seen -= means.after[key][:, None]
            for name, real in maps.before.items():
                real -= means.before[name][:, None]
                whole = _squares(real[:, :count])
                total[name] += whole
                for own, sums in zip(kernels, missed, strict=True):
                    left = real
                    for one in own.get(name, ()):
                        left = one.add_to(left, -maps.after[one.source])
                    sums[name] += whole if left is real else _squares(left[:, :count])
        return total, missed

    def kernels_of(self, chosen: Chosen) -> dict[str, list[ChosenKernels]]:
        """Return the chosen edges into each layer, on maps of all units."""
        units = every(self.parts.counts)
        found: dict[str, list[ChosenKernels]] = {}
        for one, mask in self.edges.masks(chosen):
            own = ChosenKernels.of(one, mask, units, self.parts.counts)
            if own is not None:
                found.setdefault(one.target, []).append(own)
        return found


def _exact(layer: str, kernels: Sequence[ChosenKernels], one: Maps, other: Maps) -> bool:
    """Whether kernels tell how the pre-activation differs between two images."""
    real = one.before[layer][:, :1]
    wanted = real - other.before[layer][:, :1]
    found = torch.zeros_like(wanted)
    for own in kernels:
        found = own.add_to(found, one.after[own.source][:, :1] - other.after[own.source][:, :1])
    error = float((found - wanted).abs().max())
    return error <= EXACT * max(float(wanted.abs().max()), 1e-6 * float(real.abs().max()))


def _squares(maps: Tensor) -> float:
    return float(maps.square().sum(dtype=torch.float64))

"""The network as it is: maps of all layers, and what they are on average."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node

from circuitkb.loaders.activations.editing.maps import after_pooling, as_maps
from circuitkb.loaders.activations.editing.runs import Indices
from circuitkb.loaders.activations.editing.steps import Steps
from circuitkb.loaders.activations.functional import Values, fixed_values
from circuitkb.loaders.activations.subsets.kernels import Source
from circuitkb.loaders.activations.subsets.parts import Means
from circuitkb.loaders.composition.sites import Site
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress

Shown = Callable[[Indices], Floats]
"""Images by number, as the network reads them, axes (image, channel, row, column)."""

Shapes = dict[Node, tuple[int, ...]]

_Key = TypeVar("_Key")


class Maps(NamedTuple):
    """Maps of a batch, axes (unit, image, row, column).

    Attributes
    ----------
    before
        Pre-activations, by layer.
    after
        Features, by layer and poolings.
    """

    before: dict[str, Tensor]
    after: dict[Source, Tensor]


class RealMaps:
    """Runs a network as it is, and reads all of its maps.

    Parameters
    ----------
    steps
        Its operations.
    sources
        What is read after the nonlinearities.
    shown
        Its images.
    """

    def __init__(self, steps: Steps, sources: Collection[Source], shown: Shown) -> None:
        self._steps = steps
        self._sources = sources
        self._shown = shown
        self.fixed = fixed_values(steps.network)

    def batches(self, which: Indices) -> Iterator[tuple[int, Tensor, int]]:
        """Give where each batch starts, its images, and how many of them count.

        The last image fills the last batch.
        """
        size = self._steps.batch
        for start in range(0, len(which), size):
            some = which[start : start + size]
            images = torch.from_numpy(np.ascontiguousarray(self._shown(some)))
            if len(some) < size:
                images = torch.cat([images, images[-1:].expand(size - len(some), -1, -1, -1)])
            batch = images.contiguous(memory_format=torch.channels_last)
            yield start, batch, len(some)

    def read(
        self, batch: Tensor, shapes: Shapes | None = None, *, output: str | None = None
    ) -> Maps:
        """Run a batch.

        Parameters
        ----------
        shapes
            Takes the shapes of all nodes' values.
        output
            The one layer whose pre-activation is read, and nothing else; all if None.
        """
        steps, network = self._steps, self._steps.network
        found = Maps({}, {})
        values: Values = {**self.fixed, steps.nodes[0]: batch}
        for step, node in enumerate(steps.nodes):
            if step:
                values[node] = network.value_of(node, values.__getitem__)
            value = values[node]
            if shapes is not None and isinstance(value, Tensor):
                shapes[node] = tuple(value.shape)
            # At once: a later operation may overwrite it.
            for name, site in steps.sites.items():
                if steps.before[name] == step and site.before is not None:
                    if output in (None, name):
                        found.before[name] = _copied(value, site)
                    if name == output:
                        return found
                if output is not None:
                    continue
                if steps.after[name] == step:
                    for key in (key for key in self._sources if key[0] == name):
                        found.after[key] = after_pooling(_copied(value, site), key[1])
            for read in node.all_input_nodes:
                if network.last_use[read] is node and read in network.dynamic:
                    values.pop(read, None)
        return found

    def means(self, which: Indices, progress: Progress) -> Means:
        """Return the mean of every unit at every place over some images."""
        before: dict[str, Tensor] = {}
        after: dict[Source, Tensor] = {}
        for start, batch, count in self.batches(which):
            progress("Showing images", start / len(which))
            maps = self.read(batch)
            _add(before, maps.before, count)
            _add(after, maps.after, count)
        progress("Showing images", 1.0)
        return Means(_divided(before, len(which)), _divided(after, len(which)))


def _copied(value: Tensor, site: Site) -> Tensor:
    return as_maps(value, site).transpose(0, 1).clone(memory_format=torch.contiguous_format)


def _add(sums: dict[_Key, Tensor], maps: Mapping[_Key, Tensor], count: int) -> None:
    for key, value in maps.items():
        own = value[:, :count].sum(dim=1, dtype=torch.float64)
        sums[key] = own if key not in sums else sums[key].add_(own)


def _divided(sums: Mapping[_Key, Tensor], count: int) -> dict[_Key, Tensor]:
    return {key: (value / count).float() for key, value in sums.items()}

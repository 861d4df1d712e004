"""A network run with edges changed or features ablated: many edits, each on images of its own.

An edge is edited where its target's nonlinearity reads: the pre-activation of the target gets the
difference of kernels, times the source's real activation, at every position of its map. Nothing
else that reads the same tensor sees it. A feature is ablated in what its nonlinearity puts out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.activations.editing.flow import Flow
from circuitkb.loaders.activations.editing.one_pass import run_in_view
from circuitkb.loaders.activations.editing.runs import EditedRun, Images, Readings
from circuitkb.loaders.activations.editing.steps import Steps
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import View, plan_views
from circuitkb.schema.errors import TrialError
from circuitkb.schema.progress import Progress, parts, silent


class EditedNetwork:
    """A network that can be run with any edits.

    Parameters
    ----------
    network
        As it was opened.
    views
        How it is looked at; planned if not given.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from circuitkb.loaders.activations.editing.runs import Geometry, KernelChange
    >>> from circuitkb.loaders.sources.opening import open_module
    >>> layers = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 1, 1))
    >>> _ = layers[0].weight.data.copy_(torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1))
    >>> edited = EditedNetwork(open_module(layers.eval(), shape=(1, 9, 9)))
    >>> less = KernelChange("input", 0, "1", 1, np.full((1, 1), -2, np.float32), Geometry(1, 1))
    >>> run = EditedRun([less], [], np.array([0]), {"1": np.array([0, 1])})
    >>> (found,) = edited.run([run], lambda view, which: np.ones((1, 1, 9, 9), np.float32))
    >>> found.base_after.tolist(), found.after.tolist()
    ([[1.0, 2.0]], [[1.0, 0.0]])
    """

    def __init__(self, network: Network, views: Sequence[View] | None = None) -> None:
        self._network = network
        given = plan_views(network.module, network.example) if views is None else views
        self.views = tuple(given)
        self._steps: dict[int, Steps] = {}

    def run(
        self, runs: Sequence[EditedRun], images: Images, *, progress: Progress = silent
    ) -> list[Readings]:
        """Run edits, each on its images, and return what was read, in the same order.

        Each distinct image is run once as far as any edit is read; where more than the target
        itself is read, what follows the first change is run once for each image of an edit, a
        batch at a time, and as far as it is read. Results take 16 bytes for each image and unit
        read. Held besides are the maps of one batch, for each first change up to one batch of
        what the steps after it read, and at most ``one_pass.LARGEST_HELD`` bytes of other
        images' maps for replacements.

        Raises
        ------
        TrialError
            A layer or a unit is not there, or cannot be edited.
        """
        layers = {layer for view in self.views for layer in view.places}
        _check_layers(runs, layers)
        shown = [view for view in self.views if any(view.places.keys() & one.read for one in runs)]
        found: list[dict[str, NDArray[np.float32]]] = [{} for _ in runs]
        for view, tell in zip(shown, parts(progress, len(shown)), strict=True):
            seen = [place for place, one in enumerate(runs) if view.places.keys() & one.read]
            within = [
                replace(one, read={n: u for n, u in one.read.items() if n in view.places})
                for one in (runs[place] for place in seen)
            ]
            for place, values in run_in_view(self._in(view), within, images, tell):
                found[seen[place]] |= values
        return [_readings(one, values) for one, values in zip(runs, found, strict=True)]

    def flow(self) -> Flow:
        """Return the network so that gradients flow through it.

        Raises
        ------
        TrialError
            It is looked at in several ways, so that no image shows all of its layers.
        """
        if len(self.views) > 1:
            raise TrialError(
                f"Layers of the network are looked at in images of {len(self.views)} sizes: no "
                "stimuli can be searched for all of them."
            )
        return Flow(self._in(self.views[0]))

    def _in(self, view: View) -> Steps:
        place = self.views.index(view)
        if place not in self._steps:
            self._steps[place] = Steps.of(self._network, view)
        return self._steps[place]


def _check_layers(runs: Sequence[EditedRun], layers: set[str]) -> None:
    for run in runs:
        named = {*run.read, *(one.layer for one in run.replacements)}
        named |= {name for one in run.kernels for name in (one.source, one.target)}
        for name in sorted(named - layers):
            raise TrialError(f"The network has no layer {name!r} that could be edited or read.")


def _readings(run: EditedRun, values: Mapping[str, NDArray[np.float32]]) -> Readings:
    """Put the columns of several views together."""
    shape = (4, len(run.images), 0)
    columns = [values[layer] for layer in run.read]
    whole = np.concatenate(columns, axis=2) if columns else np.empty(shape, np.float32)
    return Readings(*whole)

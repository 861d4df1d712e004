"""The network of a stored model, ready to be run with some of its edges."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitkb.coverage.images import images
from circuitkb.coverage.measuring import halves
from circuitkb.kb.reopening import reopen
from circuitkb.loaders.activations.subsets.running import SubNetwork
from circuitkb.loaders.receptive_fields.views import whole_view
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from torch import nn

Given = tuple[str | None, str | None, "nn.Module | None"]
"""Source, architecture and module that a user gives in place of what the model says."""


class Opening:
    """A model's network, opened, and the images that it is shown.

    Parameters
    ----------
    store, stored
        Where the model is, and its properties.
    folder, most, seed
        Of the images.
    given
        Where the network is.

    Raises
    ------
    ObservationError
        The model has no kernels.
    """

    def __init__(
        self,
        store: Store,
        stored: Mapping[str, Any],
        folder: Path | None,
        most: int,
        seed: int,
        given: Given,
    ) -> None:
        model = stored["id"]
        self._kernels = store.kernels(model)
        if not self._kernels:
            raise ObservationError(f"No kernel of {model!r} is kept here: load it again.")
        self.opened = reopen(stored, *given)
        self._view = whole_view(self.opened.module, self.opened.example)
        responses = store.responses(model)
        self.shown = images(folder, self.opened, self._view, responses, most=most, seed=seed)

    def network(self, progress: Progress) -> SubNetwork:
        """Return the network; its means are those of every other image.

        All images are held: of 224 x 224 pixels .6 MB each.
        """
        learn, _ = halves(self.shown.count)
        progress("reading images", 0.0)
        give = self.held.__getitem__
        return SubNetwork(self.opened, self._view, self._kernels, give, learn, progress=progress)

    @cached_property
    def held(self) -> Floats:
        """All images, as the network reads them."""
        return self.shown.give(np.arange(self.shown.count))

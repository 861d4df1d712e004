"""Edits as a running network takes them, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Floats

if TYPE_CHECKING:
    from circuitkb.loaders.receptive_fields.views import View

Indices = NDArray[np.intp]


class Images(Protocol):
    """Images by number, as a network reads them."""

    def __call__(self, view: View, which: Indices, /) -> Floats:
        """Return some, axes (image, channel, row, column), of a view's size, on its centre."""


@dataclass(frozen=True)
class Geometry:
    """How a kernel lies on its source's map; fields as those of a connection."""

    rows: int
    columns: int
    stride: tuple[int, int] = (1, 1)
    offset: tuple[int, int] = (0, 0)
    pooling: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class KernelChange:
    """What is added to one kernel: the new one less the old one, axes (row, column)."""

    source: str
    source_unit: int
    target: str
    target_unit: int
    kernel: Floats
    geometry: Geometry


@dataclass(frozen=True, eq=False)
class Replacement:
    """A unit's map after its nonlinearity that is replaced.

    ``value`` is one number for the whole map; or, for each image of the run, the number of the
    image whose map it gets, as the unedited network computes it.
    """

    layer: str
    unit: int
    value: float | Indices


@dataclass(frozen=True, eq=False)
class EditedRun:
    """One edit, the images that it is run on, and what is read.

    Attributes
    ----------
    kernels, replacements
        What is changed, all of it together.
    images
        Numbers of the images.
    read
        For each layer that is read, the units; columns of what comes back stand in this order.
    """

    kernels: Sequence[KernelChange]
    replacements: Sequence[Replacement]
    images: Indices
    read: Mapping[str, Indices]


@dataclass(frozen=True, eq=False)
class Readings:
    """What units answered, before and after their nonlinearity, axes (image, unit), float32.

    ``base_before`` and ``base_after`` are those of the network as it is.
    """

    before: Floats
    after: Floats
    base_before: Floats
    base_after: Floats

    def check(self, edit: object) -> None:
        """Raise :class:`TrialError` where something is no finite number."""
        if not (np.isfinite(self.before).all() and np.isfinite(self.after).all()):
            raise TrialError(f"The network responds with NaN or infinity once edited: {edit}")

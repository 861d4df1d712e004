"""The responses of the units of a model to a battery: made once, kept beside the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import NotFoundError, SchemaError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.layered_array import LayeredArray

ResponseArray = NDArray[np.float16] | NDArray[np.float32]

ARRAYS = ("before", "after", "shuffled_before", "shuffled_after")
"""Names of the arrays of :class:`Responses`, in order."""


KeptArray = ResponseArray | LayeredArray
"""What a store gives; part of it, such as the rows of a layer, is a ``ResponseArray``."""


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses of every unit of a model, read where its receptive field is centred on the stimuli.

    All arrays have the axes (unit, stimulus) and one dtype, float16 or float32. Units stand in the
    order of ``layers``, within a layer by their number.

    Attributes
    ----------
    battery
        Name and version of the battery.
    stimuli
        Id of each stimulus, unique.
    layers
        Name and number of units of each layer.
    before, after
        Responses before and after the nonlinearity; alike for layers that have none.
    shuffled_before, shuffled_after
        The same for the network with shuffled weights: the null. Of equal shape.
    settings
        How they were made, as JSON can hold it: seed, sizes of the images, ranges.
    """

    battery: str
    stimuli: tuple[str, ...]
    layers: tuple[tuple[str, int], ...]
    before: KeptArray
    after: KeptArray
    shuffled_before: KeptArray
    shuffled_after: KeptArray
    settings: dict[str, Any]

    def __post_init__(self) -> None:
        shape = sum(units for _, units in self.layers), len(self.stimuli)
        for name in ARRAYS:
            array = getattr(self, name)
            if array.shape != shape or array.dtype != self.before.dtype:
                raise SchemaError(
                    f"Responses.{name} has shape {array.shape} and type {array.dtype}, where "
                    f"{shape} and {self.before.dtype} are needed."
                )
        if self.before.dtype not in (np.float16, np.float32):
            raise SchemaError(f"Responses hold float16 or float32, not {self.before.dtype}.")
        for what in (self.stimuli, [name for name, _ in self.layers]):
            if len(set(what)) < len(what):
                raise SchemaError("Responses name a stimulus or a layer twice.")

    @cached_property
    def rows(self) -> dict[str, slice]:
        """The rows of each layer.

        Examples
        --------
        >>> zeros = np.zeros((5, 1), np.float32)
        >>> responses = Responses(
        ...     "b1", ("s",), (("a", 2), ("b", 3)), zeros, zeros, zeros, zeros, {}
        ... )
        >>> responses.rows["b"]
        slice(2, 5, None)
        """
        return rows_of_layers(self.layers)

    def row(self, feature: str | FeatureId) -> int:
        """Return the row of a unit, given by its id.

        Raises
        ------
        NotFoundError
            The unit was not observed.
        """
        found = FeatureId.parse(feature) if isinstance(feature, str) else feature
        rows = self.rows.get(found.layer, slice(0, 0))
        if found.basis is not None or found.unit >= rows.stop - rows.start:
            raise NotFoundError(f"{found} was not observed.")
        return int(rows.start + found.unit)

    def header(self) -> dict[str, Any]:
        """Return everything but the arrays, as JSON can hold it."""
        return {
            "battery": self.battery,
            "stimuli": list(self.stimuli),
            "layers": [list(layer) for layer in self.layers],
            "settings": self.settings,
        }


def rows_of_layers(layers: Sequence[tuple[str, int]]) -> dict[str, slice]:
    """Return the rows of each layer, given by name and number of units.

    Examples
    --------
    >>> rows_of_layers([("a", 2), ("b", 3)])
    {'a': slice(0, 2, None), 'b': slice(2, 5, None)}
    """
    ends = np.cumsum([units for _, units in layers]).tolist()
    return {name: slice(end - units, end) for (name, units), end in zip(layers, ends, strict=True)}

"""The eight symmetries of the square, as they act on angles and on images alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import QueryError

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Symmetry:
    """Turn the image upside down if ``mirrors``, then rotate it by ``turn`` degrees.

    ``turn`` is a multiple of 90, counter-clockwise as seen on the screen.
    """

    mirrors: bool
    turn: int

    @property
    def transposes(self) -> bool:
        """Whether rows become columns."""
        return self.turn % 180 == 90

    def angle(self, degrees: float) -> float:
        """Return where a direction points afterwards, in [0, 360).

        Directions are counter-clockwise from pointing right, as seen on the screen.

        Examples
        --------
        >>> symmetry_named("mirror left-right").angle(30), symmetry_named("rotate 90").angle(30)
        (150, 120)
        """
        return ((-degrees if self.mirrors else degrees) + self.turn) % 360

    def apply(self, image: Array) -> Array:
        """Return a view of transformed images; axes (..., row, column), rows grow downwards.

        Examples
        --------
        >>> symmetry_named("rotate 90").apply(np.array([[1, 2], [3, 4]])).tolist()
        [[2, 4], [1, 3]]
        """
        flipped = image[..., ::-1, :] if self.mirrors else image
        return np.rot90(flipped, self.turn // 90, axes=(-2, -1))

    def then(self, later: Symmetry) -> Symmetry:
        """Return the one symmetry that does what this one and ``later`` do in turn.

        Examples
        --------
        >>> symmetry_named("mirror left-right").then(symmetry_named("mirror up-down")).name
        'rotate 180'
        """
        return Symmetry(self.mirrors != later.mirrors, int(later.angle(self.turn)))

    @property
    def name(self) -> str:
        """Its key in :data:`SYMMETRIES`."""
        return _NAMES[self]


SYMMETRIES: Mapping[str, Symmetry] = MappingProxyType(
    {
        "identity": Symmetry(False, 0),
        "rotate 90": Symmetry(False, 90),
        "rotate 180": Symmetry(False, 180),
        "rotate 270": Symmetry(False, 270),
        "mirror left-right": Symmetry(True, 180),
        "mirror up-down": Symmetry(True, 0),
        "mirror rising diagonal": Symmetry(True, 90),
        "mirror falling diagonal": Symmetry(True, 270),
    }
)
"""By name. Rotations are counter-clockwise as seen; a mirror's axis is what its name says:
``left-right`` exchanges left and right, ``falling diagonal`` exchanges rows and columns (the axis
falls to the right), ``rising diagonal`` mirrors at the other diagonal."""

_NAMES = {value: name for name, value in SYMMETRIES.items()}


def symmetry_named(name: str) -> Symmetry:
    """Return the symmetry of that name.

    Raises
    ------
    QueryError
        There is none.

    Examples
    --------
    >>> symmetry_named("mirror left-rihgt")
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: 'mirror left-rihgt' is no symmetry. Did you mean ...?
    """
    try:
        return SYMMETRIES[name]
    except KeyError:
        raise QueryError(f"{name!r} is no symmetry.{did_you_mean(name, SYMMETRIES)}") from None

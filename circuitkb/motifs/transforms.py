"""Transforms of the plane that a motif may ask for, as values that act on kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import QueryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Kernels = NDArray[Any]

_AXES = {"left-right": -1, "up-down": -2}


class Transform(Protocol):
    """What the search needs of a transform that is its own inverse."""

    @property
    def name(self) -> str:
        """Name, as stored and shown."""

    @property
    def group(self) -> str:
        """Kind of transform, as in ``TRANSFORMS_TO.group``."""

    @property
    def parameter(self) -> float:
        """Axis or angle in degrees, as in ``TRANSFORMS_TO.parameter``."""

    @property
    def across(self) -> str:
        """Statistic of a kernel that tells its two sides apart: the smaller value is side 1."""

    def apply(self, kernel: Kernels) -> Kernels:
        """Return transformed kernels; axes (..., row, column)."""

    def changes(self, rows: int, columns: int) -> bool:
        """Whether kernels on a grid of this size can change under the transform."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror image: ``left-right`` turns the columns around, ``up-down`` the rows.

    Raises
    ------
    QueryError
        Any other axis.

    Examples
    --------
    >>> import numpy as np
    >>> Mirror("left-right").apply(np.array([[1, 2, 3]])).tolist()
    [[3, 2, 1]]
    >>> Mirror("left-right").changes(rows=3, columns=1)
    False
    """

    axis: str

    def __post_init__(self) -> None:
        if self.axis not in _AXES:
            raise QueryError(f"{self.axis!r} is no mirror.{did_you_mean(self.axis, _AXES)}")

    @property
    def name(self) -> str:
        """``mirror left-right`` or ``mirror up-down``."""
        return f"mirror {self.axis}"

    @property
    def group(self) -> str:
        """``mirror``."""
        return "mirror"

    @property
    def parameter(self) -> float:
        """Direction of the mirror's axis: 90 (upright) for ``left-right``, 0 for ``up-down``."""
        return 90.0 if self.axis == "left-right" else 0.0

    @property
    def across(self) -> str:
        """The centroid of positive mass along the axis that is turned around."""
        return "positive_dx" if self.axis == "left-right" else "positive_dy"

    def apply(self, kernel: Kernels) -> Kernels:
        """Return the mirror images of kernels; axes (..., row, column); a view."""
        return kernel[..., ::-1] if self.axis == "left-right" else kernel[..., ::-1, :]

    def changes(self, rows: int, columns: int) -> bool:
        """Whether the turned axis has more than one place."""
        return (columns if self.axis == "left-right" else rows) > 1


def mirror(axis: str) -> Mirror:
    """Return the mirror across an axis: ``left-right`` or ``up-down``.

    Examples
    --------
    >>> mirror("left-right").name
    'mirror left-right'
    >>> mirror("left-rihgt")
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: 'left-rihgt' is no mirror. Did you mean 'left-right'?
    """
    return Mirror(axis)


@dataclass(frozen=True, slots=True)
class EighthTurn:
    """Turns by multiples of 45 degrees; of kernels on a grid, by those of 90.

    Examples
    --------
    >>> EighthTurn().name
    'rotate 45'
    """

    @property
    def name(self) -> str:
        """``rotate 45``."""
        return "rotate 45"

    @property
    def group(self) -> str:
        """``rotate``."""
        return "rotate"

    @property
    def parameter(self) -> float:
        """The least turn, in degrees."""
        return 45.0

    @property
    def across(self) -> str:
        """Turns have no sides."""
        return "positive_dx"

    def apply(self, kernel: Kernels) -> Kernels:
        """Return kernels turned by 90 degrees, counter-clockwise as seen; a view."""
        return kernel.swapaxes(-1, -2)[..., ::-1, :]

    def changes(self, rows: int, columns: int) -> bool:
        """Whether there is more than one place."""
        return rows * columns > 1


@dataclass(frozen=True, slots=True)
class ContrastInversion:
    """Bright for dark, and each colour for its opposite; of kernels, the other sign.

    Examples
    --------
    >>> ContrastInversion().name
    'invert contrast'
    """

    @property
    def name(self) -> str:
        """``invert contrast``."""
        return "invert contrast"

    @property
    def group(self) -> str:
        """``invert``."""
        return "invert"

    @property
    def parameter(self) -> float:
        """There is no axis."""
        return 0.0

    @property
    def across(self) -> str:
        """Contrasts have no sides."""
        return "positive_dx"

    def apply(self, kernel: Kernels) -> Kernels:
        """Return kernels of the other sign."""
        return -kernel

    def changes(self, rows: int, columns: int) -> bool:
        """Whatever the size."""
        return rows * columns > 0


@dataclass(frozen=True, slots=True)
class Doubling:
    """Everything at twice its size; no inverse of its own, and no kernel on a grid shows it.

    Examples
    --------
    >>> Doubling().name
    'scale 2'
    """

    @property
    def name(self) -> str:
        """``scale 2``."""
        return "scale 2"

    @property
    def group(self) -> str:
        """``scale``."""
        return "scale"

    @property
    def parameter(self) -> float:
        """How many times as large."""
        return 2.0

    @property
    def across(self) -> str:
        """Sizes have no sides."""
        return "positive_dx"

    def apply(self, kernel: Kernels) -> Kernels:
        """Return each value of kernels as two by two ones."""
        found: Kernels = kernel.repeat(2, axis=-1).repeat(2, axis=-2)
        return found

    def changes(self, rows: int, columns: int) -> bool:
        """Whether there is more than one place."""
        return rows * columns > 1


@dataclass(frozen=True, slots=True)
class Unchanged:
    """No transform: for motifs whose parts none relates.

    Examples
    --------
    >>> Unchanged().name
    'identity'
    """

    @property
    def name(self) -> str:
        """``identity``."""
        return "identity"

    @property
    def group(self) -> str:
        """``identity``."""
        return "identity"

    @property
    def parameter(self) -> float:
        """There is none."""
        return 0.0

    @property
    def across(self) -> str:
        """It has no sides."""
        return "positive_dx"

    def apply(self, kernel: Kernels) -> Kernels:
        """Return kernels as they are."""
        return kernel

    def changes(self, rows: int, columns: int) -> bool:
        """Nothing."""
        return False

"""Single changes of a network: of one edge's kernels, of two, of a feature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from circuitkb.schema.errors import CircuitKBError, TrialError
from circuitkb.schema.ids import FeatureId

if TYPE_CHECKING:
    from circuitkb.schema.kernels import Floats

By = Literal["zero", "mean", "resampling"]

Axis = Literal["left-right", "up-down"]

LARGEST_WRITTEN = 64
"""Rows and columns of a hand-written kernel."""


@dataclass(frozen=True, order=True, slots=True)
class Unit:
    """A unit of the edited network: ``layer:unit``, without the model.

    Examples
    --------
    >>> Unit.parse("blocks.3.act1:47")
    Unit(layer='blocks.3.act1', unit=47)
    """

    layer: str
    unit: int

    def __str__(self) -> str:
        return f"{self.layer}:{self.unit}"

    @classmethod
    def parse(cls, text: str, model: str | None = None) -> Self:
        """Read ``layer:unit``, or ``model/layer:unit`` where the model is that one.

        Raises
        ------
        TrialError
            It is none.
        """
        try:
            found = FeatureId.parse(f"x/{text.removeprefix(f'{model}/') if model else text}")
        except CircuitKBError as error:
            raise TrialError(f"{text!r} is no unit: it is written layer:unit.") from error
        if found.basis is not None:
            raise TrialError(f"{text!r} is a direction: only units can be edited.")
        return cls(found.layer, found.unit)


@dataclass(frozen=True, slots=True)
class _OfAnEdge:
    """A change of one edge's kernels."""

    verb: ClassVar[str] = ""
    source: Unit
    target: Unit

    @property
    def edges(self) -> tuple[tuple[Unit, Unit], ...]:
        """The edges that change, source first."""
        return ((self.source, self.target),)

    @property
    def how(self) -> str:
        """What stands behind the edge in words."""
        return ""

    def words(self, target: Unit | None = None) -> str:
        """Return the change in words; without ``into`` where the target is the one given."""
        into = "" if self.target == target else f" into {self.target}"
        return f"{self.verb} {self.source}{into}{self.how}"


@dataclass(frozen=True, slots=True)
class Remove(_OfAnEdge):
    """The edge is taken away."""

    verb: ClassVar[str] = "remove"

    def apply(self, kernel: Floats) -> Floats:
        """Return the kernel as it is then, axes (row, column)."""
        return 0 * kernel


@dataclass(frozen=True, slots=True)
class Flip(_OfAnEdge):
    """The edge's sign is turned."""

    verb: ClassVar[str] = "flip"

    def apply(self, kernel: Floats) -> Floats:
        """Return the kernel as it is then, axes (row, column)."""
        return -kernel


@dataclass(frozen=True, slots=True)
class Scale(_OfAnEdge):
    """The edge's kernel is multiplied by a number."""

    verb: ClassVar[str] = "scale"
    factor: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.factor):
            raise TrialError(f"An edge cannot be scaled by {self.factor}: give a finite number.")

    @property
    def how(self) -> str:
        """``by`` the factor."""
        return f" by {_number(self.factor)}"

    def apply(self, kernel: Floats) -> Floats:
        """Return the kernel as it is then, axes (row, column)."""
        return kernel * kernel.dtype.type(self.factor)


@dataclass(frozen=True, slots=True)
class Mirror(_OfAnEdge):
    """The edge's kernel becomes its mirror image: ``left-right`` turns the columns around."""

    verb: ClassVar[str] = "mirror"
    axis: Axis

    @property
    def how(self) -> str:
        """The axis."""
        return f" {self.axis}"

    def apply(self, kernel: Floats) -> Floats:
        """Return the kernel as it is then, axes (row, column)."""
        turned = 1 if self.axis == "left-right" else 0
        if kernel.shape[turned] == 1:
            raise TrialError(
                f"The kernel from {self.source} to {self.target} is {_size(kernel)}: its mirror "
                f"image {self.axis} is itself."
            )
        return kernel[:, ::-1] if turned else kernel[::-1]


@dataclass(frozen=True, slots=True)
class Rotate(_OfAnEdge):
    """The edge's kernel is turned counterclockwise by 90, 180 or 270 degrees."""

    verb: ClassVar[str] = "rotate"
    degrees: int

    def __post_init__(self) -> None:
        if self.degrees not in (90, 180, 270):
            raise TrialError(f"A kernel is rotated by 90, 180 or 270 degrees, not {self.degrees}.")

    @property
    def how(self) -> str:
        """``by`` the angle."""
        return f" by {self.degrees}"

    def apply(self, kernel: Floats) -> Floats:
        """Return the kernel as it is then, axes (row, column)."""
        import numpy as np

        rows, columns = kernel.shape
        if rows * columns == 1 or (rows != columns and self.degrees != 180):
            raise TrialError(
                f"The kernel from {self.source} to {self.target} is {_size(kernel)}: it cannot be "
                f"rotated by {self.degrees} degrees."
            )
        return np.rot90(kernel, self.degrees // 90)


@dataclass(frozen=True, slots=True)
class Put(_OfAnEdge):
    """The edge gets a hand-written kernel, rows of numbers."""

    verb: ClassVar[str] = "set"
    kernel: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.kernel}
        if len(widths) != 1 or not 0 < max(len(self.kernel), *widths) <= LARGEST_WRITTEN:
            raise TrialError(
                f"The kernel for {self.source} is no table of numbers: write rows of one length, "
                f"at most {LARGEST_WRITTEN}, as in [[0, 1, 0], [1, 2, 1], [0, 1, 0]]."
            )
        if not all(math.isfinite(value) for row in self.kernel for value in row):
            raise TrialError(f"The kernel for {self.source} has a number that is not finite.")

    @property
    def how(self) -> str:
        """``to`` the kernel."""
        rows = (f"[{', '.join(map(_number, row))}]" for row in self.kernel)
        return f" to [{', '.join(rows)}]"

    def apply(self, kernel: Floats) -> Floats:
        """Return the kernel as it is then, axes (row, column)."""
        import numpy as np

        written = np.array(self.kernel, kernel.dtype)
        if written.shape != kernel.shape:
            raise TrialError(
                f"The kernel from {self.source} to {self.target} is {_size(kernel)}, the one that "
                f"is to be put in {_size(written)}."
            )
        return written


@dataclass(frozen=True, slots=True)
class Swap:
    """Two sources of one target get each other's kernels."""

    verb: ClassVar[str] = "swap"
    first: Unit
    second: Unit
    target: Unit

    def __post_init__(self) -> None:
        if self.first == self.second:
            raise TrialError(f"{self.first} cannot be swapped with itself.")
        if self.second < self.first:
            first, second = self.second, self.first
            object.__setattr__(self, "first", first)
            object.__setattr__(self, "second", second)

    @property
    def edges(self) -> tuple[tuple[Unit, Unit], ...]:
        """The edges that change, source first."""
        return ((self.first, self.target), (self.second, self.target))

    def words(self, target: Unit | None = None) -> str:
        """Return the change in words; without ``into`` where the target is the one given."""
        into = "" if self.target == target else f" into {self.target}"
        return f"swap {self.first} and {self.second}{into}"


@dataclass(frozen=True, slots=True)
class Ablate:
    """A feature is put out of work: what it gives is replaced at every position of its map.

    By ``zero``; by its ``mean`` over the stimuli, one number for the whole map; or by
    ``resampling``: its map for another stimulus, drawn with ``seed``.
    """

    verb: ClassVar[str] = "ablate"
    unit: Unit
    by: By = "zero"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed and self.by != "resampling":
            raise TrialError(f"Ablation by {self.by} draws nothing: it has no seed.")

    @property
    def edges(self) -> tuple[tuple[Unit, Unit], ...]:
        """None: what leads into a feature, and out of it, stays."""
        return ()

    def words(self, target: Unit | None = None) -> str:
        """Return the change in words; without the unit where it is the one given."""
        what = "ablate" if self.unit == target else f"ablate {self.unit}"
        seed = f" {self.seed}" if self.seed else ""
        return f"{what} by {self.by}{seed}"


EdgeChange = Remove | Flip | Scale | Mirror | Rotate | Put
Change = EdgeChange | Swap | Ablate


def _number(value: float) -> str:
    """Return a number so that it reads back exactly."""
    return repr(float(value)).removesuffix(".0")


def _size(kernel: Floats) -> str:
    return f"{kernel.shape[0]} x {kernel.shape[1]}"

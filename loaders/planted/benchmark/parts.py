"""Detectors that circuits are planted on: quartets of mirror images, turns, single shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.planted.detectors import Templates
from circuitkb.loaders.planted.filters import filter_bank
from circuitkb.loaders.planted.shapes import Form, Shape

Array = NDArray[np.float64]

TURNS = tuple(22.5 + 45 * turn for turn in range(8))
"""Directions of an orbit: each turn, and each mirror image, of one of them is another."""

_OPPOSED = 0.75
_OPPOSITE = 0.5

_UNLIKE = 0.4
"""Correlation over random images below which two detectors are not alike."""

_TAKEN = 8
"""Detectors that a unit of a block takes which is of nothing in particular."""

_SIZES: dict[Form, tuple[float, float]] = {
    "line": (1.5, 3),
    "edge": (1, 1),
    "curve": (6, 12),
    "corner": (50, 100),
    "texture": (3.5, 5),
    "red-green edge": (1, 1),
    "blue-yellow edge": (1, 1),
}


class Quartet(NamedTuple):
    """A detector, one of nearly the same shape, and the mirror image of each."""

    one: int
    twin: int
    mirror: int
    mirrored_twin: int


class Parts:
    """Detectors as they are added, numbered in that order.

    Parameters
    ----------
    rng
        Draws everything.
    channels
        1 or 3.

    Attributes
    ----------
    kernels
        Over the filters, one for each detector; all put out a standard deviation of 1.
    kin
        Of each detector, those that its shape is related to, itself among them.
    structured
        Those that have a shape.
    block
        Units of a block, each by the detectors that it takes: weights. They count on from the
        detectors, and are added after them.

    Examples
    --------
    >>> parts = Parts(np.random.default_rng(0), 1)
    >>> parts.quartet(Shape("curve", 10, 8))
    Quartet(one=0, twin=1, mirror=2, mirrored_twin=3)
    >>> parts.random(), len(parts.kernels), sorted(parts.kin[3])
    (4, 5, [0, 1, 2, 3])
    """

    def __init__(self, rng: np.random.Generator, channels: int) -> None:
        self.rng = rng
        self.channels = channels
        self.bank = filter_bank(rng, channels)
        self.seen = Templates(rng, self.bank)
        self.kernels: list[Array] = []
        self.kin: list[frozenset[int]] = []
        self.structured: list[int] = []
        self.block: list[dict[int, float]] = []

    @property
    def shapeless(self) -> list[int]:
        """Detectors, and units of the block, of nothing in particular."""
        last = len(self.kernels)
        block = [last + place for place, taken in enumerate(self.block) if len(taken) > 1]
        return sorted({*range(last)} - {*self.structured}) + block

    def shape(self, form: Form, direction: float, sign: int = 1) -> Shape:
        """Draw a shape of a form: its size."""
        return Shape(form, 0, self.rng.uniform(*_SIZES[form]), sign).facing(direction)

    def quartet(self, shape: Shape) -> Quartet:
        """Add a shape, its twin and their mirror images, each inhibited by its mirror image."""
        here = [self._opposed(each) for each in (shape, shape.nudged(self.rng))]
        return Quartet(*self._add([*here, *map(self.seen.flip, here)], related=True))

    def quartets(
        self, count: int, forms: Sequence[Form] = ("line", "edge", "curve")
    ) -> list[Quartet]:
        """Add so many of drawn shapes, which differ from their mirror images."""
        drawn = (self.asymmetric(forms[place % len(forms)]) for place in range(count))
        return [self.quartet(each) for each in drawn]

    def asymmetric(self, form: Form) -> Shape:
        """Draw a shape of a form that differs from its mirror image."""
        sign = 1 if form == "texture" else int(self.rng.choice((-1, 1)))
        lean = self.rng.uniform(30, 60) if form == "line" else self.rng.uniform(-50, 50)
        return self.shape(form, lean, sign)

    def alike(self, to: int, forms: Sequence[Form], between: tuple[float, float]) -> Shape:
        """Draw an asymmetric shape that is as much like a detector over random images."""
        while True:
            shape = self.asymmetric(forms[int(self.rng.integers(len(forms)))])
            low, high = between
            (found,) = self.seen.correlations(self.kernels[to], [self._opposed(shape)]).tolist()
            if low < found < high:
                return shape

    def symmetric(self, shape: Shape) -> int:
        """Add a detector that is its own mirror image."""
        found = self.seen.template(shape)
        return self._add([found + self.seen.flip(found)])[0]

    def mixture(self, units: Sequence[int]) -> int:
        """Add one that answers to what each of these does, and is as near to any of them."""
        (made,) = self._add([np.sum([self.kernels[unit] for unit in units], axis=0)])
        self.kin[made] = frozenset({made}).union(*(self.kin[unit] for unit in units))
        return made

    def orbit(self, shape: Shape) -> tuple[int, ...]:
        """Add a shape at all eight :data:`TURNS`, each inhibited by the opposite one."""
        found = [self.seen.template(shape.facing(turn)) for turn in TURNS]
        return tuple(
            self._add(
                [one - _OPPOSITE * found[turn - 4] for turn, one in enumerate(found)], related=True
            )
        )

    def tiling(self, shapes: Sequence[Shape]) -> tuple[int, ...]:
        """Add eight shapes, one at each of the :data:`TURNS`: an orbit in directions alone."""
        return tuple(
            self.single(shape.facing(turn)) for shape, turn in zip(shapes, TURNS, strict=True)
        )

    def single(self, shape: Shape) -> int:
        """Add one shape, inhibited by the opposite one."""
        opposite = replace(shape, direction=(shape.direction + 180) % 360)
        kernel = self.seen.template(shape) - _OPPOSITE * self.seen.template(opposite)
        return self._add([kernel])[0]

    def inverse(self, unit: int) -> int:
        """Add the detector of a shape in dark that another one sees in bright, or the reverse."""
        return self._add([self.seen.inverse(self.kernels[unit])])[0]

    def waves(self, shapes: Sequence[tuple[Shape, float]]) -> int:
        """Add a detector of one or more shapes, with weights, that inverted contrast inhibits."""
        kernel = np.zeros(self.seen.shape)
        for shape, weight in shapes:
            found = self.seen.template(shape)
            found = found - _OPPOSITE * self.seen.inverse(found)
            kernel += weight * found / self.seen.spread(found[None])[0]
        return self._add([kernel])[0]

    def added_by_block(self, detector: int) -> int:
        """Add a unit of the block that takes one detector."""
        self.block.append({detector: 1.0})
        self.kin.append(self.kin[detector])
        return len(self.kernels) + len(self.block) - 1

    def fill_block(self, count: int) -> None:
        """Add units to the block that take some detectors of nothing in particular."""
        free = sorted({*range(len(self.kernels))} - {*self.structured})
        while len(self.block) < count:
            taken = self.rng.choice(free, _TAKEN, replace=False).tolist()
            self.block.append(dict(zip(taken, self.rng.normal(size=_TAKEN).tolist(), strict=True)))
            self.kin.append(frozenset())

    def random(self, unlike: Sequence[int] = ()) -> int:
        """Add a detector of nothing in particular, and like none of some others."""
        while True:
            kernel = self.rng.normal(size=self.seen.shape)
            others = [self.kernels[unit] for unit in unlike]
            if not others or self.seen.correlations(kernel, others).max() < _UNLIKE:
                return self._add([kernel], structured=False)[0]

    def fill(self, count: int, shapeless: int = 24, unlike: Sequence[int] = ()) -> None:
        """Add random ones: at least so many, and until there are ``count`` detectors in all."""
        for _ in range(max(shapeless, count - len(self.kernels))):
            self.random(unlike)

    def unrelated(self, to: Sequence[int]) -> int:
        """Draw a detector with a shape that none of these is related to."""
        kin = frozenset[int]().union(*(self.kin[each] for each in to))
        return int(self.rng.choice([each for each in self.structured if each not in kin]))

    def _opposed(self, shape: Shape) -> Array:
        """Return the kernel of a shape that its mirror image inhibits."""
        found = self.seen.template(shape)
        return found - _OPPOSED * self.seen.flip(found)

    def _add(
        self, kernels: Sequence[Array], *, related: bool = False, structured: bool = True
    ) -> list[int]:
        units = [len(self.kernels) + place for place in range(len(kernels))]
        self.kernels += [kernel / self.seen.spread(kernel[None])[0] for kernel in kernels]
        self.kin += [frozenset(units) if related else frozenset({unit}) for unit in units]
        self.structured += units if structured else []
        return units

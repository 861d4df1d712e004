"""Shapes that planted detectors are made for, drawn as small images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Form = Literal[
    "line",
    "edge",
    "curve",
    "corner",
    "red-green edge",
    "blue-yellow edge",
    "texture",
    "stripes",
    "steps",
]

_HALF_TURNS = ("line", "stripes")
"""Forms that half a turn does not change."""

_WAVES = ("stripes", "steps")

_COLOURS = {"red-green edge": (0.8, -0.8, 0.0), "blue-yellow edge": (-0.8, -0.8, 0.8)}
_SOFT = 1.5
"""Pixels over which an edge goes from dark to light."""


@dataclass(frozen=True)
class Shape:
    """A shape seen through the centre of a receptive field.

    Attributes
    ----------
    form
        ``line`` (straight, across ``direction``), ``edge`` (from dark to light), ``curve`` (an
        arc through the centre, bent around a point in ``direction``), ``corner`` (a wedge that
        opens towards it), ``red-green edge`` and ``blue-yellow edge``, ``texture`` (fine stripes
        on that side alone), ``stripes`` (a wave across ``direction``, light in the centre) and
        ``steps`` (the same, rising in the centre), both fading at the distance of one wavelength.
    direction
        Degrees from 0 to 360 (lines, stripes: 180), 0 to the right, 90 up; kept to thousandths.
    size
        In pixels: width of a line, radius of a curve, wavelength of a texture and of waves; degrees
        that a corner opens.
    sign
        1 for light on dark, -1 for dark on light.
    """

    form: Form
    direction: float
    size: float
    sign: int = 1

    def facing(self, direction: float) -> Shape:
        """The same shape in another direction.

        Examples
        --------
        >>> Shape("edge", 0, 1).facing(-40).direction
        320.0
        """
        whole = 180.0 if self.form in _HALF_TURNS else 360.0
        return replace(self, direction=round(direction, 3) % whole)

    @property
    def mirrored(self) -> Shape:
        """Its left-right mirror image.

        Examples
        --------
        >>> Shape("edge", 30, 1).mirrored.direction
        150.0
        """
        return self.facing(180 - self.direction)

    def nudged(self, rng: np.random.Generator) -> Shape:
        """A shape that looks much the same: turned by 3 to 6 degrees, up to 10% larger or smaller.

        Examples
        --------
        >>> nudged = Shape("edge", 30, 1).nudged(np.random.default_rng(0))
        >>> bool(3 <= abs(nudged.direction - 30) <= 6)
        True
        """
        turn = rng.choice((-1, 1)) * rng.uniform(3, 6)
        grown = replace(self, size=self.size * rng.uniform(0.9, 1.1))
        return grown.facing(self.direction + turn)


def draw(
    shape: Shape,
    *,
    side: int,
    channels: int,
    shift: tuple[float, float] = (0, 0),
    stripes: tuple[float, float] = (0, 0),
) -> Array:
    """Draw a shape on grey.

    Parameters
    ----------
    side
        Rows and columns, odd.
    channels
        1 or 3.
    shift
        Pixels right and up by which it is off the centre.
    stripes
        For a texture: direction and phase of its stripes, in degrees.

    Returns
    -------
    ndarray
        float64 from -1 to 1, grey 0; axes (channel, row, column).

    Examples
    --------
    >>> edge = draw(Shape("edge", 0, 1), side=9, channels=1)[0]
    >>> bool(edge[4, 0] < -0.7), edge[4, 4].item(), bool(edge[4, 8] > 0.7)
    (True, 0.0, True)
    """
    pixels = np.arange(side) - side // 2
    right, up = np.meshgrid(pixels - shift[0], -pixels - shift[1])
    across, along = _turned(right, up, shape.direction)
    colour = _COLOURS.get(shape.form, (0.8,) * 3)
    match shape.form:
        case "line":
            image = np.exp(-0.5 * (across / shape.size) ** 2)
        case "curve":
            distance = np.hypot(across - shape.size, along) - shape.size
            image = np.exp(-0.5 * (distance / 2) ** 2) * (across < shape.size)
        case "corner":
            half = np.deg2rad(shape.size / 2)
            image = np.tanh((across * np.sin(half) - abs(along) * np.cos(half)) / _SOFT)
        case "texture":
            wave, _ = _turned(right, up, stripes[0])
            wave = np.sin(2 * np.pi * wave / shape.size + np.deg2rad(stripes[1]))
            image = wave * (1 + np.tanh(across / _SOFT)) / 2
        case "stripes" | "steps":
            phase = 2 * np.pi * across / shape.size
            wave = np.cos(phase) if shape.form == "stripes" else np.sin(phase)
            image = wave * np.exp(-0.5 * (right**2 + up**2) / shape.size**2)
        case _:
            image = np.tanh(across / _SOFT)
    painted: Array = shape.sign * image * np.array(colour)[:channels, None, None]
    return painted


def _turned(right: Array, up: Array, direction: float) -> tuple[Array, Array]:
    angle = np.deg2rad(direction)
    return right * np.cos(angle) + up * np.sin(angle), up * np.cos(angle) - right * np.sin(angle)


def variants(
    rng: np.random.Generator, shape: Shape, count: int, *, side: int, channels: int
) -> Array:
    """Draw a shape many times, a little shifted, turned and grown each time.

    Shifts are normal with 1.5 pixels (of waves with a twentieth of a wavelength), turns with 5
    degrees, sizes with 8%; stripes of a texture are in any direction.

    Returns
    -------
    ndarray
        float64, axes (variant, channel, row, column).

    Examples
    --------
    >>> variants(np.random.default_rng(0), Shape("line", 45, 2), 4, side=9, channels=1).shape
    (4, 1, 9, 9)
    """
    far = shape.size / 20 if shape.form in _WAVES else 1.5
    return np.array(
        [
            draw(
                replace(
                    shape,
                    direction=shape.direction + rng.normal(0, 5),
                    size=shape.size * rng.normal(1, 0.08),
                ),
                side=side,
                channels=channels,
                shift=(rng.normal(0, far), rng.normal(0, far)),
                stripes=(rng.uniform(0, 360), rng.uniform(0, 360)),
            )
            for _ in range(count)
        ]
    )


def chiral_shapes(rng: np.random.Generator, channels: int) -> list[Shape]:
    """Return shapes that differ from their mirror image: each looks to the right, or rises.

    Three directions for each form that has a front, one for lines; drawn a little off a grid, so
    that no two seeds give the same.

    Examples
    --------
    >>> shapes = chiral_shapes(np.random.default_rng(0), 3)
    >>> len(shapes), all(np.cos(np.deg2rad(shape.direction)) > 0.5 for shape in shapes)
    (26, True)
    """
    shapes = []
    for form, sizes, signs in _kinds(channels):
        for sign in signs:
            for direction in (45,) if form == "line" else (-40, 0, 40):
                turned = direction + rng.uniform(-12, 12)
                shape = Shape(form, 0, rng.uniform(*sizes), sign)
                shapes.append(shape.facing(turned))
    return shapes


def symmetric_shapes(rng: np.random.Generator, channels: int) -> list[Shape]:
    """Return shapes that are their own mirror image.

    Examples
    --------
    >>> shapes = symmetric_shapes(np.random.default_rng(0), 1)
    >>> len(shapes), shapes[0] == shapes[0].mirrored
    (16, True)
    """
    shapes = []
    for form, sizes, signs in _kinds(channels):
        for sign in signs:
            for direction in (0, 90) if form == "line" else (90, 270):
                shapes.append(Shape(form, direction, rng.uniform(*sizes), sign))
    return shapes


def any_shape(rng: np.random.Generator, channels: int) -> Shape:
    """Draw a shape of any form and direction.

    Examples
    --------
    >>> any_shape(np.random.default_rng(0), 1).sign in (1, -1)
    True
    """
    kinds = list(_kinds(channels))
    form, (low, high), _ = kinds[rng.integers(len(kinds))]
    size = rng.uniform(0.6 * low, 2 * high)
    return Shape(form, rng.uniform(0, 360), size, int(rng.choice((-1, 1))))


def _kinds(channels: int) -> Iterator[tuple[Form, tuple[float, float], tuple[int, ...]]]:
    yield "line", (1.5, 3), (1, -1)
    yield "edge", (1, 1), (1,)
    yield "curve", (6, 12), (1, -1)
    yield "corner", (50, 100), (1, -1)
    yield "texture", (3.5, 5), (1,)
    if channels == 3:
        yield "red-green edge", (1, 1), (1,)
        yield "blue-yellow edge", (1, 1), (1,)

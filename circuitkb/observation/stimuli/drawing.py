"""How each kind of stimulus is drawn: functions of the coordinates around a centre.

Angles count counter-clockwise as seen on the screen, so vertical coordinates grow upwards, against
the rows. Mean grey is .5 and the largest contrast .4; all borders are smooth over about a pixel.
Values are multiples of 1/65536: what the last bits of a sine are on some machine, or in some part
of a larger image, does not show.

Whole directions can be drawn, but the battery draws those in [0, 45] degrees and gets the others
by mirroring and rotating the array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.stimuli.noise import LEVELS, SIDE, noise_tile
from circuitkb.observation.stimuli.stimulus import Stimulus

Values = NDArray[np.float64]

GREY, CONTRAST = 0.5, 0.4

_CURVE_WIDTH = 2.0
"""Standard deviation across arcs and rings, in pixels: that of the thinner lines."""

_ARC_END = 4.0
_TEXTURE_BORDER = 3.0
_PAIRS = {"red/green": (1.0, -1.0, 0.0), "blue/yellow": (-0.5, -0.5, 1.0)}
"""Opponent colours with equal mean over the channels: no luminance edge comes with them."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Pixels around a centre in the middle: ``up`` and ``across`` are the largest distances.

    Both are multiples of one half, so all coordinates are exact, and so are their negatives.
    """

    up: float
    across: float

    @property
    def y(self) -> Values:
        """Height above the centre, axes (row, 1)."""
        return np.arange(self.up, -self.up - 1, -1)[:, None]

    @property
    def x(self) -> Values:
        """Distance to the right of the centre, axes (1, column)."""
        return np.arange(-self.across, self.across + 1)[None, :]

    def along(self, degrees: float) -> Values:
        """Return how far each pixel lies in a direction."""
        right, up = unit_vector(degrees)
        return self.x * right + self.y * up

    @property
    def radius(self) -> Values:
        """Distance from the centre."""
        return np.sqrt(self.x**2 + self.y**2)


def unit_vector(degrees: float) -> tuple[float, float]:
    """Return cosine and sine; exactly alike, zero and one where they ought to be.

    The sine of 45 degrees and its cosine differ in the last bit elsewhere, and no image drawn
    with them is its own mirror image.

    Examples
    --------
    >>> unit_vector(90)
    (0.0, 1.0)
    >>> len(set(unit_vector(45)))
    1
    """
    quarters, rest = divmod(degrees % 360, 90)
    folded = min(rest, 90 - rest)
    small, large = np.sin(np.deg2rad(folded)), np.cos(np.deg2rad(folded))
    if folded == 45:
        small = large = np.sqrt(0.5)
    right, up = (large, small) if rest <= 45 else (small, large)
    for _ in range(int(quarters)):
        right, up = -up, right
    return float(right) + 0.0, float(up) + 0.0


def draw(stimulus: Stimulus, plane: Plane) -> NDArray[np.float32]:
    """Return the image of a stimulus.

    Returns
    -------
    array
        Values in [0, 1], axes (channel, row, column), with one channel if it is grey.

    Examples
    --------
    >>> from circuitkb.observation.stimuli.stimulus import stimulus
    >>> grating = stimulus("grating", orientation=0, wavelength=4, phase=0)
    >>> draw(grating, Plane(up=2, across=1)).round(1)
    array([[[0.1, 0.1, 0.1],
            [0.5, 0.5, 0.5],
            [0.9, 0.9, 0.9],
            [0.5, 0.5, 0.5],
            [0.1, 0.1, 0.1]]], dtype=float32)
    """
    from_grey = _KINDS[stimulus.kind](stimulus, plane)
    size = plane.y.shape[0], plane.x.shape[1]
    channels = len(from_grey) if from_grey.ndim == 3 else 1
    image = np.rint((GREY + from_grey) * LEVELS).clip(0, LEVELS) / LEVELS
    return np.broadcast_to(image, (channels, *size)).astype(np.float32)


def _border(distance: Values, width: float = 1.0) -> Values:
    """Return -1 far outside (negative distances), 1 far inside."""
    return np.tanh(distance / width)


def _inside(distance: Values, width: float = 1.0) -> Values:
    return (1 + _border(distance, width)) / 2


def _bell(distance: Values, width: float) -> Values:
    return np.exp(-0.5 * (distance / width) ** 2)


def _contrast(s: Stimulus) -> float:
    return CONTRAST * s.number("polarity")


def _grating(s: Stimulus, plane: Plane) -> Values:
    angle = 2 * np.pi * plane.along(s.number("orientation") + 90) / s.number("wavelength")
    cosine, sine = unit_vector(s.number("phase"))
    # Of the two terms one is zero: a grating of phase 0 is exactly even, one of phase 90 odd.
    wave = cosine * np.cos(angle) if cosine else -sine * np.sin(angle)
    return CONTRAST * wave


def _line(s: Stimulus, plane: Plane) -> Values:
    left = plane.along(s.number("orientation") + 90)
    return _contrast(s) * _bell(left - s.number("offset"), s.number("width"))


def _edge(s: Stimulus, plane: Plane) -> Values:
    inside = plane.along(s.number("direction")) - s.number("offset")
    return CONTRAST * _border(inside, s.number("width"))


def _from_centre_of_curvature(s: Stimulus, plane: Plane) -> Values:
    ahead = plane.along(s.number("direction")) - s.number("radius")
    beside = plane.along(s.number("direction") + 90)
    return np.sqrt(ahead**2 + beside**2)


def _arc(s: Stimulus, plane: Plane) -> Values:
    """Draw the half of a circle that is nearer to the centre of the image."""
    radius = s.number("radius")
    curve = _bell(_from_centre_of_curvature(s, plane) - radius, _CURVE_WIDTH)
    return _contrast(s) * curve * _inside(radius - plane.along(s.number("direction")), _ARC_END)


def _curved_edge(s: Stimulus, plane: Plane) -> Values:
    return _contrast(s) * _border(s.number("radius") - _from_centre_of_curvature(s, plane))


def _corner(s: Stimulus, plane: Plane) -> Values:
    cosine, sine = unit_vector(s.number("angle") / 2)
    ahead = plane.along(s.number("direction"))
    beside = np.abs(plane.along(s.number("direction") + 90))
    return CONTRAST * _border(ahead * sine - beside * cosine)


def _high_low(s: Stimulus, plane: Plane) -> Values:
    waves = (np.cos(2 * np.pi * z / s.number("wavelength")) for z in (plane.x, plane.y))
    textured = _inside(plane.along(s.number("direction")), _TEXTURE_BORDER)
    return CONTRAST * textured * sum(waves, np.zeros(())) / 2


def _checkerboard(s: Stimulus, plane: Plane) -> Values:
    half = s.number("wavelength") / 2

    def stripes(z: Values) -> Values:
        return _border(half / 2 - np.abs((z + half) % (2 * half) - half))

    return _contrast(s) * stripes(plane.x) * stripes(plane.y)


def _of_colour(colour: tuple[float, ...], where: Values) -> Values:
    return CONTRAST * np.array(colour)[:, None, None] * where


def _hue_colour(s: Stimulus) -> tuple[float, ...]:
    """Return red, green and blue on a circle around grey; their mean is that of grey."""
    return tuple(unit_vector(s.number("hue") - primary)[0] for primary in (0, 120, 240))


def _colour_edge(s: Stimulus, plane: Plane) -> Values:
    pair = _PAIRS[str(s.parameters["pair"])]
    return _of_colour(pair, _border(plane.along(s.number("direction"))))


def _hue(s: Stimulus, plane: Plane) -> Values:
    return _of_colour(_hue_colour(s), np.ones((1, 1)))


def _hue_spot(s: Stimulus, plane: Plane) -> Values:
    return _of_colour(_hue_colour(s), _inside(s.number("radius") - plane.radius))


def _spot(s: Stimulus, plane: Plane) -> Values:
    return _contrast(s) * _inside(s.number("radius") - plane.radius)


def _ring(s: Stimulus, plane: Plane) -> Values:
    return _contrast(s) * _bell(plane.radius - s.number("radius"), _CURVE_WIDTH)


def _flat(s: Stimulus, plane: Plane) -> Values:
    return np.full((1, 1), s.number("luminance") - GREY)


def _noise(s: Stimulus, plane: Plane) -> Values:
    """Cut noise out of the tile; a centre between pixels stands half a pixel aside in it."""
    channels = 3 if s.coloured else 1
    smoothing = s.number("smoothing") if s.kind == "noise" else None
    tile = noise_tile(int(s.number("seed")), channels, smoothing)
    rows = np.floor(SIDE / 2 - plane.y).astype(np.intp) % SIDE
    columns = np.floor(SIDE / 2 + plane.x).astype(np.intp) % SIDE
    return tile[:, rows, columns].astype(np.float64)


_KINDS: Mapping[str, Callable[[Stimulus, Plane], Values]] = MappingProxyType(
    {
        "grating": _grating,
        "line": _line,
        "edge": _edge,
        "arc": _arc,
        "curved edge": _curved_edge,
        "corner": _corner,
        "high-low frequency": _high_low,
        "checkerboard": _checkerboard,
        "colour edge": _colour_edge,
        "hue": _hue,
        "hue spot": _hue_spot,
        "spot": _spot,
        "ring": _ring,
        "flat": _flat,
        "noise": _noise,
        "pink noise": _noise,
    }
)

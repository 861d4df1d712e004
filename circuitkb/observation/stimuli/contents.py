"""What version 1 of the battery shows: one stimulus of each set of symmetric ones.

Whoever changes this list, or how anything on it is drawn, makes another battery: give it another
name in ``battery.py``, since responses to different images cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, product

from circuitkb.observation.stimuli.stimulus import Stimulus, stimulus

STEP = 15
"""Degrees between neighbouring orientations, directions and hues."""

EIGHTH = range(0, 46, STEP)
"""Directions that, mirrored and rotated, give all others."""

HUES = range(0, 360, STEP)
POLARITIES = (1, -1)
WAVELENGTHS = (4, 8, 16, 32, 64)
LINE_WIDTHS = (2, 5)
LINE_OFFSETS = (0, 6)
EDGE_OFFSETS = (-8, 0, 8)
SHARP, BLURRED = 1, 8
CURVE_RADII = (10, 20, 40, 80)
CORNER_ANGLES = (45, 90)
TEXTURE_WAVELENGTHS = (4, 8)
CHECKER_WAVELENGTHS = (8, 16, 32, 64)
COLOUR_PAIRS = ("red/green", "blue/yellow")
HUE_SPOT_RADII = (8, 24)
SPOT_RADII = (2, 4, 8, 16, 32, 64)
RING_RADII = (4, 8, 16, 32, 64)
LUMINANCES = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)
GREY_SMOOTHINGS = (0, 1, 2, 4, 8)
COLOUR_SMOOTHINGS = (1, 4)


def base_stimuli() -> Iterator[Stimulus]:
    """Yield the stimuli that the whole battery is made of by mirroring and rotating."""
    yield from _straight()
    yield from _curved()
    yield from _junctions_and_textures()
    yield from _coloured()
    yield from _round_and_flat()
    yield from _noise()


def _straight() -> Iterator[Stimulus]:
    for angle, wavelength, phase in product(EIGHTH, WAVELENGTHS, (0, 90, 180)):
        yield stimulus("grating", orientation=angle, wavelength=wavelength, phase=phase)
    for angle, width, polarity, offset in product(EIGHTH, LINE_WIDTHS, POLARITIES, LINE_OFFSETS):
        yield stimulus("line", orientation=angle, width=width, polarity=polarity, offset=offset)
    edges = [*((SHARP, offset) for offset in EDGE_OFFSETS), (BLURRED, 0)]
    for angle, (width, offset) in product(EIGHTH, edges):
        yield stimulus("edge", direction=angle, width=width, offset=offset)


def _curved() -> Iterator[Stimulus]:
    for kind, angle, radius, polarity in product(
        ("arc", "curved edge"), EIGHTH, CURVE_RADII, POLARITIES
    ):
        yield stimulus(kind, direction=angle, radius=radius, polarity=polarity)


def _junctions_and_textures() -> Iterator[Stimulus]:
    for direction, angle in product(EIGHTH, CORNER_ANGLES):
        yield stimulus("corner", direction=direction, angle=angle)
    for direction, wavelength in product(EIGHTH, TEXTURE_WAVELENGTHS):
        yield stimulus("high-low frequency", direction=direction, wavelength=wavelength)
    for wavelength, polarity in product(CHECKER_WAVELENGTHS, POLARITIES):
        yield stimulus("checkerboard", wavelength=wavelength, polarity=polarity)


def _coloured() -> Iterator[Stimulus]:
    for direction, pair in product(EIGHTH, COLOUR_PAIRS):
        yield stimulus("colour edge", direction=direction, pair=pair)
    for hue in HUES:
        yield stimulus("hue", hue=hue)
    for hue, radius in product(HUES[::2], HUE_SPOT_RADII):
        yield stimulus("hue spot", hue=hue, radius=radius)


def _round_and_flat() -> Iterator[Stimulus]:
    for kind, radii in (("spot", SPOT_RADII), ("ring", RING_RADII)):
        for radius, polarity in product(radii, POLARITIES):
            yield stimulus(kind, radius=radius, polarity=polarity)
    for luminance in LUMINANCES:
        yield stimulus("flat", luminance=luminance)


def _noise() -> Iterator[Stimulus]:
    seeds = count()
    for channels, smoothings in (("grey", GREY_SMOOTHINGS), ("colour", COLOUR_SMOOTHINGS)):
        for smoothing in smoothings:
            yield stimulus(
                "noise", channels=channels, smoothing=smoothing, seed=next(seeds), pose="identity"
            )
    for channels in ("grey", "colour"):
        yield stimulus("pink noise", channels=channels, seed=next(seeds), pose="identity")

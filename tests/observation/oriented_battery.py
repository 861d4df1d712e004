"""A small battery of oriented stimuli, drawn here, and hand-made units that respond to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.measures.against_nulls import (
    Measurement,
    Shown,
    measure_against_nulls,
)
from circuitkb.observation.measures.measure import Measure
from circuitkb.observation.measures.orientation import ORIENTATION
from circuitkb.observation.measuring import responsive_units
from circuitkb.observation.stimuli.stimulus import Stimulus, stimulus
from circuitkb.schema.responses import Responses

Floats = NDArray[np.float64]

SIDE = 41
ORIENTATIONS = tuple(range(0, 180, 15))
ROW, COLUMN = np.mgrid[:SIDE, :SIDE].astype(float) - SIDE // 2


def across(degrees: float) -> Floats:
    """Pixels to the left of a line through the centre, looking along it.

    The line runs ``degrees`` counter-clockwise from horizontal on the screen, where rows count
    downwards: at 90 degrees, looking up, left is left.
    """
    angle = np.deg2rad(degrees)
    return -COLUMN * np.sin(angle) - ROW * np.cos(angle)


def battery() -> tuple[list[Stimulus], Floats]:
    """Return stimuli and their images, axes (stimulus, row, column)."""
    shown: list[Stimulus] = []
    images: list[Floats] = []

    def add(image: Floats, kind: str, **parameters: float) -> None:
        shown.append(stimulus(kind, **parameters))
        images.append(image)

    for degrees in ORIENTATIONS:
        u = across(degrees)
        for wavelength in (4, 8, 16):
            for phase in (0, 90, 180, 270):
                wave = np.cos(2 * np.pi * u / wavelength + np.deg2rad(phase))
                add(
                    0.5 + 0.4 * wave,
                    "grating",
                    orientation=degrees,
                    wavelength=wavelength,
                    phase=phase,
                )
        for width in (1.5, 3):
            for polarity in (1, -1):
                for offset in (-4, 0, 4):
                    line = np.exp(-0.5 * ((u - offset) / width) ** 2)
                    add(
                        0.5 + 0.4 * polarity * line,
                        "line",
                        orientation=degrees,
                        width=width,
                        polarity=polarity,
                        offset=offset,
                    )
    for direction in range(0, 360, 15):
        # The line runs across the direction of the bright side, which is on its right then.
        u = -across(direction + 90)
        for offset in (-3, 0, 3):
            add(
                0.5 + 0.4 * np.tanh((u - offset) / 2),
                "edge",
                direction=direction,
                width=2,
                offset=offset,
            )
    for luminance in (0.0, 0.5, 1.0):
        add(np.full((SIDE, SIDE), luminance), "flat", luminance=luminance)
    noise = np.random.default_rng(5)
    for seed in range(20):
        add(noise.uniform(0, 1, (SIDE, SIDE)), "noise", seed=seed)
    return shown, np.stack(images)


def gabor(degrees: float, *, phase: float = 0, wavelength: float = 9) -> Floats:
    """Return a filter that likes lines of one orientation; axes (row, column)."""
    u, v = across(degrees), across(degrees + 90)
    return np.exp(-(u**2 + v**2) / 50) * np.cos(2 * np.pi * u / wavelength + np.deg2rad(phase))


def blob() -> Floats:
    """Return a filter that likes a bright spot, whatever it belongs to."""
    return np.exp(-(ROW**2 + COLUMN**2) / 18) - 0.25 * np.exp(-(ROW**2 + COLUMN**2) / 72)


def look(filters: Sequence[Floats], images: Floats) -> Floats:
    """Return the answers of linear units, axes (unit, stimulus)."""
    return np.stack([f.ravel() for f in filters]) @ images.reshape(len(images), -1).T


def complex_cells(degrees: Sequence[float], images: Floats) -> Floats:
    """Return the answers of units that do not care for phase (energy of two filters)."""
    even, odd = (look([gabor(d, phase=phase) for d in degrees], images) for phase in (0, 90))
    return np.hypot(even, odd)


def scrambled(filters: Sequence[Floats], seed: int) -> list[Floats]:
    """Return each filter with its own pixels in random order."""
    random = np.random.default_rng(seed)
    return [random.permutation(f.ravel()).reshape(f.shape) for f in filters]


def responses(
    before: Floats,
    shuffled: Floats,
    *,
    layers: Sequence[tuple[str, int]] | None = None,
    after: Callable[[Floats], Floats] = lambda before: before.clip(min=0),
) -> Responses:
    """Return responses whose answers after the nonlinearity follow from those before."""
    return Responses(
        battery="drawn",
        stimuli=tuple(f"s{i}" for i in range(before.shape[1])),
        layers=tuple(layers or [("layer", len(before))]),
        before=before.astype(np.float32),
        after=after(before).astype(np.float32),
        shuffled_before=shuffled.astype(np.float32),
        shuffled_after=after(shuffled).astype(np.float32),
        settings={},
    )


def measured(
    given: Responses,
    stimuli: Sequence[Stimulus],
    *,
    more_shuffled: Sequence[Floats] = (),
    measure: Measure = ORIENTATION,
    seed: int = 0,
) -> Measurement:
    """Measure units against their shuffled copy, and against more of them."""
    null = [given.shuffled_before, *(each.astype(np.float32) for each in more_shuffled)]
    return measure_against_nulls(
        measure,
        Shown(stimuli, given.before),
        [Shown(stimuli, copy) for copy in null],
        layers=given.layers,
        responsive=responsive_units(given.layers, given.before, given.after),
        seed=seed,
    )

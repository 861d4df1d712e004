"""Networks with a residual stream, a block that adds to it, and scale unions where both meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from circuitkb.loaders.planted.benchmark.parts import Parts
from circuitkb.loaders.planted.benchmark.plans import Plan, weights
from circuitkb.loaders.planted.shapes import Form, Shape

_DETECTORS, _BLOCK = 144, 84
"""Units of both layers."""

_SMALL = 4.0
"""Wavelength of what comes along the stream."""

_LARGER = ((2, 0.7), (4, 1.0))
"""Wavelengths of what a block adds, relative to that, and how much of each."""

_TIMES = 3
"""Circuits for each that is asked for: below 20 no search passes that has one null draw of each."""

_APART = 30
"""Degrees between features; more are drawn halfway."""


def scale_unions(parts: Parts, count: int) -> tuple[Sequence[Plan], Sequence[Plan]]:
    """Draw waves of two sizes that meet in a target, thrice as many, and decoys of one size."""
    pairs: list[tuple[int, int, float]] = []
    for place, shape in enumerate(_features(parts, (_TIMES + 1) * count)):
        small = parts.waves([(shape, 1.0)])
        if place < _TIMES * count:
            others = [(replace(shape, size=shape.size * times), w) for times, w in _LARGER]
        else:
            others = [(shape.nudged(parts.rng), 1.0)]
        other = parts.waves(others)
        peak = max(parts.seen.peak(parts.kernels[other], each) for each, _ in others)
        pairs.append((small, other, parts.seen.peak(parts.kernels[small], shape) / peak))
    parts.fill(_DETECTORS)
    plans = [
        # Either is as strong where it answers most.
        Plan((weights({small: 1.0, parts.added_by_block(other): ratio}),))
        for small, other, ratio in pairs
    ]
    parts.fill_block(_BLOCK)
    return plans[: _TIMES * count], plans[_TIMES * count :]


def _features(parts: Parts, count: int) -> list[Shape]:
    forms: tuple[tuple[Form, int, int], ...] = (
        ("steps", 1, 360),
        ("stripes", 1, 180),
        ("stripes", -1, 180),
    )
    every = [
        Shape(form, 0, _SMALL, sign).facing(float(direction + aside))
        for aside in (0, _APART // 2)
        for form, sign, whole in forms
        for direction in range(0, whole, _APART)
    ]
    first = len(every) // 2
    order = [*parts.rng.permutation(first), *(first + parts.rng.permutation(first))]
    return [every[order[place % len(order)]] for place in range(count)]

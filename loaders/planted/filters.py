"""First-layer filters for planted networks: a bank that holds the mirror image of each filter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIDE = 9
"""Rows and columns of a filter."""

NOISE_FILTERS = 8
"""Filters at the end of the bank that are noise and have no mirror image in it."""

_SCALES = ((8.0, 2.6, 16), (4.0, 1.8, 8))
"""Wavelength and width in pixels, and number of directions, of the oriented filters."""

_COLOUR_DIRECTIONS = 8
_OPPONENT_COLOURS = ((1.0, -1.0, 0.0), (-0.5, -0.5, 1.0))


def filter_bank(rng: np.random.Generator, channels: int) -> Array:
    """Return filters of norm 1 that do not see uniform grey.

    Gabor filters of two scales, in even phase (lines, of both signs) and odd phase (edges); for
    three channels also colour-opponent edges and spots; a spot of each sign; noise. But for the
    noise, with each filter its left-right mirror image is there.

    Parameters
    ----------
    rng
        Draws the noise.
    channels
        1 or 3; where there are three, lines and edges look at their mean.

    Returns
    -------
    ndarray
        float64, axes (filter, channel, row, column).

    Examples
    --------
    >>> [filter_bank(np.random.default_rng(0), channels).shape for channels in (1, 3)]
    [(58, 1, 9, 9), (78, 3, 9, 9)]
    """
    grey = (1.0,) * channels
    filters = []
    for wavelength, width, directions in _SCALES:
        for direction in np.arange(directions) * 360 / directions:
            filters.append(_paint(_gabor(direction, wavelength, width, odd=True), grey))
        for direction in np.arange(directions // 2) * 360 / directions:
            even = _paint(_gabor(direction, wavelength, width, odd=False), grey)
            filters += [even, -even]
    filters += [sign * _paint(_spot(), grey) for sign in (1, -1)]
    if channels == 3:
        wavelength, width, _ = _SCALES[0]
        for colour in _OPPONENT_COLOURS:
            for direction in np.arange(_COLOUR_DIRECTIONS) * 360 / _COLOUR_DIRECTIONS:
                filters.append(_paint(_gabor(direction, wavelength, width, odd=True), colour))
            filters += [sign * _paint(_blob(width), colour) for sign in (1, -1)]
    noise = rng.normal(size=(NOISE_FILTERS, channels, SIDE, SIDE))
    bank = np.array([*filters, *(noise - noise.mean(axis=(2, 3), keepdims=True))])
    bank /= np.sqrt((bank**2).sum(axis=(1, 2, 3), keepdims=True))
    return bank


def mirrored_filters(bank: Array) -> NDArray[np.intp]:
    """Return for each filter the number of its left-right mirror image; -1 where there is none.

    Examples
    --------
    >>> bank = filter_bank(np.random.default_rng(0), 1)
    >>> mirror = mirrored_filters(bank)
    >>> bool(np.allclose(bank[mirror[2]], bank[2, :, :, ::-1])), mirror[-1].item()
    (True, -1)
    """
    return _same(bank[..., ::-1], bank)


def inverted_filters(bank: Array) -> NDArray[np.intp]:
    """Return for each filter the number of the one that sees inverted contrast; -1 without one.

    Examples
    --------
    >>> bank = filter_bank(np.random.default_rng(0), 1)
    >>> inverse = inverted_filters(bank)
    >>> bool(np.allclose(bank[inverse[2]], -bank[2])), inverse[-1].item()
    (True, -1)
    """
    return _same(-bank, bank)


def _same(wanted: Array, bank: Array) -> NDArray[np.intp]:
    likeness = wanted.reshape(len(bank), -1) @ bank.reshape(len(bank), -1).T
    best = likeness.argmax(axis=1)
    return np.where(likeness.max(axis=1) > 1 - 1e-9, best, -1)


def mirror_kernels(kernels: Array, mirror: NDArray[np.intp]) -> Array:
    """Return kernels over a bank, axes (..., filter, row, column), that see the mirrored image.

    What stands on noise filters has no mirror image and becomes 0.

    Examples
    --------
    >>> kernel = np.arange(6.0).reshape(1, 2, 1, 3)
    >>> mirror_kernels(kernel, np.array([1, 0]))[0, :, 0]
    array([[5., 4., 3.],
           [2., 1., 0.]])
    """
    turned: Array = np.where((mirror < 0)[:, None, None], 0, kernels[..., mirror, :, ::-1])
    return turned


def _grid() -> tuple[Array, Array]:
    right, up = np.meshgrid(np.arange(SIDE) - SIDE // 2, SIDE // 2 - np.arange(SIDE))
    return right.astype(float), up.astype(float)


def _gabor(direction: float, wavelength: float, width: float, *, odd: bool) -> Array:
    right, up = _grid()
    angle = np.deg2rad(direction)
    along = right * np.cos(angle) + up * np.sin(angle)
    phase = 2 * np.pi * along / wavelength
    envelope = _blob(width)
    carrier = np.sin(phase) if odd else np.cos(phase)
    if not odd:
        carrier = carrier - (carrier * envelope).sum() / envelope.sum()
    gabor: Array = envelope * carrier
    return gabor


def _spot() -> Array:
    """Return a centre against its surround."""
    spot: Array = _blob(1.5) / _blob(1.5).sum() - _blob(3) / _blob(3).sum()
    return spot


def _blob(width: float) -> Array:
    right, up = _grid()
    blob: Array = np.exp(-0.5 * (right**2 + up**2) / width**2)
    return blob


def _paint(pattern: Array, colour: tuple[float, ...]) -> Array:
    painted: Array = pattern * np.array(colour)[:, None, None]
    return painted

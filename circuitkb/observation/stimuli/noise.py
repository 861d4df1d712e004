"""Noise that is the same on every machine, at every size of image and around every centre."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIDE = 512
"""Pixels after which the noise repeats, without a seam."""

LEVELS = 65_536
"""Values are multiples of one over this: float32 holds them exactly."""

DEVIATION = 0.2
"""Standard deviation of its values around mean grey."""

CLIPPED = 2.5
"""Standard deviations beyond which values are cut off."""


@lru_cache(maxsize=16)
def noise_tile(seed: int, channels: int, smoothing: float | None) -> NDArray[np.float32]:
    """Return noise to be repeated in both directions.

    Parameters
    ----------
    seed
        Of the white noise that is filtered. Its values come straight from the bits of a
        generator whose sequence NumPy promises to keep.
    channels
        Independent channels.
    smoothing
        Standard deviation in pixels of the Gaussian that it is smoothed with, 0 for none. None
        for pink noise: amplitude falls as one over frequency, as in photographs.

    Returns
    -------
    array
        Difference from mean grey, axes (channel, row, column), read-only.
    """
    bits = np.random.PCG64(seed).random_raw(channels * SIDE * SIDE) >> np.uint64(11)
    white = bits.reshape(channels, SIDE, SIDE).astype(np.float64) / 2.0**52 - 1
    vertical, horizontal = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)
    square = vertical**2 + horizontal**2
    if smoothing is None:
        passed = np.zeros_like(square)
        np.divide(1, np.sqrt(square), out=passed, where=square > 0)
    else:
        passed = np.exp(-2 * np.pi**2 * smoothing**2 * square)
        passed[0, 0] = 0
    filtered = np.fft.irfft2(np.fft.rfft2(white) * passed, s=(SIDE, SIDE))
    filtered /= filtered.std(axis=(1, 2), keepdims=True)
    rounded = np.rint(DEVIATION * filtered.clip(-CLIPPED, CLIPPED) * LEVELS) / LEVELS
    tile: NDArray[np.float32] = rounded.astype(np.float32)
    tile.flags.writeable = False
    return tile

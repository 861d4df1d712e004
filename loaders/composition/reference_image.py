"""The image at which a network is looked at where its paths are not linear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

SEED = 0


def pink_image(channels: int, rows: int, columns: int, *, seed: int = SEED) -> Tensor:
    """Return one image of pink noise, always the same one for the same size and seed.

    Its amplitude falls as 1/f with spatial frequency, as it does in photographs; its phases are
    random (a fixed seed) and independent between channels. Each channel has mean 0 and standard
    deviation 1, the range of a normalised photograph. It fixes the map sizes of a traced network
    and is the reference at which gates are held when gated paths are made linear.

    Returns
    -------
    torch.Tensor
        float32, axes (1, channel, row, column).

    Examples
    --------
    >>> image = pink_image(3, 32, 48)
    >>> tuple(image.shape), bool(image.mean().abs() < 1e-6)
    ((1, 3, 32, 48), True)
    """
    import torch

    rng = np.random.default_rng(seed)
    noise = np.fft.rfft2(rng.standard_normal((channels, rows, columns)))
    down, right = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None]
    frequency = np.hypot(down, right)
    frequency[0, 0] = np.inf
    image = np.fft.irfft2(noise / frequency, s=(rows, columns))
    spread = image.std(axis=(1, 2), keepdims=True)
    image = (image - image.mean(axis=(1, 2), keepdims=True)) / np.where(spread > 0, spread, 1)
    return torch.from_numpy(image[None].astype(np.float32))

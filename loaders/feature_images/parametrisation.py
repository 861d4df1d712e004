"""Images as the ascent moves them: Fourier coefficients of colours that vary apart.

As in 'Feature Visualization' (Olah et al., Distill 2017): what is moved are the coefficients of a
Fourier transform, each divided by its frequency as those of photographs are, in colours whose
channels photographs do not correlate; a sigmoid keeps pixels between black and white.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Square root of the covariance of red, green and blue (rows) over ImageNet, as Lucid publishes it.

``lucid/optvis/param/color.py``, the code of the article (Apache-2.0). Columns are the directions
that vary apart: light and dark, red and blue, green and purple.
"""

SPREAD = 0.01
"""Standard deviation of the coefficients at the start: an image that is all but grey."""

_CONTRAST = 0.25
"""Of the image to its coefficients, as in Lucid, so that steps are as long as there."""


class Parametrisation:
    """Images of one size as functions of coefficients.

    Parameters
    ----------
    rows, columns, channels
        Of the images; 3 channels are red, green and blue, one is grey.

    Examples
    --------
    >>> images = Parametrisation(8, 9, 3)
    >>> start = images.start(2, seed=0)
    >>> images.draw(start).shape
    torch.Size([2, 3, 8, 9])
    >>> bool((images.draw(torch.zeros_like(start)) == 0.5).all())
    True
    """

    def __init__(self, rows: int, columns: int, channels: int) -> None:
        self.rows, self.columns, self.channels = rows, columns, channels
        frequencies = torch.hypot(
            torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)[None, :]
        )
        least = 1 / max(rows, columns)
        self._scale = math.sqrt(rows * columns) * _CONTRAST / frequencies.clamp_min(least)
        colours = torch.tensor(COLOURS)
        self._colours = colours / colours.norm(dim=0).max()

    def start(self, count: int, *, seed: int) -> Tensor:
        """Return coefficients to start from, the same for every image; the last axis is complex."""
        draw = torch.Generator().manual_seed(seed)
        shape = (1, self.channels, *self._scale.shape, 2)
        one = SPREAD * torch.randn(shape, generator=draw)
        return one.expand(count, *shape[1:]).clone()

    def draw(self, coefficients: Tensor) -> Tensor:
        """Return images, values in [0, 1], axes (image, channel, row, column)."""
        spectrum = torch.view_as_complex(coefficients) * self._scale
        plane = torch.fft.irfft2(spectrum, s=(self.rows, self.columns))
        if self.channels == len(self._colours):
            plane = torch.einsum("rc,ncyx->nryx", self._colours, plane)
        return torch.sigmoid(plane)

"""What a network reads where an image is black, and where it is white."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelRange:
    """Values of a black and of a white pixel, for each channel.

    Attributes
    ----------
    black, white
        One value for all channels, or one for each.
    known
        Whether whoever published the weights says so; otherwise it is an assumption.
    order
        Which of red (0), green (1) and blue (2) each channel is; empty for these in this order.
    """

    black: tuple[float, ...]
    white: tuple[float, ...]
    known: bool
    order: tuple[int, ...] = ()

    @classmethod
    def of_normalisation(cls, mean: Sequence[float], std: Sequence[float]) -> Self:
        """Return the range of images that are normalised to ``(image - mean) / std``.

        Examples
        --------
        >>> PixelRange.of_normalisation([0.5], [0.5])
        PixelRange(black=(-1.0,), white=(1.0,), known=True, order=())
        """
        pairs = list(zip(mean, std, strict=True))
        black = tuple(float(-m / s) for m, s in pairs)
        return cls(black, tuple(float((1 - m) / s) for m, s in pairs), known=True)

    def apply(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return what the network reads for images with values in [0, 1].

        ``images`` has the axes (image, channel, row, column), red, green and blue.

        Examples
        --------
        >>> red = np.array([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
        >>> bgr = PixelRange((-104.0, -117.0, -123.0), (151.0, 138.0, 132.0), True, (2, 1, 0))
        >>> bgr.apply(red).ravel()
        array([-104., -117.,  132.], dtype=float32)
        """
        images = images[:, list(self.order)] if self.order else images
        black, white = (
            np.asarray(side, np.float32).reshape(1, -1, 1, 1) for side in (self.black, self.white)
        )
        scaled: NDArray[np.float32] = np.asarray(images * (white - black) + black, np.float32)
        return scaled


ASSUMED = PixelRange((-1.0,), (1.0,), known=False)
"""For files that say nothing: grey is 0, where most networks have it, about."""

"""What a network reads where an image is black, and where it is white."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import ObservationError

Level = float | Sequence[float]
"""What a network reads for black, or for white: for all channels alike, or for each."""


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

    @classmethod
    def of_levels(cls, black: Level, white: Level, *, channels: int) -> Self:
        """Return the range that a user states for a network that reads so many channels.

        Parameters
        ----------
        black, white
            One number for all channels, or one for each.

        Raises
        ------
        ObservationError
            Not numbers, not as many as there are channels, or black is white.

        Examples
        --------
        >>> PixelRange.of_levels(0, (1, 255, 1), channels=3)
        PixelRange(black=(0.0, 0.0, 0.0), white=(1.0, 255.0, 1.0), known=True, order=())
        """
        sides = {"black": _numbers("black", black), "white": _numbers("white", white)}
        for name, side in sides.items():
            if len(side) not in (1, channels):
                raise ObservationError(
                    f"{len(side)} values are given for {name}, and the network reads {channels} "
                    f"channel{'s' * (channels > 1)}: give one for all, or one for each."
                )
        longest = max(map(len, sides.values()))
        low, high = (side * longest if len(side) == 1 else side for side in sides.values())
        same = [place for place, pair in enumerate(zip(low, high, strict=True)) if len({*pair}) < 2]
        if same:
            where = f" in channel {same[0]}" if longest > 1 else ""
            raise ObservationError(
                f"Black {low[same[0]]:g} and white {high[same[0]]:g} make no image{where}: give "
                "two numbers that differ."
            )
        if len({*zip(low, high, strict=True)}) == 1:
            low, high = low[:1], high[:1]
        return cls(low, high, known=True)

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


def _numbers(name: str, given: Level) -> tuple[float, ...]:
    values = tuple(given) if isinstance(given, Sequence) else (given,)
    numbers = [isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values]
    if not numbers or not all(numbers) or not all(math.isfinite(v) for v in values):
        raise ObservationError(
            f"{given!r} for {name} makes no image: give a finite number, or one for each channel."
        )
    return tuple(float(value) for value in values)


ASSUMED = PixelRange((-1.0,), (1.0,), known=False)
"""For files that say nothing: grey is 0, where most networks have it, about."""

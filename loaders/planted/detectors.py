"""Detectors of planted networks: mirrored pairs, symmetric ones and random ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from circuitkb.loaders.planted.filters import (
    SIDE,
    inverted_filters,
    mirror_kernels,
    mirrored_filters,
)
from circuitkb.loaders.planted.shapes import (
    Shape,
    any_shape,
    chiral_shapes,
    draw,
    symmetric_shapes,
    variants,
)

Array = NDArray[np.float64]

DetectorKind = Literal["chiral", "symmetric", "random"]

DETECTORS = 160
"""Detectors of a network; 5% of them are 8."""

TAPS = 7
"""Rows and columns of a detector's kernel on the map of filters."""

FILTER_STRIDE = 3
FIELD = SIDE + (TAPS - 1) * FILTER_STRIDE
"""Pixels that a detector sees, rows and columns."""

_VARIANTS = 12
_IMAGES = 400
_THRESHOLD = 1.0
_OPPOSED = 0.75


@dataclass(frozen=True)
class PlantedDetector:
    """What a detector was made for.

    Attributes
    ----------
    unit
        Its number in the layer.
    kind
        ``chiral`` (has mirrors among the others), ``symmetric`` (is its own mirror image) or
        ``random``.
    shape
        None for random ones.
    twin
        For chiral ones, the detector of nearly the same shape.
    mirrors
        For chiral ones, two detectors: its mirror image (exact but for noise), and the twin of
        that, which is a mirror of nearly the same shape.
    """

    unit: int
    kind: DetectorKind
    shape: Shape | None = None
    twin: int | None = None
    mirrors: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class DetectorLayer:
    """Detectors in the order of their units.

    ``kernel`` has the axes (detector, filter, row, column), ``bias`` (detector). ``responses``,
    axes (image, detector), are those to random images after the nonlinearity; each detector's
    have standard deviation 1.
    """

    detectors: tuple[PlantedDetector, ...]
    kernel: Array
    bias: Array
    responses: Array


_Draft = tuple[DetectorKind, Shape | None, Array]


def make_detectors(rng: np.random.Generator, bank: Array, noise: float) -> DetectorLayer:
    """Make detectors over a bank of filters.

    A detector's kernel is what the filters answer on average to variants of its shape, less what
    they answer to random images, less three quarters of the same for the mirrored shape: opposed
    cases inhibit each other, as those of the dog-head circuit in InceptionV1 do. Mirrors have
    exactly mirrored kernels until white noise is added to each. A detector answers to what
    excites it by more than one standard deviation above its mean over random images.

    Parameters
    ----------
    rng
        Draws shapes, noise, random images and the order of the units.
    bank
        Filters, axes (filter, channel, row, column), as ``filter_bank`` makes them.
    noise
        Standard deviation over random images of what a kernel's noise puts out, relative to that
        of the kernel.

    Examples
    --------
    >>> from circuitkb.loaders.planted.filters import filter_bank
    >>> rng = np.random.default_rng(0)
    >>> layer = make_detectors(rng, filter_bank(rng, 1), 0.3)
    >>> [sum(one.kind == kind for one in layer.detectors) for kind in ("chiral", "symmetric")]
    [80, 16]
    >>> one = next(one for one in layer.detectors if one.kind == "chiral")
    >>> layer.detectors[one.mirrors[0]].shape == one.shape.mirrored
    True
    """
    channels = bank.shape[1]
    seen = Templates(rng, bank)
    template, flip = seen.template, seen.flip
    drafts: list[_Draft] = []
    for shape in chiral_shapes(rng, channels):
        drafts += _quartet((shape, shape.nudged(rng)), template, flip)
    for shape in symmetric_shapes(rng, channels):
        one = template(shape)
        drafts.append(("symmetric", shape, (one + flip(one)) / 2))
    while len(drafts) < DETECTORS:
        drafts.append(("random", None, rng.normal(size=seen.shape)))

    clean = np.array([kind == "random" for kind, _, _ in drafts])
    kernel = seen.noisy(rng, np.array([draft[2] for draft in drafts]), noise, clean)
    kernel, bias, responses = seen.scaled(kernel)

    units = rng.permutation(len(drafts))
    order = units.argsort()
    described = _describe(drafts, units.tolist())
    return DetectorLayer(
        tuple(described[place] for place in order.tolist()),
        kernel[order],
        bias[order],
        responses[:, order],
    )


class Templates:
    """What a bank of filters answers to shapes, and to random images.

    Parameters
    ----------
    rng
        Draws random images, and variants of each shape.
    bank
        Filters, axes (filter, channel, row, column), as ``filter_bank`` makes them.

    Attributes
    ----------
    shape
        Of a detector's kernel: filters, rows, columns.

    Examples
    --------
    >>> from circuitkb.loaders.planted.filters import filter_bank
    >>> rng = np.random.default_rng(0)
    >>> seen = Templates(rng, filter_bank(rng, 1))
    >>> seen.template(Shape("edge", 0, 1)).shape == seen.shape
    True
    """

    def __init__(self, rng: np.random.Generator, bank: Array) -> None:
        self._rng = rng
        self._bank = bank
        self._mirror, self._inverse = mirrored_filters(bank), inverted_filters(bank)
        self._maps = _answers_of_filters(bank, _random_images(rng, bank.shape[1]))
        mean = self._maps.mean(axis=0)
        self._mean = (mean + mirror_kernels(mean, self._mirror)) / 2
        self.shape: tuple[int, ...] = mean.shape

    def template(self, shape: Shape) -> Array:
        """Return what the filters answer on average to variants of a shape, less the usual."""
        channels = self._bank.shape[1]
        drawn = variants(self._rng, shape, _VARIANTS, side=FIELD, channels=channels)
        found: Array = _answers_of_filters(self._bank, drawn).mean(axis=0) - self._mean
        found[self._mirror < 0] = 0  # Noise filters have no mirror image, so no part in a template.
        return found

    def flip(self, kernel: Array) -> Array:
        """Return the kernel that sees the mirrored image."""
        return mirror_kernels(kernel, self._mirror)

    def inverse(self, kernel: Array) -> Array:
        """Return the kernel that sees the image with inverted contrast."""
        turned: Array = np.where((self._inverse < 0)[:, None, None], 0, kernel[self._inverse])
        return turned

    def spread(self, kernel: Array) -> Array:
        """Return the standard deviation of what each kernel puts out over random images."""
        found: Array = _before(kernel, self._maps).std(axis=0)
        return found

    def correlations(self, kernel: Array, others: Sequence[Array]) -> Array:
        """Return the correlation of what a kernel puts out over random images with each other's."""
        put_out = _before(np.array([kernel, *others]), self._maps)
        put_out = put_out - put_out.mean(axis=0)
        put_out /= np.linalg.norm(put_out, axis=0)
        found: Array = put_out[:, 0] @ put_out[:, 1:]
        return found

    def peak(self, kernel: Array, shape: Shape) -> float:
        """Return what a detector answers to a shape as it is drawn, in its own spreads."""
        drawn = draw(shape, side=FIELD, channels=self._bank.shape[1])
        scaled, bias, _ = self.scaled(kernel[None])
        before = _before(scaled, _answers_of_filters(self._bank, drawn[None])) + bias
        return float(before.ravel()[0])

    def noisy(
        self, rng: np.random.Generator, kernel: Array, noise: float, clean: NDArray[np.bool_]
    ) -> Array:
        """Add white noise that puts out ``noise`` times what a kernel does, but to clean ones."""
        white = rng.normal(size=kernel.shape)
        share = noise * self.spread(kernel) / self.spread(white)
        share[clean] = 0
        added: Array = kernel + share[:, None, None, None] * white
        return added

    def scaled(self, kernel: Array) -> tuple[Array, Array, Array]:
        """Return kernels, biases and responses to random images, axes (image, detector).

        A detector answers where it exceeds its mean by a standard deviation; its responses have
        standard deviation 1.
        """
        before = _before(kernel, self._maps)
        bias = -before.mean(axis=0) - _THRESHOLD * before.std(axis=0)
        responses = np.maximum(before + bias, 0)
        gain = 1 / responses.std(axis=0)
        return kernel * gain[:, None, None, None], bias * gain, responses * gain


def _quartet(
    shapes: tuple[Shape, Shape],
    template: Callable[[Shape], Array],
    flip: Callable[[Array], Array],
) -> list[_Draft]:
    """Draft two detectors of nearly the same shape, then the mirror image of each."""
    found = [template(shape) for shape in shapes]
    kernels = [one - _OPPOSED * flip(one) for one in found]
    here: list[_Draft] = [("chiral", *one) for one in zip(shapes, kernels, strict=True)]
    there: list[_Draft] = [
        ("chiral", shape.mirrored, flip(kernel))
        for shape, kernel in zip(shapes, kernels, strict=True)
    ]
    return here + there


def _describe(drafts: list[_Draft], units: list[int]) -> list[PlantedDetector]:
    """Chiral drafts come first, in fours: bit 0 of a place is the twin, bit 1 the side."""
    return [
        PlantedDetector(
            units[place],
            kind,
            shape,
            twin=units[place ^ 1] if kind == "chiral" else None,
            mirrors=(units[place ^ 2], units[place ^ 3]) if kind == "chiral" else (),
        )
        for place, (kind, shape, _) in enumerate(drafts)
    ]


def _answers_of_filters(bank: Array, images: Array) -> Array:
    """Axes (image, filter, row, column), after the nonlinearity."""
    maps = functional.conv2d(torch.from_numpy(images), torch.from_numpy(bank), stride=FILTER_STRIDE)
    found: Array = maps.relu().numpy()
    return found


def _before(kernel: Array, maps: Array) -> Array:
    """What kernels put out, axes (image, detector), without bias and nonlinearity."""
    put_out: Array = np.tensordot(maps, kernel, axes=([1, 2, 3], [1, 2, 3]))
    return put_out


def _random_images(rng: np.random.Generator, channels: int) -> Array:
    """Draw two shapes over one another in noise, anywhere; and the mirror image of each image."""
    images = []
    for _ in range(_IMAGES // 2):
        image = 0.1 * rng.normal(size=(channels, FIELD, FIELD))
        for contrast in rng.uniform(0.2, 1, size=2):
            image += contrast * draw(
                any_shape(rng, channels),
                side=FIELD,
                channels=channels,
                shift=(rng.normal(0, 5), rng.normal(0, 5)),
                stripes=(rng.uniform(0, 360), rng.uniform(0, 360)),
            )
        images += [image, image[:, :, ::-1]]
    return np.clip(np.array(images), -1, 1)

"""Pictures shown to a network: the largest value of each unit in each, and where it is.

Units are read before their nonlinearity, at every position: the order is that after it, and a
cut-off makes no ties.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.photographs.files import (
    LeftOut,
    PictureFile,
    UnreadablePictureError,
    cut_out,
    read_picture,
    values_of,
)
from circuitkb.observation.recording import CALIBRATION
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, silent

if TYPE_CHECKING:
    from PIL.Image import Image

    from circuitkb.loaders.activations.reading import Onlooker
    from circuitkb.loaders.composition.network import Network

BEST = 9
"""Pictures that are kept of each unit."""

AT_ONCE = 32
"""Pictures that are held together at least."""

THUMBNAIL = 96
"""Pixels along the longer side of a small picture."""

Integers = NDArray[np.int32]


@dataclass(eq=False)
class Best:
    """The pictures in which each unit has its largest values so far, axes (place, unit).

    Of equal values the one shown first stands first.

    Attributes
    ----------
    values
        Best first; -inf where there are fewer pictures.
    pictures, positions
        Which picture, and where in the layer's map; -1 where there is none.
    """

    values: Floats
    pictures: Integers
    positions: Integers

    @classmethod
    def of_none(cls, units: int) -> Best:
        """Return that of no picture."""
        shape = BEST, units
        nothing = np.full(shape, -1, np.int32)
        return cls(np.full(shape, -np.inf, np.float32), nothing, nothing.copy())

    def add(self, values: Floats, first: int, positions: Integers) -> None:
        """Take in the values of some more pictures, axes (picture, unit), from number ``first``."""
        numbers = np.arange(first, first + len(values), dtype=np.int32)
        pictures = np.broadcast_to(numbers[:, None], values.shape)
        together = np.concatenate([self.values, values])
        order = np.argsort(-together, axis=0, kind="stable")[:BEST]
        self.values = np.take_along_axis(together, order, 0)
        for name, new in (("pictures", pictures), ("positions", positions)):
            both = np.concatenate([getattr(self, name), new])
            setattr(self, name, np.take_along_axis(both, order, 0))


@dataclass(frozen=True, eq=False)
class Shown:
    """What a network's units answered to pictures.

    Attributes
    ----------
    files
        Those that were shown, in order.
    left_out
        Those that cannot be read.
    best
        The best of each unit.
    mean, spread
        Of each unit's largest values over all pictures; axis (unit,).
    largest, of_copy
        The largest value of each unit in each picture, and that of a copy with shuffled weights,
        axes (picture, unit); no pictures where there is no copy.
    thumbnails
        A small copy of each picture as it was shown; none where they were not asked for.
    """

    files: tuple[PictureFile, ...]
    left_out: tuple[LeftOut, ...]
    best: Best
    mean: Floats
    spread: Floats
    largest: Floats
    of_copy: Floats
    thumbnails: tuple[bytes, ...]


@dataclass(eq=False)
class _Sums:
    """Sums over pictures, about the values of the first one."""

    units: int
    count: int = 0
    about: NDArray[np.float64] = field(init=False)
    first: NDArray[np.float64] = field(init=False)
    second: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.about, self.first, self.second = np.zeros((3, self.units))

    def add(self, values: Floats) -> None:
        if not self.count:
            self.about = values[0].astype(np.float64)
        away = values - self.about
        self.count += len(values)
        self.first += away.sum(0)
        self.second += (away**2).sum(0)

    def moments(self) -> tuple[Floats, Floats]:
        """Return mean and standard deviation."""
        mean = self.first / self.count
        variance = np.maximum(self.second / self.count - mean**2, 0)
        return (self.about + mean).astype(np.float32), np.sqrt(variance).astype(np.float32)


def show(
    network: Network,
    onlooker: Onlooker,
    files: Sequence[PictureFile],
    *,
    copy: Onlooker | None,
    thumbnails: bool,
    progress: Progress = silent,
) -> Shown:
    """Show pictures to a network; each fills the image, and loses what sticks out on two sides.

    Memory: the pictures of a batch, one picture whole, with a copy eight bytes for each unit and
    picture, with ``thumbnails`` some 3 kB for each picture.

    Parameters
    ----------
    onlooker
        The network, ready to be shown whole images.
    copy
        A copy with shuffled weights, where the values of each picture are to be kept.
    thumbnails
        Whether small copies are made.

    Raises
    ------
    ObservationError
        A unit responds with NaN or infinity, or no picture can be read.
    """
    units = sum(onlooker.units.values())
    best, sums = Best.of_none(units), _Sums(units)
    largest, of_copy = np.empty((2, len(files) if copy else 0, units), np.float32)
    shown: list[PictureFile] = []
    left_out: list[LeftOut] = []
    small: list[bytes] = []
    for some, images in _batches(network, onlooker, files, left_out, progress):
        small += map(thumbnail, images) if thumbnails else ()
        shown_values = np.stack([values_of(image) for image in images])
        read = network.pixels.apply(shown_values)
        values, positions = _largest(onlooker, read)
        best.add(values, len(shown), positions)
        sums.add(values)
        if copy is not None:
            rows = slice(len(shown), len(shown) + len(some))
            largest[rows], of_copy[rows] = values, _largest(copy, read)[0]
        shown += some
    mean, spread = sums.moments() if shown else np.zeros((2, units), np.float32)
    kept = largest[: len(shown)], of_copy[: len(shown)]
    return Shown(tuple(shown), tuple(left_out), best, mean, spread, *kept, tuple(small))


def shuffled_copy(
    network: Network,
    onlooker: Onlooker,
    files: Sequence[PictureFile],
    *,
    seed: int,
    progress: Progress = silent,
) -> Onlooker | None:
    """Return a copy with shuffled weights whose moments are those of the network on some pictures.

    None where none of them can be read.
    """
    images = []
    for place in np.unique(np.linspace(0, len(files) - 1, CALIBRATION).astype(int)):
        with suppress(UnreadablePictureError):
            images.append(values_of(image_of(files[place], network, onlooker)))
    if not images:
        return None
    read = network.pixels.apply(np.stack(images))
    return onlooker.shuffled(read, seeds=[seed], progress=progress)[0]


def _batches(
    network: Network,
    onlooker: Onlooker,
    files: Sequence[PictureFile],
    left_out: list[LeftOut],
    progress: Progress,
) -> Iterator[tuple[list[PictureFile], list[Image]]]:
    """Give pictures that can be read, some at a time; the others are added to ``left_out``."""
    most = onlooker.batch * max(1, AT_ONCE // onlooker.batch)
    some: list[PictureFile] = []
    images: list[Image] = []
    for done, file in enumerate(files):
        progress("Showing pictures", done / len(files))
        try:
            image = image_of(file, network, onlooker)
        except UnreadablePictureError as error:
            place = f"{file.group}/{file.name}" if file.group else file.name
            left_out.append(LeftOut(place, str(error)))
            continue
        some.append(file)
        images.append(image)
        if len(some) == most:
            yield some, images
            some, images = [], []
    if some:
        yield some, images


def image_of(file: PictureFile, network: Network, onlooker: Onlooker) -> Image:
    """Return a picture as a network sees it, before its values are those that it reads.

    Raises
    ------
    UnreadablePictureError
        It cannot be shown.
    """
    view = onlooker.view
    picture = read_picture(file, network.example.shape[1])
    return cut_out(picture, (view.rows, view.columns), view.rows, view.columns)


def _largest(onlooker: Onlooker, images: Floats) -> tuple[Floats, Integers]:
    """Return each unit's largest value in each image and its position, axes (image, unit)."""
    ends = np.cumsum([0, *onlooker.units.values()]).tolist()
    columns = dict(zip(onlooker.units, map(slice, ends, ends[1:]), strict=True))
    values = np.empty((len(images), ends[-1]), np.float32)
    positions = np.empty(values.shape, np.int32)
    for start in range(0, len(images), onlooker.batch):
        rows = slice(start, start + onlooker.batch)
        for layer, units in onlooker.maps(images[rows]):
            largest, where = units.max(-1)
            values[rows, columns[layer]] = largest.numpy()
            positions[rows, columns[layer]] = where.numpy()
    if not np.isfinite(values).all():
        unit = int(np.flatnonzero(~np.isfinite(values).all(0))[0])
        layer = next(name for name, own in columns.items() if own.start <= unit < own.stop)
        raise ObservationError(
            f"Layer {layer!r} responds with NaN or infinity: the network cannot be shown pictures."
        )
    return values, positions


def thumbnail(image: Image) -> bytes:
    """Return a small copy of an image as WebP.

    Examples
    --------
    >>> from PIL import Image
    >>> thumbnail(Image.new("RGB", (224, 112)))[8:12]
    b'WEBP'
    """
    from PIL.Image import Resampling

    scale = THUMBNAIL / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    small = image.convert("RGB").resize(size, Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, format="webp", quality=80, method=4)
    return file.getvalue()

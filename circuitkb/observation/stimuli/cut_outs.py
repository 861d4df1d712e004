"""One cut-out as it is pasted: placed, scaled, turned and partly hidden, all as stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from circuitkb.observation.stimuli.drawing import unit_vector
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.kernels import Floats

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Placement:
    """How a cut-out is pasted; lengths are shares of the smaller side of the image.

    Attributes
    ----------
    size
        The longer side of the cut-out, before it is turned.
    occlusion
        Share of its area that the background hides, beyond a straight line of drawn direction.
    rotation
        Degrees, counter-clockwise as seen.
    down, right
        From the place at which units look to the middle of the cut-out.

    Raises
    ------
    ObservationError
        No such cut-out can be seen.

    Examples
    --------
    >>> str(Placement()), str(Placement(0.25, occlusion=0.4, rotation=20))
    ('size 0.5', 'size 0.25 occlusion 0.4 rotation 20')
    """

    size: float = 0.5
    occlusion: float = 0.0
    rotation: float = 0.0
    down: float = 0.0
    right: float = 0.0

    def __post_init__(self) -> None:
        if not 0.01 <= self.size <= 2:
            raise ObservationError(f"A cut-out of size {self.size:g}: give .01 to 2 of the image.")
        if not 0 <= self.occlusion < 1:
            raise ObservationError(f"{self.occlusion:g} of a cut-out hidden: give 0 to .99.")
        if not all(abs(value) <= 1 for value in (self.down, self.right, self.rotation / 360)):
            raise ObservationError(f"Nothing is seen at {self}: give at most 1 of the image.")

    def __str__(self) -> str:
        given = {name: value for name, value in asdict(self).items() if value or name == "size"}
        return " ".join(f"{name} {value:g}" for name, value in given.items())


def placements(
    sizes: Sequence[float] = (0.5,),
    occlusions: Sequence[float] = (0.0,),
    rotations: Sequence[float] = (0.0,),
) -> tuple[Placement, ...]:
    """Return the first of each dial together, then every other one with all else as in the first.

    Examples
    --------
    >>> [str(one) for one in placements((0.5, 0.25), (0, 0.4))]
    ['size 0.5', 'size 0.25', 'size 0.5 occlusion 0.4']
    """
    first = Placement(sizes[0], occlusions[0], rotations[0])
    found = [first, *(replace(first, size=value) for value in sizes[1:])]
    found += [replace(first, occlusion=value) for value in occlusions[1:]]
    found += [replace(first, rotation=value) for value in rotations[1:]]
    return tuple(dict.fromkeys(found))


def placed(
    picture: Image, placement: Placement, side: int, canvas: tuple[int, int]
) -> tuple[Image, tuple[int, int]]:
    """Return a cut-out scaled and turned, and the row and column of its first pixel in a canvas.

    It keeps a clear margin, and is as exactly in its place as resampling allows: not only to whole
    pixels.

    Examples
    --------
    >>> from PIL import Image
    >>> square = Image.new("RGBA", (40, 40), "red")
    >>> small, corner = placed(square, Placement(0.5), 20, (21, 21))
    >>> corner, small.size, small.getpixel((6, 6)), small.getpixel((0, 0))[3]
    ((4, 4), (13, 13), (255, 0, 0, 255), 0)
    """
    from PIL import Image as images
    from PIL.Image import Resampling

    scale = max(picture.size) / (placement.size * side)
    if placement.rotation:
        picture = picture.rotate(placement.rotation, Resampling.BICUBIC, expand=True)
    middle = [
        size / 2 + moved * side
        for size, moved in zip(canvas, (placement.down, placement.right), strict=True)
    ]
    sizes = picture.height, picture.width
    first = [int(np.floor(m - s / scale / 2)) - 1 for m, s in zip(middle, sizes, strict=True)]
    last = [int(np.ceil(m + s / scale / 2)) + 1 for m, s in zip(middle, sizes, strict=True)]
    margin = int(np.ceil(3 * scale)) + 1
    padded = images.new("RGBA", (sizes[1] + 2 * margin, sizes[0] + 2 * margin))
    padded.paste(picture, (margin, margin))
    top, left = (
        margin + s / 2 + (f - m) * scale for s, f, m in zip(sizes, first, middle, strict=True)
    )
    rows, columns = last[0] - first[0], last[1] - first[1]
    box = (left, top, left + columns * scale, top + rows * scale)
    return padded.resize((columns, rows), Resampling.BICUBIC, box=box), (first[0], first[1])


def hide(alpha: Floats, share: float, degrees: float) -> Floats:
    """Return an alpha channel without the share of its area that lies furthest in a direction.

    Examples
    --------
    >>> hide(np.ones((2, 4), np.float32), 0.5, 0).tolist()
    [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]
    """
    right, up = unit_vector(degrees)
    rows, columns = np.indices(alpha.shape)
    order = np.argsort(up * rows - right * columns, axis=None, kind="stable")
    area = np.cumsum(alpha.ravel()[order], dtype=np.float64)
    left = alpha.copy()
    left.ravel()[order[area <= share * area[-1] + 1e-9]] = 0
    return left

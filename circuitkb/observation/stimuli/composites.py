"""Cut-outs pasted on backgrounds: stimuli with natural statistics of which the truth is known.

A cut-out is a picture with an alpha channel. It is pasted on a background at a stated place, in a
stated size, turned and partly hidden as stated, and each of the two is shown as it is and mirrored.
Every cut-out meets every background, so that what a background does by itself is the same for all,
and the mirror image of each composite is a composite, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.photographs.files import (
    LeftOut,
    PictureFile,
    UnreadablePictureError,
    cut_out,
    find_pictures,
    listed,
    read_cut_out,
    read_picture,
    values_of,
)
from circuitkb.observation.stimuli.cut_outs import Placement, hide, placed
from circuitkb.observation.stimuli.symmetry import symmetry_named
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.ids import content_hash
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, silent, within

if TYPE_CHECKING:
    from circuitkb.loaders.receptive_fields.views import View

NAME = "composites-1"
"""Name and version of how composites are drawn."""

TRANSFORMS = ("mirror left-right", "mirror up-down", "rotate 180")
"""What may turn one composite into its image: their own inverses, under which rows stay rows."""

FEWEST = 8
"""Cut-outs without which correlations over them tell nothing."""

_HELD = 32
"""Backgrounds, and cut-outs as they are placed, that are held while composites are drawn."""


class Composite(NamedTuple):
    """What one composite shows: places of its parts, and which of the two is mirrored."""

    placement: int
    cut_out: int
    background: int
    mirrored: bool
    background_mirrored: bool


@dataclass(frozen=True, eq=False)
class Composites:
    """Cut-outs on backgrounds, shown to a network in the place of a battery.

    They stand in the order of the axes of :attr:`shape`.

    Attributes
    ----------
    cut_outs, backgrounds
        Files that can be read.
    placements
        How each cut-out is pasted on each background.
    of
        What mirrors them, one of :data:`TRANSFORMS`.
    seed
        Of what is drawn: from which side a cut-out is hidden.
    left_out
        Files that were met and are not shown, with the reason.
    channels, plane, side
        Of the images: 1 or 3; rows and columns that a background fills; the smaller side. See
        :meth:`seen_in`.
    """

    cut_outs: tuple[PictureFile, ...]
    backgrounds: tuple[PictureFile, ...]
    placements: tuple[Placement, ...] = (Placement(),)
    of: str = TRANSFORMS[0]
    seed: int = 0
    left_out: tuple[LeftOut, ...] = ()
    channels: int = 3
    plane: tuple[int, int] = field(default=(1, 1))
    side: int = 1

    def __post_init__(self) -> None:
        if self.of not in TRANSFORMS:
            raise ObservationError(
                f"Composites cannot be shown under {self.of!r}: {', '.join(TRANSFORMS)} can."
            )

    @classmethod
    def of_folders(
        cls,
        cut_outs: Path,
        backgrounds: Path,
        *,
        placements: Sequence[Placement] = (Placement(),),
        of: str = TRANSFORMS[0],
        most: int = 100,
        on: int = 2,
        seed: int = 0,
        progress: Progress = silent,
    ) -> Composites:
        """Draw cut-outs from a folder and backgrounds from another, and those within them.

        Which ones is drawn by ``seed`` among the hashes of the files, wherever they lie.

        Parameters
        ----------
        most, on
            How many cut-outs, and how many backgrounds for each.

        Raises
        ------
        ObservationError
            There is no such folder, or too few pictures in it that can be read.
        """
        pasted, no_cut_outs = _drawn(cut_outs, most, True, seed, within(progress, 0.0, 0.8))
        behind, no_backgrounds = _drawn(backgrounds, on, False, seed, within(progress, 0.8, 1.0))
        if len(pasted) < FEWEST:
            raise _too_few(
                cut_outs, f"{len(pasted)} cut-outs, and {FEWEST} are needed", no_cut_outs
            )
        if not behind:
            raise _too_few(backgrounds, "no backgrounds", no_backgrounds)
        left_out = (*no_cut_outs, *no_backgrounds)
        return cls(pasted, behind, tuple(placements), of, seed, left_out)

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Numbers of placements, cut-outs, backgrounds, and of both states of either."""
        return len(self.placements), len(self.cut_outs), len(self.backgrounds), 2, 2

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def __getitem__(self, number: int) -> Composite:
        found = [int(place) for place in np.unravel_index(number, self.shape)]
        return Composite(found[0], found[1], found[2], bool(found[3]), bool(found[4]))

    def of_placement(self, number: int) -> Composites:
        """Return only those of one placement."""
        return replace(self, placements=(self.placements[number],))

    @property
    def ids(self) -> tuple[str, ...]:
        """Id of each: hashes of its parts, and what was done with them."""
        return tuple(self._id(self[number]) for number in range(len(self)))

    def _id(self, one: Composite) -> str:
        parts = [
            self.cut_outs[one.cut_out].sha256[:16] + " mirrored" * one.mirrored,
            self.backgrounds[one.background].sha256[:16] + " mirrored" * one.background_mirrored,
        ]
        return f"{' on '.join(parts)} {self.placements[one.placement]}"

    @property
    def hash(self) -> str:
        """Of all that is shown, wherever the files lie and whatever they are called."""
        files = [[file.sha256 for file in side] for side in (self.cut_outs, self.backgrounds)]
        shown = [asdict(one) for one in self.placements]
        return content_hash([NAME, *files, shown, self.of, self.seed])[:16]

    @property
    def name(self) -> str:
        """Stands where the name of a battery does."""
        return f"composites {self.hash} ({len(self)})"

    @property
    def transformed(self) -> NDArray[np.intp]:
        """Place of the mirror image of each: cut-out and background are both mirrored."""
        places = np.arange(len(self)).reshape(self.shape)
        found: NDArray[np.intp] = places[..., ::-1, ::-1].ravel()
        return found

    def seen_in(self, views: Iterable[View], channels: int) -> Composites:
        """Return the same for a network that looks so, at one scale in all of its views."""
        views = list(views)
        planes = [_canvas(view.rows, view.columns, view.centre) for view in views]
        plane = max(rows for rows, _ in planes), max(columns for _, columns in planes)
        side = min(min(view.rows, view.columns) for view in views)
        return replace(self, channels=channels, plane=plane, side=side)

    def images(
        self,
        which: NDArray[np.intp],
        *,
        rows: int,
        columns: int,
        centre: tuple[float, float] | None = None,
    ) -> Floats:
        """Draw some composites, values in [0, 1], axes (image, channel, row, column).

        What stands around the centre does not depend on the size of the images. Memory: the
        images, and backgrounds and cut-outs of the same size, :data:`_HELD` of each.

        Parameters
        ----------
        which
            Numbers of composites.
        centre
            The pixel that cut-outs and backgrounds are centred on, as in
            :meth:`~circuitkb.observation.stimuli.battery.Battery.images`.

        Raises
        ------
        ObservationError
            A file cannot be read any more.
        """
        at = centre or ((rows - 1) / 2, (columns - 1) / 2)
        canvas = _canvas(rows, columns, at)
        top, left = (int((size - 1) / 2 - place) for size, place in zip(canvas, at, strict=True))
        by = symmetry_named(self.of)
        found = np.empty((len(which), self.channels, rows, columns), np.float32)
        for place, number in enumerate(which.tolist()):
            one = self[number]
            behind = _background(
                self.backgrounds[one.background], self.channels, self.plane, canvas
            )
            layer = _layer(
                self.cut_outs[one.cut_out],
                self.placements[one.placement],
                self.channels,
                self.side,
                canvas,
                self.seed,
            )
            if one.background_mirrored:
                behind = by.apply(behind)
            if one.mirrored:
                layer = by.apply(layer)
            alpha = layer[-1]
            whole = alpha * layer[:-1] + (1 - alpha) * behind
            found[place] = whole[:, top : top + rows, left : left + columns]
        return found


def _canvas(rows: int, columns: int, centre: tuple[float, float]) -> tuple[int, int]:
    """Return the smallest size of an image with the centre in its middle that holds another."""
    up, across = max(centre[0], rows - 1 - centre[0]), max(centre[1], columns - 1 - centre[1])
    return int(2 * up + 1), int(2 * across + 1)


def _drawn(
    folder: Path, most: int, is_cut_out: bool, seed: int, progress: Progress
) -> tuple[tuple[PictureFile, ...], tuple[LeftOut, ...]]:
    """Return up to so many files that can be read, and those that cannot be."""
    if not folder.is_dir():
        raise ObservationError(f"There is no folder {folder}.")
    found = find_pictures(folder, within(progress, 0.0, 0.3))
    files: list[PictureFile] = []
    left_out = list(found.left_out)
    order = np.random.default_rng(seed).permutation(len(found.files)).tolist()
    for place in order:
        if len(files) == most:
            break
        progress("Reading pictures", 0.3 + 0.7 * len(files) / most)
        file = found.files[place]
        try:
            (read_cut_out if is_cut_out else read_picture)(file).close()
        except UnreadablePictureError as error:
            left_out.append(LeftOut(str(file.path.relative_to(folder)), str(error)))
        else:
            files.append(file)
    return tuple(files), tuple(left_out)


def _too_few(folder: Path, what: str, left_out: Sequence[LeftOut]) -> ObservationError:
    more = f" Left out: {listed(left_out)}." if left_out else ""
    return ObservationError(f"There are {what} in {folder}.{more}")


@lru_cache(maxsize=_HELD)
def _background(
    file: PictureFile, channels: int, plane: tuple[int, int], canvas: tuple[int, int]
) -> Floats:
    """Return a background that fills a plane, cut to a canvas, axes (channel, row, column)."""
    try:
        return values_of(cut_out(read_picture(file, channels), plane, *canvas))
    except UnreadablePictureError as error:
        raise _gone(file, error) from error


@lru_cache(maxsize=_HELD)
def _layer(
    file: PictureFile,
    placement: Placement,
    channels: int,
    side: int,
    canvas: tuple[int, int],
    seed: int,
) -> Floats:
    """Return a cut-out where it is pasted: its channels, then its alpha, 0 around it."""
    try:
        picture = read_cut_out(file)
    except UnreadablePictureError as error:
        raise _gone(file, error) from error
    small, (top, left) = placed(picture, placement, side, canvas)
    layer = np.concatenate(
        [
            values_of(small.convert("RGB").convert("L" if channels == 1 else "RGB")),
            values_of(small)[3:],
        ]
    )
    if placement.occlusion:
        draw = np.random.default_rng([seed, int(file.sha256[:12], 16)])
        layer[-1] = hide(layer[-1], placement.occlusion, float(draw.uniform(0, 360)))
    found = np.zeros((len(layer), *canvas), np.float32)
    rows, columns = _within(top, small.height, canvas[0]), _within(left, small.width, canvas[1])
    found[:, rows, columns] = layer[
        :, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return found


def _within(first: int, size: int, canvas: int) -> slice:
    """Return what a canvas shows of pixels that stand from ``first`` on."""
    start = min(max(0, first), canvas)
    return slice(start, max(start, min(canvas, first + size)))


def _gone(file: PictureFile, error: UnreadablePictureError) -> ObservationError:
    return ObservationError(f"{file.path} cannot be read any more: {error}.")

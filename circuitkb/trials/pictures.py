"""A folder of pictures in the place of the battery: shown, never copied, known by their hashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuitkb.observation.photographs.files import (
    LeftOut,
    PictureFile,
    UnreadablePictureError,
    cut_out,
    find_pictures,
    listed,
    read_picture,
    values_of,
)
from circuitkb.schema.errors import TrialError
from circuitkb.schema.ids import content_hash
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, parts, silent
from circuitkb.schema.responses import Responses

if TYPE_CHECKING:
    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.receptive_fields.views import View

MOST = 2000
"""Pictures that are shown at most: what each unit answers to each is held, in 8 bytes."""

AT_ONCE = 64
"""Pictures that are held together while they are shown."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of a folder.

    Attributes
    ----------
    files
        Those that can be read, each content once, in the order of their hashes.
    left_out
        Those that cannot be read.
    channels
        Of the images that are shown: 1 or 3.
    plane
        Rows and columns that each picture fills; all ways of looking cut their images out of that.
    """

    files: tuple[PictureFile, ...]
    left_out: tuple[LeftOut, ...] = ()
    channels: int = 3
    plane: tuple[int, int] = (1, 1)

    @classmethod
    def of_folder(cls, folder: Path) -> Pictures:
        """Read which pictures lie in a folder, and in those within it.

        Files count whose names end as those of pictures do.

        Raises
        ------
        TrialError
            There are none that can be read, or too many.
        """
        if not folder.is_dir():
            raise TrialError(f"There is no folder {folder}.")
        found = find_pictures(folder)
        files, left_out = [], list(found.left_out)
        for file in found.files:
            try:
                read_picture(file).close()
            except UnreadablePictureError as error:
                left_out.append(LeftOut(str(file.path.relative_to(folder)), str(error)))
            else:
                files.append(file)
        if not files:
            more = f" ({listed(left_out)} cannot be read)" if left_out else ""
            raise TrialError(f"There are no pictures in {folder}{more}.")
        if len(files) > MOST:
            raise TrialError(
                f"{folder} has {len(files)} pictures, and {MOST} are shown at most: give fewer."
            )
        return cls(tuple(files), tuple(left_out))

    def __len__(self) -> int:
        return len(self.files)

    @property
    def ids(self) -> tuple[str, ...]:
        """Hash of the content of each."""
        return tuple(file.sha256[:16] for file in self.files)

    @property
    def hash(self) -> str:
        """Of all that is shown, whatever the files are called."""
        return content_hash(list(self.ids))[:16]

    @property
    def name(self) -> str:
        """Stands where the name of a battery does."""
        return f"pictures {self.hash} ({len(self)})"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        if not self.left_out:
            return ()
        return (f"passed over, as they cannot be read: {listed(self.left_out, reasons=False)}",)

    def seen_in(self, views: Sequence[View], channels: int) -> Pictures:
        """Return the same for a network that looks so: as large as the largest of its views."""
        rows = max(_around(view.centre[0], view.rows) for view in views)
        columns = max(_around(view.centre[1], view.columns) for view in views)
        return replace(self, channels=channels, plane=(rows, columns))

    def images(
        self,
        which: NDArray[np.intp],
        *,
        rows: int,
        columns: int,
        centre: tuple[float, float] | None = None,
    ) -> Floats:
        """Return some pictures, values in [0, 1], axes (image, channel, row, column).

        A picture is scaled, all sides alike, so that it just fills the plane; its middle lies on
        the centre, and what is beyond the image is cut off.

        Raises
        ------
        TrialError
            One cannot be read any more.
        """
        found = np.empty((len(which), self.channels, rows, columns), np.float32)
        for place, number in enumerate(which.tolist()):
            try:
                picture = read_picture(self.files[number], self.channels)
            except UnreadablePictureError as error:
                path = self.files[number].path
                raise TrialError(f"{path} cannot be read any more: {error}.") from error
            found[place] = values_of(cut_out(picture, self.plane, rows, columns, centre))
        return found


def _around(centre: float, size: int) -> int:
    """Return how much lies around a centre at least, as far on both sides."""
    return int(2 * max(centre, size - 1 - centre) + 1)


def answers_to(
    pictures: Pictures,
    network: Network,
    views: Sequence[View],
    kept: Responses,
    images: Callable[[View, NDArray[np.intp]], Floats],
    progress: Progress = silent,
) -> Responses:
    """Show pictures to a network, and return what its units answer as a battery's responses.

    There is no null: the shuffled sides are those of the network itself.

    Parameters
    ----------
    kept
        Responses to the battery, whose units and settings these have.
    images
        What the network reads.
    """
    from circuitkb.loaders.activations.reading import look

    before, after = np.empty((2, kept.before.shape[0], len(pictures)), np.float32)
    for view, tell in zip(views, parts(progress, len(views)), strict=True):
        onlooker = look(network, view)
        rows = np.concatenate(
            [np.arange(len(kept.before))[kept.rows[layer]] for layer in onlooker.units]
        )
        for start in range(0, len(pictures), AT_ONCE):
            tell("Showing pictures", start / len(pictures))
            some = np.arange(start, min(len(pictures), start + AT_ONCE))
            seen = onlooker.responses(images(view, some))
            before[rows[:, None], some], after[rows[:, None], some] = seen[0].T, seen[1].T
    return Responses(
        pictures.name, pictures.ids, kept.layers, before, after, before, after, kept.settings
    )

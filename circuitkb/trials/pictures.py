"""A folder of pictures in the place of the battery: shown, never copied, known by their hashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import TrialError
from circuitkb.schema.ids import content_hash
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, parts, silent
from circuitkb.schema.responses import Responses

if TYPE_CHECKING:
    from PIL.Image import Image

    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.receptive_fields.views import View

MOST = 2000
"""Pictures that are shown at most: what each unit answers to each is held, in 8 bytes."""

AT_ONCE = 64
"""Pictures that are held together while they are shown."""

NAMED = 3
"""So many files are named in a note; the others are counted."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of a folder.

    Attributes
    ----------
    files
        Those that can be read, each content once, in the order of their hashes.
    ids
        Hash of the content of each.
    unreadable
        Names of those that cannot be read.
    channels
        Of the images that are shown: 1 or 3.
    plane
        Rows and columns that each picture fills; all ways of looking cut their images out of that.
    """

    files: tuple[Path, ...]
    ids: tuple[str, ...]
    unreadable: tuple[str, ...]
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
        from PIL.Image import registered_extensions

        if not folder.is_dir():
            raise TrialError(f"There is no folder {folder}.")
        ends = registered_extensions()
        found: dict[str, Path] = {}
        unreadable = []
        for file in sorted(file for file in folder.rglob("*") if file.suffix.lower() in ends):
            try:
                data = file.read_bytes()
                _opened(file).close()
            except _UNREADABLE:
                unreadable.append(str(file.relative_to(folder)))
            else:
                found.setdefault(sha256(data).hexdigest()[:16], file)
        if not found:
            more = f" ({_listed(unreadable)} cannot be read)" if unreadable else ""
            raise TrialError(f"There are no pictures in {folder}{more}.")
        if len(found) > MOST:
            raise TrialError(
                f"{folder} has {len(found)} pictures, and {MOST} are shown at most: give fewer."
            )
        ids = sorted(found)
        return cls(tuple(found[id] for id in ids), tuple(ids), tuple(unreadable))

    def __len__(self) -> int:
        return len(self.files)

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
        if not self.unreadable:
            return ()
        return (f"passed over, as they cannot be read: {_listed(self.unreadable)}",)

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
        at = centre or ((rows - 1) / 2, (columns - 1) / 2)
        found = np.empty((len(which), self.channels, rows, columns), np.float32)
        for place, number in enumerate(which.tolist()):
            try:
                picture = _opened(self.files[number])
            except _UNREADABLE as error:
                raise TrialError(f"{self.files[number]} cannot be read any more.") from error
            found[place] = self._cut(picture, rows, columns, at)
        return found

    def _cut(self, picture: Image, rows: int, columns: int, at: tuple[float, float]) -> Floats:
        from PIL.Image import Resampling

        scale = min(picture.height / self.plane[0], picture.width / self.plane[1])
        top = picture.height / 2 - (at[0] + 0.5) * scale
        left = picture.width / 2 - (at[1] + 0.5) * scale
        box = (
            max(0.0, left),
            max(0.0, top),
            min(float(picture.width), left + columns * scale),
            min(float(picture.height), top + rows * scale),
        )
        cut = picture.convert("L" if self.channels == 1 else "RGB")
        shown = cut.resize((columns, rows), Resampling.BICUBIC, box=box)
        values = np.asarray(shown, np.float32).reshape(rows, columns, self.channels) / 255
        return np.ascontiguousarray(values.transpose(2, 0, 1))


def _opened(file: Path) -> Image:
    """Read a picture whole, the right way up; what shines through is grey."""
    import warnings

    from PIL import Image as images
    from PIL import ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", images.DecompressionBombWarning)
        with images.open(file) as picture:
            picture.load()
            upright = ImageOps.exif_transpose(picture)
    if "A" in upright.getbands() or "transparency" in upright.info:
        behind = images.new("RGBA", upright.size, (128, 128, 128, 255))
        return images.alpha_composite(behind, upright.convert("RGBA")).convert("RGB")
    return upright


_UNREADABLE = (OSError, ValueError, SyntaxError, ArithmeticError, MemoryError, Warning)
"""What reading a picture that is none, is cut short or far too large may raise."""


def _around(centre: float, size: int) -> int:
    """Return how much lies around a centre at least, as far on both sides."""
    return int(2 * max(centre, size - 1 - centre) + 1)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


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

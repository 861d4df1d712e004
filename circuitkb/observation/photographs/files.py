"""Pictures in a folder of anybody's: found, read whole as red, green and blue, or left out."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

import numpy as np

from circuitkb.results.harmless_text import for_terminal
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, silent

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_FILE = 200_000_000
"""Bytes; a larger file is left out."""

NAMED = 3
"""So many files are named in a note; the others are counted."""

_FORMATS = (
    "PNG",
    "JPEG",
    "MPO",
    "GIF",
    "BMP",
    "TIFF",
    "WEBP",
    "AVIF",
    "JPEG2000",
    "PPM",
    "TGA",
)
"""What is read: Pillow gives some others to another program."""

_LONGEST_NAME = 200
_SIXTEEN_BITS = 65_535


class UnreadablePictureError(Exception):
    """A file that is no picture, or none that can be shown; the text says why."""


@dataclass(frozen=True)
class PictureFile:
    """A file that may be a picture.

    Attributes
    ----------
    path
        Where it is; nothing keeps it.
    sha256
        Of its content.
    name, group
        Name of the file, and of the folder within the given one that it lies in (the topmost, if
        there are several); empty where it lies in the given one itself.
    """

    path: Path
    sha256: str
    name: str
    group: str


@dataclass(frozen=True)
class LeftOut:
    """A file that is not shown: its place in the folder, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Found:
    """The files of a folder, each content once, in the order of their hashes."""

    files: tuple[PictureFile, ...]
    left_out: tuple[LeftOut, ...]
    copies: int


def find_pictures(folder: Path, progress: Progress = silent) -> Found:
    """Return the files of a folder, and of those within it, whose names end as pictures' do.

    Links that lead out of the folder, what is no file, and files above :data:`LARGEST_FILE` are
    left out; links to folders are not followed. Of files with the same content the first counts.
    """
    inside = folder.resolve()
    found: dict[str, PictureFile] = {}
    left_out = []
    copies = 0
    candidates = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _endings())
    for done, path in enumerate(candidates):
        progress("Reading the folder", done / len(candidates))
        place = path.relative_to(folder)
        try:
            data = _content(path, inside)
        except (UnreadablePictureError, OSError) as error:
            left_out.append(LeftOut(str(place), _why(error)))
            continue
        digest = sha256(data).hexdigest()
        copies += digest in found
        group = place.parts[0] if len(place.parts) > 1 else ""
        file = PictureFile(path, digest, _as_text(path.name), _as_text(group))
        found.setdefault(digest, file)
    return Found(tuple(found[digest] for digest in sorted(found)), tuple(left_out), copies)


def _content(path: Path, inside: Path) -> bytes:
    if path.is_symlink() and not path.resolve().is_relative_to(inside):
        raise UnreadablePictureError("a link out of the folder")
    # Not waiting for whoever would write to a pipe.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not S_ISREG(about.st_mode):
            raise UnreadablePictureError("no file")
        if about.st_size > LARGEST_FILE:
            raise UnreadablePictureError(f"larger than {LARGEST_FILE // 1_000_000} MB")
        return file.read()


def _as_text(name: str) -> str:
    """Return the name of a file as text that every store can hold."""
    return name.encode("utf-8", "replace").decode()[:_LONGEST_NAME]


def read_picture(file: PictureFile, channels: int = 3) -> Image:
    """Read a picture whole, the right way up, what shines through grey.

    Of a moving picture it is the first one; 16 bits are scaled to 8.

    Parameters
    ----------
    channels
        3 for red, green and blue; 1 for grey.

    Raises
    ------
    UnreadablePictureError
        It cannot be shown, or is another file now.
    """
    return _read(file, lambda picture: _in_colour(picture).convert("L" if channels == 1 else "RGB"))


def read_cut_out(file: PictureFile) -> Image:
    """Read a picture with its alpha channel, without the empty margins around what it shows.

    Raises
    ------
    UnreadablePictureError
        It cannot be shown, is another file now, has no alpha channel, or one that cuts nothing out.
    """
    return _read(file, _cut_out_of)


def _read(file: PictureFile, made: Callable[[Image], Image]) -> Image:
    """Open a file that may be anything, and make something of it."""
    from PIL import Image as images

    try:
        data = file.path.read_bytes()
        if sha256(data).hexdigest() != file.sha256:
            raise UnreadablePictureError("changed while it was read")
        with warnings.catch_warnings():
            warnings.simplefilter("error", images.DecompressionBombWarning)
            with images.open(io.BytesIO(data), formats=_formats()) as picture:
                picture.load()
                return made(picture)
    except UnreadablePictureError:
        raise
    # Plugins raise whatever a broken file makes them: of one picture, not of the folder.
    except Exception as error:
        raise UnreadablePictureError(_why(error)) from error


def _cut_out_of(picture: Image) -> Image:
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(picture)
    if not _has_alpha(upright):
        raise UnreadablePictureError("it has no alpha channel")
    found = upright.convert("RGBA")
    alpha = found.getchannel("A")
    lowest, highest = alpha.getextrema()
    if lowest == highest:
        raise UnreadablePictureError("its alpha channel cuts nothing out")
    return found.crop(alpha.getbbox())


def _has_alpha(picture: Image) -> bool:
    return bool({"A", "a"} & set(picture.getbands())) or "transparency" in picture.info


def _in_colour(picture: Image) -> Image:
    from PIL import Image as images
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):
        values = np.asarray(upright, np.float64)
        if values.min(initial=0) < 0 or values.max(initial=0) > _SIXTEEN_BITS:
            raise UnreadablePictureError("its numbers do not say what is white")
        upright = images.fromarray(np.round(values / _SIXTEEN_BITS * 255).astype(np.uint8))
    elif upright.mode == "F":
        raise UnreadablePictureError("its numbers do not say what is white")
    if _has_alpha(upright):
        behind = images.new("RGBA", upright.size, (128, 128, 128, 255))
        return images.alpha_composite(behind, upright.convert("RGBA")).convert("RGB")
    return upright.convert("RGB")


def _why(error: Exception) -> str:
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    if isinstance(error, UnreadablePictureError):
        return str(error)
    if isinstance(error, images.DecompressionBombWarning | images.DecompressionBombError):
        return "far too many pixels"
    if isinstance(error, UnidentifiedImageError):
        return "no picture"
    return "cut short or damaged" if isinstance(error, OSError) else "damaged"


def cut_out(
    picture: Image,
    plane: tuple[int, int],
    rows: int,
    columns: int,
    centre: tuple[float, float] | None = None,
) -> Image:
    """Return an image of a picture, which is scaled, all sides alike, so that it fills a plane.

    Parameters
    ----------
    plane
        Rows and columns that it just fills.
    rows, columns
        Size of the image; what is beyond it is cut off.
    centre
        The pixel of the image on which the picture's middle lies; that in its middle if None.

    Examples
    --------
    >>> from PIL import Image
    >>> cut_out(Image.new("RGB", (60, 20)), (10, 10), rows=10, columns=10).size
    (10, 10)
    """
    from PIL.Image import Resampling

    at = centre or ((rows - 1) / 2, (columns - 1) / 2)
    scale = min(picture.height / plane[0], picture.width / plane[1])
    top = picture.height / 2 - (at[0] + 0.5) * scale
    left = picture.width / 2 - (at[1] + 0.5) * scale
    box = (
        max(0.0, left),
        max(0.0, top),
        min(float(picture.width), left + columns * scale),
        min(float(picture.height), top + rows * scale),
    )
    return picture.resize((columns, rows), Resampling.BICUBIC, box=box)


def values_of(image: Image) -> Floats:
    """Return an image's values in [0, 1], axes (channel, row, column).

    Examples
    --------
    >>> from PIL import Image
    >>> values_of(Image.new("L", (2, 1), 255)).tolist()
    [[[1.0, 1.0]]]
    """
    shown = np.asarray(image, np.float32)
    values = shown.reshape(image.height, image.width, len(image.getbands())) / 255
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def listed(left_out: Sequence[LeftOut], *, reasons: bool = True) -> str:
    """Say which files are left out: some by name, all by number.

    Examples
    --------
    >>> listed([LeftOut("a.png", "no picture"), LeftOut("b.png", "damaged")])
    'a.png (no picture), b.png (damaged)'
    """
    said = [
        _in_one_line(item.name) + (f" ({item.why})" if reasons else "") for item in left_out[:NAMED]
    ]
    more = f" and {len(left_out) - NAMED:,} more" if len(left_out) > NAMED else ""
    return ", ".join(said) + more


def _in_one_line(name: str) -> str:
    return for_terminal(" ".join(_as_text(name).split()))


@cache
def _formats() -> tuple[str, ...]:
    from PIL import Image as images

    images.init()
    return tuple(name for name in _FORMATS if name in images.OPEN)


@cache
def _endings() -> frozenset[str]:
    from PIL.Image import registered_extensions

    known = _formats()
    return frozenset(end for end, name in registered_extensions().items() if name in known)

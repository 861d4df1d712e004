"""Files that are read from their start to their end: ordinary ones, of a size that has an end."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from circuitkb.schema.errors import AnnotationFileError

MOST_FILE = 16 * 2**30
"""Size of the largest file of annotations, in bytes (16 GiB)."""

MOST_WITHOUT_LINE = 2**27
"""Bytes that may come without the end of a line (128 MiB), twice the largest JSON document."""

_PIECE = 2**20


def check_plain(path: Path) -> None:
    """Refuse what is no ordinary file: a pipe, a device or a socket may never end.

    Raises
    ------
    AnnotationFileError
        It is not there, is a folder or one of these, or is larger than 16 GiB.
    OSError
        It may not be looked at.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise AnnotationFileError(f"{path} cannot be read: it is not there.") from None
    if stat.S_ISDIR(found.st_mode):
        raise AnnotationFileError(f"{path} is a folder; a file is needed.")
    if not stat.S_ISREG(found.st_mode):
        raise AnnotationFileError(
            f"{path} is a pipe or a device; a file is needed. `annotate import -` reads what a "
            "pipe brings from standard input."
        )
    if found.st_size > MOST_FILE:
        raise AnnotationFileError(
            f"{path} is larger than {MOST_FILE // 2**30} GiB, the most that is read. Split it."
        )


def shown(path: Path) -> str:
    r"""Return a path as text that can be printed and kept: no half characters, no control codes.

    Examples
    --------
    >>> shown(Path("labels/caf\udce9\x1b[31m.jsonl"))
    'labels/caf\\xe9\\x1b[31m.jsonl'
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def pieces(name: str, read: Iterator[bytes], most: int = MOST_FILE) -> Iterator[bytes]:
    """Give what is read on, as long as it can be a file of annotations.

    Raises
    ------
    AnnotationFileError
        It is longer than ``most`` bytes, or a line of it than 128 MiB.
    """
    size = without = 0
    for piece in read:
        size += len(piece)
        end = piece.rfind(b"\n")
        without = without + len(piece) if end < 0 else len(piece) - end - 1
        if size > most:
            raise AnnotationFileError(
                f"{name} is longer than {most // 2**30} GiB, the most that is read."
            )
        if without > MOST_WITHOUT_LINE:
            raise AnnotationFileError(
                f"{name} has a line of more than {MOST_WITHOUT_LINE // 2**20} MiB: these are no "
                "annotations."
            )
        yield piece


def in_pieces(path: Path) -> Iterator[bytes]:
    """Give the contents of an ordinary file piece by piece; see :func:`check_plain`."""
    check_plain(path)
    with path.open("rb") as stream:
        yield from pieces(str(path), iter(lambda: stream.read(_PIECE), b""))

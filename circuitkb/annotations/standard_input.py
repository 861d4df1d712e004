"""What comes through a pipe, kept in a file: it is read twice, hashed and then taken apart."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from circuitkb.loaders.annotation_formats.plain_files import pieces

MOST_PIPED = 2 * 2**30
"""Bytes that are taken from a pipe (2 GiB): one that never ends must not fill the disk."""

_PIECE = 2**20


def keep(stream: BinaryIO, target: Path) -> None:
    """Write what a stream brings into a file.

    Raises
    ------
    AnnotationFileError
        It brings more than 2 GiB, or a line of more than 128 MiB.
    """
    with target.open("wb") as file:
        file.writelines(
            pieces(target.name, iter(lambda: stream.read(_PIECE), b""), most=MOST_PIPED)
        )

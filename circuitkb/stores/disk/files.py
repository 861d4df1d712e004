"""Files: copied, brought to the disk, and what it means when there is no room for them."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from circuitkb.schema.errors import StoreError, StoreFullError

_ALMOST_NOTHING = 32_000_000
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_TEXTS = ("No space left on device", "Disk quota exceeded", "File too large")


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn whatever says that the disk is full, or cannot be written, into a store's error."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        if says_full(error):
            raise full(path) from error
        if isinstance(error, OSError):
            raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from error
        raise


def full(path: Path) -> StoreFullError:
    """Return the error of a disk without room."""
    return StoreFullError(
        f"The disk of {path} is full; nothing was changed. Make room and try again."
    )


def disk_is_full(path: Path) -> bool:
    """Return whether hardly anything more goes onto the disk of ``path``."""
    return shutil.disk_usage(path).free < _ALMOST_NOTHING


def says_full(error: BaseException) -> bool:
    """Return whether an error, or one that caused it, comes from a full disk."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    if any(text in str(error) for text in _FULL_TEXTS):
        return True
    cause = error.__cause__ or error.__context__
    return cause is not None and says_full(cause)


def copy_file(source: Path, target: Path) -> None:
    """Copy one file, inside the kernel where it can."""
    if not hasattr(os, "copy_file_range"):
        shutil.copyfile(source, target)
        return
    with source.open("rb") as reading, target.open("wb") as writing:
        left = os.fstat(reading.fileno()).st_size
        while left:
            try:
                done = os.copy_file_range(reading.fileno(), writing.fileno(), left)
            except OSError as error:
                if error.errno in _FULL:
                    raise
                done = 0
            if not done:  # a file system without it: go on from here by hand
                shutil.copyfileobj(reading, writing)
                return
            left -= done


def bring_to_disk(path: Path) -> None:
    """Wait until every file below ``path`` is on the disk."""
    for directory, _, files in os.walk(path):
        for name in files:
            sync(Path(directory) / name)
        sync(Path(directory))


def sync(path: Path) -> None:
    """Wait until one file, or the list of files of a directory, is on the disk."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def megabytes(size: int) -> str:
    """Return a size to show."""
    return f"{size / 1e6:,.0f} MB"


def umask() -> int:
    """Return which permissions the user's new files do not get."""
    current = os.umask(0o077)
    os.umask(current)
    return current

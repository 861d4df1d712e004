"""A file that is written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from circuitkb.schema.errors import StoreError
from circuitkb.stores.disk.files import disk_errors, sync, umask
from circuitkb.stores.disk.unfinished import SUFFIX, held, prefix, remove_left_behind


@contextmanager
def whole_file(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give an empty file beside ``target`` that takes its place when the block ends well.

    Parameters
    ----------
    target
        Where the file is to be; its folder is made where it is missing.
    overwrite
        Whether a file that is there gives way.

    Raises
    ------
    StoreError
        Something is there, or it cannot be written; nothing was changed.
    StoreFullError
        The disk is full; nothing was changed.
    """
    target = target.expanduser().resolve()  # a link to a file stays a link
    check_target(target, overwrite=overwrite)
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_left_behind(target, own=lambda name: False)
        descriptor, made = tempfile.mkstemp(prefix=prefix(target), suffix=SUFFIX, dir=target.parent)
        os.close(descriptor)
    unfinished = Path(made)
    try:
        with disk_errors(target), held(unfinished):
            yield unfinished
            unfinished.chmod(0o666 & ~umask())  # it is private until it is whole
            sync(unfinished)
            check_target(target, overwrite=overwrite)  # somebody may have come first
            unfinished.replace(target)
        with suppress(OSError):
            sync(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse to write where something stands that is not to give way."""
    if target.is_dir():
        raise StoreError(f"{target} is a folder: name a file.")
    if target.exists() and not overwrite:
        raise StoreError(
            f"{target} is there already: name another file, or replace it with --overwrite "
            "(overwrite=True)."
        )

"""Folders for unfinished work, in the directory where a store keeps its arrays."""

from __future__ import annotations

from pathlib import Path

from circuitkb.schema.errors import StoreError
from circuitkb.schema.ids import check_slug
from circuitkb.stores.disk.files import disk_errors

UNFINISHED = "unfinished"


def checked_name(name: str) -> str:
    """Return a name that unfinished work may have; raises :class:`IdError`."""
    return check_slug(name, "name of unfinished work")


def workspace(directory: Path, name: str) -> Path:
    """Return the folder of unfinished work of that name in ``directory``, made if it is missing.

    Raises
    ------
    IdError
        The name is none that a model could have.
    StoreError
        The disk cannot be written, or a link to somewhere else is there.
    """
    folder = directory / UNFINISHED / checked_name(name)
    with disk_errors(directory):
        folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != directory.resolve() / UNFINISHED / name:
        raise StoreError(f"{folder} is a link to somewhere else: remove it.")
    return folder

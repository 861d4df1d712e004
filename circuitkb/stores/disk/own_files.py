"""What a store may remove or replace: plain files that it names, and never through a link.

A name on the disk may come to mean something else between a look and an act. Where the system
allows it, a folder is therefore held open while something is removed in it: a link that takes its
place meanwhile changes nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from circuitkb.schema.errors import StoreError
from circuitkb.schema.limits import limit_reached
from circuitkb.stores.disk.files import sync

_HELD = os.stat in os.supports_dir_fd and os.listdir in os.supports_fd
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_LARGEST = 1 << 26


class Folder:
    """A folder held open.

    Parameters
    ----------
    path
        Where it is.
    within
        A folder held open that it lies in; where ``path`` is a link then, entering it fails with
        an :class:`OSError`.
    """

    def __init__(self, path: Path, within: Folder | None = None) -> None:
        self.path = path
        self._within = within
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        if _HELD:
            flags = os.O_RDONLY | os.O_DIRECTORY
            if self._within is None:
                self._descriptor = os.open(self.path, flags)
            else:
                place, where = self._within._at(self.path.name)
                self._descriptor = os.open(place, flags | _NOFOLLOW, **where)
        elif self._within is not None and not is_folder(self.path):
            raise NotADirectoryError(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def folder(self, name: str) -> Folder:
        """Return the folder of that name in this one, to enter."""
        return Folder(self.path / name, within=self)

    def names(self) -> list[str]:
        """Return the names of all that is in it."""
        if self._descriptor is None:
            return sorted(item.name for item in self.path.iterdir())
        return sorted(os.listdir(self._descriptor))  # noqa: PTH208 (a path would be looked up anew)

    def is_file(self, name: str) -> bool:
        """Return whether a plain file of that name is in it."""
        place, where = self._at(name)
        try:
            return stat.S_ISREG(os.lstat(place, **where).st_mode)
        except OSError:
            return False

    def remove(self, name: str) -> None:
        """Remove a plain file; what else has that name stays."""
        if self.is_file(name):
            place, where = self._at(name)
            with suppress(OSError):  # Windows: somebody has it mapped
                os.unlink(place, **where)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder; one that holds anything stays."""
        place, where = self._at(name)
        with suppress(OSError):
            os.rmdir(place, **where)

    def _at(self, name: str) -> tuple[Any, dict[str, Any]]:
        if self._descriptor is None:
            return self.path / name, {}
        return name, {"dir_fd": self._descriptor}


def is_folder(path: Path) -> bool:
    """Return whether a folder is there, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Return whether a plain file is there, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def refuse_unlike(path: Path, *, folder: bool) -> None:
    """Refuse what stands where a store has a file or a folder of its own, if it is no such thing.

    Raises
    ------
    StoreError
        A link, a pipe, a file for a folder or the other way round; it is not touched.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode):
        return
    kind = "folder" if folder else "file"
    if stat.S_ISLNK(mode):
        raise StoreError(
            f"{path} is a link, and a store writes only into its own {kind}s: put the {kind} "
            f"itself there. Nothing was changed."
        )
    raise StoreError(f"{path} is no {kind}: move it away. Nothing was changed.")


def read_text(path: Path) -> str:
    """Return the text of a plain file of the store's own.

    Raises
    ------
    FileNotFoundError
        It is not there.
    ValueError
        It is no plain file, too large, or no text.
    """
    descriptor = os.open(path, os.O_RDONLY | _NOFOLLOW | _NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path} is no file.")
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"{path} is too large.")
    return content.decode()


def raise_unless_damage(error: Exception, path: Path) -> None:
    """Raise an error of reading that tells nothing of the file: a limit, or missing rights.

    Raises
    ------
    StoreError
        The user may not read the file.
    OSError
        The process may not open more files, or has no memory.
    """
    if isinstance(error, PermissionError):
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    if limit_reached(error) is not None:
        raise error


def write_new(path: Path, text: str) -> None:
    """Write a file where none is; raises :class:`FileExistsError` where anything is."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o666), "w", encoding="utf-8") as file:
        file.write(text)


def replace_text(path: Path, text: str) -> None:
    """Let a small file have this text, in one step and on the disk; a link is replaced itself."""
    unfinished = path.with_name(f"{path.name}.{uuid4().hex}.new")
    try:
        write_new(unfinished, text)
        sync(unfinished)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync(path.parent)


def remove_own(path: Path, own: Callable[[str], bool], folders: Iterable[str] = ()) -> None:
    """Remove from a folder the plain files whose names are its maker's, and the folder if empty.

    Parameters
    ----------
    path
        The folder; nothing happens where it is none.
    own
        Whether a path below the folder, as ``graph/schema.json``, is a file of its maker.
    folders
        Folders in it that are looked through likewise.
    """
    with suppress(OSError), Folder(path.parent) as parent:
        with parent.folder(path.name) as held:
            for name in folders:
                with suppress(OSError), held.folder(name) as inner:
                    for item in inner.names():
                        if own(f"{name}/{item}"):
                            inner.remove(item)
                held.remove_folder(name)
            for item in held.names():
                if own(item):
                    held.remove(item)
        parent.remove_folder(path.name)

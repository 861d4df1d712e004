"""What is not whole yet: held while somebody writes it, removed by the next one where nobody does.

A file or folder is made under a name of its own beside its target, ``.TARGET.RANDOM.unfinished``,
and locked by whoever writes it. A lock ends with its process, however that ends: what can be
locked again was left behind.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from circuitkb.stores.disk.own_files import is_file, is_folder

try:
    import fcntl
except ImportError:  # Windows: what a killed program left stays
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".unfinished"
_LONGEST = 50
YOUNG = 60.0
"""Seconds within which one is not taken for left behind: its maker may be about to lock it."""


def prefix(target: Path) -> str:
    """Return how the name begins of what is being written for ``target``.

    Examples
    --------
    >>> prefix(Path("out/zoo"))
    '.zoo.'
    """
    return f".{target.name[:_LONGEST]}."  # a name has 255 bytes at most


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Lock a file or folder that is being written, until the block ends."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_left_behind(target: Path, *, own: Callable[[str], bool]) -> None:
    """Remove what killed programs left of earlier attempts to write ``target``.

    Parameters
    ----------
    target
        What was to be written; what is beside it under other names is not touched.
    own
        Whether a path in an unfinished folder is one that we write; a folder that holds another
        file stays.
    """
    name = re.compile(rf"{re.escape(prefix(target))}[a-z0-9_]{{8}}{re.escape(SUFFIX)}")
    with suppress(OSError):
        for path in list(target.parent.iterdir()):
            if name.fullmatch(path.name) and _is_left_behind(path):
                _remove(path, own)


def _is_left_behind(path: Path) -> bool:
    """Return whether nobody writes it any more."""
    if fcntl is None or not (is_file(path) or is_folder(path)):
        return False
    if time.time() - path.lstat().st_mtime < YOUNG:
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _remove(path: Path, own: Callable[[str], bool]) -> None:
    if is_file(path):
        path.unlink()
        return
    inside = [item for item in path.rglob("*") if not is_folder(item)]
    if all(is_file(item) and own(item.relative_to(path).as_posix()) for item in inside):
        shutil.rmtree(path, ignore_errors=True)

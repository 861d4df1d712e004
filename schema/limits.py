"""Errors that say that the machine, or what it allows a process, is too small."""

from __future__ import annotations

import errno

_FILES = {errno.EMFILE, errno.ENFILE}
_FILES_TEXTS = ("Too many open files", "Too many files open")
_MEMORY_TEXTS = (
    "Cannot allocate memory",
    "can't allocate memory",
    "OutOfMemoryError",
    "bad_alloc",
    "graal_create_isolate failed",
    "Unable to allocate",
)
_THREADS_TEXTS = ("can't start new thread", "Resource temporarily unavailable")


def limit_reached(error: BaseException) -> str | None:
    """Return a line about the limit that an error comes from, with a remedy; None if from none.

    Examples
    --------
    >>> limit_reached(OSError(errno.EMFILE, "Too many open files"))[:30]
    'This process may not open more'
    >>> limit_reached(MemoryError())[:31]
    'There is not enough memory for '
    >>> limit_reached(ValueError("of another kind")) is None
    True
    """
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        line = _line(found)
        if line is not None:
            return line
        found = found.__cause__ or found.__context__
    return None


def names_a_limit(text: str) -> bool:
    """Return whether the words of an error are those of a limit that was reached.

    Examples
    --------
    >>> names_a_limit("FileSystemException: x.bucket: Too many open files")
    True
    """
    return _any((*_FILES_TEXTS, *_MEMORY_TEXTS, *_THREADS_TEXTS), text)


def _line(error: BaseException) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    if number in _FILES or _any(_FILES_TEXTS, text):
        return (
            "This process may not open more files: raise the limit (ulimit -n 1024) and give the "
            "command again."
        )
    if isinstance(error, MemoryError) or number == errno.ENOMEM or _any(_MEMORY_TEXTS, text):
        return (
            "There is not enough memory for this, or a limit (ulimit -v) does not allow it: free "
            "some or raise the limit, and give the command again."
        )
    if number == errno.EAGAIN or _any(_THREADS_TEXTS, text):
        return (
            "This process may not start more threads: raise the limit (ulimit -u) and give the "
            "command again."
        )
    return None


def _any(said: tuple[str, ...], text: str) -> bool:
    return any(words in text for words in said)

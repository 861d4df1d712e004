"""Packages that others import where they are there, though nothing here needs them for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType


class _Hiding(MetaPathFinder):
    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if name == self._package:
            raise ModuleNotFoundError(f"{name} is hidden for a moment", name=name)


@contextmanager
def hidden(package: str) -> Iterator[None]:
    """Let the block find no such package; one that is imported already stays.

    Examples
    --------
    >>> with hidden("this"):
    ...     import this
    Traceback (most recent call last):
    ModuleNotFoundError: this is hidden for a moment
    """
    finder = _Hiding(package)  # no None among the modules: Cython takes it for the package
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def arrow_without_pandas() -> None:
    """Let Arrow know of no pandas, which it imports with its first array wherever it is there.

    That takes a fifth of a second. What turns Arrow's tables into those of pandas still does.
    """
    import pyarrow as pa

    with hidden("pandas"):
        pa.array([])

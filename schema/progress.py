"""How long work says how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


class Progress(Protocol):
    """Called with what is being done and the share of the whole that is done, from 0 to 1."""

    def __call__(self, doing: str, done: float) -> None:
        """Say it."""


def silent(doing: str, done: float) -> None:
    """Say nothing."""


def within(progress: Progress, begin: float, end: float, saying: str = "{}") -> Progress:
    """Return the progress of a step that takes the whole from ``begin`` to ``end``.

    Parameters
    ----------
    saying
        What is said of the step; ``{}`` stands for what it says itself.

    Examples
    --------
    >>> writing = within(lambda doing, done: print(doing, done), 0.5, 1.0, "lite0: {}")
    >>> writing("writing", 0.5)
    lite0: writing 0.75
    """

    def tell(doing: str, done: float) -> None:
        progress(saying.replace("{}", doing), begin + (end - begin) * done)

    return tell


def parts(progress: Progress, count: int) -> list[Progress]:
    """Return the progress of each of several equal steps.

    Examples
    --------
    >>> first, second = parts(lambda doing, done: print(doing, done), 2)
    >>> second("writing", 0.5)
    writing 0.75
    """
    return [within(progress, place / count, (place + 1) / count) for place in range(count)]


@runtime_checkable
class Bars(Progress, Protocol):
    """Shows several things that go on at once, each for itself."""

    def each(self, count: int) -> Sequence[Progress]:
        """Return the progress of each."""


def together(progress: Progress, count: int) -> Sequence[Progress]:
    """Return the progress of each of several equal steps that may go on at once.

    Examples
    --------
    >>> first, second = together(lambda doing, done: print(doing, done), 2)
    >>> second("b: writing", 0.5), first("a: reading", 1.0)
    b: writing 0.25
    a: reading 0.75
    (None, None)
    """
    if isinstance(progress, Bars):
        return progress.each(count)
    shares = [0.0] * count

    def of(place: int) -> Progress:
        def tell(doing: str, done: float) -> None:
            shares[place] = max(shares[place], done)
            progress(doing, sum(shares) / count)

        return tell

    return [of(place) for place in range(count)]

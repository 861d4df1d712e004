"""Making the next item while this one is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Give the items; another thread makes the next one while this one is used.

    Examples
    --------
    >>> list(one_ahead(n * n for n in range(4)))
    [0, 1, 4, 9]
    """
    end = object()
    source = iter(items)
    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(next, source, end)
        while (item := waiting.result()) is not end:
            waiting = ahead.submit(next, source, end)
            yield item  # type: ignore[misc]

"""Seeds of random cases: the check tries some of them, the long check all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def seeds(count: int, *, at_first: int) -> Iterator[Any]:
    """Give 0, 1, ... below `count` as parameters of a test; from `at_first` on marked as long.

    >>> [getattr(seed, "values", seed) for seed in seeds(3, at_first=2)]
    [0, 1, (2,)]
    """
    yield from range(at_first)
    for seed in range(at_first, count):
        yield pytest.param(seed, marks=pytest.mark.long)

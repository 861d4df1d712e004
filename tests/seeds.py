"""Seeds of random cases: the check tries some of them, the long check all."""

from __future__ import annotations

from typing import Any

import pytest


def seeds(count: int, *, at_first: int) -> list[Any]:
    """Return 0, 1, ... below `count` as parameters of a test; from `at_first` on marked as long.

    >>> [getattr(seed, "values", seed) for seed in seeds(3, at_first=2)]
    [0, 1, (2,)]
    """
    rest = (pytest.param(seed, marks=pytest.mark.long) for seed in range(at_first, count))
    return [*range(at_first), *rest]

"""Ratings made by hand or at random, in memory and in a store; and alpha from its definition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import permutations
from typing import TypeVar

from circuitkb.annotations.comparing.ratings import Ratings, Unit, from_rows

Value = TypeVar("Value")

Said = Iterable[tuple[int, str, str]]
"""Unit, rater and concept."""


def unit(number: int) -> Unit:
    return Unit(f"alpha/conv1:{number}", "alpha", "conv1", number)


def rated(said: Said, types: Mapping[str, str] | None = None) -> Ratings:
    """Ratings in which everybody only gives labels; raters are human unless said otherwise."""
    kinds = types or {}
    return from_rows(
        (unit(number), rater, kinds.get(rater, "human"), concept, "agree")
        for number, rater, concept in said
    )


def alpha_by_definition(
    units: Sequence[Sequence[Value]], distance: Callable[[Value, Value], float]
) -> float | None:
    """Krippendorff's alpha, pair by pair: 1 - observed / expected distance."""
    pairable = [values for values in units if len(values) > 1]
    values = [value for unit in pairable for value in unit]
    n = len(values)
    observed = sum(
        distance(a, b) / (len(unit) - 1) for unit in pairable for a, b in permutations(unit, 2)
    )
    expected = sum(distance(a, b) for a, b in permutations(values, 2))
    return 1 - (n - 1) * observed / expected if expected else None

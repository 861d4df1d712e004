"""Weights that are one number: what the graph keeps of them, and what follows from it.

The kernel of most weights has one position: those of pointwise convolutions and of linear layers.
It is one number, from which ten properties of a ``WEIGHT`` follow: its sum, its masses, its norms,
and that its mass lies in the centre. The graph keeps the number alone, as :data:`NUMBER`, which
is half the bytes of a weight and less than half of the time to write one. Nobody else sees that:
:mod:`.pointwise_tables` takes it apart on the way in and puts it together on the way out,
:mod:`.pointwise_queries` has queries ask for what follows.

Weights of kernels with several positions, and all that an older version wrote, have each of the
ten; where such a property is there, it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuitkb.schema.records import Record

WEIGHT = "WEIGHT"
"""The relation that it is about."""

NUMBER = "_pointwise"
"""The property that holds the number. The schema has no name that begins so."""

IN_CYPHER: Mapping[str, str] = {
    "sum": "{n}",
    "positive": "({n} + abs({n})) / 2",
    "negative": "({n} - abs({n})) / 2",
    "l1": "abs({n})",
    "l2": "abs({n})",
    "max_abs": "abs({n})",
    "positive_dy": "CASE WHEN {n} > 0 THEN 0.0 END",
    "positive_dx": "CASE WHEN {n} > 0 THEN 0.0 END",
    "negative_dy": "CASE WHEN {n} < 0 THEN 0.0 END",
    "negative_dx": "CASE WHEN {n} < 0 THEN 0.0 END",
}
"""What each property is, where ``{n}`` is the number; null where that is null."""


def asked(name: str, owner: str) -> str:
    """Return the expression for a property of what a name stands for.

    Examples
    --------
    >>> asked("positive", "w")
    'coalesce(w.positive, (w._pointwise + abs(w._pointwise)) / 2)'
    """
    return f"coalesce({owner}.{name}, {IN_CYPHER[name].format(n=f'{owner}.{NUMBER}')})"


def following(number: float) -> Record:
    """Return the properties that follow from the number of a weight.

    Examples
    --------
    >>> {name: value for name, value in following(-0.5).items() if value}
    {'sum': -0.5, 'negative': -0.5, 'l1': 0.5, 'l2': 0.5, 'max_abs': 0.5}
    >>> sorted(set(following(-0.5)) ^ set(following(0.5)))
    ['negative_dx', 'negative_dy', 'positive_dx', 'positive_dy']
    """
    size = abs(number)
    found: Record = {
        "sum": number,
        "positive": max(number, 0.0),
        "negative": min(number, 0.0),
        "l1": size,
        "l2": size,
        "max_abs": size,
    }
    if number:
        side = "positive" if number > 0 else "negative"
        found |= {f"{side}_dy": 0.0, f"{side}_dx": 0.0}
    return found


def whole(properties: Mapping[str, Any]) -> Record:
    """Return the properties of a weight, those that follow from its number among them.

    Examples
    --------
    >>> whole({"rank": 2, "l1": 3.0})
    {'rank': 2, 'l1': 3.0}
    >>> whole({"rank": 2, "_pointwise": 0.25})["max_abs"]
    0.25
    """
    number = properties.get(NUMBER)
    own = {name: value for name, value in properties.items() if name != NUMBER}
    return own if number is None else {**following(number), **own}


def filled(row: Record) -> Record:
    """Return a row of asked properties, None where one is absent, with those that follow.

    Examples
    --------
    >>> filled({"rank": 2, "l1": None, "_pointwise": 0.25})
    {'rank': 2, 'l1': 0.25}
    """
    number = row.pop(NUMBER, None)
    if number is not None:
        known = following(number)
        row.update((n, known[n]) for n, value in row.items() if value is None and n in known)
    return row

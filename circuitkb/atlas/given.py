"""What the link of a page gives, within bounds."""

from __future__ import annotations

from collections.abc import Mapping

from circuitkb.schema.errors import QueryError

ROWS, MOST_ROWS = 50, 1000
"""Rows of a list, if nothing is said, and at most."""

SECONDS = 20.0
"""Time of one query."""

PICTURES = 20
"""Rows of a table that get pictures."""


def known(query: Mapping[str, str], names: set[str]) -> dict[str, str]:
    """Return what is given and not empty.

    Raises
    ------
    QueryError
        The page knows no such name.

    Examples
    --------
    >>> known({"model": "net", "label": ""}, {"model", "label"})
    {'model': 'net'}
    """
    unknown = sorted(set(query) - names)
    if unknown:
        raise QueryError(
            f"This page knows no {', '.join(map(repr, unknown))}: it takes "
            f"{', '.join(sorted(names))}."
        )
    return {name: value for name, value in query.items() if value}


def whole_number(name: str, text: str, default: int, most: int) -> int:
    """Return the whole number above 0 that a link gives, or the default where it gives nothing.

    Raises
    ------
    QueryError
        It is none, or too large.

    Examples
    --------
    >>> whole_number("limit", "20", 50, 1000), whole_number("limit", "", 50, 1000)
    (20, 50)
    """
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 12 or not 0 < int(text) <= most:
        raise QueryError(f"{name} is {text!r}: it is a whole number from 1 to {most:,}.")
    return int(text)


def limit_of(text: str) -> int:
    """Return how many rows a link asks for.

    Raises
    ------
    QueryError
        It is no number, or too large.
    """
    return whole_number("limit", text, ROWS, MOST_ROWS)

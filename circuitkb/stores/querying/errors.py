"""What goes wrong with queries on every engine, in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from circuitkb.schema.errors import (
    CypherError,
    QueryError,
    QueryMemoryError,
    QueryRefusedError,
    QueryTimeoutError,
)
from circuitkb.stores.querying.cypher_text import error_at

LONGEST_QUERY = 86_400.0
"""Seconds that a query may be given: a day."""

_LONGEST_MESSAGE = 160


def check_timeout(timeout: Any) -> None:
    """Raise :class:`QueryError` where a time limit is none.

    Examples
    --------
    >>> check_timeout(30.0)
    >>> check_timeout(float("inf"))
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: A query may run for 0 to 86400 s, not inf s.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, Real):
        raise QueryError(f"timeout is {timeout!r:.40}: it is a number of seconds.")
    if not 0 < float(timeout) <= LONGEST_QUERY:
        raise QueryError(f"A query may run for 0 to {LONGEST_QUERY:g} s, not {timeout!s:.40} s.")


def check_rows(rows: Any) -> int:
    """Return how many rows at a time; raises :class:`QueryError` where that is no number of them.

    Examples
    --------
    >>> check_rows(0)
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: rows is 0: it is a number from 1.
    """
    if isinstance(rows, bool) or not isinstance(rows, Integral) or not 1 <= int(rows) < 2**63:
        raise QueryError(f"rows is {rows!r:.40}: it is a number from 1.")
    return int(rows)


def check_limit(limit: Any) -> int | None:
    """Return how many rows to give at most; raises :class:`QueryError` where that is no number.

    Examples
    --------
    >>> check_limit(5), check_limit(None)
    (5, None)
    >>> check_limit(-1)
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: limit is -1: it is a number of rows from 0, or None for all.
    """
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, Integral) or not 0 <= int(limit) < 2**63:
        raise QueryError(f"limit is {limit!r:.40}: it is a number of rows from 0, or None for all.")
    return int(limit)


def timed_out(timeout: float) -> QueryTimeoutError:
    """Return the error of a query that ran longer than ``timeout`` seconds."""
    return QueryTimeoutError(
        f"The query ran longer than {timeout:g} s. Anchor it (a model, a layer, an id), ask for "
        f"less, or allow more time."
    )


def out_of_memory() -> QueryMemoryError:
    """Return the error of a query that was ended because of its memory."""
    return QueryMemoryError("The query needs more memory than the engine has: ask for less.")


def too_deep() -> QueryError:
    """Return the error of an answer that holds lists or maps within each other, too many."""
    return QueryError("The answer is nested too deeply: make it flatter.")


def write_refused_error() -> QueryRefusedError:
    """Return the error of a query that writes."""
    return QueryRefusedError("The query would change the knowledge base; it may only read.")


def gives_nothing(cypher: str) -> CypherError:
    """Return the error of a query that ends without RETURN."""
    return error_at("The query gives nothing: end it with RETURN.", cypher, len(cypher))


def without_value(names: Sequence[str], cypher: str) -> CypherError:
    """Return the error of a query whose parameters were not all given.

    Examples
    --------
    >>> print(without_value(["a", "b"], "RETURN $a + $b"))
    $a, $b have no value: give it as a parameter. (line 1, column 8)
      RETURN $a + $b
             ^
    """
    listed = ", ".join(f"${name}" for name in names)
    verb = "has" if len(names) == 1 else "have"
    position = cypher.find(f"${names[0]}") if names else -1
    return error_at(f"{listed} {verb} no value: give it as a parameter.", cypher, position)


def shortened(message: str) -> str:
    """Return what an engine said as one sentence of bounded length.

    Examples
    --------
    >>> shortened("/ by zero")
    '/ by zero.'
    """
    if len(message) > _LONGEST_MESSAGE:
        message = message[: _LONGEST_MESSAGE - 3] + "..."
    return message if message.endswith((".", "}", "'", ")")) else f"{message}."

"""Integers that the embedded engine would narrow to 32 bits without a word.

``SKIP 4294967296`` gives the first rows there, and ``range(1, 10)[4294967296]`` is 1. Integers have
64 bits everywhere else, so only those are refused that stand where a position, a length or a number
of rows is wanted. What a query computes while it runs cannot be seen in its text; see
:class:`circuitkb.stores.base.Capability`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from circuitkb.stores.querying.cypher_text import BEFORE_VALUES, Token, error_at

_MOST = 2**31 - 1
_OPENING, _CLOSING = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}
_ROWS = {"SKIP", "OFFSET", "LIMIT"}
_AFTER_ROWS = {
    "CALL",
    "FINISH",
    "FOREACH",
    "LIMIT",
    "MATCH",
    "OFFSET",
    "OPTIONAL",
    "ORDER",
    "RETURN",
    "SHOW",
    "SKIP",
    "UNION",
    "UNWIND",
    "WHERE",
    "WITH",
    ";",
}
_COUNTING = {"left", "right", "substring", "round"}


def refuse_narrowed(cypher: str, tokens: list[Token], parameters: Mapping[str, Any]) -> None:
    """Raise for an integer beyond 32 bits where the engine would narrow it.

    Looks at literals and at parameters, also at those inside of a map (``$page.first``).

    Raises
    ------
    CypherError
        Names the number, and marks its place.

    Examples
    --------
    >>> from circuitkb.stores.querying.cypher_text import tokens_of
    >>> text = "MATCH (f:Feature) RETURN f.id SKIP $first"
    >>> refuse_narrowed(text, tokens_of(text), {"first": 2**32})
    Traceback (most recent call last):
    circuitkb.schema.errors.CypherError: 4294967296 is too large here: this store counts rows,
    positions and lengths in 32 bits, so to 2147483647. (line 1, column 36)
      MATCH (f:Feature) RETURN f.id SKIP $first
                                         ^
    >>> text = "RETURN range(0, 4294967296, 2147483648) AS numbers LIMIT 5"
    >>> refuse_narrowed(text, tokens_of(text), {})
    """
    wide = {t.start: n for t, n in _integers(tokens, parameters) if not -_MOST <= n <= _MOST}
    if not wide:
        return
    for token in _counting(tokens):
        if token.start in wide:
            raise error_at(
                f"{wide[token.start]} is too large here: this store counts rows, positions and "
                f"lengths in 32 bits, so to {_MOST}.",
                cypher,
                token.start,
            )


def _integers(tokens: list[Token], parameters: Mapping[str, Any]) -> Iterator[tuple[Token, int]]:
    """Give the integers that are written or bound, each with its first token."""
    for index, token in enumerate(tokens):
        if token.kind == "number":
            follows_a_dot = index > 0 and tokens[index - 1].word == "."
            value: Any = _written(token.text.removeprefix(".") if follows_a_dot else token.text)
        elif token.word == "$":
            value = _bound(tokens, index + 1, parameters)
        else:
            continue
        if isinstance(value, int) and not isinstance(value, bool):
            yield token, value


def _written(text: str) -> int | None:
    """Return the integer that a number is, or None."""
    if len(text) > 40:
        return None  # longer than any that the engine takes
    for base in (10, 0):
        try:
            return int(text, base)
        except ValueError:
            continue
    return None


def _bound(tokens: list[Token], index: int, parameters: Mapping[str, Any]) -> Any:
    value: Any = parameters
    while index < len(tokens) and isinstance(value, Mapping):
        value = value.get(tokens[index].plain)
        if index + 1 >= len(tokens) or tokens[index + 1].word != ".":
            break
        index += 2
    return value


def _counting(tokens: list[Token]) -> Iterator[Token]:
    """Give the tokens that stand where rows, positions or lengths are counted."""
    around: list[str] = []  # what each open bracket is for: "index", "arguments" or ""
    arguments: list[int] = []
    rows = False
    for index, token in enumerate(tokens):
        word = token.word
        if word in _OPENING:
            purpose = _purpose(tokens, index)
            if purpose is None:  # a bracket around a part of what it stands in
                purpose = "index" if _counts(around, arguments) else ""
            around.append(purpose)
            arguments.append(0)
        elif word in _CLOSING and around:
            around.pop()
            arguments.pop()
            rows = rows and word != "}"
        elif word == "," and arguments:
            arguments[-1] += 1
        elif word in _ROWS and _begins_rows(tokens, index):
            rows = True
        elif word in _AFTER_ROWS and token.kind != "quoted":
            rows = False
        if rows or _counts(around, arguments):
            yield token


def _counts(around: list[str], arguments: list[int]) -> bool:
    """Return whether the innermost bracket is one in which is counted."""
    return bool(around) and (
        around[-1] == "index" or (around[-1] == "arguments" and arguments[-1] > 0)
    )


def _begins_rows(tokens: list[Token], index: int) -> bool:
    """Return whether a word is the keyword before a number of rows, and no name."""
    before = tokens[index - 1] if index else None
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    return (
        before is not None
        and before.word not in (".", ":", "$", "AS")
        and following is not None
        and (following.kind in ("number", "name", "quoted") or following.word in ("$", "(", "-"))
    )


def _purpose(tokens: list[Token], index: int) -> str | None:
    """Return what the bracket at ``index`` is for; None where it only groups."""
    before = tokens[index - 1] if index else None
    word = tokens[index].word
    if word == "{" or before is None:
        return ""
    named = before.kind == "quoted" or (before.kind == "name" and before.word not in BEFORE_VALUES)
    if word == "[":
        return "index" if named or before.kind == "string" or before.word in _CLOSING else ""
    if not named:
        return None
    name = before.plain.lower().removeprefix("apoc.")
    group = tokens[index - 3].plain.lower() if index > 2 and tokens[index - 2].word == "." else ""
    counts = group == "text" or name.startswith("text.") or (not group and name in _COUNTING)
    return "arguments" if counts else ""

"""How much a query may bring along: looked at before anything of it is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from circuitkb.schema.errors import CypherError

MOST_CHARACTERS = 1_000_000
"""Of the text of a query."""

MOST_BYTES = 10_000_000
"""Of all parameters of a query together: of their texts in UTF-8, and 8 for any other value."""

MOST_ITEMS = 1_000_000
"""Values in all parameters of a query together, those inside of lists and maps counted."""

DEEPEST = 64
"""Lists and maps within each other."""

_NAME = re.compile(r"\w+")
_VALUE = 8


def check_text(cypher: Any) -> str:
    """Return the text of a query if it is one of bounded length.

    Raises
    ------
    CypherError
        It is no text, is too long, or holds half of a surrogate pair.

    Examples
    --------
    >>> check_text(None)
    Traceback (most recent call last):
    circuitkb.schema.errors.CypherError: A query is text, not None.
    >>> check_text("RETURN 1 //" + "x" * 1_000_000)
    Traceback (most recent call last):
    circuitkb.schema.errors.CypherError: The query has 1,000,011 characters; 1,000,000 are the most.
    Give long values as parameters.
    """
    if not isinstance(cypher, str):
        shown = "None" if cypher is None else f"a {type(cypher).__name__}"
        raise CypherError(f"A query is text, not {shown}.")
    if len(cypher) > MOST_CHARACTERS:
        raise CypherError(
            f"The query has {len(cypher):,} characters; {MOST_CHARACTERS:,} are the most. Give "
            "long values as parameters."
        )
    _bytes_of(cypher, "The query")
    return str(cypher)


def check_parameters(parameters: Any) -> dict[str, Any]:
    """Return the parameters as the engines take them, if they are of bounded size.

    Raises
    ------
    CypherError
        A name that Cypher cannot write, a value it has no type for, or more than a bound allows;
        names the parameter.

    Examples
    --------
    >>> check_parameters({"ids": ("a", "b")})
    {'ids': ['a', 'b']}
    >>> check_parameters({"f": open})
    Traceback (most recent call last):
    circuitkb.schema.errors.CypherError: $f: a builtin_function_or_method cannot be a parameter;
    use text, numbers, true, false, null, lists and maps.
    """
    if parameters is None:
        return {}
    if not isinstance(parameters, Mapping):
        raise CypherError(
            f"Parameters are a mapping from names to values, not a {type(parameters).__name__}."
        )
    reading = _Reading()
    taken = {}
    for name, value in parameters.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name) and len(name) <= 1_000):
            raise CypherError(
                f"{name!r:.80} cannot name a parameter: use letters, digits and '_', without '$'."
            )
        taken[name] = reading.plain(f"${name}", value)
    return taken


class _Reading:
    """Counts what the parameters of one query hold while they are made plain."""

    def __init__(self) -> None:
        self.bytes = 0
        self.items = 0
        self.around: list[int] = []

    def plain(self, name: str, value: Any) -> Any:
        if hasattr(value, "tolist") and not isinstance(value, type):  # NumPy scalars and arrays
            value = self._from_array(name, value)
        self._count(name, 1, 0)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            self._count(name, 0, _bytes_of(value, name))
            return str(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, int):
            if not -(2**63) <= value < 2**63:
                raise CypherError(f"{name}: an integer does not fit into 64 bits.")
            return int(value)
        if isinstance(value, list | tuple | set | frozenset):
            with_all = self._within(name, value)
            return [self.plain(name, item) for item in with_all]
        if isinstance(value, Mapping):
            return self._map(name, value)
        raise _no_parameter(name, value)

    def _map(self, name: str, value: Mapping[Any, Any]) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, item in self._within(name, value.items(), value):
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise CypherError(f"{name}: {key!r:.80} cannot be the key of a map; use text.")
            text = str(key)
            self._count(name, 0, _bytes_of(text, name))
            if "\x01" in text:  # the engine's package writes its own types so
                raise CypherError(f"{name}: a key of a map holds a control character.")
            if text in plain:
                raise CypherError(f"{name}: a map has two values for {text!r:.80}.")
            plain[text] = self.plain(name, item)
        return plain

    def _within(self, name: str, items: Any, owner: Any = None) -> Iterator[Any]:
        """Give the items of a list or map, which must not be within itself."""
        here = id(items if owner is None else owner)
        if here in self.around:
            raise CypherError(f"{name} contains itself.")
        if len(self.around) >= DEEPEST:
            raise CypherError(f"{name}: lists and maps within each other, more than {DEEPEST}.")
        self._count(name, len(items), 0, only_looking=True)
        self.around.append(here)
        yield from items
        self.around.pop()

    def _from_array(self, name: str, value: Any) -> Any:
        try:
            size = value.size if isinstance(getattr(value, "size", None), int) else len(value)
        except TypeError:
            size = 1
        self._count(name, size, 0, only_looking=True)
        try:
            plain = value.tolist()
        except Exception as error:
            raise _no_parameter(name, value) from error
        if hasattr(plain, "tolist"):
            raise _no_parameter(name, value)
        return plain

    def _count(self, name: str, items: int, texts: int, *, only_looking: bool = False) -> None:
        if self.items + items > MOST_ITEMS:
            raise CypherError(f"{name}: all parameters together hold over {MOST_ITEMS:,} values.")
        if only_looking:
            return
        self.items += items
        self.bytes += items * _VALUE + texts
        if self.bytes > MOST_BYTES:
            raise CypherError(f"{name}: all parameters together take over {MOST_BYTES:,} bytes.")


def _no_parameter(name: str, value: Any) -> CypherError:
    return CypherError(
        f"{name}: a {type(value).__name__} cannot be a parameter; "
        f"use text, numbers, true, false, null, lists and maps."
    )


def _bytes_of(text: str, what: str) -> int:
    """Return how many bytes a text has in UTF-8."""
    try:
        return len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise CypherError(f"{what} holds half of a surrogate pair, which is no text.") from error

"""Cypher text with its bound parameters: what a question is, before a store runs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PARAMETER = re.compile(r"\$(\w+)")
_NOT_CODE = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """Cypher and the values of its ``$parameters``.

    Examples
    --------
    >>> Statement("RETURN $x AS x", {"x": 1}).parameters
    {'x': 1}
    """

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text


def without_literals(cypher: str) -> str:
    """Return the text with quoted strings and comments blanked, so that names can be read off it.

    Examples
    --------
    >>> without_literals("RETURN '$a' AS b // $c")
    "RETURN '' AS b "
    """
    return _NOT_CODE.sub(lambda found: "''" if found[0][0] in "'\"" else "", cypher)


def parameter_names(cypher: str) -> frozenset[str]:
    """Return the names of the parameters that the text asks for.

    Examples
    --------
    >>> sorted(parameter_names("RETURN $a + $b, '$c'"))
    ['a', 'b']
    """
    return frozenset(_PARAMETER.findall(without_literals(cypher)))

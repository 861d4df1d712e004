"""A condition as somebody writes it, ``q <= 0.05``: a property, an operator, a value."""

from __future__ import annotations

import json
import re
from typing import Any

from circuitkb.queries.lists.predicates import OPERATORS
from circuitkb.schema.errors import QueryError
from circuitkb.schema.properties import NodeType, RelationType

_SIGNS = "|".join(sorted((o for o in OPERATORS if not o[0].isalpha()), key=len, reverse=True))
_WORDS = "|".join(o for o in OPERATORS if o[0].isalpha())
_WRITTEN = re.compile(rf"\s*(\w+)(?:\s*({_SIGNS})\s*|\s+({_WORDS})\s+)(.*?)\s*", re.DOTALL)


def written(text: str, owner: NodeType | RelationType) -> tuple[str, str, Any]:
    """Return what ``Criteria.where`` takes: the property, the operator and the value.

    A value is JSON, or else text; for a property that is text it is what stands there, unless in
    quotes.

    Raises
    ------
    QueryError
        It is not written so.

    Examples
    --------
    >>> from circuitkb.schema.definition import node_type
    >>> evidence = node_type("Evidence")
    >>> written("q <= 0.05", evidence), written("kind=union", evidence)
    (('q', '<=', 0.05), ('kind', '=', 'union'))
    >>> written('kind in ["union", "orientation"]', evidence)
    ('kind', 'in', ['union', 'orientation'])
    >>> written("q", evidence)
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: 'q' is no condition: write a property, an operator (=, <>,
    <, <=, >, >=, in, contains, starts with, ends with) and a value, as in 'q <= 0.05'.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise QueryError(
            f"{text!r} is no condition: write a property, an operator ({', '.join(OPERATORS)}) and "
            "a value, as in 'q <= 0.05'."
        )
    name, sign, word, given = found.groups()
    try:
        value = json.loads(given)
    except (ValueError, RecursionError):
        value = given
    types = {item.name: item.type for item in owner.properties}
    if types.get(name) in ("string", "strings") and not isinstance(value, str | list):
        value = given
    operator = sign or word
    if operator == "in" and not isinstance(value, list):
        value = [part.strip() for part in given.split(",")] if value == given else [value]
    return name, operator, value

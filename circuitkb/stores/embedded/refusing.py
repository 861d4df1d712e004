"""What must not reach the embedded engine.

It opens the graph read-only and knows best what writes. This page only refuses what it would let
through: procedures and functions of its own that run other queries or wait.
"""

from __future__ import annotations

from circuitkb.schema.errors import QueryRefusedError
from circuitkb.stores.querying.cypher_text import Token
from circuitkb.stores.querying.refusals import calls_of, refuse_on_any_engine

_READING = ("algo.", "db.", "meta.", "path.")
_REFUSED_FUNCTIONS = {"util.sleep", "util.decompress"}


def refuse(cypher: str, tokens: list[Token]) -> None:
    """Raise :class:`QueryRefusedError` for what must not reach the engine.

    Examples
    --------
    >>> from circuitkb.stores.querying.cypher_text import tokens_of
    >>> text = "RETURN `util`.sleep(9)"
    >>> refuse(text, tokens_of(text))
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryRefusedError: The function util.sleep is not for queries.
    >>> text = "MATCH (n:Label {text: 'CALL do.when()'}) RETURN n // util.sleep(9)"
    >>> refuse(text, tokens_of(text))
    """
    refuse_on_any_engine(cypher, tokens)
    for call in calls_of(tokens):
        bare = call.name.removeprefix("apoc.")
        if call.procedure and not bare.startswith(_READING):
            raise QueryRefusedError(
                f"CALL {call.name}: only procedures that read the graph may be called "
                f"({', '.join(prefix + '*' for prefix in _READING)})."
            )
        if call.function and bare in _REFUSED_FUNCTIONS:
            raise QueryRefusedError(f"The function {call.name} is not for queries.")

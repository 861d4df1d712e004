"""What a query must not say on any engine, and the procedures and functions that it calls.

The text is looked at token by token, so that nothing inside a string, a comment or a quoted name
counts. What each engine lets through beside this stands in its ``refusing.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from circuitkb.schema.errors import CypherError, QueryRefusedError
from circuitkb.stores.querying.cypher_text import Token, error_at


@dataclass(frozen=True, slots=True)
class CalledName:
    """A name with dots in it, lower-case and without quotes, that may be called.

    ``procedure`` says that CALL stands before it, ``function`` that only a bracket stands after it.
    """

    name: str
    procedure: bool
    function: bool


def refuse_on_any_engine(cypher: str, tokens: list[Token]) -> None:
    """Raise for a text that no engine may get.

    Raises
    ------
    QueryRefusedError
        LOAD CSV, or more than one statement.
    CypherError
        No text at all, a NUL, or a string, quoted name or comment that does not end.

    Examples
    --------
    >>> from circuitkb.stores.querying.cypher_text import tokens_of
    >>> text = "LOAD /* */ CSV FROM 'file:///etc/passwd' AS line RETURN line"
    >>> refuse_on_any_engine(text, tokens_of(text))
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryRefusedError: LOAD CSV reads files, and a query may only read the
    knowledge base.
    >>> text = "MATCH (n:Label {text: 'LOAD CSV'}) RETURN n // LOAD CSV"
    >>> refuse_on_any_engine(text, tokens_of(text))
    """
    if "\x00" in cypher:
        raise CypherError("A query cannot hold a NUL character.", position=cypher.index("\x00"))
    if not tokens:
        raise CypherError("The query is empty.", position=0)
    for here, following in pairwise(tokens):
        if here.word == "LOAD" and following.word == "CSV":
            raise QueryRefusedError(
                "LOAD CSV reads files, and a query may only read the knowledge base."
            )
        if here.word == ";":
            raise QueryRefusedError("One statement at a time: something follows the ';'.")
    if tokens[-1].kind == "unclosed":
        begun = "comment" if tokens[-1].text.startswith("/*") else tokens[-1].text[0]
        raise error_at(f"This {begun} has no end.", cypher, tokens[-1].start)


def calls_of(tokens: list[Token]) -> Iterator[CalledName]:
    """Give each name of the form ``a.b.c``, also one that is quoted as a whole.

    Examples
    --------
    >>> from circuitkb.stores.querying.cypher_text import tokens_of
    >>> [call.name for call in calls_of(tokens_of("CALL `db` . /* */ Labels() YIELD x RETURN x"))]
    ['db.labels']
    """
    index = 0
    while index < len(tokens):
        start = index
        parts = []
        while index < len(tokens) and tokens[index].kind in ("name", "quoted"):
            parts.append(tokens[index].plain.lower())
            index += 1
            if index + 1 < len(tokens) and tokens[index].word == ".":
                index += 1
            else:
                break
        name = ".".join(parts)
        if "." in name:
            procedure = start > 0 and tokens[start - 1].word == "CALL"
            bracket = index < len(tokens) and tokens[index].word == "("
            yield CalledName(name, procedure, bracket and not procedure)
        index = max(index, start + 1)

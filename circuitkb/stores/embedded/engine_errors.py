"""What the engine says went wrong with a query, as errors of ours with the place in the text."""

from __future__ import annotations

import re

from circuitkb.schema.errors import QueryError, QueryRefusedError
from circuitkb.stores.embedded.faults import Fault
from circuitkb.stores.querying.cypher_text import error_at, position_of, tokens_of
from circuitkb.stores.querying.errors import (
    out_of_memory,
    shortened,
    timed_out,
    without_value,
    write_refused_error,
)
from circuitkb.stores.querying.rewriting import Rewritten

_PLACE = re.compile(r"(?:^Syntax error )?at line (\d+)(?:, column |:)(\d+)(?: - )?")
_NAMED = re.compile(r"'([^']+)'")
_CHANGING = ("QueryNotIdempotentException", "DatabaseIsReadOnlyException")
_WRITING = {
    "ALTER",
    "CREATE",
    "DELETE",
    "DETACH",
    "DROP",
    "FOREACH",
    "INSERT",
    "MERGE",
    "REMOVE",
    "SET",
    "START",
    "COMMIT",
    "ROLLBACK",
}


def query_error(fault: Fault, sent: Rewritten, offset: int, timeout: float) -> QueryError:
    """Return our error for what the engine said of a query.

    Parameters
    ----------
    fault
        What the engine said; its lines and columns count in ``sent.text[offset:]``.
    sent
        The query as the user wrote it, and as it was sent.
    offset
        Where the part begins that the engine parsed.
    timeout
        Seconds that the query had.
    """
    cypher = sent.cypher
    if "TimeoutException" in fault.kinds:
        return timed_out(timeout)
    if "OutOfMemoryError" in fault.kinds:
        return out_of_memory()
    if fault.kind == "QueryNotIdempotentException" and not any(
        token.word in _WRITING for token in tokens_of(cypher)
    ):  # what the engine does not know might write, it says
        return QueryRefusedError("The query calls a procedure or function that is unknown here.")
    if any(kind in _CHANGING for kind in fault.kinds):
        return write_refused_error()
    if "SecurityException" in fault.kinds:
        return QueryRefusedError(
            "The query would read a file or the network; it may only read the knowledge base."
        )
    if fault.kind == "CommandParameterMissingException":
        return without_value(fault.message.rpartition(":")[2].replace(",", " ").split(), cypher)
    message = fault.message.replace(sent.text, cypher).split("\n")[0]
    if message.startswith("FeatureNotImplemented: USE "):
        return QueryRefusedError("USE: a query may only read the knowledge base it is sent to.")
    if "NumberFormatException" in message:
        return error_at("A length in a pattern is too large.", cypher, -1)
    place = _PLACE.search(message)
    if place:
        place_sent = position_of(sent.text[offset:], int(place[1]), int(place[2]))
        position = sent.written(offset + place_sent)
        message = _PLACE.sub("", message, count=1).strip()
    else:
        position = _first_token(cypher, message)
    return error_at(_short(message), cypher, position)


def _first_token(cypher: str, message: str) -> int:
    """Return where the name stands that a message without a place quotes, or -1."""
    names = _NAMED.findall(message)
    if not names:
        return -1
    for token in tokens_of(cypher):
        if token.plain == names[-1]:
            return token.start
    return -1


def _short(message: str) -> str:
    """Leave out the engine's prefix and the long list of everything it would have taken."""
    message = re.sub(r"^[A-Z][A-Za-z]+: (?=[A-Z])", "", message)
    message = re.sub(r",? expect(?:ed|ing):? (?:one of |\{)[^\n]{60,}", "", message)
    return shortened(message)

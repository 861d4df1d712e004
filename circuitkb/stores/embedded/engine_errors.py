"""What the engine says went wrong with a query, as errors of ours with the place in the text."""

from __future__ import annotations

import re

from circuitkb.schema.errors import QueryError, QueryRefusedError, QueryTimeoutError
from circuitkb.stores.cypher_text import error_at, position_of, tokens_of

from .engine import Fault

_PLACE = re.compile(r"(?:^Syntax error )?at line (\d+)(?:, column |:)(\d+)(?: - )?")
_NAMED = re.compile(r"'([^']+)'")
_WOULD_CHANGE = "The query would change the knowledge base; it may only read."
_REFUSED = {
    "QueryNotIdempotentException": _WOULD_CHANGE,
    "DatabaseIsReadOnlyException": _WOULD_CHANGE,
    "SecurityException": "The query would read a file or the network; it may only read the "
    "knowledge base.",
}
_WRITING = {
    "ALTER", "CREATE", "DELETE", "DETACH", "DROP", "FOREACH", "INSERT", "MERGE", "REMOVE", "SET",
    "START", "COMMIT", "ROLLBACK",
}  # fmt: skip
_LONGEST = 160


def timed_out(timeout: float) -> QueryTimeoutError:
    """Return the error of a query that ran longer than ``timeout`` seconds."""
    return QueryTimeoutError(
        f"The query ran longer than {timeout:g} s. Anchor it (a model, a layer, an id), ask for "
        f"less, or allow more time."
    )


def query_error(fault: Fault, cypher: str, offset: int, timeout: float) -> QueryError:
    """Return our error for what the engine said of ``cypher``.

    Parameters
    ----------
    fault
        What the engine said; its lines and columns count in ``cypher[offset:]``.
    cypher
        The query as the user wrote it.
    offset
        Where the part begins that the engine parsed.
    timeout
        Seconds that the query had.
    """
    if "TimeoutException" in fault.kinds:
        return timed_out(timeout)
    if "OutOfMemoryError" in fault.kinds:
        return QueryError("The query needs more memory than the engine has: ask for less.")
    if fault.kind == "QueryNotIdempotentException" and not any(
        token.word in _WRITING for token in tokens_of(cypher)
    ):  # what the engine does not know might write, it says
        return QueryRefusedError("The query calls a procedure or function that is unknown here.")
    for kind in fault.kinds:
        if kind in _REFUSED:
            return QueryRefusedError(_REFUSED[kind])
    if fault.kind == "CommandParameterMissingException":
        names = fault.message.rpartition(":")[2].replace(",", " ").split()
        listed = ", ".join(f"${name}" for name in names)
        verb = "has" if len(names) == 1 else "have"
        position = cypher.find(f"${names[0]}") if names else -1
        return error_at(f"{listed} {verb} no value: give it as a parameter.", cypher, position)
    message = fault.message.split("\n")[0]
    if message.startswith("FeatureNotImplemented: USE "):
        return QueryRefusedError("USE: a query may only read the knowledge base it is sent to.")
    place = _PLACE.search(message)
    if place:
        position = offset + position_of(cypher[offset:], int(place[1]), int(place[2]))
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
    if len(message) > _LONGEST:
        message = message[: _LONGEST - 3] + "..."
    return message if message.endswith((".", "}", "'", ")")) else f"{message}."

"""What Neo4j says went wrong with a query, as errors of ours with the place in the text."""

from __future__ import annotations

import re

from circuitkb.schema.errors import CircuitKBError, CypherError, QueryError, StoreAccessError
from circuitkb.stores.querying.cypher_text import error_at, tokens_of
from circuitkb.stores.querying.errors import (
    gives_nothing,
    out_of_memory,
    shortened,
    timed_out,
    without_value,
    write_refused_error,
)
from circuitkb.stores.querying.rewriting import Rewritten

_PLACE = re.compile(r"\s*\(line \d+, column \d+ \(offset: (\d+)\)\)")
_CAUSE = re.compile(r"^Failed to invoke (?:procedure|function) .*?Caused by: (?:[\w$]+\.)+[\w$]+: ")
_EXPECTED = re.compile(r",? expected [^\n]{60,}")
_PROCEDURE = re.compile(r"There is no procedure with the name `([^`]+)`")
_NAMED = re.compile(r"['\"`]([^'\"`]+)['\"`]")
_OUTSIDE_OF_DATES = (
    "The answer holds a date that cannot be sent, before the year 1 or after 9999: "
    "return toString() of it."
)


def query_error(error: Exception, sent: Rewritten, timeout: float) -> CircuitKBError | None:
    """Return our error for what the driver raised over a query.

    None where it is not about the query but about the server or the way to it, which
    :func:`~circuitkb.stores.server.faults.store_error` tells.

    Parameters
    ----------
    error
        What the driver raised.
    sent
        The query as the user wrote it, and as it was sent.
    timeout
        Seconds that the query had.
    """
    from neo4j.exceptions import BrokenRecordError, Neo4jError

    if isinstance(error, BrokenRecordError):
        return CypherError(_OUTSIDE_OF_DATES)
    if not isinstance(error, Neo4jError):
        return None
    code = (error.code or "").removeprefix("Neo.")
    message = str(error.message or "")
    if "TransactionTimedOut" in code:
        return timed_out(timeout)
    if "OutOfMemory" in code:
        return out_of_memory()
    if "StackOverFlow" in code:
        return QueryError("The query is nested too deeply for the server: write it flatter.")
    if code.endswith(("Transaction.Terminated", "Transaction.TransactionMarkedAsFailed")):
        return QueryError("The server ended the query before its time: ask again.")
    if code.endswith(("Statement.AccessMode", "ForbiddenOnReadOnlyDatabase")):
        return write_refused_error()
    if code.endswith("Security.Forbidden"):
        return StoreAccessError(
            "This user may not read that: ask the server's administrator for a role that may."
        )
    if code.endswith("Statement.ParameterMissing"):
        return without_value(message.rpartition(":")[2].replace(",", " ").split(), sent.cypher)
    if "Statement." in code or "Procedure." in code:
        return _in_the_text(message, sent)
    return None


def _in_the_text(message: str, sent: Rewritten) -> CypherError:
    """Return the error of a text that the server cannot run, with the spot where it is known."""
    cypher = sent.cypher
    if message.startswith("Query cannot conclude with"):
        return gives_nothing(cypher)
    unknown = _PROCEDURE.match(message)
    if unknown:
        name = unknown[1]
        return error_at(
            f"There is no procedure {name} on this server.",
            cypher,
            _start_of(cypher, name.split(".")[0]),
        )
    said, *rest = _CAUSE.sub("", message).split("\n")
    place = _PLACE.search(said)
    if place:
        position = sent.written(_characters(sent.text, int(place[1])))
        said = _PLACE.sub("", said, count=1)
    else:
        if rest and rest[0].startswith('"'):  # the text that could not be parsed, on its own line
            said = f"{said}: {rest[0]}"
        named = _NAMED.findall(said)
        position = _start_of(cypher, named[-1]) if named else -1
    said = _EXPECTED.sub("", said.strip()).removesuffix(":")
    return error_at(shortened(said), cypher, position)


def _characters(cypher: str, units: int) -> int:
    """Return an offset in characters for one that counts as Java does, in units of UTF-16."""
    before = cypher.encode("utf-16-le")[: 2 * units]
    return len(before.decode("utf-16-le", errors="ignore"))


def _start_of(cypher: str, name: str) -> int:
    """Return where a name or a string of this content stands, or -1."""
    for token in tokens_of(cypher):
        if token.plain == name or (token.kind == "string" and token.text[1:-1] == name):
            return token.start
    return -1

"""Queries of users on a Neo4j server: they only read, within a time and a number of rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from neo4j.exceptions import DriverError, Neo4jError

from circuitkb.schema.errors import StoreUnreachableError
from circuitkb.stores.base import Answer
from circuitkb.stores.querying.bounds import check_parameters, check_text
from circuitkb.stores.querying.cypher_text import tokens_of
from circuitkb.stores.querying.errors import check_limit, check_rows, check_timeout, timed_out
from circuitkb.stores.querying.labelling import LABELS, labelled
from circuitkb.stores.querying.rewriting import Rewritten
from circuitkb.stores.server.query_faults import query_error
from circuitkb.stores.server.refusing import refuse
from circuitkb.stores.server.values import plain

if TYPE_CHECKING:
    from neo4j import Result, Session, Transaction

GRACE = 1.5
"""Seconds that the server gets to notice a query's time limit before its connection is cut.

It looks at the clock twice a second or so, and between two rows.
"""

PATIENCE = 60.0
"""Seconds that the server gets to begin: to be connected to, and to be as new as what was written.
"""

_PIECE = 1_000
_PLAN = "executionPlanAsString"

T = TypeVar("T")
Piece = tuple[tuple[str, ...], list[tuple[Any, ...]], bool]


class Sessions(Protocol):
    """Opens a session of the driver with further settings of it."""

    def __call__(self, **settings: Any) -> Session:
        """Return it, to be closed by the caller."""


def ask(
    open_session: Sessions,
    cypher: str,
    parameters: Mapping[str, Any] | None,
    *,
    timeout: float,
    limit: int | None,
    labels: frozenset[str] = LABELS,
) -> Answer:
    """Run a query of a user; see :meth:`circuitkb.stores.base.Store.read`.

    It runs in READ mode, in a transaction that is rolled back whatever happens.

    Parameters
    ----------
    open_session
        Opens a session with the right database.
    cypher, parameters
        The query.
    timeout
        Seconds after which the server ends it. Where it does not, its connection is cut.
    limit
        Rows to give at most; no more than one further is fetched.
    labels
        Those of the graph's nodes.

    Raises
    ------
    CypherError, QueryRefusedError, QueryTimeoutError, StoreUnreachableError
    neo4j.exceptions.Neo4jError, neo4j.exceptions.DriverError
        The server or the way to it is to blame, not the query.
    """
    limit = check_limit(limit)
    found = _pieces(open_session, cypher, parameters, timeout, limit, labels, alone=True)
    with closing(found):
        return next(found)


def pieces(
    open_session: Sessions,
    cypher: str,
    parameters: Mapping[str, Any] | None,
    *,
    timeout: float,
    rows: int,
    labels: frozenset[str] = LABELS,
) -> Iterator[Answer]:
    """Give all rows of a query of a user; see :meth:`circuitkb.stores.base.Store.stream`."""
    rows = check_rows(rows)
    return _pieces(open_session, cypher, parameters, timeout, rows, labels, alone=False)


def _pieces(
    open_session: Sessions,
    cypher: str,
    parameters: Mapping[str, Any] | None,
    timeout: float,
    rows: int | None,
    labels: frozenset[str],
    *,
    alone: bool,
) -> Generator[Answer]:
    """Give the rows of a query, up to ``rows`` at a time; the first piece only if ``alone``.

    The driver is called in a thread of its own, so that Ctrl-C and the clock are seen meanwhile.
    """
    check_timeout(timeout)
    sent, given, left = _checked(labels, cypher, parameters, timeout)
    started = time.perf_counter()
    fetched = _PIECE if rows is None else min(rows + 1, _PIECE)
    session = open_session(default_access_mode="READ", fetch_size=fetched)
    thread = ThreadPoolExecutor(1, "circuitkb query")
    running = False

    def within(seconds: float, error: Exception, function: Callable[[], T]) -> T:
        nonlocal running
        running = True
        call = thread.submit(function)
        try:
            return call.result(seconds)
        except TimeoutError:
            raise error from None
        finally:
            running = not call.done()

    def begin() -> Transaction:
        return session.begin_transaction(timeout=left)

    def piece() -> tuple[Result, Piece]:
        asked = transaction.run(sent.text, given) if result is None else result
        found = _piece(asked, rows)
        if alone:  # here, as another change of threads costs as much again
            session.close()
        return asked, found

    silent = StoreUnreachableError(f"The server did not answer within {PATIENCE:g} s.")
    result: Result | None = None
    try:
        transaction = within(PATIENCE, silent, begin)
        end = time.monotonic() + left
        while (now := time.monotonic()) < end:
            result, found = within(end - now + GRACE, timed_out(timeout), piece)
            columns, read, ended = found
            seconds = time.perf_counter() - started
            yield Answer(columns, read, alone and not ended, seconds, sent.text)
            if ended or alone:
                return
        raise timed_out(timeout)
    except (Neo4jError, DriverError) as error:
        raise query_error(error, sent, timeout) or error from None
    finally:
        # What the server has ready and nobody wants goes with the connection's reset.
        if running or not (session.closed() or wait([thread.submit(session.close)], GRACE).done):
            _cut(session)
        thread.shutdown(wait=False)


def _checked(
    labels: frozenset[str], cypher: Any, parameters: Any, timeout: float
) -> tuple[Rewritten, dict[str, Any], float]:
    """Return a query that may be sent, and the seconds that are left of its time."""
    end = time.monotonic() + float(timeout)
    cypher = check_text(cypher)
    tokens = tokens_of(cypher)
    refuse(cypher, tokens)
    given = check_parameters(parameters)
    sent = labelled(cypher, tokens)
    if sent.edits and not labels <= LABELS:
        sent = Rewritten(cypher, cypher)
    left = end - time.monotonic()
    if left <= 0:
        raise timed_out(timeout)
    return sent, given, left


def _cut(session: Session) -> None:
    """Close a connection that another thread waits on; its server then ends the transaction.

    The driver offers this (``cancel``) to its asynchronous sessions alone.
    """
    connection = getattr(session, "_connection", None)
    if connection is not None:
        connection.kill()


def _piece(result: Result, rows: int | None) -> Piece:
    """Return columns, up to ``rows`` further rows, and whether there are no more."""
    records = result if rows is None else islice(result, rows)
    found = [tuple(plain(value) for value in record.values()) for record in records]
    ended = result.peek() is None
    plan = result.consume().plan if ended and not found else None
    if plan is not None:
        return (_PLAN,), [(plan_text(plan),)], True
    return tuple(result.keys()), found, ended


def plan_text(plan: Mapping[str, Any], depth: int = 0) -> str:
    """Return what EXPLAIN tells, an operator a line, those that it reads from indented below.

    Examples
    --------
    >>> scan = {"operatorType": "NodeByLabelScan@neo4j", "args": {"Details": "n:Feature"}}
    >>> print(plan_text({"operatorType": "ProduceResults@neo4j", "children": [scan]}))
    + ProduceResults
      + NodeByLabelScan n:Feature
    """
    said = plan.get("args", {})
    name = str(plan.get("operatorType", "")).partition("@")[0]
    rows = f" (about {said['EstimatedRows']:g} rows)" if "EstimatedRows" in said else ""
    line = f"{'  ' * depth}+ {name} {said.get('Details', '')}".rstrip() + rows
    return "\n".join([line, *(plan_text(child, depth + 1) for child in plan.get("children", ()))])

"""Queries of users on a Neo4j server: they only read, within a time and a number of rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from neo4j.exceptions import DriverError, Neo4jError

from circuitkb.schema.errors import QueryTimeoutError, StoreUnreachableError
from circuitkb.stores.base import Answer
from circuitkb.stores.querying.bounds import check_parameters, check_text
from circuitkb.stores.querying.cypher_text import tokens_of
from circuitkb.stores.querying.errors import check_limit, check_rows, check_timeout, timed_out
from circuitkb.stores.querying.labelling import LABELS, Labelled, labelled
from circuitkb.stores.querying.timed_worker import TimedWorker, taken
from circuitkb.stores.server.query_faults import query_error
from circuitkb.stores.server.refusing import refuse
from circuitkb.stores.server.values import plain

if TYPE_CHECKING:
    from neo4j import Result, Session

GRACE = 1.5
"""Seconds that the server gets to notice a query's time limit before its connection is cut.

It looks at the clock twice a second or so, and between two rows.
"""

PATIENCE = 60.0
"""Seconds that the server gets to begin: to be connected to, and to be as new as what was written.
"""

_PIECE = 1_000
_PLAN = "executionPlanAsString"


Found = tuple[tuple[str, ...], list[tuple[Any, ...]], bool]


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
    check_timeout(timeout)
    limit = check_limit(limit)
    sent, taken, left = _checked(labels, cypher, parameters, timeout)
    started = time.perf_counter()
    session = open_session(
        default_access_mode="READ",
        fetch_size=_PIECE if limit is None else min(limit + 1, _PIECE),
    )
    columns, rows, truncated = _within_time(session, sent, taken, left, timeout, limit)
    return Answer(columns, rows, truncated, time.perf_counter() - started, sent.text)


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
    check_timeout(timeout)
    rows = check_rows(rows)
    sent, given, left = _checked(labels, cypher, parameters, timeout)
    started = time.perf_counter()
    session = open_session(default_access_mode="READ", fetch_size=min(rows, _PIECE))
    with TimedWorker(left, told=timeout) as worker:
        try:
            transaction = worker.call(lambda: session.begin_transaction(timeout=left))
            result = worker.call(lambda: transaction.run(sent.text, given))
            columns = tuple(result.keys())
            source, first = iter(result), True
            while True:
                found = worker.call(lambda: taken(source, rows))
                if not found and not first:
                    return
                read = [tuple(plain(value) for value in record.values()) for record in found]
                yield Answer(columns, read, False, time.perf_counter() - started, sent.text)
                if len(found) < rows:
                    return
                first = False
        except (Neo4jError, DriverError) as error:
            raise query_error(error, sent, timeout) or error from None
        finally:
            if not worker.lost:
                # What the server has ready and nobody wants goes with the connection's reset.
                with suppress(QueryTimeoutError):
                    worker.call(session.close, closing=True)
            if worker.lost:
                _cut(session)


def _checked(
    labels: frozenset[str], cypher: Any, parameters: Any, timeout: float
) -> tuple[Labelled, dict[str, Any], float]:
    """Return a query that may be sent, and the seconds that are left of its time."""
    end = time.monotonic() + float(timeout)
    cypher = check_text(cypher)
    tokens = tokens_of(cypher)
    refuse(cypher, tokens)
    given = check_parameters(parameters)
    sent = labelled(cypher, tokens)
    if sent.added and not labels <= LABELS:
        sent = Labelled(cypher, cypher)
    left = end - time.monotonic()
    if left <= 0:
        raise timed_out(timeout)
    return sent, given, left


def _within_time(
    session: Session,
    sent: Labelled,
    parameters: dict[str, Any],
    left: float,
    timeout: float,
    limit: int | None,
) -> Found:
    """Run in a thread of its own, so that Ctrl-C and the clock are seen meanwhile.

    ``left`` are the seconds that it may run, ``timeout`` those that an error names.
    """
    begun = threading.Event()
    outcome: list[Found] = []
    failure: list[Exception] = []

    def run() -> None:
        try:
            with session, session.begin_transaction(timeout=left) as transaction:
                begun.set()
                outcome.append(_fetched(transaction.run(sent.text, parameters), limit))
                transaction.rollback()
        except Exception as error:
            failure.append(error)
        finally:
            begun.set()

    thread = threading.Thread(target=run, name="circuitkb query", daemon=True)
    thread.start()
    answers = ends = False
    try:
        answers = begun.wait(PATIENCE)
        if answers:
            thread.join(left + GRACE)
        ends = not thread.is_alive()
    finally:
        if not ends:
            _cut(session)
    if outcome:
        return outcome[0]
    if not answers:
        raise StoreUnreachableError(f"The server did not answer within {PATIENCE:g} s.")
    if not ends:
        raise timed_out(timeout)
    raise query_error(failure[0], sent, timeout) or failure[0]


def _cut(session: Session) -> None:
    """Close a connection that another thread waits on; its server then ends the transaction.

    The driver offers this (``cancel``) to its asynchronous sessions alone.
    """
    connection = getattr(session, "_connection", None)
    if connection is not None:
        connection.kill()


def _fetched(result: Result, limit: int | None) -> Found:
    """Return columns, rows up to the limit, and whether there are more."""
    columns = tuple(result.keys())
    rows: list[tuple[Any, ...]] = []
    for record in result:
        if limit is not None and len(rows) >= limit:
            return columns, rows, True
        rows.append(tuple(plain(value) for value in record.values()))
    plan = None if rows else result.consume().plan
    if plan is not None:
        return (_PLAN,), [(plan_text(plan),)], False
    return columns, rows, False


def plan_text(plan: Mapping[str, Any], depth: int = 0) -> str:
    """Return what EXPLAIN tells, an operator a line, those that it reads from indented below.

    Examples
    --------
    >>> scan = {"operatorType": "NodeByLabelScan@neo4j", "args": {"Details": "n:Feature"}}
    >>> print(plan_text({"operatorType": "ProduceResults@neo4j", "children": [scan]}))
    + ProduceResults
      + NodeByLabelScan n:Feature
    """
    told = plan.get("args", {})
    name = str(plan.get("operatorType", "")).partition("@")[0]
    rows = f" (about {told['EstimatedRows']:g} rows)" if "EstimatedRows" in told else ""
    line = f"{'  ' * depth}+ {name} {told.get('Details', '')}".rstrip() + rows
    return "\n".join([line, *(plan_text(child, depth + 1) for child in plan.get("children", ()))])

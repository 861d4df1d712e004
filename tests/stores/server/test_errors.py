"""What is wrong with a query on a Neo4j server is said in a line, with a mark under the spot."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import neo4j
import pytest
from neo4j.exceptions import Neo4jError

from circuitkb.schema.errors import (
    CircuitKBError,
    CypherError,
    QueryError,
    QueryMemoryError,
    QueryRefusedError,
    QueryTimeoutError,
    StoreAccessError,
    StoreUnreachableError,
)
from circuitkb.stores.base import Store
from circuitkb.stores.querying.rewriting import Rewritten
from circuitkb.stores.server import reading
from circuitkb.stores.server.query_faults import query_error
from tests.stores.contents import network, values
from tests.stores.factories import FACTORIES

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    (factory,) = [factory for factory in FACTORIES if factory.name == "neo4j"]
    place = tmp_path_factory.mktemp("errors") / "one"
    place.mkdir()
    store = factory.open(place)
    store.write(network())
    yield store
    store.close()


def error_of(store: Store, query: str) -> CypherError:
    with pytest.raises(CypherError) as caught:
        store.read(query)
    return caught.value


SPOTS = [
    ("MATCH (n:Feature RETURN n", "RETURN"),
    ("MATCH (n) RETURN n.id ORDR BY n.id", "ORDR"),
    ("MATCH (n)-[r]-(m RETURN n", "RETURN"),
    ("  \n\n MATCH (n:Feature)\nRETURN n.id,, n", ", n"),
    ("EXPLAIN MATCH (n:Feature RETURN n", "RETURN"),
    ("\n\tPROFILE\u0020\n MATCH (n:Feature\n RETURN n", "RETURN"),
    ("RETURN '😀😀' AS a, + ]", "]"),
    ("RETURN /* 😀 */ nothing", "nothing"),
    ("SELECT FROM Feature", "SELECT"),
    ("MATCH (n:Feature) RETURN m.id", "m.id"),
    ("MATCH (n:Feature) RETURN n.id, no_such(n)", "no_such"),
    ("MATCH (n:Feature) RETURN n.id, point.nowhere(n)", "point.nowhere"),
    ("MATCH (n:Feature) WHERE n.bias > $threshold RETURN n", "$threshold"),
    ("RETURN count(count(1))", "count(1)"),
    ("RETURN 1 + {}", "{}"),
    ("RETURN 99999999999999999999", "99999"),
    ("CALL apoc.path.expand(1)", "apoc"),
    ("MATCH (n:Feature) RETURN date('no date')", "'no date'"),
    ("MATCH (n:Feature)", ""),
    ("UNWIND [1] AS x", ""),
    ("RETURN 'a' + 'b", "'b"),
    ("", ""),
    (" // nothing but this", ""),
]


@pytest.mark.parametrize(("query", "rest"), SPOTS)
def test_the_spot_is_marked(store: Store, query: str, rest: str) -> None:
    error = error_of(store, query)
    message = str(error)
    assert error.position is not None
    if not query.strip() or query.lstrip().startswith("//"):
        assert message == "The query is empty."
        return
    assert query[error.position :].startswith(rest)
    said, line, mark = message.split("\n")
    assert len(said) <= 250
    assert "expected" not in said or len(said) < 200
    assert "offset" not in said
    assert line[mark.index("^") :].startswith(rest.split("\n")[0])


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("RETURN 1 / 0", "zero"),
        ("RETURN 9223372036854775807 + 1", "overflow"),
        ("WITH 'no date' AS t RETURN date(t)", "no date"),
        ("MATCH (n:Feature) WITH n.id AS t RETURN t.x", "String"),
        ("CALL db.index.fulltext.queryNodes('none', 'x')", "none"),
        ("RETURN date('-0044-03-15') AS ides", r"toString\(\)"),
        ("MATCH (n:Feature)", "end it with RETURN"),
        ("MATCH (n {id: $a}) WHERE n.unit > $b RETURN n", r"\$a, \$b have no value"),
    ],
)
def test_what_fails_is_said_in_a_line(store: Store, query: str, says: str) -> None:
    with pytest.raises(CypherError, match=says) as caught:
        store.read(query)
    message = str(caught.value)
    assert len(message.split("\n")[0]) <= 200
    for noise in ("Exception", "org.neo4j", "Neo.", "gql", "offset"):
        assert noise not in message


def test_an_unknown_procedure_is_named(store: Store) -> None:
    with pytest.raises(CypherError, match=r"no procedure apoc\.path\.expand on this server"):
        store.read("CALL apoc.path.expand(1, 2, 3, 4, 5)")


def neo4j_error(code: str, message: str = "what it says") -> Neo4jError:
    return Neo4jError._hydrate_neo4j(code=f"Neo.{code}", message=message)


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("ClientError.Transaction.TransactionTimedOut", QueryTimeoutError, "longer than 7 s"),
        (
            "ClientError.Transaction.TransactionTimedOutClientConfiguration",
            QueryTimeoutError,
            "longer than 7 s",
        ),
        ("TransientError.General.MemoryPoolOutOfMemoryError", QueryMemoryError, "ask for less"),
        ("TransientError.General.OutOfMemoryError", QueryMemoryError, "ask for less"),
        ("TransientError.General.StackOverFlowError", QueryError, "too deeply"),
        ("TransientError.Transaction.Terminated", QueryError, "before its time"),
        ("ClientError.Statement.AccessMode", QueryRefusedError, "may only read"),
        ("ClientError.Security.Forbidden", StoreAccessError, "may not read"),
        ("ClientError.Statement.TypeError", CypherError, "what it says"),
        ("DatabaseError.Statement.ExecutionFailed", CypherError, "what it says"),
    ],
)
def test_what_the_server_says_becomes_an_error_of_ours(
    code: str, kind: type[CircuitKBError], says: str
) -> None:
    error = query_error(neo4j_error(code), Rewritten("RETURN 1", "RETURN 1"), 7.0)
    assert type(error) is kind
    assert says in str(error)


@pytest.mark.parametrize(
    "error",
    [
        neo4j_error("ClientError.Security.Unauthorized"),
        neo4j_error("ClientError.Database.DatabaseNotFound"),
        neo4j_error("TransientError.General.DatabaseUnavailable"),
        neo4j.exceptions.ServiceUnavailable("gone"),
        neo4j.exceptions.SessionExpired("gone"),
    ],
)
def test_what_is_not_about_the_query_is_left_to_the_store(error: Exception) -> None:
    assert query_error(error, Rewritten("RETURN 1", "RETURN 1"), 7.0) is None


def sessions(port: int) -> Any:
    driver = neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{port}", max_transaction_retry_time=0)
    return driver, lambda **settings: driver.session(**settings)


def test_a_server_that_is_gone_is_the_drivers_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    driver, opening = sessions(port)
    with driver, pytest.raises(neo4j.exceptions.ServiceUnavailable):
        reading.ask(opening, "RETURN 1", {}, timeout=5, limit=1)


def test_a_server_that_says_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, within: Callable[[float], Any]
) -> None:
    monkeypatch.setattr(reading, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        driver, opening = sessions(listening.getsockname()[1])
        with driver, within(5.0), pytest.raises(StoreUnreachableError, match=r"within 0\.5 s"):
            reading.ask(opening, "RETURN 1", {}, timeout=5, limit=1)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C is heard, as it is not where a shell starts the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_a_query_at_once(store: Store, within: Callable[[float], Any]) -> None:
    """Ctrl-C."""
    endless = "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b RETURN sum(a * b) AS s"
    values(store, "RETURN 1")
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    with within(5.0), pytest.raises(KeyboardInterrupt):
        store.read(endless, timeout=60)
    assert values(store, "MATCH (n:Feature) RETURN count(n)") == [6]


def test_queries_of_several_threads_do_not_disturb_each_other(store: Store) -> None:
    found: list[list[Any]] = []
    failed: list[Exception] = []

    def ask(number: int) -> None:
        try:
            if number % 3 == 0:
                store.read("RETURN reduce(s = 0, x IN range(1, 100000000) | s + x)", timeout=0.2)
            found.append(list(values(store, "RETURN $n AS n", n=number)))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [[1], [2], [4], [5]]
    assert [type(error) for error in failed] == [QueryTimeoutError] * 2

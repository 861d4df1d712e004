"""A query may only read the knowledge base: what would do more is refused, and nothing happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from circuitkb.schema.errors import (
    CypherError,
    QueryError,
    QueryRefusedError,
    QueryTimeoutError,
)
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded import queried, read_only
from tests.stores.contents import fingerprint, network, nodes, values
from tests.stores.hostile_queries import ENGINE_NO_CYPHER, ENGINE_WRITES, FILES, OUTSIDE

SECRET = "the-canary-sings"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("refusals")


@pytest.fixture(scope="module")
def hits() -> Iterator[list[str]]:
    """Requests that reached a web server on this machine."""
    found: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SECRET.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.append(f"http://127.0.0.1:{server.server_port}")
    yield found
    server.shutdown()


@pytest.fixture(scope="module")
def store(place: Path) -> Iterator[Store]:
    (place / "canary.csv").write_text(SECRET)
    store = open_store(place / "zoo.ckb")
    store.write(network())
    yield store
    store.close()


def run(store: Store, place: Path, hits: list[str], query: str) -> QueryError:
    """Run a query that must be refused; return the error, once nothing happened."""
    before = fingerprint(store)
    file = (place / "canary.csv").as_posix()
    text = query.format(file=file, web=hits[0]) if query in FILES else query
    parameters = {"url": f"file://{file}"} if "$url" in query else {}
    with pytest.raises(QueryError) as caught:
        store.read(text, parameters, timeout=5)
    assert SECRET not in str(caught.value)
    assert len(hits) == 1, "the web server was asked"
    assert fingerprint(store) == before
    return caught.value


@pytest.mark.parametrize("query", ENGINE_WRITES + OUTSIDE)
def test_what_would_write_or_leave_is_refused(
    store: Store, place: Path, hits: list[str], query: str
) -> None:
    error = run(store, place, hits, query)
    assert isinstance(error, QueryRefusedError | CypherError)
    if query not in ("COMMIT",) and "EXISTS {" not in query and "COUNT {" not in query:
        assert isinstance(error, QueryRefusedError)
    assert len(str(error).splitlines()) <= 3


@pytest.mark.parametrize("query", FILES)
def test_no_file_and_no_network_is_read(
    store: Store, place: Path, hits: list[str], query: str
) -> None:
    assert isinstance(run(store, place, hits, query), QueryRefusedError)


@pytest.mark.parametrize("query", ENGINE_NO_CYPHER)
def test_other_languages_and_disguises_are_no_cypher(
    store: Store, place: Path, hits: list[str], query: str
) -> None:
    assert isinstance(run(store, place, hits, query), CypherError)


@pytest.mark.parametrize(
    "query", ENGINE_WRITES + [query for query in FILES if "EXPLAIN" not in query]
)
def test_the_engine_refuses_without_the_check_of_the_text(
    store: Store, place: Path, hits: list[str], query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queried, "refuse", lambda cypher, tokens: None)
    run(store, place, hits, query)


def test_the_engine_cannot_be_made_to_write(store: Store, place: Path) -> None:
    before = fingerprint(store)
    (generation,) = (place / "zoo.ckb").glob("generation-*")
    graph = read_only.ReadOnlyGraph(generation / "graph", timeout=None)
    for language, text in [
        ("opencypher", "CREATE (n:Label {id: 'x'})"),
        ("sql", "INSERT INTO Label SET id = 'x'"),
        ("sql", "ALTER DATABASE `arcadedb.opencypher.loadCsv.allowFileUrls` true"),
        ("sql", "DROP TYPE Label UNSAFE"),
    ]:
        with pytest.raises(Exception, match=r"read.only|idempotent"):
            graph._database.command(language, text).close()
    graph.close()
    assert fingerprint(store) == before


def test_settings_that_came_with_a_store_open_no_file(store: Store, place: Path) -> None:
    (generation,) = (place / "zoo.ckb").glob("generation-*")
    (generation / "graph" / "configuration.json").write_text(
        '{"configuration": {"opencypher.loadCsv.allowFileUrls": true}}'
    )
    graph = read_only.ReadOnlyGraph(generation / "graph", timeout=None)
    with pytest.raises(Exception, match="disabled"):
        list(graph.match(f"LOAD CSV FROM 'file://{place}/canary.csv' AS l RETURN l"))
    graph.close()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("RETURN 'LOAD CSV FROM x' AS t", "LOAD CSV FROM x"),
        ("RETURN 1 AS n // LOAD CSV FROM 'file:///etc/passwd'", 1),
        ("/* CALL util.sleep(9); CREATE (n) */ RETURN 2 AS n", 2),
        ("RETURN 'a; b' AS `LOAD CSV; x`", "a; b"),
        ("RETURN 3 AS n;", 3),
        ("RETURN 3 AS n ; // the end", 3),
        ("MATCH (n:Feature {unit: 1}) RETURN {load: n.unit, csv: 2, set: 3, create: 4}.set", 3),
        ("WITH 5 AS load RETURN load", 5),
        ("WITH {sleep: 6} AS util RETURN util.sleep", 6),
        ('RETURN "it\'s; CALL x.y()" AS t', "it's; CALL x.y()"),
        (r"RETURN 'a\'; CREATE (n) \\' AS t", "a'; CREATE (n) \\"),
        ("MATCH (n:Feature {unit: 0}) CALL (n) { RETURN n.unit + 7 AS x } RETURN x", 7),
        ("CALL db.labels() YIELD label WITH label WHERE label = 'Claim' RETURN label", "Claim"),
        ("MATCH (call:Feature {unit: 4}) RETURN call.unit", 4),
    ],
)
def test_harmless_text_is_not_refused(store: Store, query: str, expected: Any) -> None:
    assert values(store, query) == [expected]


def test_a_label_that_looks_like_a_command_is_data(tmp_path: Path) -> None:
    store = open_store(tmp_path / "zoo.ckb")
    text = "LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l"
    store.write(nodes("Label", {"id": "l", "text": text}))
    assert values(store, "MATCH (l:Label {text: $t}) RETURN l.text", t=text) == [text]
    store.close()


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"n": object()}, r"\$n"),
        ({"n": 2**64}, r"\$n"),
        ({"n": ["a", b"b"]}, r"\$n"),
        ({"n": "\udfff"}, r"\$n"),
        ({"$profileExecution": True, "n": 1}, "profileExecution"),
        ({"a b": 1}, "a b"),
        ({"": 1}, "parameter"),
        ({"n": {"deep": [{"x": 1j}]}}, r"\$n"),
    ],
)
def test_a_parameter_that_cypher_cannot_hold_is_named(
    store: Store, parameters: dict[str, Any], named: str
) -> None:
    with pytest.raises(CypherError, match=named):
        store.read("RETURN $n AS n", parameters)


def test_numbers_and_arrays_of_numpy_are_parameters(store: Store) -> None:
    import numpy as np

    given: list[tuple[Any, Any]] = [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([1, 2]), [1, 2]),
        ((1, (2, None)), [1, [2, None]]),
    ]
    for value, expected in given:
        assert values(store, "RETURN $v AS v", v=value) == [expected]


@pytest.fixture(params=["cartesian", "sort", "paths", "lists"])
def endless(request: Any) -> str:
    return {
        "cartesian": "UNWIND range(1, 5000) AS a UNWIND range(1, 5000) AS b "
        "UNWIND range(1, 5000) AS c WITH a + b + c AS s WHERE s = 7 RETURN count(*)",
        "sort": "MATCH (a:Feature), (b:Feature), (c:Feature), (d:Feature), (e:Feature), "
        "(f:Feature), (g:Feature), (h:Feature), (i:Feature) RETURN a ORDER BY h.id DESC LIMIT 1",
        "paths": "MATCH (a:Feature)-[:WEIGHT*1..30]-(b), (c)-[:WEIGHT*1..30]-(d) RETURN count(*)",
        "lists": "UNWIND range(1, 100000) AS x "
        "RETURN sum(size([y IN range(1, 100000) WHERE y % 7 = x]))",
    }[request.param]


def test_a_query_without_end_is_stopped_in_time(
    store: Store, endless: str, within: Callable[[float], Any]
) -> None:
    with within(3.5), pytest.raises(QueryTimeoutError, match=r"0\.5 s"):
        store.read(endless, timeout=0.5)
    assert values(store, "MATCH (n:Feature) RETURN count(n)") == [6]


def test_a_query_that_the_engine_cannot_stop_is_left_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch, within: Callable[[float], Any]
) -> None:
    monkeypatch.setattr(queried, "refuse", lambda cypher, tokens: None)
    with within(3.0), pytest.raises(QueryTimeoutError):
        store.read("RETURN util.sleep(4000)", timeout=0.3)
    with within(2.0):
        assert values(store, "MATCH (n:Feature) RETURN count(n)") == [6]


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_is_a_time(store: Store, timeout: float) -> None:
    with pytest.raises(QueryError, match="0 to"):
        store.read("RETURN 1", timeout=timeout)


def test_rows_over_the_limit_are_not_computed(store: Store, within: Callable[[float], Any]) -> None:
    units = "MATCH (a:Feature), (b:Feature), (c:Feature), (d:Feature), (e:Feature), (f:Feature), "
    asked = f"{units} (g:Feature), (h:Feature), (i:Feature), (j:Feature), (k:Feature) RETURN a, k"
    with within(2.0):
        answer = store.read(asked, limit=100, timeout=20)
    assert (len(answer.rows), answer.truncated) == (100, True)

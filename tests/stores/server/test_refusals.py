"""A query on a Neo4j server may only read the knowledge base; what would do more is refused."""

from __future__ import annotations

import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import neo4j
import pytest

from circuitkb.schema.errors import (
    CypherError,
    QueryError,
    QueryRefusedError,
    QueryTimeoutError,
)
from circuitkb.stores.base import Store
from circuitkb.stores.querying.cypher_text import tokens_of
from circuitkb.stores.server import reading
from tests.stores import servers
from tests.stores.contents import network, values
from tests.stores.factories import FACTORIES
from tests.stores.hostile_queries import NOT_SENT, SERVER_NO_CYPHER, SERVER_WRITES

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    (factory,) = [factory for factory in FACTORIES if factory.name == "neo4j"]
    place = tmp_path_factory.mktemp("refusals") / "one"
    place.mkdir()
    store = factory.open(place)
    store.write(network())
    yield store
    store.close()


@pytest.fixture(scope="module")
def raw(store: Store) -> neo4j.Driver:
    """The driver alone: what a user without this package can do."""
    return servers.driver(store.address)


def state(raw: neo4j.Driver) -> list[Any]:
    """Everything in the database, by means that have nothing to do with the store's."""
    asked = [
        "MATCH (n) WITH elementId(n) AS id, labels(n) AS labels, properties(n) AS properties "
        "ORDER BY id RETURN collect([id, labels, properties])",
        "MATCH ()-[r]->() WITH elementId(r) AS id, type(r) AS type, properties(r) AS properties "
        "ORDER BY id RETURN collect([id, type, properties])",
        "SHOW INDEXES YIELD name, labelsOrTypes, properties RETURN collect(name)",
        "SHOW CONSTRAINTS YIELD name RETURN collect(name)",
        "SHOW DATABASES YIELD name RETURN collect(name)",
        "CALL db.labels() YIELD label RETURN collect(label)",
    ]
    with raw.session() as session:
        return [session.run(text).single(strict=True)[0] for text in asked]


def unsent(**settings: Any) -> Any:
    raise AssertionError("the query was sent")


@pytest.mark.parametrize("query", NOT_SENT)
def test_what_must_not_reach_the_server_is_not_sent(query: str) -> None:
    with pytest.raises(QueryRefusedError) as caught:
        reading.ask(unsent, query, {}, timeout=5, limit=10)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("query", SERVER_WRITES)
@pytest.mark.parametrize("looked_at", [True, False], ids=["looked-at", "not-looked-at"])
def test_the_server_refuses_what_writes(
    store: Store, raw: neo4j.Driver, query: str, looked_at: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not looked_at:
        monkeypatch.setattr(reading, "refuse", lambda cypher, tokens: None)
    before = state(raw)
    with pytest.raises(QueryRefusedError, match="would change the knowledge base"):
        store.read(query, {"key": "bias"} if "$key" in query else {})
    assert state(raw) == before


def test_nothing_is_kept_even_if_a_session_may_write(store: Store, raw: neo4j.Driver) -> None:
    before = state(raw)

    def writing(**settings: Any) -> neo4j.Session:
        return raw.session(**(settings | {"default_access_mode": neo4j.WRITE_ACCESS}))

    query = "MATCH (n:Feature {unit: 1}) SET n.bias = 9 RETURN n.bias AS bias"
    assert reading.ask(writing, query, {}, timeout=5, limit=10).rows == [(9,)]
    assert state(raw) == before


@pytest.mark.parametrize("query", SERVER_NO_CYPHER)
def test_disguises_are_no_cypher(store: Store, raw: neo4j.Driver, query: str) -> None:
    before = state(raw)
    with pytest.raises(CypherError):
        store.read(query)
    assert state(raw) == before


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("RETURN 'LOAD CSV FROM x' AS t", "LOAD CSV FROM x"),
        ("RETURN 1 AS n // LOAD CSV FROM 'file:///etc/passwd'", 1),
        ("/* CALL dbms.listConfig(); CREATE (n) */ RETURN 2 AS n", 2),
        ("RETURN 'a; b' AS `LOAD CSV; USE x; SHOW SETTINGS`", "a; b"),
        ("RETURN 3 AS n;", 3),
        ("RETURN 3 AS n ; // the end", 3),
        ("MATCH (n:Feature {unit: 1}) RETURN {load: n.unit, use: 2, set: 3, show: 4}.set", 3),
        ("WITH 5 AS load RETURN load", 5),
        ("WITH 5 AS show, 6 AS use, 1 AS one RETURN show + use", 11),
        ("WITH 6 AS `use` WHERE `use` > 5 RETURN `use`", 6),
        ("WITH {sleep: 6} AS util RETURN util.sleep", 6),
        ('RETURN "it\'s; CALL x.y()" AS t', "it's; CALL x.y()"),
        (r"RETURN 'a\'; CREATE (n) \\' AS t", "a'; CREATE (n) \\"),
        (r"RETURN 'C:\\users' AS t", "C:\\users"),
        ("MATCH (n:Feature {unit: 0}) CALL (n) { RETURN n.unit + 7 AS x } RETURN x", 7),
        ("MATCH (n:Feature {unit: 0}) CALL { WITH n RETURN n.unit + 7 AS x } RETURN x", 7),
        ("CALL db.labels() YIELD label WITH label WHERE label = 'Layer' RETURN label", "Layer"),
        ("CALL `db` . labels /* */ () YIELD label WHERE label = 'Model' RETURN label", "Model"),
        ("MATCH (call:Feature {unit: 4}) RETURN call.unit", 4),
        ("SHOW CONSTRAINTS YIELD labelsOrTypes AS l WHERE l = ['Claim'] RETURN l[0]", "Claim"),
        (
            "SHOW RANGE INDEXES YIELD labelsOrTypes AS l WHERE l = ['Claim'] RETURN l[0] LIMIT 1",
            "Claim",
        ),
        ("RETURN date.truncate('month', date('2021-06-30')) AS d", "2021-06-01"),
        ("RETURN duration.between(date('2021-06-29'), date('2021-06-30')) AS d", "P1D"),
        ("RETURN point.distance(point({x: 0, y: 0}), point({x: 3, y: 4})) AS d", 5.0),
        ("RETURN vector.similarity.cosine([1.0, 0.0], [1.0, 0.0]) AS s", 1.0),
        ("MATCH (n:Feature) WITH n.unit AS x WHERE x IN [5] RETURN x", 5),
        ("MATCH (n:Feature {unit: 2}) WHERE n.unit IN [2] AND (n.bias > 0) RETURN n.unit", 2),
        ("PROFILE MATCH (n:Feature {unit: 3}) RETURN n.unit", 3),
        ("OPTIONAL MATCH (n:Feature {unit: 99}) RETURN n", None),
    ],
)
def test_harmless_text_is_not_refused(store: Store, query: str, expected: Any) -> None:
    assert values(store, query) == [expected]


def test_the_plan_of_a_query_can_be_asked_for(store: Store) -> None:
    answer = store.read("EXPLAIN MATCH (n:Feature {unit: 3}) RETURN n.id")
    assert answer.columns == ("executionPlanAsString",)
    assert "+ ProduceResults" in answer.rows[0][0].split("\n")[0]
    assert "Feature" in answer.rows[0][0]


def test_what_the_server_takes_for_a_blank_separates_words(raw: neo4j.Driver) -> None:
    doubtful = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if code < 0x20 or unicodedata.category(chr(code)) in ("Zs", "Zl", "Zp", "Cf")
        if code < 0x3100
    ]
    blanks = []
    with raw.session(default_access_mode=neo4j.READ_ACCESS) as session:
        for character in doubtful:
            try:
                if session.run(f"RETURN{character}7").value() == [7]:
                    blanks.append(character)
            except neo4j.exceptions.Neo4jError:
                continue
    assert len(blanks) > 20
    for character in blanks:
        assert [token.text for token in tokens_of(f"LOAD{character}CSV")] == ["LOAD", "CSV"]


@pytest.mark.parametrize(
    "text",
    [
        r"'a\'b'",
        r"'\\'",
        r"'a\qb'",
        r'"\""',
        '"it\'s"',
        "'a\nb'",
        "'//'",
        "'/*'",
        "1 /* ' */",
        "1 // '",
        "1 /*/ + 1 /**/",
        "1 // x\r + 1",
        "1 // x\n + 1",
        "1 // x\u2028 + 1",
        "1 // x\x0b + 1",
        "1 // x\x0c + 1",
        "1_000",
        "0x1F",
        "1.5e3",
        ".5",
    ],
)
def test_strings_and_comments_end_where_the_server_says(raw: neo4j.Driver, text: str) -> None:
    """Without what the tokens leave out, and one blank between them, the value is the same."""
    again = " ".join(token.text for token in tokens_of(text))
    with raw.session(default_access_mode=neo4j.READ_ACCESS) as session:
        whole = session.run(f"RETURN {text}\nAS value").value()
        assert session.run(f"RETURN {again} AS value").value() == whole


ENDLESS = {
    "cartesian": "UNWIND range(1, 5000) AS a UNWIND range(1, 5000) AS b "
    "UNWIND range(1, 5000) AS c WITH a + b + c AS s WHERE s = 7 RETURN count(*)",
    "nodes": "MATCH (a:Feature), (b:Feature), (c:Feature), (d:Feature), (e:Feature), "
    "(f:Feature), (g:Feature), (h:Feature) WITH [a, b, c, d, e, f, g, h] AS found "
    "UNWIND range(1, 1000) AS i WITH i WHERE i < 0 RETURN count(*)",
    "paths": "MATCH (a:Feature)-[:WEIGHT*1..30]-(b), (c)-[:WEIGHT*1..30]-(d) RETURN count(*)",
    "lists": "UNWIND range(1, 100000) AS x "
    "RETURN sum(size([y IN range(1, 10000) WHERE y % 7 = x]))",
}


@pytest.mark.parametrize("query", ENDLESS.values(), ids=ENDLESS)
def test_a_query_without_end_is_stopped_in_time(
    store: Store, query: str, within: Callable[[float], Any]
) -> None:
    with within(3.0), pytest.raises(QueryTimeoutError, match="longer than 1 s"):
        store.read(query, timeout=1)
    with within(2.0):
        assert values(store, "MATCH (n:Feature) RETURN count(n)") == [6]


def test_a_query_that_the_server_does_not_stop_is_cut_off(
    store: Store, raw: neo4j.Driver, within: Callable[[float], Any]
) -> None:
    """Neo4j looks at the clock between rows, not within one expression."""
    busy = "RETURN reduce(s = 0, x IN range(1, 150000000) | s + x % 7) AS total"
    with within(3.0), pytest.raises(QueryTimeoutError, match=r"0\.5 s"):
        store.read(busy, timeout=0.5)
    with within(2.0):
        assert values(store, "MATCH (n:Feature) RETURN count(n)") == [6]
    mine = "SHOW TRANSACTIONS YIELD currentQuery, status WHERE currentQuery = $text RETURN status"
    end = time.monotonic() + 60
    with raw.session() as session:
        while left := session.run(mine, text=busy).value():
            assert all(status.startswith("Terminated") for status in left)
            assert time.monotonic() < end, "the server keeps a query whose reader has gone"
            time.sleep(0.2)


GREEDY = {
    "collect": "UNWIND range(1, 1000000000) AS x RETURN size(collect(x)) AS n",
    "sort": "UNWIND range(1, 1000000000) AS x WITH x ORDER BY -x RETURN collect(x)[0] AS n",
    "distinct": "UNWIND range(1, 1000000000) AS x WITH DISTINCT toString(x) AS t RETURN count(t)",
    "doubling": "RETURN size(reduce(s = 'ab', i IN range(1, 40) | s + s)) AS n",
    "list": "RETURN range(1, 1000000000) AS n",
}


@pytest.mark.parametrize("query", GREEDY.values(), ids=GREEDY)
def test_a_query_that_wants_all_memory_ends_alone(
    store: Store, query: str, within: Callable[[float], Any]
) -> None:
    with within(8.0), pytest.raises(QueryError, match=r"more memory|ran longer"):
        store.read(query, timeout=5)
    with within(10.0):
        assert values(store, "MATCH (n:Feature) RETURN count(n)") == [6]


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_is_a_time(timeout: float) -> None:
    with pytest.raises(QueryError, match="0 to"):
        reading.ask(unsent, "RETURN 1", {}, timeout=timeout, limit=1)


def test_rows_over_the_limit_are_not_fetched(store: Store, within: Callable[[float], Any]) -> None:
    asked = "UNWIND range(1, 5000) AS a UNWIND range(1, 5000) AS b UNWIND range(1, 5000) AS c "
    with within(10.0):
        for limit in (1, 100, 2500):
            answer = store.read(f"{asked} RETURN a, b, c", limit=limit, timeout=20)
            assert (len(answer.rows), answer.truncated) == (limit, True)
            assert answer.rows[-1] == (1, 1, limit)


def test_a_limit_of_no_rows_gives_none(store: Store) -> None:
    answer = store.read("MATCH (n:Feature) RETURN n.id AS i", limit=0)
    assert (answer.columns, answer.rows, answer.truncated) == (("i",), [], True)

"""What is wrong with a query is said in two lines, with a mark under the spot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from circuitkb.schema.errors import CypherError
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.querying.cypher_text import columns_of, marked, names_a_path, tokens_of
from tests.stores.contents import network


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(tmp_path_factory.mktemp("errors") / "zoo.ckb")
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
    ("\n\tEXPLAIN\u0020\n MATCH (n:Feature\n RETURN n", "RETURN"),
    ("RETURN '😀😀' AS a, + ]", "]"),
    ("MATCH (n:Feature)\r\nRETURN n.id AS", ""),
    ("SELECT FROM Feature", "SELECT"),
    ("MATCH (n:Feature) RETURN m.id", "m.id"),
    ("MATCH (n:Feature) RETURN n.id, no_such(n)", "no_such"),
    ("MATCH (n:Feature) WHERE n.bias > $threshold RETURN n", "$threshold"),
    ("MATCH (n:Feature) RETURN *, n.id AS i", "n.id AS i"),
    ("MATCH (n:Feature)", ""),
    ("", ""),
    (" // nothing but this", ""),
]


@pytest.mark.parametrize(("query", "rest"), SPOTS)
def test_the_spot_is_marked(store: Store, query: str, rest: str) -> None:
    error = error_of(store, query)
    assert error.position is not None
    if rest:
        assert query[error.position :].startswith(rest)
    if query.strip() and not query.strip().startswith("//"):
        message, line, mark = str(error).split("\n")
        assert len(message) < 250
        column = mark.index("^")
        assert line[column:].startswith(rest.split("\n")[0][:20])
        number = query.count("\n", 0, error.position) + 1
        assert f"(line {number}, column " in message


def test_a_long_line_is_cut_around_the_spot(store: Store) -> None:
    query = "MATCH (n:Feature) RETURN " + "n.id + " * 200 + "n.id MATHC (m)" + " " * 300
    _, line, mark = str(error_of(store, query)).split("\n")
    assert len(line) < 110
    assert line[mark.index("^") :].startswith("MATHC")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("RETURN 1 / 0", "zero"),
        ("RETURN date('no date')", "no date"),
        ("MATCH (n:Feature) RETURN sum(n.id)", "sum"),
        ("RETURN count(count(1))", "aggregation"),
        ("RETURN range(1, 9000000000)", "range"),
    ],
)
def test_what_fails_while_it_runs_is_said_in_a_line(store: Store, query: str, says: str) -> None:
    error = error_of(store, query)
    assert says in str(error)
    assert "Exception" not in str(error)
    assert "com.arcadedb" not in str(error)
    assert len(str(error).split("\n")[0]) <= 200


def test_several_parameters_without_a_value_are_all_named(store: Store) -> None:
    error = error_of(store, "MATCH (n {id: $a}) WHERE n.unit > $b AND n.bias < $a RETURN n")
    assert "$a, $b have no value" in str(error)


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("RETURN 1", ("1",)),
        ("return distinct n . id , count( * ) /* x */ as c", ("n . id", "c")),
        (
            "MATCH (n) RETURN n.order AS `ORDER`, n.limit ORDER BY n.limit LIMIT $limit",
            ("ORDER", "n.limit"),
        ),
        (
            "MATCH (n) RETURN n.x, [a IN [1, 2] | a], {a: 1, b: 2}, f(1, 2) SKIP 1",
            ("n.x", "[a IN [1, 2] | a]", "{a: 1, b: 2}", "f(1, 2)"),
        ),
        ("CALL { MATCH (m) RETURN m.a AS x } RETURN x AS y;", ("y",)),
        ("MATCH (a) WHERE EXISTS { MATCH (a)-->(b) RETURN b } RETURN a", ("a",)),
        ("RETURN 'RETURN x, y' AS t // RETURN z", ("t",)),
        ("RETURN `a``b` AS `c``d`", ("c`d",)),
        ("RETURN 1 AS a UNION ALL RETURN 2 AS a", ("a",)),
        ("RETURN CASE WHEN true THEN 1 ELSE 2 END", ("CASE WHEN true THEN 1 ELSE 2 END",)),
        ("MATCH (n) RETURN *", None),
        ("MATCH (n) RETURN * ORDER BY n.id", None),
        ("CALL db.labels()", None),
        ("RETURN", None),
    ],
)
def test_columns_are_told_from_the_text(query: str, columns: tuple[str, ...] | None) -> None:
    assert columns_of(query, tokens_of(query)) == columns


def test_every_column_of_an_answer_is_told_from_the_text(store: Store) -> None:
    for query in (
        "MATCH (n:Feature) RETURN n.unit * 2 AS two, n . id, n['id'], n {.id, .unit}, size([1])",
        "MATCH (n:Feature)-[w]->() RETURN DISTINCT type(w), count(*), n:Feature AND true",
        "MATCH p = (n:Feature)-->() RETURN length(p), [x IN nodes(p) | x.id][0], -n.unit",
    ):
        answer = store.read(query)
        assert answer.rows
        assert answer.columns == columns_of(query, tokens_of(query))
        assert all(len(row) == len(answer.columns) for row in answer.rows)
        assert all(value is not None for value in answer.rows[0])


def test_a_mark_stands_below_its_character() -> None:
    assert marked("a\nbc\nd", 3) == "  bc\n   ^"
    assert marked("", 0) == "  \n  ^"
    assert marked("ab", 99) == "  ab\n    ^"


@pytest.mark.parametrize(
    ("query", "may"),
    [
        ("MATCH p = (a)-->(b) RETURN p", True),
        ("MATCH (x), p=shortestPath((a)-[*]-(b)) RETURN p", True),
        ("MATCH (a) RETURN [p = (a)-->(b) | p]", True),
        ("MATCH (a) WHERE a.text = $t RETURN a.text", False),
        ("MATCH (a {text: 'p = (b)'}) WHERE a.x = (1) RETURN a", False),
    ],
)
def test_whether_a_query_may_give_paths(query: str, may: bool) -> None:
    assert names_a_path(tokens_of(query)) is may

"""Weights that the graph keeps as one number: nobody who asks sees it. (2.5 s)"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitkb.schema.errors import CypherError
from circuitkb.schema.tables import relation_table, rows_of
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded import edge_loading, transaction
from circuitkb.stores.embedded.directory import VERSION
from circuitkb.stores.embedded.pointwise import IN_CYPHER, NUMBER, following
from circuitkb.stores.embedded.pointwise_tables import put_together, taken_apart
from tests.stores.contents import content_of, feature, nodes, weight, weights

FEATURES = nodes("Feature", *map(feature, range(6)))
NUMBERS = [-2.5, 0.25, 4.0, 0.0, 1e-30, -3.0e17]
WHOLE = {"sum": 1.5, "positive": 2.5, "negative": -1.0, "l1": 3.5, "l2": 2.75, "max_abs": 2.0}
KERNEL = WHOLE | {"positive_dy": 0.5, "positive_dx": -0.25, "negative_dy": -1.0, "negative_dx": 0.0}
ROWS = [
    weight(at % 5, at % 5 + 1, f"c{at}", rank=at + 1, path="direct", **following(number))
    for at, number in enumerate(NUMBERS)
] + [
    weight(0, 5, "spatial", rank=1, path="residual", **KERNEL),
    weight(1, 5, "partly", rank=2, path="direct", sum=-2.5, l1=2.5),
    weight(2, 5, "unlike", rank=3, path="direct", **{**following(-2.5), "l2": 2.0}),
]

QUESTIONS = [
    "MATCH (a)-[w:WEIGHT]->(b) RETURN w.connection, w",
    "MATCH (a)-[w:WEIGHT]->(b) WHERE w.l1 > 2 RETURN w.connection, w.l1 ORDER BY w.l1 DESC, w.rank",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN DISTINCT w.l1 ORDER BY w.l1 DESC",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN w.path, sum(w.positive), max(w.negative), "
    "count(w.negative_dy)",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN w.connection, w.`l2`, w . max_abs, w.positive_dx IS NULL",
    "MATCH (a)-[w:WEIGHT]->(b) WITH b, w ORDER BY w.rank WITH b, collect(w) AS ws "
    "RETURN b.id, ws[0].l1, head(ws).sum, [x IN ws | x.l1], [x IN ws WHERE x.sum < 0 | x.rank]",
    "MATCH (a)-[w:WEIGHT]->(b) WITH a, b, w ORDER BY w.rank WITH b, collect([a, w]) AS ps "
    "UNWIND ps AS p RETURN b.id, p[1].l1 AS l1, p[1].connection",
    "MATCH p = (a)-[:WEIGHT*1..2]->(b) RETURN [r IN relationships(p) | r.connection] AS way, "
    "reduce(t = 0.0, r IN relationships(p) | t + r.l1) AS l1, relationships(p)[0].max_abs AS first",
    "MATCH p = (a {unit: 4})-[:WEIGHT]->(b) RETURN p",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN w.connection, w {.rank, .l1, .positive_dy} AS m",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN w.connection, w {.*} AS m, properties(w) AS p",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN w.connection, properties(w).l1, (w).sum, {v: w}.v.l2",
    "MATCH (a)-[w:WEIGHT]->(b) WITH w, keys(w) AS names UNWIND names AS name "
    "WITH w, name ORDER BY name RETURN w.connection, name, w[name]",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN w.connection, size(keys(w)), 'l1' IN keys(w), w['l1']",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN w.connection, w[$name], properties(w)[$name], "
    "$pair[1], $m.l1",
    "MATCH (a)-[w:WEIGHT {sum: -2.5}]->(b) RETURN w.connection",
    "MATCH (a)-[:WEIGHT {l1: $size, path: 'direct'}]->(b) RETURN a.id, b.id",
    "MATCH (a)-[w:WEIGHT WHERE w.l1 >= 2.5]->(b) RETURN w.connection",
    "MATCH (a)-[w:WEIGHT {sum: -5.0 / 2} WHERE w.l1 > 2 OR w.l1 < 1]->(b) RETURN w.connection",
    "MATCH (a)-[ws:WEIGHT*1..3 {negative: 0.0}]->(b) RETURN a.id, [w IN ws | w.connection] AS way",
    "MATCH (a)-[:WEIGHT*0..2 {negative: $m.none, path: 'direct'}]->(b), (c {unit: 1}) "
    "WHERE a.unit = 1 OR a.unit = 2 RETURN a.id, b.id, c.id ORDER BY a.id",
    "MATCH (a) OPTIONAL MATCH (a)-[ws:WEIGHT*1..2 {l2: 2.5}]->(b) RETURN a.id, size(ws) AS n",
    "MATCH (a) RETURN a.id, [(a)-[:WEIGHT*2..2 {max_abs: 4.0}]->(b) | b.id] AS far, "
    "[(a)-[:WEIGHT*1..1 {max_abs: 4.0}]->(b) WHERE b.unit > 0 OR b.unit < 9 | b.id] AS near",
    "MATCH (a)-[:WEIGHT*1..2 {l2: 4.0}]->(c), (c)-[:WEIGHT*1..1 {negative: 0.0}]->(b) RETURN b.id",
    "MATCH (a) WHERE NOT (a)-[:WEIGHT {sum: $m.none}]->()<-[:WEIGHT]-() AND a.unit < 9 RETURN a.id",
    "MATCH (a), (b) WHERE (a)-[:WEIGHT*1..2 {negative: 0.0}]->(b) OR b.unit < a.unit "
    "RETURN a.id, b.id, exists((b)-[:WEIGHT {l1: 2.5}]->()) AS e",
    "MATCH (a) WHERE EXISTS { MATCH (a)-[:WEIGHT*1..2 {sum: 4.0}]->() } RETURN a.id",
    "MATCH (b) WHERE EXISTS { MATCH (a)-[w:WEIGHT]->(b) WHERE w.positive > 2 } RETURN b.id",
    "MATCH (b:Feature) RETURN b.id, COUNT { MATCH (a)-[w:WEIGHT]->(b) WHERE w.sum < 0 } AS n",
    "MATCH (b:Feature) RETURN b.id, [(a)-[w:WEIGHT]->(b) WHERE w.l1 > 1 | w.sum] AS sums",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN CASE w.sum WHEN 0.25 THEN 'a' ELSE 'b' END, w.connection",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN coalesce(w.strength, w.l1), -w.sum, w.sum * 2, w.connection",
    "MATCH (a)-[w:WEIGHT]->(b), (c)-[v:WEIGHT]->(b) WHERE w.l1 > v.l1 RETURN w.connection, "
    "v.connection, w.l1 - v.l1 AS more",
    "MATCH (a)-[w:WEIGHT]->(b) RETURN w.connection AS c, w.l1 AS size "
    "UNION MATCH (a)-[w:WEIGHT]->(b) RETURN w.connection AS c, w.l2 AS size",
    "WITH {l1: 3, sum: null} AS m RETURN m.l1, m.l2, m.sum",
    "MATCH (f:Feature)-[r]-(g) RETURN type(r) AS t, r.sum AS s, count(*) AS n",
]
GIVEN = {"name": "max_abs", "size": 2.5, "pair": [1, 2], "m": {"l1": 7, "none": 0.0}}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    """The same rows, once as they are kept, once with every property of each."""
    folder = tmp_path_factory.mktemp("pointwise")
    short = open_store(folder / "short.ckb")
    whole = open_store(folder / "whole.ckb")
    for store in (short, whole):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("circuitkb.stores.embedded.merging.to_change", lambda newest: None)
            if store is whole:
                for module in (edge_loading, transaction):
                    patch.setattr(module, "taken_apart", lambda name, table: table)
            store.write(FEATURES)
            store.write(weights(*ROWS))
    yield short, whole
    short.close()
    whole.close()


def found(store: Store, cypher: str) -> tuple[Any, list[str]]:
    answer = store.read(cypher, GIVEN)
    return answer.columns, sorted(json.dumps(row, sort_keys=True) for row in answer.rows)


def test_most_of_the_rows_are_kept_as_numbers(stores: tuple[Store, Store]) -> None:
    text = f"MATCH ()-[w:WEIGHT]->() WHERE w.`{NUMBER}` IS NOT NULL RETURN count(w) AS n"
    assert [store.read(text).rows[0][0] for store in stores] == [len(NUMBERS), 0]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_has_the_answer_that_it_has_of_whole_rows(
    stores: tuple[Store, Store], question: str
) -> None:
    short, whole = (found(store, question) for store in stores)
    assert short == whole
    assert short[1]


def test_what_leaves_the_store_is_what_came(stores: tuple[Store, Store]) -> None:
    short, whole = (content_of(store) for store in stores)
    assert short == whole


def test_columns_keep_the_names_of_the_text(stores: tuple[Store, Store]) -> None:
    answer = stores[0].read("MATCH ()-[w:WEIGHT]->() RETURN w.l1, count( * ), w.rank LIMIT 1")
    assert answer.columns == ("w.l1", "count( * )", "w.rank")


def test_what_ran_is_said_as_any_engine_takes_it(stores: tuple[Store, Store]) -> None:
    answer = stores[0].read("MATCH (a)-[w:WEIGHT]->(b) RETURN w.l1 LIMIT 1")
    assert answer.cypher == "MATCH (a:Feature)-[w:WEIGHT]->(b:Feature) RETURN w.l1 LIMIT 1"


def test_an_error_marks_the_spot_in_what_was_written(stores: tuple[Store, Store]) -> None:
    text = "MATCH (a)-[w:WEIGHT]->(b) WHERE w.l1 > 2 AND w.l2 > 1 RETURN w.sum +"
    with pytest.raises(CypherError) as caught:
        stores[0].read(text)
    assert caught.value.position == len(text)


@pytest.mark.parametrize(
    "pattern",
    [
        "()-[v:WEIGHT]->()-[w:WEIGHT {l1: v.l1}]->()",
        "p = shortestPath((:Feature {unit: 0})-[:WEIGHT*1..3 {l1: 2.0}]->(:Feature {unit: 2}))",
    ],
)
def test_what_a_pattern_cannot_compare_names_the_remedy(
    stores: tuple[Store, Store], pattern: str
) -> None:
    with pytest.raises(CypherError, match=r"WHERE w\.l1 ="):
        stores[0].read(f"MATCH {pattern} RETURN 1 AS one")


@pytest.mark.parametrize("many", [False, True], ids=["in place", "in a copy"])
def test_a_changed_weight_has_all_that_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    if many:
        monkeypatch.setattr("circuitkb.stores.embedded.merging.to_change", lambda newest: None)
    store = open_store(tmp_path / "changed.ckb")
    store.write(FEATURES)
    store.write(weights(weight(0, 1, rank=1, **following(0.5))))
    store.write(weights(weight(0, 1, strength=2.0)))
    store.write(weights(weight(0, 1, l1=0.75)))
    (row,) = store.read("MATCH ()-[w:WEIGHT]->() RETURN w").rows
    expected = {**following(0.5), "l1": 0.75, "rank": 1, "strength": 2.0, "connection": "c"}
    assert row[0] == expected
    (item,) = (i for part in store.export() for i in part.relations if i.name == "WEIGHT")
    (exported,) = item.table.to_pylist()
    assert {n: v for n, v in exported.items() if n in expected} == expected
    store.close()


def test_a_store_of_the_version_before_is_read_and_takes_short_weights(tmp_path: Path) -> None:
    place = tmp_path / "older.ckb"
    store = open_store(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edge_loading, "taken_apart", lambda name, table: table)
        store.write(FEATURES)
        store.write(weights(*ROWS[:3]))
    store.close()
    card = place / "store.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"version": 2}))
    store = open_store(place)
    assert store.read("MATCH ()-[w:WEIGHT]->() RETURN sum(w.l1)").rows == [(6.75,)]
    assert json.loads(card.read_text())["version"] == 2
    store.write(weights(*ROWS))
    assert json.loads(card.read_text())["version"] == VERSION
    text = "MATCH ()-[w:WEIGHT]->() RETURN w.connection, w.l1, w.max_abs ORDER BY w.connection"
    given = sorted((r["connection"], r.get("l1"), r.get("max_abs")) for r in ROWS)
    assert store.read(text).rows == given
    store.close()


@pytest.mark.parametrize("text", ["w" + ".l1" * 3000, "keys(" * 9000 + "w" + ")" * 9000])
def test_a_text_is_not_made_longer_without_end(stores: tuple[Store, Store], text: str) -> None:
    with pytest.raises(CypherError, match="too many places"):
        stores[0].read(f"MATCH ()-[w:WEIGHT]->() RETURN {text}")


FINITE = st.floats(allow_nan=False, width=32) | st.floats(allow_nan=False)
ROW = FINITE.map(following) | st.fixed_dictionaries({}, optional=dict.fromkeys(IN_CYPHER, FINITE))


@given(st.lists(st.tuples(ROW, st.integers(1, 9))))
def test_rows_taken_apart_are_put_together(found: list[tuple[dict[str, float], int]]) -> None:
    records = [weight(0, 1, rank=rank, **row) for row, rank in found]
    rows = relation_table("WEIGHT", rows_of(records))
    apart = taken_apart("WEIGHT", rows)
    if NUMBER not in apart.column_names:
        assert apart.equals(rows)
        return
    numbers = apart[NUMBER].is_valid()
    kept = rows.filter(apart[NUMBER].is_null())
    assert apart.filter(apart[NUMBER].is_null()).drop_columns([NUMBER]).equals(kept)
    short = apart.filter(numbers)
    for name in IN_CYPHER:
        assert short[name].null_count == len(short)
    again = put_together(short, rows.schema)
    assert again.to_pylist() == rows.filter(numbers).to_pylist()


def test_numbers_twice_as_large_as_any_stay_whole() -> None:
    rows = relation_table("WEIGHT", rows_of([weight(0, 1, **following(1.7e308))]))
    assert taken_apart("WEIGHT", rows) is rows
    other = pa.table({"sum": [1.0]})
    assert taken_apart("MEMBER_OF", other) is other

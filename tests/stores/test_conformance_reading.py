"""What every kind of store does alike: reading."""

from __future__ import annotations

from itertools import permutations

import pytest

from circuitkb.schema.errors import CypherError
from circuitkb.stores.base import Store
from tests.stores.contents import TEXTS, feature, network, nodes, values


def test_texts_come_back_as_they_were(store: Store) -> None:
    store.write(nodes("Claim", *({"id": f"{i}", "text": text} for i, text in enumerate(TEXTS))))
    assert values(store, "MATCH (n:Claim) RETURN n.text ORDER BY n.id") == TEXTS
    for text in TEXTS:
        assert values(store, "MATCH (n:Claim) WHERE n.text = $t RETURN n.text", t=text) == [text]


def test_numbers_come_back_as_they_were(store: Store) -> None:
    whole = [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)]
    real = [0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, 3.0]
    store.write(
        nodes(
            "Evidence",
            *(
                {"id": f"{i}", "kind": "k", "method": "m", "seed": n, "value": x}
                for i, (n, x) in enumerate(zip(whole, real, strict=True))
            ),
        )
    )
    answer = store.read("MATCH (e:Evidence) RETURN e.seed AS seed, e.value AS value ORDER BY e.id")
    assert answer.rows == list(zip(whole, real, strict=True))
    assert [type(row[1]) for row in answer.rows] == [float] * 5
    for n in whole:
        assert values(store, "MATCH (e:Evidence {seed: $n}) RETURN e.seed", n=n) == [n]


def test_lists_come_back_as_they_were(store: Store) -> None:
    lists = [[], ["one"], ["", "Ü", "a,b"], None]
    store.write(
        nodes(
            "Model",
            *(
                {"id": f"m{i}", "fingerprint": "f", "source": "s", "not_composed": items}
                for i, items in enumerate(lists)
            ),
        )
    )
    assert values(store, "MATCH (m:Model) RETURN m.not_composed ORDER BY m.id") == lists
    assert values(store, "MATCH (m:Model) WHERE 'Ü' IN m.not_composed RETURN m.id") == ["m2"]


def test_what_is_null_is_absent(store: Store) -> None:
    store.write(nodes("Feature", feature(0, bias=0.5), feature(1), feature(2, bias=float("nan"))))
    assert values(
        store, "MATCH (n:Feature) WHERE n.bias IS NULL RETURN n.unit ORDER BY n.unit"
    ) == [
        1,
        2,
    ]
    assert values(store, "MATCH (n:Feature {unit: 1}) RETURN n") == [feature(1)]
    assert values(store, "MATCH (n:Feature {unit: 1}) RETURN n.bias") == [None]
    assert values(store, "MATCH (n:Feature) RETURN count(n.bias)") == [1]


def test_columns_are_those_of_the_return_in_order(store: Store) -> None:
    store.write(network())
    asked = "MATCH (n:Feature) RETURN n.unit AS b, n.id, n.layer AS `a b`, 1 + 1 ORDER BY b LIMIT 1"
    answer = store.read(asked)
    assert answer.columns == ("b", "n.id", "a b", "1 + 1")
    assert answer.rows == [(0, "net/a:0", "a", 2)]
    assert answer.seconds >= 0


def test_columns_are_known_without_a_row(store: Store) -> None:
    for asked, columns in [
        ("MATCH (n:Feature) RETURN n.unit AS b, n.id", ("b", "n.id")),
        ("MATCH (n:Feature) RETURN n.layer, count(*) AS n", ("n.layer", "n")),
        ("MATCH (n:Feature) RETURN DISTINCT n ORDER BY n.id SKIP 1 LIMIT 2", ("n",)),
        ("MATCH (n:Feature) RETURN n.id AS a UNION MATCH (n:Model) RETURN n.id AS a", ("a",)),
    ]:
        answer = store.read(asked)
        assert (answer.columns, answer.rows) == (columns, [])


def test_a_group_and_its_count_stand_where_they_were_asked_for(store: Store) -> None:
    store.write(network())
    answer = store.read("MATCH (n:Feature) RETURN count(*) AS n, n.layer AS layer, max(n.unit)")
    assert answer.columns == ("n", "layer", "max(n.unit)")
    assert answer.rows == [(6, "a", 5)]


def test_nodes_and_relations_come_as_their_properties(store: Store) -> None:
    store.write(network())
    answer = store.read(
        "MATCH (a:Feature {unit: 0})-[w {sum: -2.0}]->(b) RETURN a, w, [b] AS bs, {k: a} AS m"
    )
    a, w, bs, m = answer.rows[0]
    assert a == feature(0, bias=0.0)
    assert list(a) == ["id", "model", "layer", "unit", "bias"], "in the order of the schema"
    assert w == {"sum": -2.0, "rank": 1, "connection": "c"}
    assert bs == [feature(2, bias=0.25)]
    assert m == {"k": a}


def test_paths_come_as_lists_of_nodes_and_relations(store: Store) -> None:
    store.write(network())
    (path,) = values(
        store,
        "MATCH p = (:Feature {unit: 0})-[{sum: -1.0}]->(:Feature {unit: 1})<-[{sum: 4.0}]-(x) "
        "RETURN p",
    )
    steps = [item.get("unit", item.get("sum")) for item in path]
    assert steps == [0, -1.0, 1, 4.0, 5]
    assert path[0] == feature(0, bias=0.0)
    ((short,), (lone,)) = store.read(
        "MATCH p = (:Feature {unit: 3}) RETURN p UNION ALL MATCH p = (:Model) RETURN p"
    ).rows
    assert [short[0]["unit"], lone[0]["id"]] == [3, "net"]


def test_paths_inside_of_lists_and_maps_are_lists(store: Store) -> None:
    store.write(network())
    answer = store.read("MATCH p = (:Feature {unit: 3}) RETURN [p] AS list, {path: p} AS map")
    (node,) = [feature(3, bias=0.375)]
    assert answer.rows == [([[node]], {"path": [node]})]


def test_paths_of_any_length(store: Store) -> None:
    store.write(network())
    found = values(
        store,
        "MATCH p = (:Feature {unit: 0})-[:WEIGHT*1..3]->(:Feature {unit: 3}) "
        "RETURN length(p) AS n ORDER BY n",
    )
    brute = sorted(
        len(steps)
        for length in (1, 2, 3)
        for steps in {
            tuple(order)
            for ones in range(length + 1)
            for order in permutations([1] * ones + [2] * (length - ones))
        }
        if sum(steps) == 3
    )
    assert found == brute


def test_filters(store: Store) -> None:
    store.write(network())
    count = "RETURN n.unit AS u ORDER BY u"
    for where, expected in [
        ("n.bias > 0.3", [3, 4, 5]),
        ("n.bias >= $low AND n.bias < $high", [2, 3]),
        ("n.unit IN $units", [1, 4]),
        ("NOT n.unit IN $units", [0, 2, 3, 5]),
        ("n.id STARTS WITH 'net/a:' AND n.id ENDS WITH '5'", [5]),
        ("n.id =~ 'net/a:[12]'", [1, 2]),
        ("n.unit % 2 = 0 XOR n.unit < 2", [1, 2, 4]),
        ("EXISTS { (n)-[w:WEIGHT]->() WHERE w.sum > 3 }", [4, 5]),
    ]:
        found = values(
            store,
            f"MATCH (n:Feature) WHERE {where} {count}",
            low=0.25,
            high=0.5,
            units=[1, 4],
        )
        assert found == expected, where


def test_dates_come_as_text(store: Store) -> None:
    assert values(store, "RETURN date('2021-06-30') AS d") == ["2021-06-30"]
    assert values(store, "RETURN date($d) > date('2021-06-29')", d="2021-06-30") == [True]


def test_more_rows_than_the_limit_are_cut_and_said(store: Store) -> None:
    store.write(network())
    asked = "MATCH (n:Feature) RETURN n.unit AS u ORDER BY u"
    cut = store.read(asked, limit=2)
    assert (cut.rows, cut.truncated) == ([(0,), (1,)], True)
    for limit in (6, 7, None):
        whole = store.read(asked, limit=limit)
        assert (len(whole.rows), whole.truncated) == (6, False)


def test_a_parameter_without_a_value_is_named(store: Store) -> None:
    with pytest.raises(CypherError, match=r"\$threshold"):
        store.read("MATCH (n:Feature) WHERE n.bias > $threshold RETURN n", {"other": 1})
    assert values(store, "RETURN $t IS NULL", t=None) == [True]

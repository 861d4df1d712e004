"""What every kind of store does alike."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from circuitkb.schema.errors import CypherError, SchemaError
from circuitkb.schema.tables import GraphRows, Relations, relation_table
from circuitkb.stores.base import Capability, Store

from .contents import (
    connection,
    content,
    content_of,
    feature,
    kernel_content,
    network,
    nodes,
    relations,
    together,
    values,
    weight,
    weights,
)

OPEN = Callable[..., Store]


def test_an_empty_store_answers_with_nothing(store: Store) -> None:
    assert values(store, "MATCH (n) RETURN count(n)") == [0]
    assert values(store, "MATCH (:Feature)-[w:WEIGHT]->() RETURN w") == []
    assert list(store.kernels("net")) == []
    assert content_of(store) == content([])


def test_a_store_needs_no_schema_call_before_the_first_write(open_again: OPEN) -> None:
    store = open_again()
    assert values(store, "MATCH (n:Feature) RETURN n") == []
    store.write(network())
    assert values(store, "MATCH (n:Feature) RETURN count(n)") == [6]


def test_making_the_schema_again_loses_nothing(store: Store) -> None:
    store.write(network())
    before = content_of(store)
    store.ensure_schema()
    assert content_of(store) == before


def test_what_is_written_is_what_is_exported(store: Store) -> None:
    store.write(network())
    assert content_of(store) == content([network()])


def test_another_handle_reads_what_was_written(store: Store, open_again: OPEN) -> None:
    other = open_again()
    assert values(other, "MATCH (n:Feature) RETURN count(n)") == [0]
    store.write(network())
    assert values(other, "MATCH (n:Feature) RETURN count(n)") == [6]
    assert other.address == store.address


def test_many_rows_in_one_write(store: Store) -> None:
    units, fan = 300, 100
    store.write(
        together(
            nodes("Feature", *(feature(i) for i in range(units))),
            weights(
                *(
                    weight(i, (i + step) % units, sum=i + step / 128, rank=step)
                    for i in range(units)
                    for step in range(fan)
                )
            ),
        )
    )
    answer = store.read(
        "MATCH (a:Feature)-[w:WEIGHT]->(b:Feature) "
        "RETURN count(*) AS n, sum(w.sum) AS total, count(DISTINCT a) AS starts"
    )
    total = sum(i + step / 128 for i in range(units) for step in range(fan))
    assert answer.rows == [(units * fan, total, units)]


def test_a_write_can_join_what_an_earlier_one_brought(store: Store) -> None:
    store.write(nodes("Feature", feature(0), feature(1)))
    store.write(weights(weight(0, 1, sum=2.0)))
    store.write(together(nodes("Feature", feature(2)), weights(weight(1, 2), weight(2, 0))))
    found = values(
        store,
        "MATCH (a:Feature)-[:WEIGHT]->(b:Feature) RETURN a.unit * 10 + b.unit AS e ORDER BY e",
    )
    assert found == [1, 12, 20]


def test_given_properties_of_a_known_node_are_set_and_the_others_stay(store: Store) -> None:
    store.write(nodes("Feature", feature(0, bias=0.5, inputs=3)))
    store.write(nodes("Feature", feature(0, bias=0.75, input_l1=2.0)))
    (found,) = values(store, "MATCH (n:Feature) RETURN n")
    assert found == feature(0) | {"bias": 0.75, "inputs": 3, "input_l1": 2.0}


def test_a_known_relation_is_the_one_with_its_key(store: Store) -> None:
    ends = nodes("Feature", feature(0), feature(1))
    store.write(together(ends, weights(weight(0, 1, "c", sum=1.0), weight(0, 1, "d", sum=2.0))))
    store.write(weights(weight(0, 1, "d", sum=3.0, rank=7), weight(0, 1, "e"), weight(1, 0, "c")))
    answer = store.read(
        "MATCH (a)-[w:WEIGHT]->(b) RETURN a.unit AS a, w.connection AS c, w.sum AS s, w.rank AS r "
        "ORDER BY a, c"
    )
    assert answer.rows == [(0, "c", 1.0, None), (0, "d", 3.0, 7), (0, "e", None, None),
                           (1, "c", None, None)]  # fmt: skip


def test_a_key_that_is_null_is_a_key(store: Store) -> None:
    row = relations(
        "TRANSFORMS_TO",
        "Feature",
        "Feature",
        {"source": "net/a:0", "target": "net/a:1", "group": "mirror", "score": 0.5},
    )
    store.write(together(nodes("Feature", feature(0), feature(1)), row))
    store.write(row)
    assert values(store, "MATCH ()-[r:TRANSFORMS_TO]->() RETURN r.score") == [0.5]


def test_a_relation_twice_in_one_write_is_one(store: Store) -> None:
    store.write(
        together(
            nodes("Feature", feature(0), feature(1)),
            weights(weight(0, 1, sum=1.0, rank=2), weight(0, 1, sum=4.0)),
        )
    )
    answer = store.read("MATCH ()-[w:WEIGHT]->() RETURN w.sum, w.rank")
    assert answer.rows == [(4.0, 2)]


def test_the_same_rows_again_change_nothing(store: Store) -> None:
    rows = together(network(), GraphRows(kernels={"net": [connection("c")]}))
    store.write(rows)
    before = content_of(store)
    store.write(rows)
    assert content_of(store) == before


def test_one_relation_may_join_different_labels(store: Store) -> None:
    ends = {"source": "e", "target": "x"}
    store.write(
        together(
            nodes("Evidence", {"id": "e", "kind": "k", "method": "m"}),
            nodes("Feature", feature(0) | {"id": "x"}),
            nodes("Claim", {"id": "x", "text": "t"}),
            GraphRows(
                relations=[
                    Relations("ABOUT", "Evidence", label, relation_table("ABOUT", one))
                    for label in ("Feature", "Claim")
                    for one in [{name: [value] for name, value in ends.items()}]
                ]
            ),
        )
    )
    found = values(store, "MATCH (:Evidence)-[:ABOUT]->(x) RETURN labels(x)[0] AS l ORDER BY l")
    assert found == ["Claim", "Feature"]


@pytest.mark.parametrize("missing", ["source", "target"])
def test_an_end_that_is_nowhere_is_named_and_nothing_is_written(store: Store, missing: str) -> None:
    store.write(network())
    before = content_of(store)
    row = weight(0, 1, "new") | {missing: "net/zzz:9"}
    with pytest.raises(SchemaError, match="net/zzz:9"):
        store.write(together(nodes("Label", {"id": "l", "text": "l"}), weights(row)))
    assert content_of(store) == before


def test_an_id_twice_in_a_table_is_named_and_nothing_is_written(store: Store) -> None:
    store.write(network())
    before = content_of(store)
    rows = nodes("Feature", feature(7), feature(8), feature(7, bias=1.0))
    with pytest.raises(SchemaError, match="net/a:7"):
        store.write(rows)
    assert content_of(store) == before


def test_a_write_that_fails_on_its_kernels_leaves_no_nodes(store: Store) -> None:
    twice = [connection("c", 0), connection("c", 1)]
    with pytest.raises(SchemaError, match="'c'"):
        store.write(together(network(), GraphRows(kernels={"net": twice})))
    assert content_of(store) == content([])


TEXTS = [
    "",
    "plain",
    "Ünïcödé 漢字 🧠 \u200b\u202e",
    "quotes ' \" ` and \\ back",
    "line\nbreak\ttab \x00 nul \x01",
    "LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l",
    "(#1:0)-[#2:0]->(#1:1)",
    "x" * 100_000,
]


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
    asked = "MATCH (n:Feature) RETURN n.unit AS b, n.id, n.layer AS `a b`, 1 + 1 LIMIT 1"
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


def test_dates_come_as_text_unless_the_store_has_dates(store: Store) -> None:
    (found,) = values(store, "RETURN date('2021-06-30') AS d")
    if Capability.NATIVE_DATES in store.capabilities:
        assert found.isoformat() == "2021-06-30"
    else:
        assert found == "2021-06-30"


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


def test_kernels_come_back_as_they_were(store: Store) -> None:
    given = [
        connection("c", 1),
        connection("d", 2, (5, 1, 1, 3, 3)),
        connection("e", 3, (1, 2, 2, 1, 1)),
    ]
    store.write(GraphRows(kernels={"net": given, "other": given[:1]}))
    found = store.kernels("net")
    assert [kernel_content(c) for c in found] == [kernel_content(c) for c in given]
    assert [c.key for c in found[1:]] == ["d", "e"]
    assert found[-1].key == "e"
    assert len(store.kernels("other")) == 1
    assert list(store.kernels("third")) == []


def test_kernels_of_a_model_are_replaced_as_a_whole(store: Store) -> None:
    store.write(GraphRows(kernels={"net": [connection("c", 1), connection("d", 2)]}))
    held = store.kernels("net")
    store.write(GraphRows(kernels={"net": [connection("c", 5)]}))
    assert [kernel_content(c) for c in store.kernels("net")] == [kernel_content(connection("c", 5))]
    assert [c.key for c in held] == ["c", "d"], "what was opened before can still be read"


def test_an_export_makes_the_same_store_elsewhere(store: Store, open_again: OPEN) -> None:
    store.write(
        together(network(), GraphRows(kernels={"net": [connection("c"), connection("d", 1)]}))
    )
    store.write(nodes("Claim", *({"id": f"{i}", "text": text} for i, text in enumerate(TEXTS))))
    copy = open_again("two")
    for piece in store.export():
        copy.write(piece)
    assert content_of(copy) == content_of(store)


def test_an_export_shows_one_state(store: Store) -> None:
    if Capability.SNAPSHOT_READS not in store.capabilities:
        return
    store.write(together(network(), GraphRows(kernels={"net": [connection("c")]})))
    before = content_of(store)
    pieces = store.export()
    first = next(pieces)
    store.write(nodes("Feature", *(feature(i, layer="b") for i in range(50))))
    assert content([first, *pieces]) == before


def test_closing_twice_is_closing(store: Store) -> None:
    store.write(network())
    assert values(store, "MATCH (n:Model) RETURN count(n)") == [1]
    store.close()
    store.close()

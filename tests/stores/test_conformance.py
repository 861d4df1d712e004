"""What every kind of store does alike: writing, kernels, export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from circuitkb.schema.errors import ModelConflictError, SchemaError
from circuitkb.schema.tables import GraphRows, Relations, relation_table
from circuitkb.stores.base import Capability, Store
from tests.stores.contents import (
    TEXTS,
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
    own = 0 if Capability.NOTHING_BESIDE in store.capabilities else 1
    assert values(store, "MATCH (n) RETURN count(n)") == [own]
    assert values(store, "MATCH (n:Model|Feature|Circuit) RETURN count(n)") == [0]
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


@pytest.mark.writes
def test_what_is_written_is_what_is_exported(store: Store) -> None:
    store.write(network())
    assert content_of(store) == content([network()])


def test_another_handle_reads_what_was_written(store: Store, open_again: OPEN) -> None:
    other = open_again()
    assert values(other, "MATCH (n:Feature) RETURN count(n)") == [0]
    store.write(network())
    assert values(other, "MATCH (n:Feature) RETURN count(n)") == [6]
    assert other.address == store.address


@pytest.mark.writes
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


@pytest.mark.writes
def test_a_write_can_join_what_an_earlier_one_brought(store: Store) -> None:
    store.write(nodes("Feature", feature(0), feature(1)))
    store.write(weights(weight(0, 1, sum=2.0)))
    store.write(together(nodes("Feature", feature(2)), weights(weight(1, 2), weight(2, 0))))
    found = values(
        store,
        "MATCH (a:Feature)-[:WEIGHT]->(b:Feature) RETURN a.unit * 10 + b.unit AS e ORDER BY e",
    )
    assert found == [1, 12, 20]


@pytest.mark.writes
def test_given_properties_of_a_known_node_are_set_and_the_others_stay(store: Store) -> None:
    store.write(nodes("Feature", feature(0, bias=0.5, inputs=3)))
    store.write(nodes("Feature", feature(0, bias=0.75, input_l1=2.0)))
    (found,) = values(store, "MATCH (n:Feature) RETURN n")
    assert found == feature(0) | {"bias": 0.75, "inputs": 3, "input_l1": 2.0}


@pytest.mark.writes
def test_a_known_relation_is_the_one_with_its_key(store: Store) -> None:
    ends = nodes("Feature", feature(0), feature(1))
    store.write(together(ends, weights(weight(0, 1, "c", sum=1.0), weight(0, 1, "d", sum=2.0))))
    store.write(weights(weight(0, 1, "d", sum=3.0, rank=7), weight(0, 1, "e"), weight(1, 0, "c")))
    answer = store.read(
        "MATCH (a)-[w:WEIGHT]->(b) RETURN a.unit AS a, w.connection AS c, w.sum AS s, w.rank AS r "
        "ORDER BY a, c"
    )
    assert answer.rows == [
        (0, "c", 1.0, None),
        (0, "d", 3.0, 7),
        (0, "e", None, None),
        (1, "c", None, None),
    ]


@pytest.mark.writes
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


@pytest.mark.writes
def test_a_relation_twice_in_one_write_is_one(store: Store) -> None:
    store.write(
        together(
            nodes("Feature", feature(0), feature(1)),
            weights(weight(0, 1, sum=1.0, rank=2), weight(0, 1, sum=4.0)),
        )
    )
    answer = store.read("MATCH ()-[w:WEIGHT]->() RETURN w.sum, w.rank")
    assert answer.rows == [(4.0, 2)]


@pytest.mark.writes
def test_the_same_rows_again_change_nothing(store: Store) -> None:
    rows = together(network(), GraphRows(kernels={"net": [connection("c")]}))
    store.write(rows)
    before = content_of(store)
    store.write(rows)
    assert content_of(store) == before


@pytest.mark.writes
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


@pytest.mark.writes
def test_a_write_that_fails_on_its_kernels_leaves_no_nodes(store: Store) -> None:
    twice = [connection("c", 0), connection("c", 1)]
    with pytest.raises(SchemaError, match="'c'"):
        store.write(together(network(), GraphRows(kernels={"net": twice})))
    assert content_of(store) == content([])


@pytest.mark.writes
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


def test_other_weights_under_a_models_name_are_refused_whole(store: Store) -> None:
    store.write(network())
    before = content_of(store)
    other = nodes("Model", {"id": "net", "fingerprint": "g", "source": "test"})
    with pytest.raises(ModelConflictError, match="'net' is here already with other weights"):
        store.write(together(other, nodes("Feature", feature(99))))
    assert content_of(store) == before


def model_with(computation: str | None, **layer: Any) -> GraphRows:
    model = {"id": "net", "fingerprint": "f", "source": "test", "computation": computation}
    place = {"id": "net/a", "model": "net", "name": "a", "position": 0, "channels": 6}
    return together(nodes("Model", model), nodes("Layer", place | layer))


def test_another_network_with_the_same_weights_is_refused_whole(store: Store) -> None:
    store.write(model_with("torch1:a"))
    before = content_of(store)
    with pytest.raises(ModelConflictError, match="another network with the same weights"):
        store.write(together(model_with("torch1:b"), nodes("Feature", feature(99))))
    assert content_of(store) == before
    store.write(model_with("torch1:a"))
    assert content_of(store) == before


@pytest.mark.parametrize("sides", [(None, "torch1:a"), ("torch1:a", None), ("torch1:a", "onnx1:a")])
def test_models_that_do_not_say_what_they_compute_are_told_apart_by_their_layers(
    store: Store, sides: tuple[str | None, str | None]
) -> None:
    stored, given = sides
    as_it_is = {"kind": "relu", "height": 7, "width": 7}
    store.write(model_with(stored, **as_it_is))
    for other in ({"kind": "leaky_relu"}, {"height": 4, "width": 4}):
        with pytest.raises(ModelConflictError, match=r"layer 'a' is (relu|7x7) there, (leaky|4x4)"):
            store.write(model_with(given, **(as_it_is | other)))
    store.write(model_with(given, **as_it_is))
    assert values(store, "MATCH (m:Model) RETURN m.computation") == [given or stored]


@pytest.mark.writes
def test_a_zero_below_zero_is_zero(store: Store) -> None:
    store.write(together(nodes("Feature", feature(0), feature(1)), weights(weight(0, 1, sum=-0.0))))
    asked = store.read(
        "MATCH ()-[r:WEIGHT]->() RETURN r.sum < 0 AS below, r.sum = 0 AS same, r.sum >= 0 AS least"
    )
    assert asked.rows == [(False, True, True)]

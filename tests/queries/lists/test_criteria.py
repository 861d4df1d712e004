"""Composed lists against brute force over the records, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from circuitkb.queries.lists.criteria import Circuits, Criteria, Edges, Features, Models
from circuitkb.queries.lists.statement import parameter_names
from circuitkb.queries.questions.catalogue import unknown_names
from circuitkb.schema.errors import IdError, QueryError, SchemaError
from circuitkb.stores.base import Store


def run(store: Store, wanted: Any) -> list[dict[str, Any]]:
    statement = wanted.to_cypher()
    got = store.read(statement.text, statement.parameters, limit=wanted.limit)
    return [dict(zip(got.columns, row, strict=True)) for row in got.rows]


def test_features_come_by_model_order_of_the_layer_and_unit(stored: Any) -> None:
    graph, store = stored
    got = run(store, Features())
    assert [row["feature"] for row in got] == sorted(graph.ids(), key=graph.place)
    assert [row["labels"] for row in got] == [graph.labels_of(row["feature"]) for row in got]


def test_a_label_filter_means_a_part_of_a_label_in_any_case(stored: Any) -> None:
    graph, store = stored
    got = run(store, Features(model="beta", label="CURVE"))
    assert {row["feature"] for row in got} == {
        item["feature"]
        for item in graph.labels
        if "curve" in item["text"].lower() and item["feature"].startswith("beta/")
    }


def test_conditions_on_properties_narrow_a_list(stored: Any) -> None:
    graph, store = stored
    got = run(store, Features(layer="mid.1").where("left_out_l1", ">", 0.5).where("unit", "<", 8))
    assert {row["feature"] for row in got} == {
        f["id"]
        for f in graph.features
        if f["layer"] == "mid.1" and (f["left_out_l1"] or 0) > 0.5 and f["unit"] < 8
    }


def edge(weight: dict[str, Any]) -> tuple[Any, ...]:
    return weight["source"], weight["target"], weight["connection"]


def test_inputs_of_chosen_features_are_their_edges_by_target_then_rank(stored: Any) -> None:
    graph, store = stored
    got = run(store, Edges(target=Features(model="alpha", label="dog"), max_rank=2))
    chosen = {
        item["feature"]
        for item in graph.labels
        if "dog" in item["text"].lower() and item["feature"].startswith("alpha/")
    }
    expected = [w for w in graph.weights if w["target"] in chosen and w["rank"] <= 2]
    expected.sort(key=lambda w: (graph.place(w["target"]), w["rank"]))
    assert [edge(row) for row in got] == [edge(w) for w in expected]
    assert [row["sum"] for row in got] == [w["sum"] for w in expected]


def test_edges_may_be_chosen_at_both_ends_at_once(stored: Any) -> None:
    graph, store = stored
    wanted = Edges(
        model="beta",
        source=Features(label="curve"),
        target=Features(layer="mid.1"),
        min_rank=2,
        sign="negative",
    )
    got = {edge(row) for row in run(store, wanted.where("l1", ">=", 1.0))}
    curves = {item["feature"] for item in graph.labels if "curve" in item["text"].lower()}
    assert got == {
        edge(w)
        for w in graph.weights
        if w["source"] in curves
        and w["target"].startswith("beta/mid.1:")
        and w["rank"] >= 2
        and w["sum"] < 0
        and w["l1"] >= 1.0
    }


def test_parallel_edges_stay_apart(stored: Any) -> None:
    graph, store = stored
    assert len(run(store, Edges())) == len(graph.weights)


def test_circuits_come_with_members_null_and_published_twins(stored: Any) -> None:
    graph, store = stored
    got = {row["circuit"]: row for row in run(store, Circuits())}
    assert set(got) == {c["id"] for c in graph.circuits}
    for circuit in graph.circuits:
        row = got[circuit["id"]]
        members = [
            m | {"labels": graph.labels_of(m["feature"]), "facing": None}
            for m in sorted(
                circuit["members"], key=lambda m: (m["side"] or 9, m["role"], m["feature"])
            )
        ]
        assert row["members"] == members
        evidence = next((e for e in graph.evidence if e["circuit"] == circuit["id"]), {})
        for name in ("null_mean", "null_count", "p", "q"):
            assert row[name] == evidence.get(name)
        twins = [
            p["id"]
            for p in graph.circuits
            if p["origin"] == "published"
            and "union" in p["motif"]
            and graph.members(circuit) <= graph.members(p)
        ]
        assert row["published_as"] == (sorted(twins) if circuit["origin"] == "found" else [])


def test_circuits_of_a_feature_are_those_it_is_a_member_of(stored: Any) -> None:
    graph, store = stored
    for id in graph.ids():
        got = {row["circuit"] for row in run(store, Circuits(feature=id, origin="found"))}
        assert got == {
            c["id"] for c in graph.circuits if c["origin"] == "found" and id in graph.members(c)
        }


def test_models_count_their_layers_and_circuits(stored: Any) -> None:
    graph, store = stored
    got = {row["model"]: (row["layers"], row["circuits"]) for row in run(store, Models())}
    assert got == {
        model: (3, sum(c["model"] == model for c in graph.circuits)) for model in graph.models
    }


@pytest.mark.parametrize("wanted", [Models(), Features(), Edges(), Circuits()], ids=str)
@pytest.mark.parametrize("limit", [0, 1, 2])
def test_a_limit_keeps_the_first_rows_and_says_that_there_are_more(
    stored: Any, wanted: Criteria, limit: int
) -> None:
    _, store = stored
    first = wanted.limited(limit)
    statement = first.to_cypher()
    got = store.read(statement.text, statement.parameters, limit=limit)
    assert got.truncated
    assert len(got.rows) == limit
    assert run(store, first) == run(store, wanted)[:limit]


EVERY = [
    Models().where("weights", "=", "trained"),
    Features(model="m", layer="l", label="x", id="m/l:0").where("bias", "<", 0.0),
    Edges(
        model="m",
        source="m/l:0",
        target=Features(label="x"),
        min_rank=1,
        max_rank=2,
        sign="positive",
    ).where("path", "in", ["direct"]),
    Circuits(model="m", motif="union", origin="found", feature=Features(label="x")).where(
        "score", ">=", 0.5
    ),
]


@pytest.mark.parametrize("wanted", EVERY, ids=lambda wanted: type(wanted).__name__)
def test_the_text_uses_only_names_of_the_schema_and_every_value_is_a_parameter(
    wanted: Any,
) -> None:
    statement = wanted.to_cypher()
    assert list(unknown_names(statement.text)) == []
    assert parameter_names(statement.text) == set(statement.parameters)


def test_a_value_never_becomes_part_of_the_text(stored: Any) -> None:
    _, store = stored
    nasty = "x' OR 1=1 // $limit } RETURN"
    for wanted in (
        Features(model=nasty, layer=nasty, label=nasty),
        Features().where("layer", "contains", nasty),
        Circuits(motif=nasty),
    ):
        assert nasty not in wanted.to_cypher().text
        assert run(store, wanted) == []


def test_two_conditions_on_one_property_keep_both_values(stored: Any) -> None:
    graph, store = stored
    got = run(store, Features().where("unit", ">", 3).where("unit", "<", 7))
    assert {row["unit"] for row in got} == {f["unit"] for f in graph.features if 3 < f["unit"] < 7}


def test_an_unknown_property_is_refused_with_near_matches() -> None:
    with pytest.raises(SchemaError, match=r"not a property of WEIGHT.*'positive'"):
        Edges().where("positiv", ">", 0)


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(QueryError, match="no operator"):
        Features().where("unit", "~", 1)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Edges(source="mixed4b:418"), IdError),
        (lambda: Edges(sign="up"), QueryError),  # type: ignore[arg-type]
        (lambda: Circuits(origin="invented"), QueryError),
        (lambda: Features(limit=-1), QueryError),
    ],
)
def test_values_that_cannot_be_meant_are_refused_at_once(make: Any, error: Any) -> None:
    with pytest.raises(error):
        make()


def test_narrowing_a_list_leaves_the_first_one_as_it_was() -> None:
    features = Features(model="m")
    before = features.to_cypher()
    features.where("unit", "=", 1).limited(3)
    assert features.to_cypher() == before

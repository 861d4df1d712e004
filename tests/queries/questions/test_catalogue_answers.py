"""Each question of the catalogue against brute force over the records of small random graphs."""

from __future__ import annotations

from typing import Any

import pytest

from circuitkb.queries.questions.catalogue import find
from circuitkb.stores.base import Store

MODELS: tuple[list[str], ...] = ([], ["beta"], ["alpha", "gamma"])


def answer(store: Store, name: str, **parameters: Any) -> list[dict[str, Any]]:
    statement = find(name).bind(parameters)
    got = store.read(statement.text, statement.parameters)
    if got.rows:
        assert got.columns == tuple(find(name).columns)
    return [dict(zip(got.columns, row, strict=True)) for row in got.rows]


def test_inputs_are_the_strongest_weights_into_a_feature_in_order(stored: Any) -> None:
    graph, store = stored
    for id in graph.ids():
        into = sorted((w for w in graph.weights if w["target"] == id), key=lambda w: w["rank"])
        expected = [
            {
                "rank": w["rank"],
                "source": w["source"],
                "labels": graph.labels_of(w["source"]),
                "l1": w["l1"],
                "sum": w["sum"],
                "positive": w["positive"],
                "negative": w["negative"],
                "positive_dy": None,
                "positive_dx": w["positive_dx"],
                "path": "direct",
                "connection": w["connection"],
                "origin": None,
            }
            for w in into[:3]
        ]
        assert answer(store, "inputs", feature=id, top=3) == expected


def test_outputs_are_the_strongest_weights_out_of_a_feature_in_order(stored: Any) -> None:
    graph, store = stored
    for id in graph.ids():
        out = sorted(
            (w for w in graph.weights if w["source"] == id),
            key=lambda w: (-w["l1"], w["target"], w["connection"]),
        )
        got = answer(store, "outputs", feature=id, top=4)
        assert [(r["target"], r["connection"], r["l1"], r["rank"], r["sum"]) for r in got] == [
            (w["target"], w["connection"], w["l1"], w["rank"], w["sum"]) for w in out[:4]
        ]
        assert [r["labels"] for r in got] == [graph.labels_of(w["target"]) for w in out[:4]]


@pytest.mark.parametrize("models", MODELS, ids=str)
@pytest.mark.parametrize("label", ["curve", "DOG HEADS", "nobody says this"])
def test_labels_lists_each_feature_once_for_each_label_with_all_who_say_so(
    stored: Any, label: str, models: list[str]
) -> None:
    graph, store = stored
    said: dict[tuple[Any, ...], set[str]] = {}
    for item in graph.labels:
        feature = graph.feature(item["feature"])
        if label.lower() in item["text"].lower() and (not models or feature["model"] in models):
            key = (item["text"], *graph.place(feature["id"]), feature["id"], feature["layer"])
            said.setdefault(key, set()).add(item["who"])
    expected = [
        {"label": text, "feature": id, "model": model, "layer": layer, "said_by": sorted(who)}
        for (text, model, _, _, id, layer), who in sorted(said.items())
    ]
    assert answer(store, "labels", label=label, models=models) == expected


def test_labels_may_be_bounded_to_layers(stored: Any) -> None:
    _, store = stored
    everywhere = answer(store, "labels", label="curve")
    inside = answer(store, "labels", label="curve", layers=["zeta", "alpha"])
    assert inside == [row for row in everywhere if row["layer"] in ("zeta", "alpha")]


@pytest.mark.parametrize("models", MODELS, ids=str)
def test_several_families_finds_features_with_two_different_labels(
    stored: Any, models: list[str]
) -> None:
    graph, store = stored
    expected = []
    for feature in graph.features:
        families = graph.labels_of(feature["id"])
        if len(families) > 1 and (not models or feature["model"] in models):
            expected.append(
                {
                    "feature": feature["id"],
                    "model": feature["model"],
                    "layer": feature["layer"],
                    "families": families,
                    "count": len(families),
                }
            )
    expected.sort(key=lambda row: (-row["count"], *graph.place(row["feature"])))
    assert answer(store, "several-families", models=models) == expected


def test_circuits_of_lists_the_roles_that_a_feature_plays(stored: Any) -> None:
    graph, store = stored
    for id in graph.ids():
        expected = [
            {
                "circuit": c["id"],
                "motif": c["motif"],
                "role": m["role"],
                "side": m["side"],
                "origin": c["origin"],
                "score": c["score"],
                "claim": c["claim"],
                "members": len(c["members"]),
                "group": c["group"],
            }
            for c in graph.circuits
            for m in c["members"]
            if m["feature"] == id
        ]
        expected.sort(key=lambda row: (row["motif"], row["circuit"], row["role"]))
        assert answer(store, "circuits-of", feature=id) == expected


@pytest.mark.parametrize("models", MODELS, ids=str)
def test_unexplained_adds_up_what_is_left_out_in_each_layer(stored: Any, models: list[str]) -> None:
    graph, store = stored
    expected = []
    for layer in sorted(graph.layers, key=lambda y: (y["model"], y["position"])):
        inside = [
            f
            for f in graph.features
            if (f["model"], f["layer"]) == (layer["model"], layer["name"]) and f["inputs"]
        ]
        if not inside or (models and layer["model"] not in models):
            continue

        def total(name: str, inside: list[dict[str, Any]] = inside) -> float | None:
            values = [f[name] for f in inside if f[name] is not None]
            return pytest.approx(sum(values)) if values else None

        def share(unit: str, inside: list[dict[str, Any]] = inside) -> Any:
            if inside[0]["input_l1"] is None:
                return None
            out, all_ = (sum(f[f"{part}_{unit}"] for f in inside) for part in ("left_out", "input"))
            return pytest.approx(out / all_)

        expected.append(
            {
                "model": layer["model"],
                "layer": layer["name"],
                "features": len(inside),
                "edges": sum(f["inputs"] for f in inside),
                "input_l1": total("input_l1"),
                "left_out_l1": total("left_out_l1"),
                "share_l1": share("l1"),
                "share_l2_squared": share("l2_squared"),
            }
        )
    assert answer(store, "unexplained", models=models) == expected


@pytest.mark.parametrize("models", MODELS, ids=str)
def test_conflicts_are_the_refuting_evidence_and_the_flagged_published_kernels(
    stored: Any, models: list[str]
) -> None:
    graph, store = stored

    def wanted(id: str) -> bool:
        return not models or graph.feature(id)["model"] in models

    expected = [
        {
            "kind": e["kind"],
            "sources": [f for f, role in e["about"] if role == "source"],
            "targets": [f for f, role in e["about"] if role == "target"],
            "value": e["value"],
            "method": "a measure",
            "refutes": [e["refutes"]["text"]] if e["refutes"] else [],
            "detail": None,
            "evidence": e["id"],
        }
        for e in graph.evidence
        if e["stance"] == "refutes" and wanted(e["about"][0][0])
    ]
    expected += [
        {
            "kind": "flagged-kernel",
            "sources": [w["source"]],
            "targets": [w["target"]],
            "value": None,
            "method": None,
            "refutes": [],
            "detail": w["flag"],
            "evidence": None,
        }
        for w in graph.weights
        if w["flag"] and graph.feature(w["target"])["model"] == "gamma" and wanted(w["target"])
    ]
    expected.sort(key=lambda r: (r["kind"], r["targets"], r["sources"], r["evidence"] or "~"))
    assert answer(store, "conflicts", models=models) == expected

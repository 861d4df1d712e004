"""Paths, common inputs, analogies, hubs and provenance against brute force over small graphs."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from tests.queries.graphs import Graph
from tests.queries.questions.test_catalogue_answers import MODELS, answer


def between(graph: Graph, source: str, target: str) -> list[dict[str, Any]]:
    return [w for w in graph.weights if (w["source"], w["target"]) == (source, target)]


def inside(graph: Graph, id: str, models: list[str]) -> bool:
    return not models or id.split("/")[0] in models


def at_depth(graph: Graph, model: str, position: int) -> list[str]:
    return [
        f["id"] for f in graph.features if f["model"] == model and graph.position(f) == position
    ]


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-9)


def test_analogous_features_are_joined_either_way_and_withdrawn_ones_are_not(stored: Any) -> None:
    graph, store = stored
    for id in graph.ids():
        expected = [
            {
                "analogue": other,
                "model": other.split("/")[0],
                "labels": graph.labels_of(other),
                "score": m["score"],
                "rank": m["rank"],
                "null_mean": 0.1,
                "q": m["q"],
                "method": "m",
            }
            for m in graph.alike
            for other in (
                {m["source"], m["target"]} - {id} if id in (m["source"], m["target"]) else ()
            )
            if m["q"] <= 0.05
        ]
        expected.sort(key=lambda row: (-row["score"], row["analogue"]))
        assert answer(store, "analogous", feature=id) == expected


@pytest.mark.parametrize("models", MODELS, ids=str)
def test_analogous_circuits_are_pairs(stored: Any, models: list[str]) -> None:
    graph, store = stored
    model = {c["id"]: c["model"] for c in graph.circuits}
    expected = sorted(
        (m["source"], m["target"])
        for m in graph.analogous
        if m["q"] <= 0.05 and (not models or {model[m["source"]], model[m["target"]]} & set(models))
    )
    got = answer(store, "analogous-circuits", models=models)
    # The same pair may be matched twice in these records: relations of one method are one.
    assert sorted({(r["circuit"], r["counterpart"]) for r in got}) == sorted(set(expected))
    assert all(
        (r["model"], r["other_model"]) == (model[r["circuit"]], model[r["counterpart"]])
        for r in got
    )
    assert answer(store, "analogous-circuits", motif="no such motif") == []


@pytest.mark.parametrize("at_least", [1, 2, 3])
def test_circuits_in_several_models_count_models_and_not_matches(
    stored: Any, at_least: int
) -> None:
    graph, store = stored
    model = {c["id"]: c["model"] for c in graph.circuits}
    last = {(m["source"], m["target"]): m["q"] for m in graph.analogous}
    others: dict[str, set[str]] = defaultdict(set)
    for (one, two), q in last.items():
        if q <= 0.05:
            others[one].add(model[two])
            others[two].add(model[one])
    expected = {id: sorted(o) for id, o in others.items() if len(o) + 1 >= at_least}
    got = answer(store, "in-several-models", at_least=at_least)
    assert {r["circuit"]: r["others"] for r in got} == expected
    assert [r["models"] for r in got] == sorted(len(o) + 1 for o in expected.values())[::-1]


def test_common_inputs_and_outputs_have_the_best_rank_and_the_whole_sum(stored: Any) -> None:
    graph, store = stored
    for model in graph.models:
        for depth, name, column in ((1, "common-inputs", "input"), (1, "common-outputs", "output")):
            one, two, *_ = at_depth(graph, model, depth)
            expected = []
            for id in graph.ids():
                parts = [
                    between(graph, id, f) if column == "input" else between(graph, f, id)
                    for f in (one, two)
                ]
                if all(parts):
                    ranks = [min(w["rank"] for w in part) for part in parts]
                    sums = [sum(w["sum"] for w in part) for part in parts]
                    expected.append((sum(ranks), id, *ranks, *map(near, sums)))
            got = answer(store, name, feature=one, other=two)
            assert [
                (
                    r["rank_1"] + r["rank_2"],
                    r[column],
                    r["rank_1"],
                    r["rank_2"],
                    r["sum_1"],
                    r["sum_2"],
                )
                for r in got
            ] == sorted(expected, key=lambda row: row[:2])
            assert all(r["labels"] == graph.labels_of(r[column]) for r in got)
            if column == "input":
                assert all(r["same_sign"] == (r["sum_1"] * r["sum_2"] > 0) for r in got)


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_the_shortest_excitatory_paths_are_all_of_the_least_length(
    stored: Any, longest: int
) -> None:
    graph, store = stored
    for model in graph.models:
        for start, end in (
            (at_depth(graph, model, 0)[0], at_depth(graph, model, 2)[0]),
            (at_depth(graph, model, 0)[1], at_depth(graph, model, 1)[1]),
        ):
            chains: list[list[dict[str, Any]]] = [
                [w] for w in graph.weights if w["source"] == start and w["sum"] > 0
            ]
            found: list[list[dict[str, Any]]] = []
            for _ in range(longest):
                found = [c for c in chains if c[-1]["target"] == end]
                if found:
                    break
                chains = [
                    [*c, w]
                    for c in chains
                    for w in graph.weights
                    if w["source"] == c[-1]["target"] and w["sum"] > 0
                ]
            expected = sorted(
                (
                    [c[0]["source"], *(w["target"] for w in c)],
                    [w["rank"] for w in c],
                    [w["connection"] for w in c],
                    [w["sum"] for w in c],
                    len(c),
                )
                for c in found
            )
            got = answer(store, "shortest-path", feature=start, other=end, longest=longest)
            assert [
                (r["path"], r["ranks"], r["connections"], r["sums"], r["length"]) for r in got
            ] == expected


@pytest.mark.parametrize("strongest", [2, 16])
def test_opponents_are_excited_by_what_inhibits_a_unit_and_the_other_way_round(
    stored: Any, strongest: int
) -> None:
    graph, store = stored
    some = 0
    for feature in graph.features:
        expected = []
        for other in graph.features:
            same = (other["model"], other["layer"]) == (feature["model"], feature["layer"])
            if not same or other is feature:
                continue
            signs = []
            for source in graph.ids():
                sums = [
                    sum(w["sum"] for w in between(graph, source, f["id"]) if w["rank"] <= strongest)
                    for f in (feature, other)
                ]
                signs.append(sums)
            this = sum(a > 0 > b for a, b in signs)
            that = sum(a < 0 < b for a, b in signs)
            both = sum(a * b > 0 for a, b in signs)
            if this and that:
                expected.append((-(this + that - both), other["id"], this, that, both))
        got = answer(store, "reciprocal-inhibition", feature=feature["id"], strongest=strongest)
        some += len(got)
        assert [
            (r["opponent"], r["excites_this"], r["excites_other"], r["same_sign"]) for r in got
        ] == [row[1:] for row in sorted(expected)]
    assert strongest == 2 or some


@pytest.mark.parametrize("top", [2, 50])
def test_what_inhibits_or_excites_most_comes_first(stored: Any, top: int) -> None:
    graph, store = stored
    for id in graph.ids():
        for name, own, far, mass, sign in (
            ("inhibitors", "target", "source", "negative", 1),
            ("inhibited", "source", "target", "negative", 1),
            ("exciters", "target", "source", "positive", -1),
            ("excited", "source", "target", "positive", -1),
        ):
            rows = sorted(
                (sign * w[mass], w["rank"], w["connection"], w[far])
                for w in graph.weights
                if w[own] == id and w[mass]
            )
            got = answer(store, name, feature=id, top=top)
            assert [(sign * r[mass], r["rank"], r["connection"], r[far]) for r in got] == rows[:top]
            assert [r["labels"] for r in got] == [graph.labels_of(r[far]) for r in got]


@pytest.mark.parametrize("models", MODELS, ids=str)
def test_unlabelled_features_are_those_of_circuits_that_only_tools_name(
    stored: Any, models: list[str]
) -> None:
    graph, store = stored
    expected = []
    for feature in graph.features:
        own = [c for c in graph.circuits if feature["id"] in graph.members(c)]
        if own and not graph.labels_of(feature["id"]) and inside(graph, feature["id"], models):
            roles = {m["role"] for c in own for m in c["members"] if m["feature"] == feature["id"]}
            expected.append((-len(own), -(feature["input_l1"] or 0), feature["id"], sorted(roles)))
    got = answer(store, "unlabelled", models=models)
    assert [(r["feature"], -r["circuits"], r["roles"]) for r in got] == [
        (id, count, roles) for count, _, id, roles in sorted(expected)
    ]
    assert answer(store, "unlabelled", models=models, top=1) == got[:1]


def test_mirror_images_come_with_their_null_the_best_first(stored: Any) -> None:
    graph, store = stored
    for id in graph.ids():
        expected = sorted(
            (1 if m["q"] is None else m["q"], -m["score"], other, m["parameter"], m["same"])
            for m in graph.mirrored
            if id in (m["source"], m["target"])
            for other in {m["source"], m["target"]} - {id}
        )
        got = answer(store, "mirrored", feature=id)
        assert [
            (1 if r["q"] is None else r["q"], -r["score"], r["partner"], r["parameter"], r["same"])
            for r in got
        ] == expected
        assert all(r["labels"] == graph.labels_of(r["partner"]) for r in got)


@pytest.mark.parametrize("models", MODELS, ids=str)
@pytest.mark.parametrize(("angle", "tolerance"), [(0, 15), (90, 30), (175, 20)])
def test_orientation_is_near_round_the_half_circle(
    stored: Any, models: list[str], angle: float, tolerance: int
) -> None:
    graph, store = stored
    expected = []
    for f in graph.features:
        if f["orientation"] is None or not inside(graph, f["id"], models):
            continue
        off = min(abs(f["orientation"] - angle), 180 - abs(f["orientation"] - angle))
        if off <= tolerance:
            expected.append((f["model"], graph.position(f), near(off), f["id"]))
    got = answer(store, "oriented", orientation=angle, tolerance=tolerance, models=models)
    assert sorted(r["feature"] for r in got) == sorted(row[3] for row in expected)
    offs = {row[3]: row[2] for row in expected}
    assert all(r["off"] == offs[r["feature"]] for r in got)
    places = [(graph.place(r["feature"])[:2], r["off"]) for r in got]
    assert places == sorted(places)
    only = answer(store, "oriented", orientation=angle, tolerance=tolerance, layers=["alpha"])
    assert {r["layer"] for r in only} <= {"alpha"}


def test_evidence_of_a_feature_comes_with_its_null(stored: Any) -> None:
    graph, store = stored
    for id in graph.ids():
        expected = sorted(
            (e["kind"], role, e["id"], e["stance"], e["value"], e["null_mean"], e["p"], e["q"])
            for e in graph.evidence
            for f, role in e["about"]
            if f == id
        )
        assert [
            (
                r["kind"],
                r["role"],
                r["evidence"],
                r["stance"],
                r["value"],
                r["null_mean"],
                r["p"],
                r["q"],
            )
            for r in answer(store, "evidence", feature=id)
        ] == expected


@pytest.mark.parametrize("models", MODELS, ids=str)
def test_layers_count_the_circuits_of_their_features(stored: Any, models: list[str]) -> None:
    graph, store = stored
    expected = []
    for y in graph.layers:
        if models and y["model"] not in models:
            continue
        own = {
            f["id"] for f in graph.features if (f["model"], f["layer"]) == (y["model"], y["name"])
        }
        circuits = [c for c in graph.circuits if graph.members(c) & own]
        members = {f for c in circuits for f in graph.members(c) & own}
        expected.append((y["model"], y["position"], y["name"], 12, len(circuits), len(members)))
    assert [
        (r["model"], r["position"], r["layer"], r["channels"], r["circuits"], r["members"])
        for r in answer(store, "layers", models=models)
    ] == sorted(expected)


@pytest.mark.parametrize("models", MODELS, ids=str)
def test_hubs_are_the_features_of_most_circuits(stored: Any, models: list[str]) -> None:
    graph, store = stored
    expected = []
    for id in graph.ids():
        own = [c for c in graph.circuits if id in graph.members(c)]
        if own and inside(graph, id, models):
            roles = {m["role"] for c in own for m in c["members"] if m["feature"] == id}
            motifs = {c["motif"] for c in own}
            expected.append((-len(own), id, sorted(motifs), sorted(roles), graph.labels_of(id)))
    got = answer(store, "hubs", models=models, top=7)
    assert [
        (-r["circuits"], r["feature"], r["motifs"], r["roles"], r["labels"]) for r in got
    ] == sorted(expected)[:7]


@pytest.mark.parametrize("models", MODELS, ids=str)
def test_kinds_of_circuits_are_counted_with_the_range_of_their_evidence(
    stored: Any, models: list[str]
) -> None:
    graph, store = stored
    kinds: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for c in graph.circuits:
        if not models or c["model"] in models:
            kinds[c["motif"], c["model"], c["origin"]].append(c)
    expected = []
    for kind, own in sorted(kinds.items()):
        ids = {c["id"] for c in own}
        qs = [e["q"] for e in graph.evidence if e["circuit"] in ids]
        members = {f for c in own for f in graph.members(c)}
        low, high = (min(qs), max(qs)) if qs else (None, None)
        expected.append((*kind, len(own), len(members), low, high))
    assert [
        (
            r["motif"],
            r["model"],
            r["origin"],
            r["circuits"],
            r["features"],
            r["best_q"],
            r["worst_q"],
        )
        for r in answer(store, "motifs", models=models)
    ] == expected


@pytest.mark.parametrize("models", MODELS, ids=str)
def test_imports_tell_what_was_done_in_order(stored: Any, models: list[str]) -> None:
    graph, store = stored
    wanted = [i for i in graph.imports if not models or i["model"] in models]
    wanted.sort(key=lambda i: (i["created"] or "", i["kind"], i["model"] or "", i["id"]))
    assert answer(store, "imports", models=models) == [
        {
            k: i[k]
            for k in ("kind", "model", "source", "by", "created", "tool", "seconds", "summary")
        }
        for i in wanted
    ]


@pytest.mark.parametrize("models", MODELS, ids=str)
def test_reviews_that_count_stand_beside_what_they_review(stored: Any, models: list[str]) -> None:
    graph, store = stored
    labels = {item["id"]: item for item in graph.labels}
    expected = sorted(
        (
            r["of"],
            r["who"].lower(),
            r["id"],
            r["verdict"],
            r["text"],
            [labels[r["of"]]["feature"]],
            labels[r["of"]]["who"].lower(),
        )
        for r in graph.reviews
        if r["state"] == "live" and inside(graph, labels[r["of"]]["feature"], models)
    )
    assert [
        (
            r["annotation"],
            r["reviewer"],
            r["review"],
            r["verdict"],
            r["comment"],
            r["features"],
            r["said_by"],
        )
        for r in answer(store, "reviews", models=models)
    ] == expected


@pytest.mark.parametrize("models", [[], ["alpha", "beta"], ["gamma"]], ids=str)
def test_shared_labels_are_in_all_models_asked_for(stored: Any, models: list[str]) -> None:
    graph, store = stored
    expected = []
    for text in {item["text"] for item in graph.labels}:
        features = {item["feature"] for item in graph.labels if item["text"] == text}
        own = sorted({f.split("/")[0] for f in features})
        if len(own) > 1 and set(models) <= set(own):
            expected.append((-len(own), -len(features), text, own))
    assert [
        (-len(r["models"]), -r["features"], r["label"], r["models"])
        for r in answer(store, "shared-labels", models=models)
    ] == sorted(expected)

"""Which feature a label of an attribution graph is about."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.recognition import open_annotations

CROSS_LAYER = "cross layer transcoder"


def paired(layer: int, index: int) -> int:
    """Cantor's pairing of a layer and an index, counted out along the diagonals."""
    order = [(x, total - x) for total in range(layer + index + 1) for x in range(total, -1, -1)]
    return order.index((layer, index))


def node(layer: int, index: int, position: int = 3, **more: Any) -> dict[str, Any]:
    return {
        "node_id": f"{layer}_{index}_{position}",
        "feature": paired(layer, index),
        "layer": str(layer),
        "ctx_idx": position,
        "feature_type": CROSS_LAYER,
        "clerp": "",
    } | more


def lines_of(folder: Path, nodes: list[dict[str, Any]], **state: Any) -> list[Line]:
    graph = {
        "metadata": {
            "scan": "net-a",
            "slug": "demo",
            "feature_details": {"neuronpedia_source_set": "set-16k"},
        },
        "qParams": {"supernodes": [], "clerps": []} | state,
        "links": [],
        "nodes": nodes,
    }
    path = folder / "graph.json"
    path.write_text(json.dumps(graph), "utf-8")
    return list(open_annotations(path, defaults=Defaults(author="ada")).lines)


def said(lines: list[Line]) -> set[tuple[str, str, int]]:
    """Label, layer and unit of each record about a feature."""
    records = [line.record for line in lines if line.record is not None]
    return {
        (record["label"]["text"], record["target"]["layer"], record["target"]["unit"])
        for record in records
        if record["target"]["type"] == "feature"
    }


def test_a_nodes_own_label_is_about_that_node_where_its_id_is_the_number_of_another(
    tmp_path: Path,
) -> None:
    assert paired(0, 5) == 20
    nodes = [node(0, 5, clerp="months"), node(0, 20, clerp="colours")]
    expected = {("months", "0", 5), ("colours", "0", 20)}
    assert said(lines_of(tmp_path, nodes)) == expected
    assert said(lines_of(tmp_path, nodes[::-1])) == expected


def test_every_own_label_of_a_dense_graph_stays_with_its_node(tmp_path: Path) -> None:
    rng = random.Random(0)
    places = {(rng.randrange(3), rng.randrange(60), rng.randrange(2)) for _ in range(250)}
    named = {place: f"{place[0]} and {place[1]}" for place in places}
    nodes = [node(*place, clerp=text) for place, text in named.items()]
    assert said(lines_of(tmp_path, nodes)) == {
        (text, str(layer), index) for (layer, index, _), text in named.items()
    }


def test_a_label_kept_by_the_viewers_is_about_the_feature_of_that_number(tmp_path: Path) -> None:
    nodes = [node(0, 5), node(0, 20)]
    for key in ("0_20_3", "0_20", "20"):  # Neuronpedia's viewer, an older one, circuit-tracer's
        assert said(lines_of(tmp_path, nodes, clerps=[[key, "months"]])) == {("months", "0", 5)}


def test_labels_by_ids_are_told_from_labels_by_numbers_by_the_others_of_the_file(
    tmp_path: Path,
) -> None:
    nodes = [node(0, 5), node(0, 20), node(1, 7)]
    by_id = [["0_20_3", "colours"], ["1_7_3", "sums"]]
    assert said(lines_of(tmp_path, nodes, clerps=by_id)) == {("colours", "0", 20), ("sums", "1", 7)}
    by_number = [["0_20_3", "months"], [f"1_{paired(1, 7)}_3", "sums"]]
    assert said(lines_of(tmp_path, nodes, clerps=by_number)) == {
        ("months", "0", 5),
        ("sums", "1", 7),
    }
    both = [*by_id, by_number[1]]
    (problem,) = [line for line in lines_of(tmp_path, nodes, clerps=both) if line.problem]
    assert problem.problem == (
        "the label of node '0_20_3' could be of layer 0, feature 5, whose layer and index make "
        "that number, or of layer 0, feature 20, whose id it is; other labels here name both ways"
    )


def test_a_number_that_names_features_of_two_layers_is_refused(tmp_path: Path) -> None:
    nodes = [node(2, 61, feature=61), node(7, 61, feature=61)]  # the index alone, no pairing
    (line,) = lines_of(tmp_path, nodes, clerps=[["61", "US states"]])
    assert "could be of several features" in str(line.problem)
    found = lines_of(tmp_path, nodes, clerps=[["7_61", "US states"]])
    assert said(found) == {("US states", "7", 61)}


def test_an_error_node_with_the_id_of_a_feature_is_not_taken_for_it(tmp_path: Path) -> None:
    # circuit-tracer called the error of layer 1 at position 1 "0_1_1" until June 2026.
    error = node(0, 1, 1, feature=-1, feature_type="mlp reconstruction error") | {"layer": "1"}
    feature = node(0, 1, 1, clerp="dates")
    for nodes in ([error, feature], [feature, error]):
        group, own = lines_of(tmp_path, nodes, supernodes=[["time", "0_1_1"]])
        assert group.record is not None
        assert "members" not in group.record["target"]
        assert group.record["ext"]["neuronpedia"]["feature_or_error"] == ["0_1_1"]
        assert said([own]) == {("dates", "0", 1)}
    (line,) = lines_of(tmp_path, [error], supernodes=[["time", "0_1_1"]])
    assert line.record is not None
    assert line.record["ext"]["neuronpedia"]["no_features"] == ["0_1_1"]


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("E_26865_9", "embedding"),
        ("27_22605_10", "logit"),
        ("0_3_3", "mlp reconstruction error"),
        ("0_3_3", "lorsa error"),
        ("0_3_3", "bias"),
    ],
)
def test_labels_of_tokens_outputs_and_errors_become_no_labels_of_features(
    tmp_path: Path, key: str, kind: str
) -> None:
    other = node(0, 3, node_id=key, feature_type=kind, clerp="made by a machine")
    assert said(lines_of(tmp_path, [other, node(0, 5, clerp="months")])) == {("months", "0", 5)}


def test_pinned_nodes_of_a_saved_subgraph_are_named_by_number_and_by_id(tmp_path: Path) -> None:
    def found(clerps: list[list[str]]) -> set[tuple[str, str, int]]:
        subgraph = {
            "modelId": "net-a",
            "slug": "demo",
            "pinnedIds": ["0_5_3", "0_20_3", "1_7_3"],
            "supernodes": [],
            "clerps": clerps,
        }
        path = tmp_path / "subgraph.json"
        path.write_text(json.dumps(subgraph), "utf-8")
        return said(list(open_annotations(path, defaults=Defaults(author="ada")).lines))

    assert found([["0_20_3", "months"]]) == {("months", "0", 5)}
    assert found([["0_20_3", "colours"], ["1_7_3", "sums"]]) == {
        ("colours", "0", 20),
        ("sums", "1", 7),
    }


def test_a_graph_without_labels_at_its_nodes_has_none(tmp_path: Path) -> None:
    old = [{name: value for name, value in node(0, 5).items() if name != "clerp"}]
    assert lines_of(tmp_path, old) == []
    assert lines_of(tmp_path, [node(0, 5, clerp="  ")]) == []


def test_many_supernodes_of_one_name_become_circuits_of_their_own(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, [node(0, 5)], supernodes=[["time", "0_5_3"], ["time-2"]] * 2)
    ids = [line.record["target"]["id"] for line in lines if line.record is not None]
    assert ids == [f"net-a.demo.{name}" for name in ("time", "time-2", "time-3", "time-2-2")]

"""Published circuits as rows: every known trap of the data."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest

from circuitkb.loaders.published.annotations import edge_records, label_records
from circuitkb.loaders.published.files import read_published
from circuitkb.loaders.published.rows import published_rows
from circuitkb.schema.ids import annotation_id
from circuitkb.schema.tables import GraphRows
from tests.loaders.published_reading import SOURCE, M, evidence, nodes, relations, resource, weights


@pytest.fixture(scope="module")
def rows() -> GraphRows:
    return published_rows(SOURCE)


@pytest.fixture(scope="module")
def kernels() -> dict[tuple[str, str, str], np.ndarray]:
    """Kernels by figure, source and target, read from the file without our loader."""
    found = {}
    for edge in json.loads(resource("edges.json"))["edges"]:
        key = edge["figure"], edge["source"], edge["target"]
        found[key] = np.array(edge["kernel"])
    return found


# What the graph holds


def test_every_unit_of_every_layer_is_a_feature_and_every_kernel_a_weight(rows: GraphRows) -> None:
    sizes = json.loads(resource("layer_sizes.json"))["layer_sizes"]
    features = nodes(rows, "Feature")
    assert Counter(f["layer"] for f in features) == sizes
    assert sum(sizes.values()) == len({f["id"] for f in features}) == 3116
    assert [layer["name"] for layer in nodes(rows, "Layer")] == list(sizes)
    assert [layer["position"] for layer in nodes(rows, "Layer")] == list(range(9))
    assert len(relations(rows, "WEIGHT")) == 202 + 330
    (model,) = nodes(rows, "Model")
    assert model["weights"] == "published"
    assert model["edges"] == model["edges_kept"] == 532
    assert model["license"] == "CC-BY-4.0"
    assert "Olah" in model["attribution"]


def test_each_weight_points_at_its_kernel_beside_the_graph(rows: GraphRows) -> None:
    by_key = {c.key: c for c in rows.kernels["inceptionv1"]}
    assert len(by_key) == len(rows.kernels["inceptionv1"])
    for weight in relations(rows, "WEIGHT"):
        connection = by_key[weight["connection"]]
        assert connection.stride is None
        assert connection.offset is None
        assert weight["origin"] == connection.origin
        source, target = (int(weight[end].rpartition(":")[2]) for end in ("source", "target"))
        kernel = connection.find(source, target)
        assert kernel is not None
        assert weight["sum"] == pytest.approx(kernel.sum(dtype=float), rel=1e-5, abs=1e-5)


def test_kernels_are_those_of_the_files(
    rows: GraphRows, kernels: dict[tuple[str, str, str], np.ndarray]
) -> None:
    found = 0
    for connection in rows.kernels["inceptionv1"]:
        if connection.origin and connection.origin.endswith(".svg"):
            for s, t, kernel in zip(
                connection.source_units[:, 0],
                connection.target_units[:, 0],
                connection.kernel[:, 0, 0],
                strict=True,
            ):
                ends = f"{connection.source}:{s}", f"{connection.target}:{t}"
                np.testing.assert_allclose(kernel, kernels[connection.origin, *ends], rtol=1e-6)
                found += 1
    assert found == 202


def test_a_kernel_that_skips_a_layer_is_gated_and_its_neighbours_are_direct(
    rows: GraphRows,
) -> None:
    gated = [w for w in relations(rows, "WEIGHT") if w["path"] == "gated"]
    ends = {(w["source"].split(":")[0], w["target"].split(":")[0]) for w in gated}
    assert ends == {(M + "conv2d2", M + "mixed3b")}
    assert len(gated) == 331
    assert {w["path"] for w in relations(rows, "WEIGHT")} == {"gated", "direct"}


def test_the_same_edge_in_four_figures_is_four_parallel_weights(rows: GraphRows) -> None:
    parallel = weights(rows, "mixed3a:145", "mixed3b:342")
    assert {w["origin"] for w in parallel} == {
        "CurveOrientationsA.svg",
        "curve-circuit.svg",
        "Figure_4.svg",
        "Figure_5.svg",
    }
    assert len({w["connection"] for w in parallel}) == 4


def test_ranks_count_within_one_figure(rows: GraphRows) -> None:
    for key in ("dogmerge.mixed4a.mixed4b", "figure_5.mixed3a.mixed3b"):
        by_target: dict[str, list[dict[str, Any]]] = {}
        for weight in relations(rows, "WEIGHT"):
            if weight["connection"] == key:
                by_target.setdefault(weight["target"], []).append(weight)
        for inputs in by_target.values():
            strongest = sorted(inputs, key=lambda w: -w["l1"])
            assert [w["rank"] for w in strongest] == list(range(1, len(inputs) + 1))


def test_features_say_how_many_inputs_are_published_and_no_total_mass(rows: GraphRows) -> None:
    by_id = {f["id"]: f for f in nodes(rows, "Feature")}
    assert by_id[M + "mixed4b:418"]["inputs"] == 4
    # Eight early curves and 33 lines and curves, however many figures show them.
    assert by_id[M + "mixed3b:379"]["inputs"] == 8 + 33
    assert by_id[M + "mixed4d:1"]["inputs"] is None
    assert all(f["input_l1"] is None and f["left_out_l1"] is None for f in by_id.values())


def test_ids_are_unique_and_relations_end_in_nodes(rows: GraphRows) -> None:
    ids = {label: [n["id"] for n in nodes(rows, label)] for label in rows.nodes}
    for label, listed in ids.items():
        assert len(set(listed)) == len(listed), label
    for item in rows.relations:
        table = item.table.to_pydict()
        assert set(table["source"]) <= set(ids[item.source_label])
        assert set(table["target"]) <= set(ids[item.target_label])


def test_reading_twice_gives_the_same_rows() -> None:
    one, other = published_rows(SOURCE), published_rows(SOURCE)
    for label, table in one.nodes.items():
        assert table.equals(other.nodes[label]), label
    assert [r.table for r in one.relations] == [r.table for r in other.relations]


# Labels


def test_exact_duplicates_count_once_and_several_families_stay(rows: GraphRows) -> None:
    read = read_published(SOURCE)
    assert read.duplicate_labels == 4
    uses = {row["source"]: row["target"] for row in relations(rows, "USES")}
    families: dict[str, list[str]] = {}
    for row in relations(rows, "ANNOTATES"):
        if row["source"] in uses:
            families.setdefault(row["target"], []).append(uses[row["source"]].partition(":")[2])
    assert sum(map(len, families.values())) == 1358 - 4
    assert sorted(families[M + "mixed4a:403"]) == ["Complex Shapes and Curvature", "mixed4a_curves"]
    assert families[M + "mixed4a:356"] == ["mixed4a_any_boundary"]
    lines = resource("labels.csv").splitlines()[1:]
    expected = {(r[1], r[2], r[3]) for r in (line.split(",", 3) for line in lines)}
    several = Counter((layer, unit) for layer, unit, _ in expected)
    assert sum(len(labels) > 1 for labels in families.values()) == sum(
        count > 1 for count in several.values()
    )


def test_records_fit_the_annotation_schema_and_give_the_ids(rows: GraphRows) -> None:
    schema = json.loads(
        files("circuitkb.schema").joinpath("resources/annotation.schema.json").read_text()
    )
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    read = read_published(SOURCE)
    records = [*label_records(read), *(record for _, _, record in edge_records(read))]
    for record in records:
        validator.validate(record)
    ids = [annotation_id(record) for record in records]
    assert sorted(ids) == sorted(n["id"] for n in nodes(rows, "Annotation"))


def test_labels_name_their_group_their_article_and_their_licence(rows: GraphRows) -> None:
    label = next(a for a in nodes(rows, "Annotation") if a["text"] == "Oriented Dog Heads")
    assert label["method"] == "published"
    assert label["license"] == "CC-BY-4.0"
    assert label["created"] == "2020-04-01"
    assert "layer_data/mixed4a.json@a7836064" in label["source"]
    by = {row["source"]: row["target"] for row in relations(rows, "BY")}
    (author,) = [a for a in nodes(rows, "Annotator") if a["id"] == by[label["id"]]]
    assert author["type"] == "group"
    assert "Olah" in author["name"]


# Circuits and claims


def test_the_fourteen_circuits_keep_claims_roles_and_sources(rows: GraphRows) -> None:
    circuits = {c["id"]: c for c in nodes(rows, "Circuit")}
    assert len(circuits) == 14
    union = circuits["inceptionv1.dog-head-union"]
    assert union["motif"] == "union-over-cases"
    assert union["origin"] == "published"
    assert union["license"] == "CC-BY-4.0"
    assert "DogMerge.svg" in union["source"]
    members = {
        row["source"]: row["role"]
        for row in relations(rows, "MEMBER_OF")
        if row["target"] == union["id"]
    }
    assert members[M + "mixed4b:418"] == "orientation-invariant head"
    assert set(members) == {M + f"mixed4a:{u}" for u in (234, 308, 222, 235)} | {M + "mixed4b:418"}
    listed = json.loads(resource("circuits.json"))
    assert len(relations(rows, "MEMBER_OF")) == sum(len(c["members"]) for c in listed)


def test_every_edge_of_a_circuit_is_a_claim_with_its_sign(rows: GraphRows) -> None:
    claims = {a["id"]: a for a in nodes(rows, "Annotation") if a["kind"] == "claim"}
    listed = [e for c in json.loads(resource("circuits.json")) for e in c["edges"]]
    assert len(claims) == len(listed)
    ends: dict[str, dict[str, str]] = {}
    for row in relations(rows, "ANNOTATES"):
        if row["source"] in claims:
            ends.setdefault(row["source"], {})[row["role"]] = row["target"]
    assert all(set(both) == {"source", "target"} for both in ends.values())
    window = [
        claims[key]
        for key, both in ends.items()
        if both == {"source": M + "mixed4b:237", "target": M + "mixed4c:447"}
    ]
    # The two articles' figures differ in what they say of one edge; both stand.
    assert sorted((c["text"], c["sign"]) for c in window) == [
        ("+", "excitatory"),
        ("+top/-bottom", "mixed"),
    ]
    signs = Counter(c["sign"] for c in claims.values())
    assert signs["inhibitory"] == sum(e["claimed_sign"] == "-" for e in listed)


# Known traps


def test_dog_heads_are_net_negative_though_the_article_claims_plus(rows: GraphRows) -> None:
    for unit in (308, 234, 222, 235):
        (weight,) = weights(rows, f"mixed4a:{unit}", "mixed4b:418")
        assert weight["sum"] < 0 < weight["positive"]
        left = unit in (308, 234)
        assert (weight["positive_dx"] < 0) == left
    signs = [
        e
        for e in evidence(rows, "published-sign-agreement")
        if e["detail"]["circuit"] == "dog-head-union"
    ]
    assert [e["stance"] for e in signs] == ["neutral"] * 4
    assert [e["detail"]["net_sign_agrees"] for e in signs] == [False] * 4
    assert all(0 < e["value"] < 0.5 for e in signs)


def test_dog_heads_of_the_two_sides_are_mirror_images(rows: GraphRows) -> None:
    (merge,) = [c for c in rows.kernels["inceptionv1"] if c.origin == "DogMerge.svg"]
    kernel = {u: merge.find(u, 418) for u in (308, 234, 222, 235)}

    def alike(a: int, b: int, mirrored: bool) -> float:
        other = kernel[a][:, ::-1] if mirrored else kernel[a]
        return float(np.corrcoef(other.ravel(), kernel[b].ravel())[0, 1])

    assert alike(308, 234, False) == pytest.approx(0.94, abs=0.005)
    assert alike(222, 235, False) == pytest.approx(0.96, abs=0.005)
    across = [(a, b) for a in (308, 234) for b in (222, 235)]
    mirrored = [alike(a, b, True) for a, b in across]
    plain = [alike(a, b, False) for a, b in across]
    assert (min(mirrored), max(mirrored)) == pytest.approx((0.93, 0.99), abs=0.006)
    assert (min(plain), max(plain)) == pytest.approx((0.18, 0.40), abs=0.006)


def test_two_figures_swap_two_sources_and_both_stand(rows: GraphRows) -> None:
    for unit in (70, 86):
        assert len(weights(rows, f"mixed3a:{unit}", "mixed3b:345")) == 2
    (swap,) = evidence(rows, "published-kernel-swap")
    assert swap["stance"] == "refutes"
    assert swap["value"] > 0.999
    crossed = [
        {k: v for k, v in c.items() if k != "correlation"} for c in swap["detail"]["crossed"]
    ]
    assert crossed == [
        {"mixed3a:70 in Boundary.svg": "mixed3a:86 in Figure_11.svg"},
        {"mixed3a:86 in Boundary.svg": "mixed3a:70 in Figure_11.svg"},
    ]
    about = {
        (row["target"], row["role"])
        for row in relations(rows, "ABOUT")
        if row["source"] == swap["id"]
    }
    assert about == {
        (M + "mixed3a:70", "source"),
        (M + "mixed3a:86", "source"),
        (M + "mixed3b:345", "target"),
    }


def test_figures_agree_everywhere_but_on_the_swapped_sources(rows: GraphRows) -> None:
    found = evidence(rows, "published-kernel-agreement")
    ends: dict[str, dict[str, str]] = {}
    for row in relations(rows, "ABOUT"):
        ends.setdefault(row["source"], {})[row["role"]] = row["target"]
    differ = {ends[e["id"]]["source"] for e in found if e["stance"] == "refutes"}
    assert differ == {M + "mixed3a:70", M + "mixed3a:86"}
    figures: dict[tuple[str, str], int] = Counter()
    for edge in json.loads(resource("edges.json"))["edges"]:
        figures[edge["source"], edge["target"]] += 1
    assert len(found) == sum(n * (n - 1) // 2 for n in figures.values())
    assert all(e["value"] > 0.999 for e in found if e["stance"] == "supports")


def test_six_edges_of_the_curve_matrix_reuse_a_bitmap_and_say_so(
    rows: GraphRows, kernels: dict[tuple[str, str, str], np.ndarray]
) -> None:
    flagged = [w for w in relations(rows, "WEIGHT") if w["flag"]]
    by_figure = Counter(w["origin"] for w in flagged)
    # Only the figure that reuses a bitmap is marked, not the same edge in another figure.
    assert by_figure == {"Figure_5.svg": 6, "Boundary.svg": 2}
    for weight in flagged:
        twin = re.fullmatch(r"same bitmap .*: (\S+)->(\S+)", weight["flag"])
        assert twin
        own = weight["source"].removeprefix(M), weight["target"].removeprefix(M)
        figure = weight["origin"]
        np.testing.assert_array_equal(kernels[figure, *own], kernels[figure, *twin.groups()])


def test_the_car_has_its_window_above_and_wheels_and_body_below(rows: GraphRows) -> None:
    rows_below = {
        unit: weights(rows, f"mixed4b:{unit}", "mixed4c:447")[0]["positive_dy"]
        for unit in (237, 373, 491)
    }
    assert rows_below == pytest.approx({237: -1.4, 373: 1.4, 491: 1.1}, abs=0.05)


def test_curve_weights_follow_the_difference_of_orientation(rows: GraphRows) -> None:
    (matrix,) = [c for c in rows.kernels["inceptionv1"] if c.origin == "Figure_5.svg"]
    early = [147, 189, 81, 104, 145, 95, 71, 171]
    late = [379, 406, 385, 343, 342, 324, 330, 349]
    kernel = np.array([[matrix.find(s, t) for t in late] for s in early], float)
    net = [np.mean([kernel[(i + d) % 8, i].sum() for i in range(8)]) for d in range(8)]
    expected = [2.79, 1.68, 0.15, -0.19, -2.93, -2.14, 0.14, 1.45]
    assert net == pytest.approx(expected, abs=0.006)
    turned = {
        turns: np.mean(
            [
                np.corrcoef(
                    np.rot90(kernel[i, j], turns).ravel(), kernel[(i + 2) % 8, (j + 2) % 8].ravel()
                )[0, 1]
                for i in range(8)
                for j in range(8)
            ]
        )
        for turns in (-1, 1)
    }
    assert turned == pytest.approx({-1: 0.46, 1: 0.10}, abs=0.006)

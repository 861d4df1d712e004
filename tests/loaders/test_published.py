"""Published circuits as rows: every known trap of the data, and every way a folder can be wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from circuitkb.errors import IdError, PublishedDataError, UnknownSourceError
from circuitkb.loaders.published import published_identity, published_rows
from circuitkb.loaders.published_annotations import edge_records, label_records
from circuitkb.loaders.published_files import read_published
from circuitkb.schema.ids import annotation_id
from circuitkb.schema.tables import GraphRows

SOURCE = "published:inceptionv1"
M = "inceptionv1/"


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the packaged files that a test may spoil."""
    with as_file(files("circuitkb.loaders").joinpath("resources", "inceptionv1")) as packaged:
        return Path(shutil.copytree(packaged, tmp_path / "data"))


def resource(name: str) -> str:
    place = files("circuitkb.loaders").joinpath("resources", "inceptionv1", name)
    return place.read_text(encoding="utf-8")


def nodes(rows: GraphRows, label: str) -> list[dict[str, Any]]:
    return rows.nodes[label].to_pylist()


def relations(rows: GraphRows, name: str, target: str | None = None) -> list[dict[str, Any]]:
    return [
        row
        for item in rows.relations
        if item.name == name and target in (None, item.target_label)
        for row in item.table.to_pylist()
    ]


def weights(rows: GraphRows, source: str, target: str) -> list[dict[str, Any]]:
    ends = M + source, M + target
    return [w for w in relations(rows, "WEIGHT") if (w["source"], w["target"]) == ends]


def evidence(rows: GraphRows, kind: str) -> list[dict[str, Any]]:
    return [
        row | {"detail": json.loads(row["detail"])}
        for row in nodes(rows, "Evidence")
        if row["kind"] == kind
    ]


def change(folder: Path, name: str, edit: Any) -> None:
    value = json.loads((folder / name).read_text())
    value = edit(value) or value
    (folder / name).write_text(json.dumps(value))


def rewrite_labels(folder: Path, line: str) -> None:
    with (folder / "labels.csv").open("a", encoding="utf-8") as file:
        file.write(line)


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
                connection.source_units[:, 0], connection.target_units[:, 0],
                connection.kernel[:, 0, 0], strict=True,
            ):  # fmt: skip
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
        "CurveOrientationsA.svg", "curve-circuit.svg", "Figure_4.svg", "Figure_5.svg",
    }  # fmt: skip
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
        e for e in evidence(rows, "published-sign-agreement")
        if e["detail"]["circuit"] == "dog-head-union"
    ]  # fmt: skip
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
        turns: np.mean([
            np.corrcoef(
                np.rot90(kernel[i, j], turns).ravel(), kernel[(i + 2) % 8, (j + 2) % 8].ravel()
            )[0, 1]
            for i in range(8)
            for j in range(8)
        ])
        for turns in (-1, 1)
    }  # fmt: skip
    assert turned == pytest.approx({-1: 0.46, 1: 0.10}, abs=0.006)


# Names and fingerprints


def test_a_name_renames_every_id(folder: Path) -> None:
    found = published_rows(f"published:{folder}", name="early")
    assert nodes(found, "Model")[0]["id"] == "early"
    assert {f["id"].split("/")[0] for f in nodes(found, "Feature")} == {"early"}
    assert "early.dog-head-union" in {c["id"] for c in nodes(found, "Circuit")}
    assert list(found.kernels) == ["early"]
    with pytest.raises(IdError, match="Try 'my-net'"):
        published_identity(SOURCE, "My Net")


def test_the_fingerprint_follows_the_content_not_its_spelling(folder: Path) -> None:
    name, fingerprint = published_identity(SOURCE)
    assert (name, fingerprint) == published_identity(f"published:{folder}")
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    value = json.loads((folder / "circuits.json").read_text())
    (folder / "circuits.json").write_text(json.dumps(value, indent=7, sort_keys=True))
    assert published_identity(f"published:{folder}")[1] == fingerprint

    def nudge(value: Any) -> None:
        value["edges"][5]["kernel"][0][0] += 0.001

    change(folder, "edges.json", nudge)
    assert published_identity(f"published:{folder}")[1] != fingerprint


def test_the_order_of_the_layers_counts_for_the_fingerprint(tmp_path: Path) -> None:
    found = []
    for layers in ({"a": 2, "b": 3}, {"b": 3, "a": 2}):
        sizes = {"model": "tiny", "layer_sizes": layers}
        (tmp_path / "layer_sizes.json").write_text(json.dumps(sizes))
        found.append(published_identity(f"published:{tmp_path}")[1])
    assert found[0] != found[1]


def test_layer_sizes_alone_are_a_model_of_features(tmp_path: Path) -> None:
    sizes = {"model": "tiny", "layer_sizes": {"a": 2, "b": 3}}
    (tmp_path / "layer_sizes.json").write_text(json.dumps(sizes))
    found = published_rows(f"published:{tmp_path}")
    assert found.counts() == {"Model": 1, "Layer": 2, "Feature": 5, "IN_LAYER": 5, "IN_MODEL": 2}


def test_a_folder_without_about_still_gives_valid_records(folder: Path) -> None:
    (folder / "about.json").unlink()
    schema = json.loads(
        files("circuitkb.schema").joinpath("resources/annotation.schema.json").read_text()
    )
    read = read_published(f"published:{folder}")
    record = next(iter(label_records(read)))
    jsonschema.Draft202012Validator(schema).validate(record)
    assert record["license"] == "NOASSERTION"
    assert record["author"]["type"] == "group"


# Folders that break the format


def test_an_unknown_name_gets_near_matches(tmp_path: Path) -> None:
    with pytest.raises(UnknownSourceError, match="Did you mean 'inceptionv1'"):
        published_rows("published:inceptionv2")
    (tmp_path / "file").write_text("")
    with pytest.raises(UnknownSourceError, match="folder that it is in"):
        published_rows(f"published:{tmp_path / 'file'}")
    with pytest.raises(UnknownSourceError, match="published:NAME or published:DIR"):
        published_rows("published:")


def test_a_folder_without_layer_sizes_is_refused(folder: Path) -> None:
    (folder / "layer_sizes.json").unlink()
    with pytest.raises(PublishedDataError, match=r"layer_sizes\.json is missing"):
        published_rows(f"published:{folder}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("inceptionv1,mixed9z,0,Curves\n", "labels.csv, line 1360: unknown layer 'mixed9z'"),
        ("inceptionv1,mixed4a,508,Curves\n", "line 1360: mixed4a has units 0 to 507, not 508"),
        ("inceptionv1,mixed4a,-1,Curves\n", "line 1360: 'mixed4a:-1' is no unit"),
        ("inceptionv1,mixed4a,1.5,Curves\n", "line 1360: 'mixed4a:1.5' is no unit"),
        ("inceptionv1,mixed4a,3\n", "line 1360: 3 fields instead of 4"),
        ("resnet,mixed4a,3,Curves\n", "line 1360: model 'resnet', but layer_sizes.json is about"),
        ("inceptionv1,mixed4a,3, \n", "line 1360: a label has 1 to 2000 characters"),
        (f"inceptionv1,mixed4a,3,{'x' * 2001}\n", "line 1360: a label has 1 to 2000 characters"),
    ],
)
def test_a_bad_label_is_named_with_its_line(folder: Path, line: str, message: str) -> None:
    rewrite_labels(folder, line)
    with pytest.raises(PublishedDataError, match=re.escape(message)):
        published_rows(f"published:{folder}")


def set_in(*path: Any) -> Any:
    """Return an edit that sets the value at ``path[:-2]``, key ``path[-2]``, to ``path[-1]``."""
    *way, last, value = path

    def edit(root: Any) -> None:
        for key in way:
            root = root[key]
        root[last] = value

    return edit


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("edges.json", set_in("edges", 3, "kernel", 1, [0.0]), "edges[3]: ragged kernel"),
        ("edges.json", set_in("edges", 3, "kernel", 1, 0, float("nan")),
         "edges[3].kernel[1][0]: Input should be a finite number"),
        ("edges.json", set_in("edges", 3, "kernel", 1, 0, 1e300), "edges[3]: a value does not fit"),
        ("edges.json", set_in("edges", 3, "kernel", 1, 0, "1"), "edges[3].kernel[1][0]: "),
        ("edges.json", set_in("edges", 3, "kernel", []), "edges[3].kernel: "),
        ("edges.json", set_in("edges", 3, "source", "mixed4c:3"),
         "edges[3]: mixed4c:3 -> mixed4b:418 runs against the order of the layers"),
        ("edges.json", set_in("edges", 3, "target", "mixed4a:1"), "against the order"),
        ("edges.json", set_in("edges", 3, "source", "mixed4A:308"), "'mixed4A'. Did you mean"),
        ("edges.json", set_in("edges", 3, "source", "mixed4a:999"), "has units 0 to 507, not 999"),
        ("edges.json", set_in("edges", 4, "source", "mixed4a:308"),
         "edges[4]: mixed4a:308 -> mixed4b:418 stands twice in DogMerge.svg"),
        ("edges.json", set_in("edges", 4, "weight", 1), "edges[4].weight: Extra inputs"),
        ("circuits.json", set_in(5, "members", 0, "unit", "mixed4a:508"),
         "circuits.json, [5].members[0]: mixed4a has units 0 to 507, not 508"),
        ("circuits.json", set_in(5, "edges", 0, "source", "mixed4a:1"),
         "[5].edges[0]: mixed4a:1 is no member of dog-head-union"),
        ("circuits.json", set_in(5, "id", "car-from-parts"), "[5]: a circuit 'car-from-parts'"),
        ("circuits.json", set_in(5, "id", "Dog Head"), "[5]: 'Dog Head' cannot be a circuit name"),
        ("circuits.json", set_in(5, "source", "commit", "main"), "[5].source.commit: "),
        ("layer_sizes.json", set_in("layer_sizes", "mixed4a", 0), "layer_sizes.mixed4a: "),
        ("layer_sizes.json", set_in("layer_sizes", {}), "layer_sizes.json, layer_sizes: "),
        ("layer_sizes.json", set_in("model", "Inception V1"), "Try 'inception-v1'"),
        ("conv2d2_to_mixed3b.json", set_in("weights", "conv2d2:1", [[1]]),
         "weights['conv2d2:1']: a key is written layer:unit->layer:unit"),
        ("conv2d2_to_mixed3b.json", set_in("weights", "conv2d1:1->mixed3b:2", [[1]]),
         "this file is from conv2d2 to mixed3b"),
        ("about.json", set_in("articles", 0, "published", "2020-13-01"), "2020-13-01 is no date"),
    ],
)  # fmt: skip
def test_a_bad_record_is_named_with_file_place_and_reason(
    folder: Path, name: str, edit: Any, message: str
) -> None:
    change(folder, name, edit)
    with pytest.raises(PublishedDataError, match=re.escape(message)) as caught:
        published_rows(f"published:{folder}")
    assert name in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_broken_json_is_named_with_line_and_column(folder: Path) -> None:
    (folder / "edges.json").write_text('{"edges": [\n  oops]}')
    with pytest.raises(PublishedDataError, match=r"edges\.json, line 2, column 3"):
        published_rows(f"published:{folder}")


def test_a_key_given_twice_is_no_silent_loss(folder: Path) -> None:
    (folder / "layer_sizes.json").write_text('{"model": "tiny", "layer_sizes": {"a": 1, "a": 2}}')
    with pytest.raises(PublishedDataError, match="the key 'a' stands twice"):
        published_rows(f"published:{folder}")


def test_a_misspelt_file_is_no_silent_loss(folder: Path) -> None:
    (folder / "edges.json").rename(folder / "edge.json")
    with pytest.raises(PublishedDataError, match=r"Did you mean 'edges\.json'"):
        published_rows(f"published:{folder}")


def test_text_that_is_not_utf8_is_refused(folder: Path) -> None:
    (folder / "labels.csv").write_bytes(b"model,layer,unit,label\ninceptionv1,mixed4a,1,\xff\n")
    with pytest.raises(PublishedDataError, match=r"labels\.csv: byte \d+ is not UTF-8"):
        published_rows(f"published:{folder}")

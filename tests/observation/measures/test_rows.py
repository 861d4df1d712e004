"""What was measured in a store: properties, evidence and labels, written once however often."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuitkb.observation.measures.against_nulls import Measurement
from circuitkb.observation.measures.orientation import label_text, orientation_statistic
from circuitkb.observation.measures.responsiveness import spread_of
from circuitkb.observation.measures.rows import Measurements, measurement_rows
from circuitkb.schema.ids import annotation_id
from circuitkb.schema.tables import GraphRows, node_table
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from tests.observation.oriented_battery import (
    battery,
    blob,
    gabor,
    look,
    measured,
    responses,
    scrambled,
)

STIMULI, IMAGES = battery()
DEGREES = [7.5 * step for step in range(24)]
UNITS = 26
CONSTANT = 1
ORIENTED = range(2, 26)


def on_disk(folder: Path) -> dict[Path, bytes]:
    """What every file of the store holds."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def layer_and_nulls() -> tuple[np.ndarray, list[np.ndarray]]:
    """A blob, a constant and 24 oriented units, and the same with shuffled weights."""
    filters = [blob(), *(gabor(d) for d in DEGREES)]
    layer = np.insert(look(filters, IMAGES), CONSTANT, 2, axis=0)
    return layer, [
        np.insert(look(scrambled(filters, seed), IMAGES), CONSTANT, 2, axis=0) for seed in range(20)
    ]


@pytest.fixture(scope="module")
def measurements() -> Measurements:
    """Two such layers; the null of the second is itself."""
    layer, null = layer_and_nulls()
    both = [np.concatenate([each, layer]) for each in null]
    layers = [("a", UNITS), ("b.1", UNITS)]
    given = responses(np.concatenate([layer, layer]), both[0], layers=layers)
    found = measured(given, STIMULI, more_shuffled=both[1:], seed=3)
    return Measurements(
        given.layers, found.testable, spread_of(given.after), {"orientation": found}, {}
    )


@pytest.fixture(scope="module")
def found(measurements: Measurements) -> Measurement:
    return measurements.found["orientation"]


@pytest.fixture(scope="module")
def rows(measurements: Measurements) -> GraphRows:
    return measurement_rows(measurements, model="m", fingerprint="f00", created="2020-01-02")


def with_found(measurements: Measurements, **changes: Any) -> Measurements:
    """The same with another measurement."""
    found = replace(measurements.found["orientation"], **changes)
    return replace(measurements, found={"orientation": found})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = open_store(tmp_path / "zoo.ckb")
    opened.ensure_schema()
    return opened


def nodes(rows: GraphRows, label: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in rows.nodes[label].to_pylist()}


def test_every_unit_is_a_feature_and_only_those_that_passed_have_an_orientation(
    measurements: Measurements, rows: GraphRows
) -> None:
    features = nodes(rows, "Feature")
    assert list(features) == [f"m/{layer}:{unit}" for layer in ("a", "b.1") for unit in range(26)]
    oriented = {key for key, row in features.items() if row["orientation"] is not None}
    assert oriented == {f"m/a:{unit}" for unit in ORIENTED}
    for unit in ORIENTED:
        row = features[f"m/a:{unit}"]
        away = abs(row["orientation"] - DEGREES[unit - 2])
        assert min(away, 180 - away) < 8
        assert 0.5 < row["orientation_selectivity"] <= 1
    silent = [key for key, row in features.items() if not row["answers"]]
    assert silent == [f"m/a:{CONSTANT}", f"m/b.1:{CONSTANT}"]
    assert features[silent[0]]["spread"] == 0
    np.testing.assert_allclose(
        [row["spread"] for row in features.values()], measurements.spread, rtol=1e-12
    )


def test_every_unit_that_answers_has_evidence_with_its_null(
    found: Measurement, rows: GraphRows
) -> None:
    about = next(item for item in rows.relations if item.name == "ABOUT").table.to_pylist()
    evidence = nodes(rows, "Evidence")
    assert len(about) == len(evidence) == 50
    order = [f"m/{layer}:{unit}" for layer in ("a", "b.1") for unit in range(26)]
    for row in about:
        unit = order.index(row["target"])
        given = evidence[row["source"]]
        detail = json.loads(given["detail"])
        assert row["role"] == "unit"
        assert (given["kind"], given["version"], given["seed"]) == ("orientation-tuning", "1", 3)
        assert given["tested"] == 25
        assert given["value"] == found.measured.statistic[unit]
        assert given["p"] == max(found.p_shuffled[unit], found.p_permuted[unit])
        assert given["q"] == found.q[unit]
        assert given["stance"] == ("supports" if unit in ORIENTED else "neutral")
        assert found.p_permuted is not None
        if found.p_shuffled[unit] >= found.p_permuted[unit]:
            assert "shuffled weights" in given["null_method"]
            assert given["null_count"] == 500
        else:
            assert "permuted" in given["null_method"]
            assert given["null_count"] == 2_000
        assert given["null_mean"] < given["value"] or given["p"] > 0.05
        assert detail["p_permuted"] == pytest.approx(found.p_permuted[unit], abs=1e-6)
        assert detail["wavelength"] in (4, 8, 16)
        assert detail["width"] in (1.5, 3)
        assert set(detail) == {
            "orientation",
            "selectivity",
            "amplitude",
            "p_shuffled",
            "p_permuted",
            "wavelength",
            "width",
        }


def test_a_label_names_the_nearest_orientation_and_its_evidence_supports_it(
    rows: GraphRows, store: Store
) -> None:
    store.write(rows)
    answer = store.read(
        "MATCH (e:Evidence)-[:SUPPORTS]->(a:Annotation)-[:ANNOTATES]->(f:Feature), "
        "(e)-[:ABOUT]->(f), (a)-[:USES]->(l:Label), (a)-[:BY]->(t:Annotator) "
        "RETURN f.id, f.orientation, a.text, l.id, t.id, t.type, a.method, a.license, "
        "a.fingerprint, a.created, e.q"
    )
    assert len(answer.rows) == 24
    for feature, orientation, text, label, *rest, q in answer.rows:
        said = float(text.removeprefix("orientation ").removesuffix("°"))
        away = abs(orientation - said) % 180
        assert said % 15 == 0
        assert min(away, 180 - away) <= 7.5
        assert label == f"circuitkb:{text}"
        assert rest == ["circuitkb", "tool", "orientation-tuning 1", "CC0-1.0", "f00", "2020-01-02"]
        assert q <= 0.05, feature


def test_the_id_of_a_label_is_that_of_the_record_in_a_file(rows: GraphRows) -> None:
    annotates = next(item for item in rows.relations if item.name == "ANNOTATES").table
    texts = {key: row["text"] for key, row in nodes(rows, "Annotation").items()}
    for row in annotates.to_pylist():
        record = {
            "schema": "circuitkb.annotation/1",
            "kind": "label",
            "target": {
                "type": "feature",
                "model": "m",
                "layer": "a",
                "unit": int(row["target"].rpartition(":")[2]),
            },
            "author": {"id": "circuitkb", "type": "tool", "name": "circuitkb 9.9"},
            "method": "orientation-tuning 1",
            "source": {"uri": "circuitkb observe"},
            "created": "2031-01-01",
            "license": "CC0-1.0",
            "label": {"text": texts[row["source"]], "vocabulary": "circuitkb"},
        }
        assert annotation_id(record) == row["source"]


def test_writing_the_same_observation_again_changes_nothing(
    measurements: Measurements, rows: GraphRows, store: Store, tmp_path: Path
) -> None:
    empty = on_disk(tmp_path)
    store.write(rows)
    once = on_disk(tmp_path)
    store.write(measurement_rows(measurements, model="m", fingerprint="f00", created="2020-01-02"))
    assert empty != once == on_disk(tmp_path)


def test_another_seed_updates_the_same_evidence(
    measurements: Measurements, rows: GraphRows, store: Store
) -> None:
    store.write(rows)
    again = with_found(measurements, seed=4)
    store.write(measurement_rows(again, model="m", fingerprint="f00"))
    answer = store.read("MATCH (e:Evidence) RETURN e.seed AS seed, count(*) AS n")
    assert answer.rows == [(4, 50)]


def test_what_was_loaded_before_stays(rows: GraphRows, store: Store) -> None:
    loaded = {"id": ["m/a:0"], "model": ["m"], "layer": ["a"], "unit": [0], "bias": [0.25]}
    store.write(GraphRows(nodes={"Feature": node_table("Feature", loaded)}))
    store.write(rows)
    answer = store.read("MATCH (f:Feature {id: 'm/a:0'}) RETURN f.bias, f.answers")
    assert answer.rows == [(0.25, True)]


def test_a_model_in_which_nothing_passes_gets_evidence_and_no_labels(
    measurements: Measurements, found: Measurement, store: Store
) -> None:
    failing = with_found(measurements, q=np.where(found.testable, 1.0, np.nan))
    rows = measurement_rows(failing, model="m", fingerprint="f00")
    assert rows.counts() == {"Feature": 52, "Evidence": 50, "ABOUT": 50}
    assert set(rows.nodes["Evidence"]["stance"].to_pylist()) == {"neutral"}
    store.write(rows)


def test_orientations_next_to_180_are_called_horizontal() -> None:
    statistic = orientation_statistic(layer_and_nulls()[0].astype(np.float32), STIMULI)
    angles = np.array([179.9, 172.6, 172.4, 7.4, 90.0])
    assert replace(statistic, preferred=angles).nearest.tolist() == [0, 0, 165, 0, 90]
    assert label_text(172.5) == "orientation 172.5°"

"""Matches in a store: written once however often, and withdrawn when they hold no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuitkb.matching.match import Matches, match
from circuitkb.matching.rows import METHOD, matching_rows
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.responses import Responses
from circuitkb.schema.tables import GraphRows, node_table
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from tests.matching.two_models import responses
from tests.matching.wired_models import Circuits, wired

COUNT = 30
WIRING = [(kind, kind) for kind in range(COUNT)]
MODELS, FINGERPRINTS = ("m", "k"), ("f1", "f2")

ANALOGOUS = """
MATCH (a:Feature)-[r:ANALOGOUS_TO]->(b:Feature)
WHERE r.q <= 0.05 RETURN a.id AS one, b.id AS other
"""
CIRCUITS = """
MATCH (a:Circuit)-[r:ANALOGOUS_TO]->(b:Circuit)
WHERE r.q <= 0.05 RETURN a.id AS one, b.id AS other
"""

Model = tuple[Responses, Circuits]


@pytest.fixture(scope="module")
def models() -> tuple[Model, Model]:
    return wired("m", 1, WIRING), wired("k", 2, WIRING)


@pytest.fixture(scope="module")
def found(models: tuple[Model, Model]) -> Matches:
    (first, circuits), (second, others) = models
    return match(first, second, circuits={"analogous-circuits": (circuits, others)})


@pytest.fixture
def store(tmp_path: Path, models: tuple[Model, Model]) -> Iterator[Store]:
    opened = open_store(tmp_path / "zoo.ckb")
    opened.ensure_schema()
    for model, fingerprint, (observed, circuits) in zip(MODELS, FINGERPRINTS, models, strict=True):
        opened.write(contents(model, fingerprint, observed, circuits))
    yield opened
    opened.close()


def contents(model: str, fingerprint: str, observed: Responses, circuits: Circuits) -> GraphRows:
    units = [(layer, unit) for layer, count in observed.layers for unit in range(count)]
    return GraphRows(
        nodes={
            "Model": node_table(
                "Model", {"id": [model], "fingerprint": [fingerprint], "source": ["test"]}
            ),
            "Feature": node_table(
                "Feature",
                {
                    "id": [f"{model}/{layer}:{unit}" for layer, unit in units],
                    "model": [model] * len(units),
                    "layer": [layer for layer, _ in units],
                    "unit": [unit for _, unit in units],
                },
            ),
            "Circuit": node_table(
                "Circuit",
                {
                    "id": [circuit.id for circuit in circuits],
                    "motif": ["union"] * len(circuits),
                    "model": [model] * len(circuits),
                    "origin": ["found"] * len(circuits),
                },
            ),
        }
    )


def rows(found: Matches) -> GraphRows:
    return matching_rows(found, models=MODELS, fingerprints=FINGERPRINTS)


def evidence(found: Matches) -> dict[str, dict[str, Any]]:
    return {row["kind"]: row for row in rows(found).nodes["Evidence"].to_pylist()}


def test_matches_are_asked_for_in_the_store(store: Store, found: Matches) -> None:
    store.write(rows(found))
    assert sorted(store.read(ANALOGOUS).rows) == sorted(
        (f"m/{layer}:{unit}", f"k/{layer}:{unit}")
        for layer, units in (("a", 2 * COUNT), ("b", COUNT))
        for unit in range(units)
    )
    assert sorted(store.read(CIRCUITS).rows) == sorted((f"m-{i}", f"k-{i}") for i in range(COUNT))
    (row,) = store.read(
        "MATCH (a {id: 'k/b:3'})-[r:ANALOGOUS_TO]-(b) "
        "RETURN b.id, r.score, r.rank, r.null_mean, r.p, r.q, r.method"
    ).rows
    place = found.features.rows[0].tolist().index(2 * COUNT + 3)
    assert (row[0], row[2], row[6]) == ("m/b:3", 1, METHOD)
    assert row[1] == found.features.score[place]
    assert row[3] == found.features.null_best[:, place].mean()
    assert row[4:6] == (found.features.p[place], found.features.q[place])


def test_writing_twice_changes_nothing(store: Store, found: Matches) -> None:
    count = "MATCH (a)-[r]->(b) RETURN type(r), count(r) ORDER BY type(r)"
    store.write(rows(found))
    once = store.read(count).rows, store.read("MATCH (e:Evidence) RETURN e.id").rows
    store.write(rows(found))
    again = store.read(count).rows, store.read("MATCH (e:Evidence) RETURN e.id").rows
    assert again == once
    assert once[0] == [("ABOUT", 4), ("ANALOGOUS_TO", 4 * COUNT)]


def test_the_evidence_has_the_counts_and_their_controls(store: Store, found: Matches) -> None:
    store.write(rows(found))
    about = store.read(
        "MATCH (e:Evidence)-[r:ABOUT]->(m:Model) RETURN e.kind, r.role, m.id ORDER BY e.kind, m.id"
    ).rows
    assert about == [
        (kind, role, model)
        for kind in ("analogous-circuits", "analogous-features")
        for role, model in (("second", "k"), ("first", "m"))
    ]
    features = evidence(found)["analogous-features"]
    controls = [control.above(0.8) for control in found.features.controls]
    assert (features["value"], features["null_mean"], features["null_count"]) == (
        3 * COUNT,
        np.mean(controls),
        2,
    )
    detail = json.loads(features["detail"])
    assert [control["shuffled"] for control in detail["controls"]] == ["k", "m"]
    assert [sum(band["found"] for band in model) for model in detail["bands"]] == [90, 90]
    assert sorted(detail["layer_pairs"]) == [["a", "a", 60], ["b", "b", 30]]
    circuits = evidence(found)["analogous-circuits"]
    assert (circuits["value"], circuits["null_count"]) == (COUNT, 20)
    detail = json.loads(circuits["detail"])
    assert (detail["swapped"], detail["targets"], detail["left_out"]) == (0, [30, 30], [0, 0])
    assert all(len(null["above"]) == 20 for null in detail["nulls"])


def test_matches_that_hold_no_more_are_withdrawn(
    store: Store, found: Matches, models: tuple[Model, Model]
) -> None:
    store.write(rows(found))
    earlier = [tuple(pair) for pair in store.read(ANALOGOUS).rows]
    earlier_circuits = [tuple(pair) for pair in store.read(CIRCUITS).rows]
    (first, circuits), (second, others) = models
    values = second.after.astype(np.float64)
    values[0] = np.random.default_rng(0).normal(size=values.shape[1])
    values[1] = 4.0
    changed = responses(values, second.shuffled_after.astype(np.float64), layers=second.layers)
    again = match(
        first,
        changed,
        circuits={"analogous-circuits": (circuits, others)},
        earlier_features=earlier,
        earlier_circuits=earlier_circuits,
    )
    store.write(rows(again))
    lost = set(earlier) - set(map(tuple, store.read(ANALOGOUS).rows))
    assert lost == {("m/a:0", "k/a:0"), ("m/a:1", "k/a:1")}
    assert set(earlier_circuits) - set(map(tuple, store.read(CIRCUITS).rows)) == {("m-0", "k-0")}
    now = {pair.source: pair.score for pair in again.withdrawn_features}
    assert now["m/a:0"] == pytest.approx(np.corrcoef(first.after[0], values[0])[0, 1], abs=1e-5)
    assert now["m/a:1"] is None


def test_no_matches_are_evidence_too() -> None:
    rng = np.random.default_rng(0)
    first, second = (
        responses(*rng.normal(size=(2, 50, 240)), layers=[("a", 50)]) for _ in range(2)
    )
    written = rows(match(first, second))
    (row,) = written.nodes["Evidence"].to_pylist()
    assert (row["kind"], row["value"], row["stance"]) == ("analogous-features", 0, "neutral")
    assert written.counts() == {"Evidence": 1, "ANALOGOUS_TO": 0, "ABOUT": 2}


def test_other_weights_or_settings_are_other_evidence(models: tuple[Model, Model]) -> None:
    found = match(models[0][0], models[1][0])
    stricter = match(models[0][0], models[1][0], threshold=0.9)
    ids = {
        matching_rows(each, models=MODELS, fingerprints=prints).nodes["Evidence"]["id"][0].as_py()
        for each, prints in ((found, FINGERPRINTS), (stricter, FINGERPRINTS), (found, ("f1", "x")))
    }
    assert len(ids) == 3


def test_a_model_is_not_matched_with_itself(found: Matches) -> None:
    with pytest.raises(ObservationError, match="'m' is matched with itself: name two models"):
        matching_rows(found, models=("m", "m"), fingerprints=("f", "f"))

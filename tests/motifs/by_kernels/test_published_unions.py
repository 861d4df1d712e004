"""The published circuits of InceptionV1: the dog-head union is found, the car is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from circuitkb.loaders.composition.summaries import kernel_statistics
from circuitkb.loaders.published.rows import published_rows
from circuitkb.motifs.findings import Findings
from circuitkb.motifs.rows import KnownCircuit, found_rows
from circuitkb.motifs.transforms import mirror
from circuitkb.motifs.union import Union
from circuitkb.schema.ids import circuit_id
from circuitkb.schema.tables import GraphRows
from tests.motifs.kernel_families import find_unions

M = "inceptionv1/"
UNION = M + "mixed4b:418"
LEFT, RIGHT = ({M + f"mixed4a:{unit}" for unit in side} for side in ((308, 234), (222, 235)))


@pytest.fixture(scope="module")
def published() -> GraphRows:
    return published_rows("published:inceptionv1")


@pytest.fixture(scope="module")
def findings(published: GraphRows) -> Findings:
    return find_unions(published.kernels["inceptionv1"], model="inceptionv1")


@pytest.fixture(scope="module")
def known(published: GraphRows) -> list[KnownCircuit]:
    members: dict[str, set[str]] = {}
    for row in relations(published, "MEMBER_OF"):
        members.setdefault(row["target"], set()).add(row["source"])
    return [
        KnownCircuit(circuit["id"], circuit["motif"], frozenset(members[circuit["id"]]))
        for circuit in published.nodes["Circuit"].to_pylist()
    ]


@pytest.fixture(scope="module")
def rows(findings: Findings, known: list[KnownCircuit]) -> GraphRows:
    return found_rows(findings, known_circuits=known)


def relations(rows: GraphRows, name: str) -> list[dict[str, Any]]:
    return [row for item in rows.relations if item.name == name for row in item.table.to_pylist()]


def test_the_dog_head_union_is_found_with_its_two_sides(findings: Findings) -> None:
    best = findings.found[0]
    assert best.target == UNION
    assert best.q < 0.05
    assert best.hits == 4
    pairs = {tuple(case.feature for case in circuit.cases) for circuit in best.circuits}
    assert pairs == {(left, right) for left in LEFT for right in RIGHT}
    for circuit in best.circuits:
        assert [case.side for case in circuit.cases] == [1, 2]
        assert 0.93 < circuit.corr_image < 0.99
        assert 0.17 < circuit.corr < 0.41


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_dog_head_union_does_not_hang_on_the_seed(published: GraphRows, seed: int) -> None:
    findings = find_unions(published.kernels["inceptionv1"], model="inceptionv1", seed=seed)
    assert findings.found[0].target == UNION
    assert findings.found[0].q < 0.02


@pytest.mark.parametrize("axis", ["left-right", "up-down"])
def test_the_car_with_window_above_and_wheel_below_is_no_union(
    published: GraphRows, axis: str
) -> None:
    connections = published.kernels["inceptionv1"]
    (car,) = [c for c in connections if c.origin == "CarCircuit.svg"]
    assert car.target_units.tolist() == [[447]] * 3
    findings = find_unions(connections, Union(of=mirror(axis)), model="inceptionv1")
    assert M + "mixed4c:447" not in {test.target for test in findings.found}


def test_it_says_what_was_tested_and_what_could_not_be(
    published: GraphRows, findings: Findings
) -> None:
    targets = {
        (c.target, unit)
        for c in published.kernels["inceptionv1"]
        for unit in c.target_units.ravel().tolist()
    }
    assert findings.tested + findings.not_testable == len(targets)
    assert findings.tests > findings.tested  # eight curve units have kernels on two grids
    # The hue circuit's kernels are 1x1, drawn on a 5x5 grid.
    assert any("single place" in reason for reason in findings.not_tested)
    assert findings.hits > max(draw["hits"] for draw in findings.controls["shuffled"])


def test_each_pair_is_a_circuit_in_the_group_of_its_unit(rows: GraphRows) -> None:
    circuits = [c for c in rows.nodes["Circuit"].to_pylist() if c["group"] == f"union:{UNION}"]
    assert len(circuits) == 4
    members = relations(rows, "MEMBER_OF")
    for circuit in circuits:
        assert (circuit["motif"], circuit["origin"]) == ("mirrored-inputs", "found")
        own = [m for m in members if m["target"] == circuit["id"]]
        by_role = {(m["role"], m["side"]): m for m in own}
        assert set(by_role) == {("case", 1), ("case", 2), ("union", None)}
        assert by_role["case", 1]["source"] in LEFT
        assert by_role["case", 2]["source"] in RIGHT
        assert by_role["union", None]["source"] == UNION
        assert by_role["case", 1]["weight"] > 0
        assert circuit["id"] == circuit_id(
            "union", "inceptionv1", [(m["source"], m["role"], m["side"]) for m in own]
        )


def test_evidence_carries_value_null_and_what_it_left_untested(
    rows: GraphRows, findings: Findings
) -> None:
    (evidence,) = [
        e
        for e in rows.nodes["Evidence"].to_pylist()
        if UNION in {r["target"] for r in relations(rows, "ABOUT") if r["source"] == e["id"]}
    ]
    best = findings.found[0]
    assert evidence["value"] == best.hits
    assert evidence["p"] == best.p <= evidence["q"] < 0.05
    assert evidence["null_mean"] < 0.1
    assert evidence["null_count"] >= 1000
    assert evidence["tested"] == findings.tests
    assert evidence["null_method"]
    assert evidence["version"]
    assert evidence["seed"] == 0
    detail = json.loads(evidence["detail"])
    assert len(detail["pairs"]) == 4
    assert len(detail["criteria"]["tested"]) == 2
    assert len(detail["criteria"]["untested"]) == 3
    about = {
        (r["target"], r["role"]) for r in relations(rows, "ABOUT") if r["source"] == evidence["id"]
    }
    assert (UNION, "union") in about
    assert {(case, "case") for case in LEFT | RIGHT} <= about
    circuits = {r["target"] for r in relations(rows, "SUPPORTS") if r["source"] == evidence["id"]}
    assert {(circuit, "circuit") for circuit in circuits if circuit.startswith("union-")} <= about


def test_the_published_union_is_supported_and_the_assembly_only_named(rows: GraphRows) -> None:
    published = {
        r["target"] for r in relations(rows, "SUPPORTS") if r["target"].startswith("inceptionv1.")
    }
    assert published == {"inceptionv1.dog-head-union"}
    readings = [json.loads(e["detail"])["published_as"] for e in rows.nodes["Evidence"].to_pylist()]
    assert {"inceptionv1.dog-head-union": "union"} in readings
    # Circles are assembled from curves, each in its place: kernels cannot tell that from a union.
    assert {"inceptionv1.curve-to-circle-evolute": "equivariant-to-invariant"} in readings


def test_edges_of_found_circuits_are_written_as_the_loader_writes_them(
    rows: GraphRows, published: GraphRows
) -> None:
    loaded = {
        (w["source"], w["target"], w["connection"]): w for w in relations(published, "WEIGHT")
    }
    written = relations(rows, "WEIGHT")
    ends = {(w["source"], w["target"]) for w in written}
    assert {(case, UNION) for case in LEFT | RIGHT} <= ends
    for weight in written:
        assert weight == loaded[weight["source"], weight["target"], weight["connection"]]


def test_weights_of_cases_are_the_positive_mass_of_their_kernels(
    findings: Findings, published: GraphRows
) -> None:
    by_key = {c.key: c for c in published.kernels["inceptionv1"]}
    for circuit in findings.found[0].circuits:
        for case in circuit.cases:
            kernel = by_key[case.connection].find(int(case.feature.rpartition(":")[2]), 418)
            assert kernel is not None
            assert case.weight == pytest.approx(float(kernel_statistics(kernel)["positive"]))


def test_relations_end_in_nodes_of_the_search_or_of_the_model(
    rows: GraphRows, published: GraphRows
) -> None:
    log = "find:union, mirror left-right:inceptionv1"
    for item in rows.relations:
        for end, label in (("source", item.source_label), ("target", item.target_label)):
            there = {
                node
                for tables in (rows.nodes, published.nodes)
                for node in (tables[label]["id"].to_pylist() if label in tables else ())
            }
            assert set(item.table[end].to_pylist()) <= there | {log}


def test_nothing_found_writes_nothing() -> None:
    assert found_rows(find_unions([], model="m")).counts() == {}


def test_reasons_stand_in_one_order_whatever_the_hashes_of_a_process(
    findings: Findings,
) -> None:
    counts = [(-count, reason) for reason, count in findings.not_tested.items()]
    assert len(counts) > 1
    assert counts == sorted(counts)

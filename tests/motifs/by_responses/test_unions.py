"""Unions found by measured answers: planted ones, what is written of them, and their sides."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from circuitkb.errors import QueryError
from circuitkb.loaders.composition.summaries import kernel_statistics
from circuitkb.motifs.by_responses.find import DRAWS, find_by_responses
from circuitkb.motifs.findings import Findings
from circuitkb.motifs.motif import Between, Role
from circuitkb.motifs.pairs import PairMotif
from circuitkb.motifs.rows import found_rows
from circuitkb.motifs.transforms import mirror
from circuitkb.motifs.union import Union
from circuitkb.schema.ids import FeatureId, circuit_id
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from circuitkb.schema.tables import GraphRows
from tests.motifs.measured_networks import (
    Array,
    answers_of_pairs,
    answers_to_pairs,
    dense,
    mirror_of,
    plant,
    responses_of,
)

COUPLES = 60
IMAGE = mirror_of(COUPLES)
PLANTED = range(0, 60, 6)
UNION = Union().by_responses()


def planted(
    seed: int = 0, units: int = 60
) -> tuple[list[Connection], Responses, dict[int, frozenset[int]]]:
    """Ten targets of 60 unite one of 40 mirrored pairs; the others answer to a pair as well."""
    rng = np.random.default_rng(seed)
    sources = answers_of_pairs(rng, 80, COUPLES, 0.1)
    targets, _ = answers_to_pairs(rng, sources, units, COUPLES, 0.1)
    weights = rng.normal(size=(units, 80))
    truth = plant(rng, weights, sources, targets, PLANTED)
    null = rng.normal(size=sources.shape)
    responses = responses_of({"a": sources, "b": targets}, {"a": null, "b": targets})
    return [dense(weights)], responses, truth


@pytest.fixture(scope="module")
def network() -> tuple[list[Connection], Responses, dict[int, frozenset[int]]]:
    return planted()


@pytest.fixture(scope="module")
def findings(network: tuple[list[Connection], Responses, Any]) -> Findings:
    connections, responses, _ = network
    return find_by_responses(connections, responses, IMAGE, UNION, model="m")


@pytest.fixture(scope="module")
def rows(findings: Findings) -> GraphRows:
    return found_rows(findings)


def found_pairs(findings: Findings) -> dict[int, set[frozenset[int]]]:
    return {
        FeatureId.parse(unit.target).unit: {
            frozenset(FeatureId.parse(case.feature).unit for case in circuit.cases)
            for circuit in unit.circuits
        }
        for unit in findings.found
    }


def relations(rows: GraphRows, name: str) -> list[dict[str, Any]]:
    return [row for item in rows.relations if item.name == name for row in item.table.to_pylist()]


@pytest.mark.parametrize("seed", range(8))
def test_planted_unions_are_found_and_nothing_else(seed: int) -> None:
    connections, responses, truth = planted(seed)
    findings = find_by_responses(connections, responses, IMAGE, UNION, model="m", seed=seed)
    found = found_pairs(findings)
    assert truth.keys() <= found.keys()
    assert all(truth[unit] in found[unit] for unit in truth)
    assert len(found) <= len(truth) + 1
    assert findings.tested == 60


def test_false_unions_and_one_sided_units_are_not_found() -> None:
    rng = np.random.default_rng(1)
    connections, responses, truth = planted(1)
    weights = connections[0].kernel[0, :, :, 0, 0].copy()
    after = responses.after.copy()
    sources, targets = after[:80], after[80:]
    false, one_sided = sorted(truth)[:4], sorted(truth)[4:8]
    for unit in false:
        one, other = sorted(truth[unit])
        unrelated = (one + 2 * int(rng.integers(1, 39))) % 80
        weights[unit, other], weights[unit, unrelated] = 0, weights[unit, one]
        targets[unit] = sources[one] + sources[unrelated]
    for unit in one_sided:
        one, other = sorted(truth[unit])
        weights[unit, other] = 0
        targets[unit] = sources[one]
    given = responses_of({"a": sources, "b": targets})
    findings = find_by_responses([dense(weights)], given, IMAGE, UNION, model="m")
    found = found_pairs(findings)
    assert set(sorted(truth)[8:]) <= found.keys()
    assert not found.keys() & {*false, *one_sided}


def test_the_figures_tell_hits_from_what_the_controls_give(findings: Findings) -> None:
    figures = findings.figures()
    assert figures["hits"] == findings.hits >= 10
    assert figures["permuted_hits_mean"] < 2
    assert figures["matched_hits_mean"] < 2
    assert len(findings.controls["permuted"]) == len(findings.controls["matched"]) == 20
    assert findings.counts["units"] <= findings.counts["hits"]
    assert 0 < findings.control_seconds < findings.seconds


def test_each_unit_has_a_p_of_its_own_permuted_weights(findings: Findings) -> None:
    for unit in findings.found:
        assert unit.null.draws == DRAWS >= 200
        assert 1 / (1 + DRAWS) <= unit.p < 0.1
        assert unit.null.mean < unit.hits
        assert unit.q == min(circuit.q for circuit in unit.circuits) <= 0.05
        assert unit.invariance is not None
        assert unit.invariance > 0.8
        for circuit in unit.circuits:
            ranks = [case.figures["rank"] for case in circuit.cases]
            assert circuit.figures["score"] == max(ranks) / unit.inputs
            assert max(ranks) <= unit.strongest == 4
            assert all(case.figures["z"] > 1 for case in circuit.cases)
    assert [unit.q for unit in findings.found] == sorted(unit.q for unit in findings.found)


def test_related_pairs_are_the_distinct_pairs_of_the_circuits(findings: Findings) -> None:
    pairs = {
        frozenset(case.feature for case in circuit.cases)
        for unit in findings.found
        for circuit in unit.circuits
    }
    assert findings.related is not None
    assert len(findings.related) == len(pairs)
    assert {frozenset((pair.one, pair.other)) for pair in findings.related} == pairs


def test_the_same_seed_gives_the_same_findings_and_another_the_same_hits() -> None:
    connections, responses, _ = planted(3)
    one, same, other = (
        find_by_responses(connections, responses, IMAGE, UNION, model="m", seed=seed)
        for seed in (1, 1, 2)
    )
    assert one.found == same.found
    assert one.controls == same.controls
    assert one.related == same.related
    assert one.weights.equals(same.weights)
    assert one.counts == other.counts
    assert one.controls != other.controls


def test_responses_in_half_precision_give_the_same_unions() -> None:
    connections, responses, _ = planted(4)
    names = ("before", "after", "shuffled_before", "shuffled_after")
    halves = {name: getattr(responses, name).astype(np.float16) for name in names}
    single = find_by_responses(connections, responses, IMAGE, UNION, model="m")
    half = find_by_responses(connections, replace(responses, **halves), IMAGE, UNION, model="m")
    assert found_pairs(half) == found_pairs(single)


def test_the_search_tells_how_far_it_is() -> None:
    connections, responses, _ = planted(5)
    said: list[float] = []
    find_by_responses(
        connections,
        responses,
        IMAGE,
        UNION,
        model="m",
        progress=lambda doing, done: said.append(done),
    )
    assert said == sorted(said)
    assert said[-1] == 1.0


# Sides


def test_side_1_answers_more_to_the_first_of_each_couple(
    findings: Findings, network: tuple[Any, Responses, Any]
) -> None:
    after = network[1].after
    first = np.arange(0, 2 * COUPLES, 2)
    for unit in findings.found:
        for circuit in unit.circuits:
            assert [case.side for case in circuit.cases] == [1, 2]
            lean = [
                float((after[row, first] - after[row, first + 1]).sum() / case.figures["spread"])
                for case in circuit.cases
                for row in [FeatureId.parse(case.feature).unit]
            ]
            assert lean[0] > lean[1]


def test_a_caller_may_say_which_stimuli_are_of_side_1(
    findings: Findings, network: tuple[list[Connection], Responses, Any]
) -> None:
    connections, responses, _ = network
    sides = np.zeros(len(IMAGE))
    sides[: 2 * COUPLES : 2], sides[1 : 2 * COUPLES : 2] = 1, -1
    turned = find_by_responses(connections, responses, IMAGE, UNION, model="m", sides=sides)

    def ordered(given: Findings) -> dict[str, set[tuple[str, str]]]:
        return {
            unit.target: {(c.cases[0].feature, c.cases[1].feature) for c in unit.circuits}
            for unit in given.found
        }

    assert ordered(turned) == {
        target: {(b, a) for a, b in pairs} for target, pairs in ordered(findings).items()
    }
    with pytest.raises(QueryError, match="sides"):
        find_by_responses(connections, responses, IMAGE, UNION, model="m", sides=sides[:-1])


# Rows


def test_each_pair_at_a_target_is_a_circuit(rows: GraphRows, findings: Findings) -> None:
    circuits = {c["id"]: c for c in rows.nodes["Circuit"].to_pylist()}
    assert len(circuits) == findings.circuits
    members = relations(rows, "MEMBER_OF")
    for unit in findings.found:
        for circuit in unit.circuits:
            own = [(c.feature, "case", c.side) for c in circuit.cases]
            key = circuit_id("union", "m", [*own, (unit.target, "union", None)])
            assert circuits[key]["group"] == f"union:{unit.target}"
            assert (circuits[key]["motif"], circuits[key]["origin"]) == ("mirrored-inputs", "found")
            assert circuits[key]["score"] == pytest.approx(circuit.corr_image)
            assert "responses" in circuits[key]["method"]
            held = {
                (m["source"], m["role"], m["side"], m["weight"])
                for m in members
                if m["target"] == key
            }
            cases = {(c.feature, "case", c.side, c.weight) for c in circuit.cases}
            assert held == {*cases, (unit.target, "union", None, None)}


def test_evidence_carries_value_null_and_every_criterion(
    rows: GraphRows, findings: Findings
) -> None:
    evidence = {e["id"]: e for e in rows.nodes["Evidence"].to_pylist()}
    assert len(evidence) == len(findings.found)
    about = relations(rows, "ABOUT")
    supports = relations(rows, "SUPPORTS")
    for unit in findings.found:
        (key,) = [r["source"] for r in about if (r["target"], r["role"]) == (unit.target, "union")]
        row = evidence[key]
        assert row["kind"] == "mirrored-responses"
        assert (row["value"], row["null_mean"]) == (unit.hits, unit.null.mean)
        assert (row["null_count"], row["p"], row["q"]) == (unit.null.draws, unit.p, unit.q)
        assert row["tested"] == findings.tested
        detail = json.loads(row["detail"])
        assert '"of":"mirror left-right"' in row["detail"]
        assert len(detail["criteria"]["tested"]) == 5
        assert detail["criteria"]["untested"] == []
        assert detail["battery"] == "toy 1"
        assert detail["model"]["hits"] == findings.hits
        pair, circuit = detail["pairs"][0], unit.circuits[0]
        assert pair["side_1"] == circuit.cases[0].feature
        assert pair["z_2"] == pytest.approx(circuit.cases[1].figures["z"], abs=1e-4)
        assert {"mirrored", "same", "rank_1", "rank_2", "spread_1", "q"} <= pair.keys()
        cases = {(c.feature, "case") for circuit in unit.circuits for c in circuit.cases}
        own = {(r["target"], r["role"]) for r in about if r["source"] == key}
        assert cases | {(unit.target, "union")} <= own
        supported = {r["target"] for r in supports if r["source"] == key}
        assert len(supported) == len(unit.circuits)
        assert {(circuit_key, "circuit") for circuit_key in supported} <= own


def test_pairs_are_joined_both_ways_with_the_shuffled_network_as_null(
    rows: GraphRows, findings: Findings
) -> None:
    joined = {(r["source"], r["target"]): r for r in relations(rows, "TRANSFORMS_TO")}
    assert len(joined) == 2 * len(findings.related or ())
    for pair in findings.related or ():
        for ends in ((pair.one, pair.other), (pair.other, pair.one)):
            row = joined[ends]
            assert (row["group"], row["parameter"]) == ("mirror", 90.0)
            assert row["score"] > 0.8 > 0.5 > row["same"]
            assert (row["p"], row["q"], row["null_mean"]) == (pair.p, pair.q, pair.null_mean)
            # The shuffled network of this test answers at random.
            assert row["null_mean"] < 0.6
            assert row["p"] == pytest.approx(1 / 81)
            assert "shuffled" in row["method"]


def test_edges_are_written_with_their_effect_in_spreads_of_the_source(
    rows: GraphRows, network: tuple[list[Connection], Responses, Any]
) -> None:
    connections, responses, _ = network
    weights = {(w["source"], w["target"]): w for w in relations(rows, "WEIGHT")}
    for member in relations(rows, "MEMBER_OF"):
        if member["role"] != "case":
            continue
        for (source, target), weight in weights.items():
            if source == member["source"]:
                unit = FeatureId.parse(source).unit
                kernel = connections[0].find(unit, FeatureId.parse(target).unit)
                assert kernel is not None
                assert weight["sum"] == pytest.approx(float(kernel_statistics(kernel)["sum"]))
                spread = float(np.std(responses.after[unit], dtype=float))
                assert weight["strength"] == pytest.approx(weight["sum"] * spread)
    ends = {
        (case["source"], union["source"])
        for case in relations(rows, "MEMBER_OF")
        for union in relations(rows, "MEMBER_OF")
        if case["target"] == union["target"] and (case["role"], union["role"]) == ("case", "union")
    }
    assert set(weights) == ends


def test_parallel_edges_are_written_one_by_one_and_weigh_together() -> None:
    connections, responses, truth = planted(6)
    half: Array = connections[0].kernel[0, :, :, 0, 0] / 2
    parallel = [dense(half), dense(half, "c1", path="residual")]
    single = find_by_responses(connections, responses, IMAGE, UNION, model="m")
    both = find_by_responses(parallel, responses, IMAGE, UNION, model="m")
    assert found_pairs(both) == found_pairs(single)
    assert both.weights.num_rows == 2 * single.weights.num_rows
    assert set(both.weights["connection"].to_pylist()) == {"c0", "c1"}
    one = single.found[0].circuits[0].cases[0]
    weights = {
        (unit.target, case.feature): case.weight
        for unit in both.found
        for circuit in unit.circuits
        for case in circuit.cases
    }
    assert weights[single.found[0].target, one.feature] == pytest.approx(one.weight, rel=1e-5)
    assert truth


def test_relations_end_in_nodes_of_the_search_or_of_the_model(rows: GraphRows) -> None:
    features = {f"m/a:{unit}" for unit in range(80)} | {f"m/b:{unit}" for unit in range(60)}
    there = {"Feature": features, "Import": {"find:union, mirror left-right:m"}} | {
        label: set(table["id"].to_pylist()) for label, table in rows.nodes.items()
    }
    for item in rows.relations:
        assert set(item.table["source"].to_pylist()) <= there[item.source_label]
        assert set(item.table["target"].to_pylist()) <= there[item.target_label]


def test_nothing_found_writes_nothing() -> None:
    connections, responses, _ = planted()
    findings = find_by_responses(connections[:0], responses, IMAGE, UNION, model="m")
    assert found_rows(findings).counts() == {}
    assert (findings.tested, findings.circuits, findings.hits) == (0, 0, 0)
    assert findings.figures()["permuted_hits_mean"] == 0


# Other motifs


def opposition() -> PairMotif:
    return PairMotif(
        name="opposition",
        of=mirror("up-down"),
        target="opposed",
        roles=(
            Role(name="for", response=Between(1)),
            Role(name="against", sign="inhibits", response=Between(high=0.5)),
        ),
        invariance=Between(high=0.5),
    )


def test_another_motif_is_another_value() -> None:
    rng = np.random.default_rng(9)
    sources = answers_of_pairs(rng, 80, COUPLES, 0.1)
    targets = rng.normal(size=(60, len(IMAGE))).clip(0)
    weights = rng.normal(size=(60, 80))
    truth = {}
    for target in PLANTED:
        excites = int(rng.integers(0, 80))
        inhibits = excites ^ 1
        weights[target, [excites, inhibits]] = 30, -30
        targets[target] = (sources[excites] - sources[inhibits]).clip(-0.5)
        truth[f"m/b:{target}"] = f"m/a:{excites}", f"m/a:{inhibits}"
    responses = responses_of({"a": sources, "b": targets})
    findings = find_by_responses([dense(weights)], responses, IMAGE, opposition(), model="m")
    found = {
        unit.target: {case.role: case.feature for case in unit.circuits[0].cases}
        for unit in findings.found
    }
    assert {target: (cases["for"], cases["against"]) for target, cases in found.items()} == truth

    rows = found_rows(findings)
    assert {c["motif"] for c in rows.nodes["Circuit"].to_pylist()} == {"opposition"}
    members = {(m["source"], m["role"]) for m in relations(rows, "MEMBER_OF")}
    for target, (excites, inhibits) in truth.items():
        assert {(target, "opposed"), (excites, "for"), (inhibits, "against")} <= members
    assert {r["parameter"] for r in relations(rows, "TRANSFORMS_TO")} == {0.0}
    assert all(m["weight"] > 0 for m in relations(rows, "MEMBER_OF") if m["role"] == "against")


def test_unions_are_no_oppositions() -> None:
    connections, responses, _ = planted()
    findings = find_by_responses(connections, responses, IMAGE, opposition(), model="m")
    assert findings.found == ()

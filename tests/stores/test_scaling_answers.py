"""The synthetic knowledge base of the benchmarks, and that all who are timed answer alike."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuitkb.schema.tables import GraphRows
from tests.stores.factories import DATABASES

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from peers import peer  # noqa: E402
from peers.questions import (  # noqa: E402
    SHARED,
    TRIANGLES,
    UNIONS,
    UNITED,
    Rows,
    comparable,
    questions,
)
from synthetic import Shape, synthetic  # noqa: E402

SHAPE = Shape(features=601, edges=9_001, models=2, layers=4, unions=9, seed=3)

Record = dict[str, Any]


@pytest.fixture(scope="module")
def pieces() -> list[GraphRows]:
    return list(synthetic(SHAPE))


@pytest.fixture(scope="module")
def weights(pieces: list[GraphRows]) -> list[Record]:
    return records(pieces, "WEIGHT")


@pytest.fixture(scope="module")
def by_arrays(pieces: list[GraphRows], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    return answers("numpy", pieces, tmp_path_factory.mktemp("arrays"))


def records(pieces: list[GraphRows], name: str) -> list[Record]:
    return [
        row
        for piece in pieces
        for item in piece.relations
        if item.name == name
        for row in item.table.to_pylist()
    ]


def nodes(pieces: list[GraphRows], label: str) -> list[Record]:
    return [row for piece in pieces for row in piece.nodes[label].to_pylist()]


def answers(name: str, pieces: list[GraphRows], folder: Path, address: str = "") -> dict[str, Rows]:
    found = peer(name, folder, address, patience=60)
    found.load(pieces)
    found.open()
    given = {item.name: comparable(found.answer(item)) for item in questions(SHAPE)}
    found.close()
    return given


def layer_number(feature: str) -> int:
    return int(feature.split(".")[1])


def test_a_shape_is_met_exactly(pieces: list[GraphRows], weights: list[Record]) -> None:
    assert len(nodes(pieces, "Feature")) == 601
    assert len(weights) == 9_001
    assert [len(piece.nodes["Layer"]) for piece in pieces] == [4, 4]


def test_the_same_seed_gives_the_same_rows(pieces: list[GraphRows]) -> None:
    for piece, again in zip(pieces, synthetic(SHAPE), strict=True):
        assert piece.nodes == again.nodes
        for item, other in zip(piece.relations, again.relations, strict=True):
            assert item.table.equals(other.table)


def test_no_node_comes_twice_and_both_ends_of_every_relation_are_there(
    pieces: list[GraphRows],
) -> None:
    known: dict[str, set[str]] = {}
    for piece in pieces:
        for label, table in piece.nodes.items():
            ids = table["id"].to_pylist()
            assert len(set(ids)) == len(ids)
            assert not known.setdefault(label, set()) & set(ids)
            known[label] |= set(ids)
        for item in piece.relations:
            assert set(item.table["source"].to_pylist()) <= known[item.source_label]
            assert set(item.table["target"].to_pylist()) <= known[item.target_label]


def test_inputs_are_ranked_by_l1_and_no_two_of_them_are_one(weights: list[Record]) -> None:
    inputs: dict[str, list[Record]] = {}
    for row in weights:
        inputs.setdefault(row["target"], []).append(row)
    for rows in inputs.values():
        rows.sort(key=lambda row: row["rank"])
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        assert [row["l1"] for row in rows] == sorted((row["l1"] for row in rows), reverse=True)
        assert len({row["source"] for row in rows}) == len(rows)
    assert {len(rows) for rows in inputs.values()} <= {16, 17, 18}


def test_weights_lead_one_layer_on_or_skip_one_in_the_same_model(weights: list[Record]) -> None:
    for row in weights:
        assert row["source"].split("/")[0] == row["target"].split("/")[0]
        steps = layer_number(row["target"]) - layer_number(row["source"])
        assert steps == {"direct": 1, "residual": 2}[row["path"]]


def test_numbers_of_a_weight_agree_with_one_another(weights: list[Record]) -> None:
    for row in weights:
        assert row["positive"] >= 0 >= row["negative"]
        assert np.isclose(row["l1"], row["positive"] - row["negative"], rtol=1e-6)
        assert np.isclose(row["sum"], row["positive"] + row["negative"], atol=1e-5)
        assert row["max_abs"] <= row["l2"] <= row["l1"]
        assert (row["positive_dx"] is None) == (row["positive"] == 0)
        assert np.float32(row["l1"]) == row["l1"]


def test_planted_cases_are_the_strongest_inputs_of_the_unit_that_unites_them(
    pieces: list[GraphRows], weights: list[Record]
) -> None:
    edges = {(row["source"], row["target"]): row for row in weights}
    circuits: dict[str, dict[str, list[str]]] = {}
    for row in records(pieces, "MEMBER_OF"):
        members = circuits.setdefault(row["target"], {"union": [], "case": []})
        members[row["role"]].append(row["source"])
    assert len(circuits) == 2 * (5 * 1 + 4 * 2)
    for members in circuits.values():
        (target,) = members["union"]
        for case in members["case"]:
            edge = edges[case, target]
            assert edge["rank"] <= 4
            assert edge["positive"] > -5 * edge["negative"]


def test_what_a_model_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 6 edges"):
        Shape(features=1_000, edges=5_000)
    with pytest.raises(ValueError, match="from a layer of"):
        list(synthetic(Shape(features=400, edges=100_000, models=1, layers=4, unions=0)))


def test_planted_unions_are_what_the_union_question_finds(
    pieces: list[GraphRows], by_arrays: dict[str, Rows]
) -> None:
    targets = {row["source"] for row in records(pieces, "MEMBER_OF") if row["role"] == "union"}
    assert {row[1] for row in by_arrays[UNIONS]} == targets
    assert len(targets) == len(by_arrays[UNIONS]) == 2 * 9
    # Twins: the n-th unit of either model unites what the n-th of the other does.
    assert all(len(row[6]) == 1 and row[6][0] != row[1] for row in by_arrays[UNIONS])


def test_arrays_answer_as_loops_over_all_weights_do(
    pieces: list[GraphRows], weights: list[Record], by_arrays: dict[str, Rows]
) -> None:
    by_name = {item.name: item.parameters for item in questions(SHAPE)}
    into: dict[str, list[Record]] = {}
    for row in weights:
        into.setdefault(row["target"], []).append(row)

    given = by_name[UNITED]
    mirrors = {(row["source"], row["target"]) for row in records(pieces, "TRANSFORMS_TO")}
    united = [
        (v["source"], w["source"], target, v["rank"], w["rank"])
        for target, rows in into.items()
        for v in rows
        for w in rows
        if (v["source"], w["source"]) in mirrors
        and v["source"] < w["source"]
        and max(v["rank"], w["rank"]) <= given["rank"]
        and min(v["positive"], w["positive"]) > given["mass"]
    ]
    assert by_arrays[UNITED] == comparable(united)

    given = by_name[SHARED]
    strong = {
        target: {row["source"] for row in rows if row["rank"] <= given["rank"]}
        for target, rows in into.items()
    }
    shared = [
        (one, other, len(strong[one] & strong[other]))
        for one in strong
        if one.startswith(f"{given['layer_1']}:")
        for other in strong
        if other.split("/")[1].startswith(f"{given['layer_2']}:")
    ]
    assert by_arrays[SHARED] == comparable(row for row in shared if row[2] >= given["least"])

    given = by_name[TRIANGLES]
    kept = [
        row
        for row in weights
        if row["rank"] <= given["rank"] and row["target"].startswith(f"{given['model']}/")
    ]
    direct = {(row["source"], row["target"]) for row in kept if row["path"] == "direct"}
    triangles = [
        (row["source"], second, row["target"])
        for row in kept
        if row["path"] == "residual"
        for second, third in direct
        if third == row["target"] and (row["source"], second) in direct
    ]
    assert by_arrays[TRIANGLES] == comparable(triangles)
    assert min(map(len, by_arrays.values())) > 0


@pytest.mark.parametrize(
    "name",
    [
        "duckdb",
        "networkx",
        "embedded",
        pytest.param("neo4j", marks=[pytest.mark.server, pytest.mark.long]),
    ],
)
def test_every_peer_gives_the_same_answers(
    name: str,
    pieces: list[GraphRows],
    by_arrays: dict[str, Rows],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CIRCUITKB_ARRAYS", str(tmp_path / "arrays"))
    address = DATABASES.at(tmp_path / "server") if name == "neo4j" else ""
    assert answers(name, pieces, tmp_path, address) == by_arrays

"""Hashes of rows tell every difference of content, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from circuitkb.moving.copies.digests import (
    BESIDE,
    KINDS,
    Digest,
    Kind,
    compared,
    tables_of,
)
from circuitkb.moving.copies.row_hashes import content_hashes, key_hashes, kind_hash
from circuitkb.schema.definition import Property, node_type, relation_type
from circuitkb.schema.tables import GraphRows, Relations, node_schema, relation_schema
from tests.stores.contents import connection, nodes, pictures, responses, shown

VALUES = {
    "string": st.text(st.characters(codec="utf-8"), max_size=6),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "strings": st.lists(st.text(st.characters(codec="utf-8"), max_size=3), max_size=3),
}


def properties_of(kind: Kind) -> tuple[Property, ...]:
    return (relation_type if kind.source else node_type)(kind.name).properties


def schema_of(kind: Kind) -> pa.Schema:
    return (relation_schema if kind.source else node_schema)(kind.name)


def table(kind: Kind, records: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema([field.with_nullable(True) for field in schema_of(kind)])
    return pa.Table.from_pylist(records, schema=schema)


@st.composite
def rows(draw: st.DrawFn) -> tuple[Kind, list[dict[str, Any]]]:
    kind = draw(st.sampled_from([k for k in KINDS if k not in BESIDE]))
    ends = ["source", "target"] if kind.source else []
    found = []
    for index in range(draw(st.integers(1, 4))):
        record = {end: f"{end}{index}" for end in ends}
        for item in properties_of(kind):
            if item.name == "id":
                record["id"] = f"id{index}"
            else:
                record[item.name] = draw(st.none() | VALUES[item.type])
        found.append(record)
    return kind, found


def hash_of(kind: Kind, records: list[dict[str, Any]]) -> str:
    digest = Digest(kind)
    digest.add(table(kind, records))
    return digest.hash


@settings(max_examples=50, deadline=None)
@given(rows(), st.randoms())
def test_the_order_of_rows_and_how_they_come_do_not_count(
    given: tuple[Kind, list[dict[str, Any]]], random: Any
) -> None:
    kind, records = given
    expected = hash_of(kind, records)
    random.shuffle(records)
    digest = Digest(kind)
    for record in records:
        digest.add(table(kind, [record]))
    assert digest.hash == expected


@settings(max_examples=200, deadline=None)
@given(rows(), st.data())
def test_any_other_value_in_any_place_is_told(
    given: tuple[Kind, list[dict[str, Any]]], data: st.DataObject
) -> None:
    kind, records = given
    digest = Digest(kind)
    digest.add(table(kind, records))
    index = data.draw(st.integers(0, len(records) - 1))
    free = [item for item in properties_of(kind) if item.name not in kind.key]
    assume(free)
    item = data.draw(st.sampled_from(free))
    before = records[index][item.name]
    after = data.draw(VALUES[item.type] if before is None else st.none() | VALUES[item.type])
    assume(after != before)
    changed = [*records]
    changed[index] = records[index] | {item.name: after}
    assert hash_of(kind, changed) != digest.hash
    piece = pieces(kind, changed)
    same = compared({kind: digest}, [piece])[kind].same
    # What was absent in the copied row does not count where it is to be.
    assert same.sum() == len(records) - (before is not None)


def pieces(kind: Kind, records: list[dict[str, Any]]) -> GraphRows:
    found = table(kind, records)
    if kind.source:
        return GraphRows(relations=[Relations(*kind, found)])
    return GraphRows(nodes={kind.name: found})


@settings(max_examples=50, deadline=None)
@given(rows())
def test_a_row_that_is_not_there_is_told(given: tuple[Kind, list[dict[str, Any]]]) -> None:
    kind, records = given
    digest = Digest(kind)
    digest.add(table(kind, records))
    found = compared({kind: digest}, [pieces(kind, records[1:])])[kind]
    assert found.present.sum() == found.same.sum() == len(records) - 1
    assert found.hash != digest.hash


FEATURE = Kind("Feature")
MODEL = Kind("Model")


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (FEATURE, {"bias": 0.0}, {"bias": -0.0}),
        (FEATURE, {"bias": None}, {"bias": math.nan}),
        (FEATURE, {}, {"bias": None, "basis": None}),
    ],
)
def test_values_that_engines_give_in_two_ways_count_alike(
    kind: Kind, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert hash_of(kind, [{"id": "a", **one}]) == hash_of(kind, [{"id": "a", **other}])


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (FEATURE, {"inputs": 2**53}, {"inputs": 2**53 + 1}),
        (FEATURE, {"bias": 0.1 + 0.2}, {"bias": 0.3}),
        (FEATURE, {"bias": 0.0}, {"bias": None}),
        (FEATURE, {"answers": False}, {"answers": None}),
        (FEATURE, {"basis": ""}, {"basis": None}),
        (FEATURE, {"basis": "a"}, {"basis": "a\x00"}),
        (FEATURE, {"basis": "é"}, {"basis": "e\u0301"}),
        (FEATURE, {"layer": "a", "basis": "b"}, {"layer": "b", "basis": "a"}),
        (FEATURE, {"left_out_l1": 1.0}, {"left_out_l2_squared": 1.0}),
        (MODEL, {"not_composed": []}, {"not_composed": None}),
        (MODEL, {"not_composed": ["a", "b"]}, {"not_composed": ["a, b"]}),
        (MODEL, {"not_composed": ["a", "b"]}, {"not_composed": ["b", "a"]}),
    ],
)
def test_values_that_look_alike_are_told_apart(
    kind: Kind, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert hash_of(kind, [{"id": "a", **one}]) != hash_of(kind, [{"id": "a", **other}])


def test_values_that_change_rows_are_told() -> None:
    one = [{"id": "a", "bias": 1.0}, {"id": "b", "bias": 2.0}]
    other = [{"id": "a", "bias": 2.0}, {"id": "b", "bias": 1.0}]
    assert hash_of(FEATURE, one) != hash_of(FEATURE, other)


def test_a_relation_is_not_the_one_back_nor_the_one_of_another_connection() -> None:
    kind = Kind("WEIGHT", "Feature", "Feature")
    records = [
        {"source": "a", "target": "b", "connection": "c"},
        {"source": "b", "target": "a", "connection": "c"},
        {"source": "a", "target": "b", "connection": None},
        {"source": "a", "target": "b", "connection": ""},
        {"source": "ab", "target": "", "connection": "c"},
    ]
    assert len(np.unique(key_hashes(table(kind, records), kind.key))) == 5


def test_no_two_of_a_million_rows_share_a_hash() -> None:
    ids = pa.table({"id": [f"net/layer{i % 10}:{i}" for i in range(1_000_000)]})
    keys = key_hashes(ids, ("id",))
    contents, masks = content_hashes(ids, ("id",), keys)
    assert len(np.unique(contents)) == 1_000_000
    assert not masks.any()


def test_what_lies_beside_the_graph_counts_with_all_their_bytes() -> None:
    def of(rows: GraphRows) -> list[tuple[Kind, Any]]:
        return [(kind, found.to_pylist()) for kind, found in tables_of(rows)]

    kernels = [GraphRows(kernels={"m": [connection("k", seed)]}) for seed in (0, 0, 1)]
    answers = [GraphRows(responses={"m": responses(seed)}) for seed in (0, 0, 1)]
    batches = [shown(pictures(seed=seed)) for seed in (0, 0, 1)]
    for one, same, other in (kernels, answers, batches):
        assert of(one) == of(same) != of(other)


def test_the_hash_of_a_kind_stays_what_it_is() -> None:
    """Two versions of circuitkb can compare what they hold."""
    record = {"id": "net/a:0", "model": "net", "layer": "a", "unit": 0, "bias": 0.5}
    digest = Digest(FEATURE)
    digest.add(nodes("Feature", record).nodes["Feature"])
    assert digest.hash == "27e0e6c4254aa0adfa3d1c4d6c66caa1"
    assert kind_hash(np.zeros(0, np.uint64)) == "e3b0c44298fc1c149afbf4c8996fb924"

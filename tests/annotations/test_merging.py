"""Imports commute: the graph follows from the set of records, whatever way they came."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitkb.annotations.merging import merge_rows
from circuitkb.schema.records import AWAITED, canonical_record
from tests.annotations.memory_store import MemoryStore
from tests.annotations.shared_records import model_rows

Record = dict[str, Any]

BASE = "urn:uuid:00000000-0000-4000-8000-00000000000"


def record(kind: str = "label", **fields: Any) -> Record:
    """A record on a unit of a small network, with what it lacks filled in."""
    unit = fields.pop("unit", 0)
    made: Record = {
        "schema": "circuitkb.annotation/1",
        "kind": kind,
        "target": {"type": "feature", "model": "alpha", "layer": "conv1", "unit": unit},
        "author": {"id": fields.pop("by", "ada"), "type": "human"},
        "method": "manual",
        "source": {"uri": "sheet"},
        "created": "2026-01-01",
        "license": "CC0-1.0",
    }
    if kind == "label":
        made["label"] = {"text": fields.pop("text", "curve")}
    return made | fields


def about(id: str) -> Record:
    return {"type": "annotation", "id": id}


def id_of(made: Record) -> str:
    return str(canonical_record(made)["id"])


def store_with_models() -> MemoryStore:
    store = MemoryStore()
    store.write(model_rows())
    return store


ids = st.sampled_from([f"{BASE}{i}" for i in range(4)])
authors = st.sampled_from(["ada", "grace"])
units = st.builds(
    lambda model, layer, unit: {"model": model, "layer": layer, "unit": unit},
    st.sampled_from(["alpha", "alpha", "nowhere"]),
    st.sampled_from(["conv1", "conv2"]),
    st.integers(0, 2),
)
hashed_labels = [record(unit=unit, by=by) for unit in range(2) for by in ("ada", "grace")]
any_id = st.one_of(ids, st.sampled_from([id_of(each) for each in hashed_labels]))
members = st.lists(
    st.builds(
        lambda unit: {"unit": {"model": "alpha", "layer": "conv1", "unit": unit}}, st.integers(0, 2)
    ),
    min_size=1,
    max_size=2,
)
targets = st.one_of(
    units.map(lambda unit: {"type": "feature", **unit}),
    units.map(lambda unit: {"type": "edge", "source": unit, "target": unit | {"unit": 3}}),
    st.sampled_from(["here", "there"]).map(lambda id: {"type": "circuit", "id": id}),
    st.builds(
        lambda id, members: {"type": "circuit", "id": id, "members": members},
        st.sampled_from(["here", "there"]),
        members,
    ),
    any_id.map(about),
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any record: with ids of their own or not, that supersede, retract, review or conflict."""
    kind = draw(st.sampled_from(["label", "label", "comment", "review", "retraction"]))
    made = record(
        kind, by=draw(authors), created=draw(st.sampled_from(["2025-05-05", "2026-01-01"]))
    )
    made["target"] = draw(any_id.map(about) if kind in ("review", "retraction") else targets)
    if kind == "label":
        made["label"]["text"] = draw(st.sampled_from(["curve", "line"]))
    if kind == "comment":
        made["text"] = draw(st.sampled_from(["so", "not so"]))
    if kind == "review":
        made["verdict"] = draw(st.sampled_from(["agree", "disagree"]))
    if draw(st.booleans()):
        made["id"] = draw(ids)
    if draw(st.integers(0, 3)) == 0:
        made["supersedes"] = draw(st.lists(any_id, min_size=1, max_size=2, unique=True))
    if draw(st.integers(0, 3)) == 0:
        made["confidence"] = draw(st.sampled_from([0.25, 0.5]))
    if draw(st.integers(0, 4)) == 0:
        made["author"]["name"] = draw(st.sampled_from(["A.", "B. C."]))
    if draw(st.integers(0, 6)) == 0:
        made["author"]["type"] = "tool"
    return made


@settings(max_examples=400, deadline=None)
@given(data=st.data(), given_records=st.lists(records(), max_size=9))
def test_any_order_any_repetition_and_any_split_give_the_same_graph(
    data: st.DataObject, given_records: list[Record]
) -> None:
    at_once = store_with_models()
    at_once.imported(deepcopy(given_records))

    shuffled = data.draw(st.permutations(given_records))
    again = data.draw(st.lists(st.sampled_from(given_records), max_size=4)) if shuffled else []
    split = store_with_models()
    for part in _parts(data, [*shuffled, *again]):
        split.imported(deepcopy(part))

    assert split.content() == at_once.content()
    counts = split.imported(deepcopy(given_records))
    assert (counts.new, counts.conflicts) == (0, [])
    assert split.content() == at_once.content()


@settings(max_examples=150, deadline=None)
@given(data=st.data(), given_records=st.lists(records(), max_size=8))
def test_a_model_may_come_before_or_after_what_is_said_of_it(
    data: st.DataObject, given_records: list[Record]
) -> None:
    before = store_with_models()
    before.imported(deepcopy(given_records))

    after = MemoryStore()
    for part in _parts(data, given_records):
        after.imported(deepcopy(part))
    after.write(model_rows())
    after.imported([])  # as every load does at its end

    assert after.content() == before.content()


def _parts(data: st.DataObject, items: Sequence[Record]) -> list[Sequence[Record]]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(items)), max_size=3)))
    ends = [0, *cuts, len(items)]
    return [items[a:b] for a, b in pairwise(ends)]


def test_the_same_record_with_another_date_is_known_and_the_earlier_date_stays() -> None:
    store = store_with_models()
    store.imported([record(created="2026-01-02")])
    counts = store.imported([record(created="2026-01-03"), record(created="2025-12-31")])
    (node,) = store.graph["Annotation"].values()
    assert (counts.new, counts.known, counts.conflicts) == (0, 2, [])
    assert node["created"] == "2025-12-31"
    assert len(node["records"]) == 1


def test_the_same_statement_with_another_confidence_is_a_conflict_and_both_are_kept() -> None:
    store = store_with_models()
    counts = store.imported([record(confidence=0.5), record(confidence=0.9)])
    (node,) = store.graph["Annotation"].values()
    assert (counts.new, counts.conflicts) == (1, [1])
    assert len(node["records"]) == 2
    assert node["state"] == "live"


def test_an_id_that_stands_for_two_statements_is_contested_and_counts_nowhere() -> None:
    store = store_with_models()
    id = f"{BASE}0"
    store.imported([record(id=id, text="curve"), record(id=id, text="line")])
    assert store.state(id) == "contested"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_record_supersedes_one_by_the_same_author_whichever_comes_first(
    order: tuple[int, int],
) -> None:
    old = record(text="curve")
    new = record(text="line", supersedes=[id_of(old)])
    store = store_with_models()
    for place in order:
        store.imported([(old, new)[place]])
    assert store.state(id_of(old)) == "superseded"
    assert store.state(id_of(new)) == "live"
    assert store.graph["Annotation"][id_of(new)]["awaits"] == []


def test_nobody_supersedes_or_retracts_what_another_said() -> None:
    old = record(text="curve")
    strange = record(text="line", by="grace", supersedes=[id_of(old)])
    back = record("retraction", by="grace", target=about(id_of(old)))
    store = store_with_models()
    store.imported([strange, back])
    store.imported([old])
    assert store.state(id_of(old)) == "live"
    assert store.state(id_of(strange)) == "live"
    assert store.state(id_of(back)) == "pending"


def test_two_edits_of_one_record_are_a_fork_and_both_live() -> None:
    old = record(text="curve")
    edits = [record(text=text, supersedes=[id_of(old)]) for text in ("line", "edge")]
    store = store_with_models()
    store.imported([old, *edits])
    assert [store.state(id_of(each)) for each in (old, *edits)] == ["superseded", "live", "live"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_retraction_holds_against_every_import_of_what_it_took_back(
    order: tuple[int, int],
) -> None:
    said = record()
    back = record("retraction", target=about(id_of(said)))
    store = store_with_models()
    for place in order:
        store.imported([(said, back)[place]])
    store.imported([said])
    assert store.state(id_of(said)) == "retracted"


def test_an_annotation_of_an_unknown_model_waits_and_joins_it_once_it_is_loaded() -> None:
    store = MemoryStore()
    counts = store.imported([record()])
    assert counts.pending == 1
    assert store.state(id_of(record())) == "pending"
    store.write(model_rows())
    store.imported([])
    assert store.state(id_of(record())) == "live"
    assert any(key[0] == "ANNOTATES" for key in store.relations)


def test_a_circuit_that_a_record_defines_is_made_and_two_definitions_are_told() -> None:
    def defined(*members: int, by: str) -> Record:
        units = [
            {"unit": {"model": "alpha", "layer": "conv1", "unit": unit}, "role": "case"}
            for unit in members
        ]
        return record(by=by, target={"type": "circuit", "id": "heads", "members": units})

    store = store_with_models()
    assert store.imported([defined(0, 1, by="ada")]).contested_circuits == set()
    assert store.imported([defined(1, 0, by="grace")]).contested_circuits == set()
    assert len(store.graph["Circuit"]["heads"]["definitions"]) == 1
    assert store.imported([defined(0, 2, by="grace")]).contested_circuits == {"heads"}
    in_it = {key[2] for key in store.relations if key[0] == "MEMBER_OF"}
    assert in_it == {f"alpha/conv1:{unit}" for unit in range(3)}


def test_an_author_that_a_record_calls_a_tool_passes_for_a_human_nowhere() -> None:
    store = store_with_models()
    human, tool = record(text="curve"), record(text="line")
    tool["author"]["type"] = "tool"
    for made in (human, tool, human):
        store.imported([made])
    assert store.graph["Annotator"]["ada"]["type"] == "tool"


def test_what_waits_for_a_model_still_supersedes_what_a_later_piece_brings() -> None:
    newer = "urn:uuid:00000000-0000-4000-8000-000000000002"
    older = "urn:uuid:00000000-0000-4000-8000-000000000001"
    away = {"type": "feature", "model": "zeta", "layer": "conv1", "unit": 0}
    records = [
        record(id=newer, target=away, supersedes=[older]),
        *(record(unit=number) for number in range(2)),
        record(id=older, target=away),
    ]
    for order in (records, records[::-1]):
        store = MemoryStore()
        store.write(model_rows())
        for place, one in enumerate(order):  # pieces of one record; the first looks at all
            awaited = AWAITED if place == 0 else AWAITED[1:]
            rows, _ = merge_rows([canonical_record(one)], store, awaited)
            store.write(rows)
        states = {id: store.graph["Annotation"][id]["state"] for id in (newer, older)}
        assert states == {newer: "pending", older: "superseded"}

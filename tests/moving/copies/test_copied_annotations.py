"""A copy brings annotations together: nothing that either store was told is lost or taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from circuitkb.annotations.importing import import_records
from circuitkb.moving.copies.copy import copy
from circuitkb.schema.records import canonical_record
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from tests.annotations.shared_records import every_kind, feature, record, store_at
from tests.stores.contents import content

ID = "urn:uuid:00000000-0000-4000-8000-000000000001"


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    one, two = store_at(tmp_path / "one.ckb"), store_at(tmp_path / "two.ckb")
    yield one, two
    one.close()
    two.close()


def told(store: Store, *records: dict[str, Any]) -> None:
    assert import_records(store, records, name="test").rejected == 0


def states(store: Store) -> dict[str, tuple[str, int]]:
    rows = store.read(
        "MATCH (a:Annotation) RETURN a.id AS id, a.state AS state, size(a.records) AS records"
    ).rows
    return {id: (state, records) for id, state, records in rows}


def test_a_copy_brings_back_nothing_that_was_retracted(stores: tuple[Store, Store]) -> None:
    one, two = stores
    said = record()
    id = canonical_record(said)["id"]
    told(one, said)
    told(two, said, record("retraction", target={"type": "annotation", "id": id}))
    copy(one, two)
    assert states(two)[id] == ("retracted", 1)
    copy(two, one)
    assert states(one) == states(two)


def test_records_that_differ_under_one_id_are_both_in_the_copy(
    stores: tuple[Store, Store],
) -> None:
    one, two = stores
    told(one, record(id=ID, confidence=0.25))
    told(two, record(id=ID, confidence=0.75))
    copy(one, two)
    assert states(two) == {ID: ("live", 2)}
    report = copy(one, two)
    assert not report.written


def test_an_id_that_means_other_things_in_two_stores_is_contested_in_the_copy(
    stores: tuple[Store, Store],
) -> None:
    one, two = stores
    told(one, record(id=ID, label={"text": "curve"}))
    told(two, record(id=ID, label={"text": "line"}))
    copy(one, two)
    assert states(two) == {ID: ("contested", 2)}


def test_what_waited_in_the_source_joins_what_the_target_has(tmp_path: Path) -> None:
    with_models = store_at(tmp_path / "models.ckb")
    labels = open_store(tmp_path / "labels.ckb")
    told(labels, record(target=feature(3)))
    assert [state for state, _ in states(labels).values()] == ["pending"]
    copy(labels, with_models)
    rows = with_models.read("MATCH (:Annotation)-[:ANNOTATES]->(f:Feature) RETURN f.id AS id").rows
    assert rows == [("alpha/conv1:3",)]
    assert [state for state, _ in states(with_models).values()] == ["live"]
    with_models.close()
    labels.close()


def test_two_stores_that_copied_each_other_hold_the_same(stores: tuple[Store, Store]) -> None:
    one, two = stores
    records = every_kind()
    told(one, *records[::2])
    told(two, *records[1::2])
    copy(one, two)
    copy(two, one)
    both = store_at(Path(one.address).parent / "both.ckb")
    told(both, *records)
    assert states(one) == states(two) == states(both)
    assert content(one.export())["relations"] == content(both.export())["relations"]
    both.close()

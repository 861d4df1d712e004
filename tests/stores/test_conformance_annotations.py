"""Annotations are merged alike by every kind of store, whole or not at all, whoever else writes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from circuitkb.annotations import importing
from circuitkb.annotations.history import history
from circuitkb.annotations.importing import import_records
from circuitkb.annotations.resolving import resolve
from circuitkb.schema.errors import NotFoundError
from circuitkb.schema.records import canonical_record
from circuitkb.stores.base import Capability, Store
from tests.annotations.shared_records import by, every_kind, feature, model_rows, record
from tests.stores.contents import content

Record = dict[str, Any]

RECORDS = every_kind()


def told(store: Store) -> tuple[Counter[Any], Counter[Any]]:
    """All nodes and relations that annotations make, to be compared."""
    found = content(store.export())
    return Counter(found["nodes"]), Counter(found["relations"])


def written(store: Store, records: Sequence[Record]) -> None:
    report = import_records(store, records, name="test")
    assert report.rejected == 0, report.rejections


@pytest.fixture
def with_models(store: Store) -> Store:
    store.write(model_rows())
    return store


def test_any_order_and_any_split_give_the_same_graph(
    open_again: Callable[..., Store], with_models: Store
) -> None:
    written(with_models, RECORDS)
    expected = told(with_models)
    assert {
        state
        for (state,) in with_models.read(
            "MATCH (a:Annotation) RETURN DISTINCT a.state AS state"
        ).rows
    } == {"live", "pending", "superseded", "retracted", "contested"}

    other = open_again("two")
    other.ensure_schema()
    other.write(model_rows())
    backwards = list(reversed(RECORDS))
    for start in range(0, len(backwards), 4):
        written(other, backwards[start : start + 4])
    assert told(other) == expected
    written(other, RECORDS)
    assert told(other) == expected


def test_a_second_import_changes_nothing(with_models: Store) -> None:
    written(with_models, RECORDS)
    before = told(with_models)
    report = import_records(with_models, RECORDS, name="test")
    assert (report.new, report.conflicting, report.written) == (0, 0, False)
    assert told(with_models) == before


def test_many_pieces_give_what_one_gives(
    open_again: Callable[..., Store], with_models: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(with_models, RECORDS)
    monkeypatch.setattr(importing, "RECORDS_AT_ONCE", 2)
    other = open_again("two")
    other.ensure_schema()
    other.write(model_rows())
    written(other, RECORDS)
    assert told(other) == told(with_models)


def test_what_waits_for_a_model_joins_it_when_it_is_there(store: Store) -> None:
    written(store, [record()])
    assert store.read("MATCH (a:Annotation) RETURN a.state AS state").rows == [("pending",)]
    store.write(model_rows())
    resolve(store)
    rows = store.read(
        "MATCH (a:Annotation)-[:ANNOTATES]->(f:Feature) RETURN a.state AS state, f.id AS feature"
    ).rows
    assert rows == [("live", "alpha/conv1:0")]


def test_a_load_does_not_bring_back_what_was_retracted(with_models: Store) -> None:
    said = record()
    id = canonical_record(said)["id"]
    back = record("retraction", target={"type": "annotation", "id": id})
    written(with_models, [said])
    as_it_was = list(with_models.export())
    written(with_models, [back])
    for piece in as_it_was:
        with_models.write(piece)
    rows = with_models.read(
        "MATCH (a:Annotation {id: $id}) RETURN a.state AS state", {"id": id}
    ).rows
    assert rows == [("retracted",)]


def test_the_history_of_a_feature_tells_what_became_of_each_statement(with_models: Store) -> None:
    old = record()
    id = canonical_record(old)["id"]
    new = record(label={"text": "line"}, supersedes=[id], created="2026-02-01")
    doubt = record(
        "review",
        target={"type": "annotation", "id": id},
        verdict="disagree",
        author=by("grace"),
        created="2026-01-20",
    )
    written(with_models, [new, doubt, old])
    for of in ("alpha/conv1:0", id):
        told_of = history(with_models, of)
        assert told_of["said"] == ["curve", "disagree", "line"]
        assert told_of["state"] == ["superseded", "live", "live"]
        assert told_of["supersedes"] == [[], [], [id]]


@pytest.mark.writes
def test_an_import_that_fails_midway_leaves_the_store_as_it_was(
    with_models: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(with_models, [record()])
    before = told(with_models)
    monkeypatch.setattr(importing, "RECORDS_AT_ONCE", 2)
    real, calls = importing.merge_rows, []

    def failing(*given: Any) -> Any:
        calls.append(1)
        found = real(*given)
        if len(calls) == 3 or not with_models.capabilities & {Capability.SNAPSHOT_READS}:
            raise RuntimeError("the process dies here")
        return found

    monkeypatch.setattr(importing, "merge_rows", failing)
    more = [record(target=feature(n % 8), source={"uri": f"{n}"}) for n in range(9)]
    with pytest.raises(RuntimeError):
        import_records(with_models, more, name="test")
    monkeypatch.undo()
    assert told(with_models) == before
    written(with_models, more)
    assert len(with_models.read("MATCH (a:Annotation) RETURN a.id AS id").rows) == 10


def test_imports_at_the_same_time_lose_nothing(
    open_again: Callable[..., Store], with_models: Store
) -> None:
    """Four writers bring other records under the same ids, in other orders."""
    several = Capability.CONCURRENT_WRITERS in with_models.capabilities
    ids = [f"urn:uuid:00000000-0000-4000-8000-0000000000{n:02}" for n in range(6)]
    given = [
        [record(id=id, confidence=writer / 8, target=feature(n)) for n, id in enumerate(ids)]
        for writer in range(4)
    ]
    failures: list[BaseException] = []

    def import_all(place: int) -> None:
        mine = open_again() if several else with_models
        try:
            for made in given[place] if place % 2 else reversed(given[place]):
                written(mine, [made])
        except BaseException as error:
            failures.append(error)
        finally:
            if several:
                with suppress(Exception):
                    mine.close()

    threads = [threading.Thread(target=import_all, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
        if not several:
            thread.join()
    for thread in threads:
        thread.join()
    assert not failures
    rows = with_models.read("MATCH (a:Annotation) RETURN size(a.records) AS records").rows
    assert rows == [(4,)] * 6


def test_the_history_of_nothing_is_refused(with_models: Store) -> None:
    with pytest.raises(NotFoundError, match="No annotation, feature or circuit"):
        history(with_models, "alpha/conv1:77")

"""That a write by copy counts what it concerns: few rows beside many are missed all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from circuitkb.schema.errors import StoreError
from circuitkb.schema.tables import GraphRows, Relations
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded import bulk, expected, merging, read_only
from circuitkb.stores.embedded.generations import generations_in
from tests.stores.contents import content_of, feature, more, nodes, together, weight, weights

pytestmark = pytest.mark.usefixtures("by_copy")


@pytest.fixture
def store(network_store: Store) -> Store:
    """A store in which many rows are."""
    network_store.write(more(200, 2_000))
    return network_store


def few() -> GraphRows:
    new = [feature(unit, layer="new") for unit in range(3)]
    ends = {"source": "net/new:1", "target": "net/new:2"}
    return together(
        nodes("Feature", *new), weights({**ends, "connection": "n"}, weight(0, 3, connection="n"))
    )


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is counted."""
    found: list[str] = []
    real = read_only.Graph.select

    def select(graph: read_only.Graph, sql: str, **bound: Any) -> Iterator[dict[str, Any]]:
        if "count(*) AS" in sql or "sum(" in sql:
            found.append(sql)
        return real(graph, sql, **bound)

    monkeypatch.setattr(read_only.Graph, "select", select)
    return found


def test_nothing_is_counted_that_the_rows_do_not_concern(store: Store, texts: list[str]) -> None:
    store.write(few())
    read = [text for text in texts if "WHERE" in text or "sum(" in text]
    assert read
    assert all("BETWEEN" in text or "LIMIT" in text for text in read)


@pytest.mark.parametrize("lost", ["Feature", "WEIGHT"])
def test_one_row_of_a_few_that_does_not_arrive_is_missed(
    store: Store, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    real, before = bulk.apply, content_of(store)

    def forgetful(changes: Any, graph: Path) -> None:
        nodes, joined = dict(changes.nodes), list(changes.relations)
        if lost == "Feature":
            nodes[lost] = nodes[lost].slice(1)
        else:
            (item,) = joined
            joined = [Relations(lost, "Feature", "Feature", item.table.slice(1))]
        real(type(changes)(nodes=nodes, relations=joined, records=changes.records), graph)

    with monkeypatch.context() as patch:
        patch.setattr(merging, "apply", forgetful)
        with pytest.raises(StoreError, match="did not bring every"):
            store.write(few())
    assert content_of(store) == before


class Pieces:
    """Rows that come one after the other: a few, some before them, some in other letters."""

    def __init__(self) -> None:
        self._rows = [few()]
        for layer in ("A", "\uff5e"):
            units = nodes("Feature", *(feature(unit, layer=layer) for unit in range(2)))
            edge = weight(0, 1, connection=layer) | {"source": "net/new:0"}
            self._rows.append(together(units, weights(edge | {"target": f"net/{layer}:1"})))
        self.pieces = len(self._rows)

    def rows(self, graph: Any, first: int, last: int) -> GraphRows:
        return together(*self._rows[first:last])


def test_a_row_of_a_piece_that_does_not_arrive_is_missed_at_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = bulk.apply, []

    def forgetful(changes: Any, graph: Path) -> None:
        calls.append(changes)
        joined = [] if len(calls) == 2 else changes.relations
        real(type(changes)(changes.nodes, joined, records=changes.records), graph)

    with monkeypatch.context() as patch:
        patch.setattr(merging, "apply", forgetful)
        with pytest.raises(StoreError, match="did not bring every"):
            store.merge(Pieces())
    store.merge(Pieces())
    assert len(calls) == 3  # the others were written meanwhile
    assert {("Feature", f"net/{layer}:1") for layer in ("A", "new", "\uff5e")} <= set(
        content_of(store)["nodes"]
    )


def test_ids_in_any_letters_arrive(store: Store) -> None:
    ids = ["net/a", "net/é", "net/\uff5e", "net/\U0001d4b3", "net/z"]
    for place in ids:
        store.write(nodes("Feature", feature(0, layer=place), feature(1, layer=place)))
    store.write(nodes("Feature", *(feature(7, layer=place) for place in ids)))
    names = {name for label, name in content_of(store)["nodes"] if label == "Feature"}
    assert {f"net/{place}:7" for place in ids} <= names


@pytest.fixture
def graph(place: Path, store: Store) -> Iterator[Callable[[str, int], None]]:
    """Checks that of a kind so many are there by themselves, were there one less before."""
    store.close()
    (state,) = generations_in(place)
    with closing(read_only.ReadOnlyGraph(state.graph, timeout=None)) as found:

        def check(newest: str, known: int) -> None:
            expected._Records("WEIGHT", 1, known, newest).check(found)

        yield check


def test_records_that_came_elsewhere_in_a_file_are_found_by_counting_all(
    place: Path, graph: Callable[[str, int], None]
) -> None:
    counts = open_store(place).recorded_counts()
    assert counts is not None
    graph("#99:99999", counts["WEIGHT"] - 1)
    with pytest.raises(StoreError, match="did not bring every"):
        graph("#99:99999", counts["WEIGHT"])

"""Rows that come piece by piece are those that come at once, on every kind of store."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.schema.errors import (
    CypherError,
    QueryError,
    QueryRefusedError,
    QueryTimeoutError,
)
from circuitkb.stores.base import Capability, Store
from tests.stores.contents import feature, more, network, nodes, values
from tests.stores.factories import FACTORIES, Factory

EVERY = "MATCH (s:Feature)-[w:WEIGHT]->(t:Feature) RETURN s.id AS s, t.id AS t, w.connection AS c"
ORDERED = f"{EVERY} ORDER BY s, t, c"

KINDS = [factory for factory in FACTORIES if factory.name != "neo4j-staged"]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    kind: Factory = request.param
    with kind.held(tmp_path_factory.mktemp("streaming")) as held:
        held.write(network())
        held.write(more())
        yield held


@pytest.mark.parametrize("rows", [1, 7, 1000, 4000, 100_000])
def test_the_pieces_together_are_the_rows_in_their_order(store: Store, rows: int) -> None:
    query = ORDERED if rows > 1 else f"{ORDERED} LIMIT 20"
    whole = store.read(query, limit=None)
    pieces = list(store.stream(query, rows=rows))
    assert all(piece.columns == whole.columns for piece in pieces)
    assert list(itertools.chain.from_iterable(piece.rows for piece in pieces)) == whole.rows
    assert all(len(piece.rows) == rows for piece in pieces[:-1])
    assert not any(piece.truncated for piece in pieces)


def test_without_rows_there_is_one_piece_with_the_columns(store: Store) -> None:
    (piece,) = store.stream(
        "MATCH (f:Feature {id: $id}) RETURN f.id AS id, f.unit AS u", {"id": ""}
    )
    assert (piece.columns, piece.rows) == (("id", "u"), [])


def test_nodes_lists_and_paths_come_as_they_do_at_once(store: Store) -> None:
    query = (
        "MATCH p = (s:Feature {unit: 1})-[w:WEIGHT]->(t) "
        "RETURN s, w.connection AS c, [t.id] AS t, p ORDER BY t, c LIMIT 5"
    )
    assert [row for piece in store.stream(query, rows=2) for row in piece.rows] == (
        store.read(query).rows
    )


def test_who_stops_half_way_leaves_the_store_as_it_was(store: Store) -> None:
    for _ in range(3):
        stream = store.stream(EVERY, rows=10)
        assert len(next(stream).rows) == 10
        stream.close()  # type: ignore[attr-defined]
    del stream
    store.write(nodes("Feature", feature(900)))
    assert values(store, "MATCH (f:Feature {unit: 900}) RETURN count(f)") == [1]


def test_two_streams_and_a_query_may_take_turns(store: Store) -> None:
    one, two = (store.stream(ORDERED, rows=100) for _ in range(2))
    first = [next(one).rows, next(two).rows, store.read(ORDERED, limit=100).rows]
    second = [next(one).rows, next(two).rows]
    assert first[0] == first[1] == first[2]
    assert second[0] == second[1] != first[0]


def test_a_writer_does_not_disturb_a_stream(store: Store) -> None:
    whole = store.read(ORDERED, limit=None).rows
    stream = store.stream(ORDERED, rows=500)
    found = next(stream).rows
    writer = threading.Thread(target=store.write, args=(nodes("Feature", feature(901)),))
    writer.start()
    writer.join(60)
    found += [row for piece in stream for row in piece.rows]
    if Capability.SNAPSHOT_READS in store.capabilities:
        assert found == whole
    assert len(found) == len(whole)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("MATCH (n) DETACH DELETE n", QueryRefusedError),
        ("LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line", QueryRefusedError),
        ("MATCH (n RETURN n", CypherError),
        ("MATCH (n) WHERE n.id = $id RETURN n", CypherError),
        ("UNWIND [1, 0] AS x RETURN 1 / x AS y", QueryError),
        (
            "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b "
            "WITH a, b WHERE a * b = -1 RETURN a",
            QueryTimeoutError,
        ),
    ],
)
def test_what_is_refused_at_once_is_refused_in_pieces(
    store: Store, query: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        list(store.stream(query, timeout=1.0, rows=5))
    assert values(store, "MATCH (m:Model) RETURN count(m)")


def test_the_time_is_for_all_pieces_together(store: Store) -> None:
    stream = store.stream(
        "UNWIND range(1, 10000) AS a UNWIND range(1, 10000) AS b RETURN a, b",
        timeout=1.0,
        rows=1000,
    )
    with pytest.raises(QueryTimeoutError, match="longer than 1 s"):
        for _ in stream:
            pass


@pytest.mark.parametrize("rows", [0, -1, True])
def test_a_piece_has_a_row_at_least(store: Store, rows: int) -> None:
    with pytest.raises(QueryError, match="a number from 1"):
        next(store.stream(EVERY, rows=rows))


def test_a_list_streams_without_its_bound(store: Store) -> None:
    kb = ckb.KnowledgeBase(store)
    wanted = kb.edges(limit=3)
    assert len(wanted.run()) == 3
    pieces = list(wanted.stream(rows=5))
    assert sum(map(len, pieces)) == len(kb.edges(limit=None).run())
    assert pieces[0].to_arrow().num_rows == 5
    with pytest.raises(ckb.errors.NotFoundError, match="No model 'nosuch'"):
        list(kb.features(model="nosuch").stream())
    assert sum(len(piece) for piece in kb.stream("MATCH (f:Feature) RETURN f.id AS id", rows=7)) > 7


def test_an_empty_store_gives_an_empty_piece(tmp_path: Path) -> None:
    with ckb.open(tmp_path / "empty.ckb") as kb:
        pieces: list[Any] = list(kb.stream("MATCH (f:Feature) RETURN f.id AS id"))
    assert [(p.columns, p.rows) for p in pieces] == [(("id",), ())]

"""Claims are merged, tested and copied alike by every kind of store. Costs about two seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.claims.adding import add_claims
from circuitkb.claims.reading import ClaimFile, Line
from circuitkb.errors import ClaimError
from circuitkb.moving.copies.copy import copy
from circuitkb.stores.base import Store
from tests.claims.worlds import claim, net, whole, world
from tests.stores.contents import content

pytestmark = pytest.mark.writes

RECORDS = [
    claim("a"),
    claim("a", created="2025-01-01"),  # the same, earlier
    claim("b", prediction=net(3, 1, at_least=0.5)),
    claim("c"),
    claim("c", statement="It is otherwise."),  # contested
    whole("ab", "a", "b"),
    whole("all", "ab", "c"),
]


def add(store: Store, records: list[dict[str, Any]]) -> Any:
    lines = [Line("test", number, record) for number, record in enumerate(records, 1)]
    return add_claims(store, [ClaimFile(tuple(lines))])


def told(store: Store) -> tuple[Counter[Any], Counter[Any]]:
    found = content(store.export())
    return Counter(found["nodes"]), Counter(found["relations"])


@pytest.mark.long_on_a_server
def test_any_order_and_any_repetition_give_the_same_graph(
    open_again: Callable[..., Store], store: Store
) -> None:
    store.write(world())
    report = add(store, RECORDS)
    assert (report.new, report.contested) == (5, ("c",))
    expected = told(store)
    add(store, RECORDS)
    assert told(store) == expected
    other = open_again("two")
    other.ensure_schema()
    other.write(world())
    for record in (*RECORDS[1:5][::-1], RECORDS[0], *RECORDS[5:]):  # parts before wholes
        add(other, [record])
    assert told(other) == expected


@pytest.mark.long_on_a_server
def test_a_refused_claim_leaves_the_store_as_it_was(store: Store) -> None:
    store.write(world())
    before = told(store)
    with pytest.raises(ClaimError):
        add(store, [claim("a"), claim("b", subject="nowhere")])
    assert told(store) == before


def test_standings_are_alike_and_travel_with_a_copy(
    open_again: Callable[..., Store], store: Store
) -> None:
    store.write(world())
    add(store, RECORDS)
    kb = ckb.KnowledgeBase(store)
    kb.claims.test()
    found = dict(zip(kb.claims.list()["claim"], kb.claims.list()["standing"], strict=True))
    assert found == {
        "a": "supported",
        "b": "refuted",
        "c": "undecided",
        "ab": "refuted",
        "all": "refuted",
    }
    kept = store.read("MATCH (c:Claim) RETURN c.id AS id, c.standing AS s").rows
    assert dict(kept) == found
    other = open_again("two")
    other.ensure_schema()
    other.write(world())
    add(other, [claim("a", statement="It is otherwise.")])
    copy(store, other, ["net"])
    theirs = ckb.KnowledgeBase(other).claims.list()
    there = dict(zip(theirs["claim"], theirs["standing"], strict=True))
    assert there == found | {"a": "undecided"}  # what either said is kept: they contest it

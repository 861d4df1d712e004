"""Claims are merged, tested and copied alike by every kind of store. Costs about two seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.claims.adding import add_claims
from circuitkb.claims.reading import ClaimFile, Line
from circuitkb.claims.trial_rows import Prepared, tried
from circuitkb.claims.ways.way import Run
from circuitkb.errors import ClaimError
from circuitkb.moving.copies.copy import copy
from circuitkb.proofs.proof import Proof
from circuitkb.schema.ids import content_hash
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
    whole("all", "ab", "c"),  # before its parts
    whole("ab", "a", "b"),
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
    for record in (*RECORDS[1:5][::-1], RECORDS[0], *RECORDS[:4:-1]):  # parts before wholes
        add(other, [record])
    assert told(other) == expected


def test_a_refused_claim_leaves_the_store_as_it_was(store: Store) -> None:
    store.write(world())
    before = told(store)
    with pytest.raises(ClaimError):
        add(store, [claim("a"), claim("b", subject="nowhere")])
    assert told(store) == before


@pytest.mark.long_on_a_server
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


def carried(outcome: str = "proved") -> ClaimFile:
    """What a bundle of one claim holds whose proof was found elsewhere, on the same weights."""
    proof = Proof(
        model="net",
        fingerprint=f"{0:064x}",
        target="net/b:0",
        cases=(),
        circuit=None,
        when="a:0 >= 1",
        then="target > 0",
        asked="a:0 >= 1 => target > 0",
        box="range",
        outcome=outcome,  # type: ignore[arg-type]
        by="bounds",
        level=0.0,
    )
    said = claim(
        "d",
        prediction={
            "test": "proof",
            "tried": "net/b:0",
            "when": "a:0 >= 1",
            "then": "target > 0",
            "at_least": 1,
        },
    )
    weights = {"weights": {"net": proof.fingerprint}, "settings": content_hash([])[:16]}
    prepared = Prepared("d", "net", said["prediction"], 0.1, weights, "proof", "1")
    run = Run(1.0, (), "proved", "none", "exact", exact=True, detail={"proof": proof.id})
    return ClaimFile(
        (Line("test", 1, said),), (tried(prepared, run, 0.1).row(),), proofs=(proof.row(),)
    )


@pytest.mark.long_on_a_server
def test_a_bundles_proof_speaks_for_its_claim_and_is_about_its_feature(store: Store) -> None:
    store.write(world())
    before = told(store)
    with pytest.raises(ClaimError, match="is not what its claim predicts"):
        add_claims(store, [carried("refuted")])
    assert told(store) == before
    bundle = carried()
    assert add_claims(store, [bundle]).proofs == 1
    rows = store.read(
        "MATCH (p:Proof)-[r]->(n) RETURN type(r) AS r, n.id AS id ORDER BY r, id"
    ).rows
    assert list(rows) == [("ABOUT", "d"), ("ABOUT", "net/b:0"), ("SUPPORTS", "d")]
    assert ckb.KnowledgeBase(store).claims.show("d")["standing"] == "supported"
    after = told(store)
    add_claims(store, [bundle])
    assert told(store) == after


@pytest.mark.long_on_a_server
def test_a_claim_that_nobody_tested_travels_with_the_model_it_is_about(
    open_again: Callable[..., Store], store: Store
) -> None:
    store.write(world())
    store.write(world(model="other"))
    own = [claim("a"), claim("f", subject="net/a:1"), whole("both", "a", "o")]
    add(store, [*own, claim("o", subject="other")])
    there = open_again("two")
    there.ensure_schema()
    copy(store, there, ["net"])
    rows = there.read("MATCH (c:Claim) RETURN c.id AS id ORDER BY id").rows
    assert list(rows) == [("a",), ("both",), ("f",)]

"""How many published circuits the searches by kernels find again, counted by plain sets (25 s)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.stores.base import Store
from tests.stores.factories import FACTORIES

KINDS = [factory for factory in FACTORIES if not factory.only_writes]


@pytest.fixture(scope="module", params=KINDS, ids=lambda factory: factory.name)
def store(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with request.param.held(tmp_path_factory.mktemp("published")) as held:
        kb = ckb.KnowledgeBase(held)
        kb.load("published:inceptionv1")
        kb.find("union")
        kb.find("mirrored-targets")
        yield held


def test_three_of_fourteen_circuits_are_found_again_as_mirrored_inputs(store: Store) -> None:
    rows = list(ckb.KnowledgeBase(store).ask("found-again").result.to_dicts())
    members: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in store.read(
        "MATCH (f:Feature)-[:MEMBER_OF]->(c:Circuit) "
        "RETURN c.id AS id, c.motif AS motif, c.origin AS origin, f.id AS feature",
        limit=None,
    ).to_dicts():
        members[row["origin"], row["id"], row["motif"]].add(row["feature"])
    found = {key: units for key, units in members.items() if key[0] == "found"}
    published = {key: units for key, units in members.items() if key[0] == "published"}
    assert len(rows) == len(published) == 14
    for (_, circuit, motif), units in published.items():
        (row,) = (row for row in rows if row["circuit"] == circuit)
        within = [key for key, own in found.items() if own <= units]
        beside = [key for key, own in found.items() if not own <= units and len(own & units) > 1]
        assert row["published_as"] == motif
        assert row["members"] == len(units)
        assert row["circuits"] == len(within)
        assert set(row["found_as"]) == {key[2] for key in within}
        assert set(row["shared"]) == {key[2] for key in beside}
    again = {row["circuit"].split(".")[1]: row for row in rows if row["circuits"]}
    assert set(again) == {"dog-head-union", "dog-circuit", "curve-to-circle-evolute"}
    assert all(row["least_q"] <= 0.05 for row in again.values())
    assert {motif for row in again.values() for motif in row["found_as"]} == {"mirrored-inputs"}

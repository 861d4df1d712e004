"""Motif by network: counts beside chance, and beside networks trained on something else."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean
from typing import Any

import pyarrow as pa
import pytest

import circuitkb as ckb
from circuitkb.errors import NotFoundError
from circuitkb.kb.universality import exchanged
from circuitkb.motifs.family import FAMILY
from circuitkb.motifs.group_findings import FoundGroup, GroupFindings, Member
from circuitkb.motifs.log import record
from circuitkb.results.reports import ModelFound
from circuitkb.schema.tables import GraphRows, node_table, rows_of
from circuitkb.stores.base import Store

TESTED = {"a": 1000, "b": 2000, "c": 500, "t": 400, "u": 0}
FOUND = {"a": 30, "b": 10, "c": 0, "t": 2, "u": 0}


@pytest.fixture
def kb(store: Store) -> ckb.KnowledgeBase:
    models = [
        {"id": name, "fingerprint": f"{name}0" * 8, "source": name, "weights": "trained"}
        for name in (*TESTED, "old")
    ]
    searches = [
        {
            "id": f"find:{motif}, of:{name}",
            "kind": "find",
            "source": motif,
            "model": name,
            "of": "of",
            "tested": tested,
            "found": FOUND[name] if motif == "family" else 1,
            "q": 0.04,
            "hits": FOUND[name] + 1,
            "null_mean": 0.5,
            "null_count": 20,
            "null_method": "permuted",
            "p": 1 / 21,
        }
        for motif in ("family", "union")
        for name, tested in TESTED.items()
        if (motif, name) != ("union", "t")
    ]
    older = {"id": "find:union, of:old", "kind": "find", "source": "union", "model": "old"}
    store.write(
        GraphRows(
            {
                "Model": node_table("Model", rows_of(models)),
                "Import": node_table("Import", rows_of([*searches, older])),
            }
        )
    )
    return ckb.KnowledgeBase(store)


def test_each_search_has_its_counts_beside_chance_and_beside_controls(kb: Any) -> None:
    found = kb.universality(controls=["t", "u"], motif="family")
    rows = {row["network"]: row for row in found}
    assert [row["network"] for row in found] == ["a", "b", "c", "t", "u"]
    # In the last nothing could be tested: that is no rate.
    rate = {name: 1000 * FOUND[name] / count for name, count in TESTED.items() if count}
    for name, row in rows.items():
        assert row["per_1000"] == (pytest.approx(rate[name]) if name in rate else None)
        assert row["control_per_1000"] == pytest.approx(1000 * 2 / 400)
        assert row["control"] == (name in "tu")
        as_many = name in rate and rate["t"] >= rate[name]
        assert row["p_controls"] == (None if name in "tu" else (1 + as_many) / 2)
        assert (row["tested"], row["found"], row["q"]) == (TESTED[name], FOUND[name], 0.04)
        assert (row["null_mean"], row["null_count"], row["null_method"]) == (0.5, 20, "permuted")
    lower = [chosen for chosen in combinations(rate.values(), 1) if sum(chosen) <= rate["t"]]
    assert found.notes[-1] == (
        f"family, of: for 1,000 tested {fmean(rate[n] for n in 'abc'):.2f} on average of 3 "
        f"networks, {rate['t']:.2f} of 1 trained on something else; "
        f"p {len(lower) / len(rate):.3f}, of 4 ways to say which are which."
    )
    assert any("nothing could be tested in u; that is no rate" in note for note in found.notes)


def test_all_motifs_are_listed_and_what_was_not_searched_is_named(kb: Any) -> None:
    found = kb.universality(controls=["t"])
    assert {row["motif"] for row in found} == {"family", "union"}
    assert "union, of: not searched in t, so not compared with it." in found.notes
    assert any("union: searched in old by an older version" in note for note in found.notes)
    assert all(row["p_controls"] is None for row in found if row["motif"] == "union")
    some = kb.universality(models=["a"], controls=["t"], motif="family")
    assert [row["network"] for row in some] == ["a", "t"]
    by_sentence = kb.ask("motif by network, beside chance").result
    assert len(by_sentence) == 9
    assert {row["p_controls"] for row in by_sentence} == {None}


def test_a_network_or_motif_that_is_not_there_is_refused(kb: Any) -> None:
    with pytest.raises(NotFoundError, match="tt"):
        kb.universality(controls=["tt"])


def test_more_networks_than_can_all_be_tried_are_drawn() -> None:
    p, ways = exchanged([1.0 + i for i in range(15)], [0.0] * 10)
    assert (p, ways) == (1 / 20_001, 20_000)


def test_a_search_leaves_its_counts_and_the_control_that_gives_most() -> None:
    group = FoundGroup((Member("m/a:0", "x"),), 0.9, 0.9, 0.1, 5, 0.01, 0.03, {}, "a")
    findings = GroupFindings(
        motif=FAMILY.searches[0],
        model="m",
        seed=0,
        tested=50,
        tests=50,
        not_tested={},
        counts={"hits": 9, "units": 4},
        controls={
            "shuffled": ({"hits": 1},),
            "angles": ({"hits": 2}, {"hits": 9}, {"hits": 1}),
            "other": ({"units": 0},),
        },
        weights=pa.table({}),
        seconds=1.0,
        groups=(group,),
    )
    assert findings.chance == ("angles", 9, 4.0, 3, 0.5)
    (row,) = record(findings, ModelFound("m", "responses", 50, 0, "", 1, 1, {})).to_pylist()
    assert (row["of"], row["tested"], row["found"], row["hits"]) == ("rotate 45", 50, 1, 9)
    assert (row["q"], row["p"]) == (0.03, 0.5)
    assert (row["null_mean"], row["null_count"], row["null_method"]) == (4.0, 3, "angles")

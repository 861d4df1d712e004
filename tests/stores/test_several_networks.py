"""What several networks have, from the matches that a store holds: the same on each kind."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest

from circuitkb.kb.several import in_several_networks
from circuitkb.queries.questions.catalogue import find
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from circuitkb.stores.base import Store

NAMES = ("a", "b", "c", "d")
UNITS = 20


def test_sets_are_counted_beside_their_nulls_and_written(store: Store) -> None:
    store.write(matched())
    rows, said = in_several_networks(store, NAMES[:2], seed=3)
    for each in rows:
        store.write(each)
    features = {one.at_least: one for one in said if one.what == "features"}
    # Units 0 to 11 are in three networks, 0 to 3 of them in the fourth; others in two.
    assert {size: one.found for size, one in features.items()} == {3: 12, 4: 4}
    assert features[3].models == NAMES
    # The largest: of the fourth network, of whose four units chance brings some together again.
    assert (features[3].p, features[3].q) == (
        evidence_of(store, "d")["p"],
        evidence_of(store, "d")["q"],
    )
    assert evidence_of(store, "a")["p"] == 0.01
    circuits = {one.at_least: one for one in said if one.what == "circuits"}
    assert {size: one.found for size, one in circuits.items()} == {3: 2, 4: 0}
    sizes = store.read(
        "MATCH (x:Feature)-[r:ANALOGOUS_TO]->(:Feature) WHERE x.model = 'a' AND r.q <= 0.05 "
        "RETURN DISTINCT x.unit AS unit, r.networks AS networks ORDER BY unit"
    ).rows
    assert sizes == [(unit, 4 if unit < 4 else 3 if unit < 12 else None) for unit in range(16)]
    evidence = store.read(
        "MATCH (m:Model)<-[:ABOUT {role: 'network'}]-(e:Evidence {kind: 'several-features'}) "
        "MATCH (e)-[about:ABOUT]->(o:Model) WHERE about.role = 'others' "
        "WITH m, e, o ORDER BY o.id RETURN m.id AS model, e.value AS found, e.p AS p, e.q AS q, "
        "e.detail AS detail, collect(o.id) AS others ORDER BY model"
    ).to_dicts()
    assert [row["model"] for row in evidence] == list(NAMES)
    assert [row["found"] for row in evidence] == [12, 12, 12, 4]
    assert evidence[3]["others"] == ["a", "b", "c"]
    detail = json.loads(evidence[0]["detail"])
    # Of the shuffled copy of a two units go with partners that are analogous, in four networks.
    assert [one["shuffled"] for one in detail["at_least"]] == [2, 2]
    assert detail["choices"] == [
        {"models": ["a", "b", "c"], "sets": 8},
        {"models": list(NAMES), "sets": 4},
    ]
    # Where a match kept no pairs of its controls, nothing is said of shuffled weights.
    assert json.loads(evidence[3]["detail"])["at_least"][0]["shuffled"] is None
    answer = ask(store, "features-in-several-models", at_least=4)
    assert [row["feature"] for row in answer] == [f"{m}/y:{u}" for m in NAMES for u in range(4)]
    assert answer[0]["others"] == ["b/y:0", "c/y:0", "d/y:0"]
    answer = ask(store, "in-several-models", at_least=3)
    assert {row["circuit"]: row["two_by_two"] for row in answer} == {
        f"{model}:{unit}": 3 for model in "abc" for unit in range(2)
    }


@pytest.mark.long_on_a_server
def test_again_changes_nothing_and_three_that_are_named_have_evidence_of_their_own(
    store: Store,
) -> None:
    store.write(matched())
    for _ in range(2):
        rows, said = in_several_networks(store, NAMES[:3], seed=0)
        for each in rows:
            store.write(each)
        assert {one.models for one in said} == {NAMES[:3]}
        assert [one.found for one in said if one.what == "features"] == [12]
    assert not any(
        item.table.num_rows for each in rows for item in each.relations if item.name != "ABOUT"
    )
    kinds = store.read(
        "MATCH (e:Evidence) WHERE e.kind STARTS WITH 'several' "
        "RETURN e.kind AS kind, count(*) AS count ORDER BY kind"
    ).rows
    assert kinds == [("several-circuits", 7), ("several-features", 7)]


def test_of_two_networks_nothing_is_in_several(store: Store) -> None:
    store.write(matched(NAMES[:2]))
    assert in_several_networks(store, NAMES[:2], seed=0) == ([], ())


def evidence_of(store: Store, model: str) -> dict[str, Any]:
    (row,) = store.read(
        "MATCH (m:Model {id: $model})<-[:ABOUT {role: 'network'}]-"
        "(e:Evidence {kind: 'several-features'}) RETURN e.p AS p, e.q AS q",
        {"model": model},
    ).to_dicts()
    return row


def ask(store: Store, name: str, **given: Any) -> list[dict[str, Any]]:
    statement = find(name).bind(given)
    return store.read(statement.text, statement.parameters).to_dicts()


def matched(names: tuple[str, ...] = NAMES) -> GraphRows:
    """Networks of one layer; units go with their namesakes, as far as both are matched."""
    upto = {"a": 16, "b": 16, "c": 12, "d": 4}
    twos = list(combinations(names, 2))
    features = [
        {"id": f"{model}/y:{unit}", "model": model, "layer": "y", "unit": unit}
        for model in names
        for unit in range(UNITS)
    ]
    circuits = [
        {"id": f"{model}:{unit}", "motif": "union", "model": model, "origin": "found"}
        for model in names
        for unit in range(4)
    ]
    members = [
        {"source": f"{one['model']}/y:{one['id'][2:]}", "target": one["id"], "role": "union"}
        for one in circuits
    ]
    similar = [
        {"source": f"{x}/y:{unit}", "target": f"{y}/y:{unit}", "score": 0.9, "q": 0.01}
        for x, y in twos
        for unit in range(min(upto[x], upto[y]))
    ]
    similar.append({"source": "a/y:19", "target": "b/y:19", "score": 0.9, "q": 1.0})
    alike = [
        {"source": f"{x}:{unit}", "target": f"{y}:{unit}", "score": 0.9, "q": 0.01}
        for x, y in twos
        if "d" not in (x, y)
        for unit in range(2)
    ]
    chance = [[f"y:{18 + unit}", f"y:{unit}", 0.85] for unit in range(2)]
    evidence = [
        {
            "id": f"{x}{y}",
            "kind": "analogous-features",
            "stance": "supports",
            "method": "m",
            "detail": json.dumps(
                {
                    "models": [x, y],
                    "controls": [
                        {"shuffled": name, "pairs": chance if name == "a" else []}
                        for name in (y, x)
                        if name != "d"
                    ],
                }
            ),
        }
        for x, y in twos
    ]
    imports = [
        {
            "id": f"match:{x}:{y}",
            "kind": "match",
            "model": x,
            "summary": json.dumps({"models": [x, y]}),
        }
        for x, y in twos
    ]
    models = [
        {"id": name, "fingerprint": f"{name}0" * 8, "source": name, "weights": "trained"}
        for name in names
    ]
    layers = [
        {"id": f"{n}/y", "model": n, "name": "y", "position": 0, "channels": UNITS} for n in names
    ]
    inside = [{"source": one["id"], "target": f"{one['model']}/y"} for one in features]
    nodes: dict[str, Any] = {
        "Model": rows_of(models),
        "Layer": rows_of(layers),
        "Feature": rows_of(features),
        "Circuit": rows_of(circuits),
        "Evidence": rows_of(evidence),
        "Import": rows_of(imports),
    }
    relations = [
        ("IN_LAYER", "Feature", "Layer", inside),
        ("MEMBER_OF", "Feature", "Circuit", members),
        ("ANALOGOUS_TO", "Feature", "Feature", similar),
        ("ANALOGOUS_TO", "Circuit", "Circuit", alike),
    ]
    return GraphRows(
        {label: node_table(label, given) for label, given in nodes.items()},
        [
            Relations(name, source, target, relation_table(name, rows_of(rows)))
            for name, source, target, rows in relations
            if rows
        ],
    )

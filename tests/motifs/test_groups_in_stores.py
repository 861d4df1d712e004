"""Motifs whose circuits are groups: found, asked for and reported in every kind of store (10 s)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.motifs.groups import Groups
from circuitkb.motifs.registry import MOTIFS
from circuitkb.queries.questions.catalogue import find
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table
from circuitkb.stores.base import Store
from tests.motifs.by_kernels.test_placed_parts import PLANTED as WHOLES
from tests.motifs.by_kernels.test_placed_parts import placed
from tests.motifs.by_responses.test_assembled_curves import PLANTED as CURVES
from tests.motifs.by_responses.test_assembled_curves import assembled
from tests.motifs.by_responses.test_families import EIGHT, FOUR
from tests.motifs.by_responses.test_families import planted as turned
from tests.motifs.by_responses.test_mirrored_targets import PLANTED, planted
from tests.motifs.measured_networks import dense
from tests.motifs.planted_layers import layers_of
from tests.report.report_reading import section
from tests.stores.factories import FACTORIES

KINDS = [factory for factory in FACTORIES if not factory.only_writes]

pytestmark = pytest.mark.long_on_a_server


def observed(model: str, kernels: list[Connection], responses: Responses) -> GraphRows:
    """Return an observed model of these layers as a store takes it."""
    units = [(name, unit) for name, size in responses.layers for unit in range(size)]
    ids = [f"{model}/{name}:{unit}" for name, unit in units]
    layers = [name for name, _ in responses.layers]
    nodes = {
        "Model": {
            "id": [model],
            "fingerprint": [model * 8],
            "source": [model],
            "weights": ["trained"],
        },
        "Layer": {
            "id": [f"{model}/{name}" for name in layers],
            "model": [model] * len(layers),
            "name": layers,
            "position": list(range(len(layers))),
            "kind": ["relu"] * len(layers),
            "channels": [size for _, size in responses.layers],
        },
        "Feature": {
            "id": ids,
            "model": [model] * len(ids),
            "layer": [name for name, _ in units],
            "unit": [unit for _, unit in units],
        },
    }
    lives_in = {"source": ids, "target": [f"{model}/{name}" for name, _ in units]}
    return GraphRows(
        {label: node_table(label, columns) for label, columns in nodes.items()},
        [Relations("IN_LAYER", "Feature", "Layer", relation_table("IN_LAYER", lives_in))],
        kernels={model: kernels},
        responses={model: responses},
    )


@pytest.fixture(scope="module", params=KINDS, ids=lambda factory: factory.name)
def store(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with request.param.held(tmp_path_factory.mktemp("groups")) as held:
        held.write(observed("m", *planted(0)))
        held.write(observed("turned", [], turned(0)))
        ckb.KnowledgeBase(held).find("mirrored-targets", models=["m"])
        ckb.KnowledgeBase(held).find("family", models=["turned"])
        held.write(observed("curves", *assembled(1)))
        ckb.KnowledgeBase(held).find("curve-assembly", models=["curves"])
        wholes = observed("wholes", [dense(placed(1))], layers_of({"a": 160, "b": 60}))
        held.write(replace(wholes, responses={}))
        ckb.KnowledgeBase(held).find("parts-in-places", models=["wholes"])
        yield held


def test_mirrored_targets_are_listed_with_their_null_and_without_a_trial(store: Store) -> None:
    rows = list(ckb.KnowledgeBase(store).ask("mirrored-targets").result.to_dicts())
    assert {(row["side_1"], row["side_2"]) for row in rows} | {
        (row["side_2"], row["side_1"]) for row in rows
    } == {(f"m/b:{a}", f"m/b:{b}") for pair in PLANTED for a, b in (pair, pair[::-1])}
    assert all(row["q"] <= 0.05 < row["value"] for row in rows)
    assert all(abs(row["null_mean"]) < 0.3 for row in rows)
    assert {row["trial"] for row in rows} == {None}
    assert all(len(row["inputs_1"]) == len(row["inputs_2"]) == 2 for row in rows)


def test_families_are_listed_in_order_of_their_turns(store: Store) -> None:
    rows = list(ckb.KnowledgeBase(store).ask("family").result.to_dicts())
    assert len(rows) == len(EIGHT) + 1
    for row in rows:
        assert row["turns"] == [45 * turn for turn in range(row["units"])]
        members = [int(member.split(":")[1]) for member in row["members"]]
        (units,) = (one for one in (*EIGHT, FOUR) if members[0] in one)
        assert sorted(members) == list(units)
        assert row["q"] <= 0.05
        assert row["null_mean"] == 0


def test_curves_are_listed_with_what_excites_and_what_inhibits_them(store: Store) -> None:
    rows = list(ckb.KnowledgeBase(store).ask("curve-assembly").result.to_dicts())
    assert {row["target"] for row in rows} == {f"curves/b:{unit}" for unit in CURVES}
    assert all(len(row["exciting"]) == len(row["inhibiting"]) == 3 for row in rows)
    assert all(row["q"] <= 0.05 and row["null_mean"] < row["value"] for row in rows)


def test_wholes_are_listed_with_the_parts_on_either_side(store: Store) -> None:
    rows = list(ckb.KnowledgeBase(store).ask("parts-in-places").result.to_dicts())
    assert {row["target"] for row in rows} == {f"wholes/b:{unit}" for unit in WHOLES}
    for row in rows:
        above, below = ({int(one.split(":")[1]) for one in row[f"parts_{n}"]} for n in (1, 2))
        assert set() < above <= {0, 1, 2, 3}
        assert set() < below <= {4, 5, 6, 7}


@pytest.mark.parametrize("name", [motif.name for motif in MOTIFS if isinstance(motif, Groups)])
def test_the_question_of_each_motif_runs_on_every_store(store: Store, name: str) -> None:
    kb = ckb.KnowledgeBase(store)
    question = find(name)
    rows = list(kb.ask(name).result.to_dicts())
    assert {motif.name for motif in MOTIFS if motif.question == name} == {name}
    assert set(question.columns) >= {"circuit", "value", "null_mean", "p", "q", "trial"}
    assert all(set(row) == set(question.columns) for row in rows)


def test_a_report_has_the_counts_of_each_layer_beside_their_null(store: Store) -> None:
    text = ckb.KnowledgeBase(store).report()
    (heading,) = (line for line in text.splitlines() if line.endswith(" mirrored wiring"))
    own = section(text, heading)
    assert "| `a` | 90 | 28 | 28 | 4 | 0 | 90 |" in text
    assert "| `b` | 6 | 4 | 4 |" in own
    assert "what the two do for the network" in own
    assert "circuitkb find mirrored-targets --model m --by responses --seed 0" in text


def test_the_search_made_again_writes_the_same_circuits(store: Store) -> None:
    kb = ckb.KnowledgeBase(store)
    before = {row["circuit"] for row in kb.ask("mirrored-targets").result.to_dicts()}
    (found,) = kb.find("mirrored-targets", models=["m"]).models
    assert found.circuits == len(before) == len(PLANTED)
    assert "4 circuits found in 1 layer" in found.message
    assert {row["circuit"] for row in kb.ask("mirrored-targets").result.to_dicts()} == before


def test_a_circuit_without_edges_has_no_trial_and_says_what_can_be_tried(store: Store) -> None:
    kb = ckb.KnowledgeBase(store)
    family = kb.circuits(motif="family", limit=1).run().to_dicts()[0]["circuit"]
    with pytest.raises(ckb.errors.TrialError, match=r"has no trial of its own: .*trial turned/"):
        kb.trial(family)
    with pytest.raises(ckb.errors.TrialError, match="has more than one target: try one of"):
        kb.trial(family, "ablate")

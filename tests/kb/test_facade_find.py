"""Searching through the facade, and the question of the mission: unions of left and right."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import circuitkb as ckb
from circuitkb.results.reports import Asked, FindReport
from circuitkb.schema.tables import GraphRows, node_table
from tests.stores.made_once import published_copy

HEAD = "inceptionv1/mixed4b:418"
LEFT_AND_RIGHT = "find all circuits unioning left/right orientation detectors across models"


def heads(*units: int) -> list[str]:
    return [f"inceptionv1/mixed4a:{unit}" for unit in units]


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    place = tmp_path_factory.mktemp("searched") / "kb.ckb"
    with ckb.open(published_copy(tmp_path_factory, place)) as kb:
        # A model without kernels, and one that nobody searches.
        row = {"id": ["bare", "later"], "fingerprint": ["f", "g"], "source": ["x", "x"]}
        kb.store.write(GraphRows({"Model": node_table("Model", row)}))
        yield kb


@pytest.fixture(scope="module")
def before(kb: ckb.KnowledgeBase) -> Asked:
    return kb.ask(LEFT_AND_RIGHT)


@pytest.fixture(scope="module")
def report(kb: ckb.KnowledgeBase, before: Asked) -> FindReport:
    return kb.find(ckb.Union(of=ckb.mirror("left-right")), models=["inceptionv1", "bare"])


def test_before_a_search_the_union_is_known_as_published_and_every_model_as_unsearched(
    before: Asked,
) -> None:
    rows = {row["target"]: row for row in before.result}
    assert rows[HEAD]["origin"] == "published"
    assert rows[HEAD]["published_as"] == ["inceptionv1.dog-head-union"]
    assert before.result.notes == tuple(
        f"{model}: not searched yet (union, mirror left-right); to search: "
        f"circuitkb find union --model {model}"
        for model in ("bare", "inceptionv1", "later")
    )


def test_a_search_reports_each_model_with_its_null(report: FindReport) -> None:
    found, bare = report.models
    assert (report.motif, found.model, bare.model) == ("union", "inceptionv1", "bare")
    assert found.tested > 0
    assert found.circuits >= 4
    assert found.groups >= 1
    assert found.null["hits"] > found.null["shuffled_hits_mean"]
    assert (bare.tested, bare.circuits) == (0, 0)
    table = report.to_result()
    assert table["model"] == ["inceptionv1", "bare"]
    assert {"tested", "not_testable", "why", "circuits", "groups"} <= set(table.columns)


def test_the_question_of_the_mission_gives_the_dog_heads_with_both_sides_and_their_labels(
    kb: ckb.KnowledgeBase, report: FindReport
) -> None:
    asked = kb.ask(LEFT_AND_RIGHT)
    (row,) = [row for row in asked.result if row["target"] == HEAD]
    assert asked.question.name == "union"
    assert row["origin"] == "found"
    assert row["side_1"] == heads(308, 234), "that of the best pair first"
    assert row["side_2"] == heads(222, 235)
    assert row["target_labels"] == ["Dog Heads"]
    assert row["labels_1"] == ["Oriented Dog Heads"]
    assert "Oriented Dog Heads" in row["labels_2"]
    assert row["dx_1"] < 0 < row["dx_2"]
    assert row["pairs"] == row["hits"] == 4
    assert row["score"] > 0.9
    assert row["null_mean"] < 1
    assert row["q"] < 0.05
    assert row["published_as"] == ["inceptionv1.dog-circuit", "inceptionv1.dog-head-union"]


def test_the_car_is_not_called_a_union(kb: ckb.KnowledgeBase, report: FindReport) -> None:
    asked = kb.ask("union")
    assert "inceptionv1/mixed4c:447" not in asked.result["target"]


def test_a_found_union_that_is_published_as_something_else_says_so(
    kb: ckb.KnowledgeBase, report: FindReport
) -> None:
    rows = {row["target"]: row for row in kb.ask("union").result}
    assert rows["inceptionv1/mixed4a:408"]["also_in"] == [
        "inceptionv1.curve-to-circle-evolute (equivariant-to-invariant)"
    ]


def test_notes_tell_what_was_tested_what_could_not_be_and_what_was_not_searched(
    kb: ckb.KnowledgeBase, report: FindReport
) -> None:
    bare, found, later = kb.ask("union").result.notes
    assert bare == "bare: nothing could be tested."
    assert found == report.models[0].message
    assert later.startswith("later: not searched yet")
    assert kb.ask("unions in inceptionv1").result.notes == (found,)


def test_unions_over_another_mirror_are_no_answer_to_left_and_right(
    kb: ckb.KnowledgeBase, report: FindReport
) -> None:
    before = kb.ask("union").result
    kb.find(ckb.Union(of=ckb.mirror("up-down"), fdr=0.99), models=["inceptionv1"])
    again = kb.ask("union")
    assert (again.result.rows, again.result.notes) == (before.rows, before.notes)
    other = kb.ask("union", parameters={"of": "mirror up-down"})
    assert other.result.rows != before.rows
    assert other.result.notes != before.notes


def test_searching_again_changes_nothing(kb: ckb.KnowledgeBase, report: FindReport) -> None:
    counts = "MATCH (n) RETURN count(n) AS nodes"
    edges = "MATCH (:Circuit)<-[m:MEMBER_OF]-() RETURN count(m) AS members"
    before = kb.query(counts).rows, kb.query(edges).rows
    again = kb.find("union", models=["inceptionv1", "bare"])
    assert (kb.query(counts).rows, kb.query(edges).rows) == before
    assert [found.null for found in again.models] == [found.null for found in report.models]


def test_circuits_as_records_hold_what_the_issue_asks_for(
    kb: ckb.KnowledgeBase, report: FindReport
) -> None:
    records = kb.circuit_records(motif="mirrored-inputs", feature=HEAD)
    assert len(records) == 4
    for record in records:
        assert {"id", "motif", "model", "members", "score", "nulls", "group"} <= set(record)
        assert record["group"] == f"union:{HEAD}"
        assert record["published_as"][-1] == "inceptionv1.dog-head-union"
        by_role = {(m["role"], m["side"]): m for m in record["members"]}
        assert set(by_role) == {("case", 1), ("case", 2), ("union", None)}
        assert by_role["union", None]["feature"] == HEAD
        assert by_role["case", 1]["weight"] > 0
        (null,) = record["nulls"]
        assert null["mean"] < null["value"]
        assert {"count", "method", "p", "q", "tested"} <= set(null)
    assert json.loads(json.dumps(records)) == records


def test_a_published_circuit_shows_the_evidence_that_was_found_for_it(
    kb: ckb.KnowledgeBase, report: FindReport
) -> None:
    sections = {
        section.title: section for section in kb.show("inceptionv1.dog-head-union").sections
    }
    assert "mirrored-inputs" in sections["Evidence"].result["kind"]
    assert len(sections["Parts of it found here"].rows) == 4
    (record,) = kb.circuit_records(feature=HEAD, motif="union-over-cases")
    assert record["q"] < 0.05


def test_a_found_circuit_shows_its_members_by_side_and_where_it_was_published(
    kb: ckb.KnowledgeBase, report: FindReport
) -> None:
    circuit = kb.circuit_records(motif="mirrored-inputs", feature=HEAD)[0]["id"]
    card = kb.show(circuit)
    sections = {section.title: section for section in card.sections}
    assert sections["Members"].result["side"] == [1, 2, None]
    assert len(sections["Weights between them"].rows) == 2
    published = sections["Whole in these published circuits"].result["circuit"]
    assert "inceptionv1.dog-head-union" in published


def test_progress_of_a_search_goes_forward_over_all_models(
    kb: ckb.KnowledgeBase, report: FindReport
) -> None:
    said: list[float] = []
    kb.find(models=["inceptionv1", "bare"], progress=lambda doing, done: said.append(done))
    assert said == sorted(said)
    assert said[-1] == 1.0


def test_the_draws_follow_the_seed_of_the_motif_unless_told_otherwise(
    kb: ckb.KnowledgeBase,
) -> None:
    motif = ckb.Union(of=ckb.mirror("up-down"), seed=5)
    summary = "MATCH (i:Import) WHERE i.id CONTAINS 'up-down' RETURN i.summary AS summary"
    kb.find(motif, models=["inceptionv1"])
    assert json.loads(kb.query(summary)["summary"][0])["seed"] == 5
    kb.find(motif, models=["inceptionv1"], seed=6)
    assert json.loads(kb.query(summary)["summary"][0])["seed"] == 6

"""The knowledge base from Python, on the published InceptionV1 and on networks made up here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuitkb as ckb
from circuitkb.errors import (
    CypherError,
    IdError,
    NotFoundError,
    QueryError,
    StoreNotFoundError,
    UnknownQuestionError,
)
from circuitkb.kb.address import ADDRESS_VARIABLE
from tests.stores.made_once import published_copy

HEAD = "inceptionv1/mixed4b:418"
LEFT_AND_RIGHT = "find all circuits unioning left/right orientation detectors across models"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    place = tmp_path_factory.mktemp("published") / "kb.ckb"
    with ckb.open(published_copy(tmp_path_factory, place)) as kb:
        yield kb


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(tmp_path / "kb.ckb") as kb:
        yield kb


# Opening


def test_an_address_is_the_given_one_then_the_variable_then_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    with ckb.open() as kb:
        assert kb.address == "circuits.ckb"
    monkeypatch.setenv(ADDRESS_VARIABLE, str(tmp_path / "b.ckb"))
    with ckb.open() as kb:
        assert kb.address == str(tmp_path / "b.ckb")
    with ckb.open(tmp_path / "c.ckb") as kb:
        assert kb.address == str(tmp_path / "c.ckb")


def test_opening_what_is_not_there_fails_where_nothing_may_be_made(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        ckb.open(tmp_path / "nothing.ckb", create=False)


# Lists


def test_the_published_model_is_listed_with_its_layers(published: ckb.KnowledgeBase) -> None:
    (row,) = published.models()
    assert (row["model"], row["layers"], row["features"], row["weights"]) == (
        "inceptionv1",
        9,
        3116,
        "published",
    )


def test_lists_compose_and_show_their_cypher(published: ckb.KnowledgeBase) -> None:
    heads = published.features(model="inceptionv1", layer="mixed4b", label="dog head")
    inputs = heads.inputs(max_rank=2).where("positive", ">", 0.5)
    statement = inputs.to_cypher()
    assert statement.parameters["target_label"] == "dog head"
    assert "dog head" not in statement.text
    result = inputs.run()
    assert result.cypher == statement.text
    targets = set(result["target"])
    assert targets
    assert targets <= set(heads.run()["feature"])
    assert all(row["rank"] <= 2 and row["positive"] > 0.5 for row in result)


def test_a_list_goes_straight_into_other_libraries(published: ckb.KnowledgeBase) -> None:
    edges = published.edges(target=HEAD)
    assert len(edges.to_pandas()) == edges.to_arrow().num_rows == len(list(edges)) == 4
    assert edges.to_networkx().number_of_nodes() == 5
    assert json.loads(edges.to_json()) == edges.to_dicts()
    assert edges.to_csv().count("\n") == 5
    assert len(edges.plot("positive").patches) == 4


def test_features_may_be_given_as_a_list_at_either_end(published: ckb.KnowledgeBase) -> None:
    heads = published.features(label="Oriented Dog Heads")
    among = published.edges(source=heads, target=ckb.FeatureId.parse(HEAD)).run()
    assert set(among["source"]) == {f"inceptionv1/mixed4a:{unit}" for unit in (222, 234, 308)}


def test_the_published_circuits_of_a_unit_are_found_from_it(published: ckb.KnowledgeBase) -> None:
    by_features = published.features(id=HEAD).circuits(origin="published").run()
    assert by_features["circuit"] == published.circuits(feature=HEAD).run()["circuit"]
    assert "inceptionv1.dog-head-union" in by_features["circuit"]


@pytest.mark.parametrize(
    ("choose", "message"),
    [
        (lambda kb: kb.features(model="inceptionv2"), "Did you mean 'inceptionv1'"),
        (
            lambda kb: kb.features(model="inceptionv1", layer="mixed4"),
            "No layer 'mixed4' in inceptionv1. Did you mean .*'mixed4b'",
        ),
        (lambda kb: kb.features(layer="nowhere"), "No layer 'nowhere' in any model here"),
        (lambda kb: kb.features(label="curvs"), "Did you mean 'Curves'"),
        (lambda kb: kb.edges(target="inceptionv1/mixed4b:512"), "mixed4b has units 0 to 511"),
        (lambda kb: kb.edges(source="inceptionv1/mixed4b@pca:0"), "No feature"),
        (lambda kb: kb.circuits(motif="union-over-case"), "Did you mean 'union-over-cases'"),
        (lambda kb: kb.circuits(feature="inceptionv1/mixed9:0"), "No layer 'mixed9'"),
    ],
)
def test_a_name_that_is_not_there_is_an_error_with_near_matches(
    published: ckb.KnowledgeBase, choose: Any, message: str
) -> None:
    with pytest.raises(NotFoundError, match=message):
        choose(published).run()


def test_nothing_found_of_names_that_are_there_is_an_empty_answer(
    published: ckb.KnowledgeBase,
) -> None:
    result = published.edges(target="inceptionv1/conv2d0:0").run()
    assert len(result) == 0
    assert "source" in result.columns


def test_an_empty_knowledge_base_says_how_to_fill_it(empty: ckb.KnowledgeBase) -> None:
    assert len(empty.models().run()) == 0
    with pytest.raises(NotFoundError, match="circuitkb load"):
        empty.features(model="inceptionv1").run()
    with pytest.raises(NotFoundError, match="circuitkb find union"):
        empty.circuits(motif="union").run()
    with pytest.raises(NotFoundError, match="circuitkb load"):
        empty.find()


def test_an_id_that_is_none_is_refused_at_once(published: ckb.KnowledgeBase) -> None:
    with pytest.raises(IdError):
        published.features(id="mixed4b:418")


# Cypher


def test_a_query_answers_with_its_text_parameters_and_time(published: ckb.KnowledgeBase) -> None:
    text = "MATCH (f:Feature {layer: $layer}) RETURN count(f) AS features"
    result = published.query(text, {"layer": "mixed4b"})
    assert (result.columns, result.rows) == (("features",), ((512,),))
    assert (result.cypher, result.parameters) == (text, {"layer": "mixed4b"})
    assert result.seconds >= 0


def test_a_limit_cuts_and_says_so(published: ckb.KnowledgeBase) -> None:
    result = published.query("MATCH (f:Feature) RETURN f.id AS id", limit=3)
    assert len(result) == 3
    assert result.truncated


def test_cypher_that_is_none_is_refused(published: ckb.KnowledgeBase) -> None:
    with pytest.raises(CypherError):
        published.query("MATCH (f:Feature RETURN f")


# Asking


def test_a_sentence_is_answered_with_the_question_and_cypher_it_ran(
    published: ckb.KnowledgeBase,
) -> None:
    asked = published.ask("what are the 2 strongest inputs of mixed4b:418?")
    assert asked.question.name == "inputs"
    assert asked.parameters == {"feature": HEAD, "top": 2}
    assert asked.cypher == asked.result.cypher == asked.question.cypher
    assert len(asked.result) == 2
    assert asked.understood.endswith(f"feature: {HEAD}; top: 2")


def test_given_parameters_hold_against_those_of_the_sentence(
    published: ckb.KnowledgeBase,
) -> None:
    asked = published.ask("top 2 inputs of mixed4b:418", parameters={"top": 3})
    assert asked.parameters["top"] == 3
    assert published.ask("what are its inputs?", parameters={"feature": HEAD}).result.rows


def test_a_question_that_is_not_understood_runs_nothing(
    published: ckb.KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    read = published.store.read

    def spy(cypher: str, *rest: Any, **more: Any) -> Any:
        ran.append(cypher)
        return read(cypher, *rest, **more)

    monkeypatch.setattr(published.store, "read", spy)
    with pytest.raises(UnknownQuestionError, match="Nearest:"):
        published.ask("what is the weather like?")
    questions = {question.cypher for question in published.questions()}
    assert not questions & set(ran)


@pytest.mark.parametrize(
    ("question", "parameters", "message"),
    [
        ("union", {"models": ["inceptionv1", "resnet50"]}, "No model 'resnet50'"),
        ("inputs", {"feature": "inceptionv1/mixed4b:512"}, "units 0 to 511"),
        ("labels", {"label": "curvs"}, "Did you mean 'Curves'"),
    ],
)
def test_parameters_that_name_nothing_here_are_an_error(
    published: ckb.KnowledgeBase, question: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(NotFoundError, match=message):
        published.ask(question, parameters=parameters)


def test_swapped_kernels_of_two_figures_are_a_conflict_that_names_both(
    published: ckb.KnowledgeBase,
) -> None:
    result = published.ask("which published figures contradict each other?").result
    swaps = [row for row in result if row["kind"] == "published-kernel-swap"]
    assert [(row["sources"], row["targets"]) for row in swaps] == [
        (["inceptionv1/mixed3a:70", "inceptionv1/mixed3a:86"], ["inceptionv1/mixed3b:345"])
    ]
    flagged = [row for row in result if row["kind"] == "flagged-kernel"]
    matrix = [row for row in flagged if row["targets"] != ["inceptionv1/mixed3b:345"]]
    assert len(matrix) == 6
    assert all("same bitmap" in row["detail"] for row in matrix)


def test_what_is_left_out_of_published_circuits_is_said_to_be_unknown(
    published: ckb.KnowledgeBase,
) -> None:
    result = published.ask("how much is unexplained?").result
    assert set(result["share_l1"]) == {None}
    assert result.notes == (
        "inceptionv1: only its published weights are known, so what is left out is not.",
    )


# Cards


def test_a_feature_card_holds_labels_inputs_circuits_and_evidence(
    published: ckb.KnowledgeBase,
) -> None:
    card = published.show(HEAD)
    sections = {section.title: section for section in card.sections}
    assert card.kind == "feature"
    assert sections["Labels"].result["label"] == ["Dog Heads"]
    assert "Olah" in sections["Labels"].result["name"][0]
    assert len(sections["Strongest inputs"].rows) == 4
    assert "inceptionv1.dog-head-union" in sections["Circuits"].result["circuit"]
    assert sections["Evidence"].rows
    assert json.loads(card.to_json()) == card.to_dict()


def test_a_circuit_card_holds_members_and_the_weights_between_them(
    published: ckb.KnowledgeBase,
) -> None:
    card = published.show("inceptionv1.dog-head-union")
    sections = {section.title: section for section in card.sections}
    assert card.facts["origin"] == "published"
    assert len(sections["Members"].rows) == 5
    assert set(sections["Weights between them"].result["target"]) == {HEAD}


def test_model_and_layer_have_cards(published: ckb.KnowledgeBase) -> None:
    model = published.show("inceptionv1")
    assert (model.kind, model.facts["features"]) == ("model", 3116)
    assert model.facts["not_composed"]
    layer = published.show("inceptionv1/mixed4b")
    assert (layer.kind, layer.facts["channels"]) == ("layer", 512)


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("inceptionv1/mixed4b:512", "units 0 to 511"),
        ("inceptionv1/mixed4", "Did you mean .*'mixed4b'"),
        ("inceptionv2/mixed4b:3", "No model 'inceptionv2'"),
        ("inceptionv1.dog-head", "Did you mean 'inceptionv1.dog-head-union'"),
        ("", "Nothing here has the id ''"),
    ],
)
def test_a_card_of_nothing_is_an_error_with_near_matches(
    published: ckb.KnowledgeBase, id: str, message: str
) -> None:
    with pytest.raises(NotFoundError, match=message):
        published.show(id)


# Kernels


def test_kernels_are_the_published_ones_with_their_figure(published: ckb.KnowledgeBase) -> None:
    (kernel,) = published.kernels("inceptionv1/mixed4a:308", HEAD)
    assert (kernel.origin, kernel.values.shape) == ("DogMerge.svg", (5, 5))
    (edge,) = published.edges(source="inceptionv1/mixed4a:308", target=HEAD)
    assert np.isclose(kernel.values.clip(min=0).sum(), edge["positive"])


def test_two_figures_of_one_edge_give_two_kernels(published: ckb.KnowledgeBase) -> None:
    kernels = published.kernels("inceptionv1/mixed3a:70", "inceptionv1/mixed3b:345")
    assert {kernel.origin for kernel in kernels} == {"Boundary.svg", "Figure_11.svg"}


def test_units_that_nothing_joins_have_no_kernel(published: ckb.KnowledgeBase) -> None:
    assert published.kernels("inceptionv1/mixed4a:0", HEAD) == []
    with pytest.raises(NotFoundError, match="units 0 to 511"):
        published.kernels("inceptionv1/mixed4a:308", "inceptionv1/mixed4b:600")


# Finding


def test_a_motif_that_cannot_be_searched_for_is_refused(published: ckb.KnowledgeBase) -> None:
    with pytest.raises(QueryError, match="Did you mean 'union'"):
        published.find("unions")


def test_a_search_in_a_model_that_is_not_there_is_refused(published: ckb.KnowledgeBase) -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'inceptionv1'"):
        published.find("union", models=["inceptionv2"])


def test_a_load_of_published_circuits_leaves_its_provenance(tmp_path: Path) -> None:
    with ckb.open(tmp_path / "kb.ckb") as kb:
        kb.load("published:inceptionv1")
        rows = kb.query(
            "MATCH (i:Import) RETURN i.kind AS kind, i.model AS model, i.source AS source"
        ).to_dicts()
    assert rows == [{"kind": "load", "model": "inceptionv1", "source": "published:inceptionv1"}]

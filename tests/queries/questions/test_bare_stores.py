"""Every question on knowledge bases that lack what it asks for: it says what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.errors import NotFoundError, QueryError, UnknownQuestionError
from circuitkb.queries.questions.catalogue import Question, questions
from circuitkb.results.reports import Asked
from tests.queries.conftest import rows
from tests.queries.graphs import Graph, make
from tests.stores.factories import Factory

MISSION = "find all circuits unioning left/right orientation detectors across models"

NOTHING_TO_BRING = {
    "common-inputs",
    "common-outputs",
    "excited",
    "exciters",
    "imports",
    "inhibited",
    "inhibitors",
    "inputs",
    "layers",
    "outputs",
    "reciprocal-inhibition",
    "shortest-path",
    "unexplained",
}
"""Questions about weights alone: on a network that was loaded nothing is missing."""

every = pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)


def weights_alone(models: int) -> Graph:
    """Return networks that somebody loaded and did nothing with."""
    graph = make(0)
    kept = ["alpha", "beta"][:models]
    bare = Graph(models=dict.fromkeys(kept, "trained"))
    for name in ("layers", "features"):
        setattr(bare, name, [item for item in getattr(graph, name) if item["model"] in kept])
    for feature in bare.features:
        feature["orientation"] = None
    bare.weights = [w for w in graph.weights if w["source"].split("/")[0] in kept]
    return bare


def held(
    kind: Factory, folder: Any, graph: Graph | None
) -> Iterator[tuple[Graph, ckb.KnowledgeBase]]:
    with kind.held(folder) as store:
        if graph is not None:
            store.write(rows(graph))
        yield graph or weights_alone(1), ckb.KnowledgeBase(store)


@pytest.fixture(scope="module")
def empty(kind: Factory, tmp_path_factory: pytest.TempPathFactory) -> Any:
    yield from held(kind, tmp_path_factory.mktemp("empty"), None)


@pytest.fixture(scope="module")
def one(kind: Factory, tmp_path_factory: pytest.TempPathFactory) -> Any:
    yield from held(kind, tmp_path_factory.mktemp("one"), weights_alone(1))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(tmp_path_factory.mktemp("two") / "zoo.ckb") as kb:
        kb.store.write(rows(weights_alone(2)))
        yield kb


def ask(kb: ckb.KnowledgeBase, graph: Graph, question: Question, **given: Any) -> Asked:
    """Ask by name, with features that are there and a label for what must be given."""
    ids = iter(feature["id"] for feature in reversed(graph.features))
    values = {"label": "curve", "angle": 45, "feature": None}
    for parameter in question.parameters.values():
        if parameter.required and parameter.name not in given:
            given[parameter.name] = values[parameter.type] or next(ids)
    return kb.ask(question.name, parameters=given)


def missing(asked: Asked) -> list[str]:
    return [note for note in asked.result.notes if "circuitkb " in note]


@pytest.mark.long_on_a_server
@every
def test_an_empty_knowledge_base_says_how_to_fill_it(empty: Any, question: Question) -> None:
    graph, kb = empty
    if any(parameter.type == "feature" for parameter in question.parameters.values()):
        with pytest.raises(NotFoundError, match=r"is empty.*circuitkb load"):
            ask(kb, graph, question)
        return
    asked = ask(kb, graph, question)
    assert asked.result.rows == ()
    assert "is empty" in asked.result.notes[0]
    assert "circuitkb load" in asked.result.notes[0]


@pytest.mark.long_on_a_server
@every
def test_networks_without_more_say_which_command_brings_it(one: Any, question: Question) -> None:
    graph, kb = one
    asked = ask(kb, graph, question)
    if question.name in NOTHING_TO_BRING:
        assert not [note for note in missing(asked) if "yet" in note]
    else:
        assert asked.result.rows == ()
        assert missing(asked)


@pytest.mark.parametrize("asked", ["union", MISSION])
def test_the_question_of_the_mission_runs_on_two_networks_of_ones_own(
    two: ckb.KnowledgeBase, asked: str
) -> None:
    answer = two.ask(asked)
    assert answer.result.rows == ()
    assert [note.split(":")[0] for note in missing(answer)] == ["alpha", "beta"]
    assert all("circuitkb find union --model" in note for note in missing(answer))


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("union", {"orientation": 45}, "alpha, beta: not observed yet. To measure: circuitkb obs"),
        ("union", {"label": "left"}, "Nothing is labelled here.*circuitkb annotate import"),
        ("labels", {"label": "curve"}, "Nothing is labelled here.*circuitkb annotate import"),
        ("oriented", {"orientation": 45, "models": "beta"}, "beta: not .*circuitkb observe beta"),
        ("analogous-circuits", {}, "No two models were matched yet.*circuitkb match"),
        ("contradicted", {}, "circuitkb annotate vocabulary"),
        ("reviews", {}, "circuitkb annotate review"),
        ("who-labelled", {}, "circuitkb annotate import"),
        ("conflicts", {}, "circuitkb observe"),
    ],
)
def test_what_was_asked_for_decides_what_is_missing(
    two: ckb.KnowledgeBase, name: str, given: dict[str, Any], says: str
) -> None:
    notes = "\n".join(two.ask(name, parameters=given).result.notes)
    assert re.search(says, notes)


def test_nothing_is_said_to_be_missing_that_is_there(two: ckb.KnowledgeBase) -> None:
    comparing = "\n".join(two.ask("analogous-circuits").result.notes)
    assert "compares models" not in comparing


def test_labels_that_wait_for_a_model_are_no_labels_and_are_counted(tmp_path: Any) -> None:
    sheet = tmp_path / "labels.csv"
    sheet.write_text("target,label\nnet-a/conv:0,curve\nnet-a/conv:1,line\n")
    with ckb.open(tmp_path / "zoo.ckb") as kb:
        kb.annotate.import_files(sheet, author="ada", unit_base=0)
        notes = kb.ask("labels", parameters={"label": "curve"}).result.notes
    assert notes[0].startswith("This knowledge base is empty.")
    assert notes[1].startswith("2 labels wait for net-a, which is not loaded: circuitkb load")


@pytest.mark.parametrize("name", ["union", "contradicted", "disagreements"])
def test_an_empty_label_asks_for_any(two: ckb.KnowledgeBase, name: str) -> None:
    assert two.ask(name, parameters={"label": ""}).result.rows == two.ask(name).result.rows


def test_a_label_that_must_be_given_cannot_be_empty(two: ckb.KnowledgeBase) -> None:
    with pytest.raises(QueryError, match="label is '': it must be a text"):
        two.ask("labels", parameters={"label": ""})


def test_a_motif_that_no_circuit_has_is_an_error_with_near_matches(
    tmp_path: Any,
) -> None:
    with ckb.open(tmp_path / "zoo.ckb") as kb:
        kb.store.write(rows(make(0)))
        with pytest.raises(NotFoundError, match=r"unoin.*Did you mean 'union'"):
            kb.ask("in-several-models", parameters={"motif": "unoin"})


def test_a_sentence_that_is_not_understood_may_name_what_is_not_loaded(empty: Any) -> None:
    _, kb = empty
    with pytest.raises(UnknownQuestionError, match=r"(?s)not understood.*is empty.*circuitkb load"):
        kb.ask("layers of my_network")

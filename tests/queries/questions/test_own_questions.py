"""Questions that a group adds in a folder of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import circuitkb as ckb
from circuitkb.errors import QueryError, QueryRefusedError
from circuitkb.queries.questions.catalogue import questions
from circuitkb.queries.questions.own_questions import VARIABLE, every_question
from tests.stores.made_once import published_copy

WIDEST = """\
// title = "The widest layers"
// sentences = ["widest layers of {models}", "which layers are widest?"]
// needs = [["widest"]]
// words = ["layer"]
// example = "which layers are widest?"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in"
// [columns]
// layer = "id of the layer"
// channels = "its channels"
MATCH (y:Layer)
WHERE size($models) = 0 OR y.model IN $models
RETURN y.id AS layer, y.channels AS channels
ORDER BY channels DESC, layer
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "questions"
    path.mkdir()
    (path / "widest.cypher").write_text(WIDEST)
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> ckb.KnowledgeBase:
    place = tmp_path_factory.mktemp("own") / "zoo.ckb"
    return ckb.open(published_copy(tmp_path_factory, place))


def test_a_question_of_a_group_is_asked_by_name_and_by_sentence(
    folder: Path, kb: ckb.KnowledgeBase
) -> None:
    by_name, by_sentence = kb.ask("widest"), kb.ask("which layers are widest?")
    assert by_name.result.rows == by_sentence.result.rows
    assert list(by_name.result["channels"]) == sorted(by_name.result["channels"], reverse=True)
    assert by_name.question.origin == str(folder / "widest.cypher")
    assert kb.ask("union").question.origin == ""


def test_without_the_variable_there_is_the_catalogue_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert {q.name for q in every_question()} == {q.name for q in questions()}


def test_several_folders_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = folder.parent / "more"
    other.mkdir()
    (other / "widest-too.cypher").write_text(WIDEST)
    monkeypatch.setenv(VARIABLE, f"{folder}{os.pathsep}{other}")
    assert len(every_question()) == len(questions()) + 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("broken.cypher", WIDEST.replace("// title =", "// title"), "no TOML"),
        ("lacking.cypher", WIDEST.replace("// example", "// sample"), "lacks 'example'"),
        ("label.cypher", WIDEST.replace("y:Layer", "y:Layr"), "'Layr' is not a node label"),
        ("property.cypher", WIDEST.replace("y.channels", "y.chanels"), "'chanels' is not a prop"),
        ("odd.cypher", WIDEST.replace('help = "models to look in"', ""), "lacks 'help'"),
        ("list.cypher", WIDEST.replace("[columns]", "[[columns]]"), "list.cypher"),
        (
            "table.cypher",
            "// parameters = 3\n" + WIDEST.split("// [param")[0] + "RETURN 1",
            "table",
        ),
        ("Bad Name.cypher", WIDEST, "as in my-question.cypher"),
        ("long.cypher", WIDEST + " " * 100_000, "at most 100,000 bytes"),
        ("union.cypher", WIDEST, "a question 'union' already, in the catalogue"),
        ("empty.cypher", "", "lacks 'title'"),
    ],
)
def test_a_file_that_breaks_the_form_is_named_with_what_is_wrong(
    name: str, text: str, message: str, folder: Path
) -> None:
    (folder / name).write_text(text)
    with pytest.raises(QueryError) as refused:
        every_question()
    assert message in str(refused.value)
    assert name in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_bytes_that_are_no_text_are_named(folder: Path) -> None:
    (folder / "bytes.cypher").write_bytes(b"// title = \xff")
    with pytest.raises(QueryError, match=r"bytes\.cypher"):
        every_question()


def test_a_folder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "nowhere-at-all")
    with pytest.raises(QueryError, match="nowhere-at-all is no folder"):
        every_question()


def test_a_question_of_strangers_only_reads(folder: Path, kb: ckb.KnowledgeBase) -> None:
    evil = WIDEST.replace("RETURN y.id", "SET y.channels = 0\nRETURN y.id")
    (folder / "evil.cypher").write_text(evil)
    with pytest.raises(QueryRefusedError):
        kb.ask("evil")
    assert max(kb.ask("widest").result["channels"]) > 0


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.cypher")
    with pytest.raises(QueryError, match=r"pipe\.cypher.*ordinary file"):
        every_question()

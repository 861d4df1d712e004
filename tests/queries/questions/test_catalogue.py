"""The files of the catalogue: complete, and true to the definition of the graph."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import pytest

from circuitkb.queries.questions import catalogue
from circuitkb.queries.questions.ask import pick
from circuitkb.queries.questions.catalogue import Question, find, parse, questions
from circuitkb.queries.questions.mentions import Names
from circuitkb.schema.errors import IdError, QueryError, SchemaError, UnknownQuestionError

NAMES = Names(
    ["inceptionv1"], {"inceptionv1": ["mixed4a", "mixed4b"]}, ["Curves", "Oriented Dog Heads"]
)

every = pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)


def test_the_catalogue_answers_at_least_the_questions_of_the_first_issue() -> None:
    assert {question.name for question in questions()} >= {
        "union",
        "inputs",
        "outputs",
        "labels",
        "conflicts",
        "unexplained",
        "circuits-of",
        "several-families",
    }


@every
def test_a_question_tells_what_it_answers(question: Question) -> None:
    assert question.title
    assert len(question.sentences) >= 5
    assert all(question.columns.values())
    assert all(parameter.help for parameter in question.parameters.values())


@every
def test_the_declared_columns_are_those_that_the_cypher_returns(question: Question) -> None:
    last = question.cypher[question.cypher.rindex("\nRETURN") :]
    body = re.sub(r"\{[^{}]*\}", "", re.sub(r"\{[^{}]*\}", "", last)).split("\nORDER BY")[0]
    assert [name for name in question.columns if not re.search(rf"\b{name}\b", body)] == []


@every
def test_every_sentence_of_a_question_picks_that_question(question: Question) -> None:
    said = {
        "feature": "inceptionv1/mixed4b:418",
        "label": "curves",
        "models": "inceptionv1",
        "top": "5",
        "orientation": "45 degrees",
        "other": "inceptionv1/mixed4a:308",
        "at_least": "2",
        "layers": "mixed4a",
        "cases": "curve",
        "shape": "flat",
        "trial": "held",
    }
    for sentence in (*question.sentences, question.example):
        chosen = pick(sentence.format(**said), lambda: NAMES)
        assert chosen.question.name == question.name


@every
def test_the_rows_have_a_stated_order(question: Question) -> None:
    assert "\nORDER BY" in question.cypher[question.cypher.rindex("\nRETURN") :]


@every
def test_the_text_has_no_header_and_no_value_in_it(question: Question) -> None:
    assert "//" not in question.cypher
    assert question.cypher == question.cypher.strip()


@every
def test_a_question_of_ours_passes_the_checks_of_anybody_elses(question: Question) -> None:
    folder = files("circuitkb.queries.questions") / "catalogue"
    text = (folder / f"{question.name}.cypher").read_text(encoding="utf-8")
    assert parse(question.name, text) == question


HEADER = """\
// title = "t"
// sentences = ["s {top}"]
// needs = [["s"]]
// example = "s"
// [parameters.top]
// type = "integer"
// help = "h"
// [columns]
// id = "c"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER.replace('title = "t"', "title ="), "no TOML"),
        (HEADER.replace('// title = "t"\n', ""), "lacks 'title'"),
        (HEADER + "MATCH (f:Feature) RETURN f.id AS id", "declares .*'top'.* and uses"),
        (HEADER + "MATCH (f:Featur) RETURN f.id AS id LIMIT $top", "'Featur' is not a node label"),
        (HEADER + "MATCH (f:Feature) RETURN f.idd AS id LIMIT $top", "'idd' is not a property"),
        (HEADER + "MATCH (f:Feature)-[:WEIGT]->() RETURN f.id AS id LIMIT $top", "'WEIGT' is not"),
        (HEADER.replace("integer", "numeral") + "RETURN $top AS id", "no type of a parameter"),
        (HEADER.replace("s {top}", "s {bottom}") + "RETURN $top AS id", "only in its sentences"),
        ('// table = ["ids"]\n' + HEADER + "RETURN $top AS id", "no column 'ids'.*mean 'id'"),
        ('// colour = "red"\n' + HEADER + "RETURN $top AS id", "unknown .*colour"),
    ],
)
def test_a_file_that_breaks_the_form_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        parse("mine", text)


def test_a_well_formed_file_is_read() -> None:
    question = parse("mine", HEADER + "MATCH (f:Feature) RETURN f.id AS id LIMIT $top\n")
    assert question.cypher == "MATCH (f:Feature) RETURN f.id AS id LIMIT $top"
    assert question.parameters["top"].required


def test_names_in_quoted_text_and_comments_are_not_names_of_the_graph() -> None:
    text = "MATCH (f:Feature) // (x:Nothing)\nWHERE f.layer = '(y:Nothing) $no' RETURN f.id"
    assert list(catalogue.unknown_names(text)) == []


@pytest.mark.parametrize(
    ("name", "given", "error", "message"),
    [
        ("inputs", {}, QueryError, "needs feature"),
        ("inputs", {"feature": "mixed4b:418"}, IdError, "model/layer:unit"),
        ("inputs", {"feature": "m/l:0", "tops": 3}, QueryError, "Did you mean 'top'"),
        ("inputs", {"feature": "m/l:0", "top": 0}, QueryError, "from 1"),
        ("inputs", {"feature": "m/l:0", "top": True}, QueryError, "from 1"),
        ("labels", {"label": " "}, QueryError, "must be a text"),
        ("union", {"models": [1]}, QueryError, "list of names"),
    ],
)
def test_parameters_are_checked_before_anything_runs(
    name: str, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        find(name).bind(given)


def test_an_unknown_question_is_refused_with_near_matches() -> None:
    with pytest.raises(UnknownQuestionError, match="Did you mean 'union'"):
        find("unions")

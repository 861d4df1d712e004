"""Pages that answer: the catalogue, questions in words, Cypher, and the box that takes anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from circuitkb.atlas.given import PICTURES, SECONDS, known, limit_of
from circuitkb.atlas.links import is_feature
from circuitkb.atlas.page import Field, Page, Table
from circuitkb.atlas.views import viewed
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.queries.questions.values import read_value
from circuitkb.results.pictures.thumbnails import Thumbnails
from circuitkb.results.result import Result


def questions(kb: KnowledgeBase) -> Page:
    """Return the catalogue: what can be asked, each with an example."""
    rows = [
        {"question": each.name, "asks": each.title, "example": each.example}
        for each in kb.questions()
    ]
    return Page("Questions", "questions", tables=(Table("", Result.of_records(rows)),))


def ask(kb: KnowledgeBase, query: Mapping[str, str]) -> Page:
    """Return the answer to a question by its name or in a sentence; without one, the form.

    Parameters given beside ``question`` are those of the question; a value that is no JSON is
    text.

    Raises
    ------
    UnknownQuestionError, QueryError, NotFoundError
    """
    given = dict(query)
    text, limit = given.pop("question", "").strip(), limit_of(given.pop("limit", ""))
    view = given.pop("view", "")
    form = (Field("question", "a question, by name or in a sentence", text, lines=2),)
    if not text:
        return Page("Ask", "ask", form=form)
    parameters = {name: read_value(value) for name, value in given.items() if value}
    named = next((each for each in kb.questions() if each.name == text), None)
    if named is not None and any(
        each.required and name not in parameters for name, each in named.parameters.items()
    ):
        wanted = (Field(name, name, given.get(name, "")) for name in named.parameters)
        return Page(
            named.title,
            "ask",
            kind="question",
            form=(*form, *wanted),
            form_shown=1 + len(named.parameters),
            query={**query},
        )
    asked = kb.ask(text, parameters=parameters, timeout=SECONDS, limit=limit)
    taken = asked.question.parameters
    stated = {k: v for k, v in asked.parameters.items() if v != taken[k].default}
    fields = (Field(name, name, given.get(name, _text(stated.get(name)))) for name in taken)
    page = Page(
        asked.question.title,
        "ask",
        kind="question",
        lead=(f"Read as {asked.question.name}{_stated(stated)}.",),
        tables=(illustrated(kb, asked.result),),
        form=(*form, *fields),
        form_shown=1,
        query={**query},
    )
    values = asked.parameters.values()
    return viewed(kb, page, view, [v for v in values if isinstance(v, str) and is_feature(v)])


def cypher(kb: KnowledgeBase, query: Mapping[str, str]) -> Page:
    """Return the rows of a Cypher query that only reads; without one, the form.

    Ids given beside it, between spaces, are bound to ``$ids``.

    Raises
    ------
    CypherError, QueryRefusedError, QueryTimeoutError
    """
    given = known(query, {"cypher", "ids", "view", "limit"})
    text, ids = given.get("cypher", "").strip(), given.get("ids", "").split()
    form = (
        Field("cypher", "a query that only reads", text, lines=6),
        Field("ids", "features that it knows as $ids, one after the other", " ".join(ids), lines=2),
    )
    if not text:
        return Page("Cypher", "query", form=form)
    limit = limit_of(given.get("limit", ""))
    result = kb.query(text, {"ids": ids} if ids else {}, timeout=SECONDS, limit=limit)
    page = Page("Cypher", "query", tables=(illustrated(kb, result),), form=form, query={**query})
    return viewed(kb, page, given.get("view", ""))


def illustrated(kb: KnowledgeBase, result: Result) -> Table:
    """Return rows with the picture of what each is about, where it has one."""
    pictures = tuple(map(Thumbnails(kb.store), result.to_dicts()[:PICTURES]))
    shown = pictures if any(pictures) else ()
    return Table("Rows", result, "\n".join(result.notes), result.columns, pictures=shown)


def _stated(values: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name} {_text(value)}" for name, value in values.items())
    return f" with {said}" if said else ""


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)

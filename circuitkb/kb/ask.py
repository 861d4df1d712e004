"""Asking: choose the question, run its Cypher, and say what the answer leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from circuitkb.kb.prerequisites import EMPTY, lacking
from circuitkb.motifs.log import searches, what
from circuitkb.queries.lists.conditions import Mention
from circuitkb.queries.questions.ask import pick
from circuitkb.queries.questions.catalogue import Question
from circuitkb.queries.questions.own_questions import every_question
from circuitkb.results.reports import Asked
from circuitkb.results.result import Result
from circuitkb.schema.errors import UnknownQuestionError
from circuitkb.stores import known_names
from circuitkb.stores.base import Store


def ask(
    store: Store,
    asked: str,
    parameters: Mapping[str, Any],
    *,
    timeout: float,
    limit: int | None,
) -> Asked:
    """Answer a question; see :meth:`circuitkb.kb.knowledge_base.KnowledgeBase.ask`."""
    try:
        choice = pick(
            asked, lambda: known_names.names(store), given=parameters, among=every_question()
        )
    except UnknownQuestionError as error:
        if known_names.models(store):
            raise
        # What the sentence names cannot be known, so that may be all that is wrong with it.
        raise UnknownQuestionError(f"{error}\n{EMPTY}") from None
    question = choice.question
    statement = question.bind({**choice.parameters, **parameters})
    values = statement.parameters
    known_names.check(store, _mentions(question, values, "models", "layers"))
    answer = store.read(statement.text, values, timeout=timeout, limit=limit)
    if not answer.rows:
        known_names.check(store, _mentions(question, values, "feature"))
        for kind in ("label", "motif"):
            if known_names.there(store, kind):  # where there are none at all, a note says so
                known_names.check(store, _mentions(question, values, kind))
    return Asked(
        question,
        dict(values),
        answer.cypher or statement.text,
        Result.of_answer(
            answer,
            statement,
            notes=(
                *_left_out(choice.unknown),
                *_leaving_out(store, question, values),
                *_notes(store, question, values, answered=bool(answer.rows)),
            ),
        ),
    )


def _mentions(question: Question, values: Mapping[str, Any], *types: str) -> Iterator[Mention]:
    for name, parameter in question.parameters.items():
        if parameter.type not in types or values[name] == parameter.default:
            continue
        if parameter.type in ("models", "layers"):
            yield from (Mention(parameter.type.removesuffix("s"), item) for item in values[name])
        else:
            yield Mention(parameter.type, values[name])


def _left_out(unknown: Sequence[str]) -> Iterator[str]:
    """Say which words of the sentence the question does not speak of."""
    if unknown:
        are = "is" if len(unknown) == 1 else "are"
        yield f"{', '.join(map(repr, unknown))} {are} not understood: the answer leaves that out"


def _leaving_out(store: Store, question: Question, values: Mapping[str, Any]) -> Iterator[str]:
    """Say how many circuits the answer leaves out, and why."""
    statement = question.leaving_out(values)
    rows = [] if statement is None else store.read(statement.text, statement.parameters).rows
    if rows:
        said = "; ".join(f"{circuits:,} {why}" for why, circuits in rows)
        yield f"circuits left out: {said}"


def _notes(
    store: Store, question: Question, values: Mapping[str, Any], *, answered: bool
) -> Iterator[str]:
    """Say what the answer cannot speak of, so that silence is not read as absence."""
    yield from lacking(store, question, values, answered=answered)
    wanted = values.get("models") or known_names.models(store)
    if question.motif is not None:
        yield from _searched(store, question.motif, values["of"], wanted)
    if question.whole_network:
        yield from _published(store, wanted)


def _searched(store: Store, motif: str, of: str, models: Sequence[str]) -> Iterator[str]:
    done = searches(store, motif, of)
    for model in models:
        if model in done:
            yield done[model].message
        else:
            yield (
                f"{model}: not searched yet ({what(motif, of)}); to search: "
                f"circuitkb find {motif} --model {model}"
            )


def _published(store: Store, models: Sequence[str]) -> Iterator[str]:
    rows = store.read(
        "MATCH (m:Model {weights: 'published'}) WHERE m.id IN $models "
        "RETURN m.id AS model ORDER BY model",
        {"models": list(models)},
    ).rows
    for (model,) in rows:
        yield f"{model}: only its published weights are known, so what is left out is not."
